"""Virtual people: a population of a spec as a joint distribution, and draws from it.

    Population -> JointDistribution -> values, one row a person

The dependence is a Gaussian copula: `correlate a, b = r` is the correlation of the normal scores of a and b,
which is that of the values themselves where both are normal, and of their logarithms where both are
lognormal, as long as bounds cut little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from pbpkc.body.marginals import Marginal
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate, evaluate_definitions, reason
from pbpkc.language.expression import Expr
from pbpkc.language.model import Correlation, Model, Population, Prior, Variation

Array = NDArray[np.float64]

#: The smallest eigenvalue of a correlation matrix that is taken as positive: rounding alone gives about 1e-16
#: times the number of quantities.
_LEAST_EIGENVALUE = 1e-12

#: Bounds that leave less of a distribution than this were meant for another one.
_LEAST_KEPT = 1e-6


@dataclass(frozen=True)
class JointDistribution:
    """Quantities that differ together, ready to be drawn.

    Parameters
    ----------
    marginals : tuple of Marginal
    factor : array, shape (k, k)
        Lower Cholesky factor of the correlation matrix of the normal scores.
    """

    marginals: tuple[Marginal, ...]
    factor: Array

    @property
    def names(self) -> tuple[str, ...]:
        """The quantities, in the order of the columns."""
        return tuple(one.name for one in self.marginals)

    def from_normal(self, normal: ArrayLike) -> Array:
        """Values from independent standard normal numbers.

        Parameters
        ----------
        normal : array, shape (n, k)

        Returns
        -------
        ndarray, shape (n, k), canonical units
        """
        z = self._table(normal)
        # Row by row the same sums in the same order: the first rows of many are the rows of few.
        scores = np.empty_like(z)
        for i, row in enumerate(self.factor):
            scores[:, i] = row[0] * z[:, 0]
            for j in range(1, i + 1):
                scores[:, i] += row[j] * z[:, j]
        columns = [one.from_scores(scores[:, i]) for i, one in enumerate(self.marginals)]
        return np.stack(columns, axis=1)

    def from_uniform(self, uniform: ArrayLike) -> Array:
        """Values from independent numbers in (0, 1), such as a scrambled Sobol sequence.

        Parameters
        ----------
        uniform : array, shape (n, k)

        Returns
        -------
        ndarray, shape (n, k), canonical units

        Raises
        ------
        ValueError
            For a number outside [0, 1].
        """
        u = self._table(uniform)
        if not np.all((u >= 0.0) & (u <= 1.0)):
            raise ValueError("uniform has a number outside [0, 1]")
        # 0 and 1 would be infinite scores; their neighbours are as good.
        return self.from_normal(ndtri(np.clip(u, np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)))

    def _table(self, numbers: ArrayLike) -> Array:
        found = np.asarray(numbers, dtype=float)
        if found.ndim != 2 or found.shape[1] != len(self.marginals):
            raise ValueError(f"numbers have shape {found.shape}; accepted is (n, {len(self.marginals)})")
        return found


def independent(marginals: Iterable[Marginal]) -> JointDistribution:
    """Quantities that differ without regard to one another."""
    found = tuple(marginals)
    return JointDistribution(found, np.eye(len(found)))


def draw(joint: JointDistribution, n: int, seed: int) -> Array:
    """The first `n` people of a seed.

    Parameters
    ----------
    joint : JointDistribution
    n : int
        1 or more.
    seed : int
        0 or more.

    Returns
    -------
    ndarray, shape (n, k), canonical units
        Row i depends on `joint`, `seed` and i alone.

    Raises
    ------
    ValueError
        For a number outside what is accepted.
    """
    if n < 1:
        raise ValueError(f"n is {n!r}; accepted is 1 or more")
    if seed < 0:
        raise ValueError(f"seed is {seed!r}; accepted is 0 or more")
    size = len(joint.marginals)
    normal = np.empty((n, size))
    for i in range(n):
        normal[i] = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))).standard_normal(size)
    return joint.from_normal(normal)


def joint_distribution(model: Model, population: Population) -> JointDistribution:
    """A population of a model with every argument a number.

    A distribution without its first argument is centred on the model's value; a masked parameter that a
    spread or a correlation reads is at the median of its prior.

    Raises
    ------
    SpecError
        For a number that cannot be computed or that its distribution does not allow, bounds that leave
        nothing of a distribution, or correlations that cannot hold together.
    """
    number = evaluate_definitions({name: d.expr for name, d in model.definitions.items()}, {})
    problems: list[Diagnostic] = []
    marginals: list[Marginal] = []
    for one in population.variations:
        try:
            marginals.append(_marginal(one, number))
        except (ValueError, ArithmeticError, KeyError) as error:
            why = str(error) if isinstance(error, NotEvaluable | _Refused) else reason(error)
            problems.append(
                Diagnostic(
                    "population",
                    f"'{one.name}' of population '{population.name}' cannot be drawn: {why}",
                    (Label(one.span),) if one.span else (),
                    help=error.help
                    if isinstance(error, _Refused)
                    else "check the numbers that it is made of",
                )
            )
    names = [one.name for one in population.variations]
    try:
        factor = _factor(names, population, number)
    except SpecError as error:
        problems.extend(error.diagnostics)
    if problems:
        raise SpecError(problems)
    return JointDistribution(tuple(marginals), factor)


class _Refused(ValueError):
    """What a distribution does not allow, with what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def _marginal(one: Variation, number: Callable[[str], float]) -> Marginal:
    given = {word: float(evaluate(value, number)) for word, value in one.arguments.items()}
    centre = {"lognormal": "median", "normal": "mean"}.get(one.family)
    if centre is not None and centre not in given:
        try:
            given[centre] = float(number(one.name))
        except NotEvaluable as error:
            raise _Refused(
                f"the model has no number for it ({error})",
                f"write its {centre} as first argument of {one.family}",
            ) from error
    for word in ("cv", "sd", "sdlog", "median"):
        if word in given and not (given[word] > 0 and math.isfinite(given[word])):
            raise _Refused(f"its {word} is {given[word]:g}", f"a {word} is above 0 here")
    prior = _prior(one.family, given)
    if prior.arguments.get("sd") == 0.0:
        raise _Refused("its cv is relative to a mean of 0", "write sd = ... in place of cv = ...")
    help = (
        "move the bounds or the distribution; without bounds on its line those of its mask or covariate hold"
    )
    try:
        found = Marginal(one.name, prior, one.low, one.high)
    except ValueError:
        raise _Refused("its bounds leave nothing of its distribution", help) from None
    if found.kept < _LEAST_KEPT:
        raise _Refused(f"its bounds leave {found.kept:.1g} of its distribution", help)
    return found


def _prior(family: str, given: Mapping[str, float]) -> Prior:
    match family:
        case "lognormal":
            # sdlog^2 = ln(1 + cv^2), the exact relation for a lognormal distribution.
            sdlog = given["sdlog"] if "sdlog" in given else math.sqrt(math.log1p(given["cv"] ** 2))
            return Prior(family, {"median": given["median"], "sdlog": sdlog})
        case "normal":
            sd = given["sd"] if "sd" in given else given["cv"] * abs(given["mean"])
            return Prior(family, {"mean": given["mean"], "sd": sd})
    return Prior(family, dict(given))


def _factor(names: Sequence[str], population: Population, number: Callable[[str], float]) -> Array:
    """The lower Cholesky factor of the correlation matrix, shape (k, k)."""
    matrix = np.eye(len(names))
    problems = []
    for pair in population.correlations:
        try:
            value = _correlation(pair.value, number)
        except (ValueError, ArithmeticError, KeyError) as error:
            problems.append(
                Diagnostic(
                    "population",
                    f"the correlation of '{pair.left}' and '{pair.right}' has no value: {error}",
                    (Label(pair.span),) if pair.span else (),
                    help="write a number between -1 and 1",
                )
            )
            continue
        i, j = names.index(pair.left), names.index(pair.right)
        matrix[i, j] = matrix[j, i] = value
    if problems:
        raise SpecError(problems)
    if names and float(np.linalg.eigvalsh(matrix)[0]) < _LEAST_EIGENVALUE:
        raise SpecError([_indefinite(names, population, matrix)])
    factor: Array = np.asarray(np.linalg.cholesky(matrix), dtype=float)
    return factor


def _correlation(expr: Expr, number: Callable[[str], float]) -> float:
    value = float(evaluate(expr, number))
    if not -1.0 < value < 1.0:
        raise ValueError(f"it is {value:g}")
    return value


def _indefinite(names: Sequence[str], population: Population, matrix: Array) -> Diagnostic:
    """Which correlations contradict one another: those among the quantities of the worst direction."""
    values, vectors = np.linalg.eigh(matrix)
    worst = np.abs(vectors[:, 0])
    among = {name for name, weight in zip(names, worst, strict=True) if weight > 1e-6 * worst.max()}
    pairs: list[Correlation] = [p for p in population.correlations if {p.left, p.right} <= among]
    told = [f"{p.left}, {p.right} = {matrix[names.index(p.left), names.index(p.right)]:g}" for p in pairs]
    open_ = [
        f"{a}, {b}"
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        if {a, b} <= among and not any({a, b} == {p.left, p.right} for p in pairs)
    ]
    return Diagnostic(
        "correlations",
        f"no people can have these correlations of population '{population.name}' together: "
        + "; ".join(told),
        tuple(Label(p.span) for p in pairs if p.span),
        (
            f"the smallest eigenvalue of the correlation matrix is {values[0]:.3g}; it must be above 0",
            *((f"pairs that are not named are taken as 0: {'; '.join(open_)}",) if open_ else ()),
        ),
        "make the largest of them smaller" + (", or name the pairs that are left out" if open_ else ""),
    )
