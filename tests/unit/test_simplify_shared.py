from __future__ import annotations

import sympy as sp
from hand_systems import Draft

from pbpkc.compiler.simplify import share_subexpressions


def draft() -> Draft:
    d = Draft("m")
    for name in ("k", "BW", "e", "n"):
        d.parameter(name, 2.0)
    d.state("A")
    d.state("B")
    return d


def test_the_whole_of_an_earlier_definition_is_read_from_there() -> None:
    d = draft()
    d.constant("size", d["BW"] / 73)
    d.curve("C", d["A"] / d["BW"])
    d.rate("out", d["k"] ** (d["BW"] / 73) * (d["A"] / d["BW"]) ** 2, {"A": -1})
    after = share_subexpressions(d.system())
    assert after.rates[0].expr == d["k"] ** d["size"] * (d["A"] / d["BW"]) ** 2
    d = draft()
    d.curve("C", d["A"] + d["BW"])
    d.rate("out", d["k"] / (d["A"] + d["BW"]), {"A": -1})
    assert share_subexpressions(d.system()).rates[0].expr == d["k"] / d["C"]


def test_a_repeated_power_of_a_parameter_is_a_constant_named_after_it() -> None:
    d = draft()
    power = d["BW"] ** sp.Rational(3, 4)
    d.rate("one", power * d["A"], {"A": -1})
    d.rate("two", power * d["B"], {"B": -1})
    after = share_subexpressions(d.system())
    (constant,) = after.constants
    assert (constant.name, constant.expr, constant.doc) == ("BW_pow_3_4", power, "shared by one, two")
    assert after.rates[1].expr == constant.symbol * d["B"]
    assert after.curves == ()


def test_what_reads_a_state_becomes_a_curve_before_its_first_reader() -> None:
    d = draft()
    hill = d["A"] ** d["n"] / (d["e"] ** d["n"] + d["A"] ** d["n"])
    d.curve("effect", 1 - hill)
    d.rate("one", d["k"] * hill, {"A": -1})
    after = share_subexpressions(d.system())
    names = [c.name for c in after.curves]
    assert names[-1] == "effect"
    known = {p.symbol for p in after.parameters} | {s.symbol for s in after.states}
    known |= {c.symbol for c in after.constants}
    for curve in after.curves:
        assert curve.expr.free_symbols <= known
        known.add(curve.symbol)
    assert after.rates[0].expr.free_symbols <= known


def test_two_definitions_that_say_the_same_keep_their_names() -> None:
    d = draft()
    d.constant("flow_a", d["BW"] * d["k"] / 20)
    d.constant("flow_b", d["BW"] * d["k"] / 20)
    d.rate("one", d["flow_a"] * d["A"], {"A": -1})
    d.rate("two", d["flow_b"] * d["B"], {"B": -1})
    after = share_subexpressions(d.system())
    assert after.constants == d.system().constants
    assert after.rates == d.system().rates


def test_numbers_follow_the_order_of_the_definitions() -> None:
    d = draft()
    inner = sp.exp(d["k"])
    outer = sp.log(inner + d["BW"])
    d.constant("one", inner + outer * d["e"])
    d.constant("two", outer * d["n"])
    after = share_subexpressions(d.system())
    assert [(a.name, a.expr) for a in after.constants][:2] == [
        ("x0", inner),
        ("x1", sp.log(after.constants[0].symbol + d["BW"])),
    ]


def test_trivialities_get_no_name() -> None:
    d = draft()
    d.rate("one", d["k"] * d["A"] + 1, {"A": -1})
    d.rate("two", d["k"] * d["A"] + 2, {"B": -1})
    after = share_subexpressions(d.system())
    assert after.constants == after.curves == ()


def test_a_repetition_inside_the_branches_of_a_condition_does_not_count() -> None:
    d = draft()
    risky = sp.log(d["A"]) ** 2
    d.rate("one", sp.Piecewise((risky, d["A"] > 1), (0, True)), {"A": -1})
    d.rate("two", sp.Piecewise((risky, d["A"] > 2), (0, True)), {"B": -1})
    assert share_subexpressions(d.system()).curves == ()


def test_new_names_do_not_collide() -> None:
    d = draft()
    d.parameter("x0", 1.0)
    shared = sp.exp(d["A"] * d["k"] + d["x0"])
    d.rate("one", shared * d["A"], {"A": -1})
    d.rate("two", shared * d["B"], {"B": -1})
    after = share_subexpressions(d.system())
    assert [c.name for c in after.curves] == ["x1"]
