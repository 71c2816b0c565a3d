"""Notes about compiled kernels, as lines of this program and not as warnings of a library."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import rich_click as click


@contextmanager
def plain_notes() -> Iterator[None]:
    """While this lasts, a note is a line on standard error; other warnings stay as they are."""
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        from pbpkc.native.failure import KernelNote

        if issubclass(category, KernelNote):
            click.echo(f"note: {message}", err=True)
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
