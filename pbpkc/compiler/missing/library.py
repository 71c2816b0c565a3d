"""The forms that are tried for an unknown term, as text in the names of its arguments.

Two families. Laws that start from 0 at the lower end of an argument (a rate of metabolism), also above an
anchor's value. Laws that decline from a value there (a remaining capacity). With two arguments each law of
one is multiplied by factors of the other that are 1 at its lower end.

A pure power ``c^n`` with n < 1 has an infinite slope at 0: what is left of a state vanishes in finite time,
and few solvers step through that moment. The library's power law is a power above a thousandth of its
reference and proportional to c below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pbpkc.compiler.missing.contradiction import always_contradicts
from pbpkc.compiler.missing.declared import REFERENCE, Declared, declared
from pbpkc.compiler.missing.form import FormError
from pbpkc.compiler.missing.written import Written, read_form
from pbpkc.language.model import Model, Unknown
from pbpkc.language.units import Unit

#: An exponent: a law that bends up. Below 1 a Hill law is hardly told from a power, and empties a state in
#: finite time; `--form` tries one.
_ORDER = 1.0, 12.0
_EXPONENT = 0.1, 5.0
_FRACTION = 1e-3, 1.0

#: ``X`` is the argument above its lower end, ``R`` a reference for it; capitals are replaced.
_STARTING: Mapping[str, str] = {
    "constant": "{a}",
    "linear": "{k} * X",
    "Michaelis-Menten": "{vmax} * X / ({km} + X)",
    "Hill": "{vmax} * (X / {c50})^{n} / (1 + (X / {c50})^{n})",
    "power": "{a} * (X / R) * (X / R + 0.001)^({p} - 1)",
    "logarithm": "{a} * ln(1 + X / {b})",
    "exponential saturation": "{a} * (1 - exp(-X / {b}))",
    "substrate inhibition": "{vmax} * X / ({km} + X + X^2 / {ki})",
    "Michaelis-Menten and linear": "{vmax} * X / ({km} + X) + {k} * X",
    "Hill and linear": "{vmax} * (X / {c50})^{n} / (1 + (X / {c50})^{n}) + {k} * X",
    "quadratic": "{k} * X + {q} * X^2",
}

#: ``A`` is the value declined from.
_DECLINING: Mapping[str, str] = {
    "constant": "A",
    "linear decline": "A * (1 - X / {b})",
    "hyperbolic decline": "A / (1 + X / {b})",
    "Hill decline": "A / (1 + (X / {b})^{n})",
    "exponential decline": "A * exp(-X / {b})",
    "exponential decline to a rest": "A * ({f} + (1 - {f}) * exp(-X / {b}))",
    "partial inhibition": "A * (1 - {f} * X / ({b} + X))",
}

#: Factors of a further argument, 1 at its lower end.
_FACTORS: Mapping[str, str] = {
    "hyperbolic": "1 / (1 + X / {b})",
    "exponential": "exp(-X / {b})",
    "rising": "(1 + X / {b})",
    "saturating": "(1 + {f} * X / ({b} + X))",
}

_LIMITS = {"n": _ORDER, "p": _EXPONENT, "f": _FRACTION}


@dataclass(frozen=True)
class Untried:
    """A form that is not tried, and why."""

    title: str
    text: str
    reason: str


def library(model: Model, unknown: Unknown) -> tuple[tuple[Written, ...], tuple[Untried, ...]]:
    """The forms of the library for a term, and those that cannot be written for it."""
    said = declared(unknown)
    found, untried = [], []
    hopeless: set[str] = set()
    for title, template in _templates(said):
        if title.partition(" in ")[0] in hopeless:
            continue  # a product with what contradicts the range or the direction alone
        names: dict[str, str] = {}
        text = _filled(template, model, unknown, names)
        limits = {name: _LIMITS[r.rstrip("2")] for r, name in names.items() if r.rstrip("2") in _LIMITS}
        try:
            written = read_form(model, unknown, title, text, None, limits)
            found.append(written)
            if len(unknown.arguments) > 1 and always_contradicts(written.form, unknown):
                hopeless.add(title)
        except FormError as error:
            untried.append(Untried(title, text, str(error)))
    return tuple(found), tuple(untried)


def _templates(said: Declared) -> Iterator[tuple[str, str]]:
    """Titles and texts with roles in braces, arguments and numbers written in."""
    unknown = said.unknown
    first = unknown.arguments[0]
    for title, text in _of_one(said):
        yield title, _written_for(said, text, 0)
    for k in range(1, len(unknown.arguments)):
        name = unknown.arguments[k].name
        for title, text in _of_one(said):
            for other, factor in _FACTORS.items():
                later = factor.replace("{b}", "{b2}").replace("{f}", "{f2}")
                whole = f"({_written_for(said, text, 0)}) * {_written_for(said, later, k)}"
                yield f"{title} in {first.name}, {other} in {name}", whole


def _of_one(said: Declared) -> Iterator[tuple[str, str]]:
    unknown = said.unknown
    at_start = [value for at, value in unknown.anchors if at[0] == unknown.arguments[0].low]
    value = at_start[0] if at_start else None
    if value is None or value == 0.0:
        yield from _STARTING.items()
    if value is not None and value == said.low:
        return
    level = "{a}" if value is None else _number(value, unknown.unit)
    for title, text in _DECLINING.items():
        if value is None and title == "constant":
            continue  # among the laws above
        yield title, text.replace("A", level).replace("1 * ", "", 1 if level == "1" else 0)
    if value not in (None, 0.0, said.high):
        for title, text in _STARTING.items():
            if title not in ("constant",):
                yield f"{title} above its anchor", f"{level} + {text}"


def _written_for(said: Declared, text: str, index: int) -> str:
    argument = said.unknown.arguments[index]
    low = argument.low
    x = argument.name if low == 0.0 else f"({argument.name} - {_number(low, argument.unit)})"
    reference = _number(REFERENCE * (argument.high - low), argument.unit, 2)
    return text.replace("X", x).replace("R", reference)


def _filled(template: str, model: Model, unknown: Unknown, names: dict[str, str]) -> str:
    """The text with a free name for each role."""
    taken = {*model.definitions, *model.unknowns, *model.nodes, *model.species}
    taken |= {a.name for a in unknown.arguments}
    for role in ("vmax", "km", "c50", "ki", "a", "b2", "b", "f2", "f", "k", "n", "p", "q"):
        if "{" + role + "}" not in template:
            continue
        name = f"{unknown.name}_{role}"
        while name in taken:
            name += "_"
        names[role] = name
        template = template.replace("{" + role + "}", name)
    return template


def _number(value: float, unit: Unit, digits: int = 10) -> str:
    """A canonical value as the language writes it."""
    shown = f"{value / float(unit.factor):.{digits}g}"
    return shown if unit.text == "1" else f"{shown} [{unit.text}]"
