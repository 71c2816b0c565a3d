"""`pbpkc explain SPEC NAME`: what is said of every kind of name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_case import call

from pbpkc.compiler.driver import read
from pbpkc.jobs.explain import explainer
from pbpkc.language.resolve import examine
from pbpkc.report.explanation import Explanation, UnknownName
from pbpkc.resources import resource

SPEC = """\
pbpk 1
model named "Every kind of name" { organism human }
covariate BW "body weight" = 70 [kg] in (30, 150) [kg]  source "assumed"
input extra = 0 [1/h] in (0, 5) [1/h]
param CO "cardiac output" = 6 [L/min] * (BW / 70 [kg])^0.75
masked ka "absorption" ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h] source "a guess"
masked s ~ lognormal(10 [%], cv = 50 [%]) in (1, 50) [%]
param k<3> = 0.1 [1/h]
function saturating(v, c) = v * c / (1 [umol/L] + c)
unknown left "capacity" (c [umol/L] in (0, 600) [umol/L]) -> [1] {
  range (0, 1); falling in c; at (0 [umol/L]) = 1; default 1
}
blood  artery { volume = 2 [L] }
blood  vein   { volume = 3.5 [L] }
tissue liver "the liver" { volume = 1.8 [L]; flow = 25 [%] * CO; vascular = 10 [%] }
tissue rest   { volume = 60 [L]; like = muscle }
lumen  gut
sink   gone, urine
state  enzyme = 1
circulation CO { vein -> artery; artery -> {liver, rest} -> vein }
species X "a drug" carried by CO {
  mw = 300 [g/mol]; fup = 0.2; bp = 0.8; logp = 1; pka = neutral(); kp = auto(rodgers_rowland)
}
species M { mw = 316 [g/mol] }
site arm "a vein" drains rest
process absorption : gut.X -> liver.X  rate ka * gut.X.A
process metabolism : liver.X -> urine.M  rate saturating(900 [umol/h], liver.X.Cu) * left(liver.X.C) * enzyme
process more : rest.X -> gone.X  rate (k<1> + k<2> + k<3> + extra) * rest.X.A
ode enzyme = 0.1 [1/h] * (1 - enzyme)
let total = metabolism + more
observe Cp "plasma" = arm.X.Cp in [mg/L] error prop(s) lloq 0.1 [mg/L]
observe loss = total in [umol/h]
population adults "people" { BW ~ normal(cv = 15 [%]) }
scenario po "by mouth" { dose X 10 [mg] into gut at 1 [h]; set extra = 1 [1/h]; run 24 [h] }
start gut.X = 2 [umol]
check cmax(po.Cp) in (0.0001, 10) [mg/L]
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "named.pbpk"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def ask(path: Path) -> object:
    found = examine(read(path))
    assert found.model is not None, [d.render() for d in found.problems]
    return explainer(found.model, found.scope).explain


def one(ask: object, name: str) -> Explanation:
    (found,) = ask(name)  # type: ignore[operator]
    return found


@pytest.mark.parametrize(
    ("name", "kind", "fact"),
    [
        ("BW", "covariate", ("bounds", "(30, 150) [kg]")),
        ("extra", "input", ("value", "0 [1/h]")),
        ("ka", "masked parameter", ("value", "1 [1/h] (median of the prior)")),
        ("s", "masked parameter",
         ("prior", "masked ~ lognormal(median = 10 [%], sdlog = 0.472381) in (1, 50) [%] scale log")),
        ("k<2>", "parameter", ("value", "0.1 [1/h]")),
        ("k", "family of parameter", ("members", "k<1>, k<2>, k<3>")),
        ("total", "curve", ("equation", "total = metabolism + more")),
        ("saturating", "function", ("equation", "saturating(v, c) = v * c / (1 [umol/L] + c)")),
        ("left", "unknown term", ("", "falling in c")),
        ("X", "species", ("X.mw", "300 [g/mol]")),
        ("X.fup", "attribute of the species 'X'", ("value", "0.2")),
        ("X.kp.liver", "attribute of the species 'X'", ("equation", "X.kp.liver = auto(rodgers_rowland)")),
        ("liver", "tissue", ("blood from artery", "90 [L/h], 25 % of CO")),
        ("gone", "sink", ("states", "gone.X")),
        ("rest", "tissue", ("composition", "like muscle")),
        ("liver.volume", "attribute of the tissue 'liver'", ("value", "1.8 [L]")),
        ("liver.vascular", "attribute of the tissue 'liver'", ("value", "0.18 [L]")),
        ("rest.flow", "blood flow", ("value", "270 [L/h]")),
        ("vein.outflow", "blood flow", ("value", "360 [L/h]")),
        ("metabolism", "process", ("arrow", "liver.X -> urine.M")),
        ("enzyme", "state", ("unit", "[1]")),
        ("gut.X", "state", ("exists because", "process 'absorption' touches it")),
        ("gut.X", "state", ("start", "2 [umol]")),
        ("gut.X", "state", ("dosed in", "scenario po")),
        ("liver.X", "state", ("exists because", "'X' is carried by CO")),
        ("liver.X.Cu", "concentration", ("unit", "[umol/L]")),
        ("Cp", "observable", ("", "lloq 0.1 [mg/L]")),
        ("arm", "site", ("drains", "rest: the blood that leaves them, mixed by flow")),
        ("po", "scenario", ("", "set extra = 1 [1/h]")),
        ("adults", "population", ("", "BW ~ normal(cv = 15 [%]) in (30, 150) [kg]")),
    ],
)  # fmt: skip
def test_every_kind_of_name(ask: object, name: str, kind: str, fact: tuple[str, str]) -> None:
    found = one(ask, name)
    assert found.kind == kind
    assert fact in found.facts, found.facts


def test_a_circulation_shares_its_name_with_its_flow(ask: object) -> None:
    flow, circulation = ask("CO")  # type: ignore[operator]
    assert (flow.kind, circulation.kind) == ("parameter", "circulation")
    assert ("vein -> artery", "360 [L/h], 100 % of CO, trunk") in circulation.facts
    assert ("carries", "X") in circulation.facts


def test_what_depends_on_what(ask: object) -> None:
    ka = one(ask, "ka")
    assert (ka.reads, ka.read_by, ka.reaches) == ((), ("absorption",), ("Cp", "loss"))
    assert one(ask, "s").reaches == ("Cp",)
    assert one(ask, "extra").read_by == ("more", "scenario po")
    weight = one(ask, "BW")
    assert {"CO", "population adults"} <= set(weight.read_by)
    assert one(ask, "metabolism").reads == ("left", "enzyme", "liver.X.C", "liver.X.Cu")
    assert one(ask, "metabolism").read_by[:1] == ("total",)
    assert {"liver.X", "urine.M"} <= set(one(ask, "metabolism").read_by)
    assert one(ask, "left").read_by == ("metabolism",)
    assert one(ask, "Cp").read_by == ("check cmax(po.Cp)",)
    assert set(one(ask, "po").reads) >= {"extra", "gut.X", "X.mw"}


def test_a_predicted_value_is_that_of_the_equations(ask: object) -> None:
    value = dict(one(ask, "X.kp.liver").facts)["value"]
    assert 0.2 < float(value) < 5
    assert ("X.kp.liver", value) in one(ask, "liver").facts


def test_the_equation_of_a_state(ask: object) -> None:
    assert dict(one(ask, "gut.X").facts)["equation"] == "d gut.X/dt = -absorption + infusion gut.X"


def test_every_name_that_is_offered_has_an_answer(ask: object, path: Path) -> None:
    found = examine(read(path))
    assert found.model is not None
    answers = explainer(found.model, found.scope)
    names = answers.names()
    assert len(names) > 75
    for name in names:
        assert answers.explain(name), name


def test_a_misspelt_name(path: Path, ask: object) -> None:
    with pytest.raises(UnknownName, match="a name with a similar spelling exists: 'metabolism'"):
        ask("metabolsm")  # type: ignore[operator]
    ran = call("explain", str(path), "X.kp.livre")
    assert ran.code == 2
    assert "'X.kp.liver'" in ran.err


def test_on_the_command_line(path: Path) -> None:
    ran = call("explain", str(path), "ka")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        f'ka, masked parameter "absorption"  {path}:6',
        "  value    1 [1/h] (median of the prior)",
        "  prior    masked ~ lognormal(median = 1 [1/h], sdlog = 0.472381) in (0.1, 10) [1/h] scale log",
        "  source   a guess",
        "  read by  absorption",
        "  reaches  observable Cp, observable loss",
    ]
    found = json.loads(call("explain", str(path), "ka", "--format", "json").out)
    (meaning,) = found["meanings"]
    assert (meaning["kind"], meaning["line"], meaning["read_by"]) == ("masked parameter", 6, ["absorption"])


def test_states_with_their_reasons(path: Path) -> None:
    ran = call("explain", str(path), "states")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[-1] == "8 states"
    assert any(
        line.split() == ["gut.X", "[umol]", "process", "'absorption'", "touches", "it"] for line in lines
    )
    assert any(line.startswith("gone.X") and line.endswith("(sink)") for line in lines)
    found = json.loads(call("explain", str(path), "states", "--format", "json").out)
    assert len(found["states"]) == 8


def test_a_spec_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "wrong.pbpk"
    path.write_text(SPEC.replace("rate ka", "rate kb"))
    ran = call("explain", str(path), "ka")
    assert ran.code == 1
    assert "error[unknown-name]" in ran.err


@pytest.mark.parametrize("path", sorted(Path(str(resource("specs"))).glob("p*.pbpk")), ids=lambda p: p.stem)
def test_every_name_of_a_shipped_spec(path: Path) -> None:
    found = examine(read(path))
    assert found.model is not None
    answers = explainer(found.model, found.scope)
    for name in answers.names():
        assert answers.explain(name), name


SHORT = """\
pbpk 1
model short "One species"
species D { mw = 100 [g/mol] }
lumen gut
blood vein { volume = 3 [L] }
process absorption : gut -> vein rate 1 [1/h] * gut.A
process loss : vein -> outside rate 1 [L/h] * vein.C
observe Cp = vein.C in [mg/L]
scenario po "by mouth" { dose D 1 [mg] into gut; run 12 [h] }
"""


@pytest.mark.parametrize(
    ("name", "first", "fact"),
    [
        ("gut.A", "gut.D, state", "exists because  process 'absorption' touches it"),
        ("vein.C", "vein.D.C, concentration", "read by     loss, observable Cp"),
        ("po.Cp", "Cp, observable", "read by"),
        ("po.Cp", "Cp, observable", 'po, scenario "by mouth"'),
    ],
)
def test_what_an_expression_may_read(name: str, first: str, fact: str, tmp_path: Path) -> None:
    path = tmp_path / "short.pbpk"
    path.write_text(SHORT)
    ran = call("explain", str(path), name)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(first)
    assert fact in ran.out or fact == "read by"
    assert "asked" not in ran.out


def test_a_quantity_that_nothing_reads_yet(path: Path, tmp_path: Path) -> None:
    ran = call("explain", str(path), "artery.X.Cp")
    assert ran.out.startswith("artery.X.Cp, concentration")
    assert "reaches" not in ran.out and "asked" not in ran.out
    for wrong in ("gut.Q", "po.Cq", "artery.X.Cp.x", "artery.X.C; let z = 1"):
        assert call("explain", str(path), wrong).code == 2


def test_a_spec_without_a_name_asks_for_one(path: Path) -> None:
    ran = call("explain", str(path))
    assert ran.code == 2
    assert f"say which name of the spec is meant: pbpkc explain {path} NAME" in " ".join(ran.err.split())
