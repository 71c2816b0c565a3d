"""Progress on a terminal; a plain line now and then where output is piped.

Work that is done within `PATIENCE_SECONDS` says nothing where output is piped.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pbpkc.cli.time_left import TimeLeft

#: Work shorter than this shows no progress; longer work tells again after as long.
PATIENCE_SECONDS = 2.0


@contextmanager
def status(what: str) -> Iterator[Callable[[str], None]]:
    """What is being done, for work without a count. Gives a function to say what comes next."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(what) as shown:
            yield lambda text: shown.update(f"{what}: {text}")
        return
    with _lines(what) as line:
        yield lambda text: line(f"{what}: {text}", False)


@contextmanager
def bar(what: str, rate: float = 0.0) -> Iterator[Callable[[float, float, str], None]]:
    """A bar with the time left. Gives a function (done, total, word).

    `rate` is work in a second where that is known about beforehand.
    """
    left = TimeLeft(rate)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[left]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            # Read as it is drawn, so that it counts down between two words.
            task = progress.add_task(what, total=None, left=left)

            def show(done: float, total: float, word: str) -> None:
                left.hear(done, total)
                progress.update(task, completed=done, total=total, description=f"{what} {word}".rstrip())

            yield show
        return
    with _lines(what) as line:

        def tell(done: float, total: float, word: str) -> None:
            if total > 0:
                left.hear(done, total)
                about = str(left)
                line(
                    f"{what} {word}".rstrip() + f": {100 * done / total:.0f} %" + f", {about}" * bool(about),
                    True,
                )

        yield tell


@contextmanager
def _lines(what: str) -> Iterator[Callable[[str, bool], None]]:
    """A function (text, sparing) that prints lines once the work has taken long; sparing: not too often.

    The first line comes when patience ends even if nothing was told by then: it is the latest text.
    """
    lock = threading.Lock()
    latest, last = what, time.monotonic()
    patient = True

    def first() -> None:
        nonlocal patient, last
        with lock:
            patient, last = False, time.monotonic()
            print(latest, file=sys.stderr, flush=True)

    def line(text: str, sparing: bool) -> None:
        nonlocal latest, last
        with lock:
            latest, now = text, time.monotonic()
            if patient or (sparing and now - last < PATIENCE_SECONDS):
                return
            last = now
            print(text, file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE_SECONDS, first)
    timer.daemon = True
    timer.start()
    try:
        yield line
    finally:
        timer.cancel()
