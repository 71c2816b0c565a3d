"""Forms written as text: read with units inferred, and given back as lines of a spec."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbpkc.compiler.missing.declared import Declared, declared
from pbpkc.compiler.missing.dimensions import infer_dimensions
from pbpkc.compiler.missing.form import Coefficient, Form, FormError
from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.expression import Expr, Name, names_in
from pbpkc.language.model import Mask, Model, Prior, Unknown
from pbpkc.language.options.option_text import OptionText
from pbpkc.language.options.option_values import option_binder
from pbpkc.language.units import ONE, Dimension, Unit, canonical_unit, parse_unit

#: Bounds of a parameter with a unit lie this far from its typical size, which its prior's median is.
FACTOR = 1e5
SPREAD = 2.0

#: Bounds of a number without a unit: an exponent, a fraction.
PURE = 0.05, 20.0

#: What a form may read of the spec.
_READABLE = ("param", "masked", "covariate")


@dataclass(frozen=True)
class Bounded:
    """What is said of a new name: ``k [umol/L] in (1, 1e4)``; canonical bounds."""

    name: str
    unit: Unit
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Written:
    """A form with its text.

    Parameters
    ----------
    title : str
        ``Michaelis-Menten``.
    text : str
        The expression, in the names of the term's arguments and of `form`'s coefficients.
    form : Form
    """

    title: str
    text: str
    form: Form


def read_with(text: str) -> Bounded:
    """``k [umol/L] in (1, 1e4)`` or ``k [umol/L]``.

    Raises
    ------
    OptionError
        If it is not written so.
    """
    usage = 'write --with "k [umol/L] in (1, 1e4)"'
    typed = OptionText("--with", text, 0, "", usage)
    number = r"([+-]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
    match = re.fullmatch(
        rf"\s*([^\W\d]\w*)\s*\[([^\]]+)\]\s*(?:in\s*\(\s*{number}\s*,\s*{number}\s*\)\s*(?:\[[^\]]*\])?)?\s*",
        text,
    )
    if match is None:
        raise typed.problem("usage", "this is no name with its unit", usage)
    try:
        unit = parse_unit(match[2])
    except ValueError as error:
        raise typed.problem("bad-unit", str(error), usage) from None
    if match[3] is None:
        return Bounded(match[1], unit)
    low, high = (float(x) * float(unit.factor) for x in (match[3], match[4]))
    if not 0.0 < low < high:
        raise typed.problem("bounds", f"the bounds of '{match[1]}' are not 0 < low < high", usage)
    return Bounded(match[1], unit, low, high)


def read_form(
    model: Model,
    unknown: Unknown,
    title: str,
    text: str,
    said: Mapping[str, Bounded] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> Written:
    """A form from its text. Names that the spec does not define are its coefficients.

    Parameters
    ----------
    model : Model
        Whose parameters and covariates the text may read.
    unknown : Unknown
    title, text : str
    said : mapping of str to Bounded, optional
        Units and bounds that do not follow.
    limits : mapping of str to tuple of float, optional
        Bounds of coefficients without a unit.

    Raises
    ------
    SpecError
        For a text that is no expression or has the wrong unit.
    FormError
        For a unit that does not follow.
    """
    said = said or {}
    scale = declared(unknown)
    usage = f'write --form "vmax * {unknown.arguments[0].name} / (km + {unknown.arguments[0].name})"'
    typed = OptionText("--form", text, 0, unknown.name, usage)
    node = typed.expression()
    own = {a.name: a.unit.dimension for a in unknown.arguments}
    there = {k: d.expr.dim for k, d in model.definitions.items() if d.kind in _READABLE and k not in own}
    known = {**there, **{k: b.unit.dimension for k, b in said.items() if k not in there}, **own}
    new = infer_dimensions(node, known, unknown.unit.dimension)
    new |= {k: b.unit.dimension for k, b in said.items() if k not in there and k not in own}
    binder = option_binder(model)
    local: dict[str, Expr] = {k: Name(d, k) for k, d in {**known, **new}.items()}
    try:
        context = Context(local=local, unknowns=False, where="a form")
        bound = binder.bind_as(node, unknown.unit.dimension, context, f"'{unknown.name}' has its unit")
    except Unbound:
        raise SpecError(typed.moved(binder.problems)) from None
    used = names_in(bound)
    coefficients = tuple(
        _coefficient(scale, name, dimension, said.get(name), (limits or {}).get(name))
        for name, dimension in new.items()
        if name in used
    )
    if not used & set(own) and coefficients and title == text:
        raise FormError(f"the form reads none of the arguments of '{unknown.name}'")
    return Written(title, text, Form(title, coefficients, (), (), bound))


def pasted(
    written: Written, unknown: Unknown, estimates: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> str:
    """The lines that replace the declaration of the term: masked parameters at the estimates, and a function.

    Parameters
    ----------
    estimates, intervals : sequences, one a coefficient
        Canonical units; an interval may be nan.
    """
    lines = []
    for c, value, (low, high) in zip(written.form.coefficients, estimates, intervals, strict=True):
        unit = "" if c.unit.text == "1" else f" {c.unit}"
        at, start, end, first, last = (
            x / float(c.unit.factor) for x in (value, c.mask.low, c.mask.high, low, high)
        )
        interval = f"95 % interval {first:.4g} to {last:.4g}" if first == first else "not determined"
        lines.append(
            f'masked {c.name} "{interval}" ~ lognormal({at:.9g}{unit}, sdlog = {SPREAD:g}) '
            f"in ({min(start, at):.9g}, {max(end, at):.9g}){unit} scale log"
        )
    arguments = ", ".join(a.name for a in unknown.arguments)
    return "\n".join([*lines, f"function {unknown.name}({arguments}) = {written.text}"])


def _coefficient(
    scale: Declared,
    name: str,
    dimension: Dimension,
    said: Bounded | None,
    limits: tuple[float, float] | None,
) -> Coefficient:
    unit = said.unit if said is not None else _unit(scale.unknown, dimension)
    if limits is not None:
        low, high = limits
        middle = math.sqrt(low * high)
    elif said is not None and said.low is not None and said.high is not None:
        low, high = said.low, said.high
        middle = math.sqrt(low * high)
    elif dimension == ONE:
        low, high = PURE
        middle = 1.0
    else:
        middle = _size(scale, name, dimension)
        low, high = middle / FACTOR, middle * FACTOR
    spread = min(SPREAD, 0.5 * math.log(high / low))
    mask = Mask(Prior("lognormal", {"median": middle, "sdlog": spread}), low, high, "log")
    return Coefficient(name, unit, mask, middle, "")


def _sizes(scale: Declared) -> list[tuple[Dimension, float, Unit]]:
    """Typical sizes: of the result, then of each argument."""
    unknown = scale.unknown
    default = scale.default_along(0, np.asarray(scale.reference(0)))
    size = abs(float(default)) if default is not None else 0.0
    if not size > 0.0:
        ends = [abs(x) for x in (scale.low, scale.high) if math.isfinite(x) and x != 0.0]
        size = 0.1 * max(ends) if ends else 1.0
    found = [(unknown.unit.dimension, size, unknown.unit)]
    return found + [
        (a.unit.dimension, abs(scale.reference(k)) or 1.0, a.unit) for k, a in enumerate(unknown.arguments)
    ]


def _size(scale: Declared, name: str, dimension: Dimension) -> float:
    """The typical size of a parameter: of the result, an argument, or a product of whole powers of these.

    Raises
    ------
    FormError
        If no product has its dimension.
    """
    sizes = _sizes(scale)
    powers = (1, 0, -1, 2, -2)
    for p in powers:
        for k in range(1, len(sizes)):
            for q in powers:
                if sizes[0][0] ** p * sizes[k][0] ** q == dimension:
                    return float(sizes[0][1] ** p * sizes[k][1] ** q)
    raise FormError(
        f"nothing says how large '{name}' [{dimension}] may be; say it, for example "
        f'--with "{name} [{dimension}] in (0.1, 10)"'
    )


def _unit(unknown: Unknown, dimension: Dimension) -> Unit:
    """The unit to report a parameter in: the term's or an argument's own where the dimension is theirs."""
    for unit in (unknown.unit, *(a.unit for a in unknown.arguments)):
        if unit.dimension == dimension:
            return unit
    return canonical_unit(dimension)
