from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_demo import IDS, demo_content, write_demo

import pbpkc
from pbpkc.report.content import ReportContent
from pbpkc.report.fit_series import MOST_SUBJECTS, Series, first_fits, fit_series
from pbpkc.report.goodness_panels import (
    MOST_POINTS,
    observed_points,
    observed_range,
    residual_points,
    thinned,
)
from pbpkc.report.html import render_report
from pbpkc.report.page_plots import inline, page_plots
from pbpkc.report.plot_style import Range, linear_range, log_range, picture, ticks
from pbpkc.report.plots import write_fit_plots, write_simulation_plot
from pbpkc.report.time_panels import frames, time_panel
from pbpkc.solve.trajectory import Outcome, SolverRecord, Trajectory

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    return demo_content(write_demo(tmp_path_factory.mktemp("demo")))


@pytest.fixture(scope="module")
def series(content: ReportContent) -> tuple[Series, ...]:
    return fit_series(content.result, content.dataset, content.curves)


# ------------------------------------------------------------- series


def test_series_hold_what_was_measured_and_fitted(content: ReportContent, series: tuple[Series, ...]) -> None:
    assert [(s.subject, s.observable, s.unit) for s in series] == [(id, "Cp", "mg/L") for id in IDS]
    first = series[0]
    rows = [r for r in content.result.predictions if r.id == "1" and not r.cens]
    assert first.time.tolist() == [r.time for r in rows]
    assert first.value.tolist() == [r.dv for r in rows]
    assert first.predicted.tolist() == [r.pred for r in rows]
    assert first.weighted.tolist() == [r.weighted_residual for r in rows]
    assert (first.censored_time.tolist(), first.censored_limit.tolist()) == ([12.0], [0.5])
    assert first.curve.size == 61


def test_a_subject_without_estimate_keeps_its_measurements(series: tuple[Series, ...]) -> None:
    lost = series[2]
    assert lost.value.size == 4
    assert np.isnan(lost.predicted).all()
    assert lost.curve.size == 0
    assert residual_points([lost]) == []


def test_times_stand_in_the_unit_of_reports(content: ReportContent) -> None:
    minutes = replace(content.result, time_unit="min")
    one = fit_series(minutes, content.dataset, content.curves)[0]
    assert one.time.tolist() == [60.0, 120.0, 240.0, 480.0]
    assert one.curve_time[-1] == 720.0


@pytest.mark.long
def test_the_curve_of_all_together_is_drawn_beside_the_own_one(
    content: ReportContent, tmp_path: Path
) -> None:
    higher = [
        replace(curve, observables={name: 3.0 * v for name, v in curve.observables.items()})  # type: ignore[type-var]
        for curve in content.curves
    ]
    both = fit_series(content.result, content.dataset, content.curves, higher)
    there = [one for one in both if one.curve.size]
    assert there
    for one in there:
        assert one.pooled.tolist() == (3.0 * one.curve).tolist()
        assert one.pooled_time.tolist() == one.curve_time.tolist()
        assert one.highest == max(float(one.pooled.max()), float(one.value.max()))
    assert page_plots(content.result, both).pooled
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write_fit_plots(tmp_path / "a", content.result, content.dataset, content.curves, pooled=higher)
    write_fit_plots(tmp_path / "b", content.result, content.dataset, content.curves)
    lines = [(tmp_path / name / "time.svg").read_text().count('id="pooled"') for name in ("a", "b")]
    assert lines == [len(there), 0]
    html = render_report(replace(content, pooled=higher))
    assert "fitted to all subjects together" in html
    assert "fitted to all subjects together" not in render_report(content)


# ------------------------------------------------------------- axes


@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-6, 1e6),
    st.floats(0.8, 8.0),
    st.booleans(),
    st.sampled_from([None, "h", "min", "d", "s"]),
)
def test_ticks_of_a_linear_axis_are_round_ordered_and_apart(
    low: float, width: float, inches: float, upright: bool, unit: str | None
) -> None:
    shown = Range(low, low + width)
    found = ticks(shown, inches, upright, unit)
    _check_ticks(found.places, found.labels, [(x - low) / width * inches for x in found.places], upright)
    assert all(low - 1e-6 * width <= x <= low + (1 + 1e-6) * width for x in found.places)


@given(st.floats(1e-9, 1e6), st.floats(1.05, 1e9), st.floats(0.8, 8.0), st.booleans())
def test_ticks_of_a_logarithmic_axis_are_round_ordered_and_apart(
    low: float, factor: float, inches: float, upright: bool
) -> None:
    shown = Range(low, low * factor, log=True)
    found = ticks(shown, inches, upright)
    places = [math.log(x / low) / math.log(factor) * inches for x in found.places]
    _check_ticks(found.places, found.labels, places, upright)
    assert all(low * (1 - 1e-9) <= x <= low * factor * (1 + 1e-9) for x in found.places)


def _check_ticks(
    values: tuple[float, ...], labels: tuple[str, ...], places: list[float], upright: bool
) -> None:
    assert len(values) == len(labels) >= 2
    assert list(values) == sorted(set(values))
    for k in range(1, len(places)):
        gap = places[k] - places[k - 1]
        # Where no set of round numbers has room, the two ends stand alone.
        room = 0.3 if upright else 0.07 * (len(labels[k - 1]) + len(labels[k])) / 2
        assert gap >= room - 1e-9 or len(values) == 2


def test_hours_are_read_in_steps_of_six() -> None:
    assert ticks(Range(0.0, 25.0), 2.5, time_unit="h").places == (0.0, 6.0, 12.0, 18.0, 24.0)
    assert ticks(Range(0.0, 49.0), 1.8, time_unit="h").places == (0.0, 12.0, 24.0, 36.0, 48.0)
    assert ticks(Range(0.0, 25.0), 2.5).places == (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)


def test_a_logarithmic_axis_over_one_decade_has_more_than_powers_of_ten() -> None:
    assert ticks(Range(1.0, 11.0, log=True), 2.0, upright=True).places == (1.0, 2.0, 3.0, 5.0, 10.0)
    assert ticks(Range(1e-4, 1e8, log=True), 1.5, upright=True).places == (1e-3, 1.0, 1e3, 1e6)


def test_a_linear_range_begins_at_zero_where_that_is_near() -> None:
    assert linear_range(0.5, 10.0).low == 0.0
    assert 0.0 < linear_range(9.0, 10.0).low < 9.0
    assert linear_range(-3.0, 10.0).low < -3.0
    assert linear_range(5.0, 5.0).low < 5.0 < linear_range(5.0, 5.0).high
    assert linear_range(math.nan, math.nan).high == 1.0


def test_a_logarithmic_range_is_above_zero() -> None:
    found = log_range(0.01, 10.0)
    assert 0.0 < found.low < 0.01 < 10.0 < found.high
    assert log_range(0.0, 10.0).low > 0.0


def test_panels_share_axes_only_where_values_are_alike(series: tuple[Series, ...]) -> None:
    same, shared = frames(series, log=False)
    assert shared and len(set(same)) == 1
    big = replace(series[1], value=series[1].value * 100, curve=series[1].curve * 100)
    own, shared = frames([series[0], big], log=False)
    assert not shared
    assert own[1].value.high > 20 * own[0].value.high


def test_a_logarithmic_panel_shows_the_limit_of_quantification_and_no_zero(
    series: tuple[Series, ...],
) -> None:
    odd = replace(series[0], value=np.array([0.0, 1.0, 2.0, math.nan]))
    shown = frames([odd], log=True)[0][0].value
    assert 0.0 < shown.low < 0.5
    x, y, places = observed_points([odd], log=True)
    assert y.tolist() == [1.0, 2.0] and x.size == 2
    assert [i for _, i in places] == [1, 2]
    assert observed_range([odd], log=True).low > 0.0


# ------------------------------------------------------------- files


@pytest.mark.long
def test_a_fit_is_drawn_to_the_same_bytes(content: ReportContent, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for kind in ("svg", "png"):
            write_fit_plots(tmp_path / folder, content.result, content.dataset, content.curves, kind)
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    stems = ("estimates", "goodness", "goodness_log", "profiles", "time", "time_log")
    assert names == sorted(f"{stem}.{kind}" for stem in stems for kind in ("svg", "png"))
    for name in names:
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("a", "b"))
        assert one == two, name
        assert one.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
        # A date or a version of the drawing library would change them one day.
        assert b"Matplotlib v" not in one and b"dc:date" not in one


def test_every_measurement_is_drawn(content: ReportContent, tmp_path: Path) -> None:
    write_fit_plots(tmp_path, content.result, content.dataset, content.curves)
    assert _marks(tmp_path / "time.svg", "observed") == 3 * 4
    assert _marks(tmp_path / "time.svg", "censored") == 3
    assert _marks(tmp_path / "time_log.svg", "observed") == 3 * 4
    assert _marks(tmp_path / "profiles.svg", "profile") == 3
    # Two subjects have predictions; three panels.
    assert _marks(tmp_path / "goodness.svg", "observed") == 3 * 2 * 4


def _marks(path: Path, group: str) -> int:
    root = ElementTree.parse(path).getroot()
    groups = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith(group)]
    return sum(1 for g in groups for _ in g.iter(f"{SVG}use"))


@pytest.mark.parametrize("many", [1, 12, pytest.param(70, marks=pytest.mark.long)])
def test_one_subject_and_many(tmp_path: Path, many: int) -> None:
    content = demo_content(
        write_demo(tmp_path, ids=tuple(str(k + 1) for k in range(many))), checks=False, outcomes=("good",)
    )
    paths = write_fit_plots(tmp_path, content.result, content.dataset, content.curves)
    root = ElementTree.parse(paths[0]).getroot()
    panels = sum(1 for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("axes_"))
    assert panels == min(many, 60)
    assert len(paths) == 5


def test_a_fit_without_any_estimate_still_shows_the_data(tmp_path: Path) -> None:
    content = demo_content(write_demo(tmp_path), outcomes=("failed",))
    paths = write_fit_plots(tmp_path, content.result, content.dataset, content.curves)
    assert [p.stem for p in paths] == ["time", "time_log"]


def test_dollar_signs_are_letters(tmp_path: Path) -> None:
    content = demo_content(write_demo(tmp_path, ids=("$\\frac{1}$", "a_b^c$")), outcomes=("good", "open"))
    write_fit_plots(tmp_path, content.result, content.dataset, content.curves)
    one = fit_series(content.result, content.dataset, content.curves)[0]
    drawn = picture(time_panel(one, frames([one], False)[0][0], True), (6, 3), "page", "x").decode()
    assert "time [h]" in drawn


def test_a_plot_that_cannot_be_written_leaves_nothing(content: ReportContent, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_fit_plots(tmp_path / "missing", content.result, content.dataset, content.curves)
    with pytest.raises(ValueError, match="kind is 'pdf'; accepted are"):
        write_fit_plots(tmp_path, content.result, content.dataset, content.curves, "pdf")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------- simulated curves


@dataclass(frozen=True)
class Run:
    scenario: str
    id: str
    trajectory: Trajectory


def _run(scenario: str, values: np.ndarray, id: str = "") -> Run:
    n = len(values)
    record = SolverRecord("lsoda", 1e-8, (1e-12,), 1, 1, 1, 1, 0.0)
    return Run(
        scenario,
        id,
        Trajectory(
            np.linspace(0, 24, n), np.zeros((n, 1)), values[:, None], ("x",), ("Cp",), Outcome(True), record
        ),
    )


def test_scenarios_are_told_apart_by_colour_and_name(specs: Path, tmp_path: Path) -> None:
    model = pbpkc.load(specs / "theophylline_oral.pbpk").model
    t = np.linspace(0, 24, 49)
    runs = [_run("fast", np.exp(-t / 2)), _run("slow", np.exp(-t / 8))]
    path = write_simulation_plot(tmp_path / "out.svg", model, runs)
    text = path.read_text()
    assert {"#0072b2", "#d55e00"} <= set(re.findall(r"stroke: (#[0-9a-f]{6})", text))
    path.unlink()
    assert write_simulation_plot(path, model, runs).read_text() == text


def test_more_scenarios_than_colours_differ_by_dashes(specs: Path, tmp_path: Path) -> None:
    model = pbpkc.load(specs / "theophylline_oral.pbpk").model
    runs = [_run(f"dose {k}", (1.0 + k) * np.exp(-np.linspace(0, 3, 25))) for k in range(9)]
    text = write_simulation_plot(tmp_path / "out.svg", model, runs).read_text()
    lines = re.findall(
        r'style="fill: none; (?:stroke-dasharray: [^;]+; stroke-dashoffset: 0; )?stroke: #[^"]+"', text
    )
    curves = {line for line in lines if "1.3" in line}
    assert len(curves) == 9


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        np.zeros(20),
        np.full(20, np.nan),
        np.concatenate((np.full(10, 1e-30), np.ones(10))),
        np.linspace(-1, 1, 20),
        np.full(20, 7.0),
    ],
)
def test_any_curve_can_be_drawn(specs: Path, tmp_path: Path, values: np.ndarray, log: bool) -> None:
    model = pbpkc.load(specs / "theophylline_oral.pbpk").model
    path = write_simulation_plot(tmp_path / "out.png", model, [_run("one", values)], log=log)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_wrong_requests_are_refused_before_anything_is_written(specs: Path, tmp_path: Path) -> None:
    model = pbpkc.load(specs / "theophylline_oral.pbpk").model
    run = _run("one", np.ones(5))
    with pytest.raises(ValueError, match=r"must end in \.svg or \.png"):
        write_simulation_plot(tmp_path / "out.pdf", model, [run])
    with pytest.raises(ValueError, match="runs is empty"):
        write_simulation_plot(tmp_path / "out.svg", model, [])
    with pytest.raises(ValueError, match="observable is 'Cx'; there are Cp"):
        write_simulation_plot(tmp_path / "out.svg", model, [run], observables=["Cx"])
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------- inside a page


def test_each_mark_of_a_page_tells_its_own_numbers(
    content: ReportContent, series: tuple[Series, ...]
) -> None:
    # Of one subject: the marks of another take as long to draw, and are not looked at.
    plots = page_plots(replace(content.result, fits=content.result.fits[:1]), series[:1])
    scale, drawn = plots.time[0].plots[0].pictures[0]
    assert scale == "linear"
    root = ElementTree.fromstring(str(drawn))
    group = next(g for g in root.iter("g") if g.get("id", "").endswith("-observed"))
    uses = list(group.iter("use"))
    told = [u.findtext("title") for u in uses]
    times = [r.time for r in content.result.predictions if r.id == "1" and not r.cens]
    assert [re.search(r"1, ([\d.]+)\u00a0h:", str(t)).group(1) for t in told] == [f"{t:g}" for t in times]  # type: ignore[union-attr]
    # The marks stand where these times are: equal steps of time, equal steps in the picture.
    x = [float(u.get("x", "nan")) for u in uses]
    assert np.allclose(np.diff(x) / np.diff(times), (x[-1] - x[0]) / (times[-1] - times[0]), rtol=1e-3)
    below = next(g for g in root.iter("g") if g.get("id", "").endswith("-censored"))
    assert [u.findtext("title") for u in below.iter("use")] == ["subject 1, 12\u00a0h: below 0.5\u00a0mg/L"]


def test_a_page_takes_its_own_colours_and_letters(series: tuple[Series, ...]) -> None:
    one = series[0]
    svg = picture(time_panel(one, frames([one], False)[0][0], False), (3, 2), "page", "x").decode()
    drawn = str(inline(svg, "p", "a <label>", {}))
    assert not re.findall(r"#[0-9a-f]{6}\b(?![^<]*\")", drawn.replace('href="#', ""))
    assert "var(--ink)" in drawn and "var(--series-0)" in drawn
    assert "font-family" not in drawn and "<style" not in drawn and "<metadata" not in drawn
    assert 'aria-label="a &lt;label&gt;"' in drawn


def test_of_many_measurements_some_are_drawn_and_all_that_are_far(series: tuple[Series, ...]) -> None:
    one = series[0]
    n = 3 * MOST_POINTS
    weighted = np.full(n, 0.5)
    weighted[[1, n - 2]] = (-4.0, 3.5)
    level = np.linspace(1.0, 2.0, n)
    many = replace(one, time=np.linspace(0.0, 12.0, n), value=level, predicted=level, weighted=weighted)
    drawn = residual_points([many])
    assert thinned([many]) == 3 and len(drawn) == MOST_POINTS + 2
    assert {1, n - 2} < {i for _, i in drawn}
    assert len(observed_points([many], False)[2]) == MOST_POINTS + 2
    assert thinned([one]) == 1 and len(residual_points([one])) == int(np.isfinite(one.weighted).sum())


def test_the_fit_of_all_together_is_among_the_first(content: ReportContent) -> None:
    single = content.result.fits[0]
    fits = [replace(single, id=str(k)) for k in range(30)]
    assert [fit.id for fit in first_fits(fits, 4)] == ["0", "1", "2", "3"]
    fits.append(replace(single, id="ALL", members=30))
    assert [fit.id for fit in first_fits(fits, 4)] == ["0", "1", "2", "ALL"]
    assert first_fits(fits, 31) == fits


def test_the_page_says_how_many_of_the_estimates_are_shown(content: ReportContent) -> None:
    single = content.result.fits[0]
    many = replace(content.result, fits=tuple(replace(single, id=str(k)) for k in range(MOST_SUBJECTS + 1)))
    assert page_plots(many, ()).some_estimates == "60 of 61 are shown; the tables hold all."
    assert page_plots(content.result, ()).some_estimates == ""
