"""Faults of published models, each in a small model written for this test, and what import says of it."""

from __future__ import annotations

import re

import pytest
from foreign_models import BODY, CASES, ONE, RESPONSE, TWO

from pbpkc.body.usual_in_source import unusual_in_source
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.foreign import Imported, import_model
from pbpkc.language.source import SourceFile


def imported(text: str, name: str = "model.cpp") -> Imported:
    return import_model(SourceFile(name, text), look=unusual_in_source)


def warnings(text: str, name: str = "model.cpp") -> list[Diagnostic]:
    return [d for d in imported(text, name).findings if d.severity == "warning"]


def changed(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", CASES)
def test_models_without_a_fault_have_no_warning(name: str) -> None:
    case = CASES[name]
    assert warnings(case.text, f"{name}.{case.suffix}") == []


BODY_PARTS = """\
$PARAM @annotated
QC   : 300 : cardiac output (L/h)
FLI  : 0.25 : share of the liver
VART : 2   : arterial blood (L)
VVEN : 4   : venous blood (L)
VLI  : 1.8 : liver (L)
VRE  : 60  : rest (L)
CL   : 20  : clearance (L/h)
$CMT ART VEN LI RE
$MAIN
double QLI = FLI * QC;
double QRE = 0.75 * QC;
$ODE
double CART = ART / VART;
double CVEN = VEN / VVEN;
double CLI = LI / VLI;
double CRE = RE / VRE;
dxdt_ART = QC * (CVEN - CART);
dxdt_VEN = QLI * CLI + QRE * CRE - QC * CVEN;
dxdt_LI = QLI * (CART - CLI) - CL * CLI;
dxdt_RE = QRE * (CART - CRE);
$CAPTURE CVEN
"""

#: What is changed in `BODY_PARTS`, the code of the warning, a word of its message, the marked text.
FAULTS = {
    "read before set": (
        [
            (
                "double QLI = FLI * QC;\ndouble QRE = 0.75 * QC;",
                "double QRE = QC - QLI;\ndouble QLI = FLI * QC;",
            )
        ],
        "used-before-set",
        "'QLI' is read before it is set",
        "QLI",
    ),
    "declared, then commented out": (
        [("CL   : 20", "F    : 0.7 : bioavailability\nCL   : 20"), ("- CL * CLI;", "- /* F * */ CL * CLI;")],
        "unused",
        "'F' has a value and does nothing",
        "F    : 0.7 : bioavailability",
    ),
    "cardiac output in another unit": (
        [
            (
                "QC   : 300 : cardiac output (L/h)",
                "QC   : 83.3 : cardiac output (mL/s)\nQLF : 75 : liver flow (L/h)",
            ),
            ("double QLI = FLI * QC;", "double QLI = QLF + 0 * FLI;"),
            ("0.75 * QC", "QC - QLI"),
        ],
        "unit-mismatch",
        "they differ by the factor 3.6",
        "QC - QLI",
    ),
    "arterial amount by venous volume": (
        [("ART / VART", "ART / VVEN")],
        "foreign-volume",
        "'ART' is divided by 'VVEN', the volume of 'VEN'",
        "ART / VVEN",
    ),
    "venous amount by arterial volume": (
        [("VEN / VVEN", "VEN / VART")],
        "foreign-volume",
        "'VEN' is divided by 'VART', the volume of 'ART'",
        "VEN / VART",
    ),
    "volumes of one letter, swapped": (
        [
            ("VART : 2   : arterial blood", "VA : 2 : volume"),
            ("VVEN : 4   : venous blood", "VV : 4 : volume"),
            ("ART / VART", "ART / VV"),
            ("VEN / VVEN", "VEN / VA"),
        ],
        "foreign-volume",
        "'ART' is divided by 'VV', the volume of 'VEN'",
        "ART / VV",
    ),
    "volume counted and not held": (
        [
            ("CL   : 20", "VGU  : 1.1 : gut (L)\nCL   : 20"),
            ("$MAIN", "$MAIN\ndouble VTOT = VART + VVEN + VLI + VRE + VGU;"),
            ("CL * CLI;", "CL * VTOT / 69 * CLI;"),
        ],
        "empty-volume",
        "'VGU' counts in 'VTOT', and no compartment has this volume",
        "double",
    ),
    "a dose as a closed form in time": (
        [("- CL * CLI;", "- CL * CLI + 80 * exp(-0.8 * SOLVERTIME);")],
        "input-in-time",
        "the equation of 'LI' reads the time",
        "dxdt_LI",
    ),
    "shares above one": (
        [("0.75 * QC", "1.066 * QC")],
        "flow-sum",
        "131.6 % of it",
        "QC * (CVEN - CART)",
    ),
    "shares below one": (
        [("0.75 * QC", "0.708 * QC")],
        "flow-sum",
        "95.8 % of it",
        "QC * (CVEN - CART)",
    ),
    "a rest that hides the others": (
        [
            ("double QRE = 0.75 * QC;", "double QKI = 0.05 * QC;\ndouble QRE = QC - QLI - QKI;"),
            ("QLI * CLI + QRE * CRE", "QLI * CLI + (QRE + QKI) * CRE"),
            ("QRE * (CART - CRE)", "(QRE + QKI) * (CART - CRE)"),
        ],
        "large-remainder",
        "'QRE', what is left of QC, is 70 % of it",
        "double",
    ),
    "a rest below zero": (
        [
            ("double QRE = 0.75 * QC;", "double QKI = 0.9 * QC;\ndouble QRE = QC - QLI - QKI;"),
            ("QLI * CLI + QRE * CRE", "QLI * CLI + (QRE + QKI) * CRE"),
            ("QRE * (CART - CRE)", "(QRE + QKI) * (CART - CRE)"),
        ],
        "negative-remainder",
        "'QRE', what is left of QC, is -15 % of it",
        "double",
    ),
    "a share called percent": (
        [("FLI  : 0.25 : share of the liver", "FLI  : 0.25 : liver flow (%)")],
        "percent",
        "'FLI' is 0.25 and called percent; as a share it is 25 %",
        "FLI  : 0.25 : liver flow (%)",
    ),
    "a flow that arrives nowhere": (
        [("dxdt_VEN = QLI * CLI + QRE * CRE", "dxdt_VEN = QLI * CLI")],
        "leaves-to-nowhere",
        "a flow carries 'RE' away, and no compartment receives it",
        "QRE * (CART - CRE)",
    ),
    "a flow that leaves nothing": (
        [("dxdt_RE = QRE * (CART - CRE);", "dxdt_RE = QRE * CART;")],
        "enters-from-nowhere",
        "a flow brings this into 'VEN', and it leaves no compartment",
        "QRE * CRE",
    ),
    "a sign": (
        [
            (
                "dxdt_LI = QLI * (CART - CLI) - CL * CLI;",
                "dxdt_LI = QLI * (CART - CLI) - CL * CLI - KB * LI;",
            ),
            ("dxdt_RE = QRE * (CART - CRE);", "dxdt_RE = QRE * (CART - CRE) - KB * LI;"),
            ("CL   : 20", "KB   : 0.1 : liver to rest (1/h)\nCL   : 20"),
        ],
        "same-sign",
        "the same term leaves 'LI' and 'RE'",
        "KB * LI",
    ),
    "one term, two targets": (
        [
            (
                "dxdt_LI = QLI * (CART - CLI) - CL * CLI;",
                "dxdt_LI = QLI * (CART - CLI) - CL * CLI + CL * CLI * 0;",
            ),
            ("dxdt_VEN = QLI * CLI +", "dxdt_VEN = QLI * CLI + CL * CLI +"),
            ("dxdt_RE = QRE * (CART - CRE);", "dxdt_RE = QRE * (CART - CRE) + CL * CLI;"),
        ],
        "mass-made",
        "this term leaves 'LI' once and enters 'VEN' and 'RE', twice together",
        "CL * CLI",
    ),
    "half of something in C++": (
        [("0.75 * QC", "3/4 * QC")],
        "integer-division",
        "3/4 is a division of whole numbers: C++ gives 0, not 0.75",
        "3/4",
    ),
    "set again before it is read": (
        [("double QRE = 0.75 * QC;", "double QRE = 0.7 * QC;\nQRE = 0.75 * QC;")],
        "set-twice",
        "the value of 'QRE' is set again before anything reads it",
        "QRE",
    ),
    "cardiac output of nobody": (
        [("QC   : 300 : cardiac output (L/h)", "QC   : 5.6 : cardiac output (L/h)")],
        "unusual",
        "'QC' is 5.6 L/h; a human adult has",
        "QC   : 5.6",
    ),
}


def test_the_base_of_the_faults_is_without_one() -> None:
    assert warnings(BODY_PARTS) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_where_it_stands(name: str) -> None:
    edits, code, words, marked = FAULTS[name]
    text = changed(BODY_PARTS, *edits)
    found = [d for d in warnings(text) if d.code == code]
    assert any(words in d.message for d in found), [d.message for d in warnings(text)]
    one = next(d for d in found if words in d.message)
    assert one.span is not None
    line = text.split("\n")[one.span.line - 1]
    assert marked in line[one.span.column - 1 :] or line.lstrip().startswith(marked), line
    # The head of the spec says it too.
    assert one.message in imported(text).text


def test_one_thing_with_two_values_is_a_note() -> None:
    text = changed(
        BODY_PARTS,
        ("$MAIN", "$MAIN\ndouble WALL = 0.336 * VLI;\ndouble SUM = 0.366 * VLI + VRE;"),
        ("CL * CLI;", "CL * WALL / SUM * CLI;"),
    )
    found = [d for d in imported(text).findings if d.code == "near-numbers"]
    assert [d.message for d in found] == [
        "0.366 multiplies 'VLI' here, and 0.336 does elsewhere: one digit differs"
    ]


def test_a_term_without_a_counterpart_names_the_one_that_differs_by_parameters() -> None:
    text = "$PARAM K = 1, MWR = 1.9\n$CMT P M\n$ODE\ndxdt_P = -K * P;\ndxdt_M = K * P * MWR;\n"
    found = [d for d in imported(text).findings if d.code == "enters-from-nowhere"]
    assert found[0].notes == ("a term that leaves 'P' is 1 / MWR times this one",)


def test_what_is_eliminated_is_listed_as_a_note() -> None:
    found = imported(ONE).findings
    assert [(d.code, d.severity, d.span.text if d.span else "") for d in found] == [
        ("leaves-to-nowhere", "note", "KE * CENT")
    ]


def test_arrows_of_the_body_are_recovered() -> None:
    text = imported(BODY).text
    lines = [re.sub(r"  .*", "", x) for x in text.split("\n") if x.startswith("process")]
    assert "process ART_to_LI : ART -> LI" in [re.sub(r" +rate.*", "", x) for x in lines]
    open_ = [x for x in lines if "outside" in x]
    assert len(lines) == 25 and len(open_) == 1 and "LI -> outside" in open_[0]


def test_names_and_comments_are_kept() -> None:
    text = imported(ONE).text
    assert 'param CL "clearance (L/h)" = 3\n' in text
    assert "param KE = CL / V  # elimination\n" in text
    assert "# what is absorbed\nprocess GUT_to_CENT : GUT -> CENT" in text
    assert "# - parameters are made up\n" in text
    assert 'model imported "One compartment with absorption" { time [1]; units none }' in text


def test_values_that_are_set_again_become_values_of_their_own() -> None:
    text = imported(TWO).text
    assert "param VCW_1 = VC\nparam VCW = VCW_1 * (WT / 70)^0.75\n" in text
    assert "let absorb_1 = KA * FAST * DEPOT\n" in text
    assert "process absorb : DEPOT -> CENT" in text


def test_random_effects_become_a_population_and_errors_those_of_observables() -> None:
    text = imported(RESPONSE, "turnover.R").text
    assert "observe cp_obs = cp in [1]  error combined(prop = prop_sd, add = add_sd)" in text
    assert "  eta_cl ~ normal(0, sd = 0.3)\n" in text
    assert "  correlate eta_v, eta_kout = 0.125\n" in text
    assert "names that the language cannot declare are changed: 'eta.cl' is 'eta_cl'" in text


def test_the_same_text_gives_the_same_bytes() -> None:
    assert imported(BODY).text == imported(BODY).text
