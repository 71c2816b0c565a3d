"""Forms that keep what is declared of an unknown term, whatever their coefficients are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from pbpkc.compiler.missing import Form, FormError
from pbpkc.compiler.missing.shaped import basis_form, network_form
from pbpkc.language.model import Unknown
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse

FORMS = {"basis": basis_form, "network": network_form}

ONE = "v(c [umol/L] in (0, 500) [umol/L]) -> [umol/h]"
TWO = "v(c [umol/L] in (0, 500) [umol/L], s [h] in (0, 24) [h]) -> [1]"

DECLARED = {
    "rising rate": ONE + " { range (0, 800) [umol/h]; rising in c; at (0 [umol/L]) = 0 [umol/h] }",
    "default, no upper end": ONE + " { rising in c; at (0 [umol/L]) = 0 [umol/h]; default 3 [L/h] * c }",
    "falling from 1": "v(c [umol/L] in (0, 500) [umol/L]) -> [1]"
    " { range (0, 1); falling in c; at (0 [umol/L]) = 1 }",
    "no direction": ONE + " { range (0, 800) [umol/h]; at (0 [umol/L]) = 0 [umol/h] }",
    "no anchor": ONE + " { range (10, 800) [umol/h]; rising in c }",
    "no anchor, falling": ONE + " { range (10, 800) [umol/h]; falling in c }",
    "range alone": ONE + " { range (10, 800) [umol/h] }",
    "two anchors": ONE + " { range (0, 800) [umol/h]; rising in c; at (0 [umol/L]) = 0 [umol/h]; "
    "at (100 [umol/L]) = 50 [umol/h] }",
    "anchor inside": ONE + " { range (0, 800) [umol/h]; falling in c; at (100 [umol/L]) = 50 [umol/h] }",
    "anchor at the end": ONE + " { range (0, 800) [umol/h]; rising in c; at (500 [umol/L]) = 700 [umol/h] }",
    "two arguments": TWO + " { range (0, 1); falling in c; at (0 [umol/L], 0 [h]) = 1 }",
    "two directions": TWO + " { range (0, 1); falling in c; rising in s; at (0 [umol/L], 0 [h]) = 1 }",
    "two arguments, no anchor": TWO + " { range (0.1, 1); falling in c; rising in s }",
}


def term(text: str) -> Unknown:
    spec = f"pbpk 1\nmodel m\nunknown {text}\nstate x = 1\nprocess p : x -> outside rate 1 [1/h] * x\n"
    return resolve(parse(SourceFile("m.pbpk", spec))).unknowns["v"]


def drawn(form: Form, rng: np.random.Generator) -> np.ndarray:
    """Coefficients anywhere between their bounds."""
    found = []
    for c in form.coefficients:
        low, high = c.mask.low, c.mask.high
        found.append(
            np.exp(rng.uniform(np.log(low), np.log(high)))
            if c.mask.scale == "log"
            else rng.uniform(low, high)
        )
    return np.array(found)


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("case", DECLARED)
def test_range_anchors_and_direction_hold_for_any_coefficients(kind: str, case: str) -> None:
    unknown = term(DECLARED[case])
    form = FORMS[kind](unknown)
    rng = np.random.default_rng(1)
    axes = [
        np.unique(np.r_[a.low, a.low + (a.high - a.low) * np.geomspace(1e-6, 1, 40)])
        for a in unknown.arguments
    ]
    grids = np.meshgrid(*axes, indexing="ij")
    sets = [form.start, *(drawn(form, rng) for _ in range(25))]
    spread = []
    for theta in sets:
        values = form.values(unknown, grids, theta)
        assert np.all(np.isfinite(values))
        size = np.abs(values).max()
        if unknown.range is not None:
            low, high = unknown.range
            assert values.min() >= low - 1e-12 * size
            assert values.max() <= high + 1e-12 * size
        for at, value in unknown.anchors:
            found = form.values(unknown, [np.asarray(x) for x in at], theta)
            assert found == pytest.approx(value, rel=1e-12, abs=1e-12)
        for shape, name in unknown.shapes:
            axis = [a.name for a in unknown.arguments].index(name)
            change = np.diff(values, axis=axis) * (1 if shape == "rising" else -1)
            assert change.min() >= -1e-12 * size
        spread.append(np.ptp(values))
    assert max(spread) > 0.0


def hill(w: np.ndarray, k: float, n: float) -> np.ndarray:
    return w**n / (k**n + w**n)


LAWS = {
    "Michaelis-Menten, early": lambda w: hill(w, 0.05, 1),
    "Michaelis-Menten, late": lambda w: hill(w, 0.5, 1),
    "Hill 1.5": lambda w: hill(w, 0.1, 1.5),
    "Hill 2": lambda w: hill(w, 0.2, 2),
    "linear": lambda w: w,
    "power 0.5": lambda w: w**0.5,
    "power 0.7": lambda w: w**0.7,
    "power 1.5": lambda w: w**1.5,
    "log": lambda w: np.log1p(w / 0.1),
}


@pytest.mark.parametrize("visited", [1.0, 0.1])
@pytest.mark.parametrize("law", LAWS)
def test_eight_coefficients_hold_the_usual_laws_within_two_parts_in_a_thousand(
    law: str, visited: float
) -> None:
    unknown = term(ONE + " { range (0, 5000) [umol/h]; rising in c; at (0 [umol/L]) = 0 [umol/h] }")
    form = basis_form(unknown)
    assert len(form.coefficients) == 8
    w = visited * np.r_[np.exp(-np.linspace(0, 4.5, 100)), np.linspace(0, 1, 40)]
    truth = 300.0 * LAWS[law](w) / LAWS[law](np.array(visited))
    low, high = (np.log([getattr(c.mask, end) for c in form.coefficients]) for end in ("low", "high"))

    def off(q: np.ndarray) -> np.ndarray:
        return (form.values(unknown, [500.0 * w], np.exp(q)) - truth) / np.sqrt(np.mean(truth**2))

    found = least_squares(off, np.log(form.start), bounds=(low, high), xtol=1e-12, ftol=1e-12)
    assert np.sqrt(np.mean(found.fun**2)) < (0.003 if law == "power 0.5" else 0.002)


def test_a_default_is_where_the_search_begins() -> None:
    text = ONE + " { range (0, 5000) [umol/h]; rising in c; at (0 [umol/L]) = 0 [umol/h]; default %s }"
    c = np.linspace(0.0, 400.0, 50)
    form = basis_form(unknown := term(text % "2 [L/h] * c"))
    assert form.values(unknown, [c], form.start) == pytest.approx(2.0 * c, rel=1e-3)
    form = basis_form(unknown := term(text % "900 [umol/h] * c / (60 [umol/L] + c)"))
    assert form.values(unknown, [c], form.start) == pytest.approx(900 * c / (60 + c), rel=0.06, abs=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE + " { rising in c; at (0 [umol/L]) = 0 [umol/h] }", "how large"),
        (ONE + " { rising in c; default 3 [umol/h] }", "bounds"),
        ("v(c [umol/L] in (0, 5) [umol/L]) -> [1] { range (0, 1); at (0 [umol/L]) = 0.5 }", "no direction"),
        ("v(c [umol/L] in (0, 5) [umol/L]) -> [1] { default 1 }", "neither"),
        (
            ONE + " { rising in c; range (0, 9) [umol/h]; at (5 [umol/L]) = 3 [umol/h]; "
            "at (9 [umol/L]) = 2 [umol/h] }",
            "contradict",
        ),
        (TWO + " { range (0, 1); falling in c; at (9 [umol/L], 1 [h]) = 1 }", "lower end"),
    ],
)
def test_a_declaration_that_no_form_can_keep_is_refused(text: str, message: str) -> None:
    with pytest.raises(FormError, match=message):
        basis_form(term(text))


def test_the_paper_s_network_has_ten_weights() -> None:
    form = network_form(term(DECLARED["rising rate"]))
    assert len(form.coefficients) == 10


def test_slopes_by_the_coefficients_are_derivatives() -> None:
    form = basis_form(unknown := term(DECLARED["rising rate"]))
    c = np.array([1.0, 20.0, 300.0])
    got = form.slopes(unknown, [c], form.start)
    assert got.shape == (3, 8)
    # The level is a factor where the curve is far below the end of the range.
    assert got[0, 0] * form.start[0] == pytest.approx(form.values(unknown, [c], form.start)[0], rel=1e-6)
