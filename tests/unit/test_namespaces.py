"""Used files under a name of their own: what is renamed, what is not, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbpkc
from pbpkc.compiler.lower import lower
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format import format_tree
from pbpkc.language.syntax.parse import parse

BODY = """pbpk 1
model body { organism human }
covariate BW = 70 [kg] in (1, 150) [kg]
param CO = 5.2 [L/min] * (BW / 70 [kg])^0.75
param HCT = 0.45
param f<i> for i in 1..3 = i / 6
function scaled(x, BW) = x * BW
unknown k (w [kg] in (1, 150) [kg]) -> [1] { range (0.1, 2); default 1 }
masked share ~ beta(8, 2) in (0.1, 0.99)
let total = liver.X.A + sum(si<i>.X.A for i in 1..3)
blood artery { volume = 25 [mL/kg] * BW }
blood vein { volume = scaled(50 [mL/kg], BW) }
tissue liver { volume = 25 [mL/kg] * BW; flow = 25 [%] * CO }
tissue rest { volume = remainder(BW / 1 [kg/L]); flow = remainder(CO); like = muscle }
lumen si<3>
sink out
circulation CO { vein -> artery; artery -> {liver, rest} -> vein }
species X carried by CO {
  mw = 300 [g/mol]; fup = 0.2; bp = 0.9; logp = 2; pka = base(8.5); kp = auto(rodgers_rowland); kp.rest = 1.2
}
process uptake for i in 1..3 : si<i>.X -> liver.X rate f<i> * 1 [1/h] * si<i>.X.A split share else out.X
process met : liver.X -> out.X rate k(BW) * 20 [L/h] * liver.X.Cu
state enzyme = 1
ode enzyme = 0.1 [1/h] * (1 - enzyme)
start rest.X = 2 [umol]
site arm drains rest
observe Cp = arm.X.Cp in [ng/mL] error prop(10 [%])
observe all = total in [mg] as X
observe y<i> for i in 1..3 = si<i>.X.A in [umol]
"""
PLAIN = """pbpk 1
model plain
use "body.pbpk"
scenario s { dose X 10 [mg] into vein; dose X 3 [mg] into si<2> at 1 [h]; run 12 [h] }
"""
NAMED = """pbpk 1
model named
use "body.pbpk" as m
scenario s { dose m.X 10 [mg] into m.vein; dose m.X 3 [mg] into m.si<2> at 1 [h]; run 12 [h] }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "body.pbpk").write_text(BODY, encoding="utf-8")
    return tmp_path


def model(folder: Path, text: str) -> Model:
    return resolve(parse(SourceFile(str(folder / "main.pbpk"), text)))


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as raised:
        lower(model(folder, text))
    return [f"{d.code}: {d.message}" for d in raised.value.diagnostics]


def test_a_namespace_changes_names_alone(folder: Path) -> None:
    for name, text in (("plain", PLAIN), ("named", NAMED)):
        (folder / f"{name}.pbpk").write_text(text, encoding="utf-8")
    plain, named = (pbpkc.load(folder / f"{name}.pbpk") for name in ("plain", "named"))
    assert [s.name for s in named.model.states][:5] == [
        "m.artery.m.X", "m.vein.m.X", "m.liver.m.X", "m.rest.m.X", "m.si<1>.m.X"
    ]  # fmt: skip
    own = [name for name, d in plain.model.definitions.items() if not d.derived]
    theirs = {f"m.{name}" for name in own}
    # A tissue behind an attribute of a species is named in full.
    assert theirs - set(named.model.definitions) == {"m.X.kp.rest", "m.ode enzyme"} & theirs
    assert "m.X.kp.m.rest" in named.model.definitions
    times = [0.0, 0.5, 2.0, 9.0]
    a, b = plain.simulate("s", times=times), named.simulate("s", times=times)
    assert list(b.observables) == [f"m.{name}" for name in a.observables]
    for name, curve in a.observables.items():
        np.testing.assert_allclose(b.observables[f"m.{name}"], curve, rtol=1e-9, atol=1e-12)


def test_every_consumer_takes_dotted_names(folder: Path) -> None:
    (folder / "named.pbpk").write_text(NAMED + "check mass, volume, positive\n", encoding="utf-8")
    loaded = pbpkc.load(folder / "named.pbpk")
    assert loaded.check(torch=False).ok
    assert [d.name for d in loaded.model.masked] == ["m.share"]
    run = loaded.simulate("s", times=[0.0, 5.0], set="m.BW = 50 kg", unknown="m.k = 0.5")
    assert run.observables["m.Cp"][1] != loaded.simulate("s", times=[0.0, 5.0]).observables["m.Cp"][1]
    assert loaded.with_settings(mask="m.X.kp.m.rest in (0.1, 10)").model.masked[0].name in (
        "m.share",
        "m.X.kp.m.rest",
    )
    learned = loaded.with_settings(learn="m.k")
    assert any(d.name.startswith("m.k.") for d in learned.model.masked)


TWO = """pbpk 1
model two
use "body.pbpk" as mother without X, Cp, all, y, uptake, met, total, arm
use "body.pbpk" as fetus without X, Cp, all, y, uptake, met, total, arm
set fetus.BW = 3.4 [kg]
set fetus.HCT = 0.5
species D carried by mother.CO, fetus.CO {
  mw = 300 [g/mol]; fup = 0.2; bp = 0.9; logp = 2; pka = base(8.5)
  kp = auto(rodgers_rowland); kp.fetus.rest = 1.1; ps.mother.liver = 3 [L/h]
}
set mother.liver.vascular = 8 [%]
start mother.rest.X = 0 [umol]
flow placenta : mother.rest.D <-> fetus.rest.D at 2 [L/h]
process met : mother.liver.tissue.D -> outside rate 9 [L/h] * mother.liver.tissue.D.Cu
observe Cm = mother.vein.D.Cp in [ng/mL]
observe Cf = fetus.vein.D.Cp in [ng/mL]
scenario s { dose D 10 [mg] into mother.vein; run 12 [h] }
scenario small from s { set fetus.BW = 1.4 [kg]; set D.kp.fetus.rest = 2 }
population p { fetus.BW ~ normal(cv = 10 [%]) }
"""


def two(folder: Path) -> Model:
    body = BODY.replace("start rest.X = 2 [umol]\n", "")
    (folder / "body.pbpk").write_text(body, encoding="utf-8")
    return model(folder, TWO.replace("start mother.rest.X = 0 [umol]\n", ""))


def test_one_file_makes_two_bodies(folder: Path) -> None:
    found = two(folder)
    edges = {e.circulation for e in found.edges}
    assert edges == {"mother.CO", "fetus.CO"}
    system = lower(found)
    values = {p.name: p.value for p in system.parameters}
    assert (values["mother.BW"], values["fetus.BW"]) == (70.0, 3.4)
    # What remains of each body is what its own organs leave.
    rest = next(a for a in system.constants if a.name == "fetus.rest.volume")
    assert "mother" not in str(rest.expr)
    # Each body predicts with its own hematocrit and under the plain name of its organ.
    kp = {a.name: str(a.expr) for a in system.constants if ".kp." in a.name}
    assert "fetus_HCT" in kp["D.kp.fetus.liver"] and "mother_HCT" not in kp["D.kp.fetus.liver"]
    assert "mother_HCT" in kp["D.kp.mother.liver"]
    assert found.nodes["fetus.liver"].organism == "human" and found.organism is None


def test_names_left_out_are_those_of_the_file_that_uses_it(folder: Path) -> None:
    text = NAMED.replace("as m", "as m without HCT, BW") + "covariate BW = 60 [kg]\nparam HCT = 0.4\n"
    system = lower(model(folder, text))
    assert {"BW", "HCT"} <= {p.name for p in system.parameters}
    assert refused(folder, NAMED.replace("as m", "as m without HCT, BW"))[0].startswith("unknown-name: 'BW'")


def test_a_file_in_a_file(folder: Path) -> None:
    (folder / "family.pbpk").write_text(
        'pbpk 1\nmodel family\nuse "body.pbpk" as child\nset child.BW = 20 [kg]\n'
        "param weight = 2 * child.BW\nprocess lost : child.vein.child.X -> outside\n"
        "  rate 0.1 [L/h] * child.vein.child.X.C\nobserve Cc = child.arm.child.X.C in [mg/L]\n",
        encoding="utf-8",
    )
    text = """pbpk 1
model nested
use "family.pbpk" as a
use "family.pbpk" as b
set b.child.BW = 12 [kg]
let sum_of = a.child.vein.a.child.X.A + b.child.vein.b.child.X.A
observe both = sum_of in [umol]
scenario s { dose a.child.X 1 [umol] into a.child.vein; run 1 [h] }
"""
    system = lower(model(folder, text))
    values = {p.name: p.value for p in system.parameters}
    assert (values["a.child.BW"], values["b.child.BW"]) == (20.0, 12.0)
    assert {o.name for o in system.outputs} >= {"a.Cc", "b.child.Cp", "both"}


def test_a_file_is_formatted_as_it_was_written(folder: Path) -> None:
    tree = parse(SourceFile("two.pbpk", TWO))
    once = format_tree(tree)
    assert parse(SourceFile("two.pbpk", once)) == tree
    assert 'use "body.pbpk" as mother without X, Cp' in once and "kp.fetus.rest = 1.1" in once
    named = format_tree(parse(SourceFile("named.pbpk", NAMED)))
    assert "dose m.X 10 [mg] into m.vein" in named


def test_data_lines_name_what_stands_in_a_namespace(folder: Path) -> None:
    data = (
        'scenario t { data "t.csv" { column TIME [h]; column AMT [mg]; column m.BW = WT [kg]\n'
        "CMT 1 dose m.X into m.vein; DVID 1 observe m.Cp [ug/L]; DVID 2 observe m.y<2> } }\n"
    )
    (folder / "named.pbpk").write_text(NAMED + data, encoding="utf-8")
    (folder / "t.csv").write_text("ID,TIME,AMT,CMT,DVID,DV,WT\n1,0,10,1,.,.,60\n1,2,.,.,1,80,60\n")
    block = model(folder, NAMED + data).scenarios["t"].data
    assert block is not None and [c.target for c in block.columns] == ["TIME", "AMT", "m.BW"]
    run = pbpkc.load(folder / "named.pbpk").simulate("t")
    assert run.runs[0].trajectory.time[-1] == 2.0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('use "body.pbpk" as m', "duplicate-name: the namespace 'm' is used for two files"),
        ("param m = 1", "duplicate-name: 'm' is a namespace and a declared name"),
        ("let z = m", "no-quantity: 'm' is a namespace, and 'm' names nothing in it"),
        ("let z = m.livre.volume", "unknown-name: 'm.livre' is not declared"),
        ("let z = liver.volume", "unknown-name: 'liver' is not declared"),
        ("set m.BW = 2 [L]", "unit-mismatch: 'm.BW' keeps its unit; found [L] where [kg] is needed"),
        ("set m.nothing = 2 [L]", "unknown-name: 'm.nothing' is not declared"),
        (
            "scenario b from s { dose m.X 1 [mg] into m.livre }",
            "unknown-name: there is no compartment 'm.livre'",
        ),
        ('use "main.pbpk" as again', "cycle: 'main.pbpk' uses itself as 'again', again and again"),
        ('use "body.pbpk" as blood', "reserved-name: 'blood' is a word of the language and no namespace"),
        ('use "body.pbpk" as volume', "reserved-name: 'volume' is a word of the language and no namespace"),
        ('use "body.pbpk" as b without nothing', "unknown-name: 'body.pbpk' declares no 'nothing'"),
        (
            'use "body.pbpk" as b without CO',
            "unknown-name: no `param b.CO` gives the total flow of the circulation",
        ),
    ],
)
def test_what_is_refused(folder: Path, line: str, said: str) -> None:
    (folder / "main.pbpk").write_text(NAMED + line + "\n", encoding="utf-8")
    assert said in refused(folder, NAMED + line + "\n")


def test_an_editor_knows_what_stands_in_a_namespace(folder: Path) -> None:
    from pbpkc.editor.analysis import analyse
    from pbpkc.editor.completion import complete
    from pbpkc.editor.hover import hover
    from pbpkc.editor.navigate import definition
    from pbpkc.editor.rename import Refused, renamed
    from pbpkc.editor.texts import Texts

    text = NAMED + "let z = m.liver.volume / m.liver.m.X.C\n"
    (folder / "main.pbpk").write_text(text, encoding="utf-8")
    texts = Texts()
    known = analyse(folder / "main.pbpk", texts)
    at = text.index("m.liver.volume")
    for place in (at, at + 2):
        (span,) = definition(known, place)
        assert span.text == "liver" and span.file.name.endswith("body.pbpk")
        shown = hover(known, place)
        assert shown is not None and "flow = 25 [%] * CO" in shown[0]
    offers = {o.text for o in complete(known, at + 2)[0]}
    assert {"liver", "X", "BW", "CO"} <= offers and "m.liver" not in offers
    behind = {o.text for o in complete(known, at + len("m.liver."))[0]}
    assert {"volume", "flow", "m.X"} <= behind
    with pytest.raises(Refused, match=r"'m\.liver' is declared in a file that is used under a name"):
        renamed(known, at, "hepar", texts, [folder])
