"""``pbpkc discover``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.options import SPEC, as_format, command_line, print_json, settings, solver, warn
from pbpkc.cli.places import as_folder, demand_apart, files_read


@click.command("discover")
@click.argument("spec", type=SPEC)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="CSV file, read through the scenario's data block [default: the file it names].",
)
@click.option(
    "--scenario",
    "-s",
    metavar="NAME",
    help="Whose data block reads the file [default: the only one that has one].",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_folder,
    help="Folder for discover.html, discover.json, forms.pbpk, discover.svg and the curve.",
)
@click.option(
    "--form",
    "forms",
    multiple=True,
    metavar="EXPR",
    help='A further form, e.g. "vmax * c^2 / (k^2 + c^2)": names that the spec does not define are '
    "estimated. Repeatable.",
)
@click.option(
    "--with",
    "said",
    multiple=True,
    metavar="NAME",
    help='Unit and bounds of a name in --form, e.g. "k [umol/L] in (1, 1e4)", where they do not follow.',
)
@click.option(
    "--only",
    multiple=True,
    metavar="TITLE",
    help='Of the library only this form, e.g. "Michaelis-Menten". Repeatable.',
)
@click.option(
    "--method",
    metavar="NAME",
    default="least-squares",
    show_default=True,
    help="As of fit, but for mi-pinn: a trained model serves one form of the term only.",
)
@click.option(
    "--starts",
    type=click.IntRange(1, 1000),
    default=2,
    show_default=True,
    help="Searches of each form and subject; the first begins at the form nearest to the learned curve.",
)
@click.option(
    "--by",
    type=click.Choice(["subject", "pooled"]),
    default="subject",
    show_default=True,
    help="Estimates of each subject, all with one form, or one estimate of all subjects' data together.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the starting points.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes; the result does not depend on it.",
)
@click.option("--mask", multiple=True, metavar="SPEC", help="As of fit.")
@click.option("--unmask", multiple=True, metavar="NAME", help="As of fit.")
@solver(rtol=1e-8)
@settings
@as_format
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    data: Path | None,
    scenario: str | None,
    output: Path | None,
    forms: tuple[str, ...],
    said: tuple[str, ...],
    only: tuple[str, ...],
    method: str,
    starts: int,
    by: str,
    seed: int,
    workers: int,
    mask: tuple[str, ...],
    unmask: tuple[str, ...],
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
    solver: str,
    rtol: float,
    atol: float | None,
    max_steps: int,
    format_: str,
) -> None:
    """Find the formula of an unknown term from data.

    A library of forms is fitted to the data, and those that fit are reported.
    --unknown NAME says which term, where the spec has several (--unknown "NAME = EXPR" gives one its form, as
    in every command). Forms that contradict the declared range, anchors or direction are left out, with the
    reason. Each other form takes the term's place and is fitted to the data with the masked parameters of
    the spec. Reported are all within 6 BIC units of the best, as lines that replace the term in the spec.
    """
    if method == "mi-pinn":
        raise click.UsageError(
            "a trained model serves one form of the term only, and discover tries many: leave --method out"
        )
    from pbpkc.cli.progress import bar
    from pbpkc.infer.options import FitOptions
    from pbpkc.jobs.discover import discover
    from pbpkc.jobs.discover_files import document, text, write_discovery
    from pbpkc.jobs.fit import FitJob
    from pbpkc.jobs.loaded import load
    from pbpkc.solve.options import SolverOptions

    named = [u.strip() for u in unknown if "=" not in u]
    if len(named) > 1:
        raise click.UsageError("--unknown names one term a run; found " + ", ".join(named))
    outputs = (
        [] if output is None else [output / name for name in ("discover.json", "forms.pbpk", "discover.html")]
    )
    demand_apart(outputs, [spec] if data is None else [spec, data])
    loaded = load(spec)
    demand_apart(outputs, files_read(loaded.model))
    loaded = loaded.with_settings(
        set=set_, mask=mask, unmask=unmask, unknown=[u for u in unknown if "=" in u], learn=learn
    )
    warn(loaded.model.warnings)
    job = FitJob(
        data,
        scenario,
        FitOptions(starts=starts, seed=seed, workers=workers),
        SolverOptions(method=solver, rtol=rtol, atol=atol, max_steps=max_steps),  # type: ignore[arg-type]
        (),
        method,
        by=by,  # type: ignore[arg-type]
    )
    with bar("fitting") as tell:
        found = discover(loaded, job, named[0] if named else None, forms, said, tell, only=only or None)
    warn(found.learned.dataset.notes)
    if format_ == "json":
        print_json(document(found))
    else:
        click.echo(text(found), nl=False)
    if output is not None:
        written = write_discovery(output, loaded.model, found, command_line())
        click.echo("wrote " + ", ".join(str(path) for path in written), err=True)
    ctx.exit(0 if found.kept else 3)
