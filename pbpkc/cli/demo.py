"""``pbpkc demo``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import rich_click as click

from pbpkc.cli.places import as_folder


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("pbpkc-demo"),
    show_default=True,
    callback=as_folder,
    help="Folder for the results.",
)
@click.pass_context
def command(ctx: click.Context, output: Path) -> None:
    """Check and fit the theophylline study, and write its report.

    Twelve subjects took about 4 mg/kg of theophylline by mouth; eleven samples each were drawn over 25 hours
    (Boeckmann, Sheiner & Beal 1994). The demo runs the two commands that it prints.
    """
    from pbpkc.cli.check import command as check
    from pbpkc.cli.fit import command as fit
    from pbpkc.resources import resource

    spec = str(resource("specs", "theophylline_oral.pbpk"))
    # A run from the command's own arguments, so that the demo does what it says.
    for step, arguments in ((check, ["check", spec]), (fit, ["fit", spec, "-o", str(output)])):
        click.echo("$ pbpkc " + shlex.join(arguments))
        sys.stdout.flush()
        code = step.main(arguments[1:], standalone_mode=False, prog_name=f"pbpkc {arguments[0]}")
        click.echo("")
        if code:
            ctx.exit(code)
    click.echo(f"open {output / 'report.html'}")
