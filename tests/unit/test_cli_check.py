"""``pbpkc check``: what fails it, what only warns, and how it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_case import BLOW_UP, BODY, STUDY, TINY, UNKNOWN, call, write

LEAK = """\
pbpk 1
model leak "A rate that does not end with its substance"
species D { mw = 100 [g/mol] }
pool a { volume = 1 [L] }
pool b { volume = 1 [L] }
process leak : a -> b rate 5 [umol/h]
observe Cb = b.C in [mg/L]
scenario one { dose D 1 [mg] into a at 0 [h]; run 1 [h] }
"""

#: One arrow makes two of one.
CREATION = LEAK.replace(
    "process leak : a -> b rate 5 [umol/h]",
    "process copy : a.D -> 2 b.D rate 1 [1/h] * a.A\nprocess move : a.D -> b.D rate 1 [1/h] * a.A",
)


def item(found: dict[str, list[dict[str, str]]], group: str) -> list[tuple[str, str]]:
    return [(i["status"], i["text"]) for i in found["items"] if i["group"] == group]


def test_every_check_held(tmp_path: Path) -> None:
    ran = call("check", write(tmp_path, TINY))
    assert (ran.code, ran.err) == (0, "") or "checking" in ran.err
    assert ran.out.startswith("tiny: One pool\n2 states, 1 arrow, 0 masked parameters\n")
    assert ran.out.endswith("every check held\n")
    for group in ("units", "volume", "mass", "positive", "code", "residual", "expectation"):
        assert f"held    {group}" in ran.out
    assert "torch autograd" in ran.out


def test_json_says_the_same(tmp_path: Path) -> None:
    ran = call("check", write(tmp_path, TINY), "--no-torch", "--format", "json")
    found = ran.json()
    assert (ran.code, ran.err, found["ok"], found["warnings"]) == (0, "", True, [])
    assert {i["status"] for i in found["items"]} == {"held"}
    assert len(found["fingerprint"]) == 64
    assert set(found["seconds"]) >= {"units", "mass", "code", "expectation"}


def test_a_wrong_expectation_fails_and_shows_value_and_bounds(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY.replace("in (9, 11)", "in (20, 30)"))
    ran = call("check", spec, "--no-torch")
    assert ran.code == 1
    assert "FAILED  expectation  one: cmax(one.Cp) = 10, expected in (20, 30) [mg/L]" in ran.out
    assert ran.out.endswith("1 check failed\n")
    found = call("check", spec, "--no-torch", "--format", "json")
    assert found.code == 1
    assert found.json()["ok"] is False


def test_settings_change_what_the_expectations_see(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    assert call("check", spec, "--no-torch", "--set", "plasma.volume = 5 L").code == 1
    assert call("check", spec, "--no-torch", "--set", "plasma.volume = 10.5 L").code == 0


@pytest.mark.parametrize(
    ("spec", "group", "said"),
    [
        (CREATION, "mass", "copy (a.D -> 2 b.D) creates 1 umol of D for each umol that leaves a"),
        (LEAK, "positive", "its rate does not vanish with a.D: it is 5 at a.D = 0"),
    ],
    ids=["mass", "positive"],
)
def test_what_does_not_hold_warns_and_fails_where_it_is_demanded(
    spec: str, group: str, said: str, tmp_path: Path
) -> None:
    ran = call("check", write(tmp_path, spec), "--no-torch")
    assert ran.code == 0
    assert f"warning {group}" in ran.out
    assert said in ran.out
    assert "every demanded check held; " in ran.out
    demanded = call("check", write(tmp_path, f"{spec}check {group}\n"), "--no-torch")
    assert demanded.code == 1
    assert f"FAILED  {group}" in demanded.out
    assert said in demanded.out


def test_mass_without_a_dose_is_a_note(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        TINY.replace("dose D 100 [mg] into plasma at 0 [h]; ", "").replace(
            "check cmax(one.Cp) in (9, 11) [mg/L]\n", ""
        ),
    )
    found = call("check", spec, "--no-torch", "--format", "json")
    assert found.code == 0
    assert [status for status, _ in item(found.json(), "mass")] == ["note"]


def test_an_expectation_of_a_data_scenario_has_no_value(tmp_path: Path) -> None:
    ran = call("check", write(tmp_path, STUDY + "check cmax(data.Cp) in (1, 2) [mg/L]\n"), "--no-torch")
    assert ran.code == 1
    assert "cmax(data.Cp) has no value: scenario 'data' takes its doses from a data file" in ran.out


def test_an_expectation_of_a_run_that_fails_says_why(tmp_path: Path) -> None:
    ran = call("check", write(tmp_path, BLOW_UP + "check cmax(whole.level) in (1, 2) [1]\n"), "--no-torch")
    assert ran.code == 1
    assert "residual     whole: the scenario cannot be solved" in ran.out
    assert "cmax(whole.level) has no value: scenario 'whole' cannot be solved" in ran.out


def test_flow_and_volume_of_a_body(tmp_path: Path) -> None:
    found = call(
        "check", write(tmp_path, BODY + "check mass, volume, positive\n"), "--no-torch", "--format", "json"
    )
    assert found.code == 0, found.out
    assert item(found.json(), "flow") == [("held", "inflow equals outflow at 6 nodes (8 vessels, 300 L/h)")]
    assert {i["name"] for i in found.json()["items"] if i["group"] == "residual"} == {
        "iv",
        "small",
    }


def test_an_organ_without_volume_stops_the_check(tmp_path: Path) -> None:
    ran = call(
        "check", write(tmp_path, BODY), "--no-torch", "--set", "muscle.volume = 90 L", "--format", "json"
    )
    assert ran.code == 2
    assert [p["code"] for p in ran.json()["problems"]] == ["negative-remainder"]


def test_an_unknown_term_without_a_form_is_asked_for(tmp_path: Path) -> None:
    spec = write(tmp_path, UNKNOWN)
    ran = call("check", spec, "--no-torch")
    assert ran.code == 1
    assert '--unknown "cap = expression"' in ran.out
    assert call("check", spec, "--no-torch", "--unknown", "cap = 1 / (1 + c / 30 [umol/L])").code == 0


def test_warnings_of_the_spec_go_to_standard_error(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY + "param idle = 3 [h]\n")
    ran = call("check", spec, "--no-torch")
    assert ran.code == 0
    assert "nobody reads 'idle'" in ran.err
    assert "idle" not in ran.out
    assert [w["code"] for w in call("check", spec, "--no-torch", "--format", "json").json()["warnings"]] == [
        "unused"
    ]


#: A function of which nothing is known but its range, called or not.
FORMLESS = """\
pbpk 1
model formless "An unknown term without a default"
species D { mw = 100 [g/mol] }
pool a { volume = 1 [L] }
sink out
unknown g(c [umol/L] in (0, 100) [umol/L]) -> [1] { range (0, 1) }
process loss : a -> out rate 1 [L/h] * a.CALL
observe Ca = a.C in [mg/L]
scenario one { dose D 1 [mg] into a at 0 [h]; run 1 [h] }
check mass, positive
check cmax(one.Ca) in (0.9, 1.1) [mg/L]
"""


def test_an_unknown_term_that_nobody_calls_needs_no_form(tmp_path: Path) -> None:
    ran = call("check", write(tmp_path, FORMLESS.replace("CALL", "C")), "--no-torch", "--format", "json")
    found = ran.json()
    assert (ran.code, found["ok"]) == (0, True)
    assert {i["status"] for i in found["items"]} == {"held"}
    assert [w["code"] for w in found["warnings"]] == ["unused"]


def test_what_needs_no_values_is_proved_without_the_form_of_an_unknown_term(tmp_path: Path) -> None:
    spec = write(tmp_path, FORMLESS.replace("CALL", "C * g(a.C)"))
    ran = call("check", spec, "--no-torch", "--format", "json")
    found = ran.json()
    assert ran.code == 1
    for group in ("units", "volume", "mass", "positive", "code"):
        assert [status for status, _ in item(found, group)] == ["held"], group
    missing = "the unknown term 'g' has no default; write one, or give --unknown \"g = expression\""
    assert item(found, "residual") == [("violated", f"the scenario cannot be run: {missing}")]
    assert item(found, "expectation") == [("violated", f"1 expectation has no value: {missing}")]
    shown = call("check", spec, "--no-torch")
    assert shown.code == 1 and shown.out.endswith("2 checks failed\n")
    assert call("check", spec, "--no-torch", "--unknown", "g = 1").code == 0


def test_a_run_without_the_form_of_an_unknown_term_says_what_to_give(tmp_path: Path) -> None:
    ran = call("simulate", write(tmp_path, FORMLESS.replace("CALL", "C * g(a.C)")))
    assert ran.code == 2
    assert "has no default" in ran.err and '--unknown "g = expression"' in ran.err
    assert "unknowns=" not in ran.err and "{" not in ran.err


def test_more_of_one_species_than_left_fails_where_mass_is_demanded(tmp_path: Path) -> None:
    made = LEAK.replace("a -> b rate 5 [umol/h]", "a -> 3 b rate 1 [1/h] * a.A")
    said = "leak (a.D -> 3 b.D) creates 2 umol of D for each umol that leaves a"
    warned = call("check", write(tmp_path, made), "--no-torch", "--format", "json")
    assert item(warned.json(), "mass") == [("warning", said)]
    failed = call("check", write(tmp_path, made + "check mass\n"), "--no-torch", "--format", "json")
    assert failed.code == 1
    assert item(failed.json(), "mass") == [("violated", said)]


def test_a_volume_that_is_not_positive_is_one_fault_of_positivity(tmp_path: Path) -> None:
    text = BODY.replace("in (50, 150) [kg]", "in (30, 150) [kg]") + "check volume, positive\n"
    found = call("check", write(tmp_path, text), "--no-torch", "--format", "json").json()
    failed = [(i["group"], i["name"], i["text"]) for i in found["items"] if i["status"] == "violated"]
    (volume, positive) = failed
    assert volume[:2] == ("volume", "rest.volume")
    assert positive[0] == "positive"
    assert "venous.D fail at values at which rest.volume is not positive" in positive[2]
