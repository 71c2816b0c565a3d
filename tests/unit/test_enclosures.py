from __future__ import annotations

import pytest
import sympy as sp
from hand_systems import Draft, circulation, saturable

from pbpkc.compiler.enclosures import Enclosures, declared_box
from pbpkc.compiler.intervals import Interval, point
from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.trial_points import trial_points


def draft() -> Draft:
    d = Draft("m")
    d.parameter("k", 2.0, mask=(0.5, 4.0))
    d.parameter("v", 3.0)
    d.parameter("BW", 70.0, kind="covariate", bounds=(40.0, 120.0))
    d.state("A")
    d.state("B")
    return d


def test_parameters_run_over_their_bounds_only_when_masked_or_covariate() -> None:
    d = draft()
    box = declared_box(d.system())
    assert box[d["k"]] == Interval(0.5, 4.0)
    assert box[d["v"]] == point(3.0)
    assert box[d["BW"]] == Interval(40.0, 120.0)
    assert box[d["A"]].low == 0.0


@pytest.mark.parametrize("make", [circulation, saturable])
def test_no_value_at_any_trial_point_is_outside(make: object) -> None:
    system = make()  # type: ignore[operator]
    at = Evaluation(system, trial_points(system))
    enclosures = Enclosures(system)
    for entry in (*system.constants, *system.curves, *system.rates):
        values, bounds = at.value(entry.expr), enclosures.refined(entry.expr)
        assert values.min() >= bounds.low * (1 - 1e-12) and values.max() <= bounds.high * (1 + 1e-12)


def test_a_remainder_of_flow_is_seen_to_be_positive() -> None:
    system = circulation()
    enclosures = Enclosures(system)
    rest = next(a for a in system.constants if a.name == "Q.arterial.rest")
    assert enclosures.symbol(rest.symbol).low > 0


def test_a_quotients_derivative_has_its_sign() -> None:
    d = draft()
    c = d["A"]
    slope = d["k"] / (d["v"] + c) - d["k"] * c / (d["v"] + c) ** 2
    enclosures = Enclosures(d.system())
    assert enclosures.plain(slope).sign == "?"
    assert enclosures.refined(slope).sign == "+"


def test_a_sum_of_parameters_is_proved_in_pieces_of_the_box() -> None:
    d = draft()
    # k^2 - 4 k + 5 = (k - 2)^2 + 1 is at least 1; a single interval gives far less.
    expr = d["k"] ** 2 - 4 * d["k"] + 5
    d.constant("c", expr)
    enclosures = Enclosures(d.system())
    assert 0 < enclosures.symbol(d["c"]).low <= 1


def test_a_condition_narrows_its_branch() -> None:
    d = draft()
    above = sp.Piecewise((d["A"] - 5, d["A"] > 5), (0, True))
    assert Enclosures(d.system()).plain(above).sign == "+"
    never = sp.Piecewise((-1, d["k"] > 10), (1, True))
    assert Enclosures(d.system()).plain(never) == point(1.0)


def test_an_unknown_term_takes_its_range_and_its_anchor() -> None:
    d = draft()
    f = d.unknown("f", [("c", 0.0, 10.0)], range=(-1.0, 2.0), anchors=(((0.0,), 0.0),))
    enclosures = Enclosures(d.system())
    assert enclosures.plain(f(d["A"])) == Interval(-1.0, 2.0)
    assert enclosures.with_states({d["A"]: point(0.0)}).plain(f(d["A"])).is_zero


def test_a_foreign_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="stranger"):
        Enclosures(draft().system()).plain(sp.Symbol("stranger"))
