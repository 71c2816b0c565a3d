"""`pbpkc diff`: meaning counts, and text does not."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from cli_case import call

from pbpkc.language import model as m
from pbpkc.language.expression import Expr
from pbpkc.language.model import Model
from pbpkc.language.normal_form import normal_form
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.report import difference
from pbpkc.report.difference import differences
from pbpkc.resources import resource

SPEC = """\
pbpk 1
model one "Two organs" { organism human }
covariate BW = 70 [kg] in (30, 150) [kg]
param CO = 6 [L/min]
param cl = 30 [L/h] source "a book"
masked ka ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]
unknown left (c [umol/L] in (0, 600) [umol/L]) -> [1] {
  range (0, 1); falling in c; at (0 [umol/L]) = 1; default 1
}
blood  artery { volume = 2 [L] }
blood  vein   { volume = 3.5 [L] }
tissue liver  { volume = 1.8 [L]; flow = 25 [%] * CO }
tissue rest   { volume = 60 [L]; like = muscle }
lumen  gut
sink   gone
circulation CO { vein -> artery; artery -> {liver, rest} -> vein }
species X carried by CO { mw = 300 [g/mol]; fup = 0.2; bp = 0.8; kp = 1.5; pka = acid(4) }
process absorption : gut.X -> liver.X  rate ka * gut.X.A
process metabolism : liver -> gone     rate cl * liver.Cu * left(liver.C)
observe Cp = vein.Cp in [mg/L] error prop(10 [%]) lloq 0.1 [mg/L]
population adults { BW ~ normal(cv = 15 [%]); ka ~ lognormal(cv = 30 [%]); correlate BW, ka = 0.2 }
scenario po { dose X 10 [mg] into gut; dose X 5 [mg] into gut at 8 [h]; run 24 [h] }
scenario half from po { set cl = 15 [L/h]; start gut = 1 [umol] }
scenario trial {
  data "t.csv" {
    column TIME [h]; column AMT [mg]; CMT 1 dose X into gut; DVID 1 observe Cp; keep ID in (1, 4)
  }
}
check mass, positive
check cmax(po.Cp) in (0.01, 1) [mg/L]
"""


def model(text: str) -> Model:
    return resolve(parse(SourceFile("x.pbpk", text)))


def changes(before: str, after: str) -> list[tuple[str, str, str, str]]:
    assert before in SPEC
    found = differences(model(SPEC), model(SPEC.replace(before, after)))
    return [(c.section, c.name, c.what, c.aspect) for c in found]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("volume = 1.8 [L]", "volume = 1800 [mL]"),
        ("CO = 6 [L/min]", "CO = 360 [L/h]"),
        ("25 [%] * CO", "CO * 0.25"),
        ("25 [%] * CO", "CO / 4"),
        ("ka * gut.X.A", "gut.X.A * ka"),
        ("cl * liver.Cu * left(liver.C)", "left(liver.C) * (liver.Cu * cl)"),
        ('source "a book"', 'source "another"  # and a comment'),
        ('"Two organs"', '"Renamed"'),
        ("model one", "model two"),
        ("in (0.1, 10) [1/h]", "in (100 [1/h] / 1000, 10 [1/h])"),
        ("lognormal(1 [1/h]", "lognormal(24 [1/day]"),
        ("dose X 10 [mg] into gut;", "dose X 0.01 [g] into gut at 0 [min] fraction 1;"),
        (
            "dose X 10 [mg] into gut; dose X 5 [mg] into gut at 8 [h]",
            "dose X 5 [mg] into gut at 480 [min]; dose X 10 [mg] into gut",
        ),
        ("run 24 [h]", "run 1 [day]"),
        ("(0.01, 1) [mg/L]", "(10, 1000) [ug/L]"),
        ("check mass, positive", "check positive\ncheck mass"),
        ("artery -> {liver, rest}", "artery -> {rest, liver}"),
        ("BW, ka = 0.2", "ka, BW = 20 [%]"),
        ("set cl = 15 [L/h]", "set cl = 0.25 [L/min]"),
    ],
)  # fmt: skip
def test_text_is_no_difference(before: str, after: str) -> None:
    assert changes(before, after) == []


def test_order_of_declarations_is_no_difference() -> None:
    head, *lines = SPEC.split("\n")[1:-1]
    assert (
        differences(
            model(SPEC),
            model(
                "\n".join(
                    ["pbpk 1", head, *reversed(lines[:4]), *lines[4:7], *reversed(lines[7:18]), *lines[18:]]
                )
            ),
        )
        == ()
    )


def test_a_used_file_may_be_called_otherwise(tmp_path: Path) -> None:
    body = "\n".join(["pbpk 1", 'model body "b"', *SPEC.split("\n")[2:4], ""])
    rest = "\n".join(["pbpk 1", SPEC.split("\n")[1], 'use "{}"', *SPEC.split("\n")[4:]])
    for name in ("body.pbpk", "anatomy.pbpk"):
        (tmp_path / name).write_text(body)
        (tmp_path / f"with_{name}").write_text(rest.replace("{}", name))
    (tmp_path / "whole.pbpk").write_text(SPEC)
    first, second = tmp_path / "with_body.pbpk", tmp_path / "with_anatomy.pbpk"
    assert call("diff", str(first), str(second)).code == 0
    assert call("diff", str(first), str(tmp_path / "whole.pbpk")).code == 0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("volume = 1.8 [L]", "volume = 1.8000001 [L]", ("attributes", "liver.volume", "changed", "value")),
        ("volume = 1.8 [L]", "volume = 1.8 [mL]", ("attributes", "liver.volume", "changed", "value")),
        ("cl = 30 [L/h]", "cl = 31 [L/h]", ("parameters", "cl", "changed", "value")),
        ("in (30, 150) [kg]", "in (30, 160) [kg]", ("parameters", "BW", "changed", "bounds")),
        ("cv = 50 [%]", "cv = 60 [%]", ("parameters", "ka", "changed", "prior")),
        ("in (0.1, 10) [1/h]", "in (0.1, 10) [1/h] scale natural", ("parameters", "ka", "changed", "scale")),
        ("rate ka * gut.X.A", "rate ka * gut.X.A / 2", ("processes", "absorption", "changed", "rate")),
        ("cl * liver.Cu", "cl * liver.Cp", ("processes", "metabolism", "changed", "rate")),
        ("absorption : gut.X -> liver.X", "absorption : gut.X -> rest.X",
         ("processes", "absorption", "changed", "arrow")),
        ("process absorption", "process uptake", ("processes", "absorption", "removed", "")),
        ("falling in c", "rising in c", ("unknown terms", "left", "changed", "direction")),
        ("default 1", "default exp(-c / 9 [umol/L])", ("unknown terms", "left", "changed", "default")),
        ("like = muscle", "like = skin", ("nodes", "rest", "changed", "like")),
        ("bp = 0.8", "bp = 0.9", ("attributes", "X.bp", "changed", "value")),
        ("kp = 1.5", "kb = 1.5", ("attributes", "X.kp", "removed", "")),
        ("acid(4)", "base(4)", ("species", "X", "changed", "pka")),
        ("organism human", "organism rat", ("head", "model", "changed", "organism")),
        ("flow = 25 [%] * CO", "outflow = 25 [%] * CO", ("attributes", "liver.flow", "removed", "")),
        ("prop(10 [%])", "prop(20 [%])", ("observables", "Cp", "changed", "error")),
        ("in [mg/L] error", "in [ug/L] error", ("observables", "Cp", "changed", "unit")),
        ("lloq 0.1", "lloq 0.2", ("observables", "Cp", "changed", "lloq")),
        ("run 24 [h]", "run 25 [h]", ("scenarios", "po", "changed", "run")),
        ("gut at 8 [h]", "gut at 8 [h] every 8 [h] steady", ("scenarios", "po", "changed", "dose 2")),
        ("run 24 [h]", "start steady; run 24 [h]", ("scenarios", "po", "changed", "start steady")),
        ("set cl = 15", "start after po; set cl = 15", ("scenarios", "half", "changed", "start after")),
        ("into gut at 8 [h]", "into gut at 9 [h]", ("scenarios", "po", "changed", "dose 2")),
        ("start gut = 1 [umol]", "start gut = 2 [umol]", ("scenarios", "half", "changed", "start gut.X")),
        ("keep ID in (1, 4)", "keep ID in (1, 5)", ("scenarios", "trial", "changed", "keep ID")),
        ("column AMT [mg]", "column AMT [g]", ("scenarios", "trial", "changed", "column AMT")),
        ("normal(cv = 15 [%])", "normal(cv = 16 [%])", ("populations", "adults", "changed", "BW")),
        ("BW, ka = 0.2", "BW, ka = 0.3", ("populations", "adults", "changed", "correlate BW, ka")),
        ("(0.01, 1) [mg/L]", "(0.01, 2) [mg/L]", ("checks", "cmax(po.Cp)", "changed", "bounds")),
        ("check mass, positive", "check mass", ("checks", "positive", "removed", "")),
    ],
)  # fmt: skip
def test_a_difference_of_meaning_is_told(before: str, after: str, expected: tuple[str, ...]) -> None:
    assert expected in changes(before, after)


#: Fields of a model that say how something is written, not what it means.
OF_THE_TEXT = {"name", "title", "doc", "source", "span", "keep_spans", "files", "warnings", "reason"}
#: Fields that follow from others: of a node from its attributes, of a state from its name, of a definition
#: from its expression and the nodes, of a check from its expression.
DERIVED = {
    m.Node: {"volume", "vascular", "remainder"},
    m.State: {"node", "species", "sink", "space"},
    m.Definition: {"unit", "derived"},
    m.Species: {"attributes"},
    m.Edge: set(),
    m.Arrow: {"kind", "open"},
    m.ValueCheck: {"text", "unit"},
    m.Mask: {"counted"},
}


@pytest.mark.parametrize(
    "part",
    [
        m.Definition, m.Mask, m.Prior, m.State, m.Node, m.Species, m.Edge, m.Arrow, m.Argument, m.Unknown,
        m.ErrorModel, m.Observable, m.Dose, m.Column, m.DataBlock, m.Change, m.Scenario, m.Variation,
        m.Correlation, m.Population, m.ValueCheck, m.Model,
    ],
)  # fmt: skip
def test_no_field_of_a_model_is_forgotten(part: type) -> None:
    # A field that is new in the model would otherwise be a difference that nobody is told of.
    text = Path(difference.__file__).read_text()
    for field in fields(part):
        if field.name not in OF_THE_TEXT | DERIVED.get(part, set()):
            assert f".{field.name}" in text, f"{part.__name__}.{field.name} is not compared"


def test_a_vessel_and_a_state_come_and_go() -> None:
    wider = SPEC.replace("tissue rest", "tissue skin { volume = 3 [L]; flow = 5 [%] * CO }\ntissue rest")
    wider = wider.replace("{liver, rest}", "{liver, skin, rest}")
    found = {(c.section, c.name, c.what) for c in differences(model(SPEC), model(wider))}
    assert {
        ("nodes", "skin", "added"),
        ("blood flows", "artery -> skin", "added"),
        ("blood flows", "artery -> rest", "changed"),
        ("states", "skin.X", "added"),
    } <= found
    back = {(c.section, c.name, c.what) for c in differences(model(wider), model(SPEC))}
    assert ("states", "skin.X", "removed") in back


def test_status_and_words(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pbpk", tmp_path / "two.pbpk"
    one.write_text(SPEC)
    two.write_text(
        SPEC.replace("cl = 30 [L/h]", "cl = 500 [mL/min]   # the same").replace("kp = 1.5", "kp = 2")
    )
    ran = call("diff", str(one), str(two))
    assert (ran.code, ran.out) == (1, "attributes\n  ~ X.kp value: 1.5  ->  2\n1 difference\n")
    ran = call("diff", str(one), str(one))
    assert (ran.code, ran.out) == (0, "both mean the same\n")
    found = call("diff", str(one), str(two), "--format", "json")
    assert found.code == 1
    assert json.loads(found.out) == {
        "same": False,
        "changes": [
            {
                "section": "attributes",
                "name": "X.kp",
                "what": "changed",
                "aspect": "value",
                "before": "1.5",
                "after": "2",
            }
        ],
    }
    two.write_text("pbpk 1\n")
    ran = call("diff", str(one), str(two))
    assert ran.code == 1
    assert "error[no-model]" in ran.err


@pytest.mark.parametrize("path", sorted(Path(str(resource("specs"))).glob("*.pbpk")), ids=lambda p: p.stem)
def test_a_shipped_spec_is_like_itself_written_anew(path: Path) -> None:
    from pbpkc.jobs.loaded import load

    assert differences(load(path).model, load(path).model) == ()


def let(text: str) -> Expr:
    found = model(SPEC + f"let y = {text}\n").definitions["y"].expr
    return found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2 * 3 * cl", "cl * 6", True),
        ("cl + cl", "2 * cl", True),
        ("cl - cl / 2", "0.5 * cl", True),
        ("cl / (2 * BW)", "0.5 * cl / BW", True),
        ("(BW / 70 [kg])^0.75", "(BW / 70000 [g])^0.75", True),
        ("BW * BW", "BW^2", True),
        ("1 / BW", "BW^(-1)", True),
        ("-(cl - CO)", "CO - cl", True),
        ("max(cl, CO)", "max(CO, cl)", True),
        ("0.1 * cl", "cl / 10", True),
        ("1 [L/h]", "1 [kg/h]", False),
        ("cl - CO", "CO - cl", False),
        ("cl / CO", "CO / cl", False),
        ("exp(ka / 1 [1/h])", "exp(-ka / 1 [1/h])", False),
        ("cl * (1 + BW / 1 [kg])", "cl", False),
        ("if(cl > CO, 1, 2)", "if(CO > cl, 1, 2)", False),
    ],
)
def test_normal_form(one: str, other: str, same: bool) -> None:
    assert (normal_form(let(one)) == normal_form(let(other))) is same
