"""How long work will still take, by the rate at which it goes."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable

#: A rate that is known beforehand counts as much as this share of the whole done at it.
_TRUST = 0.02

#: Before this share of the whole, or these seconds since the first word, nothing is said.
_LEAST_SHARE, _LEAST_SECONDS = 0.02, 3.0

#: Marks that are kept; of more, every second one is dropped.
_MOST = 1000


class TimeLeft:
    """An estimate that learns how fast the work goes.

    What stands before the first word (imports, compilation) is no measure of the rest, nor is what an earlier
    run has left behind, which is there at once. So the clock starts with the first word, and of what was done
    since then the first quarter is forgotten.

    Parameters
    ----------
    rate : float, optional
        Work in a second where it is known about beforehand; it is trusted until enough was seen.
    clock : callable
        Gives seconds.
    """

    def __init__(self, rate: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._begun = clock()
        self._times: list[float] = []
        self._done: list[float] = []
        self._left, self._since = math.nan, self._begun

    def hear(self, done: float, total: float) -> None:
        """Take note of how much of the whole is done."""
        now = self._clock()
        if not self._done or done > self._done[-1]:
            self._times.append(now)
            self._done.append(done)
            if len(self._done) > _MOST:
                self._times, self._done = self._times[::2], self._done[::2]
        work, took = self._latest(done, now)
        if self._rate > 0.0:
            trusted = _TRUST * total
            work, took = work + trusted, took + trusted / self._rate
        self._left = took * max(total - done, 0.0) / work if work > 0.0 else math.nan
        if self._rate == 0.0 and self._too_early(done, total, now):
            self._left = math.nan
        self._since = now

    def _too_early(self, done: float, total: float, now: float) -> bool:
        """Whether so little was seen that a slow first piece would make hours of seconds."""
        first = self._done[0]
        seen, passed = (done - first, now - self._times[0]) if done > first else (done, 0.0)
        return seen < _LEAST_SHARE * total and passed < _LEAST_SECONDS

    def _latest(self, done: float, now: float) -> tuple[float, float]:
        """Work and seconds of what was done since the first word, but for its first quarter."""
        first = self._done[0]
        if done <= first:
            # One word only. Where none came before the first piece of work, its time is all that is known.
            return (done, now - self._begun) if self._rate == 0.0 else (0.0, 0.0)
        # Pieces of work differ; to forget more would follow the last few of them up and down.
        begin = bisect_right(self._done, first + 0.25 * (done - first)) - 1
        return done - self._done[begin], now - self._times[begin]

    @property
    def seconds(self) -> float:
        """Seconds left by now; nan where nothing is known yet."""
        gone = self._clock() - self._since
        return max(self._left - gone, 0.0) if math.isfinite(self._left) else math.nan

    def __str__(self) -> str:
        return in_words(self.seconds)


def in_words(seconds: float) -> str:
    """``about 80 s left``, ``about 12 min left``, ``about 4.5 h left``; empty where it is not known."""
    if not math.isfinite(seconds):
        return ""
    if seconds < 90.0:
        return f"about {seconds:.0f} s left"
    minutes = seconds / 60.0
    return f"about {minutes:.0f} min left" if minutes < 90.0 else f"about {minutes / 60.0:.1f} h left"
