"""The report of a fit: one page that opens anywhere, prints, and needs no network."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from pbpkc.experiment.whole_file import write_whole
from pbpkc.report.content import ReportContent
from pbpkc.report.data_tables import data_tables, settings
from pbpkc.report.fit_series import fit_series
from pbpkc.report.fit_tables import fit_tables
from pbpkc.report.model_tables import model_tables
from pbpkc.report.page_plots import page_plots
from pbpkc.report.posterior_tables import posterior_tables
from pbpkc.report.term_plots import term_plots
from pbpkc.report.verdict import verdict
from pbpkc.resources import resource


def render_report(content: ReportContent) -> str:
    """The report as HTML.

    Parameters
    ----------
    content : ReportContent

    Returns
    -------
    str
        One page with its style, its script and its pictures inside; the same for the same content. Every
        text of a spec or a data file stands in it as text, whatever it holds.
    """
    model, result, dataset = content.model, content.result, content.dataset
    script = page_part("script.js")
    return page_template("report.html.j2").render(
        title=model.title or model.name,
        model=model,
        result=result,
        verdict=verdict(content),
        tables=fit_tables(result, model),
        posterior=posterior_tables(result),
        plots=page_plots(result, fit_series(result, dataset, content.curves, content.pooled)),
        terms=term_plots(content.terms),
        checks=content.checks,
        data=data_tables(dataset, model),
        spec=model_tables(model, content.system, dataset.scenario),
        settings=tuple(settings(content)),
        command=content.command,
        files=model.files,
        style=Markup(page_part("style.css")),
        script=Markup(script),
        # The page may do nothing but run this script and use this style.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def write_report(path: str | Path, content: ReportContent) -> Path:
    """Write the report, whole or not at all.

    Parameters
    ----------
    path : path
        Of the page.
    content : ReportContent

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If the file cannot be written; nothing is then left behind.
    """
    path = Path(path)
    write_whole({path: render_report(content)})
    return path


def page_part(name: str) -> str:
    """The text of a style or a script of pages."""
    return resource("templates", "report", name).read_text(encoding="utf-8")


def page_template(name: str) -> jinja2.Template:
    """A template of a page."""
    return _environment().get_template(name)


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
