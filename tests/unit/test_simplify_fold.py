from __future__ import annotations

import math

import sympy as sp
from hand_systems import Draft

from pbpkc.compiler.simplify import fold_constants


def test_plain_numbers_are_put_where_they_are_read() -> None:
    d = Draft("m")
    d.parameter("k", 2.0)
    d.state("A")
    d.constant("half", sp.Rational(1, 2))
    d.constant("quarter", d["half"] ** 2)
    d.constant("scaled", d["k"] * d["quarter"])
    d.rate("out", d["scaled"] * d["A"] + d["half"], {"A": -1})
    after = fold_constants(d.system())
    assert [(a.name, str(a.expr)) for a in after.constants] == [("scaled", "k/4")]
    assert after.rates[0].expr == d["scaled"] * d["A"] + sp.Rational(1, 2)


def test_rational_numbers_stay_exact() -> None:
    d = Draft("m")
    d.state("A")
    d.rate("out", sp.Rational(7) / sp.Rational("3.32") * d["A"], {"A": -1})
    assert fold_constants(d.system()).rates[0].expr == sp.Rational(175, 83) * d["A"]


def test_irrational_numbers_are_rounded_once_together_with_their_factors() -> None:
    d = Draft("m")
    d.parameter("BW", 70.0)
    d.state("A")
    d.rate("out", 390 * sp.Integer(73) ** sp.Rational(-3, 4) * d["BW"] * d["A"] + sp.exp(2), {"A": -1})
    after = fold_constants(d.system()).rates[0].expr
    number = next(a for t in after.args for a in t.args if a.is_Float)
    assert float(number) == float(sp.N(390 * sp.Integer(73) ** sp.Rational(-3, 4), 30))
    assert math.exp(2) in [float(a) for a in after.args if a.is_Float]


def test_a_condition_on_numbers_is_decided() -> None:
    d = Draft("m")
    d.parameter("k", 1.0)
    d.state("A")
    d.constant("fed", sp.Integer(1))
    d.rate("out", sp.Piecewise((d["k"], d["fed"] > sp.Rational(1, 2)), (3, True)) * d["A"], {"A": -1})
    assert fold_constants(d.system()).rates[0].expr == d["k"] * d["A"]
