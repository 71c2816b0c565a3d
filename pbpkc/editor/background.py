"""The proofs of a text in a process of their own, ended when the text changes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, replace

from pbpkc.editor.analysis import Analysis
from pbpkc.editor.proofs import unpacked
from pbpkc.editor.texts import Texts
from pbpkc.language.diagnostics import Diagnostic

#: Checks that take longer are left to `pbpkc check`, seconds.
LONGEST = 120.0


@dataclass(frozen=True)
class Proofs:
    """The checks of one state of a text."""

    analysis: Analysis
    texts: Texts

    async def run(self) -> tuple[Diagnostic, ...]:
        """What does not hold; nothing when the checks could not be made.

        Cancelling the task that waits for this ends the process.
        """
        model, file = self.analysis.model, self.analysis.file
        if model is None:
            return ()
        files = {source.name: source for source in model.files}
        question = {"path": file.name, "texts": {name: source.text for name, source in files.items()}}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pbpkc.editor.proofs",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            answer, _ = await asyncio.wait_for(
                process.communicate(json.dumps(question).encode()), timeout=LONGEST
            )
        except TimeoutError:
            return ()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            return ()
        # What is not about this text is said where the text it is about is open.
        told = (unpacked(data, files) for data in json.loads(answer))
        return tuple(d if _is_here(d, file.name) else replace(d, labels=()) for d in told)


def _is_here(problem: Diagnostic, name: str) -> bool:
    return problem.span is None or problem.span.file.name == name
