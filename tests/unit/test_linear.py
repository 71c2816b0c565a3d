from __future__ import annotations

import sympy as sp
from hand_systems import Draft, bimolecular, circulation, oral, saturable

from pbpkc.compiler.differentiate import differentiate
from pbpkc.compiler.linear import NONLINEAR, TIME, UNKNOWN, linear_part


def test_one_compartment_is_linear_with_its_doses_in_b() -> None:
    system = oral()
    found = linear_part(system)
    ka, cl, bw = (system.parameters[k].symbol for k in (1, 2, 0))
    volume = system.constants[0].symbol
    assert found.is_everything
    assert {(0, 0): -ka, (1, 0): ka, (1, 1): -cl * bw / volume, (2, 1): cl * bw / volume} == found.A
    assert found.b == {0: system.inputs[0].symbol, 1: system.inputs[1].symbol}


def test_the_matrix_of_a_linear_system_is_its_jacobian() -> None:
    system = circulation()
    found = linear_part(system)
    jacobian = differentiate(system).jacobian
    assert set(found.A) == set(jacobian)
    assert all(sp.simplify(found.A[key] - jacobian[key]) == 0 for key in jacobian)


def test_terms_that_are_not_linear_are_named_with_a_reason() -> None:
    system = saturable()
    found = linear_part(system)
    assert [(system.rates[t.rate].name, t.reason) for t in found.terms] == [
        ("conjugation", NONLINEAR),
        ("sulfation", UNKNOWN),
    ]
    assert found.rates == (2,)
    assert found.A == {(1, 1): -2, (2, 1): 2}
    assert found.states == ()
    assert found.reason(system) == (
        "conjugation: a term is not linear in the states; sulfation: a term calls an unknown term"
    )


def test_equations_that_only_linear_rates_touch() -> None:
    d = Draft("m")
    for name in ("a", "b", "c", "e"):
        d.state(name)
    d.rate("linear", d["a"], {"a": -1, "b": 1})
    d.rate("squared", d["c"] ** 2, {"c": -1, "e": 1})
    assert linear_part(d.system()).states == (0, 1)
    assert linear_part(bimolecular()).rates == (1,)


def test_the_linear_part_of_a_mixed_rate_is_kept() -> None:
    d = Draft("m")
    d.parameter("k", 1.0)
    d.parameter("s", 1.0)
    d.state("a")
    d.curve("seen", 3 * d["a"] + d["s"])
    d.rate("mixed", d["k"] * d["seen"] + d["a"] ** 2, {"a": -1})
    found = linear_part(d.system())
    assert {(0, 0): -3 * d["k"]} == found.A
    assert found.b == {0: -d["k"] * d["s"]}
    assert [t.expr for t in found.terms] == [d["a"] ** 2]


def test_what_changes_in_time_is_no_constant_coefficient() -> None:
    d = Draft("m")
    d.parameter("k", 1.0)
    d.state("a")
    d.curve("renal", 1 - d["k"] * sp.Symbol("t", real=True))
    d.rate("out", d["renal"] * d["a"], {"a": -1})
    d.rate("make", sp.Symbol("t", real=True), {"a": 1})
    found = linear_part(d.system())
    assert [t.reason for t in found.terms] == [TIME, TIME]
    assert not found.is_everything
    assert "changes in time" in found.reason(d.system())
