"""Plots as files: SVG or PNG, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pbpkc.experiment.data import Dataset
from pbpkc.experiment.whole_file import write_whole
from pbpkc.infer.result import FitResult
from pbpkc.language.model import Model
from pbpkc.report.estimate_panels import estimate_grid, parameter_marks
from pbpkc.report.fit_series import MOST_SUBJECTS, Curve, by_observable, fit_series
from pbpkc.report.goodness_panels import goodness_grid
from pbpkc.report.percentile_plot import percentile_figure
from pbpkc.report.plot_style import Draw, picture
from pbpkc.report.posterior_panels import MOST_PAIRED, marginal_grid, marginals, pair_grid
from pbpkc.report.profile_panels import profile_grid, profile_panels
from pbpkc.report.simulation_plot import Run, simulation_figure
from pbpkc.report.time_panels import time_grid
from pbpkc.solve.percentiles import PercentileCurve

#: Endings of a plot's name, and the kind of file each means.
KINDS = {".svg": "svg", ".png": "png"}


def write_simulation_plot(
    path: str | Path,
    model: Model,
    runs: Sequence[Run],
    log: bool = False,
    observables: Sequence[str] | None = None,
) -> Path:
    """Draw simulated runs: one panel an observable, one colour a scenario.

    Parameters
    ----------
    path : path
        Ends in ``.svg`` or ``.png``.
    model : Model
        Tells the observables, their units and the unit of time.
    runs : sequence of Run
        Of that model.
    log : bool
        Values on a logarithmic axis; what is not above 0 is left out there.
    observables : sequence of str, optional
        All of the model if left out.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the file's name ends in something else, there is no run, or an observable does not exist.
    OSError
        If the file cannot be written; nothing is then left behind.
    """
    path = Path(path)
    kind_of(path)
    if not runs:
        raise ValueError("runs is empty; at least one is needed")
    units = {o.name: o.unit.text for o in model.observables}
    for name in observables or ():
        if name not in units:
            raise ValueError(f"observable is {name!r}; there are {', '.join(units)}")
    if not units:
        raise ValueError(f"model '{model.name}' has no observable to draw; add an 'observe' line")
    chosen = {name: units[name] for name in (observables or units)}
    drawn = simulation_figure(runs, chosen, model.time_unit, log, model.title or model.name)
    return _write(path, *drawn)


def write_percentile_plot(
    path: str | Path, model: Model, curves: Sequence[PercentileCurve], log: bool = False
) -> Path:
    """Draw percentiles over people: one panel an observable, one colour a scenario, a band a pair of levels.

    Parameters
    ----------
    path : path
        Ends in ``.svg`` or ``.png``.
    model : Model
        Tells the units of its observables and of time.
    curves : sequence of PercentileCurve
    log : bool
        Values on a logarithmic axis.

    Raises
    ------
    ValueError
        If the file's name ends in something else, or there is no curve.
    OSError
        If the file cannot be written; nothing is then left behind.
    """
    path = Path(path)
    kind_of(path)
    if not curves:
        raise ValueError("curves is empty; at least one is needed, so somebody must have a whole curve")
    there = {curve.observable for curve in curves}
    units = {o.name: o.unit.text for o in model.observables if o.name in there}
    return _write(path, *percentile_figure(curves, units, model.time_unit, log, model.title or model.name))


def write_fit_plots(
    folder: str | Path,
    result: FitResult,
    dataset: Dataset,
    curves: Sequence[Curve],
    kind: str = "svg",
    pooled: Sequence[Curve] = (),
) -> tuple[Path, ...]:
    """Draw a fit: against time (linear and logarithmic), goodness of fit (both), and the estimates.

    Parameters
    ----------
    folder : path
        Where the files go: ``time``, ``time_log``, ``goodness``, ``goodness_log``, ``estimates``, and
        ``profiles``, ``posterior`` and ``posterior_pairs_1`` and so on where there are some, with the ending
        of their kind.
    result : FitResult
    dataset : Dataset
        That was fitted.
    curves : sequence of Curve
        Fitted curves on a dense grid, of the subjects that have an estimate.
    kind : {"svg", "png"}
    pooled : sequence of Curve
        The same as `curves` at the estimate of all subjects together, drawn beside them.

    Returns
    -------
    tuple of Path
        What was written. Without any estimate the plots that need one are left out.
    """
    if f".{kind}" not in KINDS:
        raise ValueError(f"kind is {kind!r}; accepted are 'svg' and 'png'")
    folder = Path(folder)
    groups = list(by_observable(fit_series(result, dataset, curves, pooled)).values())
    first = [group[:MOST_SUBJECTS] for group in groups]
    title = str(result.provenance.get("model", ""))
    drawn: dict[str, tuple[Draw, tuple[float, float]]] = {}
    for log, ending in ((False, ""), (True, "_log")):
        drawn[f"time{ending}"] = time_grid(first, log, _cut(title, groups))
        if result.outcome != "failed":
            drawn[f"goodness{ending}"] = goodness_grid(groups, log, title)
    if result.outcome != "failed":
        drawn["estimates"] = estimate_grid(parameter_marks(result, MOST_SUBJECTS), title)
    profiles = list(profile_panels(result).values())
    if profiles:
        drawn["profiles"] = profile_grid(profiles, title)
    found = list(marginals(result).values())
    if found:
        drawn["posterior"] = marginal_grid(found, title)
        # By number: the name of a subject may be no name of a file.
        for number, one in enumerate(found[:MOST_PAIRED] if len(found[0]) > 1 else (), start=1):
            drawn[f"posterior_pairs_{number}"] = pair_grid(one, f"{title}, subject {one[0].subject}")
    return tuple(_write(folder / f"{name}.{kind}", *what) for name, what in drawn.items())


def _cut(title: str, groups: Sequence[Sequence[object]]) -> str:
    many = max((len(group) for group in groups), default=0) > MOST_SUBJECTS
    return f"{title} (the first {MOST_SUBJECTS} subjects)" if many else title


def kind_of(path: Path) -> str:
    """The kind of file a name asks for.

    Raises
    ------
    ValueError
        If its ending is no kind of plot.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"plot is {str(path)!r}; its name must end in .svg or .png")
    return kind


def _write(path: Path, draw: Draw, size: tuple[float, float]) -> Path:
    content = picture(draw, size, "png" if kind_of(path) == "png" else "svg", path.stem)
    write_whole({path: content})
    return path
