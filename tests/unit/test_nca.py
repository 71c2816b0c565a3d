"""Non-compartmental analysis of single curves: against closed forms, and the rules one by one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.experiment.nca import NCAOptions, NCAResult, nca, units
from pbpkc.experiment.nca_areas import areas

K, V = 0.2, 10.0


def exponential(time: np.ndarray, dose: float = 100.0) -> np.ndarray:
    return dose / V * np.exp(-K * time)


# ---- closed forms ------------------------------------------------------------------------------------


def test_bolus_of_one_compartment_is_exact() -> None:
    # The curve is exponential everywhere, so the logarithmic rule, the extrapolation to time 0 and the tail
    # have no error of their own.
    time = np.array([0.5, 1.0, 3.0, 7.0, 12.0, 24.0])
    r = nca(time, exponential(time), dose=100.0, options=NCAOptions(route="bolus"))
    c0 = 100.0 / V
    expected = {
        "c0": c0,
        "cmax": c0 * math.exp(-K * 0.5),
        "tmax": 0.5,
        "lambda_z": K,
        "n_points": 6,
        "r2_adj": 1.0,
        "half_life": math.log(2) / K,
        "auc_last": c0 / K * (1 - math.exp(-K * 24)),
        "auc_inf_obs": c0 / K,
        "aumc_inf_obs": c0 / K**2,
        "auc_extrap_pct": 100 * math.exp(-K * 24),
        "cl_obs": K * V,
        "vz_obs": V,
        "mrt_inf_obs": 1 / K,
        "vss_obs": V,
    }
    for name, value in expected.items():
        assert getattr(r, name) == pytest.approx(value, rel=1e-12), name
    assert r.notes == ("concentration at time 0 extrapolated from the samples at 0.5 and 1",)


def test_infusion_of_two_compartments() -> None:
    # Macro constants of a two-compartment model after a bolus of 1: C = a exp(-alpha t) + b exp(-beta t).
    # CL = 1/AUC, MRT = AUMC/AUC and Vss = CL MRT of that bolus are what the infusion must give as well.
    a, alpha, b, beta, dose, span = 0.08, 1.1, 0.02, 0.05, 50.0, 1.5
    time = np.concatenate([np.linspace(0, 1.5, 3001), np.linspace(1.5, 200, 40001)[1:]])

    def term(size: float, rate: float) -> np.ndarray:
        rise = 1 - np.exp(-rate * np.minimum(time, span))
        return dose * size / (rate * span) * rise * np.exp(-rate * np.maximum(time - span, 0))

    conc = term(a, alpha) + term(b, beta)
    options = NCAOptions(route="infusion", infusion_duration=span, terminal=(100.0, 200.0))
    r = nca(time, conc, dose=dose, options=options)
    auc, aumc = a / alpha + b / beta, a / alpha**2 + b / beta**2
    # The trapezoid on this grid is good to about 1e-7.
    assert r.tmax == pytest.approx(span)
    assert r.cl_obs == pytest.approx(1 / auc, rel=1e-6)
    assert r.mrt_inf_obs == pytest.approx(aumc / auc, rel=1e-6)
    assert r.vss_obs == pytest.approx(aumc / auc**2, rel=1e-6)
    assert r.lambda_z == pytest.approx(beta, rel=1e-9)
    # best_fit prefers more points within 1e-4 of the best R2, so the early phase bends the line a little.
    best = nca(time, conc, options=replace(options, terminal="best_fit"))
    assert best.lambda_z == pytest.approx(beta, rel=0.01)
    assert span < best.lambda_z_from < 10


def test_oral_dose_of_one_compartment() -> None:
    ka, f = 1.5, 0.6
    time = np.concatenate([[0], np.geomspace(1e-3, 120, 20000)])
    conc = f * 100 * ka / V / (ka - K) * (np.exp(-K * time) - np.exp(-ka * time))
    r = nca(time, conc, dose=100.0, options=NCAOptions(terminal=(40.0, 120.0)))
    # The grid's trapezoid is good to about 1e-7.
    assert r.cl_obs == pytest.approx(K * V / f, rel=1e-6)
    assert r.vz_obs == pytest.approx(V / f, rel=1e-6)
    assert r.mrt_inf_obs == pytest.approx(1 / K + 1 / ka, rel=1e-6)
    assert r.tmax == pytest.approx(math.log(ka / K) / (ka - K), rel=1e-3)
    assert (r.lambda_z_from, r.lambda_z_to) == (pytest.approx(40, rel=1e-3), 120)
    assert math.isnan(r.vss_obs)
    assert r.notes == (
        "vss_obs is not determined: mrt_inf_obs of an extravascular dose holds the absorption",
    )


def test_areas_by_hand() -> None:
    time, conc = np.array([0.0, 1.0, 3.0, 4.0]), np.array([0.0, 8.0, 2.0, 0.0])
    assert areas(time, conc, "linear") == (4 + 10 + 1, 4 + (8 + 6) + 3)
    x = math.log(4)
    auc_fall = 2 * 6 / x
    aumc_fall = 2 * (1 * 8 - 3 * 2) / x + 4 * 6 / x**2
    # Up and to zero by the straight line, down by the exponential.
    auc, aumc = areas(time, conc, "linear_up_log_down")
    assert auc == pytest.approx(4 + auc_fall + 1, rel=1e-14)
    assert aumc == pytest.approx(4 + aumc_fall + 3, rel=1e-14)


@pytest.mark.parametrize("x", [1e-12, 1e-7, 1e-3, 0.49, 0.51, 5.0, 50.0])
def test_logarithmic_areas_keep_their_digits(x: float) -> None:
    # On one interval of length 1 with c1 = 1: the integrals of exp(-x u) and of u exp(-x u). Textbook forms
    # lose all digits for small x, as on dense simulated curves.
    auc, aumc = areas(np.array([0.0, 1.0]), np.array([1.0, math.exp(-x)]), "linear_up_log_down")
    nodes, weights = np.polynomial.legendre.leggauss(60)
    u = (nodes + 1) / 2
    assert auc == pytest.approx(float(weights @ np.exp(-x * u)) / 2, rel=1e-12)
    assert aumc == pytest.approx(float(weights @ (u * np.exp(-x * u))) / 2, rel=1e-12)


# ---- the terminal line --------------------------------------------------------------------------------


def brute_force_line(time: np.ndarray, conc: np.ndarray) -> tuple[int, float, float]:
    """Best line over the points after the largest, written out as the rule reads."""
    peak = int(np.argmax(conc))
    use = [i for i in range(peak + 1, len(time)) if conc[i] > 0]
    lines = []
    for n in range(3, len(use) + 1):
        x, y = time[use[-n:]], np.log(conc[use[-n:]])
        slope = np.polyfit(x, y, 1)[0]
        r2 = np.corrcoef(x, y)[0, 1] ** 2
        if slope < 0:
            lines.append((n, -slope, 1 - (1 - r2) * (n - 1) / (n - 2)))
    best = max(line[2] for line in lines)
    return max(line for line in lines if line[2] >= best - 1e-4)


@settings(max_examples=200, deadline=None)
@given(st.integers(4, 15), st.integers(0, 2**32 - 1), st.floats(0.001, 0.5))
def test_best_fit_is_the_rule_as_it_reads(count: int, seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.uniform(0.1, 3, count))
    conc = 10 * np.exp(-0.3 * time + noise * rng.normal(size=count))
    conc[0] = 20
    r = nca(time, conc)
    try:
        n, lambda_z, r2_adj = brute_force_line(time, conc)
    except ValueError:
        assert r.n_points == 0
        return
    assert r.n_points == n
    assert r.lambda_z == pytest.approx(lambda_z, rel=1e-9)
    assert r.r2_adj == pytest.approx(r2_adj, abs=1e-12)


def test_more_points_win_within_the_tolerance() -> None:
    time = np.array([0.0, 1, 2, 3, 4, 5])
    exact = exponential(time)
    exact[0] = 1000
    nudged = exact.copy()
    # Four points then have an adjusted R2 of about 1 - 5e-6, three points 1: four are taken.
    nudged[2] *= 1.002
    nudged[1] *= 1.5
    assert nca(time, nudged).n_points == 4
    # And with 1 - 7e-3 they are not.
    nudged[2] *= 1.1
    assert nca(time, nudged).n_points == 3


def test_peak_belongs_to_the_line_of_a_bolus_only() -> None:
    time = np.array([0.0, 1, 2, 3, 4])
    conc = exponential(time)
    assert nca(time, conc, options=NCAOptions(route="bolus")).n_points == 5
    assert nca(time, conc).n_points == 4
    # The largest concentration stands at 0, the infusion runs until 2.
    assert nca(time, conc, options=NCAOptions(route="infusion", infusion_duration=2.0)).n_points == 3


def test_chosen_points() -> None:
    time = np.array([0.0, 1, 2, 4, 8, 12, 24])
    conc = np.array([0, 9, 7, 6, 3, 1.5, 0.2])
    last = nca(time, conc, options=NCAOptions(terminal=2))
    assert last.lambda_z == pytest.approx(math.log(1.5 / 0.2) / 12, rel=1e-14)
    assert (last.lambda_z_from, last.lambda_z_to, last.n_points) == (12, 24, 2)
    assert math.isnan(last.r2_adj)
    assert "a terminal line through two points has no adjusted R2" in last.notes
    window = nca(time, conc, options=NCAOptions(terminal=(4.0, 12.0)))
    assert window.lambda_z == pytest.approx(-np.polyfit([4, 8, 12], np.log([6, 3, 1.5]), 1)[0], rel=1e-12)
    # A window may lie where best_fit never would.
    assert nca(time, conc, options=NCAOptions(terminal=(1.0, 4.0))).lambda_z_from == 1


@pytest.mark.parametrize(
    ("conc", "options", "reason"),
    [
        (
            [0, 1, 5, 4, 3],
            NCAOptions(),
            "2 positive concentrations after Cmax; the terminal line needs at least 3",
        ),
        ([9, 1, 2, 3, 4], NCAOptions(), "no line through the last 3 or more points after Cmax falls"),
        ([0, 9, 8, 7, 6], NCAOptions(min_points=4), "3 positive concentrations after Cmax"),
        ([1, 2, 3, 4, 5], NCAOptions(terminal=3), "the concentration does not fall over the points"),
        ([1, 1, 1, 1, 1], NCAOptions(terminal=3), "the concentration does not fall over the points"),
        ([9, 8, 0, 0, 0], NCAOptions(terminal=3), "the curve has 2 positive concentrations; the last 3"),
        (
            [9, 8, 7, 6, 5],
            NCAOptions(terminal=(2.5, 3.5)),
            "the window 2.5 to 3.5 holds 1 positive concentration;",
        ),
    ],
)
def test_why_there_is_no_line(conc: list[float], options: NCAOptions, reason: str) -> None:
    r = nca([0, 1, 2, 3, 4], conc, dose=1.0, options=options)
    assert reason in r.notes[-1]
    assert r.auc_last > 0 and r.n_points == 0
    for name in ("lambda_z", "half_life", "auc_inf_obs", "cl_obs", "vz_obs", "mrt_inf_obs", "r2_adj"):
        assert math.isnan(getattr(r, name)), name


# ---- below quantification -----------------------------------------------------------------------------

#                0     1    2    3    4    6    8   10
BLQ = np.array([True, False, False, True, False, False, True, True])
BLQ_TIME = np.array([0.0, 1, 2, 3, 4, 6, 8, 10])
BLQ_CONC = np.array([0.4, 4, 8, 0.4, 6, 2, 0.4, 0.4])


@pytest.mark.parametrize(
    ("rule", "start", "auc_last", "tlast", "clast"),
    [
        # 0-1, 1-2, then 2-4 in one step, 4-6
        ("zero_before_first_then_drop", 0.0, 2 + 6 + 14 + 8, 6, 2),
        # time 0 has no sample any more and is 0 after an extravascular dose
        ("drop", 0.0, 2 + 6 + 14 + 8, 6, 2),
        ("zero", 0.0, 2 + 6 + 4 + 3 + 8, 6, 2),
        # 0.2 at 0, 3, 8 and 10
        ("half", 0.2, 2.1 + 6 + 4.1 + 3.1 + 8 + 2.2 + 0.4, 10, 0.2),
        ("positional", 0.0, 2 + 6 + 14 + 8 + 2.2, 8, 0.2),
    ],
)
def test_blq_rules(rule: str, start: float, auc_last: float, tlast: float, clast: float) -> None:
    r = nca(BLQ_TIME, BLQ_CONC, blq=BLQ, options=NCAOptions(auc_method="linear", blq_rule=rule))
    assert r.c0 == pytest.approx(start)
    assert r.auc_last == pytest.approx(auc_last, rel=1e-14)
    assert (r.tlast, r.clast) == (tlast, clast)
    stands_in = "clast stands in for a value below the limit of quantification" in r.notes
    assert stands_in == (rule in ("half", "positional"))


def test_blq_values_are_not_read_where_the_rule_does_not_need_them() -> None:
    conc = np.where(BLQ, math.nan, BLQ_CONC)
    options = NCAOptions(auc_method="linear")
    assert nca(BLQ_TIME, conc, blq=BLQ, options=options) == nca(BLQ_TIME, BLQ_CONC, blq=BLQ, options=options)
    with pytest.raises(ValueError, match=r"concentration\[0\] is nan .* 'half' needs the limit"):
        nca(BLQ_TIME, conc, blq=BLQ, options=NCAOptions(blq_rule="half"))


def test_blq_notes_count() -> None:
    notes = nca(BLQ_TIME, BLQ_CONC, blq=BLQ, options=NCAOptions(blq_rule="positional")).notes
    assert notes[:3] == (
        "1 sample below the limit of quantification taken as 0",
        "1 sample below the limit of quantification taken as half the limit",
        "2 samples below the limit of quantification left out",
    )


def test_trailing_zeros_add_nothing() -> None:
    short = nca([0, 1, 2, 3, 4], [0, 9, 6, 4, 2])
    long = nca([0, 1, 2, 3, 4, 5, 6], [0, 9, 6, 4, 2, 0, 0])
    assert long == short


@pytest.mark.parametrize("conc", [[0, 0, 0], [1.0, 1.0, 1.0]])
def test_nothing_positive(conc: list[float]) -> None:
    r = nca([0, 1, 2], conc, dose=1.0, blq=[True] * 3)
    assert r.notes[-1] == "no positive concentration: nothing is determined"
    assert all(math.isnan(v) for name, v in r.figures().items() if name != "n_points")


# ---- time 0 -------------------------------------------------------------------------------------------


def test_value_at_time_zero() -> None:
    time, conc = np.array([1.0, 2, 4, 8]), np.array([8.0, 4, 2, 1])
    oral = nca(time, conc, options=NCAOptions(auc_method="linear"))
    assert oral.c0 == 0
    assert oral.auc_last == 4 + 6 + 6 + 6
    bolus = nca(time, conc, options=NCAOptions(auc_method="linear", route="bolus"))
    assert bolus.c0 == pytest.approx(16, rel=1e-14)
    assert bolus.auc_last == pytest.approx(12 + 6 + 6 + 6, rel=1e-14)
    assert bolus.cmax == 8
    first = nca(time, conc, options=NCAOptions(auc_method="linear", route="bolus", c0_rule="first_observed"))
    assert first.c0 == 8
    rising = nca(time, conc[[1, 0, 2, 3]], options=NCAOptions(route="bolus"))
    assert rising.c0 == 4
    assert (
        "the first two samples do not fall: concentration at time 0 is the first positive one" in rising.notes
    )


def test_sample_at_time_zero_is_used() -> None:
    assert nca([0, 1, 2], [3, 2, 1], options=NCAOptions(route="bolus")).c0 == 3
    assert nca([0, 1, 2], [3, 2, 1]).c0 == 3
    drawn_before = nca([0, 1, 2, 3], [0, 8, 4, 2], options=NCAOptions(route="bolus"))
    assert drawn_before.c0 == pytest.approx(16, rel=1e-14)
    assert drawn_before.tmax == 1


def test_samples_before_the_dose_are_not_used() -> None:
    r = nca([-1, -0.5, 0, 1, 2, 3, 4], [50, 40, 0, 9, 6, 4, 2])
    assert r.notes[0] == "2 samples before the dose not used"
    assert r.figures() == pytest.approx(nca([0, 1, 2, 3, 4], [0, 9, 6, 4, 2]).figures(), nan_ok=True)


# ---- invariance ---------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-6, 1e6), st.sampled_from(["linear", "linear_up_log_down"]))
def test_figures_follow_their_units(a: float, b: float, method: str) -> None:
    # Time in another unit (factor a), concentration in another (factor b); the dose stays.
    time = np.array([0.0, 0.5, 1, 2, 4, 8, 12, 24])
    conc = np.array([0.0, 3.1, 6.2, 5.7, 4.0, 2.1, 1.2, 0.15])
    options = NCAOptions(auc_method=method)
    one = nca(time, conc, dose=5.0, options=options).figures()
    other = nca(a * time, b * conc, dose=5.0, options=options).figures()
    sizes = {"T": a, "C": b, "D": 1.0, "1": 1.0, "%": 1.0}
    for name, unit in units("T", "C", "D").items():
        factor = 1.0
        for part in unit.replace("/", "*/").split("*"):
            word, _, power = part.lstrip("/").partition("^")
            factor *= sizes[word] ** ((-1 if part.startswith("/") else 1) * int(power or 1))
        assert other[name] == pytest.approx(factor * one[name], rel=1e-9, nan_ok=True), name


# ---- wrong arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "conc", "message"),
    [
        ([0, 2, 1], [1, 1, 1], r"time\[2\] is 1 after 2; times must increase"),
        ([0, 1, 1], [1, 1, 1], r"time\[2\] is 1, as is time\[1\]"),
        ([0, math.nan, 1], [1, 1, 1], r"time\[1\] is nan"),
        ([0, 1, math.inf], [1, 1, 1], r"time\[2\] is inf"),
        ([0, 1, 2], [1, math.nan, 1], r"concentration\[1\] is nan at time 1"),
        ([0, 1, 2], [1, -0.1, 1], r"concentration\[1\] is -0.1; concentrations must not be negative"),
        ([0, 1, 2], [1, 1], "concentration has 2 values and time has 3"),
        ([], [], "time is empty"),
        ([[0, 1]], [[0, 1]], r"time has shape \(1, 2\)"),
        (["a"], [1], "time is not an array of numbers"),
    ],
)
def test_wrong_curves(time: list[float], conc: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nca(time, conc)


@pytest.mark.parametrize("dose", [0.0, -1.0, math.nan, math.inf])
def test_wrong_dose(dose: float) -> None:
    with pytest.raises(ValueError, match="dose is"):
        nca([0, 1], [1, 1], dose=dose)


@pytest.mark.parametrize("blq", [[True], [0, 1]])
def test_wrong_blq(blq: list[object]) -> None:
    with pytest.raises(ValueError, match="blq has"):
        nca([0, 1], [1, 1], blq=blq)


@pytest.mark.parametrize(
    "choice",
    [
        {"auc_method": "log"},
        {"blq_rule": "M3"},
        {"route": "oral"},
        {"route": "infusion"},
        {"route": "infusion", "infusion_duration": 0.0},
        {"infusion_duration": 1.0},
        {"c0_rule": "zero"},
        {"min_points": 2},
        {"terminal": 1},
        {"terminal": True},
        {"terminal": (5.0, 5.0)},
        {"terminal": "best"},
    ],
)
def test_wrong_options(choice: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{list(choice)[-1]} is|infusion_duration is"):
        NCAOptions(**choice)


def test_rounding_below_zero_of_a_solver_is_zero() -> None:
    time, conc = [0, 1, 2, 3, 4, 5], [0, 9, 6, 4, 2, -1e-9]
    r = nca(time, conc)
    assert r.figures() == pytest.approx(nca(time[:-1], conc[:-1]).figures(), nan_ok=True)
    assert r.notes[0] == "1 sample between -1e-09 and 0, which is rounding, taken as 0"


# ---- units --------------------------------------------------------------------------------------------


def test_units_cancel() -> None:
    u = units("h", "mg/L", "mg")
    assert list(u) == list(NCAResult().figures())
    assert (u["auc_last"], u["aumc_last"], u["lambda_z"]) == ("mg*h/L", "mg*h^2/L", "1/h")
    assert (u["cl_obs"], u["vz_obs"], u["vss_obs"]) == ("L/h", "L", "L")
    assert units("min", "mg/L", "mg/kg")["cl_obs"] == "L/min/kg"
    assert units("h", "ng/mL", "mg")["vz_obs"] == "mL*mg/ng"
    assert units("h", "umol L^-1", "umol")["cl_obs"] == "L/h"


@pytest.mark.parametrize("text", ["", "mg//L", "/L", "mg^x", "mg/L^0.5"])
def test_units_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        units("h", text, "mg")
