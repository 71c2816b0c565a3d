"""The benchmark of inversion: every part of it as steps that are kept when done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pbpkc.jobs.bench_choices import ablation_steps, missing_steps
from pbpkc.jobs.bench_network import network_steps
from pbpkc.jobs.bench_steps import PARTS, Bench, Gathered
from pbpkc.jobs.bench_synthetic import speed_steps, synthetic_steps
from pbpkc.jobs.bench_table import Estimates, table_steps
from pbpkc.studies.ablation import Choices
from pbpkc.studies.limits import (
    Limit,
    Stage1,
    ablation_limits,
    missing_limits,
    network_limits,
    speed_limits,
    stage1_limits,
    synthetic_limits,
    table_limits,
)
from pbpkc.studies.missing import Missing, Missings
from pbpkc.studies.network_choices import NetworkPart
from pbpkc.studies.paper_table import Estimate, Interval, KmProfile
from pbpkc.studies.scores import Cell, Summary, summarise
from pbpkc.studies.speed import Costs


@dataclass(frozen=True)
class Findings:
    """Everything that a run found."""

    stage1: tuple[Stage1, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    intervals: tuple[Interval, ...] = ()
    profiles: tuple[KmProfile, ...] = ()
    refused: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    costs: tuple[Costs, ...] = ()
    choices: tuple[Choices, ...] = ()
    networks: tuple[NetworkPart, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """Of the cells."""
        return tuple(summarise(cell) for cell in self.cells)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What was demanded of the parts that were made, and what was found."""
        return (
            *stage1_limits(self.stage1),
            *speed_limits([row for one in self.costs for row in one.rows]),
            *synthetic_limits(self.summaries),
            *table_limits(self.estimates, self.intervals),
            *ablation_limits([row for one in self.choices for row in one.rows]),
            *network_limits([row for one in self.networks for row in one.rows]),
            *missing_limits(self.missing),
        )


def run(bench: Bench, tell: Callable[[float, float, str], None]) -> Findings:
    """Make all parts.

    Parameters
    ----------
    bench : Bench
    tell : callable
        Told (done, total, what is being done); about seconds.

    Raises
    ------
    TrainingError
        If a family cannot be trained on.
    """
    gathered: Gathered = {}
    makers = {
        "table": table_steps,
        "synthetic": synthetic_steps,
        "speed": speed_steps,
        "ablation": ablation_steps,
        "network": network_steps,
        "missing": missing_steps,
    }
    steps = [s for part in PARTS if part in bench.options.parts for s in makers[part](bench, gathered)]
    total, done = sum(weight for weight, _, _ in steps), 0.0
    for weight, what, make in steps:
        tell(done, total, what)
        make(partial(_within, tell, done, weight, total, what))
        done += weight
    tables = [t for t in gathered.get("tables", []) if isinstance(t, Estimates)]
    unique = {s.scenario: s for s in gathered.get("stage1", []) if isinstance(s, Stage1)}
    return Findings(
        stage1=tuple(unique.values()),
        estimates=tuple(r for t in tables for r in t.rows),
        intervals=tuple(r for t in tables for r in t.intervals),
        profiles=tuple(r for t in tables for r in t.profiles),
        refused=tuple(dict.fromkeys(r for t in tables for r in t.refused)),
        cells=tuple(c for c in gathered.get("cells", []) if isinstance(c, Cell)),
        costs=tuple(c for c in gathered.get("costs", []) if isinstance(c, Costs)),
        choices=tuple(c for c in gathered.get("choices", []) if isinstance(c, Choices)),
        networks=tuple(n for n in gathered.get("networks", []) if isinstance(n, NetworkPart)),
        missing=tuple(r for m in gathered.get("missing", []) if isinstance(m, Missings) for r in m.rows),
    )


def _within(
    tell: Callable[[float, float, str], None],
    done: float,
    weight: float,
    total: float,
    what: str,
    part: float,
) -> None:
    tell(done + weight * part, total, what)
