"""The comparison of solvers: every method on every system, and what is finished is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from pbpkc.jobs.bench_folder import BenchFolder, key_of
from pbpkc.studies.solvers.environment import Environment, peer_environment
from pbpkc.studies.solvers.methods import PEERS, PRODUCT, Method
from pbpkc.studies.solvers.peers.measure import Plan
from pbpkc.studies.solvers.problem_folder import Case, compiled_case, subjects_of, write_problem
from pbpkc.studies.solvers.run_method import run_method
from pbpkc.studies.solvers.scores import Score, compared, score
from pbpkc.studies.solvers.systems import SYSTEMS, system_named
from pbpkc.studies.solvers.truth import Truth, truth_of

_PACKAGE = Path(__file__).parents[1]

Tell = Callable[[float, float, str], None]

#: A method on a system is stopped after so many times the budget of a size, and this many seconds.
_PATIENCE, _PATIENCE_SECONDS = 20.0, 600.0


@dataclass(frozen=True)
class SolverBenchOptions:
    """What is compared, and how long it may take.

    Parameters
    ----------
    systems, methods : tuple of str
        Names; pbpkc's own methods are among them only if they are named.
    sizes : tuple of int
        Numbers of subjects, rising.
    checked, confirmed : int
        Subjects whose error is measured, and those whose truth another method confirms.
    budget : float, s
        Processor time that one number of subjects may take; more of them are then extrapolated.
    repeats : int
    rtol : float
    seed : int
    short : bool
    """

    systems: tuple[str, ...]
    methods: tuple[str, ...]
    sizes: tuple[int, ...] = (1, 10, 100, 1000, 10_000)
    checked: int = 50
    confirmed: int = 2
    budget: float = 15.0
    repeats: int = 5
    rtol: float = 1e-6
    seed: int = 5
    short: bool = False

    @property
    def plan(self) -> Plan:
        """What each process is told."""
        return Plan(self.sizes, self.slope_sizes, self.budget, self.repeats, self.checked)

    @property
    def slope_sizes(self) -> tuple[int, ...]:
        """Numbers of subjects whose sensitivities are computed."""
        return compared(self.sizes)


@dataclass(frozen=True)
class Comparison:
    """What a run found.

    Parameters
    ----------
    scores : tuple of Score
        System by system.
    titles : tuple of (str, str)
        Name and title of each system.
    confirmed : tuple of float
        How well two methods agree on what is true, for each system; nan where one alone was asked.
    """

    scores: tuple[Score, ...]
    titles: tuple[tuple[str, str], ...]
    confirmed: tuple[float, ...]


@dataclass(frozen=True)
class _Confirmed:
    """What is kept of a truth beside its curves."""

    confirmed: float


def method_names() -> tuple[str, ...]:
    """Names of all methods, pbpkc's own first."""
    return tuple(one.name for one in (*PRODUCT, *PEERS))


def system_names() -> tuple[str, ...]:
    """Names of all systems."""
    return tuple(one.name for one in SYSTEMS)


def solver_bench(
    options: SolverBenchOptions,
    folder: BenchFolder,
    tell: Tell,
    known: Sequence[Method] = (*PRODUCT, *PEERS),
    environment: Environment | None = None,
) -> Comparison:
    """Compare.

    Parameters
    ----------
    options : SolverBenchOptions
    folder : BenchFolder
        Where the environment of the peers, the problems and what is finished stand.
    tell : callable
        Told (done, total, what is being done).
    known : sequence of Method
        The methods that `options` names.
    environment : Environment, optional
        Of the peers; made in the folder if left out, where a peer is named.

    Raises
    ------
    SolveError
        If what is true of a system cannot be found.
    """
    chosen = [one for one in known if one.name in options.methods]
    steps = len(options.systems) * (len(chosen) + 2)
    peers = [one for one in chosen if not one.product]
    if peers and environment is None:
        packages = [name for one in peers if not one.missing() for name in one.packages]
        environment = peer_environment(folder.path, packages, lambda text: tell(0.0, float(steps), text))
    scores: list[Score] = []
    confirmed: list[float] = []
    done = 0
    for name in options.systems:
        system = system_named(name)
        tell(done, steps, f"{name}, its equations")
        case = compiled_case(system, subjects_of(options.sizes, options.checked), options.seed)
        place = folder.path / "problems" / name
        write_problem(case, place, options.rtol)
        heard = partial(_heard, tell, done, steps, f"{name}, its truth")
        truth = _truth(case, options, folder, heard)
        confirmed.append(truth.confirmed)
        done += 2
        for method in chosen:
            tell(done, steps, f"{name}, {method.title}")
            scores.append(_scored(method, place, case, truth, options, folder, environment))
            done += 1
    titles = tuple((name, system_named(name).title) for name in options.systems)
    return Comparison(tuple(scores), titles, tuple(confirmed))


def _heard(tell: Tell, done: int, steps: int, word: str, part: float) -> None:
    tell(done + part, steps, word)


def _truth(
    case: Case, options: SolverBenchOptions, folder: BenchFolder, heard: Callable[[float], None]
) -> Truth:
    """The truth of a system, kept beside the other parts."""
    beside = folder.path / "parts" / f"truth_{case.system.name}.npz"
    key = key_of(case.text, case.system.atol, options.checked, options.confirmed, options.seed,
                 case.times.tolist())  # fmt: skip

    def make() -> _Confirmed:
        found = truth_of(case, options.checked, options.confirmed, heard)
        np.savez(beside, curves=found.curves, sensitivities=found.sensitivities)
        return _Confirmed(found.confirmed)

    kept = folder.part(f"truth_{case.system.name}", key, _Confirmed, make, beside)
    with np.load(beside) as held:
        return Truth(held["curves"], held["sensitivities"], kept.confirmed)


def _scored(
    method: Method,
    place: Path,
    case: Case,
    truth: Truth,
    options: SolverBenchOptions,
    folder: BenchFolder,
    environment: Environment | None,
) -> Score:
    """The score of a method, measured or taken over."""
    blank = Score(case.system.name, method.name, method.title, method.product)
    reason = _unable(method, environment)
    if reason:
        return replace(blank, reason=reason)
    if environment is not None and not method.product:
        blank = replace(
            blank,
            versions=tuple(f"{name} {environment.versions[name.lower()]}" for name in method.packages),
            note="; ".join(environment.notes[name] for name in method.packages if name in environment.notes),
        )
    material = sorted(one.read_bytes().hex() for one in place.iterdir() if one.is_file())
    key = key_of(
        hashlib.sha256("".join(material).encode()).hexdigest(), truth.curves.tolist(), options.plan,
        blank, _product_fingerprint() if method.product else _peer_fingerprint(),
    )  # fmt: skip

    def make() -> Score:
        patience = _PATIENCE_SECONDS + _PATIENCE * options.budget
        figures, arrays = run_method(method, place, options.plan, environment, patience)
        return score(blank, figures, arrays, truth, options.sizes, options.slope_sizes)

    return folder.part(f"{case.system.name}_{method.name}", key, Score, make)


def _unable(method: Method, environment: Environment | None) -> str:
    """Why a method cannot run at all, empty if it can."""
    if method.product:
        return ""
    assert environment is not None
    missing = method.missing()
    if missing:
        return missing
    refused = [
        f"{name}: {environment.refused[name]}" for name in method.packages if name in environment.refused
    ]
    absent = [name for name in method.packages if name.lower() not in environment.versions]
    return "; ".join(refused) or ("not installed: " + ", ".join(absent) if absent else "")


@lru_cache(maxsize=1)
def _product_fingerprint() -> str:
    """Of all of pbpkc: any change in it may change what its own methods cost."""
    return _fingerprint(_PACKAGE.rglob("*.py"))


@lru_cache(maxsize=1)
def _peer_fingerprint() -> str:
    """Of what the peers run."""
    return _fingerprint((_PACKAGE / "studies" / "solvers" / "peers").glob("*"))


def _fingerprint(files: Iterator[Path]) -> str:
    found = hashlib.sha256()
    for one in sorted(path for path in files if path.is_file()):
        found.update(one.read_bytes())
    return found.hexdigest()
