"""Where output goes, looked at before any work is done: a long run must not end at a missing folder."""

from __future__ import annotations

import os
from pathlib import Path

import rich_click as click


def in_folder(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file whose folder does not exist or cannot be written; for use as an option's callback."""
    if path is not None:
        folder = path.parent
        if not path.name:
            raise click.BadParameter("a file name is missing", ctx, param)
        if not folder.is_dir():
            raise click.BadParameter(
                f"'{folder}' is no folder" if folder.exists() else f"the folder '{folder}' does not exist",
                ctx,
                param,
            )
        _demand_writable(folder, ctx, param)
    return path


def as_folder(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a folder that is not there and cannot be made; for use as an option's callback."""
    if path is not None:
        there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not there.is_dir():
            raise click.BadParameter(f"'{there}' is a file, so '{path}' cannot be made", ctx, param)
        _demand_writable(there, ctx, param)
    return path


def _demand_writable(folder: Path, ctx: click.Context, param: click.Parameter) -> None:
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"the folder '{folder}' cannot be written", ctx, param)
