"""What `pbpkc check` finds in a text that is open, as problems with places: a program beside the server.

It is a process of its own, ``python -m pbpkc.editor.proofs``: proofs need sympy and take seconds, and a
process can be ended when the text changes. It reads a JSON object ``{"path", "texts"}`` and prints a list
of problems.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbpkc.editor.texts import Texts
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax.parse import parse

if TYPE_CHECKING:
    from pbpkc.check.report import CheckItem
    from pbpkc.language.model import Arrow, Model, Observable, State


def found(path: Path, texts: Mapping[str, str]) -> list[Diagnostic]:
    """What does not hold in a spec.

    Parameters
    ----------
    path : Path
    texts : mapping of str to str
        Texts of the files it is made of, by path, as they stand on the screen.
    """
    from pbpkc.jobs.check import check
    from pbpkc.jobs.spec import Spec
    from pbpkc.language.resolve import resolve

    known = Texts()
    for name, text in texts.items():
        known.put(Path(name), text)
    try:
        model = resolve(parse(known.source(path)), lambda used: parse(known.source(used)))
        report = check(Spec(path, model), torch=False)
    except SpecError as error:
        return list(error.diagnostics)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return [Diagnostic("check", f"the checks could not be finished: {error}", severity="warning")]
    return list(_problems(report.items, model))


def _problems(items: tuple[CheckItem, ...], model: Model) -> Iterator[Diagnostic]:
    checks = iter(model.checks)
    for item in items:
        expected = next(checks, None) if item.group == "expectation" else None
        if item.status not in ("violated", "warning"):
            continue
        span = expected.span if expected is not None else _place(item, model)
        name = f"{item.name}: " if item.name and item.group != "expectation" else ""
        yield Diagnostic(
            item.group,
            name + item.text,
            (Label(_first_line(span)),) if span is not None else (),
            notes=("`pbpkc check` says this",),
            severity="error" if item.status == "violated" else "warning",
        )


def _place(item: CheckItem, model: Model) -> Span | None:
    """Where in the spec an item is about."""
    name = item.name
    for table in (model.species, model.scenarios, model.unknowns, model.definitions, model.nodes):
        entry = table.get(name)
        if entry is not None and entry.span is not None:
            span: Span = entry.span
            return span
    several: list[Arrow | State | Observable] = [*model.arrows, *model.states, *model.observables]
    return next((one.span for one in several if one.name == name and one.span is not None), None)


def _first_line(span: Span) -> Span:
    end = span.file.text.find("\n", span.start, span.end)
    return span if end < 0 else Span(span.file, span.start, end)


# ------------------------------------------------------------------ across the border of the process


def packed(problem: Diagnostic) -> dict[str, Any]:
    """A problem as plain data; fixes stay behind."""
    return {
        "code": problem.code,
        "message": problem.message,
        "labels": [[m.span.file.name, m.span.start, m.span.end, m.text] for m in problem.labels],
        "notes": problem.notes,
        "help": problem.help,
        "severity": problem.severity,
    }


def unpacked(data: Mapping[str, Any], files: Mapping[str, SourceFile]) -> Diagnostic:
    """The problem that `packed` made data of; labels in files that are not known are left out."""
    labels = tuple(
        Label(Span(files[name], start, end), text)
        for name, start, end, text in data["labels"]
        if name in files
    )
    return Diagnostic(
        data["code"], data["message"], labels, tuple(data["notes"]), data["help"], data["severity"]
    )


def main() -> None:
    """Read the question, print the answer."""
    if hasattr(os, "nice"):
        os.nice(10)  # typing goes first
    asked = json.load(sys.stdin)
    # What a library may print is no part of the answer.
    with contextlib.redirect_stdout(sys.stderr):
        answer = [packed(problem) for problem in found(Path(asked["path"]), asked["texts"])]
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
