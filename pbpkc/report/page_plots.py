"""Plots inside a page: SVG that takes the page's colours and letters, and tells each point's numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from pbpkc.infer.result import FitResult, SubjectFit
from pbpkc.report.estimate_panels import (
    DETERMINED_MARKS,
    OPEN_MARKS,
    ParameterMarks,
    estimate_panel,
    panel_height,
    parameter_marks,
)
from pbpkc.report.fit_series import MOST_SUBJECTS, Series, by_observable
from pbpkc.report.goodness_panels import (
    Place,
    observed_panel,
    observed_points,
    residual_panel,
    residual_points,
    thinned,
)
from pbpkc.report.plot_style import GUIDE, INK, PAPER, SERIES, SHADE, Draw, picture, shown_on
from pbpkc.report.posterior_panels import (
    MOST_PAIRED,
    MOST_PARAMETERS,
    Marginal,
    marginal_panel,
    marginals,
    pair_grid,
)
from pbpkc.report.profile_panels import (
    MOST_PROFILED,
    PROFILE_MARKS,
    ProfilePanel,
    profile_panel,
    profile_panels,
)
from pbpkc.report.quantities import bracketed, figures, interval, plain_number, profile_words, with_unit
from pbpkc.report.time_panels import CENSORED_MARKS, OBSERVED_MARKS, frames, time_panel

#: Colours of the palette and the style-sheet variables that stand for them in a page.
VARIABLES: Mapping[str, str] = {
    INK: "--ink", GUIDE: "--guide", SHADE: "--shade", PAPER: "--paper",
    **{color: f"--series-{k}" for k, color in enumerate(SERIES)},
}  # fmt: skip

#: Inches of a panel among many, of one by itself, of one of goodness of fit, and width of one of estimates.
_SMALL, _LARGE, _GOODNESS, _ESTIMATES = (2.9, 1.8), (7.2, 3.4), (3.2, 2.7), 2.9

#: Of a parameter's posterior.
_MARGINAL = (2.6, 1.8)

#: Of a profile.
_PROFILE = (3.0, 2.1)

#: Groups of marks in an SVG and what is said of each of their marks.
Words = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Plot:
    """One plot: what it shows, and its SVG by scale ("linear", "log", or "" where there is one alone)."""

    title: str
    pictures: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True)
class PlotGroup:
    """Plots that belong together, with what a reader has to know about their axes."""

    title: str
    note: str
    plots: tuple[Plot, ...]
    large: bool = False


@dataclass(frozen=True)
class PagePlots:
    """All plots of a report."""

    time: tuple[PlotGroup, ...]
    goodness: tuple[PlotGroup, ...]
    estimates: tuple[Plot, ...]
    below: bool
    profiles: tuple[PlotGroup, ...] = ()
    posteriors: tuple[PlotGroup, ...] = ()
    bands: bool = False
    pooled: bool = False
    some_estimates: str = ""
    some_profiles: str = ""


def page_plots(result: FitResult, series: Sequence[Series]) -> PagePlots:
    """All plots of a report.

    Parameters
    ----------
    result : FitResult
    series : sequence of Series
        From `pbpkc.report.fit_series.fit_series`.
    """
    groups = by_observable(series)
    return PagePlots(
        time=tuple(_time(group) for group in groups.values()),
        goodness=tuple(_goodness(group) for group in groups.values() if residual_points(group)),
        estimates=tuple(_estimates(p) for p in parameter_marks(result, MOST_SUBJECTS))
        if len(result.fits) > 1
        else (),
        below=any(one.censored_time.size for one in series),
        profiles=tuple(_profiles(id, panels) for id, panels in profile_panels(result).items()),
        posteriors=tuple(
            _posterior(id, found) for id, found in list(marginals(result).items())[:MOST_PAIRED]
        ),
        bands=any(one.band is not None for one in series),
        pooled=any(one.pooled.size for one in series),
        some_estimates=_some_of(MOST_SUBJECTS, [fit for fit in result.fits if fit.estimates]),
        some_profiles=_some_of(MOST_PROFILED, [fit for fit in result.fits if fit.profiles]),
    )


def _some_of(most: int, fits: Sequence[SubjectFit]) -> str:
    """Said where not all are shown."""
    return f"{most} of {len(fits)} are shown; the tables hold all." if len(fits) > most else ""


# ------------------------------------------------------------- the three kinds


def _time(group: Sequence[Series]) -> PlotGroup:
    many, group = len(group), group[:MOST_SUBJECTS]
    large = len(group) == 1
    both = {log: frames(group, log) for log in (False, True)}
    plots = []
    for k, one in enumerate(group):
        pictures = []
        for log, scale in ((False, "linear"), (True, "log")):
            draw = time_panel(one, both[log][0][k], large)
            name = f"{one.observable} of subject {one.subject} against time"
            words = {
                OBSERVED_MARKS: _measured(one, log),
                CENSORED_MARKS: [
                    f"subject {one.subject}, {_at(t, one)}: below {with_unit(plain_number(limit), one.unit)}"
                    for t, limit in zip(one.censored_time, one.censored_limit, strict=True)
                ],
            }
            pictures.append(
                (
                    scale,
                    _inline(
                        draw, _LARGE if large else _SMALL, f"time-{one.observable}-{k}-{scale}", name, words
                    ),
                )
            )
        plots.append(Plot(f"Subject {one.subject}", tuple(pictures)))
    notes = []
    if not large:
        notes.append("All panels have the same axes." if both[False][1] else "Panels have axes of their own.")
    if many > len(group):
        notes.append(f"The first {len(group)} of {many} subjects are shown.")
    first = group[0]
    title = f"{bracketed(first.observable, first.unit)} against {bracketed('time', first.time_unit)}"
    return PlotGroup(title, " ".join(notes), tuple(plots), large)


def _measured(one: Series, log: bool) -> list[str]:
    told = []
    for i in range(one.value.size):
        if shown_on(one.value[i : i + 1], log)[0]:
            told.append(_point(one, i))
    return told


def _point(one: Series, i: int) -> str:
    measured = with_unit(plain_number(float(one.value[i])), one.unit)
    fitted = plain_number(float(one.predicted[i]))
    return f"subject {one.subject}, {_at(float(one.time[i]), one)}: measured {measured}, fitted {fitted}"


def _at(time: float, one: Series) -> str:
    return with_unit(plain_number(time), one.time_unit)


def _goodness(group: Sequence[Series]) -> PlotGroup:
    name = group[0].observable
    shown = f"{name}, observed against predicted"
    both = tuple(
        (
            scale,
            _inline(
                observed_panel(group, log), _GOODNESS, f"observed-{name}-{scale}", shown,
                {OBSERVED_MARKS: [_point(one, i) for one, i in observed_points(group, log)[2]]},
            ),
        )
        for log, scale in ((False, "linear"), (True, "log"))
    )  # fmt: skip
    words = {OBSERVED_MARKS: [_residual(place) for place in residual_points(group)]}
    over_time, over_size = (
        _inline(
            residual_panel(group, against_time), _GOODNESS, f"residual-{name}-{what}",
            f"{name}, weighted residuals against {what}", words,
        )
        for against_time, what in ((True, "time"), (False, "prediction"))
    )  # fmt: skip
    step = thinned(group)
    return PlotGroup(
        name,
        f"Of the measurements one in {step} is shown, and all that are far from the curve."
        if step > 1
        else "",
        (
            Plot("Observed against predicted", both),
            Plot("Weighted residuals against time", (("", over_time),)),
            Plot("Weighted residuals against prediction", (("", over_size),)),
        ),
    )


def _residual(place: Place) -> str:
    one, i = place
    return f"{_point(one, i)}, weighted residual {plain_number(float(one.weighted[i]), 3)}"


def _estimates(parameter: ParameterMarks) -> Plot:
    said = {
        wanted: [
            f"subject {m.subject}: {with_unit(figures(m.estimate), parameter.unit)}, "
            f"95\u00a0% interval {interval(m.low, m.high)}"
            for m in parameter.marks
            if m.determined == wanted
        ]
        for wanted in (True, False)
    }
    words = {DETERMINED_MARKS: said[True], OPEN_MARKS: said[False]}
    size = (_ESTIMATES, panel_height(parameter))
    name = f"estimates of {parameter.parameter}"
    drawn = _inline(estimate_panel(parameter), size, f"estimate-{parameter.parameter}", name, words)
    return Plot(parameter.parameter, (("", drawn),))


def _profiles(id: str, panels: Sequence[ProfilePanel]) -> PlotGroup:
    plots = []
    for panel in panels:
        found = panel.profile
        said = [
            f"{with_unit(plain_number(p.value), found.unit)}: "
            f"{plain_number(p.objective_rise, 3)} above the optimum"
            for p in panel.shown
        ]
        name = f"profile of {found.parameter} in subject {id}"
        drawn = _inline(
            profile_panel(panel), _PROFILE, f"profile-{id}-{found.parameter}", name, {PROFILE_MARKS: said}
        )
        plots.append(Plot(f"{found.parameter}: {profile_words(found)}", (("", drawn),)))
    return PlotGroup(panels[0].title, "", tuple(plots))


def _posterior(id: str, found: Sequence[Marginal]) -> PlotGroup:
    plots = []
    for one in found:
        said = f"{figures(one.row.median)} ({interval(one.row.low, one.row.high)})"
        name = f"posterior of {one.row.parameter} in subject {id}"
        drawn = _inline(marginal_panel(one), _MARGINAL, f"posterior-{id}-{one.row.parameter}", name, {})
        plots.append(Plot(f"{one.row.parameter}: {with_unit(said, one.row.unit)}", (("", drawn),)))
    note = ""
    if len(found) > 1:
        draw, size = pair_grid(found)
        name = f"posterior of the parameters of subject {id} against each other"
        plots.append(Plot("", (("", _inline(draw, size, f"pairs-{id}", name, {})),)))
        if len(found) > MOST_PARAMETERS:
            note = f"The first {MOST_PARAMETERS} parameters are shown against each other."
    return PlotGroup(f"Subject {id}", note, tuple(plots))


# ------------------------------------------------------------- SVG for a page


def _inline(draw: Draw, size: tuple[float, float], name: str, label: str, words: Words) -> Markup:
    return inline(
        picture(draw, size, "page", name).decode(), re.sub(r"[^A-Za-z0-9]+", "-", name), label, words
    )


def inline(svg: str, prefix: str, label: str, words: Words) -> Markup:
    """An SVG file of `picture` as an element of a page.

    Parameters
    ----------
    svg : str
        Made with kind ``page``.
    prefix : str
        Stands before every identifier, so that pictures of one page do not take each other's.
    label : str
        What the picture shows, for those who cannot see it.
    words : mapping of str to sequence of str
        What each mark of a named group stands for, in the order in which they were drawn; a reader sees it
        when pointing at the mark.
    """
    body = svg[svg.index("<svg") :]
    # What a page has once, or would apply to all of it.
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    # Hundredths of a point are finer than any screen.
    body = re.sub(
        r'( (?:d|x|y|transform)=")([^"]*)"', lambda m: m[1] + re.sub(r"(\.\d\d)\d+", r"\1", m[2]) + '"', body
    )
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", body)
    for color, variable in VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    for group, told in words.items():
        body = _with_words(body, f"{prefix}-{group}", told)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body).groups()  # type: ignore[union-attr]
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    # Lines of numbers are read by no one; one blank is enough.
    return Markup(head + re.sub(r"\s*\n\s*", " ", body[body.index(">") + 1 :]).replace("> <", "><").strip())


def _with_words(body: str, group: str, told: Sequence[str]) -> str:
    """A title inside each mark of a group."""
    start = body.find(f'<g id="{group}">')
    if start < 0:
        return body
    texts = iter(told)

    def titled(match: re.Match[str]) -> str:
        text = next(texts, None)
        return match.group(0) if text is None else f"<use{match.group(1)}><title>{escape(text)}</title></use>"

    # The marks of a group end where the next group of the same level begins.
    end = body.find('\n   <g id="', start + 1)
    end = len(body) if end < 0 else end
    return body[:start] + re.sub(r"<use([^>]*?)/>", titled, body[start:end]) + body[end:]
