"""Annotated units: sums and assignments in which they do not meet.

Only annotations carry a unit; what has none fits everything. A number that is a usual factor between units
(60, 1000, 0.001) converts what it multiplies; any other is a share, and of a mass nobody knows of what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.constants import exact
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.quantities import unit_of
from pbpkc.language.foreign.terms import Call, If, Num, Op, Sym, Term, names_in
from pbpkc.language.source import Span
from pbpkc.language.units import BASES, ONE, Dimension, canonical_text

_FACTORS = frozenset(
    Fraction(a) * Fraction(b)
    for a in (1, 60, 3600, 24, 1440, 7, 168, Fraction(1, 60), Fraction(1, 3600), Fraction(1, 24))
    for b in (1, 1000, 1_000_000, Fraction(1, 1000), Fraction(1, 1_000_000))
) - {Fraction(1)}


_MASS_PLACE = [name for name, _ in BASES].index("mass")


@dataclass(frozen=True)
class _Unit:
    """A dimension with the canonical units in one; `factor` None where a share makes it unknown."""

    dimension: Dimension
    factor: Fraction | None
    shown: str


def units(model: OdeModel) -> Iterator[Diagnostic]:
    """A warning for each sum, difference or comparison of values whose annotated units differ."""
    return iter(_Units(model).look())


class _Units:
    def __init__(self, model: OdeModel) -> None:
        self.model = model
        self.found: list[Diagnostic] = []
        self._memo: dict[str, _Unit | None] = {}
        self._told: set[tuple[str, str]] = set()

    def look(self) -> list[Diagnostic]:
        if not any(v.unit for v in self.model.values.values()):
            return []
        for name in self.model.locals:
            self._named(name)
        for ode in self.model.odes.values():
            self.of(ode)
        for _, term in self.model.outputs:
            self.of(term)
        return self.found

    def _named(self, name: str) -> _Unit | None:
        if name not in self._memo:
            self._memo[name] = None  # what depends on itself was refused before
            unit = unit_of(name, self.model)
            if unit is not None:
                self._memo[name] = _Unit(unit.dimension, unit.factor, f"'{name}' in {unit.text}")
            elif name in self.model.locals:
                inner = self.of(self.model.locals[name].value)
                self._memo[name] = inner
        return self._memo[name]

    def of(self, term: Term) -> _Unit | None:
        """The unit of a term; None where nothing is known of it."""
        match term:
            case Num():
                return None
            case Sym():
                return self._named(term.name)
            case If():
                units_ = [self.of(term.then), self.of(term.other)]
                self._meet(units_[0], units_[1], term.span)
                return units_[0] or units_[1]
            case Call():
                given = [self.of(a) for a in term.args]
                if term.name in ("min", "max"):
                    for other in given[1:]:
                        self._meet(given[0], other, term.span)
                    return next((u for u in given if u), None)
                if term.name == "abs":
                    return given[0]
                return _Unit(ONE, Fraction(1), "a number") if term.name in ("exp", "ln", "log10") else None
        given = [self.of(a) for a in term.args]
        match term.op:
            case "neg":
                return given[0]
            case "+" | "-":
                self._meet(given[0], given[1], term.span)
                return given[0] or given[1]
            case "*" | "/":
                return self._product(term, given)
        power = exact(term.args[1])
        if given[0] is None or power is None:
            return None
        factor = None
        if given[0].factor is not None and power.denominator == 1:
            factor = given[0].factor ** int(power)
        return _Unit(given[0].dimension ** power, factor, _shown(term, self.model))

    def _product(self, term: Op, given: list[_Unit | None]) -> _Unit | None:
        left, right = given
        number = next((exact(a) for a in term.args if exact(a) is not None), None)
        sign = 1 if term.op == "*" else -1
        if number is not None and (left is None) != (right is None):
            known = left or right
            assert known is not None
            if number not in _FACTORS and (sign < 0 or known.dimension.powers[_MASS_PLACE]):
                return None  # 70 of (WT / 70) and 0.026 of 0.026 * WT have units of their own
            if left is None and sign < 0:
                dimension = ONE / known.dimension
                factor = None if known.factor is None else 1 / known.factor
            else:
                dimension, factor = known.dimension, known.factor
            if number in _FACTORS and factor is not None:
                # 60 times a number of L/min is a number of L/h: the unit is a sixtieth of the old.
                factor = factor / number if sign > 0 or left is None else factor * number
            return _Unit(dimension, factor, _shown(term, self.model))
        if left is None or right is None:
            return None
        dimension = left.dimension * right.dimension if sign > 0 else left.dimension / right.dimension
        factor = None
        if left.factor is not None and right.factor is not None:
            factor = left.factor * right.factor if sign > 0 else left.factor / right.factor
        return _Unit(dimension, factor, _shown(term, self.model))

    def _meet(self, left: _Unit | None, right: _Unit | None, span: Span | None) -> None:
        if left is None or right is None or span is None:
            return
        key = left.shown, right.shown
        if key in self._told or left.shown == right.shown:
            return
        if left.dimension != right.dimension:
            self._told.add(key)
            self._tell(
                f"{left.shown} and {right.shown} are added or compared, and differ by "
                f"[{canonical_text(left.dimension / right.dimension)}]",
                span,
            )
        elif left.factor is not None and right.factor is not None and left.factor != right.factor:
            self._told.add(key)
            ratio = float(left.factor / right.factor)
            self._tell(
                f"{left.shown} stands beside {right.shown}: they differ by the factor {ratio:.6g}", span
            )

    def _tell(self, message: str, span: Span) -> None:
        self.found.append(
            Diagnostic(
                "unit-mismatch",
                message,
                (Label(span),),
                ("units are those of the annotations",),
                "convert one of them, or correct the annotation",
                "warning",
            )
        )


def _shown(term: Term, model: OdeModel) -> str:
    """What a term is called in a message: its annotated parts."""
    parts = [
        f"'{n}' in {model.values[n].unit}"
        for n in sorted(names_in(term))
        if n in model.values and model.values[n].unit
    ]
    return "the product of " + ", ".join(parts[:4]) if len(parts) > 1 else "".join(parts) or "a term"
