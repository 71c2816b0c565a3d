"""A spec in Python, with the jobs that can be done with it as methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.jobs.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from pbpkc.check.report import CheckReport
    from pbpkc.engines.mipinn.training_options import TrainingOptions
    from pbpkc.experiment.people import People
    from pbpkc.infer.posterior_result import PosteriorOptions
    from pbpkc.infer.result import FitResult
    from pbpkc.jobs.meta_train import MetaTrained
    from pbpkc.jobs.simulate import Simulation


@dataclass(frozen=True)
class LoadedModel(Spec):
    """A `Spec` with the jobs of this room as methods."""

    def with_settings(
        self,
        set: str | Sequence[str] = (),
        mask: str | Sequence[str] = (),
        unmask: str | Sequence[str] = (),
        unknown: str | Sequence[str] = (),
        learn: str | Sequence[str] = (),
    ) -> LoadedModel:
        """The same spec with values, masks or unknown terms changed for this run.

        Parameters
        ----------
        set : str or sequence of str
            ``"ka = 1.5 [1/h]"``; a masked parameter is held there. It comes before the ``set`` of a scenario.
        mask : str or sequence of str
            ``"APAP.kp.liver in (0.1, 10) scale log"``.
        unmask : str or sequence of str
            ``"vmax_sult"`` (held at the median of its prior) or ``"vmax_sult = 400 [umol/h/kg^0.75]"``.
        unknown : str or sequence of str
            ``"paps = exp(-c / 300 [umol/L])"``.
        learn : str or sequence of str
            ``"paps = basis"``: the unknown term gets a form with coefficients that are masked parameters.

        Raises
        ------
        SpecError
            For a name or a value that does not fit.
        """
        from pbpkc.jobs.settings import changed

        typed = {
            "set": _texts(set),
            "mask": _texts(mask),
            "unmask": _texts(unmask),
            "unknown": _texts(unknown),
            "learn": _texts(learn),
        }
        model, given, learned = changed(self.model, *typed.values())
        if model is self.model:
            return self
        settings = {key: (*self.settings.get(key, ()), *texts) for key, texts in typed.items()}
        return LoadedModel(self.path, model, self.given | given, settings, self.learned + learned)

    def population(self, n: int = 100, seed: int = 0, name: str | None = None) -> People:
        """Draw people from a population of the spec.

        Person i depends on the seed and i alone, so the first 100 of 1000 are those of 100.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            0 or more.
        name : str, optional
            Which population; the only one of the spec if left out.

        Raises
        ------
        SpecError
            If the spec has none, or its numbers allow none.
        ValueError
            For a name that is no population's, or none where there are several.
        """
        from pbpkc.jobs.population import population

        return population(self, n, seed, name)

    def simulate(
        self,
        scenario: str | Sequence[str] | None = None,
        *,
        times: ArrayLike | None = None,
        set: str | Sequence[str] = (),
        unknown: str | Sequence[str] = (),
        solver: str = "auto",
        rtol: float = 1e-8,
        atol: float | Sequence[float] | None = None,
        population: People | str | Path | None = None,
        workers: int = 1,
        cluster: str | None = None,
    ) -> Simulation:
        """Run scenarios.

        Parameters
        ----------
        scenario : str or sequence of str, optional
            All hand-written scenarios if left out.
        times : array, h, optional
            When to sample; an even grid with the times of the events if left out.
        set, unknown : str or sequence of str
            As in `with_settings`.
        solver : {"auto", "kernel", "reference", "lsoda", "bdf", "radau"}
        rtol, atol : float
            Tolerances; `atol` in the unit of each state.
        population : People or path, optional
            Run the scenarios for each of these people, as `population` gives them or writes them to a file.
            Who cannot be run is in `not_run` of the result, whose `percentiles` are over the others.
        workers : int
            For a population: threads of a kernel, processes of the reference. The result is the same for any
            number.
        cluster : str, optional
            For a population: the address of a dask scheduler whose workers solve it, in place of this
            machine.

        Raises
        ------
        SpecError
            For a setting that does not fit, a file that cannot be read, or people none of whom can be run.
        ValueError
            For a scenario that does not exist, or times that do not fit.
        pbpkc.scale.cluster_worker.ClusterError
            If the cluster cannot be used, or fails.
        """
        from pbpkc.jobs.simulate import simulate
        from pbpkc.solve.options import SolverOptions

        options = SolverOptions(method=solver, rtol=rtol, atol=atol)  # type: ignore[arg-type]
        names = [scenario] if isinstance(scenario, str) else scenario
        changed = self.with_settings(set=set, unknown=unknown)
        if population is None:
            return simulate(changed, names, times, options)
        from pbpkc.experiment.people_file import read_people
        from pbpkc.jobs.simulate_people import simulate_people

        people = read_people(population, self.model) if isinstance(population, str | Path) else population
        if cluster is None:
            return simulate_people(changed, people, names, times, options, workers=workers)
        from pbpkc.scale.cluster import open_cluster

        with open_cluster(cluster) as pool:
            return simulate_people(changed, people, names, times, options, pool=pool)

    def check(self, *, torch: bool = True, progress: Callable[[str], None] | None = None) -> CheckReport:
        """Proofs, agreement of the generated code, expectations."""
        from pbpkc.jobs.check import check

        return check(self, torch=torch, progress=progress)

    def meta_train(
        self,
        output: str | Path | None = None,
        *,
        scenario: str | Sequence[str] = (),
        dose_range: tuple[float, float] = (0.5, 2.0),
        infusion_range: tuple[float, float] = (1.0, 1.0),
        options: TrainingOptions | None = None,
    ) -> MetaTrained:
        """Train a fast model on the family of tasks that the spec describes.

        Parameters
        ----------
        output : path, optional
            Where the model is written, for ``fit(method="mi-pinn", model=...)``.
        scenario : str or sequence of str
            Patterns of doses; all written scenarios if left out.
        dose_range, infusion_range : (float, float)
            Factors on amounts, and on the lengths of infusions.
        options : TrainingOptions, optional

        Raises
        ------
        ValueError
            For a scenario that does not exist.
        TrainingError
            If too many tasks of the family cannot be solved.
        """
        from pbpkc.engines.mipinn.training_options import TrainingOptions as Default
        from pbpkc.jobs.meta_train import MetaTrainJob, meta_train

        job = MetaTrainJob(_texts(scenario), dose_range, infusion_range, options or Default())
        return meta_train(self, job, None if output is None else Path(output))

    def fit(
        self,
        data: str | Path | None = None,
        *,
        scenario: str | None = None,
        method: str = "least-squares",
        budget: int | None = None,
        population: int | None = None,
        model: str | Path | None = None,
        head: str | None = None,
        estimator: str = "ml",
        blq: str = "m3",
        start: str | Sequence[str] = (),
        starts: int = 3,
        seed: int = 0,
        mask: str | Sequence[str] = (),
        unmask: str | Sequence[str] = (),
        set: str | Sequence[str] = (),
        unknown: str | Sequence[str] = (),
        learn: str | Sequence[str] = (),
        rtol: float = 1e-10,
        workers: int = 1,
        cluster: str | None = None,
        profile: bool | str | Sequence[str] = False,
        by: str = "subject",
        posterior: bool | PosteriorOptions = False,
    ) -> FitResult:
        """Estimate the masked parameters of each subject of a data file.

        Parameters
        ----------
        data : path, optional
            In place of the file the scenario names.
        scenario : str, optional
            Whose data block reads the file; the only one that has one if left out.
        method : str
            What finds the estimate, one of `pbpkc.jobs.methods.METHODS`.
        budget, population, model, head : optional
            Choices that only some methods read; see `pbpkc.jobs.methods.MethodOptions`.
        estimator : {"ml", "map"}
            Maximum likelihood, or with the priors added.
        blq : {"m3", "drop", "half", "zero"}
            What a value below quantification counts as.
        start : str or sequence of str
            Where the first search begins, ``"ka = 4 [1/h]"``; medians of the priors if left out.
        starts, seed : int
            Starting points per subject; the seed belongs to the subject.
        mask, unmask, set, unknown, learn : str or sequence of str
            As in `with_settings`.
        rtol : float
            Of the solver.
        workers : int
            Processes. The result is the same for any number.
        cluster : str, optional
            The address of a dask scheduler whose workers fit the subjects, in place of this machine.
        profile : bool, str or sequence of str
            Whose profile likelihood is followed: True for all that shape the prediction, or names.
        by : {"subject", "pooled", "both"}
            Estimates of each subject, one of all subjects' data together (its id is ``ALL``), or both.
        posterior : bool or `pbpkc.infer.PosteriorOptions`
            Whether to draw from the posterior of each subject, and how.

        Raises
        ------
        SpecError
            For problems in the data file or a setting.
        pbpkc.scale.cluster_worker.ClusterError
            If the cluster cannot be used, or fails.
        """
        from pbpkc.infer.options import FitOptions
        from pbpkc.infer.posterior_result import PosteriorOptions
        from pbpkc.jobs.fit import FitJob, fit
        from pbpkc.jobs.methods import MethodOptions
        from pbpkc.solve.options import SolverOptions

        names = (() if profile else None) if isinstance(profile, bool) else _texts(profile)
        options = FitOptions(
            estimator=estimator,  # type: ignore[arg-type]
            blq=blq,  # type: ignore[arg-type]
            starts=starts,
            seed=seed,
            workers=workers,
            profile=names,
            posterior=(PosteriorOptions() if posterior else None)
            if isinstance(posterior, bool)
            else posterior,
        )
        choices = MethodOptions(budget, population, None if model is None else Path(model), head)
        job = FitJob(data, scenario, options, SolverOptions(rtol=rtol), _texts(start), method, choices, by)  # type: ignore[arg-type]
        changed = self.with_settings(set=set, mask=mask, unmask=unmask, unknown=unknown, learn=learn)
        if cluster is None:
            return fit(changed, job).result
        from pbpkc.scale.cluster import open_cluster

        with open_cluster(cluster) as pool:
            return fit(changed, job, where=pool).result


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    """One text is one setting, and not its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def load(path: str | Path) -> LoadedModel:
    """Read and resolve a spec.

    Parameters
    ----------
    path : path of a ``.pbpk`` file

    Raises
    ------
    SpecError
        With every problem found; ``str(error)`` is what the command line would print.
    """
    from pbpkc.jobs.kept import kept
    from pbpkc.jobs.spec import with_kept_kernels

    path = Path(path)
    found = kept(path)
    if found is not None:
        model, generated = found
        spec = LoadedModel(path, model, plain=True)
        return replace(spec, remade=with_kept_kernels(spec, generated))
    from pbpkc.compiler.driver import read
    from pbpkc.language.resolve import resolve

    return LoadedModel(path, resolve(read(path)), plain=True)
