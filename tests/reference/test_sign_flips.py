"""A wrong sign in generated code cannot pass `pbpkc check`: every term of the paracetamol spec is tried."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import pbpkc
from pbpkc.check.agreement import references_for
from pbpkc.check.residual import ACCEPTED, worst_defect
from pbpkc.experiment.bind import bind
from pbpkc.experiment.scenario import experiment, parameter_vector
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.jobs.simulate import named
from pbpkc.runtime.load import load_text
from pbpkc.solve.dense import DenseSolution, simulate_dense
from pbpkc.solve.options import SolverOptions

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from sign_flips import unnoticed_flips, with_signs

Array = np.ndarray[Any, np.dtype[np.float64]]

pytestmark = [pytest.mark.reference, pytest.mark.slow]


class Run(NamedTuple):
    """A reference solution, its parameters, and what depends on them alone."""

    solution: DenseSolution
    p: Array
    constants: tuple[float, ...]


@pytest.fixture(scope="module")
def paracetamol() -> LoadedModel:
    return pbpkc.load(Path(__file__).parents[2] / "specs" / "paracetamol.pbpk")


@pytest.mark.parametrize("target", ["numpy", pytest.param("torch", marks=pytest.mark.long)])
def test_every_flipped_term_is_found_by_the_agreement(
    paracetamol: LoadedModel, target: str, figure: Callable[..., None]
) -> None:
    stages = paracetamol.stages
    references, _ = references_for(stages.analysed, original=stages.lowered)
    tried, missed = unnoticed_flips(stages.generated, references, target)
    figure(
        f"sign flips in the {target} text of paracetamol that go unnoticed, of {tried}",
        len(missed),
        "",
        below=0.5,
    )
    assert tried > 500
    assert not missed, [str(m) for m in missed]


def test_every_flipped_term_of_the_equations_is_found_on_the_reference_solution(
    paracetamol: LoadedModel, figure: Callable[..., None], measuring: bool
) -> None:
    # The residual check alone, without the agreement: iv and oral run together visit every state.
    compiled = paracetamol.compiled
    text, terms = with_signs(paracetamol.generated.numpy_text)
    flipped = load_text(text)
    module = flipped.build()
    found: set[int] = set()
    # No scenario infuses into the stomach, so that input is zero in every run.
    wanted = {
        k for k, term in enumerate(terms) if term.method == "_rhs" and term.text != "infusion_stomach_APAP"
    }
    assert len(wanted) > 190
    if not measuring:
        wanted = set(sorted(wanted)[::5])
    for name in ("iv_1g", "po_1g"):
        plan = experiment(paracetamol.model, name)
        p = parameter_vector(compiled, plan.overrides)
        bound = bind(plan.regimen, {**named(compiled, p), **plan.overrides})
        assert bound.end is not None
        solution = simulate_dense(compiled, p, bound, bound.end, SolverOptions(method="radau", rtol=1e-6))

        def defect(number: int | None, run: Run = Run(solution, p, module.prepare(p))) -> float:  # noqa: B008
            flipped.chosen[0] = number

            def residual(t: Array, y: Array, dydt: Array, u: Array) -> Array:
                with np.errstate(all="ignore"):
                    return dydt - module.rhs(t, y, run.p, u, run.constants)

            def jacobian(t: Array, y: Array, u: Array) -> Array:
                return compiled.jacobian_dense(t, y, run.p, u)

            return worst_defect(run.solution, residual, jacobian, compiled.state_names).ratio

        assert defect(None) < ACCEPTED
        found |= {k for k in wanted - found if defect(k) > ACCEPTED}
        flipped.chosen[0] = None
    missed = wanted - found
    figure(
        f"sign flips in the right-hand side unnoticed by the residual, of {len(wanted)}",
        len(missed),
        "",
        below=0.5,
    )
    assert not missed, [str(terms[k]) for k in sorted(missed)]
