"""Doses, lags and durations in numbers, with their derivatives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pbpkc.experiment.bind import bind
from pbpkc.experiment.events import UNORDERED
from pbpkc.experiment.regimen import DoseEvent, Regimen
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.expression import Apply, Name, number
from pbpkc.language.units import ONE

DOSE, LAG, F, DUR = (Name(ONE, name) for name in ("dose", "lag", "f", "dur"))
VALUES = {"dose": 100.0, "lag": 0.5, "f": 0.8, "dur": 2.0, "k": 1.0}


def test_fraction_makes_an_infusion_slower_or_shorter() -> None:
    by_duration = Regimen((DoseEvent("X", 0, 100.0, duration=2.0, fraction=0.5),))
    by_rate = Regimen((DoseEvent("X", 0, 100.0, rate=50.0, fraction=0.5),))
    slower, shorter = bind(by_duration, {}).events, bind(by_rate, {}).events
    assert [(e.time, e.value) for e in slower] == [(0.0, 25.0), (2.0, -25.0)]
    assert [(e.time, e.value) for e in shorter] == [(0.0, 50.0), (1.0, -50.0)]


def test_repeats_are_sorted_among_other_doses() -> None:
    regimen = Regimen(
        (DoseEvent("X", 0, 10.0, every=12.0, count=3, order=4), DoseEvent("Y", 1, 1.0, time=12.0, order=2))
    )
    bound = bind(regimen, {})
    assert [(e.species, e.time, e.order) for e in bound.events] == [
        ("X", 0.0, 4), ("X", 12.0, UNORDERED), ("Y", 12.0, 2), ("X", 24.0, UNORDERED),
    ]  # fmt: skip
    assert bound.smallest_dose == {"X": 10.0, "Y": 1.0}


def test_a_lagged_dose_leaves_its_row() -> None:
    bound = bind(Regimen((DoseEvent("X", 0, 10.0, lag=1.0, order=4),)), {})
    assert (bound.events[0].time, bound.events[0].order) == (1.0, UNORDERED)


def test_derivatives_of_amount_time_and_rate() -> None:
    regimen = Regimen((DoseEvent("X", 0, DOSE, time=1.0, duration=DUR, lag=LAG, fraction=F),))
    names = ("k", "dose", "lag", "f", "dur")
    start, stop = bind(regimen, VALUES, names).events
    assert start.value == pytest.approx(40.0)
    np.testing.assert_allclose(start.d_value, [0.0, 0.4, 0.0, 50.0, -20.0])
    np.testing.assert_allclose(start.d_time, [0.0, 0.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(stop.d_time, [0.0, 0.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(stop.d_value, [0.0, -0.4, 0.0, -50.0, 20.0])


def test_derivatives_of_a_duration_that_follows_from_the_rate() -> None:
    regimen = Regimen((DoseEvent("X", 0, DOSE, rate=50.0, fraction=F),))
    start, stop = bind(regimen, VALUES, ("dose", "f")).events
    assert start.d_value is None
    assert stop.time == pytest.approx(1.6)
    np.testing.assert_allclose(stop.d_time, [0.8 / 50.0, 100.0 / 50.0])


def test_derivatives_through_definitions() -> None:
    double = Apply(ONE, "mul", (number(Fraction(2)), DOSE))
    regimen = Regimen((DoseEvent("X", 0, Name(ONE, "twice")),), definitions={"twice": double})
    assert regimen.reads == {"twice", "dose"}
    event = bind(regimen, VALUES, ("dose",)).events[0]
    assert event.value == 200.0
    np.testing.assert_array_equal(event.d_value, [2.0])
    # A value given for the name itself wins over its definition.
    assert bind(regimen, {"twice": 7.0, "dose": 1.0}).events[0].value == 7.0


def test_a_set_start_has_a_derivative() -> None:
    bound = bind(Regimen((), starts=((1, DOSE, 0.5),)), VALUES, ("dose",))
    assert bound.starts[0].value == 200.0
    np.testing.assert_array_equal(bound.starts[0].d_value, [2.0])


def test_other_names_and_their_order() -> None:
    regimen = Regimen((DoseEvent("X", 0, DOSE, lag=LAG),))
    bound = bind(regimen, VALUES, ("lag", "dose")).by(("dose", "k"))
    assert bound.names == ("dose", "k")
    np.testing.assert_array_equal(bound.events[0].d_value, [1.0, 0.0])
    assert bound.events[0].d_time is None


@pytest.mark.parametrize(
    ("dose", "words"),
    [
        (DoseEvent("X", 0, -1.0), "amount of a dose is -1.0"),
        (DoseEvent("X", 0, 1.0, lag=-0.5), "lag is -0.5"),
        (DoseEvent("X", 0, 1.0, duration=-1.0), "duration of an infusion"),
        (DoseEvent("X", 0, 1.0, rate=0.0), "rate of an infusion is 0.0"),
        (DoseEvent("X", 0, Name(ONE, "nowhere")), "'nowhere' has no value"),
        (DoseEvent("X", 0, Apply(ONE, "div", (DOSE, number(0)))), "division by zero"),
        (DoseEvent("X", 0, Apply(ONE, "ln", (number(-1),))), "cannot be computed"),
    ],
)
def test_quantities_that_mean_nothing(dose: DoseEvent, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        bind(Regimen((dose,)), VALUES)
