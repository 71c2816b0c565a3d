"""The text form of a `Model`: every name with its meaning, for people and for golden files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path

from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.expression import Apply, Const, Expr, to_text
from pbpkc.language.model import (
    Arrow,
    Change,
    DataBlock,
    Definition,
    Dose,
    ErrorModel,
    Mask,
    Model,
    Observable,
    Population,
    Prior,
    Scenario,
    Species,
    Unknown,
)
from pbpkc.language.units import Unit, canonical_unit

#: Members of a family with one value are shown as one line when there are more than these.
MOST_ALIKE = 3

#: A column wider than this would push the rest out of sight.
_WIDEST = 44

#: Arguments of a prior without the dimension of its parameter.
_PLAIN_ARGUMENTS = ("sdlog", "a", "b")

_SECTIONS = (
    ("covariates", ("covariate",)),
    ("inputs", ("input",)),
    ("parameters", ("param", "masked")),
    ("curves", ("let",)),
    ("attributes", ("attribute", "absent", "volume")),
    ("concentrations", ("concentration",)),
)


def show_model(model: Model) -> str:
    """The whole `Model` as text, one entry a line.

    Values are those of the spec itself (a masked parameter at the median of its prior), to six digits and
    in the unit that stands beside them.

    Returns
    -------
    str
        Ends with a newline; equal models give equal texts.
    """
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    yield f'model {model.name} "{model.title}"' if model.title else f"model {model.name}"
    if model.organism:
        yield f"organism {model.organism}"
    yield f"time {model.time_unit}"
    if len(model.files) > 1:
        yield "uses " + ", ".join(Path(f.name).name for f in model.files[1:])
    values = Values(model)
    for title, kinds in _SECTIONS:
        chosen = [d for d in model.definitions.values() if d.kind in kinds]
        yield from _block(title, _aligned(_definition(d, name, values) for d, name in _collapsed(chosen)))
    yield from _block("unknown terms", (line for u in model.unknowns.values() for line in unknown_lines(u)))
    yield from _block("nodes", _aligned(_node(model, name) for name in model.nodes))
    yield from _block("species", (line for s in model.species.values() for line in _species(s)))
    yield from _block(
        "blood flows",
        _aligned(
            (
                f"{e.source} -> {e.target}",
                values.text(e.flow),
                f"{e.circulation}{', trunk' if e.trunk else ''}",
                f"= {to_text(model.definitions[e.flow].expr)}",
            )
            for e in model.edges
        ),
    )
    yield from _block(
        f"states: {len(model.states)}",
        _aligned(
            (
                s.name,
                str(s.unit),
                "start " + ("0" if s.start is None else to_text(s.start)),
                "sink" if s.sink else "",
                s.reason,
            )
            for s in model.states
        ),
    )
    yield from _block("arrows", _aligned(arrow_cells(model, a) for a in model.arrows))
    yield from _block("observables", (line for o in model.observables for line in observable_lines(o)))
    for people in model.populations.values():
        title = _joined(f"population {people.name}", _quoted(people.doc))
        yield from _block(title, population_lines(people, model))
    for scenario in model.scenarios.values():
        yield from _block(
            _joined(f"scenario {scenario.name}", _quoted(scenario.doc)), scenario_lines(scenario)
        )
    checks = [", ".join(model.demands)] if model.demands else []
    checks += [f"{c.text} in {range_text(c.low, c.high, c.unit)}" for c in model.checks]
    yield from _block("checks", checks)


# ------------------------------------------------------------------ definitions


class Values:
    """Numbers of the definitions that have one without a state, at the spec's own values."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})

    def text(self, name: str) -> str:
        """``6.5 [L/min]``, or nothing for what changes in time or cannot be computed here."""
        definition = self.model.definitions[name]
        try:
            value = float(self.lookup(name))
        except (KeyError, ValueError, ArithmeticError):
            return ""
        return quantity_text(value, definition.unit)


def _definition(definition: Definition, name: str, values: Values) -> tuple[str, ...]:
    written = f"= {expression_text(definition.expr)}"
    value = values.text(definition.name)
    if definition.mask is not None:
        written, value = f"= {value}", ""  # the median, in the unit of the prior
    elif isinstance(definition.expr, Const):
        value = ""
    allowed = ""
    if definition.mask is not None:
        allowed = mask_text(definition.mask, definition.unit)
    elif definition.bounds is not None:
        allowed = "in " + range_text(*definition.bounds, definition.unit)
    if definition.hold and definition.kind != "input":
        allowed = _joined(allowed, f"hold {definition.hold}")
    source = f"source {_quoted(definition.source)}" if definition.source else ""
    return name, written, value, allowed, _joined(_quoted(definition.doc), source)


def expression_text(expr: Expr) -> str:
    """An expression in the notation of the language, a prediction by the name of its method."""
    if isinstance(expr, Apply) and expr.op.startswith("auto:"):
        return f"auto({expr.op.removeprefix('auto:')})"
    return to_text(expr)


def mask_text(mask: Mask, unit: Unit) -> str:
    """What makes a parameter estimated: prior, bounds and scale, in its unit."""
    prior = f"masked ~ {prior_text(mask.prior, unit)}" if mask.prior is not None else "masked"
    return f"{prior} in {range_text(mask.low, mask.high, unit)} scale {mask.scale}"


def prior_text(prior: Prior, unit: Unit) -> str:
    """A distribution as it is written, in a unit."""
    shown = []
    for key, value in prior.arguments.items():
        if key in _PLAIN_ARGUMENTS:
            shown.append(f"{key} = {value:.6g}")
        else:
            # A spread of temperatures is a difference, in kelvin.
            own = canonical_unit(unit.dimension) if key == "sd" and unit.offset else unit
            shown.append(f"{key} = {quantity_text(value, own)}")
    return f"{prior.family}({', '.join(shown)})"


def _collapsed(definitions: Sequence[Definition]) -> Iterator[tuple[Definition, str]]:
    """Each definition with the name to show; members of a family that say the same become one line."""
    alike: dict[tuple[object, ...], list[Definition]] = {}
    for definition in definitions:
        family = (
            definition.name.split("<")[0]
            if "<" in definition.name and not definition.derived
            else definition.name
        )
        key = family, definition.kind, definition.expr, definition.mask, definition.unit
        alike.setdefault((*key[:2], repr(key[2:])), []).append(definition)
    for group in alike.values():
        if len(group) > MOST_ALIKE:
            yield group[0], f"{group[0].name} and {len(group) - 1} more"
        else:
            yield from ((d, d.name) for d in group)


def unknown_lines(unknown: Unknown) -> Iterator[str]:
    """An unknown term: its arguments and what is declared of it."""
    arguments = ", ".join(f"{a.name} in {range_text(a.low, a.high, a.unit)}" for a in unknown.arguments)
    yield _joined(f"{unknown.name}({arguments}) -> {unknown.unit}", _quoted(unknown.doc))
    if unknown.range is not None:
        yield f"  range {range_text(*unknown.range, unknown.unit)}"
    yield from (f"  {direction} in {argument}" for direction, argument in unknown.shapes)
    for at, value in unknown.anchors:
        place = ", ".join(quantity_text(x, a.unit) for x, a in zip(at, unknown.arguments, strict=True))
        yield f"  at ({place}) = {quantity_text(value, unknown.unit)}"
    if unknown.default is not None:
        yield f"  default {to_text(unknown.default)}"


# ------------------------------------------------------------------ the body and what is in it


def _node(model: Model, name: str) -> tuple[str, ...]:
    node = model.nodes[name]
    volume = f"volume {node.volume}" if node.volume else ""
    if node.remainder:
        volume += f", what is left of {node.remainder}"
    if node.vascular:
        volume += f", blood {node.vascular}"
    return node.kind, name, volume, f"like {node.like}" if node.like else "", _quoted(node.doc)


def _species(species: Species) -> Iterator[str]:
    carried = "carried by " + ", ".join(species.carried_by) if species.carried_by else ""
    yield _joined(species.name, _quoted(species.doc), carried)
    groups = [f"acid {to_text(e)}" for e in species.acids] + [f"base {to_text(e)}" for e in species.bases]
    if groups or species.neutral:
        yield "  pka " + (", ".join(groups) or "neutral")
    if species.attributes:
        yield "  has " + ", ".join(species.attributes)


def arrow_cells(model: Model, arrow: Arrow) -> tuple[str, ...]:
    """An arrow: its name, its kind, what goes where, and its rate."""
    left = " + ".join(s if count == 1 else f"{count} {s}" for s, count in arrow.consumes)
    right = " + ".join(s if _is_one(share) else f"{to_text(share, 2)} {s}" for s, share in arrow.produces)
    sign = "<->" if arrow.reversible and arrow.kind != "ode" else "->"
    rate = f"rate {to_text(model.definitions[arrow.rate].expr)}"
    return arrow.name, arrow.kind, f"{left or 'outside'} {sign} {right or 'outside'}", rate


def _is_one(share: Expr) -> bool:
    return isinstance(share, Const) and share.canonical == 1


# ------------------------------------------------------------------ what is measured and done


def observable_lines(observable: Observable) -> Iterator[str]:
    """An observable: what it is, how it scatters, from where on it is quantified."""
    yield _joined(
        f"{observable.name} = {to_text(observable.expr)} in {observable.unit}", _quoted(observable.doc)
    )
    if observable.error is not None:
        yield f"  error {_error(observable.error)}"
    if observable.lloq is not None:
        yield f"  lloq {to_text(observable.lloq)}"


def _error(error: ErrorModel) -> str:
    if error.kind == "combined" and error.proportional is not None and error.additive is not None:
        return f"combined(prop = {to_text(error.proportional)}, add = {to_text(error.additive)})"
    arguments = (to_text(e) for e in (error.proportional, error.additive) if e is not None)
    return f"{error.kind}({', '.join(arguments)})"


def population_lines(people: Population, model: Model) -> Iterator[str]:
    """The lines of a population."""
    for one in people.variations:
        arguments = ", ".join(f"{word} = {to_text(value)}" for word, value in one.arguments.items())
        allowed = f"in {range_text(one.low, one.high, model.definitions[one.name].unit)}"
        bounded = one.low > -inf or one.high < inf
        yield _joined(one.name, "~", f"{one.family}({arguments})", allowed if bounded else "")
    for pair in people.correlations:
        yield f"correlate {pair.left}, {pair.right} = {to_text(pair.value)}"


def scenario_lines(scenario: Scenario) -> Iterator[str]:
    """The lines of a scenario, those of its parent among them."""
    yield from (f"set {name} = {to_text(value)}" for name, value in scenario.sets)
    yield from (f"start {name} = {to_text(value)}" for name, value in scenario.starts)
    if scenario.rests:
        yield "start steady"
    if scenario.after is not None:
        yield f"start after {scenario.after}"
    yield from (dose_text(dose) for dose in scenario.doses)
    yield from (f"reset at {to_text(time)}" for time in scenario.resets)
    yield from (change_text(change) for change in scenario.changes)
    if scenario.run is not None:
        yield f"run {to_text(scenario.run)}"
    if scenario.data is not None:
        yield f"data {_quoted(scenario.data.path)}"
        yield from (f"  {line}" for line in _data(scenario.data))


def change_text(change: Change) -> str:
    """A change as it is written: ``set k = 3 [1/h] at 4 [h] for 0.5 [h]``."""
    words = {"at": change.at, "for": change.lasting, "every": change.every}
    moments = [f"{word} {to_text(value)}" for word, value in words.items() if value is not None]
    if change.every is not None:
        moments.append(f"count {change.count}")
    return _joined(f"set {change.name} = {to_text(change.value)}", *moments)


def dose_text(dose: Dose) -> str:
    """A dose as it is written."""
    amount = "" if dose.amount is None else to_text(dose.amount)
    words = {
        "at": dose.at,
        "over": dose.over,
        "rate": dose.rate,
        "every": dose.every,
        "lag": dose.lag,
        "fraction": dose.fraction,
    }
    moments = [f"{word} {to_text(value)}" for word, value in words.items() if value is not None]
    if dose.every is not None and dose.count is not None:
        moments.append(f"count {dose.count}")
    if dose.steady:
        moments.append("steady")
    return _joined("dose", amount, f"into {dose.state}", *moments)


def _data(block: DataBlock) -> Iterator[str]:
    for column in block.columns:
        factor = f"* {to_text(column.factor, 2)}" if column.factor is not None else ""
        yield _joined(
            f"column {column.target} = {column.header}", str(column.unit) if column.unit else "", factor
        )
    for word, number, dose in block.dose_rows:
        yield f"{word} {number} {dose_text(dose)}"
    for word, number, name, unit in block.observe_rows:
        yield _joined(f"{word} {number} observe {name}", str(unit) if unit else "")
    for column_name, low, high in block.keep:
        yield f"keep {column_name} in ({low:g}, {high:g})"


# ------------------------------------------------------------------ numbers and layout


def quantity_text(canonical: float, unit: Unit) -> str:
    """A canonical number in a unit: ``6.5 [L/min]``."""
    number = f"{_in_unit(canonical, unit):.6g}"
    return number if unit.text == "1" else f"{number} {unit}"


def _in_unit(canonical: float, unit: Unit) -> float:
    return (canonical - float(unit.offset)) / float(unit.factor)


def range_text(low: float, high: float, unit: Unit) -> str:
    """A pair of bounds in a unit."""
    text = f"({_in_unit(low, unit):.6g}, {_in_unit(high, unit):.6g})"
    return text if unit.text == "1" else f"{text} {unit}"


def _quoted(text: str) -> str:
    return f'"{text}"' if text else ""


def _joined(*pieces: str) -> str:
    return " ".join(piece for piece in pieces if piece)


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield ""
        yield title
        yield from (f"  {line}" for line in body)


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows as columns; columns without an entry are left out, very wide cells push the rest to the right."""
    table = list(rows)
    if not table:
        return
    columns = [c for c in range(len(table[0])) if any(row[c] for row in table)]
    widths: Mapping[int, int] = {c: min(_WIDEST, max(len(row[c]) for row in table)) for c in columns}
    for row in table:
        yield "  ".join(row[c].ljust(widths[c]) for c in columns).rstrip()
