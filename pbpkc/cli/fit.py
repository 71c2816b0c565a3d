"""``pbpkc fit``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.cluster_options import cluster_options, demand_one_place, pool_of
from pbpkc.cli.method_options import method_options
from pbpkc.cli.options import SPEC, as_format, command_line, counted, print_json, settings, solver, warn
from pbpkc.cli.places import as_folder, demand_apart, files_read
from pbpkc.cli.posterior_options import chosen_posterior, posterior_options
from pbpkc.cli.profile_option import WithProfile, profile

#: What -o writes whatever the data; the names of the plots depend on the observables.
FILES = (
    *("estimates.csv", "subjects.csv", "predictions.csv", "summary.csv", "profiles.csv"),
    *("posterior.csv", "posterior_summary.csv", "posterior_bands.csv"),
    *("timing.json", "fit.json", "report.html"),
)


@click.command("fit", cls=WithProfile)
@click.argument("spec", type=SPEC)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="CSV file, read through the scenario's data block [default: the file it names].",
)
@click.option(
    "--scenario",
    "-s",
    metavar="NAME",
    help="Whose data block reads the file [default: the only one that has one].",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_folder,
    help="Folder for tables, plots and report.html.",
)
@method_options
@click.option(
    "--map", "map_", is_flag=True, help="Add the priors of the masked parameters (maximum a posteriori)."
)
@click.option(
    "--by",
    type=click.Choice(["subject", "pooled", "both"]),
    default="subject",
    show_default=True,
    help="Estimates of each subject, one of all subjects' data together, or both.",
)
@profile
@posterior_options
@click.option(
    "--mask",
    multiple=True,
    metavar="SPEC",
    help='Estimate more, e.g. "APAP.kp.liver in (0.1, 10) scale log".',
)
@click.option(
    "--unmask",
    multiple=True,
    metavar="NAME",
    help='Hold a masked parameter at its median, or at "NAME = VALUE".',
)
@click.option(
    "--blq",
    type=click.Choice(["m3", "drop", "half", "zero"]),
    default="m3",
    show_default=True,
    help="Values below quantification: their likelihood (M3), left out, half the limit, or zero.",
)
@click.option(
    "--start",
    "start_",
    multiple=True,
    metavar="NAME=VALUE",
    help='Where the first search begins, e.g. "ka = 4 [1/h]" [default: the median of the prior].',
)
@click.option(
    "--starts", type=click.IntRange(1, 1000), default=3, show_default=True, help="Searches per subject."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the starting points.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes; the result does not depend on it.",
)
@cluster_options
@click.option(
    "--resume/--fresh",
    default=True,
    show_default=True,
    help="Take over finished subjects of an interrupted or equal run.",
)
@click.option(
    "--report/--no-report", default=True, show_default=True, help="Write report.html and the plots."
)
@solver(rtol=1e-10, kernels=("kernel",))
@settings
@as_format
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    data: Path | None,
    scenario: str | None,
    output: Path | None,
    method: str,
    budget: int | None,
    population: int | None,
    model: Path | None,
    head: str | None,
    map_: bool,
    by: str,
    profile: tuple[str, ...] | None,
    posterior: bool,
    draws: int | None,
    chains: int | None,
    warmup: int | None,
    mask: tuple[str, ...],
    unmask: tuple[str, ...],
    blq: str,
    start_: tuple[str, ...],
    starts: int,
    seed: int,
    workers: int,
    cluster: str | None,
    cluster_wait: float | None,
    resume: bool,
    report: bool,
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
    solver: str,
    rtol: float,
    atol: float | None,
    max_steps: int,
    format_: str,
) -> None:
    """Estimate masked parameters from data, with what the data cannot tell.

    Each subject is fitted by maximum likelihood with exact sensitivities, from several starting points. The
    optimum is simulated again by the reference solver, and that misfit is reported. A parameter that the
    data do not determine is named, with the combination that they do determine.
    """
    from pbpkc.cli.fit_text import fit_text
    from pbpkc.cli.progress import bar
    from pbpkc.infer.fit import Progress
    from pbpkc.infer.options import FitOptions
    from pbpkc.infer.output import FitFolder, document
    from pbpkc.jobs.fit import FitJob, fit
    from pbpkc.jobs.loaded import load
    from pbpkc.jobs.methods import MethodOptions
    from pbpkc.scale.cluster_worker import ClusterError
    from pbpkc.solve.options import SolverOptions

    demand_one_place(cluster, cluster_wait, workers)
    options = FitOptions(
        estimator="map" if map_ else "ml",
        blq=blq,  # type: ignore[arg-type]  # click has checked the choices
        starts=starts,
        seed=seed,
        workers=workers,
        profile=profile,
        posterior=chosen_posterior(posterior, draws, chains, warmup),
    )
    solver_options = SolverOptions(method=solver, rtol=rtol, atol=atol, max_steps=max_steps)  # type: ignore[arg-type]
    outputs = [output / name for name in FILES] if output is not None else []
    demand_apart(outputs, [spec] if data is None else [spec, data])
    loaded = load(spec)
    demand_apart(outputs, files_read(loaded.model))
    loaded = loaded.with_settings(set=set_, mask=mask, unmask=unmask, unknown=unknown, learn=learn)
    warn(loaded.model.warnings)
    stores: list[FitFolder] = []

    def open_store() -> FitFolder:
        assert output is not None
        stores.append(FitFolder(output, resume))
        return stores[0]

    choices = MethodOptions(budget, population, model, head)
    job = FitJob(data, scenario, options, solver_options, start_, method, choices, by)  # type: ignore[arg-type]
    finished = 0
    try:
        with pool_of(cluster, cluster_wait) as pool, bar("fitting") as tell:

            def hear(progress: Progress) -> None:
                nonlocal finished
                finished = int(progress.done)
                tell(progress.done, progress.total, progress.subject)

            fitted = fit(loaded, job, hear, open_store if output is not None else None, pool)
    except (KeyboardInterrupt, ClusterError):
        if stores and finished:
            click.echo(
                f"\n{counted(finished, 'subject')} finished and kept in {output}: "
                "the same command goes on from there",
                err=True,
            )
        raise
    result = fitted.result
    warn(fitted.dataset.notes)
    written = [path for store in stores for path in store.write(result)]
    # The numbers are out before the report begins: whatever happens to it, they are not lost.
    if format_ == "json":
        print_json(document(result))
    else:
        click.echo(fit_text(result), nl=False)
    if output is not None and report:
        from pbpkc.jobs.report import write_fit_report

        with bar("report") as tell:
            written += write_fit_report(output, loaded, fitted, command_line(), tell)
    if written:
        click.echo("wrote " + ", ".join(str(path) for path in written), err=True)
    ctx.exit({"done": 0, "partial": 4, "failed": 3}[result.outcome])
