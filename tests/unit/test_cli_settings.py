"""``--set --mask --unmask --unknown`` on the command line: what is accepted, and what is said of the rest."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from cli_case import BODY, STUDY, TINY, UNKNOWN, Ran, call, study, write


def last(ran: Ran, scenario: str = "one") -> float:
    assert ran.code == 0, ran.err
    return [float(row["Cp"]) for row in csv.DictReader(io.StringIO(ran.out)) if row["scenario"] == scenario][
        -1
    ]


def simulate(spec: Path, *options: str, scenario: str = "one") -> float:
    return last(
        call("simulate", spec, "-s", scenario, "--times", "0,10", "--rtol", "1e-10", *options), scenario
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("k = 0.2 [1/h]", 10 * math.exp(-2)),
        ("k=0.2 1/h", 10 * math.exp(-2)),
        ("k = 4.8 1/d", 10 * math.exp(-2)),
        ("k = 1/5 [h]", 10 * math.exp(-2)),
        ("  k  =  2e-1   1/h ", 10 * math.exp(-2)),
        ("BW = 140 kg", 10 * math.exp(-2)),
        ("plasma.volume = 5000 mL", 20 * math.exp(-1)),
        ("plasma.volume = 5L", 20 * math.exp(-1)),
        ("D.mw = 50 g/mol", 10 * math.exp(-1)),
    ],
)
def test_a_value_with_its_unit(setting: str, expected: float, tmp_path: Path) -> None:
    assert simulate(write(tmp_path, TINY), "--set", setting) == pytest.approx(expected, rel=1e-8)


def test_several_settings(tmp_path: Path) -> None:
    value = simulate(write(tmp_path, TINY), "--set", "k = 0.2 1/h", "--set", "plasma.volume = 20 L")
    assert value == pytest.approx(5 * math.exp(-2), rel=1e-8)


def test_the_command_line_comes_before_a_scenarios_own_setting(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    assert simulate(spec, scenario="light") == pytest.approx(10 * math.exp(-0.5), rel=1e-8)
    assert simulate(spec, "--set", "BW = 140 kg", scenario="light") == pytest.approx(
        10 * math.exp(-2), rel=1e-8
    )


def test_a_scenario_that_changes_the_value_it_finds_still_does(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    assert simulate(spec, scenario="slow") == pytest.approx(10 * math.exp(-0.5), rel=1e-8)
    assert simulate(spec, "--set", "k = 0.2 1/h", scenario="slow") == pytest.approx(
        10 * math.exp(-1), rel=1e-8
    )


@pytest.mark.parametrize(
    ("setting", "said", "marked"),
    [
        ("kk = 1 [1/h]", "there is no parameter 'kk'", "one with a similar name exists: 'k'"),
        ("plasma.volum = 1 L", "there is no parameter 'plasma.volum'", "'plasma.volume'"),
        ("zzz = 1", "there is no parameter 'zzz'", "these can be named: BW, k, plasma.volume"),
        ("k = 1 [L/h]", "found [L/h] where [1/h] is needed", "--> --set:1:5"),
        ("k = 1", "found [1] where [1/h] is needed", "--> --set:1:5"),
        ("k = 1 furlong", "furlong", "--> --set:1:"),
        ("BW = 5 kg", "the value of 'BW' lies outside its bounds", "the spec allows (30, 150) [kg]"),
        ("k", "a value is missing", "write --set"),
        ("k =", "a value is missing", "write --set"),
        ("= 3", "a name is missing", "write --set"),
        ("", "a value is missing", "write --set"),
        ("k = BW", "'BW' cannot be read here", "write a number with its unit"),
        ("k = 1 [1/h", "cannot stand here", "'[' is never closed"),
        ("k = 1,5 1/h", "',' cannot stand here", "a decimal number"),
        ("k = 1 [1/h]\nset BW = 3 [kg]", "one setting a time", "write --set"),
        ("k = 1e400 [1/h]", "1e400", "numbers lie between"),
        ("k = 1 [1/h] / 0", "a division by zero", "--> --set:1:5"),
        ("k = cmax(one.Cp)", "cmax(...) is known in `check` alone", "--> --set:1:5"),
        ("plasma.volume = -1 L", "the volume of 'plasma' is not positive: -1 L", "a volume is above 0"),
        ("plasma.volume = 0 L", "the volume of 'plasma' is not positive: 0 L", "a volume is above 0"),
        ("D.mw = 0 g/mol", "'D.mw' is 0 [g/mol]", "a molar mass is above 0"),
        ("out = 3 [umol/h]", "'out' is the rate of a process", "change a parameter"),
        ("plasma.D.C = 3 [umol/L]", "'plasma.D.C' is computed", "change a parameter"),
    ],
)
def test_values_that_do_not_fit(setting: str, said: str, marked: str, tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, TINY), "--set", setting)
    assert ran.code == 2
    assert ran.out == ""
    assert said in ran.err
    assert marked in ran.err
    assert "value_here" not in ran.err
    assert ran.err.endswith("1 problem\n")


def test_all_that_do_not_fit_are_told_at_once(tmp_path: Path) -> None:
    options = [
        "--set",
        "kk = 1 1/h",
        "--set",
        "k = 1 L",
        "--set",
        "BW = 60 kg",
        "--set",
        "BW = 70 kg",
        "--unknown",
        "cap = 1",
    ]
    ran = call("simulate", write(tmp_path, TINY), *options, "--format", "json")
    assert ran.code == 2
    problems = ran.json()["problems"]
    assert [p["code"] for p in problems] == ["unknown-name", "unit-mismatch", "usage", "unknown-name"]
    assert problems[2]["message"] == "--set names 'BW' twice"
    assert (problems[1]["file"], problems[1]["line"], problems[1]["column"], problems[1]["text"]) == (
        "--set",
        1,
        5,
        "1 [L]",
    )


# ---- a body ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("muscle.volume = 90 L", "negative-remainder", "the volume left for 'rest' is -28.75 L"),
        ("liver.flow = 400 L/h", "negative-flow", "the flow from 'arterial' to 'rest' is negative: -190 L/h"),
        ("CO = -1 L/min", "negative-flow", "the flow of the circulation 'CO' is -60 L/h"),
        ("D.fup = 1.4", "out-of-bounds", "'D.fup' is 1.4"),
        ("rest.flow = 1 L/h", "misplaced", "'rest.flow' is left to the balance of flows"),
        ("Q.arterial.liver = 1 L/h", "misplaced", "'Q.arterial.liver' is left to the balance of flows"),
        ("D.kp.lver = 2", "unknown-name", "there is no parameter 'D.kp.lver'"),
    ],
)
def test_a_body_that_cannot_be(setting: str, code: str, said: str, tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, BODY), "--set", setting, "--format", "json")
    assert ran.code == 2
    problems = ran.json()["problems"]
    assert [p["code"] for p in problems] == [code]
    assert said in problems[0]["message"]


def test_a_predicted_coefficient_and_a_derived_volume_can_be_set(tmp_path: Path) -> None:
    spec = write(tmp_path, BODY)
    plain = simulate(spec, scenario="iv")
    # By hand, in the spec itself, the same settings give the same bits.
    for setting, line in (
        ("D.kp.liver = 7", ("kp.rest = 1", "kp.rest = 1; kp.liver = 7")),
        ("liver.volume = 2.5 L", ("volume = 0.025 [L/kg] * BW", "volume = 2.5 [L]")),
    ):
        found = simulate(spec, "--set", setting, scenario="iv")
        assert found != pytest.approx(plain, rel=1e-4)
        assert found == pytest.approx(
            simulate(write(tmp_path, BODY.replace(*line), "by_hand.pbpk"), scenario="iv"), rel=1e-9
        )


def test_scenarios_that_set_a_derived_volume_differently(tmp_path: Path) -> None:
    spec = write(tmp_path, BODY)
    for scenario, volume in (("small", "1 L"), ("large", "3 L")):
        assert simulate(spec, scenario=scenario) == pytest.approx(
            simulate(spec, "--set", f"liver.volume = {volume}", scenario="iv"), rel=1e-9
        )
    assert simulate(spec, "--set", "liver.volume = 2 L", scenario="small") == simulate(
        spec, "--set", "liver.volume = 2 L", scenario="large"
    )


# ---- unknown terms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("capp = 1", "one with a similar name exists: 'cap'"),
        ("cap = 2", "the spec says range (0, 1)"),
        ("cap = 1 [mg/L]", "found [mg/L] where [1]"),
        ("cap = exp(-c)", "exp takes a dimensionless argument"),
        ("cap = k * 1 [h]", "write an expression of its arguments: c"),
        ("cap =", "an expression is missing"),
        ("cap", "an expression is missing"),
        ("", "a name is missing"),
        ("cap = cap(c)", "there is no function 'cap'"),
        ("cap = ((", "never closed"),
    ],
)
def test_forms_that_do_not_fit(form: str, said: str, tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, UNKNOWN), "--unknown", form)
    assert ran.code == 2
    assert said in ran.err


def test_forms_that_do(tmp_path: Path) -> None:
    spec = write(tmp_path, UNKNOWN)
    assert simulate(spec, "--unknown", "cap = 0.5") == pytest.approx(10 * math.exp(-0.5), rel=1e-8)
    never_full = simulate(spec, "--unknown", "cap = 1 / (1 + c / 30 [umol/L])")
    assert 10 * math.exp(-1) < never_full < 10
    twice = call("simulate", spec, "--unknown", "cap = 0.5", "--unknown", "cap = 0.6")
    assert (twice.code, "--unknown names 'cap' twice" in twice.err) == (2, True)


def test_an_unknown_term_is_no_parameter(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, UNKNOWN), "--set", "cap = 1")
    assert ran.code == 2
    assert 'write --unknown "cap = expression"' in ran.err


# ---- masks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mask", "kk in (0, 1) [1/h]"), "one with a similar name exists: 'k'"),
        (("--mask", "k"), "'k' needs bounds"),
        (("--mask", ""), "a name is missing"),
        (("--mask", "k = 3"), "neither a prior (~) nor bounds (in)"),
        (("--mask", "k in"), 'write --mask "k in (0.1, 10) [1/h] scale log"'),
        (("--mask", "k in (1, 0.1) [1/h]"), "the lower bound is not below the upper"),
        (("--mask", "k in (0.1, 1) [L]"), "found [L] where [1/h]"),
        (("--mask", "k in (0.1, 1)"), "found [1] where [1/h]"),
        (("--mask", "k in (0.1, 1) [1/h] scale cubic"), "there is no scale 'cubic'"),
        (("--mask", "k in (-1, 1) [1/h] scale log"), "'k' cannot be negative on a log scale"),
        (("--mask", "k ~ normal(3 [L], sd = 1 [L])"), "the prior of 'k' has another unit than [1/h]"),
        (("--mask", "k ~ gamma(3)"), "there is no distribution 'gamma'"),
        (("--mask", "k ~ lognormal(3 [1/h], cv = 30 [%]) in (0.1, 1) [1/h]"), "median of the prior of 'k'"),
        (("--mask", "k in (0.1, 1) [1/h]", "--mask", "k in (0.1, 2) [1/h]"), "--mask names 'k' twice"),
        (("--unmask", "D.mw"), "masked parameters are: k, v, s"),
        (("--unmask", "kk"), "'k'"),
        (("--unmask", ""), "a name is missing"),
        (("--unmask", "k = 1 L"), "found [L] where [1/h]"),
        (("--unmask", "k", "--mask", "k in (0.1, 1) [1/h]"), "'k' is both masked and unmasked"),
        (("--unmask", "k = 1 1/h", "--set", "k = 2 1/h"), "one value by --set and one by --unmask"),
    ],
)
def test_masks_that_do_not_fit(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ran = call("fit", study(tmp_path), *options)
    assert ran.code == 2
    assert not ran.out
    assert said in ran.err
    assert "masked_here" not in ran.err
    assert "value_here" not in ran.err


def test_a_mask_whose_bounds_leave_an_organ_nothing(tmp_path: Path) -> None:
    ran = call("fit", write(tmp_path, BODY), "--mask", "muscle.volume in (5, 90) [L]")
    assert ran.code == 2
    assert "at a bound of --mask muscle.volume: the volume left for 'rest' is -28.75 L" in ran.err


def fitted(spec: Path, *options: str) -> dict[str, dict[str, object]]:
    ran = call("fit", spec, "--starts", "1", "--format", "json", *options)
    assert ran.code == 0, ran.err
    return {p["name"]: p for p in ran.json()["parameters"]}


def test_unmasked_at_the_median_at_a_value_and_at_a_set_one(tmp_path: Path) -> None:
    spec = study(tmp_path)
    held = {}
    for options in (
        ("--unmask", "k"),
        ("--unmask", "k = 0.1 1/h"),
        ("--set", "k = 0.1 1/h"),
        ("--set", "k = 0.1 1/h", "--unmask", "k"),
    ):
        ran = call("fit", spec, "--starts", "1", *options)
        held[options] = ran.out.rsplit("\n\n", 1)[0]
    assert len(set(held.values())) == 1
    assert call("fit", spec, "--starts", "1", "--set", "k = 0.2 1/h", "--unmask", "k").out != next(
        iter(held.values())
    )


def test_set_and_masked_begins_at_the_value(tmp_path: Path) -> None:
    k = fitted(study(tmp_path), "--set", "k = 0.7 1/h", "--mask", "k in (0.05, 2) [1/h]")["k"]
    assert (k["start"], k["low"], k["high"], k["scale"]) == (0.7, 0.05, 2, "log")


def test_a_new_prior_brings_its_median(tmp_path: Path) -> None:
    k = fitted(study(tmp_path), "--mask", "k ~ lognormal(0.3 [1/h], cv = 20 [%]) in (0.05, 2) [1/h]")["k"]
    assert k["start"] == pytest.approx(0.3)
    half = fitted(study(tmp_path), "--mask", "k ~ halfnormal(sd = 0.3 [1/h]) in (0.05, 2) [1/h]")["k"]
    assert half["start"] == pytest.approx(0.3 * 0.6744897501960817)  # median of the half-normal distribution


def test_a_column_of_the_data_comes_before_a_setting_and_cannot_be_masked(tmp_path: Path) -> None:
    study(tmp_path)
    rows = (tmp_path / "study.csv").read_text().splitlines()
    write(tmp_path, "\n".join([rows[0] + ",WT", *(row + ",80" for row in rows[1:])]) + "\n", "study.csv")
    text = STUDY.replace("pool plasma", "covariate BW = 70 [kg]\npool plasma").replace(
        "volume = v", "volume = v * BW / 70 [kg]"
    )
    spec = write(tmp_path, text.replace("column TIME [h];", "column TIME [h]; column BW = WT [kg];"))
    plain = call("fit", spec, "--starts", "1", "--format", "json")
    told = call("fit", spec, "--starts", "1", "--format", "json", "--set", "BW = 50 kg")
    assert "note[set-and-data]: 'BW' is set by this run and is a column" in told.err
    assert [s["theta"] for s in told.json()["subjects"]] == [s["theta"] for s in plain.json()["subjects"]]
    masked = call("fit", spec, "--mask", "BW in (50, 100) [kg]")
    assert masked.code == 2
    assert "'BW' is masked by this run and is a column" in masked.err


def test_a_masked_parameter_beyond_its_bounds_is_a_warning(tmp_path: Path) -> None:
    spec = study(tmp_path)
    ran = call("simulate", spec, "-s", "one", "--set", "k = 30 [1/h]")
    assert ran.code == 0
    assert "warning[set-outside]: --set k = 30 [1/h]: it lies outside the bounds of the masked 'k'" in ran.err
    assert "set-outside" not in call("simulate", spec, "-s", "one", "--set", "k = 3 [1/h]").err
