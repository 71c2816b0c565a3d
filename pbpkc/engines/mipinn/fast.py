"""A trained model at work: whole runs, segment after segment, for one task or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.heads import Forcing, Head, Solved, make_head
from pbpkc.engines.mipinn.kinds import infusion_targets, kind_of
from pbpkc.engines.mipinn.observer import Observer
from pbpkc.engines.mipinn.segment_plan import SegmentPlan, segment_plan
from pbpkc.engines.mipinn.structure import needed_states, structure
from pbpkc.engines.mipinn.tasks import Bound
from pbpkc.engines.mipinn.trained import TrainedModel
from pbpkc.runtime.compiled import CompiledModel
from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Solutions of the last parameters of a subject, by kind and number of the segment.
Warm = dict[tuple[str, int], "Remembered"]

#: Parameters that moved by less of their size are followed along the derivatives of the last solution.
NEAR = 0.3

#: Training tasks whose solution is tried as a start before a solve is given up.
TRIES = 4


class Unseen(Exception):
    """A segment of a kind, or a length, that training never saw; the text says which."""


class NotSolved(Exception):
    """The head found no solution; the text says where."""


@dataclass(frozen=True)
class Remembered:
    """A solution of a task: coefficients (n, K), their derivatives (n, K, k), and the parameters (k,)."""

    w: Array
    dw: Array | None
    p: Array

    def towards(self, p: Array) -> Array:
        """Coefficients to begin with at other parameters, (k,)."""
        step = p - self.p
        if self.dw is None or not np.all(np.abs(step) <= NEAR * np.abs(self.p)):
            return self.w
        return np.asarray(self.w + self.dw @ step)


@dataclass(frozen=True)
class Curve:
    """States at the samples of a run.

    Parameters
    ----------
    y : array, shape (B, T, S)
        States that no observable reads stay at the start of their segment.
    dy : array, shape (B, T, S, k), optional
    """

    y: Array
    dy: Array | None


@dataclass
class FastModel:
    """A trained model, ready to solve for what some observables need.

    Parameters
    ----------
    compiled : CompiledModel
    trained : TrainedModel
    observables : sequence of int or None
        Indices; None solves for every state.
    columns : array of int, shape (k,)
        Parameters to differentiate by.
    head : str
        ``galerkin`` or ``least-squares``.
    """

    compiled: CompiledModel
    trained: TrainedModel
    observables: Sequence[int] | None
    columns: Index
    head: str = "galerkin"
    _plans: dict[str, SegmentPlan] = field(default_factory=dict, init=False, repr=False)
    _at: dict[tuple[str, bytes], Array] = field(default_factory=dict, init=False, repr=False)
    _resting: dict[str, bool] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        every = np.arange(len(self.compiled.state_names), dtype=np.intp)
        states = every if self.observables is None else needed_states(self.compiled, self.observables)
        self.structure = structure(self.compiled, states)
        self.read = self._read_states(states)
        self.solver: Head = make_head(self.head, self.compiled, self.structure, self.columns, self.read)
        self.targets = infusion_targets(self.compiled.manifest["inputs"])
        every_observable = range(len(self.compiled.observable_names))
        seen = every_observable if self.observables is None else self.observables
        self.observer = Observer(self.compiled, seen, self.columns)

    def _read_states(self, states: Index) -> Index:
        """Places of the states that the observables read: at the end nobody asks for others."""
        if self.observables is None:
            return np.arange(len(states), dtype=np.intp)
        rows, cols = self.compiled.sparsity("d_observe_dy")
        read = np.unique(cols[np.isin(rows, np.asarray(self.observables, dtype=int))])
        return np.searchsorted(states, read).astype(np.intp)

    def kinds(self, segments: Sequence[Segment]) -> list[str]:
        """The kind of each segment."""
        names = self.compiled.state_names
        return [kind_of(s, k == 0, self.targets, names) for k, s in enumerate(segments)]

    def demand_seen(self, segments: Sequence[Segment]) -> None:
        """Refuse segments of a kind or length that training never saw.

        Raises
        ------
        Unseen
            Saying what training did see.
        """
        for kind, segment in zip(self.kinds(segments), segments, strict=True):
            if segment.t1 > segment.t0:
                self._demand(kind, segment.t1 - segment.t0)

    def _demand(self, kind: str, length: float) -> None:
        known = self.trained.kinds
        if kind not in known:
            raise Unseen(f"training saw no segment '{kind}'; it saw: {'; '.join(sorted(known))}")
        trained = known[kind].basis.grid.length
        if length > trained * (1.0 + 1e-9):
            raise Unseen(
                f"a segment '{kind}' lasts {length:.6g} h; training followed such a segment for "
                f"{trained:.6g} h"
            )

    def plan(self, kind: str, length: float) -> SegmentPlan:
        """The integrals for a segment, made once for each kind.

        Raises
        ------
        Unseen
            If training had no such segment, or none as long.
        """
        self._demand(kind, length)
        if kind not in self._plans:
            self._plans[kind] = segment_plan(self.trained.kinds[kind].basis, self.structure)
        return self._plans[kind]

    def run(
        self,
        binding: Bound,
        timelines: Sequence[Sequence[Segment]],
        times: Array,
        y0: Array,
        dy0: Array | None = None,
        warm: Sequence[Warm] | None = None,
    ) -> Curve:
        """Solve runs of tasks whose events fall on the same times.

        Parameters
        ----------
        binding : Bound
            B tasks, with derivatives where `dy0` is given.
        timelines : sequence of B sequences of Segment
            From `pbpkc.solve.timeline.timeline` with the same `times`.
        times : array, shape (T,), h
        y0 : array, shape (B, S)
            States before the first segment's events.
        dy0 : array, shape (B, S, k), optional
            Their derivatives by the columns; without it no derivatives are computed.
        warm : sequence of B dict, optional
            Solutions of the last call, where the iteration begins, which fits a search that moves slowly;
            they are filled. One for each search: what one leaves must not move another's last digits.

        Raises
        ------
        Unseen
            If a segment is of a kind or length that training never saw.
        NotSolved
            If a head does not converge.
        """
        count, states = binding.count, len(self.compiled.state_names)
        y, dy = y0, dy0
        columns = None if dy0 is None else dy0.shape[-1]
        values = np.empty((count, len(times), states))
        slopes = None if columns is None else np.empty((count, len(times), states, columns))
        lead = timelines[0]
        final = len(lead) - 1
        for number, (kind, segment) in enumerate(zip(self.kinds(lead), lead, strict=True)):
            sides = [line[number] for line in timelines]
            y, dy = _jumped(y, dy, sides, (y0, dy0))
            values[:, segment.samples] = y[:, None]
            if slopes is not None and dy is not None:
                slopes[:, segment.samples] = dy[:, None]
            length = segment.t1 - segment.t0
            if length <= 0.0 or (self._rests(kind) and not np.any(y)):
                continue
            plan = self.plan(kind, length)
            forcing = _forcing(sides, y, columns)
            whole = self.observables is None or number < final
            solved = self._solve(plan, kind, number, binding, forcing, dy, warm, whole)
            shift = None if columns is None else _moved(sides, columns)
            if len(wanted := times[segment.samples] - segment.t0):
                self._read(plan, kind, wanted, solved, shift, values, slopes, segment.samples)
            if number < final:
                after = None if columns is None else _moved([t[number + 1] for t in timelines], columns)
                y, dy = self._end(plan, kind, length, solved, y, dy, shift, after)
        return Curve(values, slopes)

    def _read(
        self,
        plan: SegmentPlan,
        kind: str,
        wanted: Array,
        solved: Solved,
        shift: Array | None,
        values: Array,
        slopes: Array | None,
        samples: slice,
    ) -> None:
        """Add to the start of the segment what the states that are read have become at the samples."""
        read = self.read
        states, scale = self.structure.states[read], plan.scale[read]
        phi = self._features(kind, plan, wanted)[read]
        curve = scale[:, None] * (solved.w[:, read, None, :] @ phi)[:, :, 0]
        values[:, samples, states] += np.swapaxes(curve, 1, 2)
        if slopes is None or solved.dw is None:
            return
        d = scale[:, None, None] * (np.swapaxes(phi, 1, 2) @ solved.dw[:, read])  # (B, r, T, k)
        if shift is not None:
            slope = scale[:, None] * (solved.w[:, read, None, :] @ plan.slopes_at(wanted)[read])[:, :, 0]
            d = d - slope[..., None] * shift[:, None, None]
        slopes[:, samples, states] += np.swapaxes(d, 1, 2)

    def _end(
        self,
        plan: SegmentPlan,
        kind: str,
        length: float,
        solved: Solved,
        y: Array,
        dy: Array | None,
        shift: Array | None,
        after: Array | None,
    ) -> tuple[Array, Array | None]:
        """States and derivatives at the end of a segment; `shift` and `after` move its two ends."""
        inside = self.structure.states
        last = np.array([length])
        at_end = self._features(kind, plan, last)[..., 0]
        y = y.copy()
        y[:, inside] += (solved.w * at_end).sum(-1) * plan.scale
        if dy is None or solved.dw is None:
            return y, dy
        dy = dy.copy()
        dy[:, inside] += plan.scale[:, None] * np.einsum("nk,bnkm->bnm", at_end, solved.dw)
        if after is not None or shift is not None:
            difference = (0.0 if after is None else after) - (0.0 if shift is None else shift)
            slope = plan.scale * (solved.w * plan.slopes_at(last)[..., 0]).sum(-1)
            dy[:, inside] += slope[..., None] * np.asarray(difference)[:, None]
        return y, dy

    def _features(self, kind: str, plan: SegmentPlan, since: Array) -> Array:
        """Features at times of a segment; subjects and evaluations ask for the same ones again and again."""
        key = kind, since.tobytes()
        if key not in self._at:
            if len(self._at) > 4096:  # times that a parameter moves: each is another set
                self._at.clear()
            self._at[key] = plan.features_at(since)
        return self._at[key]

    def _rests(self, kind: str) -> bool:
        """Whether nothing moved in such a segment in all of training."""
        if kind not in self._resting:
            known = self.trained.kinds.get(kind)
            self._resting[kind] = known is not None and not np.any(known.basis.features)
        return self._resting[kind]

    def _solve(
        self,
        plan: SegmentPlan,
        kind: str,
        number: int,
        binding: Bound,
        forcing: Forcing,
        dy: Array | None,
        warm: Sequence[Warm] | None,
        whole: bool,
    ) -> Solved:
        key = kind, number
        shape = self.structure.size, plan.mass.shape[1]
        p = binding.p[:, self.columns]
        guess = np.empty((len(p), *shape))
        tried = [0] * len(p)  # how many tasks of training each has begun from, nearest first
        for i in range(len(p)):
            known = None if warm is None else warm[i].get(key)
            if known is not None and known.w.shape == shape:
                guess[i] = known.towards(p[i])
            else:
                guess[i], tried[i] = self._recalled(kind, i, binding.p, forcing, 0), 1
        while True:
            solved = self.solver.solve(plan, binding, forcing, guess, dy, whole)
            good = solved.converged & np.isfinite(solved.w).all(axis=(1, 2))
            if good.all():
                for i, store in enumerate(warm or ()):
                    store[key] = Remembered(solved.w[i], None if solved.dw is None else solved.dw[i], p[i])
                return solved
            bad = np.flatnonzero(~good).tolist()
            if not self.solver.iterates or any(tried[i] == TRIES for i in bad):
                break
            guess[good] = solved.w[good]
            for i in bad:
                guess[i] = self._recalled(kind, i, binding.p, forcing, tried[i])
                tried[i] += 1
        wrong = np.flatnonzero(~solved.converged).tolist() or [0]
        raise NotSolved(
            f"the {self.head} head found no solution in the segment '{kind}' that begins at "
            f"{float(forcing.t0[wrong[0]]):.6g} h"
        )

    def _recalled(self, kind: str, i: int, p: Array, forcing: Forcing, rank: int) -> Array:
        """Coefficients of the training task of a rank in nearness, in proportion to what is in the body."""
        memory = self.trained.kinds[kind].memory
        length = self.trained.kinds[kind].basis.grid.length
        size = size_of(forcing.y0[i], forcing.u[i], forcing.extra[i], self.targets, length)
        key = self.trained.key(p[i], self.compiled.parameter_index, size)
        near = np.argsort(np.sum((memory.keys - key) ** 2, axis=1), kind="stable")
        best = near[min(rank, len(near) - 1)]
        known = float(memory.size[best])
        return np.asarray(memory.w[best][self.structure.states] * (size / known if known > 0.0 else 1.0))


def size_of(y0: Array, u: Array, extra: Array, targets: Sequence[str], length: float) -> float:
    """What a segment has to do with: all that is there at its beginning, and all that flows in."""
    flows = sum(abs(float(u[k])) for k, target in enumerate(targets) if target)
    return float(np.abs(y0).sum()) + (flows + float(np.abs(extra).sum())) * length


def _jumped(
    y: Array, dy: Array | None, sides: Sequence[Segment], start: tuple[Array, Array | None]
) -> tuple[Array, Array | None]:
    """States and derivatives after the events at the beginning of a segment; a reset brings back `start`.

    Derivatives move with the beginning of the segment, so the time of an event does not enter them.
    """
    if not any(e.kind in ("reset", "bolus") for side in sides for e in side.events):
        return y, dy
    y = y.copy()
    dy = None if dy is None else dy.copy()
    for i, side in enumerate(sides):
        for event in side.events:
            if event.kind == "reset":
                y[i] = start[0][i]
                if dy is not None and start[1] is not None:
                    dy[i] = start[1][i]
            elif event.kind == "bolus":
                y[i, event.state] += event.value
                if dy is not None and event.d_value is not None:
                    dy[i, event.state] += event.d_value
    return y, dy


def _moved(sides: Sequence[Segment], count: int) -> Array | None:
    """Derivatives of the time at which a segment begins, shape (B, k), None where it is fixed."""
    found = [next((e.d_time for e in side.events if e.d_time is not None), None) for side in sides]
    if all(one is None for one in found):
        return None
    return np.array([np.zeros(count) if one is None else one for one in found])


def _forcing(sides: Sequence[Segment], y: Array, columns: int | None) -> Forcing:
    """What acts on a segment of some tasks."""
    lead, states = sides[0], y.shape[-1]
    rate = None
    if columns is not None and any(side.d_rate is not None for side in sides):
        rate = np.array(
            [np.zeros((states, columns)) if s.d_rate is None else s.d_rate.T for s in sides]
        )  # (B, S, k)
    return Forcing(
        np.full(len(sides), lead.t0),
        y,
        np.array([side.u for side in sides]),
        lead.slope,
        np.array([np.zeros(states) if side.extra is None else side.extra for side in sides]),
        rate,
    )
