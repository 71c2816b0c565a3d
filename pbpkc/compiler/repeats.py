"""Expressions that occur several times in a routine are computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sympy as sp

# A repeated expression gets a name of its own from this many operations on; below, the name is longer.
_WORTH_SHARING = 3

# exp, log or a power costs about as much as this many products.
_FUNCTION_OPERATIONS = 3


@dataclass(frozen=True)
class Step:
    """Some names and the expressions behind them: one expression, or the arguments of a call."""

    symbols: tuple[sp.Symbol, ...]
    exprs: tuple[sp.Expr, ...]
    comment: str = ""
    call: str | None = None


def share_repeats(
    steps: Sequence[Step], outputs: Sequence[sp.Expr], new_symbol: Callable[[str], sp.Symbol]
) -> tuple[list[Step], list[sp.Expr]]:
    """The same steps and outputs with repeated expressions under names of their own.

    Parameters
    ----------
    steps : sequence of Step
        In an order in which they can be evaluated; new ones stand right before their first use.
    outputs : sequence of Expr
    new_symbol : callable
        Gives a symbol that is nowhere used, from the name it should have.
    """
    uses = _uses([e for s in steps for e in s.exprs] + list(outputs))
    operations: dict[sp.Basic, int] = {}
    shared = {e for e, n in uses.items() if n > 1 and isinstance(e, sp.Expr) and _worth(e, operations)}
    done: list[Step] = []
    written: dict[sp.Basic, sp.Basic] = {}

    def inside(expr: sp.Basic) -> sp.Basic:
        if expr.is_Atom:
            return expr
        arguments = [again(a) for a in expr.args]
        return (
            expr if all(a is b for a, b in zip(arguments, expr.args, strict=True)) else expr.func(*arguments)
        )

    def again(expr: sp.Basic) -> sp.Basic:
        if expr not in written:
            written[expr] = inside(expr)
            if expr in shared:
                symbol = new_symbol("shared")
                done.append(Step((symbol,), (written[expr],)))
                written[expr] = symbol
        return written[expr]

    for step in steps:
        if step.call is None and step.exprs[0] in shared and step.exprs[0] not in written:
            # The repeated expression has a name already: this step's.
            expr = inside(step.exprs[0])
            written[step.exprs[0]] = step.symbols[0]
            done.append(replace(step, exprs=(expr,)))
        else:
            done.append(replace(step, exprs=tuple(again(e) for e in step.exprs)))
    return done, [again(e) for e in outputs]


def _uses(roots: Sequence[sp.Basic]) -> Counter[sp.Basic]:
    """How many different expressions (and roots) read each expression directly."""
    uses: Counter[sp.Basic] = Counter()
    seen: set[sp.Basic] = set()
    for root in roots:
        uses[root] += 1
        waiting = [root]
        while waiting:
            expr = waiting.pop()
            if expr in seen or expr.is_Atom:
                continue
            seen.add(expr)
            for argument in expr.args:
                uses[argument] += 1
                waiting.append(argument)
    return uses


def _worth(expr: sp.Expr, known: dict[sp.Basic, int]) -> bool:
    if expr.is_number:
        return False
    if isinstance(expr, sp.Mul) and expr.args[0] == -1 and len(expr.args) == 2:
        return False
    return _operations(expr, known) >= _WORTH_SHARING


def _operations(expr: sp.Basic, known: dict[sp.Basic, int]) -> int:
    if expr.is_Atom:
        return 0
    if expr not in known:
        if isinstance(expr, (sp.Add, sp.Mul)):
            own = len(expr.args) - 1
        elif isinstance(expr, sp.Pow) and expr.exp == -1:
            own = 1
        else:
            own = _FUNCTION_OPERATIONS if isinstance(expr, (sp.Function, sp.Pow)) else 1
        known[expr] = own + sum(_operations(a, known) for a in expr.args)
    return known[expr]
