from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_demo import demo_content, write_demo

from pbpkc.check.report import CheckItem, CheckReport
from pbpkc.cli.fit_text import fit_text
from pbpkc.report.content import ReportContent
from pbpkc.report.verdict import Verdict, verdict


def told(folder: Path, *outcomes: str, subjects: int = 3) -> tuple[ReportContent, Verdict]:
    ids = tuple(str(k + 1) for k in range(subjects))
    content = demo_content(write_demo(folder, ids, "Demo"), outcomes=outcomes)
    return content, verdict(content)


def test_all_determined(tmp_path: Path) -> None:
    _, found = told(tmp_path, "good")
    assert found.headline == "The data determine each of the 3 parameters in all 3 subjects."
    assert found.mood == "good"
    assert [f.number for f in found.facts] == ["3 of 3", "9 of 9", "15", "2 of 2"]
    assert not found.cannot and not found.beware
    # Geometric mean of 41.25, 42.25 and 43.25.
    assert found.can[0] == (
        "vmax (capacity): geometric mean 42.24\u00a0µmol/h, from 41.2 to 43.2 over the subjects."
    )


def test_one_subject_is_told_with_its_intervals(tmp_path: Path) -> None:
    _, found = told(tmp_path, "good", subjects=1)
    assert found.headline == "The data determine each of the 3 parameters in the subject."
    assert found.can[0] == "vmax (capacity) is 41.25\u00a0µmol/h (95\u00a0% interval 33.9 to 50.2)."


def test_what_is_not_determined_is_said_with_the_combination_that_is(tmp_path: Path) -> None:
    _, found = told(tmp_path, "open", subjects=1)
    assert found.headline == "The data do not determine vmax and km one by one."
    assert found.mood == "open"
    assert (
        "The combination vmax / km is determined: 0.7000\u00a0L/h (95\u00a0% interval 0.575 to 0.852)."
        in found.can
    )
    assert found.cannot == (
        "vmax: its standard error is at best 900\u00a0% of its value; "
        "up to 50\u00a0% would count as determined.",
        "km: the data leave it free together with others.",
        "km is not bounded above: the profile stays below 3.84 up to the bound, 1000 umol/L.",
    )
    # The estimates of what is not determined are not offered as findings.
    assert not any(sentence.startswith(("vmax (", "km (")) for sentence in found.can)
    assert found.beware == (
        "km ends at the upper bound of what is allowed, 1000\u00a0µmol/L: "
        "the best fit that the spec admits lies at the edge.",
    )


def test_some_subjects_and_failures(tmp_path: Path) -> None:
    _, found = told(tmp_path, "good", "open", "failed")
    assert found.headline == "The data of some subjects do not determine vmax and km one by one."
    assert [f.number for f in found.facts[:2]] == ["2 of 3", "4 of 6"]
    assert "in subject 2" in found.cannot[0]
    assert found.beware[0] == (
        "Subject 3 has no estimate: the solver stopped at 0.1 h. What may help: narrow the bounds."
    )


def test_no_estimate_at_all(tmp_path: Path) -> None:
    _, found = told(tmp_path, "failed")
    assert found.headline == "No estimate was found; the reasons stand below."
    assert len(found.beware) == 3 and not found.can and not found.cannot


def test_a_parameter_that_no_measurement_sees(tmp_path: Path) -> None:
    content, _ = told(tmp_path, "open", subjects=2)
    fits = []
    for fit in content.result.fits:
        assert fit.identifiability is not None
        verdicts = tuple(
            replace(v, cause="unseen") if v.parameter == "km" else v for v in fit.identifiability.parameters
        )
        fits.append(replace(fit, identifiability=replace(fit.identifiability, parameters=verdicts)))
    found = verdict(replace(content, result=replace(content.result, fits=tuple(fits))))
    assert "km: no measurement depends on it; the number given is where the search began." in found.cannot


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("m3", "counted by the probability of being below it"),
        ("drop", "left out"),
        ("half", "counted as half"),
    ],
)
def test_values_below_quantification_are_told(tmp_path: Path, rule: str, words: str) -> None:
    content, _ = told(tmp_path, "good")
    options = {**content.result.options, "blq": rule, "estimator": "map"}
    text = " ".join(verdict(replace(content, result=replace(content.result, options=options))).estimated)
    assert f"3 measurements lie below the limit of quantification and are {words}" in text
    assert "together with the priors of the spec" in text


def test_checks_that_failed_or_were_not_run_are_told(tmp_path: Path) -> None:
    content, _ = told(tmp_path, "good")
    failed = CheckReport((CheckItem("mass", "X", "violated", "lost"),), {}, "")
    assert (
        "1 check of the model failed; see the section on checks."
        in verdict(replace(content, checks=failed)).beware
    )
    assert "The model was not checked in this run." in verdict(replace(content, checks=None)).beware


def test_a_profile_that_could_not_be_followed_is_no_open_one(tmp_path: Path) -> None:
    content, before = told(tmp_path, "open", subjects=1)
    (fit,) = content.result.fits
    (profile,) = fit.profiles
    lost = replace(profile, open_above="", lost_above="the solver stopped at 3 h")
    result = replace(content.result, fits=(replace(fit, profiles=(lost,)),))
    found = verdict(replace(content, result=result))
    said = (
        "The profile of km could not be followed above 1000 umol/L (the solver stopped at 3 h): whether the "
        "data bound it above is not known."
    )
    assert said in found.beware and said not in before.beware
    assert any("not bounded above" in sentence for sentence in before.cannot)
    assert not any("not bounded above" in sentence for sentence in found.cannot)
    (line,) = (line for line in fit_text(result).splitlines() if "not followed" in line)
    assert line.endswith("  from 20, not followed above 1000")


def test_an_interval_beyond_a_bound_is_marked_wherever_it_stands(tmp_path: Path) -> None:
    content, _ = told(tmp_path, "good", subjects=1)
    (fit,) = content.result.fits
    rows = tuple(replace(row, ci_beyond="lower") if row.parameter == "km" else row for row in fit.estimates)
    result = replace(content.result, fits=(replace(fit, estimates=rows),))
    km = next(row for row in rows if row.parameter == "km")
    text = fit_text(result)
    assert f"({km.ci_low:.4g}!, {km.ci_high:.4g})" in text
    assert "! beyond the bound of the parameter" in text and "!" not in fit_text(content.result)
    (sentence,) = (s for s in verdict(replace(content, result=result)).can if s.startswith("km"))
    assert sentence.endswith(", beyond its lower bound).")


def test_a_plain_number_has_no_unit_on_the_terminal(tmp_path: Path) -> None:
    content, _ = told(tmp_path, "open", subjects=2)
    fits = tuple(
        replace(
            fit,
            estimates=tuple(replace(row, unit="1") for row in fit.estimates),
            profiles=tuple(replace(profile, unit="1") for profile in fit.profiles),
        )
        for fit in content.result.fits
    )
    parameters = tuple({**p, "unit": "1"} for p in content.result.parameters)
    text = fit_text(replace(content.result, fits=fits, parameters=parameters))
    assert "[1]" not in text and text.splitlines()[0].split()[:4] == ["id", "vmax", "km", "s"]
    (line,) = (line for line in text.splitlines() if line.endswith("at least 20") and line.startswith("1"))
    assert line.split()[:3] == ["1", "km", "-"]
