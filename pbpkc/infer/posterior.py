"""The posterior of one subject: draws, their correction by the exact model, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.anchored import anchored
from pbpkc.infer.observations import plan
from pbpkc.infer.options import FitOptions
from pbpkc.infer.posterior_bands import band_rows
from pbpkc.infer.posterior_correction import Sampled, corrected
from pbpkc.infer.posterior_diagnostics import bulk_ess, split_r_hat, thinned, weighted_quantiles
from pbpkc.infer.posterior_nuts import Chain, sample
from pbpkc.infer.posterior_result import (
    Posterior,
    PosteriorCheck,
    PosteriorDraws,
    PosteriorOptions,
    PosteriorRow,
)
from pbpkc.infer.posterior_target import Target, Walk
from pbpkc.infer.predictor import Failure
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.infer.transform import FittedParameter, ParameterSpace
from pbpkc.language.units import measured

Array = NDArray[np.float64]

#: Above this R-hat chains do not agree (Vehtari et al. 2021), below this many effective draws the ends of
#: an interval are not known.
LARGEST_R_HAT, FEWEST_DRAWS = 1.01, 100.0

#: Chains begin this many posterior standard deviations around the mode, so that they can disagree, at a
#: log density not further below it than this.
_SPREAD, _DEPTH = 1.5, 30.0

#: Part of all evaluations that may fail before it is said.
_ASTRAY = 2e-3

#: Parts of the whole work: chains, correction and bands.
_CHAINS, _CORRECTION = 0.8, 0.15


def posterior(
    problem: FitProblem,
    subject: FitSubject,
    options: FitOptions,
    theta: Array,
    seed: int,
    heard: Callable[[float], None] | None = None,
) -> Posterior:
    """Draws from the posterior of one subject with everything that is said about them.

    Parameters
    ----------
    problem : FitProblem
    subject : FitSubject
    options : FitOptions
        With `posterior`.
    theta : array, shape (k,)
        The estimate, canonical units, from where the mode is looked for.
    seed : int
        Of the subject.
    heard : callable, optional
        Called with the part of the work that is done.

    Returns
    -------
    Posterior
        Without draws, and the reason among its notes, where there can be none.
    """
    asked = options.posterior
    assert asked is not None
    tell = heard or (lambda done: None)
    space = ParameterSpace(problem.parameters, with_priors=True)
    notes = [text for text in (_no_prior(p) for p in problem.parameters) if text]
    # A fast model is made exact at the estimate first, so that little is left to be corrected.
    predictor = (
        subject.predictor if subject.exact is None else anchored(subject.predictor, subject.exact, theta)
    )
    if isinstance(predictor, Failure):
        return _without(predictor, notes)
    target = Target(space, predictor, plan(subject.observations, options.blq))
    mode = target.mode(space.clip(space.to_scaled(theta)))
    if isinstance(mode, Failure):
        return _without(mode, notes)
    walk = Walk(target, target.round(mode))
    chains: list[Chain] = []
    for number in range(asked.chains):
        chains.append(_chain(walk, asked, seed, number, lambda part: tell(_CHAINS * part)))
        walk.forget(np.concatenate([chain.points for chain in chains]))
    points = np.stack([chain.points for chain in chains])
    drawn = corrected(walk, subject, points, asked, seed, lambda part: tell(_CHAINS + _CORRECTION * part))
    if isinstance(drawn, Failure):
        return _without(drawn, notes)
    rows = _rows(subject.id, space, drawn)
    used = np.flatnonzero(drawn.weight > 0.0)
    used = used[thinned(len(used), asked.curves)]
    left = 1.0 - _CHAINS - _CORRECTION
    bands, failed = band_rows(
        problem,
        subject,
        drawn.theta(space)[used],
        drawn.weight[used],
        lambda made: tell(1.0 - left + left * made / len(used)),
    )
    # A step or two astray while the step size is found mean nothing.
    if target.failures > _ASTRAY * target.evaluations:
        notes.append(
            f"{target.failures} of {target.evaluations} evaluations of the posterior had no answer "
            f"({target.reason}): it ends there, whatever data and priors say"
        )
    if failed:
        notes.append(f"{failed} of {len(used)} draws could not be simulated for the prediction bands")
    check = _check(target, asked, chains, rows, drawn)
    return Posterior(rows, check, (*notes, *_warnings(rows, check)), bands, _draws(space, drawn))


def _chain(
    walk: Walk, asked: PosteriorOptions, seed: int, number: int, tell: Callable[[float], None]
) -> Chain:
    generator = np.random.default_rng([seed, number])
    start = _SPREAD * generator.standard_normal(walk.target.space.size)
    lowest = walk.value(np.zeros_like(start)) - _DEPTH
    while not walk.value(start) > lowest:
        start = 0.5 * start
    total = asked.chains * (asked.warmup + asked.per_chain)
    before = number * (asked.warmup + asked.per_chain)
    return sample(
        walk, start, asked.per_chain, asked.warmup, int(generator.integers(2**62)),
        lambda made: tell((before + made) / total),
    )  # fmt: skip


def _rows(id: str, space: ParameterSpace, drawn: Sampled) -> tuple[PosteriorRow, ...]:
    """The summary of each parameter."""
    values, weight = drawn.theta(space), drawn.weight / np.sum(drawn.weight)
    worth = math.inf if drawn.weights is None else drawn.weights.effective
    rows = []
    for i, parameter in enumerate(space.parameters):
        column = np.array([parameter.in_unit(value) for value in values[:, i].tolist()])
        mean = float(weight @ column)
        low, median, high = weighted_quantiles(column, weight, np.array([0.025, 0.5, 0.975])).tolist()
        by_chain = values[:, i].reshape(drawn.chains, -1)
        rows.append(
            PosteriorRow(
                id=id,
                parameter=parameter.name,
                unit=parameter.unit.text,
                mean=mean,
                sd=math.sqrt(float(weight @ (column - mean) ** 2)),
                median=median,
                low=low,
                high=high,
                r_hat=split_r_hat(by_chain),
                ess=min(bulk_ess(by_chain), worth),
                prior=parameter.prior.family if parameter.prior is not None else _stand_in(parameter),
            )
        )
    return tuple(rows)


def _check(
    target: Target,
    asked: PosteriorOptions,
    chains: list[Chain],
    rows: tuple[PosteriorRow, ...],
    drawn: Sampled,
) -> PosteriorCheck:
    return PosteriorCheck(
        chains=asked.chains,
        warmup=asked.warmup,
        draws=len(drawn.x),
        evaluations=target.evaluations,
        failures=target.failures,
        divergences=sum(chain.divergences for chain in chains),
        r_hat=max(row.r_hat for row in rows),
        ess=min(row.ess for row in rows),
        correction=drawn.correction,
        exact=drawn.exact,
        pareto_k=math.nan if drawn.first is None else drawn.first.k,
        weight_ess=math.nan if drawn.first is None else drawn.first.effective,
        accepted=drawn.accepted,
    )


def _warnings(rows: tuple[PosteriorRow, ...], check: PosteriorCheck) -> list[str]:
    """What is wrong with the draws, in words."""
    told = []
    apart = [f"{row.parameter} {row.r_hat:.3f}" for row in rows if not row.r_hat <= LARGEST_R_HAT]
    if apart:
        told.append(
            f"the chains of the posterior do not agree yet (R-hat above {LARGEST_R_HAT}: "
            f"{', '.join(apart)}); draw more, with a longer warm-up"
        )
    few = [f"{row.parameter} {row.ess:.0f}" for row in rows if not row.ess >= FEWEST_DRAWS]
    if few:
        told.append(
            f"the draws of the posterior are worth fewer than {FEWEST_DRAWS:.0f} independent ones "
            f"({', '.join(few)}), so the ends of its intervals are rough; draw more"
        )
    if check.divergences:
        told.append(
            f"{check.divergences} of {check.draws} trajectories of the sampler diverged: a corner of the "
            "posterior may be missing from the draws; a prior or narrower bounds for what the data do not "
            "determine may help"
        )
    if check.correction == "delayed acceptance":
        told.append(
            f"the fast model is too far from the reference solver for importance weights (k-hat "
            f"{check.pareto_k:.2f}, {check.weight_ess:.0f} effective draws), so the draws were made again "
            "with the reference solver's word on each move (delayed acceptance, "
            f"{100 * check.accepted:.0f} % accepted)"
        )
    return told


def _draws(space: ParameterSpace, drawn: Sampled) -> PosteriorDraws:
    n = len(drawn.x)
    each = n // drawn.chains
    weight = drawn.weight * (n / np.sum(drawn.weight))
    return PosteriorDraws(
        chain=tuple(i // each + 1 for i in range(n)),
        draw=tuple(i % each + 1 for i in range(n)),
        values=tuple(
            tuple(p.in_unit(v) for p, v in zip(space.parameters, row, strict=True))
            for row in drawn.theta(space).tolist()
        ),
        log_density=tuple(drawn.log_density.tolist()),
        weight=tuple(weight.tolist()),
    )


def _without(failure: Failure, notes: list[str]) -> Posterior:
    return Posterior((), None, (*notes, f"there is no posterior: {failure}"), (), None)


def _stand_in(parameter: FittedParameter) -> str:
    """What stands in place of a missing prior."""
    what = "uniform on the log scale" if parameter.scale == "log" else "uniform"
    return f"none ({what} within its bounds)"


def _no_prior(parameter: FittedParameter) -> str:
    if parameter.prior is not None:
        return ""
    ends = parameter.to_scaled(parameter.low), parameter.to_scaled(parameter.high)
    what = f"ln({parameter.name})" if parameter.scale == "log" else parameter.name
    if all(math.isfinite(end) for end in ends):
        return (
            f"'{parameter.name}' has no prior: its posterior takes {what} as uniform between its bounds, "
            f"{parameter.in_unit(parameter.low):.4g} and "
            + measured(f"{parameter.in_unit(parameter.high):.4g}", parameter.unit.text)
        )
    return (
        f"'{parameter.name}' has neither a prior nor two finite bounds: its posterior takes {what} as "
        "uniform without end, which is no probability unless the data determine it"
    )
