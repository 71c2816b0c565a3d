"""What of the texts of mrgsolve, rxode2 and nlmixr2 is read, and what becomes of it."""

from __future__ import annotations

import pytest
from foreign_models import ONE

from pbpkc.language.diagnostics import SpecError
from pbpkc.language.foreign import Imported, import_model
from pbpkc.language.foreign.arrows import Arrow, recover
from pbpkc.language.foreign.equal import demand_equal
from pbpkc.language.source import SourceFile

CODE = "$PARAM K = 1, V = 10\n$CMT A B\n$ODE\n"


def imported(text: str, name: str = "model.cpp") -> Imported:
    return import_model(SourceFile(name, text))


def lines(text: str, name: str = "model.cpp") -> list[str]:
    return imported(text, name).text.split("\n")


def value(expression: str) -> str:
    """What an expression of C++ becomes."""
    text = f"$PARAM X = 1, Y = 2, Z = 3\n$CMT A\n$MAIN\ndouble W = {expression};\n$ODE\ndxdt_A = -W * A;\n"
    return next(line.removeprefix("param W = ") for line in lines(text) if line.startswith("param W = "))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("X + Y * Z - -1.5", "X + Y * Z - -1.5"),
        ("X - (Y - Z)", "X - (Y - Z)"),
        ("X / (Y * Z) / 2.0", "X / (Y * Z) / 2"),
        ("-pow(X, 2)", "-X^2"),
        ("pow(-X, Y + 1)", "(-X)^(Y + 1)"),
        ("std::pow(X / 70, 0.75)", "(X / 70)^0.75"),
        ("exp(-X) + log(Y) + fabs(Z)", "exp(-X) + ln(Y) + abs(Z)"),
        ("std::max(X, fmin(Y, .5))", "max(X, min(Y, 0.5))"),
        ("log2(X)", "ln(X) / ln(2)"),
        ("tanh(X)", "1 - 2 / (exp(2 * X) + 1)"),
        ("X > 1 ? Y : Z", "if(X > 1, Y, Z)"),
        ("X == 1 ? Y : Z", "if(X <= 1 and X >= 1, Y, Z)"),
        ("X != 1 && Y > 2 ? Y : Z", "if(X < 1 or X > 1, if(Y > 2, Y, Z), Z)"),
        ("!(X > 1 || Y > 2) ? Y : Z", "if(X <= 1 and Y <= 2, Y, Z)"),
        ("(X > 1) * Y", "if(X > 1, 1, 0) * Y"),
        ("(double)2 / 3 + double(X)", "2 / 3 + X"),
        ("1.0e-3 * 1.E2 * 5f", "0.001 * 100 * 5"),
        ("7 / 2 * X", "3 * X"),
        ("X * 7 / 2", "X * 7 / 2"),
    ],
)
def test_an_expression_of_cpp(expression: str, text: str) -> None:
    assert value(expression) == text


def test_values_of_every_kind() -> None:
    text = (
        "[ PROB ]\n# Title of it\n\n[ PARAM ] @annotated\nKA : 0.5 : absorption (1/h)\n\n"
        "$PARAM @covariates\nWT = 70\n$INPUT SEX = 1\n$FIXED FF = 2 * 3\n$THETA 0.1 0.2\n"
        "$INIT GUT = 5, CENT = 1/3\n$SET end = 48, delta = 0.5\n"
        "$OMEGA @labels ECL EV\n@block\n0.09 0.01 0.04\n$OMEGA @annotated\nEKA : 0.16 : on KA\n"
        "$SIGMA @labels PROP ADD\n0.01 0.02\n"
        "$MAIN\nif (NEWIND <= 1) { double CL = THETA1 * exp(ECL) * pow(WT / 70, THETA(2)); }\n"
        "double VD = 10 * exp(ETA(2)) + SEX + FF;\nCENT_0 = CL;\nD_GUT = 2 * SEX;\n"
        "$ODE dxdt_GUT = -KA * exp(EKA) * GUT;\ndxdt_CENT = KA * exp(EKA) * GUT - CL / VD * CENT;\n"
        "$ERROR double IPRED = CENT / VD;\ndouble DV = IPRED * (1 + PROP) + ADD;\n"
        "$CAPTURE Y = DV IPRED\n"
    )
    found = lines(text)
    for line in (
        'model imported "Title of it" { time [1]; units none }',
        'param KA "absorption (1/h)" = 0.5',
        "covariate WT = 70",
        "covariate SEX = 1",
        "param FF = 6",
        "param THETA2 = 0.2",
        'param ETA1 "ECL, a random effect" = 0',
        'param ETA3 "on KA, a random effect" = 0',
        'param EPS2 "ADD, a residual" = 0',
        "param CL = THETA1 * exp(ETA1) * (WT / 70)^THETA2",
        "state GUT = 5",
        "state CENT = CL",
        "process GUT_to_CENT : GUT -> CENT   rate KA * exp(ETA3) * GUT",
        "let DV = IPRED * (1 + EPS1) + EPS2",
        "observe Y = DV in [1]",
        "scenario modelled_infusions { dose (dose_GUT) into GUT over D_GUT; run 48 }",
        "  ETA1 ~ normal(0, sd = 0.3)",
        "  correlate ETA1, ETA2 = 0.166666666667",
    ):
        assert line in found, line
    table = [line for line in found if line.startswith("#")]
    assert "#   CMT 1 dose into GUT over D_GUT" in table
    assert any("ID, TIME, AMT, RATE, CMT" in line for line in table)
    assert any("0 is a bolus" in line for line in table)
    notes = [d.message for d in imported(text).assumptions]
    assert any("NEWIND is 1" in n for n in notes)
    assert any("random effects are 0" in n for n in notes)
    assert any("residual errors are 0" in n for n in notes)
    assert any("$SET" in n for n in notes)


def test_names_the_language_cannot_declare() -> None:
    found = lines("$PARAM rate = 1, in = 2\n$CMT sink\n$ODE\ndxdt_sink = -rate * in * sink;\n")
    assert "param rate_ = 1" in found
    assert "state sink_ = 0" in found
    assert "process sink_out : sink_ -> outside  rate rate_ * in_ * sink_" in found


def test_what_ode_computes_and_table_reports_is_an_assumption() -> None:
    text = (
        CODE + "double C = A / V;\ndxdt_A = -K * C;\ndxdt_B = 0;\n$TABLE\ndouble C2 = 2 * C;\n$CAPTURE C2\n"
    )
    assert any("the tool reports those of its solver's last" in d.message for d in imported(text).assumptions)


def test_a_macro_keeps_its_name_and_follows_what_it_reads() -> None:
    text = (
        "$GLOBAL\n#define CA (A / VV)\n$PARAM V = 2\n$CMT A\n$MAIN\ndouble VV = V;\n$ODE\n"
        "double first = CA;\nVV = VV * 2.0;\ndxdt_A = -first - CA;\n$CAPTURE CA\n"
    )
    found = lines(text)
    assert "let CA_1 = A / VV_1" in found
    assert "let CA = A / VV" in found


def test_transport_with_a_shared_loss_becomes_arrows() -> None:
    text = (
        "$PARAM QC = 10, QA = 4\n$CMT BL X Y\n$MAIN\ndouble QB = QC - QA;\n$ODE\n"
        "dxdt_BL = QA * X + QB * Y - QC * BL;\ndxdt_X = QA * (BL - X);\ndxdt_Y = QB * (BL - Y);\n"
    )
    found = imported(text)
    arrows = [line.split("  ")[0] for line in found.text.split("\n") if line.startswith("process")]
    assert sorted(arrows) == [
        "process BL_to_X : BL -> X",
        "process BL_to_Y : BL -> Y",
        "process X_to_BL : X -> BL",
        "process Y_to_BL : Y -> BL",
    ]
    assert [d for d in found.findings if d.severity == "warning"] == []


def test_stoichiometry_and_net_rates() -> None:
    found = lines(
        "$PARAM KON = 1, KOFF = 2, P = 3\n$CMT R L RL M D\n$ODE\n"
        "double bind = KON * R * L - KOFF * RL;\n"
        "dxdt_R = -bind;\ndxdt_L = -bind;\ndxdt_RL = bind;\n"
        "dxdt_M = -2.0 * P * M * M;\ndxdt_D = P * M * M;\n"
    )
    assert "process bind : R + L <-> RL  rate KON * R * L - KOFF * RL" in found
    assert "process M_to_D : M -> 0.5 D  rate 2 * P * M * M" in found


def test_arrows_that_are_not_the_equations_are_never_written() -> None:
    from pbpkc.language.diagnostics import InternalError

    model = imported(ONE).model
    arrows, _ = recover(model)
    demand_equal(model, arrows)
    wrong = [Arrow(a.rate, a.targets, a.sources) for a in arrows]
    with pytest.raises(InternalError):
        demand_equal(model, wrong)


def test_r_functions_of_a_vector_work_element_by_element() -> None:
    text = (
        "f <- function() {\n ini({\n  tcl <- log(c(0, 2.7, 100)); label('Cl')\n  tv <- fix(log(c(1, 2)))\n"
        "  tk <- c(log(0.1), log(3))\n })\n model({\n  d/dt(a) = -exp(tcl) / exp(tv) * a * exp(tk)\n })\n}\n"
    )
    found = lines(text, "m.R")
    assert 'param tcl "Cl" = ln(2.7)' in found
    assert "param tv = ln(2)" in found
    assert "param tk = ln(3)" in found


def test_a_model_in_quotes_and_one_without_a_frame() -> None:
    text = 'm <- rxode2("\nk <- 0.3 # per hour\nd/dt(a) = -k * a\n")\n'
    assert "param k = 0.3  # per hour" in lines(text, "m.R")
    assert "process a_out : a -> outside  rate k * a" in lines("k = 0.3; d/dt(a) = -k * a", "m.txt")


def test_branches_of_rxode2() -> None:
    text = (
        "m <- rxode2({\n wt <- 80; k <- 0.3\n if (wt > 70 & k < 1) {\n  kk <- k * 2\n } else if (k >= 2) {\n"
        "  kk <- k\n }\n"
        " else {\n  kk <- k / 3\n }\n y <- ifelse(a > 1, a,\n   1 - a)\n d/dt(a) = -kk * a\n})\n"
    )
    found = lines(text, "m.R")
    assert "param kk = if(wt > 70 and k < 1, k * 2, if(k >= 2, k, k / 3))" in found
    assert "observe y = if(a > 1, a, 1 - a) in [1]" in found


def test_deep_nesting_is_a_diagnostic() -> None:
    depth = 30_000
    text = CODE + f"dxdt_A = -{'(' * depth}A{')' * depth};\ndxdt_B = {' + '.join(['A'] * depth)};\n"
    with pytest.raises(SpecError) as caught:
        imported(text)
    assert caught.value.diagnostics[0].code == "too-nested"


def test_a_running_total_of_a_concentration_reads_it() -> None:
    text = CODE + "double C = A / V;\ndxdt_A = -K * A;\ndxdt_B = C;\n$CAPTURE C\n"
    found = lines(text)
    assert "let C = A / V" in found
    assert "process into_B : outside -> B  rate C" in found
