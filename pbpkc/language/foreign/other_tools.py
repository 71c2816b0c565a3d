"""Texts of tools that are not read: whose they are, and how they come to be read all the same."""

from __future__ import annotations

import re

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.source import SourceFile, Span

#: Only in control streams of NONMEM: $PROBLEM, $INPUT, $PK, $DES, $ERROR and $THETA are mrgsolve's too
_NONMEM = re.compile(
    r"^[ \t]*\$(DATA?|INFI\w*|SUB[RS]?\w*|EST(IM\w*)?|COV(A\w*|R)?|SIML?\w*)\b",
    re.MULTILINE | re.IGNORECASE,
)
_MLXTRAN = re.compile(r"^[ \t]*(\[(LONGITUDINAL|INDIVIDUAL|POPULATION)\]|<(MODEL|DATAFILE)>)", re.MULTILINE)

_READ = "the text of mrgsolve models ($CMT, $ODE) and of rxode2 and nlmixr2 models (d/dt(x) = ...) is read"


def not_read(file: SourceFile) -> Diagnostic | None:
    """The problem of a text whose tool is known and not read; None for any other."""
    for pattern, what, by in (
        (_NONMEM, "a control stream of NONMEM", "nonmem2rx"),
        (_MLXTRAN, "a Mlxtran text of Monolix", "monolix2rx"),
    ):
        found = pattern.search(file.text)
        if found is not None:
            start = found.start() + len(found[0]) - len(found[0].lstrip())
            end = file.text.find("\n", start)
            return Diagnostic(
                "other-tool",
                f"'{file.name}' is {what}, which is not read",
                (Label(Span(file, start, len(file.text) if end < 0 else end), "in no text that is read"),),
                (_READ,),
                f"the R package {by} makes an rxode2 model of it; or write the equations as a spec",
            )
    return None
