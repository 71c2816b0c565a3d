"""The methods of a fit: what each makes of the problem that exact solves would fit.

All methods end alike: the reference solver simulates the estimate, and the exact information says what the
data determine. They differ in what predicts during the search and in what searches.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from pbpkc.engines.pinn import Pinn, PinnOptions
from pbpkc.infer.differences import SCIPY_DEFAULT, WithDifferences
from pbpkc.infer.evolution import Evolution, demand_cma
from pbpkc.infer.objective import Objective
from pbpkc.infer.observations import plan
from pbpkc.infer.options import FitOptions
from pbpkc.infer.problem import FitProblem
from pbpkc.infer.transform import ParameterSpace
from pbpkc.infer.trust_region import TrustRegion, not_least_squares
from pbpkc.jobs.method_names import METHODS, READ_BY
from pbpkc.jobs.trained_method import with_trained


@dataclass(frozen=True)
class MethodOptions:
    """Choices that only some methods read; None: as the method has it by default.

    Parameters
    ----------
    budget : int, optional
        Solves of one search of ``cma-es``; epochs of ``pinn``.
    population : int, optional
        Points of a generation of ``cma-es``.
    model : Path, optional
        File of the trained model of ``mi-pinn``.
    head : {"galerkin", "least-squares"}, optional
        What solves with it.
    """

    budget: int | None = None
    population: int | None = None
    model: Path | None = None
    head: str | None = None


def with_method(
    problem: FitProblem,
    method: str,
    choices: MethodOptions | None = None,
    options: FitOptions | None = None,
) -> FitProblem:
    """The problem as a method sees it.

    Parameters
    ----------
    problem : FitProblem
    method : str
        One of `METHODS`.
    choices : MethodOptions, optional
    options : FitOptions, optional
        Of the fit to come, which may not suit every method.

    Raises
    ------
    ValueError
        For a method that does not exist, a choice that it does not read, a package that it lacks, or
        data of which it can fit no subject.
    """
    choices, options = choices or MethodOptions(), options or FitOptions()
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(METHODS)}")
    for field in fields(choices):
        if getattr(choices, field.name) is not None and method not in READ_BY[field.name]:
            by = ", ".join(READ_BY[field.name])
            raise ValueError(f"{field.name} is a choice of {by}; the method is {method!r}")
    problem = replace(problem, method=method)
    match method:
        case "finite-differences":
            return replace(problem, search=WithDifferences())
        case "finite-differences-default":
            return replace(problem, search=WithDifferences(SCIPY_DEFAULT))
        case "trust-region" | "trust-region-default":
            _demand_least_squares(problem, options)
            return replace(problem, search=TrustRegion("exact" if method == "trust-region" else "2-point"))
        case "mi-pinn":
            return with_trained(problem, choices.model, choices.head or "galerkin")
        case "cma-es":
            demand_cma()
            return replace(problem, search=Evolution(choices.budget, choices.population))
        case "pinn":
            _demand_no_profile(options)
            budget = PinnOptions() if choices.budget is None else PinnOptions(epochs=choices.budget)
            return replace(problem, search=Pinn(replace(budget, restarts=options.starts)))
    return problem


def _demand_no_profile(options: FitOptions) -> None:
    """A profile is the solver's, and would go on to a better estimate than the network's."""
    if options.profile is not None:
        raise ValueError("method is 'pinn', whose estimate is reported as it is; leave out --profile")


def _demand_least_squares(problem: FitProblem, options: FitOptions) -> None:
    """Refuse before any work where no subject's likelihood is a sum of squares; single ones say it later."""
    space = ParameterSpace(problem.parameters, with_priors=options.estimator == "map")
    found = None
    for subject in problem.subjects:
        scoring = plan(subject.observations, options.blq)
        found = not_least_squares(Objective(space, subject.predictor, scoring))
        if found is None:
            return
    raise ValueError(f"method is {problem.method!r}: {found}")
