"""Distributions of masked parameters, read from the language."""

from __future__ import annotations

import math

from pbpkc.language.binding.bind import Context, ExpressionBinder
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.expression import Const, Expr
from pbpkc.language.model import Mask, Prior
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE, Dimension, Unit, canonical_unit

FAMILIES = ("lognormal", "normal", "uniform", "beta", "halfnormal")

#: Median of the standard half-normal distribution: the 75 % point of the normal distribution.
_HALFNORMAL_MEDIAN = 0.6744897501960817


def read_prior(
    call: n.Call, binder: ExpressionBinder, context: Context
) -> tuple[Prior, Dimension, Unit, float]:
    """A distribution with its dimension, the unit it was written in, and its median (canonical).

    Raises
    ------
    Unbound
        After reporting what is wrong with it.
    """
    named = dict(call.named)
    if call.name not in FAMILIES:
        near = similar(call.name, FAMILIES)
        raise binder.fail(
            "unknown-distribution",
            f"there is no distribution '{call.name}'",
            call.span,
            help=f"a distribution with a similar name exists: '{near}'"
            if near
            else "distributions are " + ", ".join(FAMILIES),
            fixes=respelt(call.span, call.name, FAMILIES),
        )

    def usage(text: str) -> Exception:
        return binder.fail(
            "arguments", f"these are not the arguments of {call.name}", call.span, help=f"write {text}"
        )

    def first() -> tuple[Expr, Dimension, Unit, float]:
        expr = binder.bind(call.args[0], context)
        value = binder.constant(
            call.args[0], expr.dim, f"the first argument of {call.name} is a number", context
        )
        return expr, expr.dim, _written_unit(expr), value

    def spread(key: str, dimension: Dimension) -> float:
        value = binder.constant(named[key], dimension, f"{key} of {call.name} is a number", context)
        spread_of = binder.bind(named[key], context)
        if isinstance(spread_of, Const) and spread_of.unit.offset:
            raise binder.fail(
                "bad-unit",
                f"{key} of {call.name} is a difference and cannot be in {spread_of.unit}",
                named[key].span,
                help="write a temperature difference in [K]",
            )
        if not value > 0:
            raise binder.fail(
                "bad-number",
                f"{key} of {call.name} is not positive",
                named[key].span,
                help="a spread is above 0",
            )
        return value

    match call.name:
        case "lognormal":
            if len(call.args) != 1 or len(named) != 1 or not set(named) <= {"cv", "sdlog"}:
                raise usage("lognormal(median, cv = 50 [%]) or lognormal(median, sdlog = 0.4)")
            _, dim, unit, median = first()
            if not median > 0:
                raise binder.fail(
                    "bad-number",
                    "the median of a lognormal distribution is not positive",
                    call.args[0].span,
                    help="write a median above 0, or take normal(mean, sd = ...)",
                )
            # sdlog^2 = ln(1 + cv^2), the exact relation for a lognormal distribution.
            sdlog = spread("sdlog", ONE) if "sdlog" in named else _sdlog_of(spread("cv", ONE))
            return Prior("lognormal", {"median": median, "sdlog": sdlog}), dim, unit, median
        case "normal":
            if len(call.args) != 1 or len(named) != 1 or not set(named) <= {"cv", "sd"}:
                raise usage("normal(mean, sd = 2 [kg]) or normal(mean, cv = 20 [%])")
            _, dim, unit, mean = first()
            sd = spread("sd", dim) if "sd" in named else spread("cv", ONE) * abs(mean)
            return Prior("normal", {"mean": mean, "sd": sd}), dim, unit, mean
        case "uniform":
            if len(call.args) != 2 or named:
                raise usage("uniform(low, high)")
            _, dim, unit, low = first()
            high = binder.constant(call.args[1], dim, "both arguments of uniform have one unit", context)
            if not high > low:
                raise binder.fail(
                    "bad-number",
                    "the upper end of uniform does not lie above the lower",
                    call.span,
                    help="write uniform(low, high)",
                )
            return Prior("uniform", {"low": low, "high": high}), dim, unit, 0.5 * (low + high)
        case "beta":
            if len(call.args) != 2 or named:
                raise usage("beta(a, b)")
            a, b = (
                binder.constant(x, ONE, "the arguments of beta are dimensionless", context) for x in call.args
            )
            if not (a > 0 and b > 0):
                raise binder.fail(
                    "bad-number",
                    "the arguments of beta are not both positive",
                    call.span,
                    help="write for example beta(2, 5)",
                )
            from scipy.special import betaincinv

            return Prior("beta", {"a": a, "b": b}), ONE, canonical_unit(ONE), float(betaincinv(a, b, 0.5))
        case _:
            if call.args or set(named) != {"sd"}:
                raise usage("halfnormal(sd = 2 [mg/L])")
            expr = binder.bind(named["sd"], context)
            sd = spread("sd", expr.dim)
            return Prior("halfnormal", {"sd": sd}), expr.dim, _written_unit(expr), _HALFNORMAL_MEDIAN * sd


def read_mask(
    prior: Prior,
    dimension: Dimension,
    median: float,
    node: n.Masked,
    binder: ExpressionBinder,
    context: Context,
) -> Mask:
    """Prior, bounds and scale of a `masked` line.

    Without bounds the support of the prior bounds the parameter. The scale is log where the lower
    bound is above 0, unless the line says otherwise.

    Raises
    ------
    Unbound
        After reporting what is wrong.
    """
    if node.bounds is None:
        low, high = _support(prior)
    else:
        low, high = read_bounds(node.bounds, dimension, binder, context)
    name = node.member.name
    if not low <= median <= high:
        bounds = node.bounds.span if node.bounds else node.span
        unit = _shown_unit(node.prior, binder, context, dimension)
        shown, *ends = (f"{(x - float(unit.offset)) / float(unit.factor):.4g}" for x in (median, low, high))
        raise binder.fail(
            "median-outside",
            f"the median of the prior of '{name}' is {shown}, outside its bounds ({', '.join(ends)}) {unit}",
            node.prior.span,
            help="move the bounds or the prior",
            others=_labels(bounds),
        )
    scale = "log" if low > 0 else "natural"
    if node.scale is not None:
        if node.scale.name not in ("log", "natural"):
            raise binder.fail(
                "unknown-name",
                f"there is no scale '{node.scale.name}'",
                node.scale.span,
                help="write scale log or scale natural",
            )
        scale = node.scale.name
    if scale == "log" and low < 0:
        raise binder.fail(
            "bad-number",
            f"'{name}' cannot be negative on a log scale",
            node.span,
            help="raise the lower bound to 0 or more, or write scale natural",
        )
    return Mask(prior, low, high, scale)


def read_bounds(
    pair: n.Pair, dimension: Dimension, binder: ExpressionBinder, context: Context, one_value: bool = False
) -> tuple[float, float]:
    """Lower and upper bound in canonical units; the pair's own unit applies to both numbers.

    With `one_value` both may be the same number.
    """
    if pair.unit is not None:
        unit = binder.unit(pair.unit)
        for side in (pair.low, pair.high):
            inner = side.args[0] if isinstance(side, n.Operation) and side.op == "neg" else side
            if not isinstance(inner, n.Quantity) or inner.unit is not None:
                raise binder.fail(
                    "bounds",
                    "a pair with a unit holds two bare numbers",
                    pair.span,
                    help="write in (0.1, 10) [1/h]",
                )
        if unit.dimension != dimension:
            shown = Const(unit.dimension, unit.factor, unit, span=pair.unit.span)
            raise binder.mismatch("bounds have the unit of what they bound", shown, dimension, pair.span)
        plain = [binder.constant(s, ONE, "a bound is a number", context) for s in (pair.low, pair.high)]
        low, high = (x * float(unit.factor) + float(unit.offset) for x in plain)
    else:
        what = "bounds have the unit of what they bound"
        low, high = (binder.constant(s, dimension, what, context) for s in (pair.low, pair.high))
    if not (low < high or (one_value and low == high)):
        raise binder.fail(
            "bounds", "the lower bound is not below the upper", pair.span, help="write in (low, high)"
        )
    return low, high


def _sdlog_of(cv: float) -> float:
    # cv^2 leaves double precision where its logarithm does not.
    return math.sqrt(math.log1p(cv * cv) if cv < 1e100 else 2 * math.log(cv))


def _support(prior: Prior) -> tuple[float, float]:
    match prior.family:
        case "uniform":
            return prior.arguments["low"], prior.arguments["high"]
        case "beta":
            return 0.0, 1.0
        case "normal":
            return -math.inf, math.inf
    return 0.0, math.inf


def _written_unit(expr: Expr) -> Unit:
    return expr.unit if isinstance(expr, Const) else canonical_unit(expr.dim)


def _shown_unit(call: n.Call, binder: ExpressionBinder, context: Context, dimension: Dimension) -> Unit:
    """The unit of the number that a prior was written with."""
    first = call.args[0] if call.args else next((value for _, value in call.named), None)
    unit = _written_unit(binder.bind(first, context)) if first is not None else canonical_unit(dimension)
    return unit if unit.dimension == dimension else canonical_unit(dimension)


def _labels(span: Span) -> tuple[Label, ...]:
    return (Label(span, "the bounds"),)
