"""The pictures of learned terms that stand in a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pbpkc.language.model import Unknown
from pbpkc.report.page_plots import inline
from pbpkc.report.plot_style import picture
from pbpkc.report.term_curves import SIZE, FormulaCurve, TermCurve, term_figure

#: Curves of one term on a page.
MOST_CURVES = 20


@dataclass(frozen=True)
class TermPlots:
    """A term's name and its pictures."""

    name: str
    plots: tuple[Markup, ...]


def term_plots(
    terms: Sequence[tuple[Unknown, Sequence[TermCurve]]], formulas: Sequence[FormulaCurve] = ()
) -> tuple[TermPlots, ...]:
    """One picture for each subject and argument of each term."""
    return tuple(
        TermPlots(
            unknown.name,
            tuple(_plot(unknown, curve, formulas) for curve in curves[:MOST_CURVES]),
        )
        for unknown, curves in terms
    )


def _plot(unknown: Unknown, curve: TermCurve, formulas: Sequence[FormulaCurve]) -> Markup:
    drawn = term_figure(unknown, curve, formulas, whole=not formulas)
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"term-{curve.term}-{curve.id}-{curve.argument}")
    label = f"{curve.term} along {curve.argument}, subject {curve.id}"
    return inline(picture(drawn, SIZE, "page", name).decode(), name, label, {})
