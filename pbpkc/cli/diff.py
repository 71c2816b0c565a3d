"""``pbpkc diff``."""

from __future__ import annotations

import rich_click as click

from pbpkc.cli.options import SPEC, as_format, counted, print_json

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


@click.command("diff")
@click.argument("before", type=SPEC)
@click.argument("after", type=SPEC)
@as_format
@click.pass_context
def command(ctx: click.Context, before: str, after: str, format_: str) -> None:
    """Say how two models differ in meaning, not in text.

    Compared are values, priors and bounds of parameters, attributes of nodes and species, blood flows,
    states, processes and their rates, observables, scenarios, populations and checks. Order, comments,
    titles, sources, the names of used files and the unit a value is written in do not count: 1000 mL is 1 L.
    Numbers are compared exactly.

    Exit status 0 if both mean the same, 1 if they differ or one of them has an error.
    """
    from pbpkc.jobs.loaded import load
    from pbpkc.report.difference import differences

    found = differences(load(before).model, load(after).model)
    if format_ == "json":
        print_json({"same": not found, "changes": [one.to_json() for one in found]})
        ctx.exit(1 if found else 0)
    section = ""
    for one in found:
        if one.section != section:
            section = one.section
            click.echo(section)
        aspect = f" {one.aspect}" if one.aspect and not one.before.startswith(one.aspect) else ""
        told = f"{one.before}  ->  {one.after}" if one.what == "changed" else one.before or one.after
        sign = click.style(_SIGNS[one.what], fg=_COLOURS[one.what])
        click.echo(f"  {sign} {one.name}{aspect}: {told}")
    click.echo(counted(len(found), "difference") if found else "both mean the same")
    ctx.exit(1 if found else 0)
