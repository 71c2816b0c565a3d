"""Where output goes, looked at before any work is done: a long run must not end at a missing folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from pbpkc.language.model import Model


def in_folder(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file whose folder does not exist or cannot be written; for use as an option's callback."""
    if path is not None:
        folder = path.parent
        if not path.name:
            raise click.BadParameter("a file name is missing", ctx, param)
        if not folder.is_dir():
            raise click.BadParameter(
                f"'{folder}' is no folder"
                if folder.exists()
                else f"the folder '{folder}' does not exist; make it, or name another place",
                ctx,
                param,
            )
        _demand_writable(path, folder, ctx, param)
    return path


def as_folder(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a folder that is not there and cannot be made; for use as an option's callback."""
    if path is not None:
        there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not there.is_dir():
            raise click.BadParameter(f"'{there}' is a file, so '{path}' cannot be made", ctx, param)
        _demand_writable(path, there, ctx, param)
    return path


def demand_apart(outputs: Iterable[Path], inputs: Iterable[str | Path]) -> None:
    """Refuse an output that is one of the files that are read, or that is written twice.

    Raises
    ------
    click.UsageError
        Naming the file.
    """
    outputs = list(outputs)
    for place, output in enumerate(outputs):
        if any(_same(output, other) for other in outputs[:place]):
            raise click.UsageError(f"'{output}' would be written twice; give each output a name of its own")
        for read in inputs:
            if _same(output, Path(read)):
                raise click.UsageError(
                    f"'{output}' is read by this run and would be overwritten: write elsewhere"
                )


def files_read(model: Model) -> list[Path]:
    """The spec with the files it uses, and the data files of its scenarios."""
    found = [Path(file.name) for file in model.files]
    for scenario in model.scenarios.values():
        block = scenario.data
        if block is not None and block.span is not None:
            found.append(Path(block.span.file.name).parent / block.path)
    return found


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return one.resolve() == other.resolve()


def _demand_writable(path: Path, folder: Path, ctx: click.Context, param: click.Parameter) -> None:
    """Refuse a folder that takes no file; permissions alone do not tell, so one is tried."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise click.BadParameter(
            f"'{path}' cannot be written: the folder '{folder}' takes no file ({error.strerror}); "
            "change its permissions, or name another place",
            ctx,
            param,
        ) from None
