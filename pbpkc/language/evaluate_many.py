"""Numbers from bound expressions for many people at once: to the bit those of `evaluate` for each.

Sums, products and comparisons are the same on arrays; what a library computes (a power, a logarithm) is asked
for person by person, because numpy's own differs in the last digit. Where arithmetic has no result for some,
such as a division by zero, they have none and the others do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.evaluate import NotEvaluable, applied
from pbpkc.language.expression import Apply, Const, Expr, Name

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Many:
    """A value for each of B people.

    Parameters
    ----------
    values : ndarray, shape (B,)
        Numbers, or truths of a condition.
    none : ndarray of bool, shape (B,)
        Who has none; `values` means nothing there.
    """

    values: NDArray[Any]
    none: Mask

    @classmethod
    def of(cls, values: Array) -> Many:
        """Everyone has a number."""
        return cls(values, np.zeros(len(values), dtype=bool))


def evaluate_many(
    expr: Expr, lookup: Callable[[str], Any], call: Callable[[str, list[Any]], Any] | None = None
) -> Any:
    """The value of an expression in canonical units, where names have a number or one a person.

    Parameters
    ----------
    expr : Expr
    lookup : callable
        Gives a float or a `Many`; raises `KeyError` for a name it does not have.
    call : callable, optional
        As in `evaluate`, for operators whose arguments are the same for all.

    Returns
    -------
    float or Many

    Raises
    ------
    NotEvaluable, ArithmeticError, ValueError
        As `evaluate`, for what has no value for anybody.
    """
    if isinstance(expr, Const):
        return float(expr.canonical)
    if isinstance(expr, Name):
        try:
            return lookup(expr.name)
        except KeyError as error:
            raise NotEvaluable(f"'{expr.name}' has no value here") from error
    assert isinstance(expr, Apply)
    if expr.op == "if":
        return _chosen(expr, lookup, call)
    args = [evaluate_many(a, lookup, call) for a in expr.args]
    if not any(isinstance(a, Many) for a in args):
        return applied(expr.op, args, call)
    none = reduce(np.logical_or, [a.none for a in args if isinstance(a, Many)])
    columns = [a.values if isinstance(a, Many) else a for a in args]
    with np.errstate(all="ignore"):
        return _on_arrays(expr.op, columns, none)


def _chosen(expr: Apply, lookup: Callable[[str], Any], call: Callable[[str, list[Any]], Any] | None) -> Any:
    """An ``if``: of both branches, each where it is taken."""
    condition = evaluate_many(expr.args[0], lookup, call)
    if not isinstance(condition, Many):
        return evaluate_many(expr.args[1] if condition else expr.args[2], lookup, call)
    taken = condition.values.astype(bool)
    branches = []
    for arg in expr.args[1:]:
        try:
            branches.append(evaluate_many(arg, lookup, call))
        except (ArithmeticError, ValueError):
            branches.append(Many(np.full(len(taken), np.nan), np.ones(len(taken), dtype=bool)))
    yes, no = branches
    values = np.where(taken, *(b.values if isinstance(b, Many) else b for b in branches))
    none = np.where(taken, *(b.none if isinstance(b, Many) else False for b in (yes, no)))
    return Many(values, condition.none | none)


def _on_arrays(op: str, columns: Sequence[Any], none: Mask) -> Many:
    first = columns[0]
    match op:
        case "add":
            return Many(reduce(np.add, columns), none)
        case "mul":
            return Many(reduce(np.multiply, columns), none)
        case "sub":
            return Many(first - columns[1], none)
        case "neg":
            return Many(-first, none)
        case "div":
            return Many(np.divide(first, columns[1]), none | np.equal(columns[1], 0.0))
        case "sqrt":
            return Many(np.sqrt(first), none | (first < 0.0))
        case "abs":
            return Many(np.abs(first), none)
        case "min":  # of equal ones the first, as Python has it
            return Many(reduce(lambda a, b: np.where(np.less(b, a), b, a), columns), none)
        case "max":
            return Many(reduce(lambda a, b: np.where(np.greater(b, a), b, a), columns), none)
        case "lt":
            return Many(np.less(first, columns[1]), none)
        case "le":
            return Many(np.less_equal(first, columns[1]), none)
        case "gt":
            return Many(np.greater(first, columns[1]), none)
        case "ge":
            return Many(np.greater_equal(first, columns[1]), none)
        case "and":
            return Many(reduce(np.logical_and, columns), none)
        case "or":
            return Many(reduce(np.logical_or, columns), none)
    return _one_by_one(op, columns, none)


def _one_by_one(op: str, columns: Sequence[Any], none: Mask) -> Many:
    """An operator of a library, person by person."""
    count = len(none)
    values, none = np.full(count, np.nan), none.copy()
    lists = [c.tolist() if isinstance(c, np.ndarray) else [c] * count for c in columns]
    for b, row in enumerate(zip(*lists, strict=True)):
        if none[b]:
            continue
        try:
            values[b] = applied(op, list(row))
        except NotEvaluable:
            raise  # for nobody
        except (ArithmeticError, ValueError):
            none[b] = True
    return Many(values, none)
