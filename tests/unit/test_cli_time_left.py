"""The time that work still takes, against work whose time is known."""

from __future__ import annotations

import math

import pytest

from pbpkc.cli.time_left import TimeLeft, in_words


class Clock:
    """Stands still until it is put forward."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def walked(times: list[float], rate: float = 0.0, begin: float = 0.0) -> tuple[TimeLeft, Clock, list[float]]:
    """Pieces of work that take these seconds, each told when it is done, and what was left after each."""
    clock = Clock()
    left, told = TimeLeft(rate, clock), []
    for k, seconds in enumerate(times, start=1):
        clock.now += seconds
        left.hear(begin + k, begin + len(times))
        told.append(left.seconds)
    return left, clock, told


def test_even_work_is_known_after_its_first_piece() -> None:
    _, _, told = walked([2.0] * 10)
    assert told == pytest.approx([2.0 * (9 - k) for k in range(10)])


def test_a_slow_start_is_no_measure_of_the_rest() -> None:
    # Imports and compilation take ten seconds before the first of a hundred pieces is done.
    _, _, told = walked([10.5] + [0.5] * 99)
    assert told[2:] == pytest.approx([0.5 * (97 - k) for k in range(98)])


def test_a_slow_first_piece_of_many_says_nothing() -> None:
    # 5 s of compilation stand in the first of a hundred thousand pieces of a run of 25 s.
    _, _, told = walked([5.0] + [0.0002] * 99_999)
    assert all(math.isnan(seconds) for seconds in told[:1000])
    expected = [0.0002 * (99_999 - k) for k in range(2000, 100_000)]
    assert told[2000:] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_long_work_is_known_after_some_seconds() -> None:
    _, _, told = walked([1.0] * 10_000)
    assert all(math.isnan(seconds) for seconds in told[:3])
    assert told[3] == pytest.approx(9996.0)


def test_what_an_earlier_run_left_counts_for_nothing() -> None:
    _, _, told = walked([3.0] * 20, begin=80.0)
    assert told[1] == pytest.approx(3.0 * 18)


def test_of_work_that_becomes_faster_the_first_quarter_is_forgotten() -> None:
    times = [4.0] * 10 + [1.0] * 90
    _, _, told = walked(times)
    assert told[43] == pytest.approx(56.0)
    assert sum(times[:44]) / 44 * 56 > 1.5 * told[43]


def test_a_rate_that_is_known_beforehand_is_used_until_enough_was_seen() -> None:
    clock = Clock()
    left = TimeLeft(1.0, clock)
    left.hear(0.0, 1000.0)
    assert left.seconds == pytest.approx(1000.0)
    # It is twice as slow.
    for done in range(1, 501):
        clock.now += 2.0
        left.hear(float(done), 1000.0)
    assert left.seconds == pytest.approx(1000.0, rel=0.05)
    unknown = TimeLeft(0.0, clock)
    unknown.hear(0.0, 5.0)
    assert math.isnan(unknown.seconds) and str(unknown) == ""


def test_it_counts_down_between_two_words_and_keeps_few_marks() -> None:
    left, clock, _ = walked([0.001] * 5000 + [10.0, 10.0])
    assert left.seconds == 0.0
    left, clock, _ = walked([2.0, 2.0, 2.0])
    left.hear(3.0, 10.0)
    clock.now += 5.0
    assert left.seconds == pytest.approx(14.0 - 5.0)
    clock.now += 50.0
    assert left.seconds == 0.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (4.4, "about 4 s left"),
        (89.0, "about 89 s left"),
        (91.0, "about 2 min left"),
        (2640.0, "about 44 min left"),
        (16200.0, "about 4.5 h left"),
        (math.nan, ""),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
