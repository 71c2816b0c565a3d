"""``pbpkc show``."""

from __future__ import annotations

import rich_click as click

from pbpkc.cli.options import SPEC, print_json, problems_as_json, settings, warn


@click.command("show")
@click.argument("spec", type=SPEC)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "latex", "table", "json"]),
    default="text",
    show_default=True,
    help="Text to read, LaTeX to print, a table of equations and parameters, or that table as JSON.",
)
@settings
@problems_as_json
def command(
    spec: str, format_: str, set_: tuple[str, ...], unknown: tuple[str, ...], learn: tuple[str, ...]
) -> None:
    """Print the equations as text, LaTeX or a table.

    Text and table use the names of the spec; every parameter stands with its unit and source.
    """
    from dataclasses import asdict

    from pbpkc.cli.progress import status
    from pbpkc.jobs.loaded import load
    from pbpkc.report.equations import equations_table, equations_text
    from pbpkc.report.equations_latex import equations_latex

    loaded = load(spec).with_settings(set=set_, unknown=unknown, learn=learn)
    warn(loaded.model.warnings)
    with status("compiling"):
        system = loaded.stages.lowered
    if format_ == "text":
        click.echo(equations_text(system), nl=False)
    elif format_ == "latex":
        click.echo(equations_latex(system), nl=False)
    elif format_ == "table":
        click.echo(str(equations_table(system)), nl=False)
    else:
        print_json(asdict(equations_table(system)))
