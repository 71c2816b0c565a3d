"""Nodes for a stretch of a run, and the matrix that makes its samples of the responses there.

Time since an entry decides which window serves it, and a window's nodes serve all entries, since only
differences of times count. Amounts, times and exp(z t) are the same for all subjects, so they stand in one
real matrix: samples by (column, node).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.contour_nodes import WIDEST, Nodes, nodes, wide_enough
from pbpkc.solve.linear_stretches import Entry, Stretch
from pbpkc.solve.schedule import NotScheduled

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Places = NDArray[np.int64]

#: Multiplications of one node for each state, beside those of one number of the matrix.
_COST_OF_A_STATE = 8.0

#: Pairs of a sample and a dose that a plan may hold: some arrays of 200 MB.
MOST_PAIRS = 25_000_000

#: The spectrum is proved to lie left of this part of 1/(longest time): a sink or a total that nothing
#: changes has the eigenvalue zero.
SHIFT = 0.01

#: Terms below this part of the error are left out of the matrix.
NEGLIGIBLE = 0.01

#: A check is made with nodes of this many times the error.
CHECK_ERROR = 10.0


@dataclass(frozen=True)
class ContourPlan:
    """What compiled code needs for a stretch, and all its subjects share.

    Parameters
    ----------
    z : ndarray, shape (N, 2), 1/h
    shift : float, 1/h
    columns : tuple of int
        As `Entry.column`; where two amounts enter a state, it has two.
    places : tuple of int
        Which of the columns of the stretch they are.
    matrix : ndarray, shape (blocks, columns, 2 N + 1, BLOCK)
    used : ndarray of int, shape (blocks, columns, 2)
    samples : int
        T.
    checks : int
        Rows after the samples: differences between two contours that share no node, which vanish where the
        spectrum is in the sector.
    sizes : ndarray, shape (columns,)
        How much of its scale enters by each column at most.
    error : float
        Expected error, in parts of what enters.
    check_error : float
        The same of the checks.
    """

    z: Array
    shift: float
    columns: tuple[int, ...]
    places: tuple[int, ...]
    matrix: Array
    used: Places
    samples: int
    checks: int
    sizes: Array
    error: float
    check_error: float


@dataclass(frozen=True)
class Window:
    """Nodes that serve times since an entry in [begin, end] (h); `first` is the place of the first node."""

    begin: float
    end: float
    nodes: Nodes
    first: int

    @property
    def slice(self) -> slice:
        """Its nodes among all."""
        return slice(self.first, self.first + len(self.nodes.z))


def plan(
    stretch: Stretch,
    sector: float,
    error: float,
    states: int,
    block: int,
    absent: Sequence[int] = (),
    checked: bool = False,
    at_end: bool = False,
) -> ContourPlan:
    """Nodes and matrix of a stretch.

    Parameters
    ----------
    stretch : Stretch
    sector : float, rad
        Half-angle of what holds the spectrum.
    error : float
        In parts of what enters.
    states : int
        Of the equations that a node solves.
    block : int
        Samples of a block.
    absent : sequence of int
        Columns with nothing in them: the nodes do not depend on that.
    checked : bool
        Whether checks are added.
    at_end : bool
        The end of the stretch is the only sample.

    Raises
    ------
    NotScheduled
        For more samples and doses than memory should hold at once.
    """
    if at_end:
        times, segments = np.array([stretch.end]), np.array([stretch.end_segment], dtype=np.int64)
    else:
        times, segments = stretch.times, stretch.segments
    entries = stretch.entries
    if len(times) * len(entries) > MOST_PAIRS:
        raise NotScheduled(
            f"{len(entries)} starts and doses and {len(times)} samples are too many for the linear kernel, "
            f"which takes {MOST_PAIRS} pairs of them"
        )
    since = times[:, None] - np.array([e.time for e in entries])
    seen = np.array([e.first for e in entries]) <= segments[:, None]
    seen &= segments[:, None] < np.array([e.last for e in entries])
    positive = since[seen & (since > 0.0)]
    longest = float(positive.max()) if positive.size else 1.0
    shift = SHIFT / longest
    places = tuple(q for q, column in enumerate(stretch.columns) if column not in absent)
    columns = tuple(stretch.columns[q] for q in places)
    windows = _windows(np.unique(positive), sector, error, shift, states, len(times) * len(columns), checked)
    checks = _checks(windows, sector, error, shift) if checked and windows else []
    everything = [*windows, *checks]
    z = np.concatenate([w.nodes.z for w in everything]) if everything else np.zeros(0, complex)
    count = len(times)
    full = np.zeros((count + len(checks), len(columns), 2 * len(z) + 1))
    for k, entry in enumerate(entries):
        if entry.column in absent:
            continue
        _superpose(full[:count, places.index(entry.place)], entry, since[:, k], seen[:, k], windows)
    # A rate is as much as has flowed in until the first sample.
    first = float(positive.min()) if positive.size else 0.0
    sizes = np.array([max(first if e.lasts else 1.0 for e in entries if e.place == q) for q in places])
    for row, (one, other) in enumerate(zip(windows, checks, strict=True) if checks else (), start=count):
        time = np.array([one.begin])
        for q, size in enumerate(sizes.tolist()):
            _put(full[row : row + 1, q], one, time, size, False, slice(0, 1))
            _put(full[row : row + 1, q], other, time, -size, False, slice(0, 1))
    return ContourPlan(
        z=np.ascontiguousarray(np.column_stack((z.real, z.imag))),
        shift=shift,
        columns=columns,
        places=places,
        matrix=_blocked(full, block),
        used=_used(full, block),
        samples=len(times),
        checks=len(checks),
        sizes=sizes,
        error=max((w.nodes.error for w in windows), default=0.0),
        check_error=max((w.nodes.error for w in checks), default=0.0),
    )


def _windows(
    times: Array,
    sector: float,
    error: float,
    shift: float,
    states: int,
    entries: float,
    checked: bool,
) -> list[Window]:
    """Windows that hold all times, at the least cost of nodes and matrix."""
    if not times.size:
        return []
    best: tuple[float, list[tuple[float, float]]] | None = None
    extra = len(nodes(1.0, sector, CHECK_ERROR * error).z) if checked else 0
    least = max(1, math.ceil(math.log(times[-1] / times[0]) / math.log(WIDEST)))
    for number in range(least, least + 4):
        bounds = _parts(times, number)
        sizes = [len(nodes(wide_enough(end / begin), sector, error).z) for begin, end in bounds]
        held = [int(np.sum((times >= begin) & (times <= end))) for begin, end in bounds]
        share = entries / len(times)
        cost = sum(
            size * (_COST_OF_A_STATE * states + 0.5 * share * inside) + extra * _COST_OF_A_STATE * states
            for size, inside in zip(sizes, held, strict=True)
        )
        if best is None or cost < best[0]:
            best = cost, bounds
    assert best is not None
    found: list[Window] = []
    first = 0
    for begin, end in best[1]:
        own = nodes(wide_enough(end / begin), sector, error).scaled(begin, shift)
        found.append(Window(begin, end, own, first))
        first += len(own.z)
    return found


def _parts(times: Array, number: int) -> list[tuple[float, float]]:
    """Times cut into parts of equal ratio, those without any left out."""
    edges = np.geomspace(times[0], times[-1], number + 1)
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, number - 1)
    return [(float(times[place == k][0]), float(times[place == k][-1])) for k in np.unique(place).tolist()]


def _checks(windows: Sequence[Window], sector: float, error: float, shift: float) -> list[Window]:
    """For the beginning of each window, where a mode outside of the sector has decayed least, other nodes."""
    first = windows[-1].slice.stop
    found: list[Window] = []
    for window in windows:
        own = nodes(1.0, sector, CHECK_ERROR * error).scaled(window.begin, shift)
        found.append(Window(window.begin, window.begin, own, first))
        first += len(own.z)
    return found


def _superpose(
    target: Array, entry: Entry, since: Array, seen: NDArray[np.bool_], windows: Sequence[Window]
) -> None:
    """Add what an entry has become at the samples that see it, target (T, 2 N + 1)."""
    if not entry.lasts:
        target[seen & (since == 0.0), -1] += entry.sign
    for window in windows:
        inside = np.flatnonzero(seen & (since >= window.begin) & (since <= window.end))
        if inside.size:
            _put(target, window, since[inside], entry.sign, entry.lasts, inside)


def _put(
    target: Array, window: Window, since: Array, amount: float, lasts: bool, rows: Places | slice
) -> None:
    z, weight = window.nodes.z, window.nodes.weight
    term = weight * np.exp(np.outer(since, z))
    if lasts:
        term = term / z
    # A response is at most of the size of 1/z: what cannot reach the error is left out, and not multiplied.
    size = np.abs(term / z) * (1.0 if not lasts else 1.0 / since[:, None])
    term[size < NEGLIGIBLE * window.nodes.error / len(z)] = 0.0
    term *= amount
    inside = slice(2 * window.first, 2 * window.slice.stop)
    target[rows, inside.start : inside.stop : 2] += term.real
    target[rows, inside.start + 1 : inside.stop : 2] -= term.imag


def _blocked(full: Array, block: int) -> Array:
    """(T, Q, J) to (blocks, Q, J, block), filled up with zeros."""
    samples, columns, width = full.shape
    number = -(-samples // block)
    padded = np.zeros((number * block, columns, width))
    padded[:samples] = full
    return np.ascontiguousarray(padded.reshape(number, block, columns, width).transpose(0, 2, 3, 1))


def _used(full: Array, block: int) -> Places:
    """Where each column of a block is not zero: from, and before; (0, 0) for none."""
    blocked = np.any(_blocked(full, block) != 0.0, axis=-1)
    first = np.argmax(blocked, axis=-1)
    last = blocked.shape[-1] - np.argmax(blocked[..., ::-1], axis=-1)
    some = blocked.any(axis=-1)
    return np.ascontiguousarray(
        np.stack((np.where(some, first, 0), np.where(some, last, 0)), axis=-1), dtype=np.int64
    )
