"""The methods of a fit: what each makes of the problem that exact solves would fit.

All methods end alike: the reference solver simulates the estimate, and the exact information says what the
data determine. They differ in what predicts during the search and in what searches.
"""

from __future__ import annotations

from pbpkc.infer.problem import FitProblem

#: What `--method` accepts, with the line its help shows.
METHODS = {
    "least-squares": "exact solves with exact sensitivities, bounded Fisher scoring",
}


def with_method(problem: FitProblem, method: str) -> FitProblem:
    """The problem as a method sees it.

    Raises
    ------
    ValueError
        For a method that does not exist.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(METHODS)}")
    return problem
