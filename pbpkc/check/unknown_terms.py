"""Unknown terms: whether the form in use has the properties that the spec declares of the term.

Range, anchors and direction of an unknown term are what is known of it, and proofs rely on the range. A
form (the spec's default, or one given to a run) may contradict them. So it is evaluated over the declared
box of its arguments, on a grid that has both ends of each and is finer towards the lower one. What a grid
shows is a counterexample or its absence, not a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pbpkc.check.proof import Proof
from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.system import System, UnknownTerm
from pbpkc.language.units import Unit

Array = NDArray[np.float64]

#: Points along each argument, by the number of arguments; further ones have their two ends.
_ALONG = {1: 401, 2: 25, 3: 9, 4: 5, 5: 3, 6: 3}

#: Arguments beyond these stand at the middle of their range, so that the grid does not grow without end.
_VARIED = 9

#: Where an argument has no bound, its grid ends this far from the other one (or from 0), canonical units.
_FAR = 1e6

# Of the width of the range, and of the largest value: what rounding may leave.
_ROUNDING = 1e-12

#: How closely an anchor has to be met, of its value (absolutely where that is 0).
ANCHOR_TOLERANCE = 1e-9


def examine_unknown_terms(system: System) -> tuple[Proof, ...]:
    """What is declared of each unknown term, against its form.

    Parameters
    ----------
    system : System
        As lowered: simplification may drop a term that nothing reads.

    Returns
    -------
    tuple of Proof
        For each term with a form: its range (or, without one, that it has values), each anchor, each
        direction. A violation holds the arguments, in canonical units, at which it was found. None for
        a term without a form.
    """
    return tuple(p for term in system.unknowns if term.default is not None for p in _examined(system, term))


def breaks_range(proof: Proof) -> bool:
    """Whether it is a range that is not kept: what proofs of positivity rely on."""
    return proof.status == "violated" and proof.claim.startswith(_RANGE)


_RANGE = "its values lie in"


def outside_declared(term: UnknownTerm, calls: Sequence[Sequence[Array]]) -> Iterator[str]:
    """Say for each argument how far outside its declared range a run took it.

    Parameters
    ----------
    term : UnknownTerm
    calls : sequence of sequence of ndarray
        For each call the values of the arguments, canonical units.

    Yields
    ------
    str
        As a sentence, in the argument's unit. Rounding and the solver's error are let pass.
    """
    for k, (symbol, (low, high)) in enumerate(zip(term.arguments, term.argument_ranges, strict=True)):
        values = np.concatenate([np.zeros(0), *(np.ravel(call[k]) for call in calls)])
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        slack = 1e-6 * (high - low if np.isfinite(high - low) else 1.0)
        worst = float(max(values.min(), values.max(), key=lambda x: max(low - x, x - high)))
        if worst < low - slack or worst > high + slack:
            unit = term.argument_units[k]
            yield (
                f"{term.name} is read at {symbol.name} = {_in(worst, unit)}, outside the declared "
                f"{_interval((low, high), unit)}; its form is used there all the same"
            )


def _examined(system: System, term: UnknownTerm) -> Iterator[Proof]:
    axes = [_axis(low, high, _points(term, k)) for k, (low, high) in enumerate(term.argument_ranges)]
    grids = [np.asarray(g) for g in np.meshgrid(*axes, indexing="ij")]
    values = _values(system, term, grids)
    yield _range_kept(term, grids, values)
    for place, target in term.anchors:
        yield _anchor_met(system, term, place, target)
    for shape, argument in term.shapes:
        yield _direction_kept(term, shape, argument, grids, values)


def _points(term: UnknownTerm, index: int) -> int:
    return _ALONG.get(len(term.arguments), 2) if index < _VARIED else 1


def _axis(low: float, high: float, n: int) -> Array:
    """Points from one end to the other, half of them evenly spread, half finer towards the lower end."""
    if not np.isfinite(low):
        low = min(0.0, high) - _FAR
    if not np.isfinite(high):
        high = max(0.0, low) + _FAR
    if n == 1:
        return np.array([0.5 * (low + high)])
    if n < 4:
        return np.linspace(low, high, n)
    even = np.linspace(0.0, 1.0, n // 2 + 1)
    fine = np.geomspace(1e-3, 0.5, n - len(even)) ** 2
    at = np.unique(np.concatenate([even, fine]))
    # The ends exactly: low + 1 * (high - low) may round to beside them.
    return np.clip(np.where(at == 1.0, high, low + at * (high - low)), low, high)


def _values(system: System, term: UnknownTerm, arguments: Sequence[Array]) -> Array:
    leaves: Mapping[sp.Symbol, Array] = dict(zip(term.arguments, arguments, strict=True))
    found = Evaluation(system, leaves).value(sp.sympify(term.default))
    return np.broadcast_to(np.asarray(found, dtype=float), np.shape(arguments[0]) if arguments else ())


def _range_kept(term: UnknownTerm, grids: Sequence[Array], values: Array) -> Proof:
    low, high = term.range if term.range is not None else (-np.inf, np.inf)
    claim = f"{_RANGE} {_interval((low, high), term.unit)}" if term.range else "it has a value everywhere"
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        where = _arguments(grids, int(bad[0]))
        text = f"{term.name} has no finite value at {_text(term, where)}"
        return Proof(term.name, claim, "violated", text, _point(term, where))
    finite = [abs(x) for x in (low, high) if np.isfinite(x)]
    slack = _ROUNDING * max(finite, default=0.0)
    excess = np.maximum(low - values, values - high)
    worst = int(np.argmax(excess))
    if excess.flat[worst] > slack:
        where = _arguments(grids, worst)
        found = _in(float(values.flat[worst]), term.unit)
        text = f"{term.name} is {found} at {_text(term, where)}"
        return Proof(term.name, claim, "violated", text, _point(term, where))
    return Proof(term.name, claim, "held", f"at {values.size} points over its arguments")


def _anchor_met(system: System, term: UnknownTerm, place: tuple[float, ...], target: float) -> Proof:
    found = float(_values(system, term, [np.asarray(x, dtype=float) for x in place]))
    claim = f"it is {_in(target, term.unit)} at {_text(term, place)}"
    # Not `>`: a value that is not a number meets no anchor.
    if abs(found - target) <= ANCHOR_TOLERANCE * (abs(target) or 1.0):
        return Proof(term.name, claim, "held", "to 9 digits")
    text = f"{term.name} is {_in(found, term.unit, 10)} at {_text(term, place)}"
    return Proof(term.name, claim, "violated", text, _point(term, place))


def _direction_kept(
    term: UnknownTerm, shape: str, argument: str, grids: Sequence[Array], values: Array
) -> Proof:
    """Falling is not rising anywhere, and the reverse; a constant form is both."""
    axis = [a.name for a in term.arguments].index(argument)
    claim = f"it is {shape} in {argument}"
    sign = 1.0 if shape == "falling" else -1.0
    usable = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(invalid="ignore"):
        wrong = np.nan_to_num(sign * np.diff(usable, axis=axis), nan=0.0)
    slack = _ROUNDING * float(np.nanmax(np.abs(usable), initial=0.0))
    if not wrong.size or wrong.max() <= slack:
        return Proof(term.name, claim, "held", f"at {values.size} points over its arguments")
    first = list(np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    second = [*first[:axis], first[axis] + 1, *first[axis + 1 :]]
    here, there = (tuple(float(g[tuple(place)]) for g in grids) for place in (first, second))
    start, end = (_in(float(values[tuple(place)]), term.unit) for place in (first, second))
    unit = term.argument_units[axis]
    word = "rises" if shape == "falling" else "falls"
    others = _text(term, here, without=axis)
    text = (
        f"{term.name} {word} from {start} to {end} as {argument} goes from "
        f"{_in(here[axis], unit)} to {_in(there[axis], unit)}" + (f" at {others}" if others else "")
    )
    return Proof(term.name, claim, "violated", text, _point(term, here))


def _arguments(grids: Sequence[Array], index: int) -> tuple[float, ...]:
    return tuple(float(g.flat[index]) for g in grids)


def _point(term: UnknownTerm, place: Sequence[float]) -> dict[str, float]:
    return {a.name: float(x) for a, x in zip(term.arguments, place, strict=True)}


def _text(term: UnknownTerm, place: Sequence[float], without: int | None = None) -> str:
    entries = zip(term.arguments, place, term.argument_units, strict=True)
    return ", ".join(f"{a.name} = {_in(x, u)}" for k, (a, x, u) in enumerate(entries) if k != without)


def _interval(limits: tuple[float, float], unit: Unit) -> str:
    low, high = (x / float(unit.factor) for x in limits)
    return f"({low:.6g}, {high:.6g})" + ("" if unit.text == "1" else f" [{unit.text}]")


def _in(value: float, unit: Unit, digits: int = 4) -> str:
    return f"{value / float(unit.factor):.{digits}g}" + ("" if unit.text == "1" else f" [{unit.text}]")
