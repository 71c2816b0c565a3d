"""Scenarios of a spec as runs: settings, starts, doses and horizon."""

from __future__ import annotations

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.scenario import experiment, not_in_equations, parameter_vector, sampling_times
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
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


def warned(scenarios: str) -> list[str]:
    return [d.code for d in model(scenarios).warnings if d.code != "unused"]


def test_doses_at_the_very_end_are_given() -> None:
    text = "scenario s { dose X 1 [mg] into gut at 0.1 [h] every 0.1 [h] count 3; run 0.3 [h] }\n"
    text += "scenario i { dose X 1 [mg] into plasma at 0.1 [h] over 0.2 [h] fraction 1; run 0.3 [h] }\n"
    assert warned(text) == []


def test_a_dose_after_the_end_is_a_warning() -> None:
    assert warned("scenario s { dose X 1 [mg] into gut at 2 [h]; run 1 [h] }\n") == ["dose-after-end"]
    # With `fraction` the infusion by rate lasts 0.5 h, without it 1 h.
    half = "scenario s { dose X 2 [mg] into plasma rate 2 [mg/h] fraction 0.5; run 0.6 [h] }\n"
    assert warned(half) == []
    assert warned(half.replace(" fraction 0.5", "")) == ["infusion-cut"]


def test_nothing_is_said_of_times_that_are_estimated() -> None:
    text = "scenario s { dose X 1 [mg] into gut at 1 [h] lag tlag; run 1 [h] }\n"
    assert warned(text) == []
    assert warned(text.replace("{ dose", "{ set tlag = 1 [h]; dose")) == ["dose-after-end"]


def test_a_setting_that_reads_what_it_replaces_is_known_to_the_checks() -> None:
    text = "scenario s { set BW = 0.5 * BW; dose X 1 [mg] into gut at BW / 35 [kg] * 2 [h]; run 1 [h] }\n"
    assert warned(text) == ["dose-after-end"]


def test_a_dose_before_the_run_is_refused_when_its_time_is_known() -> None:
    with pytest.raises(SpecError, match="out-of-bounds"):
        model("scenario s { dose X 1 [mg] into gut at 0 [h] - BW * 1 [h/kg]; run 1 [h] }\n")
    found = experiment(model("scenario s { dose X 1 [mg] into gut at tlag - 0.4 [h]; run 1 [h] }\n"), "s")
    assert bind(found.regimen, {"tlag": 0.5}).events[0].time == pytest.approx(0.1)
    with pytest.raises(SpecError, match="before the run begins") as error:
        bind(found.regimen, {"tlag": 0.2})
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "early-dose"
    assert diagnostic.span is not None and diagnostic.span.text == "tlag - 0.4 [h]"
