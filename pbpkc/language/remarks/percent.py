"""Shares that are a hundred times too small or too large: ``0.3 [%]`` for 0.3, and ``30`` for ``30 [%]``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate, evaluate_definitions
from pbpkc.language.expression import Expr
from pbpkc.language.model import Model, Prior
from pbpkc.language.source import Span
from pbpkc.language.units import ONE

#: Coefficients of variation of a prior or between people, and of measurements, beyond which nobody means
#: them: weak priors have some 200 %, assays some 1 %.
SPREAD = (0.01, 9.0)
SCATTER = (0.003, 2.0)

_HELP = "[%] is 0.01: thirty per cent is written 30 [%] or 0.3"


def odd_shares(model: Model) -> tuple[Diagnostic, ...]:
    """A warning (``percent``) for each share that is probably 100 times what was meant, or a hundredth."""
    return tuple(dict.fromkeys(_found(model)))


def _found(model: Model) -> Iterator[Diagnostic]:
    lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})
    for definition in model.masked:
        # The coefficients of a learned form have priors that nobody wrote.
        written = definition.mask is not None and not definition.mask.counted
        cv = _cv(definition.mask.prior if definition.mask and written else None)
        if cv is not None:
            what = f"the prior of '{definition.name}' has a coefficient of variation of"
            yield from _odd(what, cv, SPREAD, definition.span)
    for people in model.populations.values():
        for one in people.variations:
            cv = _number(one.arguments.get("cv"), lookup)
            if cv is not None:
                what = f"'{one.name}' differs between people with a coefficient of variation of"
                yield from _odd(what, cv, SPREAD, one.span)
    for observable in model.observables:
        relative = _number(observable.error.proportional if observable.error else None, lookup)
        if relative is not None and relative > 0:
            what = f"the measurements of '{observable.name}' scatter by"
            yield from _odd(what, relative, SCATTER, observable.span)


def _cv(prior: Prior | None) -> float | None:
    """The coefficient of variation of a prior, where it has one."""
    if prior is None:
        return None
    if prior.family == "lognormal":
        return math.sqrt(math.expm1(min(prior.arguments["sdlog"], 20.0) ** 2))
    if prior.family == "normal" and prior.arguments["mean"]:
        # A mean near 0 has a large one whatever is meant.
        return min(prior.arguments["sd"] / abs(prior.arguments["mean"]), SPREAD[1])
    return None


def _number(expr: Expr | None, lookup: Callable[[str], float]) -> float | None:
    if expr is None or expr.dim != ONE:
        return None
    try:
        return float(evaluate(expr, lookup))
    except (NotEvaluable, KeyError, ValueError, ArithmeticError):
        return None


def _odd(what: str, value: float, usual: tuple[float, float], span: Span | None) -> Iterator[Diagnostic]:
    if usual[0] <= value <= usual[1]:
        return
    yield Diagnostic(
        "percent",
        f"{what} {100 * value:.4g} %",
        (Label(span),) if span else (),
        help=_HELP,
        severity="warning",
    )
