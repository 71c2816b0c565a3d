"""The page of `pbpkc discover`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pbpkc.infer.result import EstimateRow
from pbpkc.language.model import Unknown
from pbpkc.report.html import page_part, page_template
from pbpkc.report.quantities import plain_number
from pbpkc.report.term_curves import FormulaCurve, TermCurve
from pbpkc.report.term_plots import term_plots


@dataclass(frozen=True)
class FormRow:
    """A form as the page shows it: numbers as text, estimates of its own parameters."""

    title: str
    text: str
    k: str
    objective: str
    bic: str
    difference: str
    weight: str
    remark: str
    note: str
    lines: str
    estimates: tuple[EstimateRow, ...]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Estimates as text."""
        return [
            {
                "id": r.id,
                "parameter": r.parameter,
                "estimate": plain_number(r.estimate),
                "interval": f"{plain_number(r.ci_low)} to {plain_number(r.ci_high)}"
                if r.ci_low == r.ci_low
                else "not determined",
                "unit": r.unit,
                "identifiable": r.identifiable,
            }
            for r in self.estimates
        ]


def render_discovery(
    title: str,
    unknown: Unknown,
    data: str,
    verdict: str,
    curves: Sequence[TermCurve],
    formulas: Sequence[FormulaCurve],
    kept: Sequence[FormRow],
    rows: Sequence[FormRow],
    command: str,
) -> str:
    """The page as HTML: nothing from outside, the same for the same content."""
    plots = term_plots([(unknown, curves)], formulas)[0].plots if curves else ()
    return page_template("discover.html.j2").render(
        title=title,
        name=unknown.name,
        data=data,
        verdict=verdict,
        plots=plots,
        kept=kept,
        all=rows,
        command=command,
        style=Markup(page_part("style.css")),
    )
