"""What is asked of a posterior, and what comes back: plain numbers that can be stored and read back."""

from __future__ import annotations

from dataclasses import dataclass

Matrix = tuple[tuple[float, ...], ...]

#: Fewest draws of a chain from which convergence can be judged, and steps in which a step size is found.
_SHORTEST_CHAIN, _SHORTEST_WARMUP = 20, 20


@dataclass(frozen=True)
class PosteriorOptions:
    """How the posterior of each subject is drawn from.

    Parameters
    ----------
    draws : int
        Kept draws of one subject, shared evenly by the chains (rounded up to a multiple of them).
    chains : int
    warmup : int
        Draws of each chain that are thrown away; they find the step size.
    compared : int
        Draws whose likelihood is asked of the exact model where they come from a faster one.
    curves : int
        Draws behind a prediction band.

    Raises
    ------
    ValueError
        If a number is too small.
    """

    draws: int = 1000
    chains: int = 4
    warmup: int = 100
    compared: int = 500
    curves: int = 200

    def __post_init__(self) -> None:
        least = {
            "chains": 2,
            "draws": _SHORTEST_CHAIN * max(self.chains, 2),
            "warmup": _SHORTEST_WARMUP,
            "compared": 50,
            "curves": 50,
        }
        for name, smallest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                about = f" with {self.chains} chains" if name == "draws" else ""
                raise ValueError(f"{name} is {value!r}; accepted is an integer of at least {smallest}{about}")

    @property
    def per_chain(self) -> int:
        """Kept draws of one chain."""
        return -(-self.draws // self.chains)

    def identity(self) -> dict[str, str | int | float]:
        """What the result depends on."""
        names = ("draws", "chains", "warmup", "compared", "curves")
        return {f"posterior_{name}": getattr(self, name) for name in names}


@dataclass(frozen=True)
class PosteriorRow:
    """The posterior of one parameter of one subject; a line of ``posterior_summary.csv``.

    Parameters
    ----------
    id, parameter, unit : str
    mean, sd, median, low, high : float
        In `unit`; `low` and `high` are the 2.5 and 97.5 % points.
    r_hat : float
        Of chains split in two, ranks made normal; nan where the draws do not vary.
    ess : float
        Effective number of draws.
    prior : str
        The family of the prior, or what stands in its place.
    """

    id: str
    parameter: str
    unit: str
    mean: float
    sd: float
    median: float
    low: float
    high: float
    r_hat: float
    ess: float
    prior: str


@dataclass(frozen=True)
class BandRow:
    """A line of ``posterior_bands.csv``: what is predicted at one time.

    `time` is in the time unit of reports, all else in the observable's unit. `median`, `low` and `high`
    (2.5 and 97.5 %) are of the prediction itself, `dv_low` and `dv_high` of a new measurement with its
    residual error; nan where only the data tell that error. `subject` is whose
    curve it is: `id` itself, or one of those that a pooled fit takes together.
    """

    id: str
    time: float
    observable: str
    median: float
    low: float
    high: float
    dv_low: float
    dv_high: float
    subject: str


@dataclass(frozen=True)
class PosteriorDraws:
    """Draws of one subject, chain after chain.

    Parameters
    ----------
    chain, draw : tuple of int
        Both count from 1.
    values : matrix, n x k
        Parameters, in their units.
    log_density : tuple of float
        Of the scaled parameters (likelihood and priors), up to a constant, by the model that was drawn from.
    weight : tuple of float
        Importance weights with mean one; 0 for draws that were not compared with the exact model.
    """

    chain: tuple[int, ...]
    draw: tuple[int, ...]
    values: Matrix
    log_density: tuple[float, ...]
    weight: tuple[float, ...]


@dataclass(frozen=True)
class PosteriorCheck:
    """How the draws came about and what they are worth.

    Parameters
    ----------
    chains, warmup, draws : int
    evaluations, failures : int
        Of the density that was drawn from, and those without an answer.
    divergences : int
        Draws whose trajectory went astray.
    r_hat, ess : float
        The worst of the parameters.
    correction : {"none", "importance", "delayed acceptance"}
        How draws of a fast model were turned into draws of the exact one; none where the draws come from
        the exact one.
    exact : int
        Solves of the exact model for the correction.
    pareto_k : float
        Shape of the tail of the importance weights; nan without correction, or where all weights are alike.
    weight_ess : float
        Effective number of weighted draws; nan without correction.
    accepted : float
        Fraction of moves that the exact model accepted (delayed acceptance), else nan.
    """

    chains: int
    warmup: int
    draws: int
    evaluations: int
    failures: int
    divergences: int
    r_hat: float
    ess: float
    correction: str
    exact: int
    pareto_k: float
    weight_ess: float
    accepted: float


@dataclass(frozen=True)
class Posterior:
    """The posterior of one subject.

    Parameters
    ----------
    summary : tuple of PosteriorRow
    check : PosteriorCheck or None
        None where there are no draws, which `notes` explain.
    notes : tuple of str
        What a reader has to know: what stands in place of missing priors, chains that do not agree, draws
        too few, weights that cannot be trusted.
    bands : tuple of BandRow
    draws : PosteriorDraws or None
        None where they stand in a file of their own.
    """

    summary: tuple[PosteriorRow, ...]
    check: PosteriorCheck | None
    notes: tuple[str, ...]
    bands: tuple[BandRow, ...]
    draws: PosteriorDraws | None
