"""Values that change during a run: how points are joined, what follows them, and all derivatives."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from pbpkc.check.agreement import agree
from pbpkc.check.coverage import distinct_scenarios
from pbpkc.check.positivity import prove_positivity
from pbpkc.check.volumes import prove_volumes
from pbpkc.compiler.driver import Compiled, compile_model
from pbpkc.engines.pinn.train import obstacle
from pbpkc.experiment.bind import bind
from pbpkc.experiment.changes import ChangeEvent
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.experiment.scenario import experiment, parameter_vector
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.expression import Name
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.language.units import ONE
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate
from pbpkc.solve.sensitivity import simulate_with_sensitivities
from pbpkc.solve.timeline import timeline

Array = np.ndarray
TIGHT = SolverOptions(rtol=1e-11)

SPEC = """pbpk 1
model m
species X { mw = 250 [g/mol] }
pool plasma { volume = 10 [L] }
sink out
covariate CLR "clearance" = 2 [L/h] in (0, 50) [L/h] hold HOLD
process elimination : plasma -> out rate CLR * plasma.C
start plasma = 100 [umol]
observe A = plasma.A in [umol]
observe now = CLR in [L/h]
"""


def model_of(text: str) -> Model:
    return resolve(parse(SourceFile("changes.pbpk", text)))


@lru_cache(maxsize=20)
def stages(text: str) -> tuple[Compiled, CompiledModel]:
    compiled = compile_model(model_of(text), torch=False)
    return compiled, load_numpy(compiled.generated)


def bound_of(text: str, names: tuple[str, ...] = (), p: Array | None = None) -> tuple[Array, BoundRegimen]:
    compiled, loaded = stages(text)
    found = experiment(compiled.model, "s")
    p = parameter_vector(loaded, found.overrides) if p is None else p
    return p, bind(found.regimen, dict(zip(loaded.parameter_names, p.tolist(), strict=True)), names)


def curves(text: str, times: Array) -> Array:
    p, bound = bound_of(text)
    return simulate(stages(text)[1], p, bound, times, TIGHT).observables


def of(hold: str, scenario: str) -> str:
    return f"{SPEC.replace('HOLD', hold)}scenario s {{ {scenario} }}\n"


# ------------------------------------------------------------------ closed forms

TIMES = np.linspace(0.0, 20.0, 81)


def test_a_clearance_that_switches() -> None:
    found = curves(of("last", "set CLR = 5 [L/h] at 8 [h]; run 20 [h]"), TIMES)
    exponent = np.where(TIMES < 8.0, 0.2 * TIMES, 1.6 + 0.5 * (TIMES - 8.0))
    np.testing.assert_allclose(found[:, 0], 100.0 * np.exp(-exponent), rtol=1e-9)
    np.testing.assert_array_equal(found[:, 1], np.where(TIMES < 8.0, 2.0, 5.0))


def test_a_clearance_on_a_line() -> None:
    found = curves(of("linear", "set CLR = 6 [L/h] at 8 [h]; run 20 [h]"), TIMES)
    line = np.where(TIMES < 8.0, 2.0 + 0.5 * TIMES, 6.0)
    area = np.where(TIMES < 8.0, 2.0 * TIMES + 0.25 * TIMES**2, 32.0 + 6.0 * (TIMES - 8.0))
    np.testing.assert_allclose(found[:, 0], 100.0 * np.exp(-area / 10.0), rtol=1e-9)
    np.testing.assert_allclose(found[:, 1], line, rtol=1e-14)


def test_next_holds_since_the_point_before() -> None:
    found = curves(of("next", "set CLR = 5 [L/h] at 8 [h]; set CLR = 1 [L/h] at 12 [h]; run 20 [h]"), TIMES)
    np.testing.assert_array_equal(found[:, 1], np.where(TIMES < 8.0, 5.0, 1.0))


@pytest.mark.parametrize("hold", ["last", "next", "linear"])
def test_an_excursion_is_a_step_whatever_the_hold(hold: str) -> None:
    found = curves(of(hold, "set CLR = 9 [L/h] at 4 [h] for 2 [h] every 6 [h] count 2; run 20 [h]"), TIMES)
    inside = ((TIMES >= 4.0) & (TIMES < 6.0)) | ((TIMES >= 10.0) & (TIMES < 12.0))
    np.testing.assert_array_equal(found[:, 1], np.where(inside, 9.0, 2.0))


def test_an_excursion_leaves_a_curve_and_comes_back_to_it() -> None:
    text = of("linear", "set CLR = 6 [L/h] at 8 [h]; set CLR = 9 [L/h] at 2 [h] for 2 [h]; run 20 [h]")
    line = np.where(TIMES < 8.0, 2.0 + 0.5 * TIMES, 6.0)
    np.testing.assert_allclose(
        curves(text, TIMES)[:, 1], np.where((TIMES >= 2.0) & (TIMES < 4.0), 9.0, line), rtol=1e-14
    )


def test_of_two_excursions_the_later_one_holds() -> None:
    text = of(
        "last", "set CLR = 9 [L/h] at 2 [h] for 8 [h]; set CLR = 5 [L/h] at 4 [h] for 2 [h]; run 20 [h]"
    )
    values = np.select([TIMES < 2.0, TIMES < 4.0, TIMES < 6.0, TIMES < 10.0], [2.0, 9.0, 5.0, 9.0], 2.0)
    np.testing.assert_array_equal(curves(text, TIMES)[:, 1], values)


def test_a_value_reads_the_one_at_the_beginning() -> None:
    text = of(
        "last", "set CLR = 4 [L/h]; set CLR = 0.5 * CLR at 2 [h]; set CLR = 0.5 * CLR at 4 [h]; run 9 [h]"
    )
    found = curves(text, np.array([0.0, 3.0, 5.0]))[:, 1]
    np.testing.assert_array_equal(found, [4.0, 2.0, 2.0])


def test_what_a_child_says_of_a_name_replaces_all_its_parent_says() -> None:
    text = (
        of("last", "set CLR = 4 [L/h] at 1 [h]; set CLR = 6 [L/h] at 2 [h]; run 9 [h]").replace(
            "scenario s", "scenario parent"
        )
        + "scenario s from parent { set CLR = 8 [L/h] at 3 [h] }\n"
    )
    assert curves(text, np.array([2.5, 4.0]))[:, 1].tolist() == [2.0, 8.0]


# ------------------------------------------------------------------ what follows a change

WIDE = """pbpk 1
model wide
species X { mw = 300 [g/mol] }
covariate W "weight" = 70 [kg] in (30, 150) [kg] hold last
input f = 0.5 in (0, 1)
input unread = 1
param scaled = W / 70 [kg]
lumen gut
pool a { volume = 0.5 [L/kg] * W }
pool b { volume = 10 [L] }
sink out
flow exchange : a <-> b at 3 [L/h] * scaled
process absorption : gut -> a rate 1 [1/h] * gut.A
process lost : b -> out rate 2 [L/h] * b.C split f else gut
start a = 2 [umol/kg] * W
observe Ca = a.C in [mg/L] error prop(10 [%] * scaled) lloq 0.1 [mg/L] * scaled
observe Ga = gut.A in [umol]
observe Aa = a.A in [umol]
observe Ab = b.A in [umol]
observe Ao = out.A in [umol]
scenario s {
  dose X 1 [umol/kg] * W into gut at 1 [h] every 3 [h] count 3 lag 0.5 [h]
  set W = 140 [kg] at 4 [h]
  set f = 0.9 at 2 [h]
  run 12 [h]
}
check mass, positive, volume
"""


def test_only_what_a_run_reads_is_an_input() -> None:
    compiled, loaded = stages(WIDE)
    held = [u for u in compiled.analysed.system.inputs if u.kind == "held"]
    assert [(u.target, u.hold) for u in held] == [("W", "last"), ("f", "last")]
    entry = next(i for i in loaded.manifest["inputs"] if i["target"] == "W")
    assert loaded.parameter_names[entry["parameter"]] == "W"
    assert (entry["hold"], entry["bounds"]) == ("last", [30.0, 150.0])


def test_starts_errors_and_limits_take_the_value_at_the_beginning() -> None:
    p, _ = bound_of(WIDE)
    loaded = stages(WIDE)[1]
    assert loaded.initial_state(p)[loaded.state_index["a.X"]] == pytest.approx(140.0)
    assert loaded.noise(p)[0, 0] == pytest.approx(0.1)
    assert loaded.lloq(p)[0] == pytest.approx(0.1)
    heavy = p.copy()
    heavy[loaded.parameter_index["W"]] = 140.0
    assert loaded.noise(heavy)[0, 0] == pytest.approx(0.2)


def test_a_dose_reads_the_value_when_it_is_given() -> None:
    # At 1 h, and at 4 h, where the change comes first, and at 7 h; the lag does not count.
    _, bound = bound_of(WIDE)
    given = [(e.time, e.value) for e in bound.events if e.kind == "bolus"]
    assert given == [(1.5, 70.0), (4.5, 140.0), (7.5, 140.0)]


def test_nothing_is_lost_while_volumes_flows_and_a_split_change() -> None:
    times = np.linspace(0.0, 12.0, 25)
    found = curves(WIDE, times)
    given = 140.0 + 70.0 * (times >= 1.5) + 140.0 * (times >= 4.5) + 140.0 * (times >= 7.5)
    np.testing.assert_allclose(found[:, 1:].sum(axis=1), given, rtol=1e-9)
    # Concentrations follow the volume at once: at 4 h it doubles.
    before, after = curves(WIDE, np.array([4.0 - 1e-9, 4.0]))[:, 0]
    assert after == pytest.approx(before / 2.0, rel=1e-6)


def test_generated_code_agrees_and_the_proofs_hold() -> None:
    model = model_of(WIDE)
    compiled = compile_model(model)
    report = agree(compiled.analysed, compiled.generated, original=compiled.lowered)
    assert report.ok, report.summary()
    assert {proof.status for proof in prove_volumes(compiled.lowered)} == {"held"}
    assert [proof.name for proof in prove_volumes(compiled.lowered)] == ["b.volume", "a.volume"]
    assert {proof.status for proof in prove_positivity(compiled.analysed.system)} == {"held"}
    assert compiled.analysed.linear_time_invariant
    assert "between events" in compiled.analysed.reason


def test_a_proof_counts_with_every_value_within_the_bounds() -> None:
    text = of("last", "run 1 [h]").replace("in (0, 50)", "in (-1, 50)")
    found = {proof.name: proof for proof in prove_positivity(stages(text)[0].analysed.system)}
    assert found["elimination"].status == "violated"
    assert "CLR(t) = -" in found["elimination"].explanation


def test_a_line_is_no_constant_coefficient() -> None:
    compiled, _ = stages(of("linear", "run 1 [h]"))
    assert not compiled.analysed.linear_time_invariant


def test_what_an_observable_can_show_includes_what_a_held_name_begins_with() -> None:
    compiled, _ = stages(WIDE)
    assert set(compiled.analysed.depends.influence["Aa"]) == {"W", "f", "b.volume"}


def test_values_out_of_bounds_are_refused_when_they_are_known() -> None:
    text = of("last", "set CLR = 30 * CLR at 2 [h]; run 9 [h]")
    with pytest.raises(SpecError, match="'CLR' becomes 60 \\[L/h\\], outside its bounds 0 to 50"):
        bound_of(text)


def test_the_parameters_are_needed_where_something_is_held() -> None:
    text = of("last", "run 1 [h]")
    _, bound = bound_of(text)
    loaded = stages(text)[1]
    with pytest.raises(ValueError, match="p is missing; it holds the value of 'CLR'"):
        timeline(bound, np.zeros(0), loaded.manifest["inputs"], loaded.state_names)


# ------------------------------------------------------------------ rows of a file


def events(hold: str, changes: tuple[tuple[float, float, int], ...]) -> list[tuple[float, float, int]]:
    regimen = Regimen((), changes=tuple(ChangeEvent("x", hold, v, t, order=o) for t, v, o in changes))
    return [(e.time, e.value, e.order) for e in bind(regimen, {"x": changes[0][1]}).events]


def test_the_row_of_a_change() -> None:
    rows = ((0.0, 1.0, 0), (2.0, 5.0, 3), (4.0, 7.0, 8))
    assert events("last", rows) == [(2.0, 5.0, 3), (4.0, 7.0, 8)]
    # Up to its own row a value is that of the row: the next one begins with the row behind it.
    assert events("next", rows) == [(0.0, 5.0, 1), (2.0, 7.0, 4)]


def test_a_dose_of_a_row_reads_the_value_of_the_row() -> None:
    changes = tuple(ChangeEvent("x", "next", v, t, order=o) for t, v, o in ((0.0, 1.0, 0), (2.0, 5.0, 3)))
    doses = tuple(DoseEvent("X", 0, Name(ONE, "x"), t, order=o) for t, o in ((0.0, 0), (1.0, 2), (2.0, 3)))
    found = bind(Regimen(doses, changes=changes), {"x": 1.0}).events
    assert [e.value for e in found if e.kind == "bolus"] == [1.0, 5.0, 5.0]


# ------------------------------------------------------------------ derivatives

STEEP = """pbpk 1
model steep
covariate W = 70 [kg] in (30, 150) [kg] hold HOLD
input k = 0.3 [1/h] in (0, 5) [1/h]
masked a ~ lognormal(2, sdlog = 0.5) in (0.1, 10)
masked ts ~ lognormal(3 [h], sdlog = 0.5) in (0.1, 20) [h]
masked vm ~ lognormal(30 [mg/h], sdlog = 0.5) in (1, 100) [mg/h]
species X { mw = 300 [g/mol] }
pool c { volume = 0.5 [L/kg] * W }
pool d { volume = 10 [L] }
sink out
process el : c -> out rate mm(vm * (W / 70 [kg])^0.75, 5 [mg/L], c.C * X.mw) / X.mw
process tr : c -> d rate k * c.A * exp(-tad(X) / 10 [h])
process share : d -> out rate 0.1 [1/h] * d.A * (1 + k / 1 [1/h]) split exp(-k / 1 [1/h]) else c
observe C = c.C * W / 70 [kg] in [mg/L]
observe D = d.C * exp(k / 1 [1/h]) in [mg/L]
scenario s {
  dose X 1000 [mg] into c at 1 [h] every 12 [h] count 2 lag 0.1 * ts
  dose X 2 [mg/kg] * W into d at 9 [h]
  set W = a * 40 [kg] at ts + 1 [h]
  set W = 60 [kg] at 8 [h]
  set k = 0.5 [1/h] * a at 2 * ts for 1 [h] every 6 [h] count 2
  run 24 [h]
}
"""


@pytest.mark.parametrize("hold", ["last", "next", "linear"])
def test_sensitivities_against_difference_quotients(hold: str) -> None:
    text = STEEP.replace("HOLD", hold)
    _, loaded = stages(text)
    names = ("a", "ts", "vm", "W", "k")
    columns = [loaded.parameter_index[name] for name in names]
    times = np.linspace(0.3, 24.0, 25)
    p, bound = bound_of(text, names)
    exact = simulate_with_sensitivities(loaded, p, bound, times, columns, TIGHT).d_observables_dp
    assert exact is not None
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        step = 1e-4 * p[column]
        sides = []
        for sign in (1.0, -1.0):
            q = p.copy()
            q[column] += sign * step
            sides.append(simulate(loaded, q, bound_of(text, (), q)[1], times, TIGHT).observables)
        quotient = (sides[0] - sides[1]) / (2.0 * step)
        size = np.abs(exact[..., place]).max()
        if hold == "next" and name == "W":
            assert size == np.abs(quotient).max() == 0.0  # the first point reaches back to the beginning
        else:
            assert np.abs(quotient - exact[..., place]).max() < 3e-6 * size, name


def test_a_scenario_that_changes_something_is_run_by_check_as_well() -> None:
    text = (
        WIDE.replace("input f = 0.5", "input f = 0").replace("scenario s", "scenario changing")
        + "scenario plain { dose X 10 [umol] into gut; run 12 [h] }\n"
    )
    assert set(distinct_scenarios(model_of(text))) == {"changing"}
    still = text.replace("  set W = 140 [kg] at 4 [h]\n  set f = 0.9 at 2 [h]\n", "")
    assert len(distinct_scenarios(model_of(still))) == 1
    swapped = text.replace("scenario plain {", "scenario plain { dose X 1 [umol] into b;")
    assert set(distinct_scenarios(model_of(swapped))) == {"changing", "plain"}


def test_a_network_refuses_to_estimate_what_may_change() -> None:
    compiled = load_numpy(compile_model(model_of(WIDE)).generated)
    columns = np.array([compiled.parameter_index["W"]])
    nowhere = np.zeros(0, dtype=np.int64)
    predictor = CompiledPredictor(
        compiled, compiled.parameters(), columns, Regimen(()), np.zeros(0), nowhere, nowhere, TIGHT
    )
    found = obstacle(predictor)
    assert found is not None
    assert "'W' may change during a run" in found.reason
