"""Progress on a terminal; a plain line now and then where output is piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Work shorter than this shows no progress.
PATIENCE_SECONDS = 2.0


@contextmanager
def status(what: str) -> Iterator[Callable[[str], None]]:
    """What is being done, for work without a count. Gives a function to say what comes next."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(what) as shown:
            yield lambda text: shown.update(f"{what}: {text}")
        return
    start = time.monotonic()

    def tell(text: str) -> None:
        if time.monotonic() - start > PATIENCE_SECONDS:
            print(f"{what}: {text}", file=sys.stderr, flush=True)

    yield tell


@contextmanager
def bar(what: str) -> Iterator[Callable[[float, float, str], None]]:
    """A bar with the time left. Gives a function (done, total, word)."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=None)

            def show(done: float, total: float, word: str) -> None:
                progress.update(task, completed=done, total=total, description=f"{what} {word}".rstrip())

            yield show
        return
    start = last = time.monotonic()

    def tell(done: float, total: float, word: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - start > PATIENCE_SECONDS and now - last > PATIENCE_SECONDS and total > 0:
            last = now
            left = (now - start) * (total - done) / done if done > 0 else float("nan")
            about = f", about {left:.0f} s left" if left == left else ""
            print(f"{what} {word}: {100 * done / total:.0f} %{about}", file=sys.stderr, flush=True)

    yield tell
