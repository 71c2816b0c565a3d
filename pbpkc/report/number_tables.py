"""Every number of a spec with its unit and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pbpkc.compiler.system import System
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.expression import Apply, Const, to_text
from pbpkc.language.model import Definition, Model, Prior, Species
from pbpkc.language.units import Unit
from pbpkc.report.quantities import plain_number, unit_text, with_unit

#: Where a predicted number comes from, by the method's name in a spec.
_METHODS = {
    "rodgers_rowland": "predicted: Rodgers and Rowland (2006) J Pharm Sci 95:1238-1257, with the tissue "
    "composition of Utsey et al. (2020) Drug Metab Dispos 48:903-916",
}


@dataclass(frozen=True)
class NumberRow:
    """One quantity of the spec: how it is written, what it comes to, where it is from."""

    name: str
    meaning: str
    written: str
    value: str
    unit: str
    allowed: str
    source: str


def number_rows(model: Model, system: System) -> tuple[NumberRow, ...]:
    """Every quantity of a spec, in the order of the spec; predicted ones too.

    Values are those of the spec itself: an estimated parameter is at the median of its prior.

    Parameters
    ----------
    model : Model
    system : System
        Its equations, which tell the predicted values.
    """
    lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})
    computed = _constants(system)
    rows = []
    for definition in model.definitions.values():
        method = _method(definition)
        # What else the compiler made, and what changes in time, stands in the equations.
        if not method and (definition.derived or definition.kind in ("flow", "concentration", "rate")):
            continue
        try:
            value = computed.get(definition.name)
            value = float(lookup(definition.name)) if value is None else value
            shown = plain_number(_in_unit(value, definition.unit), 6)
        except (KeyError, ValueError, ArithmeticError):
            shown = ""
        plain = isinstance(definition.expr, Const) or definition.mask is not None
        rows.append(
            NumberRow(
                name=definition.name,
                meaning=definition.doc,
                written="" if plain or method else to_text(definition.expr),
                value=shown,
                unit=unit_text(definition.unit.text),
                allowed=_allowed(definition),
                source=definition.source or _METHODS.get(method, f"predicted by {method}" if method else ""),
            )
        )
    rows += [row for species in model.species.values() for row in _ionisation(species)]
    return tuple(rows)


def _constants(system: System) -> dict[str, float]:
    """Values of what is computed once, canonical units."""
    values = {p.symbol: p.value for p in system.parameters}
    found: dict[str, float] = {}
    for constant in system.constants:
        try:
            found[constant.name] = values[constant.symbol] = float(constant.expr.xreplace(values))
        except (TypeError, ValueError, ArithmeticError):
            continue  # it has no number at the spec's values; nobody can show one
    return found


def _method(definition: Definition) -> str:
    expr = definition.expr
    return expr.op.removeprefix("auto:") if isinstance(expr, Apply) and expr.op.startswith("auto:") else ""


def _ionisation(species: Species) -> Iterator[NumberRow]:
    groups = [f"acid {to_text(e)}" for e in species.acids] + [f"base {to_text(e)}" for e in species.bases]
    if groups or species.neutral:
        yield NumberRow(
            name=f"{species.name}.pka",
            meaning="ionisation",
            written="",
            value=", ".join(groups) or "neutral",
            unit="",
            allowed="",
            source="as told in the spec",
        )


def _allowed(definition: Definition) -> str:
    mask, unit = definition.mask, definition.unit
    if mask is not None:
        told = f"estimated within {_range(mask.low, mask.high, unit)}"
        return f"{told}; prior {_prior(mask.prior, unit)}" if mask.prior is not None else told
    return f"within {_range(*definition.bounds, unit)}" if definition.bounds is not None else ""


def _range(low: float, high: float, unit: Unit) -> str:
    return f"{plain_number(_in_unit(low, unit), 6)} to {plain_number(_in_unit(high, unit), 6)}"


#: Arguments of priors in words; those in `_PLAIN` have no unit, `sd` is a difference.
_ARGUMENTS = {"sdlog": "standard deviation of the logarithm", "sd": "standard deviation"}
_PLAIN = ("sdlog", "a", "b")


def _prior(prior: Prior, unit: Unit) -> str:
    shown = []
    for name, value in prior.arguments.items():
        number = value if name in _PLAIN else _in_unit(value, unit)
        if name == "sd":
            number = value / float(unit.factor)
        shown.append(f"{_ARGUMENTS.get(name, name)} {plain_number(number, 4)}")
    return f"{prior.family}, {', '.join(shown)}"


def _in_unit(canonical: float, unit: Unit) -> float:
    return (canonical - float(unit.offset)) / float(unit.factor)


# ------------------------------------------------------------- unknown terms


@dataclass(frozen=True)
class UnknownRow:
    """A term whose form is not known: what it reads, what is known of it, what stands for it."""

    name: str
    meaning: str
    arguments: str
    known: str
    used: str


def unknown_rows(model: Model) -> tuple[UnknownRow, ...]:
    """The terms of a spec whose form is not known."""
    rows = []
    for term in model.unknowns.values():
        known = [with_unit(f"within {_range(*term.range, term.unit)}", term.unit.text)] if term.range else []
        known += [f"{direction} in {argument}" for direction, argument in term.shapes]
        rows.append(
            UnknownRow(
                name=f"{term.name}({', '.join(a.name for a in term.arguments)})",
                meaning=term.doc,
                arguments="; ".join(
                    f"{a.name} from {with_unit(_range(a.low, a.high, a.unit), a.unit.text)}"
                    for a in term.arguments
                ),
                known="; ".join(known),
                used=to_text(term.default) if term.default is not None else "",
            )
        )
    return tuple(rows)
