"""What the benchmark of inversion writes: the page, its pictures, tables, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole
from pbpkc.infer.codec import to_plain
from pbpkc.infer.output import lines
from pbpkc.jobs.bench_steps import BenchOptions
from pbpkc.jobs.inversion_bench import Findings
from pbpkc.report.study_page import render_study, study_files
from pbpkc.solve.output import versions
from pbpkc.studies.ablation import Choice
from pbpkc.studies.inversion_page import Results, inversion_page
from pbpkc.studies.limits import Stage1
from pbpkc.studies.missing import Missing
from pbpkc.studies.network_choices import NetworkChoice
from pbpkc.studies.paper_table import Estimate, Interval
from pbpkc.studies.scores import Summary
from pbpkc.studies.speed import Cost

#: Files whose names do not depend on what was done.
FILES = ("report.html", "results.json")


def document(found: Findings, options: BenchOptions) -> Mapping[str, object]:
    """Everything that was found, with what it was found with."""
    return {
        "format": 1,
        "options": asdict(options),
        "versions": versions(),
        "limits": [to_plain(one) for one in found.limits],
        "synthetic": [to_plain(one) for one in found.summaries],
        "stage1": [to_plain(one) for one in found.stage1],
        "table": [to_plain(one) for one in found.estimates],
        "intervals": [to_plain(one) for one in found.intervals],
        "km_profiles": [to_plain(one) for one in found.profiles],
        "left_out": list(found.refused),
        "costs": [to_plain(row) for one in found.costs for row in one.rows],
        "yardstick_ms": yardstick_of(found),
        "choices": [to_plain(row) for one in found.choices for row in one.rows],
        "networks": [to_plain(one) for one in found.networks],
        "missing": [to_plain(one) for one in found.missing],
        "cells": [to_plain(one) for one in found.cells],
    }


def yardstick_of(found: Findings) -> float | None:
    """What the machine was worth at its best while times were taken; None without times."""
    return min((one.yardstick_ms for one in found.costs), default=None)


def results(found: Findings) -> Results:
    """What the page shows."""
    return Results(
        found.stage1, found.estimates, found.intervals, found.profiles, found.refused, found.cells,
        [row for one in found.costs for row in one.rows],
        [row for one in found.choices for row in one.rows],
        found.networks,
        found.missing,
        found.limits,
        yardstick_of(found),
    )  # fmt: skip


def write_bench(folder: Path, found: Findings, options: BenchOptions, command: str) -> tuple[Path, ...]:
    """Write page, pictures and tables into the folder, all or none."""
    told = {"tasks a cell": options.tasks, "seed": options.seed, "form": "short" if options.short else "full"}
    page = inversion_page(results(found), command, told)
    text = json.dumps(document(found, options), indent=1, ensure_ascii=False, allow_nan=False)
    files: dict[str, str | bytes] = {"report.html": render_study(page), "results.json": text + "\n"}
    files |= study_files(page)
    shown = results(found)
    tables: dict[str, tuple[type, Sequence[object]]] = {
        "synthetic.csv": (Summary, found.summaries),
        "table.csv": (Estimate, shown.estimates),
        "intervals.csv": (Interval, shown.intervals),
        "training.csv": (Stage1, shown.stage1),
        "speed.csv": (Cost, shown.costs),
        "choices.csv": (Choice, shown.choices),
        "networks.csv": (NetworkChoice, [row for one in found.networks for row in one.rows]),
        "missing.csv": (Missing, shown.missing),
    }
    files |= {name: _table(kind, rows) for name, (kind, rows) in tables.items() if rows}
    if found.cells:
        files["fits.csv"] = _fits(found)
    write_whole({folder / name: content for name, content in files.items()})
    return tuple(folder / name for name in sorted(files))


def _table(kind: type, rows: Sequence[object]) -> str:
    names = [f.name for f in fields(kind)]
    return lines(names, ([_cell(getattr(row, name)) for name in names] for row in rows))


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _fits(found: Findings) -> str:
    """One line a fit and unknown; truths and estimates in canonical units."""
    head = ["case", "noise", "method", "task", "unknown", "truth", "start", "estimate", "bound", "error",
     "covered",
            "objective", "lowest", "polished", "bias", "outside_training", "outcome", "cpu_ms",
             "search_ms"]  # fmt: skip
    rows = (
        (
            cell.case, cell.noise, cell.method, s.task, name, s.truth[i], s.start[i], s.estimate[i],
            s.bound[i],
            s.error[i], s.covered[i], s.objective, s.lowest, s.polished, s.bias, s.outside, s.outcome,
            s.cpu_ms,
            s.search_ms,
        )
        for cell in found.cells
        for s in cell.scores
        for i, name in enumerate(cell.unknowns)
    )  # fmt: skip
    return lines(head, rows)
