"""Simulated curves: one panel an observable, one colour a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pbpkc.language.units import Unit
from pbpkc.report.observable_grid import observable_grid
from pbpkc.report.plot_style import Draw, shown_on
from pbpkc.solve.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

#: A scenario with more runs than this shows a crowd of individuals, drawn thin.
_CROWD = 3


class Run(Protocol):
    """A simulated run: scenario, individual (empty for a single one), trajectory."""

    @property
    def scenario(self) -> str:
        """The name of the scenario."""
        ...

    @property
    def id(self) -> str:
        """The individual."""
        ...

    @property
    def trajectory(self) -> Trajectory:
        """Times in h, observables each in its unit."""
        ...


def simulation_figure(
    runs: Sequence[Run], units: Mapping[str, str], time_unit: Unit, log: bool, title: str = ""
) -> tuple[Draw, tuple[float, float]]:
    """A picture of simulated runs, with its size in inches.

    Parameters
    ----------
    runs : sequence of Run
        Of one model.
    units : mapping of str to str
        Observables to be shown, in order, with the text of their units.
    time_unit : Unit
        Of the time axis.
    log : bool
        Whether values stand on a logarithmic axis.
    title : str
        Above the panels.
    """
    factor = float(time_unit.factor)

    def panel(axes: Axes, name: str, styles: Mapping[str, Mapping[str, Any]]) -> None:
        _draw_panel(axes, runs, name, styles, factor, log)

    def values(name: str) -> Array:
        return np.concatenate([run.trajectory.observable(name) for run in runs])

    scenarios = list(dict.fromkeys(run.scenario for run in runs))
    times = [run.trajectory.time for run in runs]
    return observable_grid(units, scenarios, panel, values, times, time_unit, log, title)


def _draw_panel(
    axes: Axes,
    runs: Sequence[Run],
    name: str,
    styles: Mapping[str, Mapping[str, Any]],
    factor: float,
    log: bool,
) -> None:
    sizes = Counter(run.scenario for run in runs)
    # A single run is drawn over a crowd.
    for run in sorted(runs, key=lambda run: -sizes[run.scenario]):
        value = run.trajectory.observable(name)
        keep = shown_on(value, log)
        crowd = sizes[run.scenario] > _CROWD
        style = {**styles[run.scenario], "linewidth": 0.7 if crowd else 1.3, "alpha": 0.6 if crowd else 1.0}
        axes.plot(run.trajectory.time[keep] / factor, value[keep], **style)
