"""``pbpkc bench``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.bench_cluster import command as cluster
from pbpkc.cli.bench_solvers import command as solvers
from pbpkc.cli.options import as_format, command_line, print_json
from pbpkc.cli.places import as_folder

#: Parts of the benchmark of inversion; `pbpkc.jobs.bench_steps.PARTS` has the same.
PARTS = ("table", "synthetic", "speed", "ablation", "network", "missing")


class _Parts(click.ParamType):  # type: ignore[type-arg]  # not generic in older versions
    """A list of parts, ``table,speed``."""

    name = "LIST"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if isinstance(value, tuple):
            return value
        found = tuple(dict.fromkeys(part.strip() for part in str(value).split(",")))
        wrong = [part for part in found if part not in PARTS]
        if wrong:
            self.fail(f"'{wrong[0]}' is no part; parts are {', '.join(PARTS)}", param, ctx)
        return found


@click.group("bench")
def command() -> None:
    """Compare methods on tasks whose truth is known; count the faults that `check` finds."""


command.add_command(cluster)
command.add_command(solvers)


@command.command("inversion")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_folder,
    required=True,
    help="Folder for report.html, pictures, tables and results.json. What is finished is kept in it: the "
    "same "
    "command goes on where it was stopped.",
)
@click.option(
    "--short",
    is_flag=True,
    help="Small trainings and a few tasks, about two minutes: does everything still work?",
)
@click.option(
    "--part",
    "parts",
    type=_Parts(),
    default=",".join(PARTS),
    show_default=True,
    help="table: the three systems of the MI-PINN paper by every method; synthetic: 1, 3 and 5 unknowns at "
    "three "
    "levels of noise; speed: time against least squares on exact solves; ablation: choices of stage 1; "
    "network: networks as features, trained in five ways (about an hour); "
    "missing: the paper's missing term (not in the short form).",
)
@click.option(
    "--tasks", type=click.IntRange(1), help="Tasks of a cell of the synthetic study [default: 200; short: 3]."
)
@click.option(
    "--exact-tasks",
    type=click.IntRange(0),
    help="The first ones of them, which least squares on exact solves fits too [default: 50; short: 1].",
)
@click.option(
    "--replicates",
    type=click.IntRange(1),
    help="Data sets of each system and noise in the table [default: 20; short: 1].",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of tasks, starts and noise."
)
@click.option(
    "--resume/--fresh",
    default=True,
    show_default=True,
    help="Take over what an earlier run into the folder kept.",
)
@as_format
@click.pass_context
def inversion(
    ctx: click.Context,
    output: Path,
    short: bool,
    parts: tuple[str, ...],
    tasks: int | None,
    exact_tasks: int | None,
    replicates: int | None,
    seed: int,
    resume: bool,
    format_: str,
) -> None:
    """Recover unknown parameters of whole-body models, and judge what was recovered.

    The table of the MI-PINN paper redone, and a synthetic study with errors against their Cramér-Rao bounds,
    coverage of intervals, searches that fail,
    and time. The full form takes about four and a half hours on one core that
    does nothing else. At the end stands which of the limits set for the method hold,
    and which do not; a limit
    that does not hold is a result, and leaves the exit status at 0.
    """
    from pbpkc.cli.bench_text import bench_text
    from pbpkc.cli.progress import bar
    from pbpkc.engines.mipinn.material import TrainingError
    from pbpkc.jobs.bench_folder import BenchFolder
    from pbpkc.jobs.bench_output import document, write_bench
    from pbpkc.jobs.bench_steps import Bench, BenchOptions
    from pbpkc.jobs.inversion_bench import run

    options = BenchOptions(
        parts=parts,
        tasks=tasks or (3 if short else 200),
        exact_tasks=exact_tasks if exact_tasks is not None else (1 if short else 50),
        replicates=replicates or (1 if short else 20),
        seed=seed,
        short=short,
    )
    folder = BenchFolder(output, resume)
    try:
        with bar("benchmark", rate=1.0) as tell:  # its steps are weighed in seconds
            found = run(Bench(options, folder), tell)
    except TrainingError as error:
        click.echo(f"error: {error}", err=True)
        ctx.exit(3)
    except KeyboardInterrupt:
        click.echo(f"\nwhat is finished is kept in {output}: the same command goes on from there", err=True)
        raise
    written = write_bench(output, found, options, command_line())
    if format_ == "json":
        print_json(document(found, options))
    else:
        click.echo(bench_text(found), nl=False)
    click.echo(f"wrote {len(written)} files into {output}, report.html among them", err=True)


@command.command("mutations")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file with every fault, what became of it and what was said.",
)
@click.option("--short", is_flag=True, help="One fault of each kind in each file, about a minute.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--missed/--no-missed", default=True, show_default=True, help="List what was not found, and why."
)
@as_format
@click.pass_context
def mutations(
    ctx: click.Context, output: Path | None, short: bool, workers: int, missed: bool, format_: str
) -> None:
    """Make single faults in the shipped specs, and count how many `check` finds.

    Wrong units and scales of units, signs, lost and swapped ends of arrows, swapped names and volumes, flows
    that do not close, wrong powers, forgotten body weights, misplaced concentrations, processes written
    twice: about three hundred, the same ones every time. Those that break a dimension, the mass or the flow
    have to be found, every one, and the specs without a fault have to pass without a word; otherwise the
    exit status is 1.
    """
    from pbpkc.cli.fit_text import table
    from pbpkc.cli.progress import bar
    from pbpkc.jobs.mutation_bench import as_csv, mutation_study, tabulated

    with bar("mutations") as tell:
        study = mutation_study(short, workers, tell)
    if output is not None:
        from pbpkc.experiment.whole_file import write_whole

        write_whole({output: as_csv(study)})
    if format_ == "json":
        print_json(
            {
                "holds": study.holds,
                "specs": list(study.specs),
                "alarms": [{"spec": spec, "text": text} for spec, text in study.alarms],
                "faults": [vars(v) for v in study.verdicts],
            }
        )
        ctx.exit(0 if study.holds else 1)
    click.echo("\n".join(table(*tabulated(study))))
    lost = [v for v in study.verdicts if not v.found]
    if missed and lost:
        click.echo("\nNot found")
        for v in lost:
            click.echo(f"  {v.spec}:{v.line}: {v.kind}: {v.what}: {v.says}")
    for spec, text in study.alarms:
        click.echo(f"\nsaid of {spec} without a fault: {text}")
    made, certain = len(study.verdicts), study.certain
    click.echo(
        f"\n{made} faults in {len(study.specs)} files, {made - len(lost)} found; "
        f"of the {len(certain)} that break a dimension, the mass or the flow "
        f"{sum(v.found for v in certain)}; {len(study.alarms)} alarms without a fault"
    )
    ctx.exit(0 if study.holds else 1)
