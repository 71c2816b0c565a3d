"""The comparison of solvers as text for a terminal."""

from __future__ import annotations

import math

from pbpkc.cli.fit_text import table
from pbpkc.jobs.solver_bench import Comparison, SolverBenchOptions
from pbpkc.studies.solvers.tables import shown_slopes, shown_table


def solvers_text(found: Comparison, options: SolverBenchOptions) -> str:
    """A table a system, and what could not be compared."""
    lines: list[str] = []
    for (name, title), confirmed in zip(found.titles, found.confirmed, strict=True):
        mine = [s for s in found.scores if s.system == name]
        told = "" if math.isnan(confirmed) else f"; two references agree to {confirmed:.1e}"
        lines += [f"{title} ({name}), rtol {options.rtol:g}{told}"]
        lines += [f"  {line}" for line in table(*shown_table(mine, options.sizes))]
        if any(s.slope_costs for s in mine):
            lines += ["", *(f"  {line}" for line in table(*shown_slopes(mine, options.slope_sizes)))]
        lines += [f"  {s.title}: {s.lost} of {options.checked} subjects not solved" for s in mine if s.lost]
        lines += [f"  not compared: {s.title}: {s.reason}" for s in mine if s.reason]
        lines.append("")
    notes = dict.fromkeys(f"{s.title}: {s.note}" for s in found.scores if s.note)
    lines += [
        "Processor time in ms for that many subjects, ~ in proportion to fewer; x at N: time of the fastest",
        "peer over this one's. first s: from the problem to the first solution, compilation and all, without",
        "imports; warm: with what an earlier run left in the cache. * gives the watched observables alone,",
        f"others all states. Errors are relative, of {options.checked} subjects, where a curve is above a",
        "millionth of its peak. Five sensitivities: their time with the plain run in it, over that of a",
        "plain run, and the error of the first subject's over their largest value.",
        *notes,
    ]
    return "\n".join(lines) + "\n"
