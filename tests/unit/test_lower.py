"""Model to System: what each construct of the language becomes."""

from __future__ import annotations

from pathlib import Path

import pytest
import sympy as sp

from pbpkc.body import Ionisation, rodgers_rowland
from pbpkc.compiler.driver import compile_file
from pbpkc.compiler.identifiers import Identifiers
from pbpkc.compiler.lower import lower
from pbpkc.compiler.specialise import hold
from pbpkc.compiler.system import System
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse


def system(*lines: str, head: str = 'model m "t"') -> System:
    return lower(resolve(parse(SourceFile("m.pbpk", "\n".join(["pbpk 1", head, *lines]) + "\n"))))


def derivative(found: System, state: str) -> sp.Expr:
    """dA/dt with curves, constants and rates written out."""
    index = next(i for i, s in enumerate(found.states) if s.name == state)
    expr = sum((c * found.rates[j].symbol for (i, j), c in found.N.items() if i == index), sp.Integer(0))
    for step in reversed([*found.constants, *found.curves, *found.rates]):
        expr = expr.subs(step.symbol, step.expr)
    return sp.simplify(expr)


def symbols(found: System) -> dict[str, sp.Symbol]:
    return {x.name: x.symbol for x in (*found.parameters, *found.states)}


ONE_COMPARTMENT = (
    "species D { mw = 200 [g/mol] }",
    "lumen gut",
    "pool plasma { volume = V }",
    "sink out",
    "param V = 20 [L]",
    "param ka = 1 [1/h]",
    "param CL = 50 [mL/min]",
    "process absorption : gut -> plasma rate ka * gut.A",
    "process elimination : plasma -> out rate CL * plasma.C",
    "observe C = plasma.C in [mg/L]",
    "scenario s { dose D 100 [mg] into gut; run 24 [h] }",
)


def test_one_compartment_has_the_textbook_equation() -> None:
    found = system(*ONE_COMPARTMENT)
    s = symbols(found)
    ka, cl, v = s["ka"], s["CL"], s["V"]
    assert derivative(found, "plasma.D") == ka * s["gut.D"] - cl * s["plasma.D"] / v
    assert derivative(found, "out.D") == cl * s["plasma.D"] / v
    values = {p.name: p.value for p in found.parameters}
    assert values["CL"] == pytest.approx(3.0, rel=1e-15)  # 50 mL/min in L/h
    assert values["D.mw"] == pytest.approx(2e-7, rel=1e-15)  # 200 g/mol in kg/umol


def test_an_observable_is_in_its_unit() -> None:
    found = system(*ONE_COMPARTMENT)
    s = symbols(found)
    expr = found.outputs[0].expr
    for step in reversed([*found.constants, *found.curves]):
        expr = expr.subs(step.symbol, step.expr)
    # kg/L to mg/L is 10^6
    assert sp.simplify(expr - 10**6 * s["D.mw"] * s["plasma.D"] / s["V"]) == 0


def test_a_tissue_has_the_perfusion_limited_equation() -> None:
    found = system(
        "param CO = 300 [L/h]",
        "blood art { volume = 2 [L] }",
        "blood ven { volume = 3 [L] }",
        "tissue lung { volume = 1 [L] }",
        "tissue body { volume = 40 [L] }",
        "circulation CO { ven -> lung -> art; art -> body -> ven }",
        "species D carried by CO { mw = 200 [g/mol]; bp = 0.9; kp = 2 }",
        "scenario s { dose D 1 [mg] into ven; run 1 [h] }",
    )
    s = symbols(found)
    co, bp, kp = s["CO"], s["D.bp"], s["D.kp"]
    expected = co * (s["art.D"] / s["art.volume"] - s["body.D"] * bp / (s["body.volume"] * kp))
    assert sp.simplify(derivative(found, "body.D") - expected) == 0


def test_a_general_state_stays_in_its_unit() -> None:
    found = system(
        "state x = 3 [nM]",
        "process decay : x -> outside rate 2 [1/min] * x",
        "observe o = x in [uM]",
        "scenario s { run 1 [h] }",
    )
    x = symbols(found)["x"]
    assert derivative(found, "x") == -120 * x
    assert found.initial == (3,)
    assert found.outputs[0].expr == x / 1000


def test_states_of_two_units_share_a_rate() -> None:
    found = system(
        "state a = 1 [nM]",
        "state b = 0 [uM]",
        "process p : 2 a -> b rate 1 [1/h] * a",
        "scenario s { run 1 [h] }",
    )
    s = symbols(found)
    assert derivative(found, "a") == -2 * s["a"]
    assert derivative(found, "b") == s["a"] / 1000


def test_a_split_shares_the_product() -> None:
    found = system(
        *ONE_COMPARTMENT,
        "sink bile",
        "param f = 0.25",
        "process x : plasma -> bile rate 1 [1/h] * plasma.A split f else out",
    )
    s = symbols(found)
    assert sp.simplify(derivative(found, "bile.D") - s["f"] * s["plasma.D"]) == 0


def test_members_of_a_family_without_a_value_are_structure() -> None:
    found = system(
        "param K<3,3> = 0",
        "masked K<i,i> for i in 1..3 ~ uniform(0, 1) in (0, 1)",
        "state x<3> = 1",
        "process make for i in 1..3 : outside -> x<i> rate sum(K<i,j> * x<j> for j in 1..3)",
        "scenario s { run 1 }",
        head='model m "t" { time [1] }',
    )
    assert [p.name for p in found.parameters] == ["K<1,1>", "K<2,2>", "K<3,3>"]
    s = symbols(found)
    assert derivative(found, "x<2>") == s["K<2,2>"] * s["x<2>"]


def test_predicted_partition_coefficients_are_those_of_the_body_room(specs: Path) -> None:
    stages = compile_file(specs / "paracetamol.pbpk", torch=False)
    values = {p.symbol: p.value for p in stages.lowered.parameters}
    numbers = dict(values)
    for step in stages.lowered.constants:
        numbers[step.symbol] = float(step.expr.subs(numbers))
    found = {a.name: numbers[a.symbol] for a in stages.lowered.constants}
    acid = Ionisation(acids=(9.46,))
    for node, composition in (
        ("liver", "liver"),
        ("pancreas", "spleen"),
        ("rest", "muscle"),
        ("adipose", "adipose"),
    ):
        expected = rodgers_rowland(
            composition, logp=0.46, ionisation=acid, fup=0.82, bp=None, hematocrit=None, organism="human"
        )
        assert found[f"APAP.kp.{node}"] == pytest.approx(expected, rel=1e-12)


def test_a_held_definition_becomes_a_parameter(specs: Path) -> None:
    stages = compile_file(specs / "paracetamol.pbpk", torch=False)
    assert "liver.volume" not in {p.name for p in stages.lowered.parameters}
    held = lower(hold(stages.model, {"liver.volume": 1.5, "APAP.kp.liver": 3.0}))
    values = {p.name: p.value for p in held.parameters}
    assert values["liver.volume"] == 1.5
    assert values["APAP.kp.liver"] == 3.0


def test_a_strong_base_needs_a_hematocrit() -> None:
    lines = (
        "param CO = 300 [L/h]",
        "blood art { volume = 2 [L] }",
        "blood ven { volume = 3 [L] }",
        "tissue lung { volume = 1 [L] }",
        "tissue body { volume = 40 [L]; like = muscle }",
        "circulation CO { ven -> lung -> art; art -> body -> ven }",
        "species D carried by CO { mw = 200 [g/mol]; bp = 1.1; fup = 0.2; logp = 3; pka = base(9)\n"
        "kp = auto(rodgers_rowland) }",
        "scenario s { dose D 1 [mg] into ven; run 1 [h] }",
    )
    head = 'model m "t" { organism human }'
    with pytest.raises(SpecError) as caught:
        system(*lines, head=head)
    assert {d.code for d in caught.value.diagnostics} == {"no-prediction"}
    assert "param HCT" in str(caught.value)
    found = system(*lines, "param HCT = 0.45", head=head)
    assert any(a.name == "D.kp.lung" for a in found.constants)


def test_identifiers_are_unique_and_legal() -> None:
    give = Identifiers()
    names = ["liver.APAP.Cout", "liver_APAP_Cout", "K<1,2>", "K<12>", "lambda", "y", "si<1>", "np"]
    texts = [give(n) for n in names]
    assert len(set(texts)) == len(names)
    assert all(t.isidentifier() for t in texts)
    assert give("K<1,2>") == texts[2]
