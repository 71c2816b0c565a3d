"""Values that are declared and do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.terms import names_in, reached


def unused(model: OdeModel) -> Iterator[Diagnostic]:
    """A warning for each value that neither an equation nor an output depends on."""
    ends = set(model.compartments)
    for term in (
        *model.odes.values(),
        *model.initials.values(),
        *(t for words in model.dosing.values() for t in words.values()),
        *(t for _, t in model.outputs),
        *(sym for output, _ in model.outputs for _, sym in output.error),
    ):
        ends |= names_in(term)
    used = reached(ends, model.terms)
    for name, place in [
        *((v.name, v.span) for v in model.values.values() if v.kind in ("param", "covariate")),
        *((local.name, local.span) for local in model.locals.values()),
    ]:
        if name in used:
            continue
        # A value of which only an unused value is made is told with that one.
        readers = [n for n, local in model.locals.items() if name in names_in(local.value)]
        commented = [c for c in model.reading.comments if any(word == name for word in _words(c.text))]
        notes = tuple(
            f"its name stands in a comment on line {c.span.line}"
            for c in commented
            if c.span.line != place.line
        )[:2]
        where = f"; it is read by '{readers[0]}' alone, which nothing reads" if readers else ""
        yield Diagnostic(
            "unused",
            f"'{name}' has a value and does nothing{where}",
            (Label(place),),
            notes,
            "put it back where it belongs, or leave it out",
            "warning",
        )


def _words(text: str) -> list[str]:
    word, words = "", []
    for char in text + " ":
        if char.isalnum() or char in "_.":
            word += char
        elif word:
            words.append(word)
            word = ""
    return words
