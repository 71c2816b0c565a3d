"""``pbpkc simulate``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.cluster_options import cluster_options, demand_one_place
from pbpkc.cli.options import SPEC, as_format, print_json, settings, solver, warn
from pbpkc.cli.places import demand_apart, files_read, in_folder


@click.command("simulate")
@click.argument("spec", type=SPEC)
@click.option(
    "--scenario",
    "-s",
    multiple=True,
    metavar="NAME",
    help="Which to run; repeatable [default: all written ones].",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="CSV file; its units stand beside it in FILE.json.",
)
@click.option(
    "--times",
    metavar="LIST",
    help='Sampling times, e.g. "0, 30 min, 1 h, 1 d"; bare numbers are in the spec\'s unit of time.',
)
@click.option(
    "--points",
    type=click.IntRange(2, 1_000_000),
    default=241,
    show_default=True,
    help="Evenly spaced times, where none are given.",
)
@click.option("--states", is_flag=True, help="Write the states too.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="Plot of the observables (.svg or .png).",
)
@click.option("--log", "log_scale", is_flag=True, help="Logarithmic concentration axis in the plot.")
@click.option("--nca", "with_nca", is_flag=True, help="Non-compartmental figures of the simulated curves.")
@click.option(
    "--population",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Run the people of a file that `pbpkc population` wrote; gives percentiles over them too.",
)
@click.option("--percentiles", metavar="LIST", help='Levels over the people [default: "5, 25, 50, 75, 95"].')
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads of a kernel, or processes of the reference, for a population; the result is the same for "
    "any number.",
)
@click.option(
    "--resume/--fresh",
    default=True,
    show_default=True,
    help="Go on from what a stopped run of the same command left in FILE.partial (a population with -o).",
)
@cluster_options
@settings
@solver(rtol=1e-8, kernels=("kernel", "linear"))
@as_format
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    scenario: tuple[str, ...],
    output: Path | None,
    times: str | None,
    points: int,
    states: bool,
    plot: Path | None,
    log_scale: bool,
    with_nca: bool,
    population: Path | None,
    percentiles: str | None,
    workers: int,
    resume: bool,
    cluster: str | None,
    cluster_wait: float | None,
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
    solver: str,
    rtol: float,
    atol: float | None,
    max_steps: int,
    format_: str,
) -> None:
    """Run scenarios, for one person or a population.

    Masked parameters are at the medians of their priors, unknown terms at their defaults, unless --set or
    --unknown says otherwise. Without -o the table goes to standard output.

    With --population each scenario is run for every person of the file. -o FILE then holds all curves,
    FILE.percentiles.csv their percentiles at each time, which go to standard output without -o, and the plot
    shows them as bands.
    """
    from pbpkc.cli.progress import bar
    from pbpkc.cli.simulate_json import document
    from pbpkc.cli.simulate_people import PeopleRun, read_levels, run_people
    from pbpkc.jobs.loaded import load
    from pbpkc.jobs.nca import nca_of
    from pbpkc.jobs.simulate import simulate
    from pbpkc.language.diagnostics import Diagnostic
    from pbpkc.language.options.settings import read_times
    from pbpkc.solve.options import SolverOptions
    from pbpkc.solve.output import runs_csv, write_runs

    if log_scale and plot is None:
        raise click.UsageError("--log is the scale of the plot: give --plot FILE with it")
    if population is None and (percentiles is not None or workers > 1):
        raise click.UsageError("--percentiles and --workers are for people: give --population FILE with them")
    if population is None and (cluster, cluster_wait) != (None, None):
        raise click.UsageError("--cluster is for people: give --population FILE with it")
    demand_one_place(cluster, cluster_wait, workers)
    levels = read_levels(percentiles or "5, 25, 50, 75, 95")
    outputs = [output, output.with_name(f"{output.name}.json")] if output is not None else []
    outputs += [plot] if plot is not None else []
    demand_apart(outputs, [spec])
    options = SolverOptions(method=solver, rtol=rtol, atol=atol, max_steps=max_steps)  # type: ignore[arg-type]
    if plot is not None:
        from pbpkc.report.plots import kind_of

        kind_of(plot)  # refuses a name that is no plot's before anything is computed
    loaded = load(spec)
    demand_apart(outputs, files_read(loaded.model))
    loaded = loaded.with_settings(set=set_, unknown=unknown, learn=learn)
    warn(loaded.model.warnings)
    kept = {
        "set": list(set_),
        "unknown": list(unknown),
        **({"learn": list(learn)} if learn else {}),
        "times": times,
        "points": points,
        "solver": solver,
    }
    if population is not None:
        run = PeopleRun(
            population,
            scenario,
            output,
            times,
            points,
            states,
            plot,
            log_scale,
            with_nca,
            levels,
            workers,
            resume,
            cluster,
            cluster_wait,
            format_,
        )
        ctx.exit(run_people(run, loaded, options, kept))
    at = read_times(loaded.model, times) if times is not None else None
    with bar("simulating") as tell:
        found = simulate(loaded, scenario, at, options, points, lambda done, total: tell(done, total, ""))
    warn(found.notes)
    unit = loaded.model.time_unit
    if output is not None:
        write_runs(output, found.runs, loaded.compiled, unit, states, settings=kept)
        click.echo(f"wrote {output} and {output}.json", err=True)
    if plot is not None:
        from pbpkc.report.plots import write_simulation_plot

        write_simulation_plot(plot, loaded.model, found.runs, log=log_scale)
        click.echo(f"wrote {plot}", err=True)
    figures = nca_of(found) if with_nca else {}
    warn(dict.fromkeys(problem for table in figures.values() for problem in table.refused))
    if with_nca and not figures:
        click.echo(
            "note: no observable is a concentration, so there are no non-compartmental figures", err=True
        )
    if format_ == "json":
        print_json(document(found, loaded.compiled, states, kept, figures))
    else:
        click.echo("\n".join(f"{name}\n{table.to_text()}" for name, table in figures.items()), nl=False)
        if output is None and plot is None and not with_nca:
            click.echo(runs_csv(found.runs, unit, states), nl=False)
    failed = found.failures
    for one in failed:
        name = f"{one.scenario} {one.id}".strip()
        outcome = one.trajectory.outcome
        problem = Diagnostic(
            "not-solved", f"'{name}' has no whole curve: {outcome.reason}", help=outcome.suggestion
        )
        click.echo(problem.render(), err=True)
    ctx.exit(3 if failed and len(failed) == len(found.runs) else 4 if failed else 0)
