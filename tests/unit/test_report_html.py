from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_demo import HOSTILE, demo_content, write_demo

from pbpkc.check.report import CheckItem, CheckReport
from pbpkc.language.source import SourceFile
from pbpkc.report.content import ReportContent
from pbpkc.report.html import render_report, write_report

_VOID = {"meta", "br", "input", "mspace"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; complains where an element is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[tuple[str, str]] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        seen = "".join(t for where, t in self.words if where not in ("style", "script"))
        return re.sub(r"[ \n]+", " ", seen)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    return demo_content(write_demo(tmp_path_factory.mktemp("demo")))


@pytest.fixture(scope="module")
def html(content: ReportContent) -> str:
    return render_report(content)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_element_is_closed_in_its_place(page: Page) -> None:
    assert page.wrong == [] and page.open == []


def test_what_a_spec_says_is_text_and_nothing_else(html: str, page: Page) -> None:
    assert html.count("<script") == 1
    assert "<script>alert" not in html and "</script> $" not in html
    assert sum(tag == "title" and not attrs for tag, attrs in page.tags) >= 1
    # The title, the source of a number and the spec itself show it letter by letter.
    assert page.text.count(HOSTILE) >= 3
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_hostile_names_of_files_subjects_and_findings_are_text(content: ReportContent) -> None:
    bad = '"><img src=x onerror=alert(1)>'
    fits = tuple(
        replace(f, id=bad, notes=(bad,), subject=replace(f.subject, id=bad),
                estimates=tuple(replace(e, id=bad) for e in f.estimates))
        for f in content.result.fits[:1]
    )  # fmt: skip
    subject = replace(content.dataset.subjects[0], id=bad)
    changed = replace(
        content,
        model=replace(content.model, files=(SourceFile(bad, bad),)),
        result=replace(content.result, fits=fits, provenance={**content.result.provenance, "spec": bad}),
        dataset=replace(content.dataset, path=bad, subjects=(subject,)),
        curves=[replace(c, id=bad) for c in content.curves[:1]],  # type: ignore[type-var]
        checks=CheckReport((CheckItem("mass", bad, "violated", bad),), {}, ""),
        command=bad,
    )
    text = render_report(changed)
    assert "<img" not in text
    assert Page(text).wrong == []


def test_the_page_asks_nothing_of_the_network(html: str, page: Page) -> None:
    for tag, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attrs.get(name, "#").startswith("#"), (tag, attrs)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|WebSocket|import\(", html)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/1999/xlink"}


def test_only_the_script_of_the_page_may_run(html: str, page: Page) -> None:
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    script = "".join(text for where, text in page.words if where == "script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and policy.startswith("default-src 'none'")


def test_identifiers_are_unique_and_every_reference_leads_somewhere(html: str, page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = [a[name][1:] for _, a in page.tags for name in ("href", "xlink:href") if name in a]
    wanted += re.findall(r"url\(#([^)]+)\)", html)
    assert wanted and set(wanted) <= set(ids)


def test_the_verdict_comes_first_and_every_section_is_there(page: Page) -> None:
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert sections == [
        "verdict", "estimates", "curves", "goodness", "determined", "checks", "model", "numbers", "data",
        "repeat",
    ]  # fmt: skip


def test_the_numbers_of_the_fit_stand_in_the_page(page: Page) -> None:
    text = page.text
    for words in (
        "41.25", "33.9 to 50.2", "wider than 10,000-fold", "no estimate", "0.7000\u00a0L/h", "0.575 to 0.852",
        "900\u00a0%", "2 of 3", "0.80 to 0.90",
    ):  # fmt: skip
        assert words in text, words


def test_every_number_of_the_spec_stands_with_its_source(page: Page, content: ReportContent) -> None:
    for definition in content.model.definitions.values():
        if definition.source:
            assert definition.source in page.text, definition.name
    assert "source of vmax" in page.text and "assumed volume" in page.text
    assert "estimated within 1 to 1000; prior lognormal, median 40" in page.text


def test_equations_data_and_provenance(page: Page, content: ReportContent) -> None:
    text = page.text
    # One formula of the Michaelis-Menten rate, the name of each state, the doses, the hashes.
    assert sum(tag == "mfrac" for tag, _ in page.tags) >= 3
    assert {"plasma.X", "gone.X"} <= set(re.findall(r"[\w.]+", text))
    assert "100\u00a0mg into plasma.X at 0\u00a0h" in text
    for digest in (content.dataset.sha256, "a" * 64, "b" * 64):
        assert digest in text
    assert "pbpkc fit demo.pbpk -o out" in text
    assert "python 3.11, pbpkc 0.1.0" in text
    assert "plasma.X + gone.X is constant" in text


def test_every_measurement_can_be_pointed_at(html: str) -> None:
    # Two scales, twelve measurements and three below quantification; eight points in each goodness panel,
    # of which the first has two scales; six estimates;
    # three points of a profile.
    assert html.count("</title></use>") == 2 * (12 + 3) + 4 * 8 + 6 + 3


def test_the_same_content_gives_the_same_bytes(content: ReportContent, html: str) -> None:
    assert render_report(content) == html


def test_nothing_of_the_clock_or_the_machine_enters(content: ReportContent, html: str) -> None:
    slower = replace(content.result, timing=replace(content.result.timing, wall_seconds=99.0, workers=7))
    assert render_report(replace(content, result=slower)) == html


@pytest.mark.parametrize("outcomes", [("failed",), ("good",), ("open",)])
@pytest.mark.parametrize("subjects", [1, 2])
def test_any_outcome_makes_a_whole_page(tmp_path: Path, outcomes: tuple[str, ...], subjects: int) -> None:
    ids = tuple(str(k + 1) for k in range(subjects))
    found = Page(render_report(demo_content(write_demo(tmp_path, ids), checks=False, outcomes=outcomes)))
    assert found.wrong == [] and found.open == []
    assert "The model was not checked in this run." in found.text


def test_a_report_is_written_whole_or_not_at_all(
    content: ReportContent, html: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    assert write_report(path, content) == path
    assert path.read_text(encoding="utf-8") == html
    with pytest.raises(OSError):
        write_report(tmp_path / "missing" / "report.html", content)

    def broken(_: ReportContent) -> str:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("pbpkc.report.html.render_report", broken)
    with pytest.raises(RuntimeError):
        write_report(path, content)
    assert path.read_text(encoding="utf-8") == html
    assert list(tmp_path.iterdir()) == [path]
