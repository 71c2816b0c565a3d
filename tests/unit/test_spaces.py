"""Permeability-limited tissue: which states there are, what can be read, set and masked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pbpkc
from pbpkc.compiler.lower import lower
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Model
from pbpkc.language.options.option_text import OptionError
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format import format_tree
from pbpkc.language.syntax.parse import parse
from pbpkc.report.equations_latex import equations_latex

BODY = """pbpk 1
model body
param CO = 300 [L/h]
blood artery { volume = 2 [L] }
blood vein { volume = 4 [L] }
tissue lung { volume = 1 [L]; vascular = 40 [%] }
tissue liver { volume = 1.8 [L]; flow = 90 [L/h]; vascular = 0.2 [L] }
tissue rest { volume = 40 [L]; vascular = 5 [%] }
pool bile { volume = 0.1 [L] }
sink out
circulation CO { vein -> lung -> artery; artery -> {liver, rest} -> vein }
"""
DRUG = """species X carried by CO { mw = 200 [g/mol]; fup = 0.2; bp = 0.9; kp = 2; ps.liver = 15 [L/h] }
species M carried by CO { mw = 300 [g/mol]; ps = 0 }
process met : liver.tissue.X -> liver.tissue.M rate 30 [L/h] * liver.tissue.X.Cu
process carrier : liver.tissue.M -> liver.blood.M rate mm(50 [umol/h], 9 [umol/L], liver.tissue.M.C)
process gone : vein.M -> out.M rate 6 [L/h] * vein.M.C
observe Cp = vein.X.Cp in [mg/L]
observe whole = liver.X.A in [mg]
observe mean = liver.M.C in [mg/L]
observe kept = rest.M.A in [mg]
scenario iv { dose X 100 [mg] into vein; run 12 [h] }
check mass, volume, positive
"""


Load = Callable[[str], LoadedModel]


def model(text: str) -> Model:
    return resolve(parse(SourceFile("spec.pbpk", text)))


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def load(text: str) -> LoadedModel:
        (tmp_path / "spec.pbpk").write_text(text, encoding="utf-8")
        return pbpkc.load(tmp_path / "spec.pbpk")

    return load


def refusals(text: str) -> list[str]:
    with pytest.raises(SpecError) as raised:
        lower(model(text))
    return [d.code for d in raised.value.diagnostics]


def test_states_and_why_they_exist() -> None:
    reasons = {s.name: s.reason for s in model(BODY + DRUG).states}
    assert list(reasons) == [
        "artery.X", "vein.X", "lung.X", "liver.blood.X", "liver.tissue.X", "rest.X",
        "artery.M", "vein.M", "lung.blood.M", "liver.blood.M", "liver.tissue.M", "rest.blood.M", "out.M",
    ]  # fmt: skip
    assert reasons["liver.blood.X"] == "'X' is carried by CO"
    assert reasons["liver.tissue.M"] == "process 'met' touches it"
    alone = (
        BODY + DRUG.replace("liver.tissue.X -> liver.tissue.M", "vein.X -> vein.M").split("process car")[0]
    )
    passes = {s.name: s.reason for s in model(alone).states}
    assert passes["liver.tissue.X"] == "'X' passes between the spaces of 'liver'"
    assert "liver.tissue.M" not in passes


def test_the_amount_of_a_tissue_holds_the_spaces_that_exist() -> None:
    system = lower(model(BODY + DRUG))
    written = {c.name: str(c.expr) for c in system.curves}
    assert written["liver.X.A"] == "liver_blood_X + liver_tissue_X"
    assert written["rest.M.A"] == "rest_blood_M"


def test_a_species_that_no_blood_carries_passes_where_it_is_put() -> None:
    text = BODY + (
        "species Y { fup = 0.5; bp = 1; kp = 3; ps = 2 [L/h] }\n"
        "process make : outside -> liver.tissue.Y rate 1 [umol/h]\n"
        "process lost : liver.blood.Y -> outside rate 1 [1/h] * liver.blood.Y.A\n"
    )
    assert [s.name for s in model(text).states] == ["liver.blood.Y", "liver.tissue.Y"]
    assert [a.name for a in model(text).arrows] == ["make", "lost", "passive.liver.Y"]


def test_one_species_may_be_left_out() -> None:
    text = BODY + (
        "species X carried by CO { fup = 0.2; bp = 0.9; kp = 2; ps.liver = 15 [L/h] }\n"
        "process met : liver.tissue -> out rate 30 [L/h] * liver.tissue.Cu\n"
        "start liver.blood = 3 [umol]\nobserve y = liver.tissue.C in [umol/L]\n"
        "scenario s { dose X 1 [umol] into liver.tissue; start liver.tissue.A = 2 [umol]; run 1 [h] }\n"
    )
    found = model(text)
    assert {s.name for s in found.states if s.start is not None} == {"liver.blood.X"}
    assert found.scenarios["s"].doses[0].state == "liver.tissue.X"
    assert [name for name, _ in found.scenarios["s"].starts] == ["liver.tissue.X"]


def test_kp_is_asked_for_only_where_something_passes() -> None:
    lone = BODY + "species M carried by CO { ps = 0 }\nobserve y = vein.M.C in [umol/L]\n"
    assert len(model(lone).states) == 5
    passes = lone.replace("ps = 0", "fup = 0.1; bp = 1; ps = 0 [L/h] + 0 [L/h]")
    assert refusals(passes) == ["partition"]


def test_blood_counts_once_in_a_remainder(loaded: Load) -> None:
    text = BODY.replace("volume = 40 [L]", "volume = remainder(48.8 [L])") + DRUG
    run = loaded(text).simulate("iv", times=[0.0, 1.0])
    assert run.observables["Cp"][1] == pytest.approx(
        loaded(BODY + DRUG).simulate("iv", times=[0.0, 1.0]).observables["Cp"][1], rel=1e-9
    )


@pytest.mark.parametrize(
    ("setting", "edit"),
    [
        ("X.ps.liver = 4 L/h", ("ps.liver = 15 [L/h]", "ps.liver = 4 [L/h]")),
        ("X.kp.liver = 5", ("kp = 2;", "kp = 2; kp.liver = 5;")),
        ("liver.vascular = 300 mL", ("vascular = 0.2 [L]", "vascular = 0.3 [L]")),
        ("liver.volume = 2.5 L", ("volume = 1.8 [L]", "volume = 2.5 [L]")),
        ("rest.vascular = 3 L", ("vascular = 5 [%]", "vascular = 3 [L]")),
        ("liver.flow = 60 L/h", ("flow = 90 [L/h]", "flow = 60 [L/h]")),
        ("X.fup = 0.4", ("fup = 0.2", "fup = 0.4")),
    ],
)
def test_a_setting_is_the_same_edit_of_the_spec(loaded: Load, setting: str, edit: tuple[str, str]) -> None:
    text = BODY + DRUG
    assert edit[0] in text
    times = [0.0, 0.3, 2.0, 9.0]
    run = loaded(text).simulate("iv", times=times, set=setting)
    again = loaded(text.replace(*edit)).simulate("iv", times=times)
    plain = loaded(text).simulate("iv", times=times)
    for name in ("Cp", "whole", "mean", "kept"):
        np.testing.assert_allclose(run.observables[name], again.observables[name], rtol=1e-9, atol=1e-12)
    assert any(not np.allclose(run.observables[k], plain.observables[k]) for k in ("Cp", "mean", "kept"))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("liver.vascular = 2 L", "the blood in 'liver' is 2 L, and its volume 1.8 L"),
        ("liver.volume = 0.1 L", "the blood in 'liver' is 0.2 L, and its volume 0.1 L"),
        ("X.ps.liver = -1 L/h", "'X.ps.liver' is -1"),
        ("M.ps = 1 L/h", "'M.ps' is written as 0"),
        ("M.ps.liver = 1 L/h", "'M.ps.liver' is written as 0"),
        ("X.ps.rest = 1 L/h", "nothing in this model reads 'X.ps.rest'"),
        ("liver.tissue.volume = 1 L", "'liver.tissue.volume' is computed"),
        ("liver.blood.X = 1", "'liver.blood.X' is a state"),
        ("X.ps = 1 L/h", "'X.ps' has no one value"),
    ],
)
def test_settings_that_cannot_be(loaded: Load, option: str, said: str) -> None:
    with pytest.raises((OptionError, SpecError)) as raised:
        loaded(BODY + DRUG).simulate("iv", set=option)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "option",
    [
        "X.ps.liver in (0.1, 100) [L/h] scale log",
        "X.ps.liver ~ lognormal(8 [L/h], cv = 50 [%]) in (0.1, 100) [L/h]",
        "X.kp.rest in (0.1, 10)",
        "liver.vascular in (0.05, 0.5) [L]",
        "liver.volume in (1, 3) [L]",
        "liver.flow in (40, 120) [L/h]",
        "X.fup in (0.01, 1)",
    ],
)
def test_attributes_are_masked_by_path(loaded: Load, option: str) -> None:
    masked = loaded(BODY + DRUG).with_settings(mask=option)
    assert [d.name for d in masked.model.masked] == [option.split()[0]]
    assert [p.name for p in masked.stages.lowered.parameters if p.mask is not None] == [option.split()[0]]
    assert masked.with_settings(unmask=option.split()[0]).model.masked == ()


def test_a_population_varies_a_permeability(loaded: Load) -> None:
    text = (
        BODY
        + DRUG
        + "population p { X.ps.liver ~ lognormal(cv = 40 [%]); liver.vascular ~ normal(cv = 9 [%]) }\n"
    )
    body = loaded(text)
    crowd = body.simulate("iv", population=body.population(3, seed=1), times=[0.0, 1.0])
    values = [run.trajectory.observable("mean")[-1] for run in crowd.runs]
    assert len(set(values)) == 3


def test_every_way_to_write_it_down() -> None:
    text = BODY + DRUG
    tree = parse(SourceFile("spec.pbpk", text))
    once = format_tree(tree)
    assert parse(SourceFile("spec.pbpk", once)) == tree
    assert "ps.liver = 15 [L/h]" in once
    latex = equations_latex(lower(model(text)))
    assert "A_{\\mathrm{liver,blood,X}}" in latex and "\\mathrm{PS}_{\\mathrm{liver,X}}" in latex
