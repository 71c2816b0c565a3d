"""The page of the benchmark of inversion: tables, pictures and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pbpkc.report.quantities import NOTHING, plain_number
from pbpkc.report.study_page import Held, StudyPage, StudySection, StudyTable
from pbpkc.solve.output import versions
from pbpkc.studies.ablation import Choice
from pbpkc.studies.inversion_plots import (
    choice_plot,
    cost_plot,
    error_plot,
    loss_plot,
    profile_plot,
    recovery_plot,
)
from pbpkc.studies.limits import METHOD, Limit, Stage1
from pbpkc.studies.missing import TITLE, Missing
from pbpkc.studies.network_choices import ERROR_LIMIT, NetworkPart
from pbpkc.studies.paper_systems import (
    PAPER_BRANCHES,
    PAPER_SECONDS,
    PAPER_TRAJECTORY_MSE,
    SYSTEMS,
    PaperSystem,
)
from pbpkc.studies.paper_table import Estimate, Interval, KmProfile
from pbpkc.studies.scores import Cell, Summary, summarise
from pbpkc.studies.speed import Cost
from pbpkc.studies.synthetic import CASES


@dataclass(frozen=True)
class Results:
    """What stands on the page; parts that were not made are empty."""

    stage1: Sequence[Stage1]
    estimates: Sequence[Estimate]
    intervals: Sequence[Interval]
    profiles: Sequence[KmProfile]
    refused: Sequence[str]
    cells: Sequence[Cell]
    costs: Sequence[Cost]
    choices: Sequence[Choice]
    networks: Sequence[NetworkPart]
    missing: Sequence[Missing]
    limits: Sequence[Limit]
    yardstick_ms: float | None


def inversion_page(found: Results, command: str, choices: Mapping[str, object]) -> StudyPage:
    """The page; `choices` are those of the run."""
    sections = [
        *(
            _system(found, system)
            for system in SYSTEMS
            if any(e.system == system.name for e in found.estimates)
        ),
        *([_synthetic(found)] if found.cells else []),
        *([_speed(found)] if found.costs or found.stage1 else []),
        *([_choices(found.choices)] if found.choices else []),
        *([_networks(found.networks)] if found.networks else []),
        *([_missing(found.missing)] if found.missing else []),
    ]
    broken = sum(not one.holds for one in found.limits)
    headline = (
        f"All {len(found.limits)} limits hold"
        if not broken
        else f"{len(found.limits) - broken} of {len(found.limits)} limits hold"
    )
    told = ", ".join(f"{name} {value}" for name, value in choices.items())
    return StudyPage(
        title="Inversion: unknown parameters of whole-body models",
        about=f"pbpkc bench inversion; {told}",
        headline=headline,
        limits=[Held(one.holds, one.about, one.text, one.found) for one in found.limits],
        sections=sections,
        command=command,
        versions=sorted(versions().items()),
    )


# ------------------------------------------------------------- the paper's table


def _system(found: Results, system: PaperSystem) -> StudySection:
    mine = [e for e in found.estimates if e.system == system.name]
    text = [
        "Km and Vmax of one pathway are unknown, ten samples of one venous channel are known. The paper "
        "(Wei 2026, "
        "arXiv 2605.03511; its numbers second hand, from a public digest) scores Km. These data do not "
        "determine "
        "it: the profile stays below the dashed line over orders of magnitude. What they determine is "
        "Vmax/Km, the "
        "clearance at low concentrations, which is scored here with the trajectories of all states and with "
        "intervals; Km is scored in a design with two doses and the amount that the pathway made.",
    ]
    if any(e.states == e.states for e in mine):
        text.append(
            "The error of trajectories is the mean over all states and times of the squared difference to "
            "the truth, "
            "each state over its peak; beside it the same in umol². The unit of the paper's "
            f"{PAPER_TRAJECTORY_MSE['MI-PINN']:g} (MI-PINN) against "
            f"{PAPER_TRAJECTORY_MSE['standard joint inverse PINN']:.3g} (joint PINN), for theophylline, is "
            "not known."
        )
    text += [line for line in found.refused if line.startswith(system.name)]
    profiles = [p for p in found.profiles if p.system == system.name]
    plots = [profile_plot(system.name, system.title, profiles)] if profiles else []
    tables = [_published(system)]
    noises = sorted({e.noise for e in mine if e.data == "plasma"})
    tables += [_by_method(mine, "plasma", noise) for noise in noises]
    tables += [_by_method(mine, "design", n) for n in sorted({e.noise for e in mine if e.data == "design"})]
    intervals = [i for i in found.intervals if i.system == system.name and i.noise > 0.0]
    if intervals:
        tables.append(_interval_table(intervals))
    tables += [
        _clinical([e for e in mine if e.data == name], [i for i in found.intervals if i.data == name], name)
        for name in system.data
        if any(e.data == name for e in mine)
    ]
    return StudySection(system.name, system.title, tuple(text), tuple(plots), tuple(tables))


def _published(system: PaperSystem) -> StudyTable:
    truth = system.truth
    rows = [
        (
            f"{one.method} (paper)",
            *map(plain_number, (one.km, one.vmax, one.ratio)),
            *(
                NOTHING if one is truth else f"{100 * abs(a / b - 1):.1f} %"
                for a, b in ((one.km, truth.km), (one.vmax, truth.vmax), (one.ratio, truth.ratio))
            ),
        )
        for one in (truth, *system.published)
    ]
    note = "As the paper prints them; errors computed from these."
    if system.name.startswith("theo"):
        note += " Its Vmax has no unit that fits; ours is 0.0103 umol/h per mg of protein."
    return StudyTable(
        ("method", "Km [umol/L]", "Vmax", "Vmax/Km", "error of Km", "of Vmax", "of Vmax/Km"),
        tuple(rows),
        1,
        note,
    )


def _by_method(rows: Sequence[Estimate], data: str, noise: float) -> StudyTable:
    mine = [r for r in rows if r.data == data and r.noise == noise]
    lines = []
    for method in dict.fromkeys(r.method for r in mine):
        some = [r for r in mine if r.method == method]
        there = [r for r in some if math.isfinite(r.km)]
        km = np.array([r.km for r in there])
        lines.append(
            (
                method,
                str(len(some)),
                f"{plain_number(float(km.min()), 3)} to {plain_number(float(km.max()), 3)}"
                if len(km)
                else NOTHING,
                _percent(_median([abs(math.expm1(r.km_error)) for r in there])),
                _percent(_median([abs(math.expm1(r.ratio_error)) for r in there])),
                plain_number(_median([r.states for r in there]), 2),
                plain_number(_median([r.states_raw for r in there]), 2),
                f"{sum(r.km_determined for r in there)} of {len(there)}",
                plain_number(_median([r.cpu_ms for r in some]), 3),
                str(len(some) - sum(r.outcome == "converged" for r in some)),
            )
        )
    kind = "venous plasma" if data == "plasma" else "two doses, venous plasma and the amount made"
    return StudyTable(
        ("method", "data sets", "Km [umol/L]", "error of Km", "of Vmax/Km", "trajectories", "in umol²",
         "says Km is determined", "time [ms]", "not converged"),
        tuple(lines), 1,
        f"Synthetic, {kind}, {100 * noise:g} % noise; medians over data sets, all methods from the same "
        "start, "
        "up to a factor 8 from the truth.",
    )  # fmt: skip


def _interval_table(rows: Sequence[Interval]) -> StudyTable:
    lines = []
    for data, noise in dict.fromkeys((r.data, r.noise) for r in rows):
        some = [r for r in rows if (r.data, r.noise) == (data, noise)]
        lines.append(
            (
                "plasma" if data == "plasma" else "two doses and the product",
                f"{100 * noise:g} %",
                f"{sum(r.covered for r in some)} of {len(some)}",
                _percent(_median([abs(math.expm1(r.error)) for r in some])),
                plain_number(_median([abs(r.error) / r.bound for r in some]), 2),
                plain_number(_median([abs(r.error) / r.bound_known for r in some]), 2),
                _percent(_median([r.bound for r in some])),
                _percent(_median([r.bound_known for r in some])),
            )
        )
    return StudyTable(
        ("data", "noise", "95 % interval holds the truth", "error", "over bound, Km free",
         "over bound, Km known",
         "bound, Km free", "bound, Km known"),
        tuple(lines), 2,
        "Vmax/Km by its own profile likelihood. The bound with Km free is of a linear theory in which Km "
        "runs over "
        "many orders of magnitude; where it is far above that with Km known it says little.",
    )  # fmt: skip


def _clinical(rows: Sequence[Estimate], intervals: Sequence[Interval], name: str) -> StudyTable:
    held = next(iter(intervals), None)
    interval = NOTHING
    if held is not None and (math.isfinite(held.low) or math.isfinite(held.high)):
        low = plain_number(held.low, 3) if math.isfinite(held.low) else "open"
        high = plain_number(held.high, 3) if math.isfinite(held.high) else "open"
        interval = f"{low} to {high}"
    lines = tuple(
        (
            r.method,
            *(plain_number(v, 4) for v in (r.km, r.vmax, r.ratio)),
            interval if r.method == METHOD else "",
            _percent(r.residual),
            "yes" if r.km_determined else "no",
            plain_number(r.cpu_ms, 3),
        )
        for r in rows
    )
    return StudyTable(
        ("method", "Km [umol/L]", "Vmax [umol/h/mg]", "Vmax/Km [L/h/mg]", "95 % interval", "misfit",
         "says Km is determined", "time [ms]"),
        lines, 1,
        f"Clinical means, scenario {name}. The interval is that of Vmax/Km by its profile; misfit is the "
        "root mean "
        "square of ln(measured / predicted). The other clearances are the spec's, from the literature, so "
        "all of "
        "what these volunteers differ by falls on the masked pathway.",
    )  # fmt: skip


# ------------------------------------------------------------- the other parts


def _synthetic(found: Results) -> StudySection:
    summaries = [summarise(cell) for cell in found.cells]
    apart = {case.name: case.why_apart for case in CASES if case.why_apart}
    usual = [c for c in found.cells if c.case not in apart]
    names = dict.fromkeys((c.case, c.unknowns) for c in found.cells)
    text = [
        "Truths within a factor 2 of the spec's values, first starts up to a factor 8 away, three starts; "
        "body weight "
        "and dose vary and are known. Errors of data are lognormal and independent; data without noise are "
        "fitted "
        "with an error of 1 %. An efficient estimator has a median error of 0.67 of its Cramér-Rao bound.",
        *(f"{case}: {', '.join(unknowns)}." for case, unknowns in names),
        *(f"{name}. {why}" for name, why in apart.items() if any(c.case == name for c in found.cells)),
    ]
    return StudySection(
        "synthetic", "Synthetic study", tuple(text),
        (error_plot(usual, METHOD), recovery_plot(usual, METHOD)),
        (summary_table(summaries),),
    )  # fmt: skip


def summary_table(rows: Sequence[Summary]) -> StudyTable:
    """One line a cell and method."""
    lines = tuple(
        (
            r.case,
            f"{100 * r.noise:g} %",
            r.method,
            str(r.tasks),
            plain_number(r.median_error, 2),
            plain_number(r.p90_error, 2),
            plain_number(r.efficiency, 2),
            plain_number(r.efficiency_counted, 2),
            plain_number(r.rms, 2),
            str(r.counted),
            ", ".join(map(str, r.covered)) or NOTHING,
            str(r.missed),
            str(r.polished),
            str(r.outside),
            plain_number(r.cpu_ms, 3),
            plain_number(r.search_ms, 3),
        )
        for r in rows
    )
    return StudyTable(
        ("case", "noise", "method", "tasks", "median error %", "90 % point", "over bound",
         "where counted", "rms",
         "counted", "intervals that hold", "not at optimum", "polished", "outside training", "time [ms]",
          "searches [ms]"),
        lines, 3,
        "Over bound: median of |ln(estimate / truth)| over its Cramér-Rao bound at the truth. Counted: "
        "tasks whose "
        "bounds are all below 20 % with no limit at work. Not at optimum: objective more than 0.01 above "
        "the lowest "
        "that any method met from any start, the truth included. Polished: the reference solver asked for "
        "exact "
        "steps. Time is of the processor, for a whole fit with its verdict.",
    )  # fmt: skip


def _speed(found: Results) -> StudySection:
    costs = tuple(
        (
            r.case,
            r.method,
            f"{r.rtol:g}",
            str(r.tasks),
            plain_number(r.cpu_ms, 3),
            plain_number(r.search_ms, 3),
            plain_number(r.evaluations, 3),
            plain_number(max(r.gap, 0.0), 2),
        )
        for r in found.costs
    )
    stage1 = tuple(
        (
            r.scenario, plain_number(r.cpu_seconds, 3), str(r.tasks), str(r.branches), str(r.features),
            plain_number(r.median, 2), plain_number(r.high, 2), plain_number(r.states, 2),
        )
        for r in found.stage1
    )  # fmt: skip
    text = (
        "Processor time, imports and compilation excluded, of one process with one thread; other work on "
        "the machine "
        "makes it longer, so the shortest of several runs counts. Least squares runs on exact sensitivities "
        "of the "
        "project's solver; a tolerance whose gap to the lowest objective is above 0.01 does not count.",
        *(
            ()
            if found.yardstick_ms is None
            else (
                f"A million additions in Python took {plain_number(found.yardstick_ms, 3)} ms here, at "
                "best; an idle "
                "core of these years needs about 50, so a larger number says that other work shared the "
                "machine.",
            )
        ),
        f"The paper states {PAPER_SECONDS['MI-PINN']:g} s for one inference and "
        f"{PAPER_SECONDS['SciPy odeint']:g} s for SciPy's odeint, and does not say what they comprise.",
    )
    tables = []
    if costs:
        tables.append(
            StudyTable(
                ("case", "method", "rtol", "tasks", "fit [ms]", "searches [ms]", "evaluations",
                 "largest gap"),
                costs, 2,
            )
        )  # fmt: skip
    if stage1:
        tables.append(
            StudyTable(
                ("trained on", "time [s]", "tasks", "branches", "features", "median error", "95 % of largest",
                 "all states, MSE"),
                stage1, 1, "Errors of held-out solves: relative, of the worst observable.",
            )
        )  # fmt: skip
    plots = (cost_plot(found.costs),) if found.costs else ()
    return StudySection("speed", "Speed and training", text, plots, tuple(tables))


def _choices(rows: Sequence[Choice]) -> StudySection:
    lines = tuple(
        (
            r.scenario,
            r.varied,
            r.basis,
            r.head,
            str(r.branches),
            str(r.features),
            plain_number(r.median, 2),
            plain_number(r.high, 2),
            plain_number(r.states, 2),
            f"{r.unsolved} of {r.tasks}",
            plain_number(r.solve_ms, 2),
        )
        for r in rows
    )
    text = (
        "Errors of solves that training never saw. The paper reports a mean squared error of "
        f"{PAPER_BRANCHES['several branches']:g} with several branches against "
        f"{PAPER_BRANCHES['one branch']:g} with one; the column of all states is the counterpart, each "
        "state over "
        "its peak.",
    )
    plots = tuple(choice_plot(rows, s) for s in dict.fromkeys(r.scenario for r in rows))
    table = StudyTable(
        ("scenario", "varied", "basis", "head", "branches", "features", "median error", "95 % of largest",
         "all states, MSE", "unsolved", "solve [ms]"),
        lines, 4,
    )  # fmt: skip
    return StudySection("choices", "What each choice is worth", text, plots, (table,))


def _networks(parts: Sequence[NetworkPart]) -> StudySection:
    lines = tuple(
        (
            r.basis,
            str(r.branches or "all"),
            r.objective or NOTHING,
            r.start or NOTHING,
            r.head,
            str(r.features),
            str(r.steps or NOTHING),
            plain_number(r.trained_s, 3),
            plain_number(r.median, 2),
            plain_number(r.high, 2),
            plain_number(r.states, 2),
            plain_number(r.error, 2),
            plain_number(r.error_high, 2),
            f"{r.lost} of {r.inversions}",
            plain_number(r.fit_ms, 3),
        )
        for part in parts
        for r in part.rows
    )
    text = (
        "Sine networks of time, one a branch, trained through the generated residual: by the physics "
        "residual at the solution of the closed-form head, by what their best fit leaves of the reference "
        "trajectories (projection), or by both; from an output map at the best fit to singular vectors, or a "
        "random one. Beside them the singular vectors themselves. Each with the head of the paper, least "
        "squares of the residuals, and with the Galerkin head.",
        "Errors of parameters are those of searches on the features alone, by mouth, three unknowns, plasma "
        "without noise: neither the reference solver nor exact steps correct them, as they do in a fit. "
        f"At most {ERROR_LIMIT:g} % is aimed at for the first row.",
    )
    trained = [part for part in parts if part.loss]
    table = StudyTable(
        ("basis", "branches", "trained by", "start", "head", "features", "steps", "trained [s]",
         "median error", "95 % of largest", "all states, MSE", "parameters %", "90 % point", "lost",
         "inversion [ms]"),
        lines, 5,
        "Trained: processor time, reference trajectories not counted, which are the same for all. Median "
        "error: of held-out solves, relative, of the worst observable. All states: mean squared error, each "
        "state over its peak.",
    )  # fmt: skip
    return StudySection(
        "networks", "Networks as features", text, (loss_plot(trained),) if trained else (), (table,)
    )


def _missing(rows: Sequence[Missing]) -> StudySection:
    lines = []
    for system, channels, noise in dict.fromkeys((r.system, r.channels, r.noise) for r in rows):
        some = [r for r in rows if (r.system, r.channels, r.noise) == (system, channels, noise)]
        forms: dict[str, int] = {}
        for row in some:
            for title in row.kept:
                forms[title] = forms.get(title, 0) + 1
        told = sorted(forms.items(), key=lambda one: (-one[1], one[0]))
        lines.append(
            (
                system,
                ", ".join(channels),
                f"{100 * noise:g} %",
                ", ".join(f"{title} ({count})" for title, count in told) or NOTHING,
                str(len(some)),
                plain_number(_median([r.curve_error for r in some]), 2),
                f"{plain_number(_median([r.high for r in some]), 3)}",
                f"{sum(r.in_set for r in some)} of {len(some)}",
                plain_number(_median([r.cpu_s for r in some]), 3),
            )
        )
    text = (
        "The whole term of UGT2B15 is taken out of the intravenous paracetamol model and found again from "
        "ten samples "
        "of one dose: as a curve, and as formulas fitted to the data. The concentrations visited lie far "
        "below Km, "
        f"where {TITLE} is a straight line; so a line is the simplest formula that these data allow, and "
        "the true "
        "form can be reported beside it, but not told from it.",
        *(f"{', '.join(r.channels)}, {100 * r.noise:g} % noise: {r.failed}." for r in rows if r.failed),
    )
    table = StudyTable(
        ("term", "channels", "noise", "forms within 6 of the smallest BIC (data sets)", "data sets",
         "error of the curve %",
         "visited up to [umol/L]", "true form among them", "time [s]"),
        tuple(lines), 4,
        "Error of the curve: root mean square over the visited concentrations, of the range of the true "
        "values there.",
    )  # fmt: skip
    return StudySection("missing", "Missing terms", text, (), (table,))


def _median(values: Sequence[float]) -> float:
    there = [v for v in values if math.isfinite(v)]
    return float(np.median(there)) if there else math.nan


def _percent(value: float) -> str:
    return NOTHING if not math.isfinite(value) else f"{plain_number(100.0 * value, 3)} %"
