from __future__ import annotations

import sympy as sp
from hand_systems import Draft, circulation, oral, saturable

from pbpkc.compiler.dependencies import dependencies


def test_reads_go_through_constants_and_curves() -> None:
    found = dependencies(oral())
    plasma = found.equations["plasma.THEO"]
    assert plasma.parameters == ("BW", "ka", "cl", "v")
    assert plasma.states == ("gut.THEO", "plasma.THEO")
    assert plasma.inputs == ("into plasma.THEO",)
    assert found.rates["absorption"].parameters == ("ka",)
    assert found.observables["Cp"].parameters == ("BW", "v")


def test_influence_goes_through_the_states() -> None:
    d = Draft("m")
    for name in ("k", "unseen", "start"):
        d.parameter(name, 1.0)
    d.state("a", start=0)
    d.state("b")
    d.state("c")
    d.initial["a"] = sp.sympify(d["start"])
    d.rate("move", d["k"] * d["a"], {"a": -1, "b": 1})
    d.rate("lose", d["unseen"] * d["c"], {"c": -1})
    d.output("y", d["b"])
    found = dependencies(d.system())
    assert found.observables["y"].parameters == ()
    assert found.influence["y"] == ("k", "start")


def test_unknown_terms_and_time_are_seen() -> None:
    found = dependencies(saturable())
    assert found.rates["sulfation"].unknowns == ("inhibition",)
    assert found.rates["conjugation"].unknowns == ()
    d = Draft("m")
    d.state("a")
    d.rate("make", sp.Symbol("t", real=True), {"a": 1})
    assert dependencies(d.system()).equations["a"].time


def test_everything_in_a_circulation_is_behind_its_concentration() -> None:
    system = circulation()
    assert dependencies(system).influence["Cv"] == tuple(p.name for p in system.parameters)
