"""Terms as text of the .pbpk language."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pbpkc.language.foreign.quantities import decimal
from pbpkc.language.foreign.terms import Call, Compare, If, Junction, Num, Sym, Term, Test
from pbpkc.language.syntax.format import format_number

_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "^": 4}
_ATOM = 5


def term_text(term: Term, names: Mapping[str, str], demanded: int = 0) -> str:
    """A term as the language writes it.

    Parameters
    ----------
    names : mapping of str to str
        What names of the source are called in the spec, where that differs.
    demanded : int
        Rank that its place demands; below it the text stands in parentheses.
    """
    match term:
        case Num():
            return _number(term.value, demanded)
        case Sym():
            return names.get(term.name, term.name)
        case Call():
            return f"{term.name}({', '.join(term_text(a, names) for a in term.args)})"
        case If():
            return _choice(term.test, term_text(term.then, names), term_text(term.other, names), names)
    rank = _RANK[term.op]
    if term.op == "neg":
        text = f"-{term_text(term.args[0], names, rank)}"
    elif term.op == "^":
        text = f"{term_text(term.args[0], names, _ATOM)}^{term_text(term.args[1], names, rank)}"
    else:
        left, right = term.args
        text = f"{term_text(left, names, rank)} {term.op} {term_text(right, names, rank + 1)}"
    return f"({text})" if rank < demanded else text


def _number(value: Fraction, demanded: int) -> str:
    if not decimal(value):
        text, rank = f"{value.numerator} / {value.denominator}", _RANK["/"]
    else:
        text, rank = format_number(abs(value)), _ATOM
        if value < 0:
            text, rank = f"-{text}", _RANK["neg"]
    return f"({text})" if rank < demanded else text


def _choice(test: Test, then: str, other: str, names: Mapping[str, str]) -> str:
    """``if(test, then, other)``; the language joins comparisons by one word, so mixed tests are nested."""
    plain = _plain(test)
    kinds = {type(a) for a in plain.args} if isinstance(plain, Junction) else set()
    if isinstance(plain, Compare) or kinds == {Compare}:
        compared = [plain] if isinstance(plain, Compare) else list(plain.args)
        word = f" {plain.op} " if isinstance(plain, Junction) else ""
        shown = word.join(
            f"{term_text(c.left, names)} {c.op} {term_text(c.right, names)}"
            for c in compared
            if isinstance(c, Compare)
        )
        return f"if({shown}, {then}, {other})"
    assert isinstance(plain, Junction)
    first, rest = plain.args[0], plain.args[1:]
    following: Test = rest[0] if len(rest) == 1 else Junction(plain.op, rest)
    inner = _choice(following, then, other, names)
    if plain.op == "and":
        return _choice(first, inner, other, names)
    return _choice(first, then, inner, names)


def _plain(test: Test) -> Test:
    """Equality as two comparisons, which the language has, and junctions of one kind flattened."""
    if isinstance(test, Compare):
        if test.op == "==":
            return Junction(
                "and", (Compare("<=", test.left, test.right), Compare(">=", test.left, test.right))
            )
        if test.op == "!=":
            return Junction("or", (Compare("<", test.left, test.right), Compare(">", test.left, test.right)))
        return test
    found: list[Test] = []
    for inner in map(_plain, test.args):
        found.extend(inner.args if isinstance(inner, Junction) and inner.op == test.op else [inner])
    return Junction(test.op, tuple(found))
