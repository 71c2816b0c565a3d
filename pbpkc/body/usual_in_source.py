"""Values of an imported model against what is usual, where names and annotated units say what they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pbpkc.body.usual_values import HUMAN_ADULT, Usual
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.model import OdeModel, Value
from pbpkc.language.foreign.quantities import read_unit
from pbpkc.language.foreign.terms import Num
from pbpkc.language.units import FLOW, MASS, ONE, Dimension


@dataclass(frozen=True)
class _Measure:
    """What is compared: how it is called, its range, and whether that grows with body weight."""

    words: tuple[str, ...]
    doc: str
    dimension: Dimension
    unit: str
    usual: Usual
    allometric: bool = False


_WEIGHT = _Measure(("bw", "wt", "bwt", "weight", "bodyweight"), "body weight", MASS, "kg", HUMAN_ADULT.weight)
_MEASURES = (
    _WEIGHT,
    _Measure(
        ("co", "qc", "qco", "qtot", "cardiacoutput"), "cardiac output", FLOW, "L/h",
        HUMAN_ADULT.cardiac_output, allometric=True,
    ),
    _Measure(("gfr",), "glomerular filtration", FLOW, "L/h", HUMAN_ADULT.filtration, allometric=True),
    _Measure(("hct", "hematocrit", "haematocrit"), "hematocrit", ONE, "1", HUMAN_ADULT.hematocrit),
)  # fmt: skip


def unusual_in_source(model: OdeModel) -> Iterator[Diagnostic]:
    """A warning for each value with a unit that no adult has.

    The source says of no body whose it is: the range of flows is that of adults of every usual weight.
    """
    for value in model.values.values():
        measure = next((m for m in _MEASURES if _is(value, m)), None)
        unit = read_unit(value.unit)
        if measure is None or unit is None or unit.dimension != measure.dimension:
            continue
        if not isinstance(value.term, Num):
            continue
        low, high = measure.usual.accepted
        if measure.allometric:
            light, heavy = _WEIGHT.usual.accepted
            low, high = low * light**0.75, high * heavy**0.75
        found = float(value.term.value * unit.factor)
        if low <= found <= high:
            continue
        written = f"{float(value.term.value):g} {value.unit}"
        same = "" if value.unit.strip() == measure.unit else f", {found:.4g} {measure.unit}"
        yield Diagnostic(
            "unusual",
            f"'{value.name}' is {written}{same}; "
            f"{HUMAN_ADULT.called} has {low:.3g} to {high:.3g} {measure.unit}",
            (Label(value.span),),
            (f"the range is that of {measure.usual.source}, widened",),
            "check the number and its unit; for a child or an animal it may be right",
            "warning",
        )


def _is(value: Value, measure: _Measure) -> bool:
    plain = value.name.lower().replace("_", "").replace(".", "")
    return plain in measure.words or measure.doc in value.doc.lower()
