"""``pbpkc population``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from pbpkc.cli.options import SPEC, as_format, print_json, settings, warn
from pbpkc.cli.places import demand_apart, files_read, in_folder

if TYPE_CHECKING:
    from pbpkc.experiment.people import ColumnSummary, People


@click.command("population")
@click.argument("spec", type=SPEC)
@click.option("-n", "count", type=click.IntRange(1), default=100, show_default=True, help="How many people.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Person i depends on the seed and i alone: the first 100 of 1000 are those of 100.",
)
@click.option(
    "--population", "name", metavar="NAME", help="Which one [default: the only population of the spec]."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    help="CSV file with a row a person; the units stand beside it in FILE.json.",
)
@settings
@as_format
def command(
    spec: str,
    count: int,
    seed: int,
    name: str | None,
    output: Path | None,
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
    format_: str,
) -> None:
    """Draw virtual people from a population of a spec.

    Each quantity of the `population` block follows its distribution, cut at its bounds; correlations are
    those of a Gaussian copula.
    """
    from pbpkc.experiment.people import beside_of
    from pbpkc.jobs.loaded import load

    outputs = [output, beside_of(output)] if output is not None else []
    demand_apart(outputs, [spec])
    loaded = load(spec)
    demand_apart(outputs, files_read(loaded.model))
    loaded = loaded.with_settings(set=set_, unknown=unknown, learn=learn)
    warn(loaded.model.warnings)
    people = loaded.population(count, seed, name)
    if output is not None:
        people.write(output)
        click.echo(f"wrote {output} and {output}.json", err=True)
    if format_ == "json":
        print_json(_document(people))
    else:
        click.echo(_text(people), nl=False)


def _document(people: People) -> dict[str, object]:
    content: dict[str, object] = json.loads(people.to_json())
    content["summary"] = {
        one.name: {
            "unit": one.unit,
            "n": one.n,
            "mean": one.mean,
            "sd": one.sd,
            "min": one.low,
            "max": one.high,
            "percentiles": {f"{level:g}": value for level, value in one.percentiles.items()},
        }
        for one in people.summary()
    }
    return content


def _text(people: People) -> str:
    """A line a quantity, for reading."""
    summary = people.summary()
    levels = [f"{level:g} %" for level in summary[0].percentiles] if summary else []
    table = [["", "unit", "mean", "sd", "min", *levels, "max"], *(_line(one) for one in summary)]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    told = people.provenance
    who = "1 person" if len(people) == 1 else f"{len(people)} people"
    head = f"{who} of population '{told['population']}', seed {told['seed']}"
    return "\n".join([head, "", *lines]) + "\n"


def _line(one: ColumnSummary) -> list[str]:
    numbers = (one.mean, one.sd, one.low, *one.percentiles.values(), one.high)
    return [one.name, one.unit, *("-" if value != value else f"{value:.4g}" for value in numbers)]
