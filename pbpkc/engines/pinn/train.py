"""The joint training: Adam on network and parameters together, then L-BFGS, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pbpkc.engines.pinn.grid import grid
from pbpkc.engines.pinn.loss import Losses
from pbpkc.engines.pinn.network import Clock, initial_weights, states
from pbpkc.engines.pinn.options import PinnOptions
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.objective import Objective
from pbpkc.infer.pooled import PooledPredictor
from pbpkc.infer.predictor import Failure
from pbpkc.infer.starts import starting_points
from pbpkc.runtime.load import load_torch

Array = NDArray[np.float64]

#: Variances of the residuals, as logarithms: where they begin, and how far they may go.
_LOG_VARIANCE, _LOG_VARIANCE_LEAST, _LOG_VARIANCE_RATE = -5.0, -25.0, 2e-2

#: Iterations of L-BFGS between two words to the caller, its memory, and its stages.
_CHUNK, _MEMORY, _STAGES = 20, 50, 4


@dataclass(frozen=True)
class Epoch:
    """Losses of the network that was taken, at one time of its training.

    `data` is minus twice the log likelihood, `residual` the mean square of the dimensionless residuals.
    """

    number: int
    data: float
    residual: float
    theta: tuple[float, ...]


@dataclass(frozen=True)
class TrainedPinn:
    """A network after its training, with the parameters it found.

    Parameters
    ----------
    start, point : array, shape (k,)
        Scaled parameters where the training began and where it ended.
    theta : array, shape (k,)
        The latter in canonical units.
    predictions : array, shape (n,)
        The network's own at the observations.
    history : tuple of Epoch
    steps : int
        Evaluations of the losses, over all restarts.
    """

    start: Array
    point: Array
    theta: Array
    predictions: Array
    history: tuple[Epoch, ...]
    steps: int
    _losses: Losses
    _weights: tuple[Tensor, ...]
    _raw: Tensor

    def trajectory(self, times: Array) -> Array:
        """All states as the network has them, shape (T, S), each in its unit.

        Parameters
        ----------
        times : array, shape (T,), h
            Within the run of the data; a time of a dose is after it.
        """
        grid = self._losses.grid
        times = np.asarray(times, dtype=float)
        last = float(grid.begin[-1] + grid.length[-1])
        if times.size and (times.min() < grid.begin[0] or times.max() > last * (1 + 1e-12)):
            raise ValueError(f"times are outside {grid.begin[0]:.6g} to {last:.6g} h, where the network is")
        place = np.searchsorted(grid.begin, times, side="right") - 1
        since = np.tile(times, (len(grid.begin), 1)) - grid.begin[:, None]
        inside = np.clip(since, 0.0, grid.length[:, None])
        # The grid's own points come first: they hold the end of each segment, where the next one begins.
        both = np.concatenate((grid.since[:, : grid.collocation], inside), axis=1)
        with torch.no_grad():
            p = self._losses.parameters(self._raw)
            y, _ = states(list(self._weights), Clock.of(grid, both), grid, self._losses.before(p))
        found: Array = y[0].numpy()[place, grid.collocation + np.arange(len(times))]
        return found


def train(
    objective: Objective,
    options: PinnOptions,
    seed: int,
    heard: Callable[[float], None] | None = None,
) -> TrainedPinn | Failure:
    """Network and parameters of one subject, optimised together.

    Parameters
    ----------
    objective : Objective
        Of the subject, on a `CompiledPredictor`.
    options : PinnOptions
    seed : int
        Of the networks' first weights, and of the starting points of restarts.
    heard : callable, optional
        Called with the part that is done, in [0, 1].

    Returns
    -------
    TrainedPinn or Failure
        A failure where doses depend on a masked parameter, the model has unknown terms that are no part of
        the generated code, or the solver fails at the start, which gives the scales.
    """
    predictor = objective.predictor
    hindrance = obstacle(predictor)
    if hindrance is not None:
        return hindrance
    assert isinstance(predictor, CompiledPredictor)
    space = objective.space
    p = predictor.base.copy()
    p[predictor.columns] = space.to_natural(space.start)
    points = grid(predictor, p, options.points)
    if isinstance(points, Failure):
        return points
    losses = Losses(objective, load_torch(predictor.compiled.generated), points, options)
    begun = starting_points(space, options.restarts, seed)
    raw = losses.box.raw(begun).requires_grad_()
    # Own generator: torch's is nobody else's business.
    generator = torch.Generator().manual_seed(seed % 2**63)
    shape = (options.restarts, len(points.begin))
    weights = [
        w.requires_grad_()
        for w in initial_weights(shape, options.width, options.depth, len(points.scale), generator)
    ]
    count = len(points.scale) + len(points.totals)
    spread = torch.full((options.restarts, count), _LOG_VARIANCE, dtype=torch.float64)
    spread.requires_grad_()
    history: list[list[Epoch]] = [[] for _ in range(options.restarts)]
    _adam(losses, options, weights, raw, spread, history, heard)
    with torch.no_grad():
        total = _total(losses, options, weights, raw, spread, True)
    best = int(torch.where(torch.isfinite(total), total, torch.full_like(total, math.inf)).argmin())
    if not math.isfinite(float(total[best])):
        return Failure("the training diverged", "lower the learning rates")
    one = [w.detach()[best : best + 1].clone().requires_grad_() for w in weights]
    alone = raw.detach()[best : best + 1].clone().requires_grad_()
    steps = _lbfgs(losses, options, one, alone, spread.detach()[best : best + 1], history[best], heard)
    with torch.no_grad():
        seen = losses(one, alone, True)
        point = losses.box.scaled(alone)[0].numpy()
    return TrainedPinn(
        start=begun[best],
        point=space.clip(point),
        theta=space.to_natural(space.clip(point)),
        predictions=seen.predictions[0].numpy(),
        history=tuple(history[best]),
        steps=options.epochs * options.restarts + steps,
        _losses=losses,
        _weights=tuple(w.detach() for w in one),
        _raw=alone.detach(),
    )


def obstacle(predictor: object) -> Failure | None:
    """Why a network cannot stand for this predictor, None if it can."""
    if isinstance(predictor, PooledPredictor):
        return Failure("a network is the trajectory of one subject", "use --by subject, or another method")
    if not isinstance(predictor, CompiledPredictor):
        return Failure("a PINN needs the generated equations of a model", "use --method least-squares")
    if predictor.compiled.generated.torch_text is None:
        return Failure("the equations were not generated for torch", "load the model with its torch target")
    if predictor.regimen.resets:
        return Failure("a network has no reset within a subject", "use --method least-squares")
    if what := predictor.regimen.solved_for:
        return Failure(f"a network cannot begin with {what}", "use --method least-squares")
    names = [predictor.compiled.parameter_names[column] for column in predictor.columns]
    moved = [name for name in names if name in predictor.regimen.reads]
    if moved:
        return Failure(
            f"doses depend on {', '.join(moved)}, and the segments of a network cannot move",
            f"hold it (--unmask {moved[0]}), or use --method least-squares",
        )
    held = {predictor.compiled.parameter_names[k] for k in predictor.compiled.held_parameters}
    estimated = [name for name in names if name in held]
    if estimated:
        return Failure(
            f"'{estimated[0]}' may change during a run, and the inputs of a network cannot be estimated",
            f"hold it (--unmask {estimated[0]}), or use --method least-squares",
        )
    return None


def _total(
    losses: Losses,
    options: PinnOptions,
    weights: list[Tensor],
    raw: Tensor,
    spread: Tensor,
    settled: bool,
    data: bool = True,
    history: tuple[int, list[list[Epoch]]] | None = None,
) -> Tensor:
    """The loss of each network, shape (B,), on the scale of minus twice a log likelihood."""
    seen = losses(weights, raw, settled)
    if options.weighting == "fixed":
        physics = options.weight * seen.residual.mean(-1)
    else:
        known = spread.clamp(min=_LOG_VARIANCE_LEAST)
        physics = options.weight * (torch.exp(-known) * seen.residual + known).mean(-1)
    if history is not None:
        number, rows = history
        told = seen.data.tolist(), seen.residual.mean(-1).tolist(), losses.box.natural(raw).tolist()
        for row, (d, r, theta) in zip(rows, zip(*told, strict=True), strict=True):
            row.append(Epoch(number, d, r, tuple(theta)))
    return physics + seen.data if data else physics


def _adam(
    losses: Losses,
    options: PinnOptions,
    weights: list[Tensor],
    raw: Tensor,
    spread: Tensor,
    history: list[list[Epoch]],
    heard: Callable[[float], None] | None,
) -> None:
    alone = int(options.warm_up * options.epochs)
    groups = [
        {"params": weights, "lr": options.rate},
        {"params": [raw], "lr": options.parameter_rate},
        {"params": [spread], "lr": _LOG_VARIANCE_RATE},
    ]
    optimiser = torch.optim.Adam(groups)
    every = max(1, options.epochs // 40)
    rates = [group["lr"] for group in optimiser.param_groups]
    for epoch in range(options.epochs):
        fall = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * epoch / options.epochs))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * fall
        told = (epoch, history) if epoch % every == 0 else None
        warming = epoch < alone
        # Until the network knows the equations the data would only bend it away from them.
        loss = _total(
            losses, options, weights, raw.detach() if warming else raw, spread, False, not warming, told
        )
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if heard is not None and told is not None:
            heard(epoch / options.epochs / (1.0 + options.refine))


def _lbfgs(
    losses: Losses,
    options: PinnOptions,
    weights: list[Tensor],
    raw: Tensor,
    spread: Tensor,
    history: list[Epoch],
    heard: Callable[[float], None] | None,
) -> int:
    """L-BFGS from where Adam ended; the steps it took.

    The learned variances stay, but for a factor that tightens them from stage to stage. Setting them to what
    the residuals have become (their optimum) makes the equations so stiff that the parameters stop moving.
    """
    iterations = int(options.refine * options.epochs / _STAGES)
    asked = 0
    for stage in range(_STAGES if iterations else 0):
        optimiser = torch.optim.LBFGS(
            [*weights, raw], max_iter=_CHUNK, history_size=_MEMORY, line_search_fn="strong_wolfe",
            tolerance_grad=1e-10, tolerance_change=1e-14,
        )  # fmt: skip
        for done in range(0, iterations, _CHUNK):
            asked += _run(
                optimiser, losses, options, weights, raw, spread - stage * math.log(options.tighten)
            )
            now = stage * iterations + min(done + _CHUNK, iterations)
            with torch.no_grad():
                _total(losses, options, weights, raw, spread, True, history=(options.epochs + now, [history]))
            if heard is not None:
                heard((1.0 + now / options.epochs) / (1.0 + options.refine))
    return asked


def _run(
    optimiser: torch.optim.LBFGS,
    losses: Losses,
    options: PinnOptions,
    weights: list[Tensor],
    raw: Tensor,
    spread: Tensor,
) -> int:
    asked = 0

    def closure() -> Tensor:
        nonlocal asked
        asked += 1
        optimiser.zero_grad(set_to_none=True)
        loss = _total(losses, options, weights, raw, spread, True).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return asked
