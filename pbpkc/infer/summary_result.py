"""What single estimates say of the population that stands behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SummaryRow:
    """One line of ``summary.csv``: a parameter over the subjects whose data determine it.

    Parameters
    ----------
    parameter, unit : str
    n : int
        Subjects counted.
    kind : {"geometric", "arithmetic"}
        Geometric where the parameter is estimated on a log scale.
    mean : float
        In `unit`; nan, as everything after it, where no subject counts.
    spread : float
        Standard deviation of the estimates: of the logarithm (geometric), or in `unit`. It holds the errors
        of the estimates too. nan for one subject.
    low, high : float
        Smallest and largest estimate, in `unit`.
    mean_low, mean_high : float
        95 % interval of the mean by Student's t over the subjects, in `unit`.
    between_sd : float
        Standard deviation between subjects as `spread`, without the errors of the estimates: the square root
        of observed variance minus mean squared standard error, 0 where that is negative.
    gts_mean, gts_sd : float
        Mean (in `unit`) and standard deviation between subjects (as `spread`) by the global two-stage method.
    not_counted : tuple of str
        Subjects that have an estimate which their data do not determine.
    """

    parameter: str
    unit: str
    n: int
    kind: str
    mean: float
    spread: float
    low: float
    high: float
    mean_low: float = math.nan
    mean_high: float = math.nan
    between_sd: float = math.nan
    gts_mean: float = math.nan
    gts_sd: float = math.nan
    not_counted: tuple[str, ...] = ()


@dataclass(frozen=True)
class TwoStage:
    """A population by the global two-stage method, on the scale of the fit and in canonical units.

    Parameters
    ----------
    parameters : tuple of str
        Those that at least two subjects determine.
    n : int
        Subjects that determine any of them.
    mean, mean_error, sd : tuple of float
        Mean, its standard error, and standard deviation between subjects: of ln(parameter) for scale log.
    correlation : matrix
        Between subjects; nan where a parameter hardly differs between them.
    iterations : int
    converged : bool
    """

    parameters: tuple[str, ...]
    n: int
    mean: tuple[float, ...]
    mean_error: tuple[float, ...]
    sd: tuple[float, ...]
    correlation: Matrix
    iterations: int
    converged: bool
