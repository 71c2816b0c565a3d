"""The paper's missing term in the benchmark: data, the learned curve, and the formulas that fit."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbpkc.infer.options import FitOptions
from pbpkc.jobs.discover import discover_prepared
from pbpkc.jobs.discover_prepare import prepare
from pbpkc.jobs.discover_study import Cell, run_study
from pbpkc.jobs.fit import FitJob
from pbpkc.jobs.loaded import load
from pbpkc.language.diagnostics import SpecError
from pbpkc.resources import resource
from pbpkc.solve.options import SolverOptions
from pbpkc.studies.missing import (
    CHANNELS,
    LIVER,
    NOISELESS_SD,
    PAPER,
    TIMES,
    TITLE,
    TRUTH,
    Missing,
    Missings,
    curve_error,
)

Array = NDArray[np.float64]

#: The spec with data blocks for plasma and for the amount made.
_SPEC = """\
pbpk 1
model paracetamol_missing "Whole-body paracetamol, intravenous, the UGT2B15 term unknown"
use "{spec}"
scenario measured {{
  data "data.csv" {{
    column TIME [h]
    column AMT [mg]
    CMT 2 dose APAP into venous
    DVID 1 observe Cv
    DVID 2 observe A2b15
  }}
}}
"""

_HEAD = "ID,TIME,AMT,RATE,EVID,CMT,DVID,DV"


def missing_term(
    noise: float, replicates: int, seed: int, solver: SolverOptions, heard: Callable[[float], None]
) -> Missings:
    """Learn the term and discover its formula from data of the true one, at one level of noise.

    Parameters
    ----------
    noise : float
        Standard deviation of ln(dv); 0 for none.
    replicates : int
        Data sets for each choice of channels.
    seed : int
    solver : SolverOptions
    heard : callable
        Told which part is done.
    """
    spec = resource("specs", "paracetamol_iv_unknown.pbpk")
    curves = load(spec).simulate("iv", times=TIMES, unknown=TRUTH).observables
    rows: list[Missing] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "missing.pbpk").write_text(_SPEC.format(spec=spec.as_posix()), encoding="utf-8")
        (folder / "data.csv").write_text(_HEAD + "\n", encoding="utf-8")
        percent = 100.0 * (noise or NOISELESS_SD)
        known = load(folder / "missing.pbpk").with_settings(
            set=[f"s_v = {percent!r} [%]", f"s_a = {percent!r} [%]"]
        )
        prepared = prepare(known, "v_ugt2b15")
        total = len(CHANNELS) * replicates
        for channels in CHANNELS:
            for k in range(replicates):
                key = k, round(1e6 * noise), len(channels)
                generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
                path = folder / "task.csv"
                path.write_text(_data(curves, channels, noise, generator), encoding="utf-8")
                began = time.process_time()
                job = FitJob(path, "measured", FitOptions(starts=1), solver)
                try:
                    found = discover_prepared(prepared, job)
                except (ValueError, SpecError) as error:
                    nan, why = float("nan"), str(error).split("\n")[0]
                    spent = time.process_time() - began
                    rows.append(Missing(PAPER, channels, noise, k, nan, nan, nan, (), False, spent, why))
                    continue
                curve = found.curves[0]
                at, value = curve.at[curve.visited], curve.value[curve.visited]
                kept = tuple(t.title for t in found.kept)
                rows.append(
                    Missing(
                        PAPER, channels, noise, k, curve_error(at, value), float(at.min()),
                        float(at.max()), kept,
                        TITLE in kept, time.process_time() - began,
                    )
                )  # fmt: skip
                heard(len(rows) / total)
    return Missings(tuple(rows))


def _data(
    curves: Mapping[str, Array], channels: tuple[str, ...], noise: float, generator: np.random.Generator
) -> str:
    lines = [_HEAD, "1,0,1000,4000,1,2,.,."]
    for i, t in enumerate(TIMES):
        for number, name in enumerate(channels, start=1):
            value = float(curves[name][i]) * float(np.exp(noise * generator.standard_normal()))
            lines.append(f"1,{t!r},.,.,0,.,{number},{value!r}")
    return "\n".join(lines) + "\n"


def liver_term(noise: float, tasks: int, heard: Callable[[float], None]) -> Missings:
    """The same for a saturable liver of theophylline, with laws that differ from task to task."""
    rows = []
    cells = [Cell(TITLE, 100.0 * noise, channel) for channel in ("Cl", "formed")]
    for one in run_study(cells, tasks):
        channels = ("Cp", one.cell.channel)
        nan = float("nan")
        rows.append(
            Missing(LIVER, channels, noise, one.number, one.curve_error, nan, nan, one.kept, one.in_set,
                    one.seconds)
        )  # fmt: skip
        heard(len(rows) / (len(cells) * tasks))
    return Missings(tuple(rows))
