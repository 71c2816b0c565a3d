"""What the comparison of solvers writes: a table, a picture, and everything as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole
from pbpkc.infer.codec import to_plain
from pbpkc.infer.output import lines
from pbpkc.jobs.solver_bench import Comparison, SolverBenchOptions
from pbpkc.native.processor import first_core
from pbpkc.report.plot_style import picture
from pbpkc.solve.output import versions
from pbpkc.studies.solvers.plot import draw_costs, plot_size
from pbpkc.studies.solvers.scores import fastest_peer
from pbpkc.studies.solvers.tables import COLUMNS, figure_rows


def solver_document(found: Comparison, options: SolverBenchOptions) -> Mapping[str, object]:
    """Everything that was found, with what it was found with."""
    systems = []
    for (name, title), confirmed in zip(found.titles, found.confirmed, strict=True):
        mine = [s for s in found.scores if s.system == name]
        best = {str(n): one.method for n in options.sizes if (one := fastest_peer(mine, n)) is not None}
        systems.append({"name": name, "title": title, "truth_confirmed_to": confirmed, "fastest_peer": best})
    return {
        "format": 1,
        "options": asdict(options),
        "versions": versions(),
        "machine": f"{platform.machine()}, {_processor()}",
        "systems": to_plain(systems),
        "figures": [
            to_plain(dict(zip(COLUMNS, row, strict=True))) for row in figure_rows(found.scores)
        ],
    }  # fmt: skip


def write_solver_bench(folder: Path, found: Comparison, options: SolverBenchOptions) -> tuple[Path, ...]:
    """Write ``solvers.csv``, ``solvers.json`` and ``solvers.svg`` into the folder, all or none."""
    text = json.dumps(solver_document(found, options), indent=1, ensure_ascii=False, allow_nan=False)
    methods = len({s.method for s in found.scores if s.costs})
    size = plot_size(len(found.titles), methods)
    drawn = picture(lambda figure: draw_costs(figure, found.scores, found.titles), size, "svg", "solvers")
    files: dict[Path, str | bytes] = {
        folder / "solvers.csv": lines(COLUMNS, figure_rows(found.scores)),
        folder / "solvers.json": text + "\n",
        folder / "solvers.svg": drawn,
    }
    write_whole(files)
    return tuple(files)


def _processor() -> str:
    """What the processor calls itself."""
    return first_core().get("model name") or platform.processor() or "unknown"
