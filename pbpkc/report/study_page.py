"""The page of a study: paragraphs, tables and pictures in sections, with what holds at its head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import jinja2
from markupsafe import Markup

from pbpkc.report.page_plots import inline
from pbpkc.report.plot_style import Draw, picture
from pbpkc.resources import resource


@dataclass(frozen=True)
class StudyTable:
    """A table; columns from `numbers_from` on are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int = 1
    note: str = ""


@dataclass(frozen=True)
class StudyPlot:
    """A picture: name of its file, what it shows, what draws it, width and height in inches."""

    name: str
    caption: str
    draw: Draw
    size: tuple[float, float]


@dataclass(frozen=True)
class StudySection:
    """A section of the page."""

    id: str
    title: str
    text: tuple[str, ...] = ()
    plots: tuple[StudyPlot, ...] = ()
    tables: tuple[StudyTable, ...] = ()


@dataclass(frozen=True)
class Held:
    """Something that was demanded: whether it holds, what it is about, the demand and what was found."""

    holds: bool
    about: str
    text: str
    found: str


@dataclass(frozen=True)
class StudyPage:
    """Everything that stands on the page of a study.

    Parameters
    ----------
    title, about : str
    headline : str
        The verdict in a line.
    limits : sequence of Held
    sections : sequence of StudySection
    command : str
        What repeats the run in a shell.
    versions : sequence of (str, str)
    """

    title: str
    about: str
    headline: str
    limits: Sequence[Held]
    sections: Sequence[StudySection]
    command: str
    versions: Sequence[tuple[str, str]]


def render_study(page: StudyPage) -> str:
    """The page as HTML, with its style and pictures inside; the same for the same content."""
    return _environment().get_template("study.html.j2").render(
        page=page,
        broken=[h for h in page.limits if not h.holds],
        pictures={p.name: _picture(p) for s in page.sections for p in s.plots},
        style=Markup(resource("templates", "report", "style.css").read_text(encoding="utf-8")),
    )  # fmt: skip


def study_files(page: StudyPage) -> dict[str, bytes]:
    """The pictures of a page as SVG files, by name."""
    return {f"{p.name}.svg": picture(p.draw, p.size, "svg", p.name) for s in page.sections for p in s.plots}


def _picture(plot: StudyPlot) -> Markup:
    svg = picture(plot.draw, plot.size, "page", plot.name).decode()
    return inline(svg, plot.name.replace("_", "-"), plot.caption, {})


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
