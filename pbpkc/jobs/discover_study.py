"""How well missing terms are found: curves and formulas over many synthetic tasks.

Each task takes the model of specs/theophylline_liver_unknown.pbpk, draws a law for what the liver does, its
parameters and the dose, simulates plasma and one more channel at 12 times after each of two doses, adds
log-normal noise, and has the term learned and its formula discovered. Values below half a per cent of a
channel's largest are left out, as below an assay's limit.

Scored are the learned curve, the mean over forms and the true law fitted to the same data (the limit), each
by the root mean square of its error over the visited range of the argument divided by the range of the true
values there; how much of the truth the 95 % bands hold; and whether the true law is among the forms within 6
BIC units. How near a curve without a formula can come is a matter of the data: linearised about laws of
Michaelis-Menten, no strength of the prior on the slope's change does better than 1.8 (5 % noise) or 1.6
(10 %) times the limit. The best is 0.2 to 0.4; estimating it for each data set (the largest marginal
likelihood) is worse by a tenth, for power laws better by a twentieth. With the 0.5 of the shipped form
Michaelis-Menten loses little, and Hill laws, which bend more sharply, are still followed: over 8 tasks at 5 %
the bands hold three quarters of the truth (0.3: two thirds; 1: nine tenths, where Michaelis-Menten loses more
than a fifth). The mean over forms is nearer than any curve where the library holds a law like the true one,
and its band holds the truth.

The power law. With an exponent below 1 it needs two things. A form with a finite slope at 0: as c^p alone it
cannot be fitted at all, since no derivative exists where the liver is still empty; the library's is in
proportion to c below a thousandth of its reference. And a limit of quantification: such a law empties the
body in finite time, so that without one the data go down to 1e-4 to 1e-11 of the largest value with an error
of 5 % each, which decide the fit although no measurement has them: in 4 of 8 tasks they throw out the true
law, by 11 to 10,000 BIC units, for laws that end otherwise. With the limit it is in the set in all 8. What
remains is a limit of the data: over the hundredfold range that is visited a logarithm and a
Michaelis-Menten with a linear part are as good at 10 % noise, and the smallest BIC is theirs in half of the
tasks.

    python -m pbpkc.jobs.discover_study --tasks 5 --noise 0 5 10 --channel Cl
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.optimise import SearchOptions
from pbpkc.infer.options import FitOptions
from pbpkc.jobs.discover import discover_prepared
from pbpkc.jobs.discover_prepare import Prepared, prepare
from pbpkc.jobs.fit import FitJob
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.resources import resource
from pbpkc.solve.options import SolverOptions

Array = NDArray[np.float64]

#: Hours after each dose.
TIMES = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 23.5])

#: Of the largest value of a channel; what is smaller was not quantified.
LIMIT = 0.005

#: Of solves, and when a search ends: the objective then has errors of some 1e-2, where 6 decide.
RTOL = 1e-6
SEARCH = SearchOptions(tolerance=1e-2, resolution=1e-2)

#: The same for data without noise, which are told from each other by much less.
RTOL_EXACT = 1e-8
SEARCH_EXACT = SearchOptions(tolerance=1e-4, resolution=1e-3)

#: umol, theophylline, about 5 mg/kg.
DOSE = 1942.0


@dataclass(frozen=True)
class Law:
    """A true law: its text with the parameters in braces, how they are drawn, and its values.

    `draw` gives the parameters in the units of the text from a generator; `at` the values (umol/h) at
    concentrations (umol/L).
    """

    title: str
    text: str
    draw: Callable[[np.random.Generator], tuple[float, ...]]
    at: Callable[..., Array]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


#: By the title of the form in the library.
LAWS = {
    law.title: law
    for law in (
        Law(
            "Michaelis-Menten",
            "v = {0!r} [umol/h] * c / ({1!r} [umol/L] + c)",
            lambda rng: (_log_uniform(rng, 300, 900), _log_uniform(rng, 8, 50)),
            lambda c, v, k: v * c / (k + c),
        ),
        Law(
            "Hill",
            "v = {0!r} [umol/h] * (c / {1!r} [umol/L])^{2!r} / (1 + (c / {1!r} [umol/L])^{2!r})",
            lambda rng: (_log_uniform(rng, 300, 900), _log_uniform(rng, 8, 40), float(rng.uniform(1.5, 3.0))),
            lambda c, v, k, n: v * (c / k) ** n / (1.0 + (c / k) ** n),
        ),
        Law(
            "linear",
            "v = {0!r} [L/h] * c",
            lambda rng: (_log_uniform(rng, 2, 9),),
            lambda c, k: k * c,
        ),
        Law(
            "power",
            "v = {0!r} [umol/h] * (c / 50 [umol/L])^{1!r}",
            lambda rng: (_log_uniform(rng, 150, 450), float(rng.uniform(0.5, 0.8))),
            lambda c, a, p: a * (c / 50.0) ** p,
        ),
    )
}


@dataclass(frozen=True)
class Cell:
    """What a group of tasks has in common: law, noise in per cent, channel beside plasma."""

    law: str
    noise: float
    channel: str = "Cl"


@dataclass(frozen=True)
class Scored:
    """One task.

    Parameters
    ----------
    cell : Cell
    number : int
    curve_error : float
        Of the learned curve, per cent.
    average_error, form_error : float
        The same of the mean over all forms, weighted by BIC, and of the true law fitted to the same data,
        which is what the data allow. nan where no forms were tried.
    covered, average_covered : float
        Part of the visited range on which the 95 % bands of learned curve and mean hold the truth.
    in_set, is_best : bool
        The true law. False where no forms were tried.
    kept : tuple of str
    seconds : float
        CPU.
    """

    cell: Cell
    number: int
    curve_error: float
    average_error: float
    form_error: float
    covered: float
    average_covered: float
    in_set: bool
    is_best: bool
    kept: tuple[str, ...]
    seconds: float


def run_study(
    cells: Sequence[Cell],
    tasks: int,
    forms: str = "all",
    progress: Callable[[int, int, str], None] | None = None,
    spec: LoadedModel | None = None,
    first: int = 0,
) -> Iterator[Scored]:
    """Tasks of each cell, as they are done.

    Parameters
    ----------
    cells : sequence of Cell
    tasks : int
        Of each cell; task i of two cells with one law has the same law and dose.
    forms : str
        ``all``: those of the library are tried; ``law``: the true one alone; ``none``: the curve is learned.
    progress : callable, optional
        Told (done, total, what comes next).
    spec : LoadedModel, optional
        In place of the shipped one: same names of term, observables and scenarios.
    first : int
        Number of the first task, so that several processes can share a cell.
    """
    base = spec if spec is not None else load(resource("specs", "theophylline_liver_unknown.pbpk"))
    prepared: dict[object, Prepared] = {}
    done = 0
    for cell in cells:
        # Data without noise are fitted as if they had one per cent.
        noise = cell.noise or 1.0
        only = {"all": None, "law": (cell.law,), "none": ()}[forms]
        if (noise, only) not in prepared:
            known = base.with_settings(set=f"noise = {noise} [%]")
            prepared[noise, only] = prepare(known, "v", only=only)
        for number in range(first, first + tasks):
            if progress is not None:
                progress(done, len(cells) * tasks, f"{cell.law}, {cell.noise:g} %, task {number + 1}")
            yield _task(base, prepared[noise, only], cell, number)
            done += 1


def _task(base: LoadedModel, prepared: Prepared, cell: Cell, number: int) -> Scored:
    law = LAWS[cell.law]
    began = time.process_time()
    rng = np.random.default_rng([sorted(LAWS).index(cell.law), number])
    parameters = law.draw(rng)
    dose = DOSE * _log_uniform(rng, 0.7, 1.4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text(_data(base, law.text.format(*parameters), cell, dose, rng), encoding="utf-8")
        search, rtol = (SEARCH, RTOL) if cell.noise else (SEARCH_EXACT, RTOL_EXACT)
        job = FitJob(path, "measured", FitOptions(starts=1, search=search), SolverOptions(rtol=rtol))
        found = discover_prepared(prepared, job)
    curve = found.curves[0]
    first, last = (float(x) for x in (curve.at[curve.visited].min(), curve.at[curve.visited].max()))
    c = np.linspace(max(first, 0.0), last, 201)
    truth = law.at(c, *parameters)

    def off(at: Array, values: Array) -> float:
        seen = np.interp(c, at, values)
        return 100.0 * float(np.sqrt(np.mean((seen - truth) ** 2)) / np.ptp(truth))

    def held(at: Array, low: Array, high: Array) -> float:
        return float(np.mean((np.interp(c, at, low) <= truth) & (truth <= np.interp(c, at, high))))

    own = next((t for t in found.tried if t.title == law.title and len(t.value)), None)
    mean = found.average
    kept = tuple(t.title for t in found.kept)
    return Scored(
        cell,
        number,
        off(curve.at, curve.value),
        math.nan if mean is None else off(mean.at, mean.value),
        math.nan if own is None else off(own.at, own.value),
        held(curve.at, curve.low, curve.high),
        math.nan if mean is None else held(mean.at, mean.low, mean.high),
        law.title in kept,
        kept[:1] == (law.title,),
        kept,
        time.process_time() - began,
    )


def _data(base: LoadedModel, form: str, cell: Cell, dose: float, rng: np.random.Generator) -> str:
    """The data file of a task."""
    times = np.concatenate([TIMES, 24.0 + TIMES])
    spec = base.with_settings(unknown=form)

    run = _simulated(spec, dose, times)
    rows = [(0.0, 0, f"1,0,1,1,.,{dose!r},."), (24.0, 0, f"1,24,1,1,.,{dose!r},.")]
    for number, name in ((1, "Cp"), (2, "Cl"), (3, "formed")):
        if name not in ("Cp", cell.channel):
            continue
        values = run[name] * np.exp(0.01 * cell.noise * rng.standard_normal(len(times)))
        for t, y in zip(times.tolist(), values.tolist(), strict=True):
            if y > LIMIT * float(np.max(run[name])):
                rows.append((t, number, f"1,{t!r},0,.,{number},.,{y!r}"))
    return "\n".join(["ID,TIME,EVID,CMT,DVID,AMT,DV", *(text for _, _, text in sorted(rows))]) + "\n"


def _simulated(spec: LoadedModel, dose: float, times: Array) -> dict[str, Array]:
    run = spec.simulate("two", times=times, set=f"each = {dose!r} [umol]", rtol=1e-9)
    return dict(run.observables)


def table(scored: Sequence[Scored]) -> str:
    """A line a cell: errors, coverage, how often the true law is in the set and the best, CPU.

    Errors are medians: of the learned curve, of the mean over forms, and of the true law fitted to the same
    data (the limit). Coverages are means over the tasks.
    """
    lines = [
        f"{'law':18} {'noise':>5} {'channel':>8} {'tasks':>5} {'curve %':>8} {'average %':>9} {'limit %':>8} "
        f"{'covered':>8} {'average':>8} {'in set':>8} {'best':>8} {'CPU s':>6}"
    ]
    for cell in dict.fromkeys(s.cell for s in scored):
        own = [s for s in scored if s.cell == cell]
        error, average, limit = (
            float(np.median([getattr(s, of) for s in own]))
            for of in ("curve_error", "average_error", "form_error")
        )
        covered, mean = (
            float(np.mean([getattr(s, of) for s in own])) for of in ("covered", "average_covered")
        )
        among, best = sum(s.in_set for s in own), sum(s.is_best for s in own)
        cpu = float(np.median([s.seconds for s in own]))
        lines.append(
            f"{cell.law:18} {cell.noise:>5g} {cell.channel:>8} {len(own):>5} {error:>8.2f} {average:>9.2f} "
            f"{limit:>8.2f} {covered:>8.2f} {mean:>8.2f} {among:>4}/{len(own):<3} {best:>4}/{len(own):<3} "
            f"{cpu:>6.1f}"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study from a shell, and print its table."""
    parser = argparse.ArgumentParser(description="How well missing terms are found.")
    parser.add_argument("--tasks", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 5.0, 10.0])
    parser.add_argument("--laws", nargs="+", default=list(LAWS), choices=list(LAWS))
    parser.add_argument("--channel", default="Cl", choices=["Cl", "formed"])
    parser.add_argument("--forms", default="all", choices=["all", "law", "none"])
    chosen = parser.parse_args(arguments)
    cells = [Cell(law, noise, chosen.channel) for law in chosen.laws for noise in chosen.noise]
    scored = []
    for one in run_study(cells, chosen.tasks, chosen.forms, first=chosen.first):
        scored.append(one)
        print(one, flush=True)
    print(table(scored))


if __name__ == "__main__":
    main()
