"""``pbpkc bench solvers``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.options import as_format, print_json
from pbpkc.cli.places import as_folder

#: Of the short form.
_SHORT_SYSTEMS = ("body_15_nonlinear", "body_15_linear")


@click.command("solvers")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_folder,
    default=Path("build/bench-peers"),
    show_default=True,
    help="Folder for solvers.csv, solvers.json and solvers.svg, the environment of the peers, and what is "
    "finished: the same command goes on where it was stopped.",
)
@click.option(
    "--short", is_flag=True, help="Two small systems, 1 and 10 subjects: does everything still work?"
)
@click.option("--system", "systems", multiple=True, metavar="NAME", help="Only this system. Repeatable.")
@click.option("--peer", "peers", multiple=True, metavar="NAME", help="Only this peer. Repeatable.")
@click.option("--no-peers", is_flag=True, help="pbpkc's own methods alone; nothing is installed.")
@click.option(
    "--rtol",
    type=click.FloatRange(1e-12, 1e-2),
    default=1e-6,
    show_default=True,
    help="Relative tolerance of every method.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0.01),
    help="Processor seconds for one number of subjects; what would take longer is extrapolated from fewer, "
    "and marked [default: 15; short: 0.5].",
)
@click.option("--seed", type=click.IntRange(0), default=5, show_default=True, help="Of the subjects.")
@click.option(
    "--resume/--fresh",
    default=True,
    show_default=True,
    help="Take over what an earlier run into the folder kept.",
)
@as_format
@click.pass_context
def command(
    ctx: click.Context,
    output: Path,
    short: bool,
    systems: tuple[str, ...],
    peers: tuple[str, ...],
    no_peers: bool,
    rtol: float,
    budget: float | None,
    seed: int,
    resume: bool,
    format_: str,
) -> None:
    """Time forward simulation against the programs that users have.

    Whole bodies of 15, 33 and 100 states, nonlinear and linear, a dense gene network and an air pollution
    problem, for one subject and up to 10,000: every method gets the same equations, doses, parameters and
    tolerance, and its error against a tight reference stands beside its time. Processor time on one core,
    the best of several repetitions. Peers are installed by pip into an environment of their own below the
    output folder; one that cannot be installed or run is listed with its reason.
    """
    from pbpkc.cli.bench_solvers_text import solvers_text
    from pbpkc.cli.progress import bar
    from pbpkc.jobs.bench_folder import BenchFolder
    from pbpkc.jobs.solver_bench import SolverBenchOptions, method_names, solver_bench, system_names
    from pbpkc.jobs.solver_bench_output import solver_document, write_solver_bench
    from pbpkc.solve.trajectory import SolveError
    from pbpkc.studies.solvers.methods import PEERS, PRODUCT

    _demand("--system", systems, system_names())
    _demand("--peer", peers, [one.name for one in PEERS])
    if no_peers and peers:
        raise click.UsageError("--peer names a peer and --no-peers leaves all out; give one of them")
    own = tuple(one.name for one in PRODUCT)
    others = () if no_peers else peers or tuple(name for name in method_names() if name not in own)
    options = SolverBenchOptions(
        systems=systems or (_SHORT_SYSTEMS if short else system_names()),
        methods=(*own, *others),
        sizes=(1, 10) if short else (1, 10, 100, 1000, 10_000),
        checked=3 if short else 50,
        confirmed=0 if short else 2,
        budget=budget or (0.5 if short else 15.0),
        repeats=2 if short else 5,
        rtol=rtol,
        seed=seed,
        short=short,
    )
    folder = BenchFolder(output, resume)
    try:
        with bar("benchmark") as tell:
            found = solver_bench(options, folder, tell)
    except SolveError as error:
        click.echo(f"error: {error}", err=True)
        ctx.exit(3)
    except KeyboardInterrupt:
        click.echo(f"\nwhat is finished is kept in {output}: the same command goes on from there", err=True)
        raise
    written = write_solver_bench(output, found, options)
    if format_ == "json":
        print_json(solver_document(found, options))
    else:
        click.echo(solvers_text(found, options), nl=False)
    click.echo(f"wrote {', '.join(str(path) for path in written)}", err=True)


def _demand(option: str, given: tuple[str, ...], there: tuple[str, ...] | list[str]) -> None:
    """Refuse a name that does not exist.

    Raises
    ------
    click.BadParameter
        Naming it.
    """
    for name in given:
        if name not in there:
            raise click.BadParameter(f"'{name}' is not among {', '.join(there)}", param_hint=f"'{option}'")
