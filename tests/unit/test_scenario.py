"""Scenarios of a spec as runs: settings, starts, doses and horizon."""

from __future__ import annotations

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.regimen import BoundRegimen, bind
from pbpkc.experiment.scenario import experiment, not_in_equations, parameter_vector, sampling_times
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Model
from pbpkc.language.parse import parse
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.runtime.load import load_numpy

BASE = """pbpk 1
model m "One compartment"
covariate BW = 70 [kg]
masked cl ~ lognormal(5 [L/h], cv = 30 [%]) in (0.5, 50) [L/h]
masked tlag ~ lognormal(0.5 [h], cv = 30 [%]) in (0.01, 5) [h]
param v = 0.5 [L/kg] * BW
param scaled = cl * 2
species X { mw = 200 [g/mol] }
lumen gut
pool plasma { volume = v }
sink out
process absorption : gut -> plasma rate 1 [1/h] * gut.A
process elimination : plasma -> out rate cl * plasma.C + 0 [1] * scaled * plasma.C
observe C = plasma.C in [mg/L]
"""


def model(scenarios: str) -> Model:
    return resolve(parse(SourceFile("m.pbpk", BASE + scenarios)))


def test_doses_are_evaluated_with_what_the_scenario_sets() -> None:
    text = "scenario s { set BW = 20 [kg]; run 1 [day]\n"
    text += "dose X 2 [mg/kg] * BW into gut at 30 [min] lag tlag every 12 [h] count 2 }\n"
    found = experiment(model(text), "s")
    assert found.overrides == {"BW": 20.0}
    bound = bind(found.regimen, {"tlag": 0.25}, ("cl", "tlag"))
    # 40 mg of 200 g/mol are 200 umol.
    assert [(e.time, round(e.value, 9)) for e in bound.events] == [(0.75, 200.0), (12.75, 200.0)]
    np.testing.assert_array_equal(bound.events[1].d_time, [0.0, 1.0])
    assert bound.end == 24.0
    # The fit's own value of a covariate wins over the scenario's.
    assert bind(found.regimen, {"tlag": 0.0, "BW": 40.0}).events[0].value == pytest.approx(400.0)


def test_a_setting_may_read_what_it_replaces() -> None:
    found = experiment(model("scenario s { set BW = 0.5 * BW; set v = 2 * v; run 1 [h] }\n"), "s")
    assert found.overrides == pytest.approx({"BW": 35.0, "v": 35.0})
    assert found.held == ()


def test_a_masked_name_that_is_set_is_held() -> None:
    found = experiment(model("scenario s { set cl = 7 [L/h]; run 1 [h] }\n"), "s")
    assert found.held == ("cl",)
    assert found.overrides == {"cl": 7.0}


def test_a_setting_must_not_read_what_is_estimated() -> None:
    with pytest.raises(SpecError, match="reads the masked parameter 'cl'") as error:
        experiment(model("scenario s { set v = scaled * 1 [h]; run 1 [h] }\n"), "s")
    span = error.value.diagnostics[0].span
    assert span is not None and span.text == "scaled * 1 [h]"
    # Unless the scenario makes it a number.
    held = experiment(model("scenario s { set cl = 7 [L/h]; set v = scaled * 1 [h]; run 1 [h] }\n"), "s")
    assert held.overrides == pytest.approx({"cl": 7.0, "v": 14.0})


def test_starts() -> None:
    found = experiment(model("scenario s { start plasma.X = 3 [mmol]; run 1 [h] }\n"), "s")
    spec = model("scenario s { start plasma.X = 3 [mmol]; run 1 [h] }\n")
    bound = bind(found.regimen, {})
    assert [(spec.states[s.state].name, s.value) for s in bound.starts] == [("plasma.X", 3000.0)]


def test_names_that_are_not_there() -> None:
    spec = model('scenario oral { run 1 [h] }\nscenario d { data "x.csv" { column TIME [h] } }\n')
    with pytest.raises(
        ValueError, match="there is no scenario 'orl'; a similar name is 'oral'; scenarios are oral, d"
    ):
        experiment(spec, "orl")
    with pytest.raises(ValueError, match="from a data file"):
        experiment(spec, "d")


def test_parameters_of_a_run() -> None:
    compiled = load_numpy(compile_model(model("scenario s { run 1 [h] }\n"), torch=False).generated)
    p = parameter_vector(compiled, {"cl": 1.0, "v": 9.0}, {"cl": 2.0})
    names = compiled.parameter_names
    assert p[names.index("cl")] == 2.0
    assert not_in_equations(compiled, ["cl", "v"]) == ("v",)
    assert compiled.parameters()[names.index("cl")] == 5.0


def test_sampling_times_hold_the_events() -> None:
    found = experiment(
        model("scenario s { dose X 1 [mg] into plasma at 1 [h] over 0.3 [h]; run 10 [h] }\n"), "s"
    )
    times = sampling_times(bind(found.regimen, {}), 11)
    np.testing.assert_allclose(times, [0, 1, 1.3, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    with pytest.raises(ValueError, match="no end"):
        sampling_times(BoundRegimen(()))
    with pytest.raises(ValueError, match="2 or more"):
        sampling_times(bind(found.regimen, {}), 1)
