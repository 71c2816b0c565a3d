"""Doses into general states: they name no species and have the unit of their state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cli_case import call, write

from pbpkc.jobs.loaded import load
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format import format_tree
from pbpkc.language.syntax.parse import parse

SPEC = """\
pbpk 1
model pair "Two states of one total" { time [1]; units none }
input amount = 0
param share = 0.5
param ka = 1.2
param ke = 0.1
state GUT = 0
state CENT = 0
state OUT = 0
process absorption : GUT -> CENT rate ka * GUT
process loss : CENT -> OUT rate ke * CENT
observe gut = GUT in [1]
observe central = CENT in [1]
scenario bolus { dose 100 into GUT at 1 lag 0.5 fraction share; run 10 }
scenario infusion { dose (amount) into CENT rate 2 * share; set amount = 4; run 10 }
scenario trial { data "trial.csv" { CMT 1 dose into GUT fraction share; CMT 2 observe central } }
check mass
"""


def test_a_bolus_and_an_infusion_into_states(tmp_path: Path) -> None:
    model = load(write(tmp_path, SPEC))
    t = np.array([0.0, 1.4, 2.0, 10.0])
    run = model.simulate("bolus", times=t)
    late = np.where(t >= 1.5, t - 1.5, 0.0)
    gut = np.where(t >= 1.5, 50 * np.exp(-1.2 * late), 0.0)
    np.testing.assert_allclose(run.observables["gut"], gut, rtol=1e-7, atol=1e-9)
    run = model.simulate("infusion", times=t)
    during = np.minimum(t, 4.0)
    central = 1 / 0.1 * (1 - np.exp(-0.1 * during)) * np.exp(-0.1 * (t - during))
    np.testing.assert_allclose(run.observables["central"], central, rtol=1e-7, atol=1e-9)


def test_doses_of_a_data_file_go_into_states(tmp_path: Path) -> None:
    write(tmp_path, "ID,TIME,AMT,DV,CMT\n1,0,100,.,1\n1,2,.,1,2\n", "trial.csv")
    done = call("simulate", write(tmp_path, SPEC), "-s", "trial")
    assert done.code == 0, done.err
    exact = 50 * 1.2 / (1.2 - 0.1) * (np.exp(-0.1 * 2) - np.exp(-1.2 * 2))
    last = done.out.splitlines()[-1].split(",")
    np.testing.assert_allclose(float(last[-1]), exact, rtol=1e-6)


def test_a_file_with_another_compartment_is_told_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, "ID,TIME,AMT,DV,CMT\n1,0,100,.,3\n1,2,.,1,2\n", "trial.csv")
    done = call("simulate", write(tmp_path, SPEC), "-s", "trial")
    assert done.code == 1
    assert "add the line: CMT 3 dose into STATE" in done.err


def test_mass_is_proved_of_the_dosed_state(tmp_path: Path) -> None:
    done = call("check", write(tmp_path, SPEC), "--no-torch", "--format", "json")
    assert done.code == 0, done.err
    found = {i["name"]: i["status"] for i in done.json()["items"] if i["group"] == "mass"}
    assert found == {"GUT": "held", "CENT": "held"}


def test_format_keeps_what_a_dose_needs_to_be_read_again() -> None:
    text = SPEC + "scenario more { dose (amount + 2) * 3 into GUT; dose 2 * amount into GUT; run 1 }\n"
    tree = parse(SourceFile("pair.pbpk", text))
    once = format_tree(tree)
    assert "dose (amount) into CENT" in once
    assert "dose 2 * amount into GUT" in once
    assert parse(SourceFile("pair.pbpk", once)) == tree
    assert format_tree(parse(SourceFile("pair.pbpk", once))) == once
