from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from hand_systems import Draft, bimolecular, chemistry, circulation, saturable

from pbpkc.compiler.conservation import conserved_totals, is_conserved, least_total, null_space
from pbpkc.compiler.system import System
from pbpkc.compiler.totals import stoichiometry


def texts(system: System) -> list[str]:
    return [t.text(system) for t in conserved_totals(system).basis]


def test_a_bimolecular_reaction_conserves_two_totals() -> None:
    assert texts(bimolecular()) == ["A + 2 C", "B + C"]


def test_nitrogen_and_carbon_of_a_smog_model() -> None:
    assert texts(chemistry()) == ["NO2 + NO + NO3", "HCHO + CO"]


@pytest.mark.parametrize("make", [bimolecular, chemistry, circulation, saturable])
def test_every_total_is_exact_and_there_are_as_many_as_the_rank_leaves(make: object) -> None:
    system = make()  # type: ignore[operator]
    arrows = stoichiometry(system)
    found = conserved_totals(system)
    assert len(found.basis) == len(system.states) - found.rank == len(null_space(arrows))
    rows = sp.Matrix([[dict(t.weights).get(i, 0) for i in range(arrows.size)] for t in found.basis])
    assert rows.rank() == len(found.basis)
    for total in found.basis:
        assert total.non_negative
        assert is_conserved(dict(total.weights), arrows)


def test_a_split_is_two_processes_for_every_fraction() -> None:
    system = saturable()
    arrows = stoichiometry(system)
    assert len([c for r, c in arrows.columns if r == 0]) == 2
    assert arrows.symbolic_yields == ()
    assert conserved_totals(system).by_species["D"] is not None


def test_a_symbolic_yield_is_left_out_and_listed() -> None:
    d = Draft("m")
    d.parameter("y", 0.9)
    for name in ("a.S", "b.S", "c.S"):
        d.state(name)
    d.rate("convert", d["a.S"], {"a.S": -1, "b.S": d["y"]})
    d.rate("move", d["b.S"], {"b.S": -1, "c.S": 1})
    found = conserved_totals(d.system())
    assert found.symbolic_yields == (0,)
    assert [t.text(d.system()) for t in found.basis] == ["a.S", "b.S + c.S"]


def test_an_open_arrow_breaks_a_total_and_is_listed() -> None:
    d = Draft("m")
    for name in ("a.S", "b.S"):
        d.state(name)
    d.rate("make", sp.Integer(1), {"a.S": 1})
    d.rate("move", d["a.S"], {"a.S": -1, "b.S": 1})
    found = conserved_totals(d.system())
    assert found.basis == ()
    assert found.open_arrows == (0,)
    total = found.by_species["S"]
    assert total is not None and total.text(d.system()) == "a.S + b.S"


def test_a_total_with_a_sign_is_found_where_there_is_no_other() -> None:
    d = Draft("m")
    for name in ("a", "b"):
        d.state(name)
    d.rate("together", d["a"], {"a": -1, "b": -1})
    assert texts(d.system()) == ["a - b"]


def test_weights_that_are_not_whole_are_exact() -> None:
    d = Draft("m")
    for name in ("a.S", "b.T", "c.T"):
        d.state(name)
    d.rate("convert", d["a.S"], {"a.S": -7, "b.T": sp.Rational(3, 11)})
    d.rate("move", d["b.T"], {"b.T": -13, "c.T": 17})
    system = d.system()
    weights = least_total(stoichiometry(system), [0])
    assert weights == ((0, Fraction(1)), (1, Fraction(77, 3)), (2, Fraction(77, 3) * Fraction(13, 17)))
    assert texts(system) == ["51 a.S + 1309 b.T + 1001 c.T"]


def test_no_non_negative_total_is_said() -> None:
    d = Draft("m")
    for name in ("a.S", "b.S"):
        d.state(name)
    d.rate("forth", d["a.S"], {"a.S": -1, "b.S": sp.Rational(9, 10)})
    d.rate("back", d["b.S"], {"b.S": -1, "a.S": 1})
    assert conserved_totals(d.system()).by_species == {"S": None}


def test_a_system_without_arrows_conserves_every_state() -> None:
    d = Draft("m")
    d.state("a")
    d.state("b")
    assert texts(d.system()) == ["a", "b"]
