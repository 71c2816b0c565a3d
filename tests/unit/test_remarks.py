"""What `pbpkc check` asks about a spec that compiles, and that it asks nothing about sound ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbpkc.body.organs import organ_of
from pbpkc.body.usual_values import HUMAN_ADULT, HUMAN_CHILD, RAT, usual_body
from pbpkc.check.extraction import extractions
from pbpkc.jobs.loaded import load
from pbpkc.jobs.remarks import remarks
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.resources import resource

SPECS = sorted(Path(str(resource("specs"))).glob("*.pbpk"))

BODY = """\
pbpk 1
model body "Blood, a liver and the rest"
covariate BW = 70 [kg]
param CO = 6 [L/min]
param CL = 30 [L/h]
blood  artery { volume = 2 [L] }
blood  vein   { volume = 3.5 [L] }
tissue liver  { volume = 1.8 [L]; flow = 25 [%] * CO }
tissue rest   { volume = 60 [L] }
sink   gone
circulation CO { vein -> artery; artery -> {liver, rest} -> vein }
species X carried by CO { mw = 300 [g/mol]; fup = 0.2; bp = 0.8; kp = 1.5 }
process metabolism : liver -> gone  rate CL * artery.Cp
observe Cp = vein.Cp in [mg/L]
scenario iv { dose X 10 [mg] into vein at 0 [h]; run 24 [h] }
"""


def model(text: str) -> Model:
    return resolve(parse(SourceFile("body.pbpk", text)))


def codes(text: str) -> list[str]:
    return [d.code for d in remarks(model(text))]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_nothing_is_asked_about_a_shipped_spec(path: Path) -> None:
    assert [d.render() for d in remarks(load(path).model)] == []


def test_a_body_by_itself_is_usual(tmp_path: Path) -> None:
    path = tmp_path / "with_body.pbpk"
    path.write_text(
        'pbpk 1\nmodel m\nuse "library/human_adult.pbpk"\n'
        "species X carried by CO { mw = 300 [g/mol]; kb = 1 }\n"
        "observe C = venous.C in [mg/L]\n"
        "scenario iv { dose X 1 [mg] into venous; run 1 [h] }\n"
    )
    for weight in ("73 [kg]", "50 [kg]", "110 [kg]"):
        changed = load(path).with_settings(set=f"BW = {weight}")
        assert remarks(changed.model) == (), weight


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1.8 [L]", "1.8 [mL]"),
        ("1.8 [L]", "18 [L]"),
        ("25 [%]", "0.25 [%]"),
        ("6 [L/min]", "6 [L/h]"),
        ("6 [L/min]", "600 [L/min]"),
        ("BW = 70 [kg]", "BW = 70 [g]"),
        ("volume = 3.5 [L]", "volume = 35 [L]"),
        ("bp = 0.8", "bp = 0.08"),
        ("300 [g/mol]", "300 [mg/mol]"),
        ("kp = 1.5", "kp = 1500"),
        ("CL = 30 [L/h]", "CL = 30 [L/min]"),
    ],
)
def test_a_slip_is_asked_about(before: str, after: str) -> None:
    assert before in BODY
    sound, slipped = codes(BODY), codes(BODY.replace(before, after))
    assert sound == []
    assert {"unusual", "extraction"} & set(slipped)


def test_a_pool_or_a_gut_content_is_no_organ() -> None:
    assert organ_of("liver", "pool") is None
    assert organ_of("stomach", "lumen") is None
    assert organ_of("stomach", "tissue") == "stomach"
    assert organ_of("mother.Small_Intestine", "tissue") == "small gut"
    assert organ_of("liver<3>", "tissue") == "liver"
    assert organ_of("liver_cells", "tissue") is None


def test_segments_of_an_organ_are_counted_together() -> None:
    split = BODY.replace(
        "tissue liver  { volume = 1.8 [L]; flow = 25 [%] * CO }", "tissue liver<3>  { volume = 0.6 [L] }"
    )
    split = split.replace(
        "artery -> {liver, rest} -> vein",
        "artery -> rest -> vein; artery -> liver<1> at 25 [%] * CO; liver<1> -> liver<2> -> liver<3> -> vein",
    ).replace("liver -> gone", "liver<1> -> gone")
    assert codes(split) == []
    assert codes(split.replace("0.6 [L]", "0.2 [L]")) == ["unusual"]


def test_organism_and_weight_choose_the_table() -> None:
    assert usual_body("human", 73) is HUMAN_ADULT
    assert usual_body("human", 12) is HUMAN_CHILD
    assert usual_body("rat", 0.25) is RAT
    assert usual_body(None, 70) is HUMAN_ADULT
    # Without an organism only the weight of an adult tells something; and nothing is known here of dogs.
    assert usual_body(None, 0.25) is None
    assert usual_body("dog", 10) is None


@pytest.mark.parametrize("body", [HUMAN_ADULT, HUMAN_CHILD, RAT], ids=lambda b: b.called)
def test_ranges_are_ranges_with_a_source(body: object) -> None:
    assert isinstance(body, type(HUMAN_ADULT))
    for usual in (*body.volumes.values(), *body.flows.values(), body.cardiac_output, body.filtration):
        assert 0 < usual.low <= usual.high and usual.margin >= 1 and usual.source
        assert usual.holds(usual.low) and usual.holds(usual.high)
        assert not usual.holds(100 * usual.high)


def test_extraction_is_that_of_the_well_stirred_liver() -> None:
    # CL * artery.Cp: plasma clearance 30 L/h is 30 / bp of blood; the flow is a quarter of 360 L/h.
    (found,) = extractions(model(BODY))
    assert (found.node, found.species, found.flow) == ("liver", "X", pytest.approx(90.0))
    assert found.clearance == pytest.approx(30 / 0.8)
    # A rate of the concentration in the liver itself cannot take more than arrives, however fast.
    assert extractions(model(BODY.replace("artery.Cp", "liver.Cu").replace("30 [L/h]", "1e6 [L/h]"))) == ()
    # The well-stirred clearance written out stays below the flow.
    written = BODY.replace("CL * artery.Cp", "liver.flow * CL / (liver.flow + CL) * artery.C")
    assert "extraction" not in codes(written.replace("30 [L/h]", "1e6 [L/h]"))


def test_what_saturates_has_its_full_clearance() -> None:
    saturable = BODY.replace("CL * artery.Cp", "mm(CL * 2 [umol/L], 2 [umol/L], artery.C)")
    (found,) = extractions(model(saturable))
    assert found.clearance == pytest.approx(30, rel=1e-3)
    assert "extraction" in codes(saturable.replace("30 [L/h]", "100 [L/h]"))
