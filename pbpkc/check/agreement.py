"""Whether generated code says what the equations say.

The numpy module (floats and arrays), the torch module, and torch's autograd are compared with a plain
evaluation of the sympy expressions at random points. Two numbers agree when they differ by at most
1e-12 of the sum of the absolute terms of their equation, so that cancellation does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pbpkc.check.module_values import (
    AT_A_POINT,
    DEFAULTS,
    OF_PARAMETERS,
    PREPARED,
    autograd,
    default_values,
    numpy_arrays,
    numpy_scalars,
    torch_values,
)
from pbpkc.check.reference_values import Expected, Points, Reference, TrialFunction, reference_values
from pbpkc.check.sampling import sample_points, trial_functions
from pbpkc.check.traced import Array
from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.module import GeneratedModule
from pbpkc.compiler.system import System
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.layout import Layout
from pbpkc.runtime.load import load_numpy, load_torch

if TYPE_CHECKING:
    from pbpkc.runtime.torch_model import TorchModel

#: Largest difference, in sums of absolute terms. A few hundred roundings of 1.1e-16 stay far below it.
TOLERANCE = 1e-12

_SPARSE = ("jacobian", "d_rhs_dp", "d_rhs_du", "d_observe_dy", "d_observe_dp", "d_observe_du", "d_initial_dp",
           "d_noise_dp")  # fmt: skip

# Quantities whose entries exist in the simplified System only.
_INTERNAL = ("constants", "d_constants", "rates", "defaults")


@dataclass(frozen=True)
class Difference:
    """One number of generated code beside what the equations give.

    Parameters
    ----------
    target : str
        ``numpy``, ``numpy arrays``, ``torch``, ``torch autograd`` or ``sparsity``.
    quantity : str
        The method: ``rhs``, ``jacobian`` ...
    entry : str
        Which entry, by names.
    point : int
        Index of the point.
    expected, found : float
    ratio : float
        Difference over the sum of absolute terms; inf where one of them is not a number.
    """

    target: str
    quantity: str
    entry: str
    point: int
    expected: float
    found: float
    ratio: float

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.quantity} of {self.entry} is {self.found!r} at point {self.point}, "
            f"the equations give {self.expected!r} (difference {self.ratio:.1e} of the sum of absolute terms)"
        )


@dataclass(frozen=True)
class AgreementReport:
    """What the comparison found.

    Parameters
    ----------
    ok : bool
        Whether every number agrees.
    points : int
    compared : mapping of str to int
        How many numbers of each target were compared.
    worst : Difference or None
        The largest difference in sums of absolute terms, whether it is allowed or not.
    failures : tuple of Difference
        For each target and quantity that does not agree, its worst entry.
    notes : tuple of str
        What the points could not show.
    """

    ok: bool
    points: int
    compared: Mapping[str, int]
    worst: Difference | None
    failures: tuple[Difference, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """One sentence."""
        targets = ", ".join(self.compared)
        if self.ok:
            ratio = self.worst.ratio if self.worst else 0.0
            return (
                f"{targets} and the equations agree at {self.points} points "
                f"(largest difference {ratio:.1e} of the sum of absolute terms)"
            )
        return f"{len(self.failures)} quantities differ from the equations; the worst: {self.worst}"


def agree(
    analysed: AnalysedSystem,
    generated: GeneratedModule,
    *,
    seed: int = 0,
    points: int = 20,
    torch: bool = True,
    original: System | None = None,
) -> AgreementReport:
    """Compare generated code with the equations it came from.

    Parameters
    ----------
    analysed : AnalysedSystem
        What `generated` was made from.
    generated : GeneratedModule
    seed : int
        Of the random points.
    points : int
        How many at least; see `sample_points`.
    torch : bool
        Whether the torch text is compared; it imports torch.
    original : System, optional
        The System before simplification. It then gives the expected numbers of everything but
        `constants` and `rates`, which are the simplified System's own.

    Raises
    ------
    ValueError
        If `torch` is true and there is no torch text, or if `original` has other states, parameters,
        inputs or observables than `analysed`.
    """
    references, notes = references_for(analysed, seed=seed, points=points, original=original)
    found: list[Difference] = []
    counts: dict[str, int] = {}
    for reference in references:
        for difference, count in _all_differences(generated, reference, torch):
            counts[difference.target] = counts.get(difference.target, 0) + count
            found.append(difference)
    failures = tuple(d for d in found if not d.ratio <= TOLERANCE)
    worst = max(found, key=lambda d: d.ratio, default=None)
    return AgreementReport(not failures, len(references[0].points), counts, worst, _one_each(failures), notes)


def references_for(
    analysed: AnalysedSystem, *, seed: int = 0, points: int = 20, original: System | None = None
) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
    """The expected numbers, and notes on what the points could not show.

    With unknown terms there are two sets: one with a trial function for each term, which shows that
    their derivatives are used rightly, and one with the defaults of the spec.
    """
    system = analysed.system
    if original is not None:
        _check_same_names(system, original)
    where, unseen = sample_points(system, seed, points)
    trials = trial_functions(system)
    needed = {u.name: trials[u.name] for u in system.unknowns if u.default is None}
    choices = [trials, needed] if trials else [needed]
    references = []
    for unknowns in choices:
        reference = reference_values(system, where, unknowns)
        if original is not None:
            reference = _with_original(reference, original, where, unknowns)
        references.append(reference)
    return tuple(references), unseen


def first_difference(
    model: CompiledModel | TorchModel,
    reference: Reference,
    target: str,
    quantities: Sequence[str] | None = None,
) -> Difference | None:
    """The first quantity of a loaded module that does not agree, None if all do.

    Parameters
    ----------
    model : CompiledModel or TorchModel
        Built with the unknown terms of `reference`.
    reference : Reference
    target : {"numpy", "numpy arrays", "torch"}
    quantities : sequence of str, optional
        Only these; all where left out.
    """
    for difference, _ in differences(model, reference, target, quantities):
        if not difference.ratio <= TOLERANCE:
            return difference
    return None


def differences(
    model: CompiledModel | TorchModel,
    reference: Reference,
    target: str,
    quantities: Sequence[str] | None = None,
) -> Iterator[tuple[Difference, int]]:
    """The worst entry of each quantity of a loaded module, and how many numbers were compared."""
    call = {"numpy": numpy_scalars, "numpy arrays": numpy_arrays, "torch": torch_values}[target]
    wanted = (*PREPARED, *AT_A_POINT, *OF_PARAMETERS, DEFAULTS) if quantities is None else tuple(quantities)
    found = call(model, reference.points, wanted)
    if DEFAULTS in wanted and reference.arguments:
        found = chain(found, [(DEFAULTS, default_values(model, reference, target))])
    for quantity, values in found:
        yield _worst(model, reference.quantities[quantity], target, quantity, values)


def _all_differences(
    generated: GeneratedModule, reference: Reference, torch: bool
) -> Iterator[tuple[Difference, int]]:
    compiled = load_numpy(generated, reference.unknowns)
    yield from _outside_the_pattern(compiled, reference)
    yield from differences(compiled, reference, "numpy")
    yield from differences(compiled, reference, "numpy arrays")
    if torch:
        model = load_torch(generated, reference.unknowns)
        yield from differences(model, reference, "torch")
        for quantity, values in autograd(model, reference.points):
            yield _worst(model, reference.quantities[quantity], "torch autograd", quantity, values)


def _worst(
    model: Layout, expected: Expected, target: str, quantity: str, values: Array
) -> tuple[Difference, int]:
    if quantity in _SPARSE:
        rows, columns = model.sparsity(quantity)
    elif quantity == "d_constants":
        entries = model.manifest["d_constants"]
        rows, columns = np.array(entries["rows"], dtype=int), np.array(entries["cols"], dtype=int)
    else:
        rows, columns = np.arange(expected.value.shape[1]), None
    where = (slice(None), rows) if columns is None else (slice(None), rows, columns)
    value, size = expected.value[where], expected.size[where]
    if values.shape != value.shape:
        entry = f"shape {values.shape} in place of {value.shape}"
        return Difference(target, quantity, entry, 0, np.nan, np.nan, np.inf), value.size
    ratio = _ratios(values, value, size)
    if not ratio.size:
        return Difference(target, quantity, "no entry", 0, 0.0, 0.0, 0.0), 0
    point, k = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    names = _entry_name(model, quantity, int(rows[k]), None if columns is None else int(columns[k]))
    found = Difference(
        target,
        quantity,
        names,
        int(point),
        float(value[point, k]),
        float(values[point, k]),
        float(ratio[point, k]),
    )
    return found, value.size


def _ratios(values: Array, expected: Array, size: Array) -> Array:
    with np.errstate(all="ignore"):
        error = np.abs(values - expected)
        ratio = np.where(error == 0.0, 0.0, error / size)
    same_nan = np.isnan(values) & np.isnan(expected)
    same_infinity = np.isinf(values) & (values == expected)
    ratio = np.where(same_nan | same_infinity, 0.0, ratio)
    return np.where(np.isnan(ratio), np.inf, ratio)


def _outside_the_pattern(model: Layout, reference: Reference) -> Iterator[tuple[Difference, int]]:
    """A derivative that is not zero but has no place in the manifest."""
    for quantity in _SPARSE:
        expected = reference.quantities[quantity]
        rows, columns = model.sparsity(quantity)
        value, size = expected.value.copy(), expected.size
        value[:, rows, columns] = 0.0
        ratio = _ratios(np.zeros_like(value), value, size)
        if ratio.size:
            point, i, j = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
            entry = _entry_name(model, quantity, int(i), int(j))
            expected_value = float(value[point, i, j])
            yield (
                Difference(
                    "sparsity", quantity, entry, int(point), expected_value, 0.0, float(ratio[point, i, j])
                ),
                int(value[0].size - len(rows)),
            )


def _entry_name(model: Layout, quantity: str, row: int, column: int | None) -> str:
    names: Mapping[str, Sequence[str]] = {
        "rhs": model.state_names, "jacobian": model.state_names, "d_rhs_dp": model.state_names,
        "initial_state": model.state_names, "d_initial_dp": model.state_names, "rates": model.rate_names,
        "observe": model.observable_names, "d_observe_dy": model.observable_names,
        "d_observe_dp": model.observable_names, "lloq": model.observable_names,
        "d_rhs_du": model.state_names, "d_observe_du": model.observable_names,
        "noise": [f"{o}, {part}" for o in model.observable_names for part in ("proportional", "additive")],
        "constants": model.manifest["constants"], "d_constants": model.manifest["constants"],
    }  # fmt: skip
    if quantity == DEFAULTS:
        return f"value or partial derivative number {row} of the unknown terms' defaults"
    name = names["noise" if quantity == "d_noise_dp" else quantity][row]
    if column is None:
        return name
    by = model.state_names if quantity in ("jacobian", "d_observe_dy") else model.parameter_names
    by = model.input_names if quantity.endswith("_du") else by
    return f"{name} by {by[column]}"


def _one_each(failures: Sequence[Difference]) -> tuple[Difference, ...]:
    worst: dict[tuple[str, str], Difference] = {}
    for failure in failures:
        key = (failure.target, failure.quantity)
        if key not in worst or worst[key].ratio < failure.ratio:
            worst[key] = failure
    return tuple(worst.values())


def _with_original(
    reference: Reference, original: System, where: Points, unknowns: Mapping[str, TrialFunction]
) -> Reference:
    outside = reference_values(original, where, unknowns).quantities
    own = reference.quantities
    return replace(reference, quantities={k: own[k] if k in _INTERNAL else outside[k] for k in own})


def _check_same_names(system: System, original: System) -> None:
    groups: Mapping[str, Callable[[System], Sequence[Any]]] = {
        "states": lambda s: s.states, "parameters": lambda s: s.parameters,
        "inputs": lambda s: s.inputs, "observables": lambda s: s.outputs,
    }  # fmt: skip
    for word, group in groups.items():
        if [e.name for e in group(system)] != [e.name for e in group(original)]:
            raise ValueError(f"original: its {word} are not those of the simplified System")
