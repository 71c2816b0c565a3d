"""``pbpkc simulate --population``: the people of a file, and percentiles over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from pbpkc.cli.cluster_options import pool_of
from pbpkc.cli.options import print_json, warn
from pbpkc.cli.places import demand_apart, files_read

if TYPE_CHECKING:
    from pbpkc.experiment.nca_table import NCATable
    from pbpkc.experiment.people import People
    from pbpkc.jobs.loaded import LoadedModel
    from pbpkc.jobs.people_stream import StreamedPeople
    from pbpkc.language.diagnostics import Diagnostic
    from pbpkc.solve.options import SolverOptions

#: Failures, notes and warnings that are printed; all failures stand in the JSON file.
_MOST_TOLD = 10

#: Values of a person that are printed with a failure.
_MOST_VALUES = 6


@dataclass(frozen=True)
class PeopleRun:
    """What was asked for; the fields are the options of the command."""

    people: Path
    scenarios: tuple[str, ...]
    output: Path | None
    times: str | None
    points: int
    states: bool
    plot: Path | None
    log: bool
    nca: bool
    levels: tuple[float, ...]
    workers: int
    resume: bool
    cluster: str | None
    cluster_wait: float | None
    format: str


def outputs_of(run: PeopleRun) -> list[Path]:
    """The files that a run of people writes, but for the figures of each observable."""
    from pbpkc.jobs.people_output import output_files

    return [
        *(output_files(run.output) if run.output is not None else ()),
        *((run.plot,) if run.plot is not None else ()),
    ]


def read_levels(text: str) -> tuple[float, ...]:
    """``5,50,95`` as levels in %.

    Raises
    ------
    click.UsageError
        For what is no number, outside 0 to 100, or not rising.
    """
    from pbpkc.solve.percentiles import checked_levels

    try:
        return checked_levels([float(part.strip().removesuffix("%")) for part in text.split(",")])
    except ValueError as error:
        said = str(error) if "percentiles" in str(error) else f"'{text}' is no list of percentages"
        raise click.UsageError(f'{said}: write --percentiles "5, 25, 50, 75, 95"') from None


def run_people(run: PeopleRun, loaded: LoadedModel, options: SolverOptions, kept: Mapping[str, Any]) -> int:
    """Run the people and show what came out.

    Parameters
    ----------
    run : PeopleRun
    loaded : LoadedModel
        With the settings of the run.
    options : SolverOptions
    kept : mapping
        The settings, for the JSON file.

    Returns
    -------
    int
        The exit status.
    """
    from pbpkc.cli.progress import bar
    from pbpkc.experiment.people_file import read_people
    from pbpkc.jobs.cohort import beyond_masks
    from pbpkc.jobs.people_output import partial_folder
    from pbpkc.jobs.people_store import OtherRun, remove_partial
    from pbpkc.jobs.people_stream import stream_people
    from pbpkc.jobs.simulate_people import prepare_people
    from pbpkc.language.options.settings import read_times
    from pbpkc.scale.cluster_worker import ClusterError

    inputs = [run.people, *files_read(loaded.model)]
    demand_apart(outputs_of(run), inputs)
    people = read_people(run.people, loaded.model)
    warn(beyond_masks(loaded.model, people))
    at = read_times(loaded.model, run.times) if run.times is not None else None
    prepared = prepare_people(loaded, people, run.scenarios, at, run.points)
    folder = None if run.output is None else partial_folder(run.output)
    kept_people: list[StreamedPeople] = []
    try:
        if folder is not None and not run.resume:
            remove_partial(folder)
        with pool_of(run.cluster, run.cluster_wait) as pool, bar("simulating people") as tell:
            found = stream_people(
                loaded, prepared, options, run.states, run.workers, folder,
                lambda done, total: tell(done, total, ""), partial(_begun, kept_people), pool,
            )  # fmt: skip
        return _show(run, loaded, people, found, kept, inputs)
    except OtherRun as other:
        raise click.UsageError(str(other)) from None
    except (KeyboardInterrupt, ClusterError):
        for one in kept_people:
            _tell_kept(one)
        raise
    finally:
        for one in kept_people:
            one.store.close()


def _begun(kept: list[StreamedPeople], people: StreamedPeople) -> None:
    kept.append(people)
    if done := people.store.people:
        click.echo(
            f"goes on behind {done} of {len(people.runs)} runs that '{people.store.folder}' holds", err=True
        )


def _tell_kept(people: StreamedPeople) -> None:
    store = people.store
    if store.folder is not None and store.finished:
        click.echo(
            f"{store.people} of {len(people.runs)} runs are kept in '{store.folder}'; "
            "the same command goes on from there",
            err=True,
        )
    elif store.folder is not None:
        store.remove()


def _show(
    run: PeopleRun,
    loaded: LoadedModel,
    people: People,
    found: StreamedPeople,
    kept: Mapping[str, Any],
    inputs: Sequence[str | Path],
) -> int:
    """Write and print what came out; gives the exit status."""
    from pbpkc.jobs.nca import nca_of
    from pbpkc.jobs.people_output import nca_file, people_json, percentiles_json, write_people
    from pbpkc.solve.batch_solve import WORTH_COMPILING
    from pbpkc.solve.percentiles import percentiles_csv

    for one in found.solved_by:
        if one.method != "reference" or len(people) >= WORTH_COMPILING:
            click.echo(one.text, err=True)
    _warn_first(found.notes)
    curves = found.percentiles(run.levels)
    figures = nca_of(found) if run.nca else {}
    _warn_first([problem for table in figures.values() for problem in table.refused])
    figures = {name: table for name, table in figures.items() if table.rows}
    if run.nca and not figures:
        click.echo("note: no curve has non-compartmental figures", err=True)
    told = people_json(found, people, loaded.compiled, curves, run.states, kept)
    if run.output is not None:
        demand_apart([nca_file(run.output, name) for name in figures], inputs)
        written = write_people(run.output, found, told, curves, figures)
        click.echo("wrote " + ", ".join(map(str, written)), err=True)
    if run.plot is not None and curves:
        from pbpkc.report.plots import write_percentile_plot

        write_percentile_plot(run.plot, loaded.model, curves, log=run.log)
        click.echo(f"wrote {run.plot}", err=True)
    unit = loaded.model.time_unit
    if run.format == "json":
        document = {**told, "values": percentiles_json(curves, float(unit.factor))}
        document["notes"] = [note.to_json() for note in found.notes]
        if figures:
            document["nca"] = {name: json.loads(table.to_json()) for name, table in figures.items()}
        print_json(document)
    else:
        click.echo("".join(_summary(name, table) for name, table in figures.items()), nl=False)
        if run.output is None and run.plot is None and not run.nca:
            click.echo(percentiles_csv(curves, unit), nl=False)
    failed = told["failures"]
    _tell_failures(failed, people)
    return 3 if not told["runs"]["whole"] else 4 if failed else 0


def _summary(name: str, table: NCATable) -> str:
    """The figures of an observable over the people of each scenario: nobody reads a thousand rows."""
    lines = [["scenario", "figure", "unit", "geometric mean", "CV %", "median", "n"]]
    for scenario in dict.fromkeys(row.group[0] for row in table.rows):
        rows = tuple(row for row in table.rows if row.group[0] == scenario)
        for figure, one in replace(table, rows=rows, summarised=True).summary().items():
            if one.n:
                numbers = (one.geometric_mean, one.geometric_cv_pct, one.median)
                shown = [f"{x:.4g}" if x == x else "-" for x in numbers]
                lines.append([scenario, figure, table.units[figure], *shown, str(one.n)])
    widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i < 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in lines
    ]
    return "\n".join([name, *table.remarks, *aligned]) + "\n\n"


def _warn_first(diagnostics: Sequence[Diagnostic]) -> None:
    once = list(dict.fromkeys(diagnostics))
    warn(once[:_MOST_TOLD])
    if len(once) > _MOST_TOLD:
        click.echo(f"note: {len(once) - _MOST_TOLD} more of the kind are not shown\n", err=True)


def _tell_failures(failed: Sequence[Mapping[str, Any]], people: People) -> None:
    if not failed:
        return
    who = len({one["id"] for one in failed})
    others = ", the others are delivered" if who < len(people) else ""
    click.echo(f"{who} of {len(people)} people failed{others}:", err=True)
    for one in failed[:_MOST_TOLD]:
        help = f" ({one['suggestion']})" if one["suggestion"] else ""
        values = [
            f"{name} = {one['values'][name]:.4g}" + ("" if unit.text == "1" else f" {unit.text}")
            for name, unit in list(zip(people.names, people.units, strict=True))[:_MOST_VALUES]
        ]
        more = ", ..." if len(people.names) > _MOST_VALUES else ""
        click.echo(
            f"  {one['scenario']}, id {one['id']}: {one['reason']}{help}; of {', '.join(values)}{more}",
            err=True,
        )
    if len(failed) > _MOST_TOLD:
        click.echo(f"  and {len(failed) - _MOST_TOLD} more, which stand in the JSON output", err=True)
