"""Changes that an editor offers because of a problem: the fixes that diagnostics carry."""

from __future__ import annotations

from collections.abc import Iterator

from pbpkc.editor.analysis import Analysis
from pbpkc.language.diagnostics import Diagnostic, Fix


def fixes_at(analysis: Analysis, start: int, end: int) -> Iterator[tuple[Diagnostic, Fix]]:
    """The fixes of problems that touch a stretch of a text, safe ones first.

    Parameters
    ----------
    analysis : Analysis
    start, end : int
        Offsets in its text.
    """
    found: list[tuple[Diagnostic, Fix]] = []
    for problem in analysis.problems:
        span = problem.span
        if span is None or span.file.name != analysis.file.name:
            continue
        if span.start <= end and start <= span.end:
            found.extend((problem, fix) for fix in problem.fixes)
    yield from sorted(found, key=lambda pair: not pair[1].safe)
