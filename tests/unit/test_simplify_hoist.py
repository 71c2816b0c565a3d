from __future__ import annotations

import sympy as sp
from hand_systems import Draft

from pbpkc.compiler.simplify import hoist_fixed_parts


def test_a_product_of_parameters_in_a_rate_becomes_a_constant() -> None:
    d = Draft("m")
    for name in ("vmax", "BW", "km"):
        d.parameter(name, 1.0)
    d.state("A")
    d.rate("ugt", d["vmax"] * d["BW"] ** sp.Rational(3, 4) * d["A"] / (d["km"] + d["A"]), {"A": -1})
    after = hoist_fixed_parts(d.system())
    (constant,) = after.constants
    assert constant.name == "ugt.factor"
    assert constant.symbol.name == "ugt_factor"
    assert constant.expr == d["vmax"] * d["BW"] ** sp.Rational(3, 4)
    assert after.rates[0].expr == constant.symbol * d["A"] / (d["km"] + d["A"])


def test_a_curve_that_reads_no_state_becomes_a_constant_under_its_own_name() -> None:
    d = Draft("m")
    d.parameter("k", 1.0)
    d.state("A")
    d.curve("fixed", d["k"] ** 2)
    d.curve("moving", d["fixed"] * d["A"])
    d.rate("out", d["moving"], {"A": -1})
    after = hoist_fixed_parts(d.system())
    assert [a.name for a in after.constants] == ["fixed"]
    assert [a.name for a in after.curves] == ["moving"]


def test_a_part_with_several_readers_is_named_after_none() -> None:
    d = Draft("m")
    d.parameter("k", 1.0)
    d.parameter("BW", 1.0)
    for name in ("A", "B"):
        d.state(name)
        d.rate(f"out_{name}", d["k"] / d["BW"] * d[name], {name: -1})
    (constant,) = hoist_fixed_parts(d.system()).constants
    assert (constant.name, constant.doc) == ("x0", "what does not change during a run in out_A, out_B")


def test_one_product_is_left_where_it_is() -> None:
    d = Draft("m")
    d.parameter("cl", 1.0)
    d.parameter("BW", 1.0)
    d.state("A")
    d.rate("out", d["cl"] * d["BW"] * d["A"], {"A": -1})
    assert hoist_fixed_parts(d.system()).constants == ()


def test_the_branches_of_a_condition_are_left_alone() -> None:
    d = Draft("m")
    d.parameter("k", 0.0)
    d.state("A")
    d.rate("out", sp.Piecewise((1 / d["k"] ** 3 * d["A"], d["k"] > 0), (0, True)), {"A": -1})
    assert hoist_fixed_parts(d.system()).constants == ()
