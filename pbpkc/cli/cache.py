"""``pbpkc cache``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import rich_click as click

from pbpkc.cli.options import as_format, counted, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbpkc.native.cache import Kept


@click.group("cache", invoke_without_command=True)
@as_format
@click.pass_context
def command(ctx: click.Context, format_: str) -> None:
    """List the compiled kernels that are kept, or clear them.

    A kernel is compiled once for a model, a compiler and a processor, and found again by every later run.
    Nothing is lost with one: it is compiled again when it is needed.
    """
    if ctx.invoked_subcommand is not None:
        return
    from pbpkc.native.cache import LIMIT, kept
    from pbpkc.native.folder import kernel_folder

    folder = kernel_folder()
    there = kept(folder)
    title, reason = _compiler()
    if format_ == "json":
        print_json(
            {
                "folder": str(folder),
                "compiler": title,
                "no_compiler": reason,
                "kernels": [_document(one) for one in there],
                "bytes": sum(one.size for one in there),
                "limit_bytes": LIMIT,
            }
        )
        return
    if there:
        click.echo(_table(there))
        click.echo()
    total = megabytes(sum(one.size for one in there))
    click.echo(f"{counted(len(there), 'kernel')}, {total} of at most {megabytes(LIMIT)}, in {folder}")
    click.echo(f"compiler: {title if title is not None else f'none; {reason}'}")


@command.command("clear")
@as_format
def clear_command(format_: str) -> None:
    """Remove all compiled kernels; a file that pbpkc did not write stays."""
    from pbpkc.native.cache import clear
    from pbpkc.native.folder import kernel_folder

    folder = kernel_folder()
    gone = clear(folder)
    if format_ == "json":
        print_json({"folder": str(folder), "kernels": gone.count, "bytes": gone.size})
    else:
        click.echo(f"removed {counted(gone.count, 'kernel')}, {megabytes(gone.size)}, from {folder}")


@command.command("path")
def path_command() -> None:
    """Print the folder of the compiled kernels."""
    from pbpkc.native.folder import kernel_folder

    click.echo(str(kernel_folder()))


def megabytes(size: int) -> str:
    """A size as people read it: ``312 bytes``, ``16.4 kB``, ``2.1 MB``."""
    if size < 1000:
        return counted(size, "byte")
    return f"{size / 1e3:.1f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"


def _compiler() -> tuple[str | None, str | None]:
    """The compiler that would be used, or why there is none."""
    from pbpkc.native.failure import NoCompiler, tell_once
    from pbpkc.native.toolchain import find_toolchain

    try:
        found = find_toolchain()
    except NoCompiler as failure:
        return None, failure.reason
    if found.remark:
        tell_once(found.remark)
    return found.title, None


def _document(one: Kept) -> dict[str, object]:
    record = one.record
    return {
        "key": one.key,
        "model": record.model if record is not None else None,
        "compiler": record.compiler if record is not None else None,
        "flags": record.flags if record is not None else None,
        "compile_seconds": record.seconds if record is not None else None,
        "bytes": one.size,
        "last_used": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.last_used)),
        "damaged": record is None,
    }


def _table(there: Sequence[Kept]) -> str:
    rows = [("model", "compiler", "size", "last used"), *map(_row, there)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        f"{model:<{widths[0]}}  {compiler:<{widths[1]}}  {size:>{widths[2]}}  {used}"
        for model, compiler, size, used in rows
    )


def _row(one: Kept) -> tuple[str, str, str, str]:
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.last_used))
    if one.record is None:
        return "-", "damaged, compiled again when needed", megabytes(one.size), used
    return _plain(one.record.model) or "-", _plain(one.record.compiler), megabytes(one.size), used


def _plain(text: str) -> str:
    """A text of a spec or a compiler on one line, with nothing that the terminal would obey."""
    from pbpkc.language.diagnostics import printable

    return printable(text[:60])
