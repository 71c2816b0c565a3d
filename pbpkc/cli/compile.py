"""``pbpkc compile``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.options import SPEC, settings, warn
from pbpkc.cli.places import as_folder, demand_apart, files_read

#: What -o writes.
FILES = ("model_numpy.py", "model_torch.py", "kernel.c", "manifest.json")

STAGES = ("tree", "model", "system", "analysed", "numpy", "torch", "kernel", "latex", "manifest")


@click.command("compile")
@click.argument("spec", type=SPEC)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_folder,
    help="Folder for model_numpy.py, model_torch.py, kernel.c, manifest.json.",
)
@click.option("--emit", type=click.Choice(STAGES), help="Print one stage instead.")
@click.option("--timings", is_flag=True, help="Say how long each stage took.")
@settings
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    output: Path | None,
    emit: str | None,
    timings: bool,
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
) -> None:
    """Write the generated numpy and torch modules, or print a stage.

    The same spec gives the same bytes. `build(unknowns)` of each module gives its Module; manifest.json
    names states, parameters, inputs and observables in their order. kernel.c solves many subjects at once.
    """
    from pbpkc.cli.progress import status
    from pbpkc.jobs.compile import module_files, stage_text
    from pbpkc.jobs.loaded import load

    if (output is None) == (emit is None):
        raise click.UsageError("say where to write with -o FOLDER, or what to print with --emit STAGE")
    if emit == "tree":
        click.echo(stage_text(spec, None, "tree"), nl=False)
        return
    outputs = [output / name for name in FILES] if output is not None else []
    demand_apart(outputs, [spec])
    loaded = load(spec)
    demand_apart(outputs, files_read(loaded.model))
    loaded = loaded.with_settings(set=set_, unknown=unknown, learn=learn)
    warn(loaded.model.warnings)
    if emit != "model":
        with status("compiling"):
            _ = loaded.stages
    if emit is not None:
        click.echo(stage_text(spec, loaded, emit), nl=False)
    else:
        from pbpkc.experiment.whole_file import write_whole

        assert output is not None
        files = module_files(loaded)
        output.mkdir(parents=True, exist_ok=True)
        write_whole({output / name: text for name, text in files.items()})
        click.echo("wrote " + ", ".join(str(output / name) for name in files), err=True)
    if timings:
        for stage, seconds in loaded.stages.seconds.items():
            click.echo(f"{stage:10} {1000 * seconds:8.1f} ms", err=True)
