"""The graph of a linear system: which states an output can see, and how far round its circuits go.

The matrix of flows between compartments has no negative entry off its diagonal. If its graph has no circuit
of more than m states, every eigenvalue lies within the angle ``pi/2 - pi/m`` of the negative real axis, seen
from the largest real one (Kellogg RB, Stephens AB 1978, Linear Algebra Appl 20:179); with m of 1 or 2 all are
real. An organ that is fed by one vessel and empties into another has few states in a circuit, however many
organs there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Entry = tuple[int, int]

#: Edges that the search for the longest circuit follows before it takes the size of the component instead.
MOST_STEPS = 200_000


def seen_by(rows: Iterable[int], entries: Iterable[Entry]) -> tuple[int, ...]:
    """The states that `rows` are or depend on, sorted.

    Parameters
    ----------
    rows : iterable of int
    entries : iterable of (int, int)
        (i, j) where state j enters the equation of state i.
    """
    sources: dict[int, list[int]] = {}
    for i, j in entries:
        sources.setdefault(i, []).append(j)
    waiting = list(rows)
    found = set(waiting)
    while waiting:
        for j in sources.get(waiting.pop(), ()):
            if j not in found:
                found.add(j)
                waiting.append(j)
    return tuple(sorted(found))


def longest_circuit(entries: Iterable[Entry], states: Sequence[int]) -> int:
    """States in the longest circuit that passes through none twice, or an upper bound; at least 1.

    Parameters
    ----------
    entries : iterable of (int, int)
        As in `seen_by`; those on the diagonal do not count.
    states : sequence of int
        What remains of the graph.
    """
    inside = set(states)
    after: dict[int, list[int]] = {k: [] for k in states}
    for i, j in sorted(entries):
        if i != j and i in inside and j in inside:
            after[j].append(i)
    longest, budget = 1, MOST_STEPS
    for component in _components(after):
        if len(component) <= longest:
            continue
        found, budget = _longest_in(component, after, budget)
        longest = max(longest, found)
    return longest


def _longest_in(component: Sequence[int], after: dict[int, list[int]], budget: int) -> tuple[int, int]:
    """The longest circuit of a strongly connected component, and what is left of the budget."""
    inside, longest = set(component), 1
    for start in component:
        # Circuits whose lowest state is `start`: those through lower ones have been seen.
        path, on_path = [start], {start}
        choices = [iter(after[start])]
        while choices:
            budget -= 1
            if budget <= 0:
                return len(component), 0
            state = next(choices[-1], None)
            if state is None:
                choices.pop()
                on_path.discard(path.pop())
            elif state == start:
                longest = max(longest, len(path))
            elif state in inside and state not in on_path:
                path.append(state)
                on_path.add(state)
                choices.append(iter(after[state]))
        inside.discard(start)
    return longest, budget


def _components(after: dict[int, list[int]]) -> list[list[int]]:
    """Strongly connected components, each sorted (Tarjan 1972), the largest first."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    found: list[list[int]] = []
    for root in after:
        if root in number:
            continue
        visits = [(root, iter(after[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        waiting.add(root)
        while visits:
            state, rest = visits[-1]
            child = next(rest, None)
            if child is None:
                visits.pop()
                if visits:
                    parent = visits[-1][0]
                    low[parent] = min(low[parent], low[state])
                if low[state] == number[state]:
                    at = stack.index(state)
                    found.append(sorted(stack[at:]))
                    waiting.difference_update(stack[at:])
                    del stack[at:]
            elif child not in number:
                number[child] = low[child] = len(number)
                stack.append(child)
                waiting.add(child)
                visits.append((child, iter(after[child])))
            elif child in waiting:
                low[state] = min(low[state], number[child])
    return sorted(found, key=lambda c: (-len(c), c))
