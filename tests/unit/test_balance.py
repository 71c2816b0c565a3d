from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import sympy as sp
from hand_systems import Draft, bimolecular, circulation, oral, saturable

from pbpkc.check.balance import prove_mass
from pbpkc.compiler.simplify import simplify
from pbpkc.compiler.system import System


@pytest.mark.parametrize(
    ("make", "dosed", "total"),
    [
        (oral, "THEO", "gut.THEO + plasma.THEO + eliminated.THEO"),
        (circulation, "X", "arterial.X + venous.X + lung.X + liver.X + kidney.X + rest.X + urine.X"),
        (saturable, "D", "liver.D + bile.G + blood.G + urine.S"),
        (bimolecular, "A", "A + 2 C"),
    ],
)
def test_the_total_is_given_as_a_sum(make: Callable[[], System], dosed: str, total: str) -> None:
    for system in (make(), simplify(make())):
        (proof,) = prove_mass(system, [dosed])
        assert proof.held
        assert proof.explanation == f"{total} is constant"


def test_any_changed_yield_in_a_loop_is_found_and_its_arrow_named() -> None:
    system = circulation()
    for (i, r), coefficient in system.N.items():
        if system.rates[r].kind != "circulation":
            continue
        broken = replace(system, N={**system.N, (i, r): coefficient * sp.Rational(9, 10)})
        (proof,) = prove_mass(broken, ["X"])
        assert proof.status == "violated"
        assert "creates" in proof.explanation or "loses" in proof.explanation


def test_a_leaking_vessel_is_named_with_what_it_loses() -> None:
    d = Draft("m")
    for name in ("a.S", "b.S"):
        d.state(name)
    d.rate("forth", d["a.S"], {"a.S": -1, "b.S": sp.Rational(3, 4)})
    d.rate("back", d["b.S"], {"b.S": -1, "a.S": 1})
    (proof,) = prove_mass(d.system(), ["S"])
    assert proof.status == "violated"
    assert proof.explanation == ("forth (a.S -> 0.75 b.S) loses 0.25 umol of S for each umol that leaves a")


@pytest.mark.parametrize(
    ("taken", "made", "said"),
    [
        (-1, 3, "go (a.D -> 3 b.D) creates 2 umol of D for each umol that leaves a"),
        (-1, 0.5, "go (a.D -> 0.5 b.D) loses 0.5 umol of D for each umol that leaves a"),
        (-2, 3, "go (2 a.D -> 3 b.D) creates 0.5 umol of D for each umol that leaves a"),
    ],
)
def test_an_amount_of_one_species_counts_the_same_everywhere(taken: float, made: float, said: str) -> None:
    d = Draft("m")
    for name in ("a.D", "b.D"):
        d.state(name)
    d.rate("go", d["a.D"], {"a.D": taken, "b.D": made})
    (proof,) = prove_mass(d.system(), ["D"])
    assert (proof.status, proof.explanation) == ("violated", said)


def test_species_may_weigh_differently_and_each_the_same_everywhere() -> None:
    d = Draft("m")
    for name in ("a.D", "b.D", "a.M", "b.M", "c.M"):
        d.state(name)
    d.rate("move", d["a.D"], {"a.D": -1, "b.D": 1})
    d.rate("cleave", d["b.D"], {"b.D": -1, "b.M": 2})
    d.rate("leave", d["b.M"], {"b.M": -1, "a.M": 1})
    (proof,) = prove_mass(d.system(), ["D"])
    assert proof.held
    assert proof.explanation == "a.D + b.D + 1/2 a.M + 1/2 b.M is constant"
    d.rate("double", d["a.M"], {"a.M": -1, "c.M": 2})
    (proof,) = prove_mass(d.system(), ["D"])
    assert proof.status == "violated"
    assert "double (a.M -> 2 c.M) creates 1 umol of M for each umol that leaves a" in proof.explanation


def test_arrows_to_and_from_outside_are_listed() -> None:
    d = Draft("m")
    for name in ("a.S", "b.S", "other.T"):
        d.state(name)
    d.rate("move", d["a.S"], {"a.S": -1, "b.S": 1})
    d.rate("lost", d["b.S"], {"b.S": -1})
    d.rate("made", sp.Integer(1), {"other.T": 1})
    (proof,) = prove_mass(d.system(), ["S"])
    assert proof.held
    assert proof.explanation == "a.S + b.S is constant, apart from what lost moves to or from outside"


def test_an_arrow_with_a_symbolic_yield_is_listed() -> None:
    d = Draft("m")
    d.parameter("y", 0.9)
    for name in ("a.S", "b.T"):
        d.state(name)
    d.rate("convert", d["a.S"], {"a.S": -1, "b.T": d["y"]})
    (proof,) = prove_mass(d.system(), ["S"])
    assert "not counted because the yield is not a number: convert" in proof.explanation


def test_a_name_that_is_no_species_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'APAP'.*there are THEO"):
        prove_mass(oral(), ["APAP"])
