"""``pbpkc import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import rich_click as click

from pbpkc.cli.options import as_format, counted, print_json, warn
from pbpkc.cli.places import demand_apart, in_folder

if TYPE_CHECKING:
    from pbpkc.language.foreign.model import Tool


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=True))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    callback=in_folder,
    metavar="SPEC",
    help="The spec to write; standard output if left out.",
)
@click.option(
    "--from",
    "tool",
    type=click.Choice(["mrgsolve", "rxode2"]),
    help="Whose model it is: mrgsolve, or rxode2 and nlmixr2 [default: told by the text].",
)
@as_format
def command(file: str, output: Path | None, tool: str | None, format_: str) -> None:
    """Turn a model of mrgsolve, rxode2 or nlmixr2 into a spec, and list its faults.

    The spec keeps names and comments, says `units none`, and computes the same. Terms that leave one
    compartment and enter another become arrows, so that mass can be examined. What is assumed, and what is
    doubtful in the source (flows that do not sum, a concentration with another compartment's volume, values
    that nothing reads or that are read before they are set, units that do not meet), is told with its line
    and listed at the head of the spec.

    The file is read and never run. What is more than a system of differential equations (loops, functions,
    plugins, closed forms) is refused with its line, and nothing is written.
    """
    from pbpkc.experiment.whole_file import write_whole
    from pbpkc.jobs.import_model import import_file

    if output is not None:
        demand_apart([output], [file])
    found = import_file(file, cast("Tool | None", tool), name=output.stem if output is not None else None)
    if output is not None:
        write_whole({output: found.text})
    if format_ == "json":
        print_json(
            {
                "ok": True,
                "from": found.tool,
                "output": None if output is None else str(output),
                "spec": found.text,
                "assumptions": [d.to_json() for d in found.assumptions],
                "findings": [d.to_json() for d in found.findings],
            }
        )
        return
    if output is None:
        click.echo(found.text, nl=False)
    warn((*found.assumptions, *found.findings))
    doubtful = sum(d.severity == "warning" for d in found.findings)
    sizes = (
        counted(len(found.model.compartments), "compartment"),
        # That numbers have no units is assumed of every model, and said at the head of the spec alone.
        counted(1 + len(found.assumptions), "assumption"),
        counted(doubtful, "warning"),
    )
    where = f" -> {output}" if output is not None else ""
    click.echo(f"{file} ({found.tool}){where}: {', '.join(sizes)}", err=output is None)
