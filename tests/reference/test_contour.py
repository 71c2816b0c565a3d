"""The compiled linear kernel against closed forms and tight solutions of the reference solver."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pbpkc.experiment.bind import bind
from pbpkc.experiment.scenario import experiment
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.jobs.simulate import bound_scenario
from pbpkc.jobs.variants import Variants
from pbpkc.native.failure import NoKernel
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve import contour
from pbpkc.solve.contour import EXACT, NARROW, PROVED, LinearKernel, LinearRuns, linear_kernel
from pbpkc.solve.equations import StateEquations
from pbpkc.solve.linear_stretches import run_groups
from pbpkc.solve.options import SolverOptions, absolute_tolerance
from pbpkc.solve.passage import Passage
from pbpkc.solve.reference import simulate
from pbpkc.solve.schedule import schedule
from pbpkc.solve.timeline import timeline
from pbpkc.studies.solvers.bodies import body, body_text

HERE = Path(__file__).parent
SPECS = HERE.parents[1] / "specs"

pytestmark = pytest.mark.reference

#: What an error may be, in units of the relative tolerance: of a value above a millionth of its curve's peak.
FACTOR = 10.0

CASES = [
    ("brain", "iv"), ("brain", "inhibited"), ("pregnancy", "oral"), ("pregnancy", "iv"),
    ("pregnancy", "tight"),
    ("theophylline_adult", "iv"), ("theophylline_adult", "po"), ("theophylline_child", "po"),
    ("theophylline_rat", "iv"), ("theophylline_oral", "single"), ("theophylline_pbtk", "po"),
    ("theophylline_pbtk", "iv"), ("two_compartment_infusion", "loading"),
    ("two_compartment_infusion", "q12h"),
    ("vancomycin_iv", "recovering"), ("vancomycin_iv", "adjusted"),
]  # fmt: skip


class Case:
    """A scenario with its schedule, for copies of one person that differ in every parameter."""

    def __init__(
        self, loaded: LoadedModel, scenario: str, times: np.ndarray | None = None, copies: int = 1,
        spread: float = 0.0, adds: bool = False,
    ) -> None:  # fmt: skip
        self.compiled, self.p, self.bound = bound_scenario(loaded.model, Variants(loaded), scenario)
        if adds:
            events = [
                e if e.steady is None else replace(e, steady=replace(e.steady, adds=True))
                for e in self.bound.events
            ]
            self.bound = replace(self.bound, events=tuple(events))
        compiled: CompiledModel = self.compiled
        try:
            self.kernel: LinearKernel = linear_kernel(compiled)
        except NoKernel as error:
            pytest.skip(error.reason)
        end = self.bound.end or 0.0
        self.times = np.linspace(self.bound.begin, end, 41) if times is None else times
        inputs = compiled.manifest["inputs"]
        segments = timeline(self.bound, self.times, inputs, compiled.state_names, p=self.p)
        self.plan = schedule([(segments, self.times)], self.kernel.states, self.kernel.inputs, steady=True)
        options = SolverOptions()
        atol = absolute_tolerance(options, compiled.manifest["states"], self.bound.smallest_dose)
        start = Passage(StateEquations(compiled, self.p), self.bound, segments, options, atol).start.y
        self.y0 = np.repeat(start[None], copies, 0)
        draw = np.random.default_rng(1)
        self.people = self.p * np.exp(spread * draw.standard_normal((copies, len(self.p))))
        self.people[0] = self.p
        self.which = np.zeros(copies, dtype=np.int64)

    def solved(self, rtol: float, states: bool = True, threads: int = 1) -> LinearRuns:
        """All copies."""
        return self.kernel.solve(
            self.people, self.y0, self.plan, self.which, rtol, states=states, threads=threads
        )

    def tight(self, person: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Observables and states by the reference solver."""
        found = simulate(
            self.compiled, self.people[person], self.bound, self.times, SolverOptions(rtol=1e-11)
        )
        assert found.outcome.ok
        return found.observables, found.y


@cache
def _loaded(name: str) -> LoadedModel:
    return load(SPECS / f"{name}.pbpk")


@pytest.fixture(scope="module")
def whole_body(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """33 states, linear, three doses of two kinds."""
    path = tmp_path_factory.mktemp("body") / "body.pbpk"
    path.write_text(body_text(body(33, False), "body"), encoding="utf-8")
    return load(path)


def _worst(found: np.ndarray | None, expected: np.ndarray) -> float:
    assert found is not None
    floor = 1e-6 * np.max(np.abs(expected), axis=0)
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), floor + 1e-300)))


@pytest.mark.parametrize(("name", "scenario"), CASES)
def test_error_stays_within_ten_tolerances(name: str, scenario: str) -> None:
    """Observables and all states at a relative tolerance of 1e-6, against LSODA at 1e-11."""
    case = Case(_loaded(name), scenario)
    found = case.solved(1e-6)
    observables, states = case.tight()
    assert found.status[0] == 0
    assert found.way[0] != EXACT
    assert _worst(found.observables, observables) < FACTOR * 1e-6
    assert _worst(found.states, states) < FACTOR * 1e-6
    np.testing.assert_allclose(found.last[0], states[-1], rtol=1e-5, atol=1e-9 * np.max(states))


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_the_error_follows_the_tolerance(whole_body: LoadedModel, rtol: float) -> None:
    case = Case(whole_body, "doses")
    found = case.solved(rtol)
    observables, states = case.tight()
    assert _worst(found.observables, observables) < FACTOR * max(rtol, 2e-9)
    assert _worst(found.states, states) < FACTOR * max(rtol, 2e-9)


CLOSED_FORMS = {
    "1cmt_bolus": ("one_compartment", "bolus"),
    "1cmt_infusion_1h": ("one_compartment", "infusion"),
    "1cmt_oral_ka1.1": ("one_compartment", "oral"),
    "1cmt_oral_zero_order_1.5h": ("one_compartment", "zero_order"),
    "1cmt_oral_multidose_q8h_x4": ("one_compartment", "multidose"),
    "2cmt_bolus": ("two_compartment", "bolus"),
    "2cmt_infusion_1h": ("two_compartment", "infusion"),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name: str) -> None:
    """Each point by its own size, the last ones five decades below the first; a sample at a dose sees it."""
    spec, scenario = CLOSED_FORMS[name]
    with (HERE / "closed_form" / "closed_form_profiles.csv").open(newline="") as file:
        rows = [(float(r["TIME"]), float(r["CP"])) for r in csv.DictReader(file) if r["case"] == name]
    times, expected = np.array(rows).T
    loaded = load(HERE / "specs" / f"{spec}.pbpk")
    case = Case(loaded, scenario, times)
    found = case.solved(1e-9, states=False)
    assert found.observables is not None
    value = found.observables[:, case.compiled.observable_index["CP"]]
    there = expected > 0.0
    assert np.max(np.abs(value[there] / expected[there] - 1.0)) < 1e-8
    assert np.max(np.abs(value[~there]), initial=0.0) < 1e-12 * expected.max()


def test_bodies_that_differ_in_everything(whole_body: LoadedModel) -> None:
    """Every parameter with a coefficient of variation of 30 %."""
    case = Case(whole_body, "doses", np.linspace(0.72, 72.0, 100), copies=40, spread=0.3)
    found = case.solved(1e-6, states=False)
    assert np.all(found.status == 0)
    assert found.states is None
    assert found.observables is not None
    for person in (0, 7, 21):
        expected, _ = case.tight(person)
        part = found.observables[found.rows[person] : found.rows[person + 1]]
        assert np.max(np.abs(part / expected - 1.0)) < 1e-6


def test_subjects_do_not_depend_on_their_neighbours_or_threads(whole_body: LoadedModel) -> None:
    """The same bytes alone, among others, and on two threads."""
    among = Case(whole_body, "doses", copies=11, spread=0.3)
    alone = Case(whole_body, "doses")
    for states in (False, True):
        all_of_them, first = among.solved(1e-6, states), alone.solved(1e-6, states)
        threads = among.solved(1e-6, states, threads=2)
        assert first.observables is not None
        assert all_of_them.observables is not None
        np.testing.assert_array_equal(first.observables, all_of_them.observables[: among.times.size])
        np.testing.assert_array_equal(all_of_them.observables, threads.observables)
        if states:
            np.testing.assert_array_equal(all_of_them.states, threads.states)


#: Ten pools in a ring: what goes round comes back as a wave, and the spectrum lies 72 degrees off the axis.
RING = """
pbpk 1
model ring "A ring of pools"
species X
{pools}
param k = 2 [1/h]
param loss = 0.02 [1/h]
{steps}
process out : a0.X -> outside  rate loss * a0.X.A
observe C = a3.X.C in [umol/L]
scenario go {{ dose X 10 [umol] into a0 at 0 [h]; run 24 [h] }}
"""


def test_any_number_of_lanes_gives_the_same(whole_body: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also more than a register of this machine holds."""
    expected: np.ndarray | None = None
    for count in (1, 2, 4, 8):
        monkeypatch.setattr(contour, "lanes", lambda count=count: count)
        case = Case(whole_body, "doses", np.linspace(0.0, 72.0, 12), copies=11, spread=0.3)
        assert case.kernel.lanes == count
        found = case.solved(1e-6).observables
        assert found is not None
        expected = found if expected is None else expected
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_spectrum_outside_of_the_first_sector_is_found_and_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = "\n".join(f"pool a{k} {{ volume = 1 [L] }}" for k in range(10))
    steps = "\n".join(f"process s{k} : a{k}.X -> a{(k + 1) % 10}.X  rate k * a{k}.X.A" for k in range(10))
    path = tmp_path / "ring.pbpk"
    path.write_text(RING.format(pools=pools, steps=steps).lstrip(), encoding="utf-8")
    loaded = load(path)
    monkeypatch.setattr(contour, "_SECTOR_FACTOR", 0.0)
    for degrees, way in ((10.0, PROVED), (40.0, PROVED), (71.9, NARROW)):
        monkeypatch.setattr(contour, "_SECTOR_MARGIN", np.radians(degrees))
        for states in (False, True):
            case = Case(loaded, "go")
            found = case.solved(1e-6, states)
            assert found.way[0] == way
            assert _worst(found.observables, case.tight()[0]) < FACTOR * 1e-6


def test_a_body_without_a_proof_is_computed_by_eigenvectors(whole_body: LoadedModel) -> None:
    """A stomach that empties backwards is impossible, and its curve is still that of the equations."""
    case = Case(whole_body, "doses", copies=3)
    case.people[1, case.compiled.parameter_index["k_empty"]] = -0.05
    case.people[2, case.compiled.parameter_index["clr"]] = np.nan
    found = case.solved(1e-6)
    assert found.way.tolist() == [NARROW, EXACT, EXACT]
    assert found.status.tolist() == [0, 0, 3]
    expected, states = case.tight(1)
    assert found.observables is not None
    assert found.states is not None
    part = slice(found.rows[1], found.rows[2])
    assert _worst(found.observables[part], expected) < FACTOR * 1e-6
    assert _worst(found.states[part], states) < FACTOR * 1e-6


def test_a_nonlinear_model_has_no_linear_kernel() -> None:
    compiled, _, _ = bound_scenario(
        _loaded("theophylline_iv").model, Variants(_loaded("theophylline_iv")), "iv"
    )
    with pytest.raises(NoKernel, match="is not linear"):
        linear_kernel(compiled)


def test_people_with_doses_and_kidneys_of_their_own() -> None:
    """Doses by weight and a held input: runs that differ in those alone share their nodes."""
    for name, scenario in (("two_compartment_infusion", "loading"), ("vancomycin_iv", "adjusted")):
        loaded = _loaded(name)
        case = Case(loaded, scenario, copies=6, spread=0.2)
        names, inputs = case.compiled.parameter_names, case.compiled.manifest["inputs"]
        bounds = [
            bind(experiment(loaded.model, scenario).regimen, dict(zip(names, p.tolist(), strict=True)))
            for p in case.people
        ]
        parts = [
            timeline(bound, case.times, inputs, case.compiled.state_names, p=p)
            for bound, p in zip(bounds, case.people, strict=True)
        ]
        own = schedule([(part, case.times) for part in parts], case.kernel.states, case.kernel.inputs)
        found = case.kernel.solve(case.people, case.y0, own, np.arange(6), 1e-6)
        assert found.observables is not None
        # The dose by weight runs in at one rate, so it ends at a time of its own in each person.
        groups = run_groups(own, case.kernel.kinds, case.kernel.states)
        assert len(groups) == (6 if scenario == "loading" else 1)
        for k, (bound, p) in enumerate(zip(bounds, case.people, strict=True)):
            tight = simulate(case.compiled, p, bound, case.times, SolverOptions(rtol=1e-11))
            part = slice(found.rows[k], found.rows[k + 1])
            assert _worst(found.observables[part], tight.observables) < FACTOR * 1e-6


STEADY = """
scenario interval {
  dose D 100 [umol] into stomach every 12 [h] steady lag 0.25 [h]
  dose D 50 [umol] into venous over 2 [h] every 12 [h] steady
  run 36 [h]
}
scenario constant {
  dose D 60 [umol] into venous over 12 [h] every 12 [h] steady
  dose D 10 [umol] into stomach at 3 [h]
  run 24 [h]
}
"""


@pytest.mark.parametrize("scenario", ["interval", "constant", "added"])
def test_steady_states_of_doses_in_closed_form(tmp_path: Path, scenario: str) -> None:
    path = tmp_path / "body.pbpk"
    path.write_text(body_text(body(33, False), "body") + STEADY, encoding="utf-8")
    case = Case(load(path), "interval" if scenario == "added" else scenario, adds=scenario == "added")
    found = case.solved(1e-6)
    observables, states = case.tight()
    assert found.status[0] == 0
    assert found.way[0] == NARROW
    assert _worst(found.observables, observables) < FACTOR * 1e-6
    assert _worst(found.states, states) < FACTOR * 1e-6


def test_doses_that_nothing_takes_away_have_no_steady_state() -> None:
    """The subject has no numbers; the reference then says why."""
    case = Case(_loaded("two_compartment_infusion"), "q12h_ss", copies=2)
    case.people[1, case.compiled.parameter_index["cl"]] = 0.0
    found = case.solved(1e-6)
    assert found.status.tolist() == [0, 3]
    assert _worst(found.observables[: found.rows[1]], case.tight()[0]) < FACTOR * 1e-6  # type: ignore[index]
