"""Non-compartmental analysis of one concentration-time curve after one dose.

Moments of the curve and what follows from them: no model is fitted but the terminal line. The curve may be
observed or simulated; the rules are in `NCAOptions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pbpkc.experiment.nca_areas import areas
from pbpkc.experiment.nca_curve import prepare
from pbpkc.experiment.nca_options import NCAOptions
from pbpkc.experiment.nca_terminal import TerminalLine, fit_terminal
from pbpkc.experiment.nca_units import units

__all__ = ["NCAOptions", "NCAResult", "nca", "units"]


@dataclass(frozen=True)
class NCAResult:
    """The figures of one curve; nan where one is not determined, with the reason in `notes`.

    C is concentration, T time, D dose in their given units; `units` writes them out.

    Parameters
    ----------
    c0 : float, C
        Concentration at time 0 that the areas start from; without a sample there 0, after a bolus the
        extrapolated one.
    cmax, tmax : float, C and T
        Largest concentration among the samples, and its time; the first of equals.
    clast, tlast : float, C and T
        Last positive concentration, and its time.
    auc_last, aumc_last : float, C*T and C*T^2
        Area under the curve and under t C from time 0 to tlast.
    lambda_z : float, 1/T
        Terminal rate constant.
    n_points : int
        Points of the terminal line, 0 where there is none.
    lambda_z_from, lambda_z_to : float, T
        First and last time of the terminal line.
    r2_adj : float
        Its adjusted R2.
    half_life : float, T
        ln 2 / lambda_z.
    auc_inf_obs, aumc_inf_obs : float, C*T and C*T^2
        To infinity, from the observed clast: ``auc_last + clast/lambda_z`` and
        ``aumc_last + clast tlast/lambda_z + clast/lambda_z^2``.
    auc_extrap_pct : float, %
        Part of auc_inf_obs that lies beyond tlast.
    cl_obs : float, D/(C*T)
        D / auc_inf_obs: clearance, after an extravascular dose CL/F.
    vz_obs : float, D/C
        cl_obs / lambda_z: terminal volume, after an extravascular dose Vz/F.
    mrt_inf_obs : float, T
        aumc_inf_obs / auc_inf_obs, less half the duration of an infusion. After an extravascular dose it
        holds the mean absorption time as well.
    vss_obs : float, D/C
        cl_obs mrt_inf_obs: volume at steady state; not determined after an extravascular dose.
    notes : tuple of str
        What was done to the samples, and why a figure is nan.

    References
    ----------
    Gabrielsson J, Weiner D (2012) Non-compartmental analysis. Methods Mol Biol 929:377-389.
    Benet LZ, Galeazzi RL (1979) J Pharm Sci 68:1071-1074 (Vss, and the T/2 of an infusion).
    """

    c0: float = math.nan
    cmax: float = math.nan
    tmax: float = math.nan
    clast: float = math.nan
    tlast: float = math.nan
    auc_last: float = math.nan
    aumc_last: float = math.nan
    lambda_z: float = math.nan
    n_points: int = 0
    lambda_z_from: float = math.nan
    lambda_z_to: float = math.nan
    r2_adj: float = math.nan
    half_life: float = math.nan
    auc_inf_obs: float = math.nan
    aumc_inf_obs: float = math.nan
    auc_extrap_pct: float = math.nan
    cl_obs: float = math.nan
    vz_obs: float = math.nan
    mrt_inf_obs: float = math.nan
    vss_obs: float = math.nan
    notes: tuple[str, ...] = ()

    def figures(self) -> Mapping[str, float]:
        """The numbers by name, in order, without the notes."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "notes"}


def nca(
    time: ArrayLike,
    concentration: ArrayLike,
    *,
    dose: float | None = None,
    blq: ArrayLike | None = None,
    options: NCAOptions = NCAOptions(),  # noqa: B008 - frozen, so sharing one default is safe
) -> NCAResult:
    """The non-compartmental figures of one curve.

    Parameters
    ----------
    time : array_like, shape (T,)
        Time since the dose, which is given (an infusion: begins) at 0. Increasing. Samples before 0 are not
        used.
    concentration : array_like, shape (T,)
        Concentrations; missing samples are to be left out. Negative values up to 1e-6 of the largest, as
        solvers leave them, count as 0.
    dose : float, optional
        In any unit; without it there is no cl_obs, vz_obs and vss_obs.
    blq : array_like of bool, shape (T,), optional
        Which samples are below the limit of quantification. `concentration` holds the limit there where
        `options.blq_rule` needs it, otherwise anything, nan included. A zero that is not marked is a
        concentration of 0.
    options : NCAOptions
        The rules.

    Returns
    -------
    NCAResult
        In the units of the arguments: see `units`.

    Raises
    ------
    ValueError
        If times are not finite, go backwards or occur twice, if a concentration is not finite or negative, if
        shapes differ, or if the dose is not positive.
    """
    if dose is not None and not (math.isfinite(dose) and dose > 0):
        raise ValueError(f"dose is {dose!r}; accepted is a positive number")
    curve = prepare(time, concentration, blq, options)
    t, c = curve.time, curve.concentration
    notes = list(curve.notes)
    positive = np.flatnonzero(c > 0)
    if not len(positive):
        return NCAResult(notes=(*notes, "no positive concentration: nothing is determined"))

    peak, last = int(np.argmax(c)), int(positive[-1])
    tlast, clast = float(t[last]), float(c[last])
    c0 = float(c[0]) if curve.start is None else curve.start
    begin = () if curve.start is None else (0.0,)
    auc, aumc = areas(
        np.array([*begin, *t[: last + 1]]),
        np.array([*((c0,) if begin else ()), *c[: last + 1]]),
        options.auc_method,
    )
    if curve.substituted[last]:
        notes.append("clast stands in for a value below the limit of quantification")
    observed = NCAResult(
        c0=c0,
        cmax=float(c[peak]),
        tmax=float(t[peak]),
        clast=clast,
        tlast=tlast,
        auc_last=auc,
        aumc_last=aumc,
    )
    line = fit_terminal(t, c, options)
    if isinstance(line, str):
        notes.append(f"no terminal line, so no half-life and nothing beyond tlast: {line}")
        return _finite(replace(observed, notes=tuple(notes)))
    if curve.substituted[list(line.points)].any():
        notes.append("the terminal line uses values that stand in for ones below the limit of quantification")
    if len(line.points) == 2:
        notes.append("a terminal line through two points has no adjusted R2")
    if not observed.auc_last + clast / line.lambda_z > 0:
        notes.append("the area is too small for a number: nothing follows from it")
        return _finite(replace(observed, notes=tuple(notes)))
    return _finite(_extrapolate(observed, line, t, dose, options, notes))


def _finite(result: NCAResult) -> NCAResult:
    """The result without what grew beyond all numbers."""
    beyond = [name for name, value in result.figures().items() if math.isinf(value)]
    if not beyond:
        return result
    lost = [name for name, value in result.figures().items() if not math.isfinite(value)]
    note = f"beyond all numbers, so not determined: {', '.join(beyond)}"
    changes: dict[str, Any] = dict.fromkeys(lost, math.nan)
    return replace(result, **changes, notes=(*result.notes, note))


def _extrapolate(
    observed: NCAResult,
    line: TerminalLine,
    t: NDArray[np.float64],
    dose: float | None,
    options: NCAOptions,
    notes: list[str],
) -> NCAResult:
    lz = line.lambda_z
    tail = observed.clast / lz
    auc = observed.auc_last + tail
    aumc = observed.aumc_last + observed.tlast * tail + tail / lz
    mrt = aumc / auc - (options.infusion_duration or 0.0) / 2
    cl = vz = vss = math.nan
    if dose is None:
        notes.append("no dose: cl_obs, vz_obs and vss_obs are not determined")
    else:
        cl = dose / auc
        vz = cl / lz
        if options.route == "extravascular":
            notes.append(
                "vss_obs is not determined: mrt_inf_obs of an extravascular dose holds the absorption"
            )
        else:
            vss = cl * mrt
    return replace(
        observed,
        lambda_z=lz,
        n_points=len(line.points),
        lambda_z_from=float(t[line.points[0]]),
        lambda_z_to=float(t[line.points[-1]]),
        r2_adj=line.r2_adj,
        half_life=math.log(2) / lz,
        auc_inf_obs=auc,
        aumc_inf_obs=aumc,
        auc_extrap_pct=100 * tail / auc,
        cl_obs=cl,
        vz_obs=vz,
        mrt_inf_obs=mrt,
        vss_obs=vss,
        notes=tuple(notes),
    )
