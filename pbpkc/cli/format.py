"""``pbpkc format``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from pbpkc.cli.options import as_format, counted, print_json
from pbpkc.cli.places import in_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbpkc.jobs.layout import Laid
    from pbpkc.language.diagnostics import Diagnostic


@click.command("format")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", type=click.Path(allow_dash=True))
@click.option(
    "--check", is_flag=True, help="Write nothing; name the files that would change, status 1 if any."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    callback=in_folder,
    metavar="FILE",
    help="Write here, and leave the SPEC as it is.",
)
@as_format
@click.pass_context
def command(
    ctx: click.Context, specs: tuple[str, ...], check: bool, diff: bool, output: Path | None, format_: str
) -> None:
    """Lay specs out: indentation, blanks, empty lines, semicolons.

    SPEC is a file, a folder (all .pbpk files in it) or - for standard input, whose result goes to standard
    output. A file is written in place, whole, and only if it changes; line ends and a byte-order mark stay.

    Nothing is lost and nothing means something else: comments, line breaks, brackets and numbers stay as they
    are. What stands below each other in neighbouring lines goes on doing so. A file with a syntax error is
    left as it is, and the error told.
    """
    from pbpkc.experiment.whole_file import write_whole
    from pbpkc.jobs.layout import lay_out, spec_files, write_laid
    from pbpkc.language.diagnostics import SpecError
    from pbpkc.language.syntax.parse import MOST_CHARACTERS, read_bytes

    piped = "-" in specs
    _demand_sense(specs, piped, output, check or diff)
    names = ["-"] if piped else spec_files(specs)
    laid: list[Laid] = []
    problems: list[Diagnostic] = []
    for name in names:
        try:
            raw = sys.stdin.buffer.read(4 * MOST_CHARACTERS + 1) if piped else read_bytes(name)
            laid.append(lay_out("standard input" if piped else name, raw))
        except SpecError as error:
            problems += error.diagnostics
    to_write = not check and not diff
    if to_write and output is not None:
        for one in laid:
            write_whole({output: one.after})
    elif to_write and not piped:
        write_laid(laid)
    _tell(laid, problems, names, format_, check=check, diff=diff, shown=to_write and piped and output is None)
    if problems and format_ != "json":
        raise SpecError(problems)
    ctx.exit(1 if problems or (check and any(one.changed for one in laid)) else 0)


def _demand_sense(specs: Sequence[str], piped: bool, output: Path | None, only_looks: bool) -> None:
    if piped and len(specs) > 1:
        raise click.UsageError("'-' is standard input and stands alone")
    if output is not None and only_looks:
        raise click.UsageError("--check and --diff write nothing: leave --output out")
    if output is not None and (len(specs) > 1 or Path(specs[0]).is_dir()):
        raise click.UsageError("--output takes one spec; without it each is written in place")


def _tell(
    laid: Sequence[Laid],
    problems: Sequence[Diagnostic],
    names: Sequence[str],
    format_: str,
    *,
    check: bool,
    diff: bool,
    shown: bool,
) -> None:
    """Print what was found; the text itself where it is `shown`."""
    changed = [one for one in laid if one.changed]
    if format_ == "json":
        print_json(
            {
                "ok": not problems and not (check and changed),
                "files": [
                    {
                        "file": one.name,
                        "changed": one.changed,
                        **({"diff": one.difference()} if diff else {}),
                        **({"text": one.after.decode()} if shown else {}),
                    }
                    for one in laid
                ],
                "problems": [d.to_json() for d in problems],
            }
        )
        return
    if shown:
        if hasattr(
            sys.stdout, "reconfigure"
        ):  # a spec is UTF-8 with its own line ends, whatever the terminal
            sys.stdout.reconfigure(encoding="utf-8", newline="")
        for one in laid:
            click.echo(one.after.decode(), nl=False)
        return
    for one in changed:
        if diff:
            click.echo(one.difference(), nl=False)
        else:
            click.echo(f"{'would change' if check else 'formatted'}  {one.name}")
    if not names:
        click.echo("no .pbpk file there", err=True)
    elif laid:
        word = "would change" if check or diff else "formatted"
        click.echo(f"{len(changed)} of {counted(len(laid), 'file')} {word}", err=diff)
