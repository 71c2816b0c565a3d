"""Draws of a fast model made into draws of the exact posterior: by weights, or by walking on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.likelihood import evaluate
from pbpkc.infer.posterior_delayed import DelayedChain, delayed_chain
from pbpkc.infer.posterior_diagnostics import thinned
from pbpkc.infer.posterior_importance import Weights, pareto_smoothed
from pbpkc.infer.posterior_result import PosteriorOptions
from pbpkc.infer.posterior_target import Density, Walk
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.problem import FitSubject
from pbpkc.infer.transform import ParameterSpace

Array = NDArray[np.float64]

#: Effective draws that weights have to leave, or the exact posterior is walked on.
_FEWEST = 100.0

#: Share of the draws that have to count for weights to be even.
_EVEN = 0.9

#: Moves before those that are kept, as a share of these: they begin at weighted draws, close to where they
#: belong.
_WARMUP = 0.25


@dataclass(frozen=True)
class Sampled:
    """Draws, ready to be summed up.

    Parameters
    ----------
    x : array, shape (n, k)
        Round coordinates, chain after chain.
    point : array, shape (n, k)
        The same, scaled.
    log_density : array, shape (n,)
        Of the scaled parameters, by the model that was drawn from.
    weight : array, shape (n,)
        0 for draws that were not compared.
    chains : int
    correction : str
        As in `PosteriorCheck`.
    exact : int
        Solves of the exact model.
    weights : Weights or None
        Those in `weight`, where they are importance weights.
    first : Weights or None
        The importance weights that were tried.
    accepted : float
    """

    x: Array
    point: Array
    log_density: Array
    weight: Array
    chains: int
    correction: str = "none"
    exact: int = 0
    weights: Weights | None = None
    first: Weights | None = None
    accepted: float = math.nan

    def theta(self, space: ParameterSpace) -> Array:
        """Parameters in canonical units, shape (n, k)."""
        return np.array([space.to_natural(point) for point in self.point])


def corrected(
    walk: Walk,
    subject: FitSubject,
    points: Array,
    asked: PosteriorOptions,
    seed: int,
    tell: Callable[[float], None],
) -> Sampled | Failure:
    """What the draws of the sampler are as draws of the exact posterior.

    Parameters
    ----------
    walk : Walk
    subject : FitSubject
        Draws are taken as they are where it has no `exact` model behind a fast one.
    points : array, shape (chains, n, k)
        Round coordinates.
    asked : PosteriorOptions
    seed : int
        Of the subject.
    tell : callable
        Called with the part of the work that is done.

    Returns
    -------
    Sampled or Failure
        A failure where the exact model gives none of the draws a likelihood.
    """
    chains = points.shape[0]
    x = points.reshape(-1, points.shape[2])
    seen = [_known(walk, one) for one in x]
    point = np.array([one.point for one in seen])
    log_density = np.array([one.log_density for one in seen])
    if subject.exact is None:
        return Sampled(x, point, log_density, np.ones(len(x)), chains)

    exact = _Exact(walk, subject.exact)
    chosen = thinned(len(x), asked.compared)
    ratio = np.empty(len(chosen))
    for number, i in enumerate(chosen):
        ratio[number] = exact.log_likelihood(seen[i]) - seen[i].log_likelihood
        tell((number + 1) / (2 * len(chosen)))
    if not np.isfinite(ratio).any():
        return Failure("the exact model has no value at any draw of the fast one", exact.reason)
    weights = pareto_smoothed(ratio)
    # A tail is judged by few draws; where next to all of them count alike there is none.
    even = weights.effective >= _EVEN * len(ratio)
    if even or (weights.trustworthy and weights.effective >= _FEWEST):
        weight = np.zeros(len(x))
        weight[chosen] = weights.weight
        return Sampled(x, point, log_density, weight, chains, "importance", exact.solves, weights, weights)
    return _walked(walk, exact, x, chosen, weights, asked, seed, lambda part: tell(0.5 + 0.5 * part))


def _walked(
    walk: Walk,
    exact: _Exact,
    x: Array,
    chosen: NDArray[np.int64],
    weights: Weights,
    asked: PosteriorOptions,
    seed: int,
    tell: Callable[[float], None],
) -> Sampled:
    """Chains by delayed acceptance, begun at draws chosen by their weights."""
    k = x.shape[1]
    root = np.asarray(np.linalg.cholesky(np.cov(x, rowvar=False).reshape(k, k) + 1e-9 * np.eye(k)), float)
    warmup = max(1, round(_WARMUP * asked.per_chain))
    length = asked.per_chain + warmup
    made: list[DelayedChain] = []
    for number in range(asked.chains):
        generator = np.random.default_rng([seed, asked.chains + number])
        start = x[generator.choice(chosen, p=weights.weight)]

        def hear(moves: int, before: int = number * length) -> None:
            tell((before + moves) / (asked.chains * length))

        made.append(
            delayed_chain(walk.value, exact.value, start, root, asked.per_chain, warmup, generator, hear)
        )
        walk.forget(np.concatenate([x, *(chain.points for chain in made)]))
    drawn = np.concatenate([chain.points for chain in made])
    seen = [_known(walk, one) for one in drawn]
    moves = sum(chain.asked for chain in made)
    return Sampled(
        x=drawn,
        point=np.array([one.point for one in seen]),
        log_density=np.array([exact.log_density(one) for one in seen]),
        weight=np.ones(len(drawn)),
        chains=asked.chains,
        correction="delayed acceptance",
        exact=exact.solves,
        first=weights,
        accepted=sum(chain.accepted for chain in made) / moves if moves else math.nan,
    )


class _Exact:
    """The likelihood by the exact model at points that the fast one knows."""

    def __init__(self, walk: Walk, predictor: Predictor) -> None:
        self.walk, self.predictor = walk, predictor
        self.solves, self.reason = 0, ""
        self._known: dict[bytes, float] = {}

    def log_likelihood(self, seen: Density) -> float:
        """-inf where the exact model has no answer."""
        key = seen.z.tobytes()
        if key not in self._known:
            self._known[key] = self._solve(seen)
        return self._known[key]

    def _solve(self, seen: Density) -> float:
        target = self.walk.target
        theta = target.space.to_natural(seen.point)
        self.solves += 1
        found = self.predictor.reference(theta)
        if isinstance(found, Failure):
            self.reason = str(found)
            return -math.inf
        noise = self.predictor.noise(theta)
        nothing = np.zeros((len(found), 0))
        plain = Noise(noise.proportional, noise.additive, nothing, nothing)
        value = evaluate(target.scoring, Prediction(found, nothing), plain)
        if isinstance(value, Failure):
            self.reason = str(value)
            return -math.inf
        return -0.5 * value.value

    def log_density(self, seen: Density) -> float:
        """Of the scaled parameters."""
        return seen.log_density - seen.log_likelihood + self.log_likelihood(seen)

    def value(self, x: Array) -> float:
        """Log density in round coordinates."""
        seen = self.walk.at(x)
        if seen is None:
            return -math.inf
        return seen.value - seen.log_likelihood + self.log_likelihood(seen)


def _known(walk: Walk, x: Array) -> Density:
    found = walk.at(x)
    assert found is not None  # a sampler does not stay where there is no density
    return found
