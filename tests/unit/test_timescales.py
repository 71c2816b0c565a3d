from __future__ import annotations

import math

import pytest
import sympy as sp
from hand_systems import Draft, bimolecular, oral

from pbpkc.compiler.differentiate import differentiate
from pbpkc.compiler.system import System
from pbpkc.compiler.timescales import TimeScales, time_scales


def scales(system: System, at_rest: int = 0, state: list[float] | None = None) -> TimeScales:
    return time_scales(system, differentiate(system).jacobian, at_rest, state)


def test_one_compartment_has_absorption_and_elimination() -> None:
    found = scales(oral(), at_rest=1)
    assert found.hours == (12.5, 0.6667)  # v/cl = 0.5/0.04 h, 1/ka = 1/1.5 h
    assert found.at_rest == 1
    assert found.growing == 0
    assert found.stiffness == pytest.approx(12.5 / 0.6667)


def test_the_start_is_used_where_it_is_not_empty() -> None:
    assert scales(bimolecular(), at_rest=2).state == (1.0, 2.0, 0.0)
    assert scales(oral(), at_rest=1).state == (1.0, 1.0, 1.0)


def test_a_given_state_is_used() -> None:
    # d(2 A + B -> C, back)/dt is -(4 kon A B + kon A^2 + koff) along the reaction.
    found = scales(bimolecular(), at_rest=2, state=[3.0, 0.5, 0.0])
    assert found.hours == (float(f"{1 / (4 * 2 * 3 * 0.5 + 2 * 9 + 0.5):.3e}"),)


def test_an_oscillator_has_a_period_and_growth_is_counted() -> None:
    d = Draft("m")
    d.state("a")
    d.state("b")
    d.rate("up", sp.Rational(1, 10) * d["a"] - 2 * d["b"], {"a": 1}, reversible=True)
    d.rate("down", 2 * d["a"] + sp.Rational(1, 10) * d["b"], {"b": 1}, reversible=True)
    found = scales(d.system())
    assert found.hours == (10.0, 10.0)
    assert found.oscillating == (float(f"{math.pi:.3e}"),)
    assert found.growing == 2


def test_a_state_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values"):
        scales(oral(), state=[1.0, 2.0])


def test_no_default_of_an_unknown_term_is_an_outcome() -> None:
    d = Draft("m")
    d.state("a")
    f = d.unknown("f", [("c", 0.0, 1.0)])
    d.rate("out", f(d["a"]), {"a": -1})
    found = scales(d.system())
    assert found.hours == ()
    assert "no default" in found.outcome
