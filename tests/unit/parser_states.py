"""The states of the parser of specs: how a text gets into each, and in which of them a text can stop.

The tables are those of an LALR(1) parser. A state is entered behind a token or behind a finished construct.
In the former a text can stop with any token that the table does not know there; in the latter only with one
that finished the construct and cannot follow it here. `surplus` follows these tokens to a fixed point, so
that a state without any is proved to be one in which no text stops, not just never seen.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from lark.exceptions import UnexpectedInput
from lark.parsers.lalr_analysis import Shift

from pbpkc.language.syntax import parse as parsing

#: A text for each kind of token that has no text of its own.
_TEXTS = {
    "NAME": "x", "NUMBER": "1", "STRING": '"text"', "UNIT": "[mg]", "SUB": "<1>", "CMP": "<", "_SEP": "\n",
    "$END": "",
}  # fmt: skip


@dataclass(frozen=True)
class States:
    """The states of the parser.

    Parameters
    ----------
    table : mapping of state to mapping of token or rule to action
    begin, end : state
        Before any token, and that of a whole text.
    rules : sequence
        All rules of the grammar.
    texts : mapping of str to str
        A text for each token; ignored ones are left out.
    """

    table: Any
    begin: Any
    end: Any
    rules: Sequence[Any]
    texts: dict[str, str]

    @cached_property
    def _shortest(self) -> dict[str, tuple[str, ...]]:
        """The shortest tokens of each construct."""
        found: dict[str, tuple[str, ...]] = {t: (t,) for t in self.texts}
        changed = True
        while changed:
            changed = False
            for rule in self.rules:
                parts = [found.get(symbol.name) for symbol in rule.expansion]
                if any(part is None for part in parts):
                    continue
                tokens = tuple(t for part in parts for t in part or ())
                if len(tokens) < len(found.get(rule.origin.name, (*tokens, ""))):
                    found[rule.origin.name] = tokens
                    changed = True
        return found

    @cached_property
    def prefixes(self) -> dict[Any, tuple[str, ...]]:
        """The shortest tokens behind which each state is met."""
        found = {self.begin: ()}
        count = 0
        queue: list[tuple[int, int, Any]] = [(0, count, self.begin)]
        while queue:
            length, _, state = heapq.heappop(queue)
            if length > len(found[state]):
                continue
            for symbol, target in self._shifts(state):
                tokens = found[state] + self._shortest[symbol]
                if target not in found or len(tokens) < len(found[target]):
                    found[target] = tokens
                    count += 1
                    heapq.heappush(queue, (len(tokens), count, target))
        return found

    @cached_property
    def surplus(self) -> dict[Any, set[str]]:
        """For each state the tokens with which the parser may come to it and that it does not know."""
        everything = frozenset(self.texts)
        arrive: dict[Any, set[str]] = defaultdict(set)
        for state in self.table:
            for symbol, target in self._shifts(state):
                if symbol in self.texts:
                    arrive[target] |= everything
        arrive[self.begin] |= everything
        by_origin = defaultdict(list)
        for rule in self.rules:
            by_origin[rule.origin.name].append(rule)
        links = []
        for state in self.table:
            for symbol, target in self._shifts(state):
                for rule in by_origin.get(symbol, ()):
                    last = self._walk(state, rule)
                    if last is not None:
                        finishing = {t for t, (act, arg) in self.table[last].items() if arg == rule}
                        links.append((last, target, finishing))
        changed = True
        while changed:
            changed = False
            for last, target, finishing in links:
                new = (arrive[last] & finishing) - arrive[target]
                if new:
                    arrive[target] |= new
                    changed = True
        return {s: arrive[s] - set(self.table[s]) for s in self.table if s != self.end}

    @cached_property
    def wrong(self) -> dict[Any, list[tuple[str, ...]]]:
        """For each state tokens that stop in it, the shortest texts first."""
        found: dict[Any, list[tuple[str, ...]]] = defaultdict(list)
        for tokens in sorted(set(self.prefixes.values()), key=lambda t: (len(t), t)):
            stack = [self.begin]
            for token in tokens:
                assert self._feed(stack, token), "a prefix is accepted"
            for token in self.texts:
                # A text ends with a line end, several line ends are one, and none counts inside parentheses.
                ended = not tokens or tokens[-1] == "_SEP"
                if not _inside(tokens) and ended == (token == "_SEP") and token in ("_SEP", "$END"):
                    continue
                if _inside(tokens) and token == "_SEP":
                    continue
                after = list(stack)
                if not self._feed(after, token) and after[-1] != self.end:
                    found[after[-1]].append((*tokens, token))
        return found

    def text(self, tokens: Sequence[str]) -> str:
        """Tokens as a text, with blanks where they are not wrong."""
        text = ""
        for token in tokens:
            text = text.rstrip(" ") if token in ("SUB", "_SEP") else text
            text += self.texts[token] + (" " if token != "_SEP" else "")
        return text

    def _shifts(self, state: Any) -> Iterator[tuple[str, Any]]:
        for symbol, (action, target) in sorted(self.table[state].items()):
            if action is Shift and symbol in self._shortest_or_rule:
                yield symbol, target

    @cached_property
    def _shortest_or_rule(self) -> frozenset[str]:
        return frozenset(self.texts) | {rule.origin.name for rule in self.rules}

    def _walk(self, state: Any, rule: Any) -> Any:
        for symbol in rule.expansion:
            action, target = self.table[state].get(symbol.name, (None, None))
            if action is not Shift:
                return None
            state = target
        return state

    def _feed(self, stack: list[Any], token: str) -> bool:
        """Take a token; False where it stops the parser, in the state on top of the stack."""
        while True:
            if token not in self.table[stack[-1]]:
                return False
            action, argument = self.table[stack[-1]][token]
            if action is Shift:
                stack.append(argument)
                return True
            if argument.expansion:
                del stack[-len(argument.expansion) :]
            stack.append(self.table[stack[-1]][argument.origin.name][1])


def _inside(tokens: Sequence[str]) -> bool:
    return tokens.count("LPAR") > tokens.count("RPAR")


@lru_cache(maxsize=1)
def states() -> States:
    """The states of the parser of specs."""
    lark = parsing._parser()
    table = lark.parser.parser.parser.parse_table
    texts = dict(_TEXTS)
    for terminal in lark.terminals:
        if terminal.pattern.type == "str":
            texts[terminal.name] = terminal.pattern.value
    ignored = set(lark.lexer_conf.ignore)
    assert {t.name for t in lark.terminals} <= set(texts) | ignored, "every token has a text"
    return States(
        table.states,
        table.start_states["start"],
        table.end_states["start"],
        lark.rules,
        dict(sorted(texts.items())),
    )


def stopped_in(text: str) -> Any:
    """The state in which a text stops; None where it parses."""
    running = parsing._parser().parse_interactive(text + "\n")
    try:
        running.exhaust_lexer()
        running.feed_eof()
    except (UnexpectedInput, parsing._Refused):
        return running.parser_state.position
    return None
