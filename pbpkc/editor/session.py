"""The texts of one editor, analysed as they change.

One thread knows the language; the event loop only speaks with the editor, so it answers while a text is
analysed. Requests wait for the analysis of the text as it stands, which a pause in typing starts anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pbpkc.editor.analysis import Analysis, analyse
from pbpkc.editor.background import Proofs
from pbpkc.editor.texts import Texts, same_file
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.source import SourceFile

#: A pause in typing of this length starts the analysis, seconds.
PAUSE = 0.05

#: A pause of this length starts the proofs, seconds.
LONG_PAUSE = 0.8

_Result = TypeVar("_Result")

#: Told the problems of a text: its path, version, the text itself, the problems.
Publish = Callable[[Path, int | None, SourceFile, tuple[Diagnostic, ...]], None]


@dataclass
class _Open:
    """A text on the screen."""

    version: int | None
    revision: int = 0
    analysis: Analysis | None = None
    analysed: int = -1  # the revision of `analysis`
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    work: asyncio.Task[None] | None = None
    proved: tuple[Diagnostic, ...] = ()


class Session:
    """What the server knows.

    Parameters
    ----------
    publish : callable
        Shows the problems of a text.
    prove : bool
        Whether `pbpkc check` runs in the background once a text has no error.
    """

    def __init__(self, publish: Publish, prove: bool = True) -> None:
        self.texts = Texts()
        self.folders: list[Path] = []
        self._publish, self._prove = publish, prove
        self._open: dict[Path, _Open] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="language")

    # ---------------------------------------------------------------- texts

    def put(self, path: Path, version: int | None, text: str) -> None:
        """A text was opened or changed."""
        own = same_file(path)
        self.texts.put(own, text)
        held = self._open.setdefault(own, _Open(version))
        held.version = version
        self._changed(own)

    def close(self, path: Path) -> None:
        """A text was closed; from now on the file on the disk holds."""
        own = same_file(path)
        self.texts.drop(own)
        held = self._open.pop(own, None)
        if held is not None:
            _cancel(held)
        self._changed(own)

    def look_again(self, path: Path) -> None:
        """A file that is not open changed on the disk."""
        if not self.texts.is_open(path):
            self._changed(same_file(path))

    def _changed(self, path: Path) -> None:
        """Look again at a text and at those that use it."""
        for own, held in self._open.items():
            if own == path or _reads(held.analysis, path):
                held.revision += 1
                held.proved = ()
                self._schedule(own, held)

    def end(self) -> None:
        """Stop everything that runs."""
        for held in self._open.values():
            _cancel(held)
        self._thread.shutdown(wait=False, cancel_futures=True)

    # ---------------------------------------------------------------- answers

    async def ask(self, path: Path, question: Callable[[Analysis], _Result]) -> _Result | None:
        """The answer to a question about a text as it stands; None for a text that is not open."""
        own = same_file(path)
        held = self._open.get(own)
        if held is None:
            return None
        await self._analyse(own, held)
        analysis = held.analysis
        if analysis is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, analysis)

    # ---------------------------------------------------------------- work

    def _schedule(self, path: Path, held: _Open) -> None:
        _cancel(held)
        held.work = asyncio.get_running_loop().create_task(self._after_pause(path, held))

    async def _after_pause(self, path: Path, held: _Open) -> None:
        await asyncio.sleep(PAUSE)
        await self._analyse(path, held)
        analysis = held.analysis
        if self._prove and analysis is not None and analysis.sound:
            await asyncio.sleep(LONG_PAUSE)
            await self._proofs(path, held, analysis)

    async def _analyse(self, path: Path, held: _Open) -> None:
        """Bring the analysis of a text up to date."""
        async with held.lock:
            while held.analysed != held.revision:
                revision = held.revision
                try:
                    held.analysis = await asyncio.get_running_loop().run_in_executor(
                        self._thread, analyse, path, self.texts, held.analysis
                    )
                except SpecError:
                    return  # it was closed meanwhile, and there is no such file
                held.analysed = revision
                if self._open.get(path) is held:
                    self._show(path, held)

    async def _proofs(self, path: Path, held: _Open, analysis: Analysis) -> None:
        found = await Proofs(analysis, self.texts).run()
        if self._open.get(path) is held and held.analysis is analysis:
            held.proved = found
            self._show(path, held)

    def _show(self, path: Path, held: _Open) -> None:
        if held.analysis is not None:
            problems = (*held.analysis.problems, *held.proved)
            self._publish(path, held.version, held.analysis.file, problems)


def _reads(analysis: Analysis | None, path: Path) -> bool:
    """Whether a text uses a file, or perhaps would if it could be read."""
    if analysis is None:
        return True
    return str(path) in analysis.trees or any(d.code == "missing-file" for d in analysis.problems)


def _cancel(held: _Open) -> None:
    if held.work is not None and not held.work.done():
        held.work.cancel()
    held.work = None
