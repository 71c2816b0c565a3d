"""A small fit made by hand, for the tests of reports and plots.

Three subjects: in the first everything is determined, in the second a pair of parameters is not and one ends
at its bound, the third has no estimate. Names and titles hold what must not work as HTML or as mathematics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import pbpkc
from pbpkc.check.report import CheckItem, CheckReport
from pbpkc.experiment.data import Dataset, read_dataset
from pbpkc.infer.identifiability import Identifiability, Verdict
from pbpkc.infer.named_combinations import Combination
from pbpkc.infer.profile_result import Profile, ProfilePoint
from pbpkc.infer.result import (
    EstimateRow,
    FitResult,
    PredictionRow,
    SubjectFit,
    SubjectRow,
    Timing,
)
from pbpkc.infer.summary_result import SummaryRow
from pbpkc.report.content import ReportContent

#: Would be a script in a page that does not escape, and a formula in a plot that reads dollar signs.
HOSTILE = "<script>alert('x')</script> $\\frac{1}$ & \\u00b5 </title>"

SPEC = """pbpk 1
model demo "TITLE"

covariate BW "body weight" = 70 [kg] in (30, 150) [kg] source "SOURCE"
species X "drug" { mw = 200 [g/mol] source "PubChem" }
pool plasma { volume = 0.5 [L/kg] * BW source "assumed volume" }
sink gone
masked vmax "capacity" ~ lognormal(40 [umol/h], cv = 50 [%]) in (1, 1000) [umol/h] source "source of vmax"
masked km "half" ~ lognormal(30 [umol/L], cv = 50 [%]) in (1, 1000) [umol/L] source "source of km"
masked s "residual" ~ lognormal(10 [%], cv = 50 [%]) in (1, 80) [%] source "assumed"
process loss : plasma -> gone rate mm(vmax, km, plasma.C)
observe Cp "in plasma" = plasma.C in [mg/L] error prop(s) lloq 0.5 [mg/L]
scenario one "one dose" { dose X 100 [mg] into plasma at 0 [h]; run 12 [h] }
scenario study "measured" {
  data "data.csv" {
    column TIME [h]
    column AMT [mg]
    column BW = WT [kg]
    CMT 1 dose X into plasma
    DVID 1 observe Cp
  }
}
check mass, positive
"""

TIMES = (1.0, 2.0, 4.0, 8.0)
IDS = ("1", "2", "3")


@dataclass(frozen=True)
class Curve:
    id: str
    time: np.ndarray
    observables: dict[str, np.ndarray]


def write_demo(folder: Path, ids: tuple[str, ...] = IDS, title: str = HOSTILE) -> Path:
    """The spec and its data, in a folder."""
    quoted = title.replace(chr(34), "'")
    spec = folder / "demo.pbpk"
    spec.write_text(SPEC.replace("TITLE", quoted).replace("SOURCE", quoted), encoding="utf-8")
    lines = ["ID,TIME,AMT,DV,CMT,DVID,EVID,CENS,WT"]
    for k, id in enumerate(ids):
        lines.append(f"{id},0,100,.,1,.,1,0,{60 + k}")
        lines += [f"{id},{t:g},.,{value(k, t):.5g},.,1,0,0,{60 + k}" for t in TIMES]
        lines.append(f"{id},12,.,0.5,.,1,0,1,{60 + k}")
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return spec


def value(k: int, t: float) -> float:
    """What was measured: near the curve, with errors of both signs."""
    return curve(k, t) * (1.0 + 0.05 * (-1) ** round(t))


def curve(k: int, t: float) -> float:
    return (3.0 + 0.5 * k) * math.exp(-0.2 * t)


def demo_content(
    spec: Path, checks: bool = True, outcomes: tuple[str, ...] = ("good", "open", "failed")
) -> ReportContent:
    """A report's content; `outcomes` of the subjects, repeated as often as there are subjects."""
    loaded = pbpkc.load(spec)
    dataset = read_dataset(loaded.model, "study")
    makers = {"good": _good, "open": _open, "failed": _failed}
    fits = tuple(
        makers[outcomes[k % len(outcomes)]](dataset, k, subject.id)
        for k, subject in enumerate(dataset.subjects)
    )
    t = np.linspace(0.0, 12.0, 61)
    curves = [
        Curve(fit.id, t, {"Cp": np.array([curve(k, x) for x in t])})
        for k, fit in enumerate(fits)
        if fit.theta
    ]
    items = (
        CheckItem("mass", "X", "held", "plasma.X + gone.X is constant"),
        CheckItem("positive", "", "held", "2 claims"),
        CheckItem("code", "", "note", "no torch"),
    )
    report = CheckReport(items, {"mass": 0.1}, "f" * 64) if checks else None
    return ReportContent(
        loaded.model, loaded.stages.lowered, _result(fits), dataset, curves, report,
        "pbpkc fit demo.pbpk -o out",
        {"python": "3.11", "pbpkc": "0.1.0"},
    )  # fmt: skip


def _result(fits: tuple[SubjectFit, ...]) -> FitResult:
    parameters = tuple(
        {"name": n, "unit": u, "scale": "log", "low": 1.0, "high": h, "start": 1.0, "prior": None}
        for n, u, h in (("vmax", "umol/h", 1000.0), ("km", "umol/L", 1000.0), ("s", "%", 80.0))
    )
    there = [f for f in fits if f.estimates]
    summary = []
    for i, name in enumerate(("vmax", "km", "s")):
        if not there:
            continue
        ends = [f.estimates[i].estimate for f in there if f.estimates[i].identifiable == "yes"]
        lost = tuple(f.id for f in there if f.estimates[i].identifiable != "yes")
        logs = [math.log(x) for x in ends]
        unit = there[0].estimates[i].unit
        spread = float(np.std(logs, ddof=1)) if len(logs) > 1 else math.nan
        mean = math.exp(sum(logs) / len(logs)) if logs else math.nan
        low, high = min(ends, default=math.nan), max(ends, default=math.nan)
        summary.append(
            SummaryRow(
                name, unit, len(logs), "geometric", mean, spread, low, high,
                mean_low=low, mean_high=high, gts_mean=mean, gts_sd=0.2, not_counted=lost,
            )
        )  # fmt: skip
    return FitResult(
        fits=fits,
        parameters=parameters,
        observables=({"name": "Cp", "unit": "mg/L"},),
        options={"estimator": "ml", "starts": 3, "seed": 0, "blq": "m3"},
        provenance={
            "model": "demo", "spec": "demo.pbpk", "spec_sha256": "a" * 64, "fingerprint": "b" * 64,
            "data": "data.csv", "data_sha256": "c" * 64, "scenario": "study",
            "solver": {"method": "lsoda", "rtol": 1e-8, "atol": None},
        },
        summary=tuple(summary),
        time_unit="h",
        timing=Timing(1.0, 1.0, 1),
    )  # fmt: skip


def _predictions(dataset: Dataset, k: int, id: str) -> tuple[PredictionRow, ...]:
    subject = dataset.subjects[k]
    rows = []
    for t, dv, below in zip(subject.time, subject.dv, subject.censored, strict=True):
        pred = curve(k, float(t))
        residual = math.nan if below else float(dv) - pred
        rows.append(
            PredictionRow(id, float(t), "Cp", float(dv), pred, residual, residual / (0.1 * pred), int(below))
        )
    return tuple(rows)


def _fit(
    dataset: Dataset, k: int, id: str, rows: tuple[EstimateRow, ...], found: Identifiability
) -> SubjectFit:
    nan = math.nan
    return SubjectFit(
        id=id, key=f"{k:064d}", seed=k, outcome="converged", reason="", suggestion="", notes=(),
        estimates=rows, subject=SubjectRow(id, 5, 12.5 + k, 0.25, 3, "yes", ""),
        predictions=_predictions(dataset, k, id), best=1, starts=(), theta=tuple(r.estimate for r in rows),
        covariance=((0.01, 0.0, 0.0), (0.0, 0.01, 0.0), (0.0, 0.0, 0.01)),
        correlation=((1.0, 0.9 - 0.1 * k, 0.0), (0.9 - 0.1 * k, 1.0, nan), (0.0, nan, 1.0)),
        quantile=1.96, degrees_of_freedom=0, residual_sd=nan, search_objective=12.5, identifiability=found,
    )  # fmt: skip


def _good(dataset: Dataset, k: int, id: str) -> SubjectFit:
    rows = (
        EstimateRow(id, "vmax", 41.25 + k, "umol/h", 0.1, 33.91, 50.18, 40.0, "no", "yes", "log"),
        EstimateRow(id, "km", 31.5, "umol/L", 0.2, 21.28, 46.62, 30.0, "no", "yes", "log"),
        EstimateRow(id, "s", 9.5, "%", 0.3, 5.277, 17.1, 10.0, "no", "yes", "log"),
    )
    verdicts = tuple(Verdict(n, True, b, "") for n, b in (("vmax", 0.1), ("km", 0.2), ("s", 0.3)))
    return _fit(dataset, k, id, rows, Identifiability(3, 3, verdicts, ()))


def _open(dataset: Dataset, k: int, id: str) -> SubjectFit:
    nan = math.nan
    rows = (
        EstimateRow(id, "vmax", 700.0, "umol/h", 9.0, 1e-5, 5e10, 40.0, "no", "no", "log"),
        EstimateRow(id, "km", 1000.0, "umol/L", nan, nan, nan, 30.0, "upper", "no", "log"),
        EstimateRow(id, "s", 10.5, "%", 0.3, 5.832, 18.9, 10.0, "no", "yes", "log"),
    )
    verdicts = (
        Verdict("vmax", False, 9.0, "its Cramer-Rao bound is 900 % of the estimate", "weak"),
        Verdict("km", False, math.nan, "the data leave it free together with others", "free"),
        Verdict("s", True, 0.3, ""),
    )
    why = "the profile stays below 3.84 up to the bound, 1000 umol/L"
    profile = Profile(
        "km", "umol/L", 3.84, 20.0, nan, "", why, (), (),
        tuple(ProfilePoint(x, rise, (x, x, 10.5)) for x, rise in ((15.0, 7.0), (20.0, 3.84), (1000.0, 0.0))),
    )  # fmt: skip
    pair = Combination(
        "vmax / km", "product", (("vmax", 1.0), ("km", -1.0)), 0.7, "L/h", 0.1, 0.5754, 0.8516, 0.1
    )
    found = Identifiability(2, 3, verdicts, (pair,), summary=("Determined is vmax / km.",))
    return replace(_fit(dataset, k, id, rows, found), profiles=(profile,))


def _failed(dataset: Dataset, k: int, id: str) -> SubjectFit:
    nan = math.nan
    return SubjectFit(
        id=id, key=f"{k:064d}", seed=k, outcome="failed", reason="the solver stopped at 0.1 h",
        suggestion="narrow the bounds", notes=(), estimates=(),
        subject=SubjectRow(id, 5, nan, nan, 3, "no", "the solver stopped"), predictions=(), best=0, starts=(),
        theta=(), covariance=(), correlation=(), quantile=nan, degrees_of_freedom=0, residual_sd=nan,
        search_objective=nan, identifiability=None,
    )  # fmt: skip
