from __future__ import annotations

import pytest
import sympy as sp
from hand_systems import Draft, circulation, saturable

from pbpkc.compiler.latex import escaped, latex_name, latex_writer
from pbpkc.compiler.notation import arrow_text, exact_number, notation


def draft() -> Draft:
    d = Draft("m")
    for name in ("k", "BW", "liver.volume"):
        d.parameter(name, 1.0)
    d.state("liver.X")
    d.state("b")
    return d


D = draft()
k, BW, V, A, b = (D[n] for n in ("k", "BW", "liver.volume", "liver.X", "b"))


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (A * k / V, "k * liver.X / liver.volume"),
        (k * (A - b), "k * (liver.X - b)"),
        (-k * A + b, "b - k * liver.X"),
        (-A, "-liver.X"),
        (A / (V * k), "liver.X / (k * liver.volume)"),
        (1 / V, "1 / liver.volume"),
        (BW ** sp.Rational(3, 4), "BW^0.75"),
        (sp.sqrt(A), "sqrt(liver.X)"),
        ((A + b) ** 2 / k, "(liver.X + b)^2 / k"),
        (A**-2, "1 / liver.X^2"),
        (sp.Rational(175, 83) * A, "175 * liver.X / 83"),
        (sp.Rational(1, 20) * BW, "0.05 * BW"),
        (sp.exp(-k * b), "exp(-k * b)"),
        (sp.log(A), "ln(liver.X)"),
        (sp.Min(A, b, k), "min(k, liver.X, b)"),
        (sp.Piecewise((k, A > 5), (BW, True)), "if(liver.X > 5, k, BW)"),
        (-(A + b), "-liver.X - b"),
        (k - (A + b) / V, "k - (liver.X + b) / liver.volume"),
        (b**k, "b^k"),
        (b ** (-k), "b^(-k)"),
    ],
)
def test_expressions_read_as_in_a_spec(expr: sp.Expr, text: str) -> None:
    assert notation(D.system()).text(expr) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (sp.Rational(1, 4), "0.25"),
        (sp.Rational(1, 3), "1/3"),
        (sp.Rational(1, 10**12), "1e-12"),
        (sp.Integer(-7), "-7"),
        (sp.Float(0.1), "0.1"),
        (sp.Rational(10) ** 400, "1" + "0" * 400),
    ],
)
def test_numbers_lose_nothing(number: sp.Expr, text: str) -> None:
    assert exact_number(number) == text


def test_arrows_show_yields_splits_and_the_outside() -> None:
    system = saturable()
    assert arrow_text(system, 0, notation(system)) == "liver.D -> f bile.G + (1 - f) blood.G"
    d = draft()
    d.rate("make", k, {"b": 2})
    d.rate("lose", b, {"b": -1})
    d.rate("turn", k * b - A, {"b": -3, "liver.X": 1}, reversible=True)
    system = d.system()
    texts = [arrow_text(system, r, notation(system)) for r in range(3)]
    assert texts == ["outside -> 2 b", "b -> outside", "3 b <-> liver.X"]


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("liver.volume", r"V_{\mathrm{liver}}"),
        ("liver.APAP.Cout", r"C^{\mathrm{out}}_{\mathrm{liver,APAP}}"),
        ("APAP.kp.liver", r"K^{\mathrm{p}}_{\mathrm{liver,APAP}}"),
        ("ka", r"k_{\mathrm{a}}"),
        ("km_ugt", r"k_{\mathrm{m,ugt}}"),
        ("vmax_ugt", r"\mathrm{vmax}_{\mathrm{ugt}}"),
        ("K<1,2>", r"K_{\mathrm{1,2}}"),
        ("gamma", r"\gamma"),
        ("Q.arterial.liver", r"Q_{\mathrm{arterial,liver}}"),
        ("si<3>.APAP", r"\mathrm{si}_{\mathrm{3,APAP}}"),
    ],
)
def test_names_in_latex(name: str, latex: str) -> None:
    assert latex_name(name) == latex


def test_latex_of_expressions() -> None:
    write = latex_writer(D.system()).latex
    assert write(k * A / V) == r"\frac{k \, A_{\mathrm{liver,X}}}{V_{\mathrm{liver}}}"
    assert write(sp.Rational(1, 10**6) * A) == r"1 \cdot 10^{-6} \, A_{\mathrm{liver,X}}"
    cases = write(sp.Piecewise((k, A > 5), (BW, True)))
    assert (
        cases.startswith(r"\begin{cases} k & A_{\mathrm{liver,X}} > 5 \\ ") and r"\text{otherwise}" in cases
    )


def test_a_raised_letter_is_bracketed_before_it_is_raised_again() -> None:
    system = circulation()
    write = latex_writer(system).latex
    cout = next(c.symbol for c in system.curves if c.name == "liver.X.Cout")
    assert write(cout**2) == r"\left(C^{\mathrm{out}}_{\mathrm{liver,X}}\right)^{2}"


def test_two_names_never_look_the_same() -> None:
    d = Draft("m")
    d.parameter("k_a", 1.0)
    d.parameter("ka", 1.0)
    d.state("b")
    written = latex_writer(d.system())
    assert written.latex(d["k_a"]) != written.latex(d["ka"])


def test_text_is_escaped() -> None:
    assert escaped("50 % of a_b & c<1>") == r"50 \% of a\_b \& c$<$1$>$"
