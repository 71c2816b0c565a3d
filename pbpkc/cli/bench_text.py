"""The benchmark of inversion as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from pbpkc.cli.fit_text import table
from pbpkc.jobs.inversion_bench import Findings
from pbpkc.studies.scores import Summary


def bench_text(found: Findings) -> str:
    """The cells of the synthetic study, what is left out, and the limits."""
    lines: list[str] = []
    if found.cells:
        lines += [*_cells(found.summaries), ""]
    lines += [f"note: {text}" for text in found.refused]
    held = [one for one in found.limits if one.holds]
    broken = [one for one in found.limits if not one.holds]
    for title, some in (("Holds", held), ("Does not hold", broken)):
        if some:
            lines += [title, *(f"  {one.about}: {one.text}: {one.found}" for one in some), ""]
    lines.append(f"{len(held)} of {len(found.limits)} limits hold")
    return "\n".join(lines) + "\n"


def _cells(rows: Sequence[Summary]) -> list[str]:
    head = [
        "case",
        "noise",
        "method",
        "tasks",
        "median error",
        "over bound",
        "intervals that hold",
        "missed",
        "ms",
    ]
    return table(
        head,
        [
            [
                r.case,
                f"{100 * r.noise:g} %",
                r.method,
                str(r.tasks),
                f"{r.median_error:.2g} %",
                "" if r.efficiency_counted != r.efficiency_counted else f"{r.efficiency_counted:.2f}",
                ", ".join(map(str, r.covered)),
                str(r.missed),
                f"{r.cpu_ms:.0f}",
            ]
            for r in rows
        ],
    )
