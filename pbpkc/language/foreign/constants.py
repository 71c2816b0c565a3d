"""Formulas of numbers alone, worked out: exactly where they are rational."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.terms import Call, Compare, If, Junction, Num, Op, Sym, Term, Test

_REAL: dict[str, Callable[..., Any]] = {
    "exp": math.exp, "ln": math.log, "log10": math.log10, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "abs": abs, "floor": math.floor, "ceil": math.ceil, "max": max, "min": min,
}  # fmt: skip


class NoNumber(Exception):
    """A term that depends on more than numbers; it names what."""


def value_of(term: Term, known: Mapping[str, float]) -> float:
    """The value of a term.

    Raises
    ------
    NoNumber
        If a name in it is not known.
    ArithmeticError, ValueError
        Where it has no value.
    """
    match term:
        case Num():
            return float(term.value)
        case Sym():
            if term.name not in known:
                raise NoNumber(term.name)
            return known[term.name]
        case Call():
            return float(_REAL[term.name](*(value_of(a, known) for a in term.args)))
        case If():
            return value_of(term.then if holds(term.test, known) else term.other, known)
    given = [value_of(a, known) for a in term.args]
    match term.op:
        case "neg":
            return -given[0]
        case "+":
            return given[0] + given[1]
        case "-":
            return given[0] - given[1]
        case "*":
            return given[0] * given[1]
        case "/":
            return given[0] / given[1]
    found = given[0] ** given[1]
    if isinstance(found, complex):
        raise ValueError("a power of a negative number")
    return float(found)


def followed(terms: Mapping[str, Term], known: Mapping[str, float]) -> dict[str, float]:
    """Known numbers with those of all terms that follow from them, in whatever order the terms stand."""
    found = dict(known)
    todo = list(terms)
    while todo:
        left = []
        for name in todo:
            try:
                found[name] = value_of(terms[name], found)
            except NoNumber:
                left.append(name)
            except (ArithmeticError, ValueError):
                continue
        if len(left) == len(todo):
            break
        todo = left
    return found


def holds(test: Test, known: Mapping[str, float]) -> bool:
    """Whether a test holds."""
    if isinstance(test, Junction):
        return (all if test.op == "and" else any)(holds(a, known) for a in test.args)
    left, right = value_of(test.left, known), value_of(test.right, known)
    return {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right,
        "==": left == right, "!=": left != right,
    }[test.op]  # fmt: skip


def exact(term: Term) -> Fraction | None:
    """The exact value of a rational formula of numbers; None for anything else."""
    if isinstance(term, Num):
        return term.value
    if not isinstance(term, Op):
        return None
    given = [exact(a) for a in term.args]
    if any(v is None for v in given):
        return None
    values = [v for v in given if v is not None]
    match term.op:
        case "neg":
            return -values[0]
        case "+":
            return values[0] + values[1]
        case "-":
            return values[0] - values[1]
        case "*":
            return values[0] * values[1]
        case "/" if values[1]:
            return values[0] / values[1]
    return None


def worked_out(term: Term, rule: str) -> Term:
    """A formula of numbers as it stands if it holds no name.

    Raises
    ------
    SpecError
        Where it reads a name or has no value.
    """
    try:
        value = value_of(term, {})
    except NoNumber as error:
        message = f"{rule}, and this reads '{error}'"
    except (ArithmeticError, ValueError):
        message = f"{rule}, and this has no value"
    else:
        if not math.isfinite(value):
            message = f"{rule}, and this has no value"
        else:
            found = exact(term)
            return term if found is None else Num(found, False, term.span)
    raise SpecError(
        [
            Diagnostic(
                "not-constant", message, (Label(term.span),) if term.span else (),
                help="write a number; formulas of other values belong to $MAIN or model({})",
            )
        ]
    )  # fmt: skip


def decided(test: Test) -> bool | None:
    """Whether a test of numbers holds; None where it reads more."""
    if not isinstance(test, Compare):
        known = [decided(a) for a in test.args]
        if test.op == "and":
            return False if False in known else None if None in known else True
        return True if True in known else None if None in known else False
    left, right = exact(test.left), exact(test.right)
    if left is None or right is None:
        return None
    return {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right,
        "==": left == right, "!=": left != right,
    }[test.op]  # fmt: skip
