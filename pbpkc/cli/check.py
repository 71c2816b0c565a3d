"""``pbpkc check``."""

from __future__ import annotations

from typing import Any

import rich_click as click

from pbpkc.cli.options import SPEC, as_format, counted, print_json, settings, warn

_MARKS = {"held": "held", "violated": "FAILED", "warning": "warning", "note": "note"}


@click.command("check")
@click.argument("spec", type=SPEC)
@click.option(
    "--torch/--no-torch", default=True, show_default=True, help="Whether the torch target is checked too."
)
@click.option(
    "--fix",
    is_flag=True,
    help="First make the repairs that are beyond doubt: names misspelt in one way, words in the wrong case, "
    "[hr], .5, **. The file is written anew, and what was changed is printed.",
)
@settings
@as_format
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    torch: bool,
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
    format_: str,
    fix: bool,
) -> None:
    """Prove balances, check units, code and expectations of a spec.

    Mass, flow and volume balance are proved from the equations, whatever the parameters; positivity too.
    The generated code is compared with the equations, and its residual with the reference solution. Of the
    masked parameters is said which the scenarios could tell apart if they were measured without error, and
    which no data can. The expectations written in the spec are run. Exit status 1 if something that is
    demanded does not hold.
    """
    from pbpkc.cli.progress import status
    from pbpkc.jobs.loaded import load
    from pbpkc.jobs.remarks import remarks
    from pbpkc.language.diagnostics import SpecError
    from pbpkc.language.options.option_text import OptionError

    fixed = _fixed(spec, format_) if fix else {}
    try:
        loaded = load(spec).with_settings(set=set_, unknown=unknown, learn=learn)
    except SpecError as error:
        if not fixed or isinstance(error, OptionError):
            raise
        print_json({"ok": False, "problems": [d.to_json() for d in error.diagnostics], **fixed})
        ctx.exit(1)
    said = remarks(loaded.model)
    with status("checking") as tell:
        report = loaded.check(torch=torch, progress=tell)
    if format_ == "json":
        print_json({**report.to_json(), "warnings": [d.to_json() for d in said], **fixed})
        ctx.exit(0 if report.ok else 1)
    warn(said)
    model = loaded.model
    click.echo(f"{model.name}: {model.title}" if model.title else model.name)
    sizes = (
        (len(model.states), "state"),
        (len(model.arrows), "arrow"),
        (len(model.masked), "masked parameter"),
    )
    click.echo(", ".join(counted(*size) for size in sizes) + "\n")
    width = max(len(item.group) for item in report.items)
    for item in report.items:
        name = f"{item.name}: " if item.name else ""
        mark = click.style(
            f"{_MARKS[item.status]:8}", fg={"held": "green", "violated": "red"}.get(item.status, "yellow")
        )
        click.echo(f"{mark}{item.group:{width}}  {name}{item.text}")
    verdict = "every check held" if report.ok else counted(len(report.violations), "check") + " failed"
    if report.warnings:
        verdict = (
            verdict.replace("every check", "every demanded check")
            + f"; {counted(len(report.warnings), 'warning')}"
        )
    click.echo(f"\n{verdict}")
    ctx.exit(0 if report.ok else 1)


def _fixed(spec: str, format_: str) -> dict[str, Any]:
    """Make the safe repairs of a spec; what they were, for JSON, or printed."""
    from pbpkc.jobs.mend import mend

    made = mend(spec)
    if format_ == "json":
        return {"fixed": [one.to_json() for one in made]}
    for one in made:
        click.echo(f"fixed   {one}")
    click.echo(f"{counted(len(made), 'repair')} made\n" if made else "nothing to repair safely\n")
    return {}
