"""The expectations a spec writes down: ``check cmax(po.Cp) in (4, 12) [mg/L]``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from pbpkc.language.evaluate import evaluate
from pbpkc.language.expression import Apply, Const, Expr, Name, walk
from pbpkc.language.functions import FIGURES
from pbpkc.language.model import ValueCheck
from pbpkc.language.units import canonical_unit

#: The figure of an observable of a scenario, in the observable's unit (times in h): (figure, scenario,
#: observable, arguments) -> value. Raises `ValueError` with a reason where there is none.
Figure = Callable[[str, str, str, list[float]], float]


@dataclass(frozen=True)
class Expectation:
    """One value check with what was found.

    Parameters
    ----------
    text : str
        As written.
    value, low, high : float
        In `unit`; the value is nan if it could not be computed.
    unit : str
    held : bool
    reason : str
        Why there is no value.
    """

    text: str
    value: float
    low: float
    high: float
    unit: str
    held: bool
    reason: str = ""


def scenarios_read(check: ValueCheck) -> tuple[str, ...]:
    """The scenarios a check names."""
    names = [e.name.split(".", 1)[0] for e in walk(check.expr) if isinstance(e, Name)]
    return tuple(dict.fromkeys(names))


def evaluate_expectation(check: ValueCheck, figure: Figure, factors: dict[str, float]) -> Expectation:
    """A value check against simulated curves.

    Parameters
    ----------
    check : ValueCheck
    figure : callable
    factors : dict of observable name to float
        Canonical units in one unit of the observable.
    """
    scale = float(check.unit.factor)

    def read(expr: Apply) -> float:
        curve = expr.args[0]
        assert isinstance(curve, Name)
        scenario, observable = curve.name.split(".", 1)
        arguments = [float(evaluate(a, _no_name)) for a in expr.args[1:]]
        value = figure(expr.op, scenario, observable, arguments)
        # Times come in h, which is canonical; everything else in the observable's unit, areas times h.
        return value if expr.op in ("tmax", "thalf") else value * factors[observable]

    try:
        value = float(_evaluate(check, read)) / scale
    except (ValueError, ArithmeticError) as error:
        return Expectation(
            check.text,
            float("nan"),
            check.low / scale,
            check.high / scale,
            check.unit.text,
            False,
            str(error),
        )
    held = check.low <= value * scale <= check.high
    return Expectation(check.text, value, check.low / scale, check.high / scale, check.unit.text, held)


def _evaluate(check: ValueCheck, read: Callable[[Apply], float]) -> float:
    def numbers(expr: Expr) -> Expr:
        if isinstance(expr, Apply) and expr.op in FIGURES:
            value = read(expr)
            if value != value or value in (float("inf"), float("-inf")):
                raise ValueError(f"{expr.op} has no value here")
            return Const(expr.dim, Fraction(value), canonical_unit(expr.dim))
        if isinstance(expr, Apply):
            return replace(expr, args=tuple(numbers(a) for a in expr.args))
        return expr

    return float(evaluate(numbers(check.expr), _no_name))


def _no_name(name: str) -> float:
    raise KeyError(name)
