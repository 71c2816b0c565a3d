"""What the network is trained on: minus twice the log likelihood of the data, and the residual.

The likelihood is that of every fit (`pbpkc.infer.likelihood`), written for tensors. The residual is the
generated torch module's, at the collocation points, made dimensionless.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pbpkc.engines.pinn.grid import Grid
from pbpkc.engines.pinn.network import Clock, states
from pbpkc.engines.pinn.options import PinnOptions
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import Scoring
from pbpkc.infer.transform import ParameterSpace
from pbpkc.runtime.torch_model import TorchModel

Array = NDArray[np.float64]

#: Steps of a search, from the start, that the box of an unbounded parameter reaches.
_OPEN = 5.0

#: Part of the box, from each end, that a start keeps away: the parameters could not move from the end itself.
_MARGIN = 1e-2

#: A prediction counts as at least this part of the measured value where the error is proportional to it.
_LEAST = 0.1


@dataclass(frozen=True)
class Box:
    """Masked parameters as numbers without bounds.

    Inside the box of their bounds they are ``low + (high - low) sigmoid(raw)`` on the scale of the fit.
    """

    space: ParameterSpace
    low: Tensor
    high: Tensor

    @staticmethod
    def of(space: ParameterSpace) -> Box:
        """The box of the bounds, where there are none of some steps of a search."""
        far = _OPEN * space.reach
        low = np.where(np.isfinite(space.lower), space.lower, space.start - far)
        high = np.where(np.isfinite(space.upper), space.upper, space.start + far)
        return Box(space, torch.as_tensor(low), torch.as_tensor(high))

    def raw(self, points: Array) -> Tensor:
        """From scaled parameters, shape (B, k)."""
        part = (torch.as_tensor(points) - self.low) / (self.high - self.low)
        return torch.logit(part.clamp(_MARGIN, 1.0 - _MARGIN))

    def scaled(self, raw: Tensor) -> Tensor:
        """Scaled parameters."""
        return self.low + (self.high - self.low) * torch.sigmoid(raw)

    def natural(self, raw: Tensor) -> Tensor:
        """Parameters in canonical units."""
        scaled = self.scaled(raw)
        log = torch.as_tensor(self.space.log)
        return torch.where(log, torch.exp(torch.where(log, scaled, torch.zeros_like(scaled))), scaled)


@dataclass(frozen=True)
class Seen:
    """One evaluation of B networks: data (B,), residuals (B, S + Q) and predictions (B, n)."""

    data: Tensor
    residual: Tensor
    predictions: Tensor


class Losses:
    """The losses of one subject as functions of the network's weights and the raw parameters.

    Parameters
    ----------
    objective : Objective
        On a `CompiledPredictor`.
    model : TorchModel
    grid : Grid
    options : PinnOptions
    """

    def __init__(self, objective: Objective, model: TorchModel, grid: Grid, options: PinnOptions) -> None:
        predictor = objective.predictor
        assert isinstance(predictor, CompiledPredictor)
        self.model, self.grid = model, grid
        self.space = objective.space
        self.box = Box.of(objective.space)
        self.clock = Clock.of(grid)
        self.base = torch.as_tensor(predictor.base)
        self.columns = torch.as_tensor(predictor.columns)
        self.fixed, self.initial = torch.as_tensor(grid.fixed), torch.as_tensor(grid.initial)
        self.scoring = _Scored(objective.scoring)
        count, points = grid.collocation, grid.since.shape[1]
        time = torch.as_tensor(grid.begin[:, None] + grid.since)
        self.time = time[:, :count].reshape(-1)
        self.u = torch.as_tensor(grid.u)[:, :count].reshape(-1, grid.u.shape[-1])
        flat = torch.as_tensor(grid.sample_segment * points + grid.sample_point)
        self.samples = flat
        self.sample_time, self.sample_u = time.reshape(-1)[flat], torch.as_tensor(grid.u).flatten(0, 1)[flat]
        self.observable = torch.as_tensor(predictor.observable)
        self.extra = torch.as_tensor(grid.extra)[:, None]
        self.totals = torch.as_tensor(grid.totals.T.copy())
        self.known = torch.as_tensor(grid.known)
        self.weight = self._weights(options)

    def _weights(self, options: PinnOptions) -> Tensor:
        """What each residual is multiplied by, shape (G, C, S)."""
        pace = self.clock.slope[:, : self.grid.collocation]
        rate = torch.as_tensor(self.grid.rate)
        per = pace + rate if options.residual == "relaxation" else pace.expand_as(rate)
        course = torch.as_tensor(self.grid.course).clamp(min=options.floor)
        return self.clock.runs / (per * torch.as_tensor(self.grid.scale) * course)

    def parameters(self, raw: Tensor) -> Tensor:
        """All parameters of the model, shape (B, P)."""
        return self.base.expand(raw.shape[0], -1).index_copy(1, self.columns, self.box.natural(raw))

    def before(self, p: Tensor) -> Tensor:
        """The state before the first dose, shape (B, S)."""
        return torch.where(self.fixed, self.initial, self.model.initial_state(p))

    def __call__(self, weights: list[Tensor], raw: Tensor, settled: bool) -> Seen:
        """Both losses.

        Parameters
        ----------
        settled : bool
            Whether a standard deviation that depends on the prediction follows the network's; until then it
            follows the measured value.
        """
        p = self.parameters(raw)
        start = self.before(p)
        y, dydt = states(weights, self.clock, self.grid, start)
        count = self.grid.collocation
        inner = y[:, :, :count].flatten(1, 2)
        slope = (dydt[:, :, :count] - self.extra).flatten(1, 2)
        left = self.model.residual(self.time, inner, slope, p, self.u)
        left = left.reshape(y.shape[0], y.shape[1], count, -1) * self.weight
        # The slow loss of what is conserved hides behind fast exchange; its own error shows it.
        moved = (y[:, :, :count] - start[:, None, None]) @ self.totals - self.known
        left = torch.cat((left, moved), dim=-1)
        running = self.clock.runs.sum() * count
        at = y.flatten(1, 2)[:, self.samples]
        seen = self.model.observe(self.sample_time, at, p, self.sample_u)
        predictions = seen.gather(-1, self.observable[None, :, None].expand(seen.shape[0], -1, 1))[..., 0]
        noise = self.model.noise(p)[:, self.observable]
        data = self.scoring.twice_minus_log(predictions, noise, settled) + self._penalty(raw)
        return Seen(data, (left * left).sum(dim=(1, 2)) / running, predictions)

    def _penalty(self, raw: Tensor) -> Tensor:
        """Minus twice the log density of the priors that count, shape (B,).

        Value and slope come from the fit's own; between two evaluations nothing else is asked.
        """
        scaled = self.box.scaled(raw)
        at = scaled.detach()
        told = [self.space.penalty(point) for point in at.numpy()]
        value = torch.tensor([v for v, _, _ in told], dtype=torch.float64)
        slope = torch.as_tensor(np.stack([s for _, s, _ in told]))
        return value + ((scaled - at) * slope).sum(-1)


class _Scored:
    """The observations in tensors; see `pbpkc.infer.likelihood`."""

    def __init__(self, scoring: Scoring) -> None:
        self.quantified = torch.as_tensor(scoring.quantified)
        self.censored = torch.as_tensor(scoring.censored)
        self.log, self.given = torch.as_tensor(scoring.lognormal), torch.as_tensor(scoring.given)
        scored = scoring.quantified | scoring.censored
        about = np.where(scoring.censored, scoring.limit, scoring.dv)
        about = np.where(scored & np.isfinite(about), about, 1.0)
        self.about = torch.as_tensor(about)
        floor = np.where(about > 0.0, about, np.abs(about).max(initial=1e-300)) * 1e-3
        self.floor = torch.as_tensor(np.where(scoring.lognormal, floor, 1.0))
        x = np.where(scoring.lognormal, np.log(np.where(scoring.lognormal, about, 1.0)), about)
        self.x = torch.as_tensor(x)
        self.sd = torch.as_tensor(np.where(scoring.given, scoring.sd, 1.0))
        # A lognormal value is scored by its own density, which a constant turns from that of its logarithm.
        self.constant = float(np.sum(2.0 * x[scoring.quantified & scoring.lognormal]))

    def twice_minus_log(self, y: Tensor, noise: Tensor, settled: bool) -> Tensor:
        """Minus twice the log likelihood, shape (B,), of predictions (B, n) with noise (B, n, 2)."""
        a, b = noise[..., 0], noise[..., 1]
        about = torch.maximum(y.abs(), _LEAST * self.about.abs()) if settled else self.about.abs()
        # The square root has no slope at zero, where only what is not read stands.
        sd = torch.sqrt((a * about) ** 2 + b * b + 1e-300)
        sd = torch.where(self.log, a, torch.where(self.given, self.sd, sd))
        # The logarithm, carried on as a line below a thousandth of the measured value.
        safe = torch.maximum(y, self.floor)
        mean = torch.where(self.log, torch.log(safe) + (y - safe) / self.floor, y)
        z = (self.x - mean) / sd
        density = math.log(2.0 * math.pi) + 2.0 * torch.log(sd) + z * z
        below = -2.0 * torch.special.log_ndtr(z)
        zero = torch.zeros_like(z)
        value = torch.where(self.quantified, density, zero) + torch.where(self.censored, below, zero)
        return value.sum(-1) + self.constant
