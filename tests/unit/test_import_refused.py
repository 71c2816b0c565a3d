"""What is no system of differential equations is refused with its line and what to do."""

from __future__ import annotations

import pytest

from pbpkc.language.diagnostics import SpecError
from pbpkc.language.foreign import import_model
from pbpkc.language.source import SourceFile

HEAD = "$PARAM K = 1, V = 10\n$CMT A B\n$ODE\n"

#: Text, code, words of the message, what is marked, words of the help.
CPP = {
    "a loop": (
        HEAD + "for (int i = 0; i < 3; i++) { dxdt_A = -K * A; }\n",
        "not-a-model",
        "a loop",
        "for",
        "write out",
    ),
    "while": (HEAD + "while (A > 0) { dxdt_A = -K; }\n", "not-a-model", "a loop", "while", "write out"),
    "a function": (
        HEAD + "double f(double x) { return x * 2; }\n",
        "not-a-model",
        "a function",
        "double f(double x) {",
        "its formula",
    ),
    "a lambda in an object": (
        HEAD + "std::vector<double> x;\n",
        "not-a-model",
        "an object of C++",
        "std::vector",
        "double",
    ),
    "an array": (HEAD + "double x[2];\n", "not-a-model", "an array", "[", "name of its own"),
    "a macro with arguments": (
        "$GLOBAL\n#define RATE(x) (K * x)\n" + HEAD + "dxdt_A = -RATE(A);\ndxdt_B = 0;\n",
        "not-a-model",
        "the macro 'RATE' has arguments",
        "#define RATE(x) (K * x)",
        "its formula",
    ),
    "a macro without parentheses": (
        "$GLOBAL\n#define CP A / V\n" + HEAD + "dxdt_A = -K * CP;\ndxdt_B = 0;\n",
        "not-a-model",
        "its meaning depends",
        "#define CP A / V",
        "#define CP (A / V)",
    ),
    "an include": (
        "$GLOBAL\n#include <cmath>\n" + HEAD,
        "not-a-model",
        "directive",
        "#include <cmath>",
        "leave it out",
    ),
    "a plugin": ("$PLUGIN Rcpp\n" + HEAD, "not-a-model", "$PLUGIN", "$PLUGIN", "plugin"),
    "a closed form": (
        '$PARAM CL = 1, V = 2\n$PKMODEL cmt = "CENT"\n',
        "not-a-model",
        "$PKMODEL",
        "$PKMODEL",
        "$ODE",
    ),
    "R code": ("$ENV\nx <- 1\n" + HEAD, "not-a-model", "$ENV", "$ENV", "never run"),
    "an unknown block": ("$PARAMM K = 1\n", "unknown-block", "$PARAMM is no block", "$PARAMM", "$PARAM"),
    "undeclared": (
        HEAD + "dxdt_A = -Q2 * A;\ndxdt_B = 0;\n",
        "unknown-name",
        "'Q2' is not declared",
        "Q2",
        "declare it",
    ),
    "misspelt": (
        HEAD + "double VOL1 = V;\ndxdt_A = -K * A / VOLL1;\ndxdt_B = 0;\n",
        "unknown-name",
        "'VOLL1'",
        "VOLL1",
        "'VOL1'",
    ),
    "no equation": (HEAD + "dxdt_A = -K * A;\n", "no-equation", "'B' has no equation", "B", "dxdt_B"),
    "no compartment": (
        "$PARAM K = 1\n$MAIN\ndouble x = K;\n",
        "no-model",
        "no compartments",
        "$PARAM",
        "$CMT",
    ),
    "a missing semicolon": (
        HEAD + "dxdt_A = -K * A\ndxdt_B = 0;\n",
        "syntax",
        "'dxdt_B' cannot stand here",
        "dxdt_B",
        "end the statement",
    ),
    "an unknown function": (
        HEAD + "dxdt_A = -gamma(A);\ndxdt_B = 0;\n",
        "unknown-function",
        "'gamma'",
        "gamma",
        "functions are",
    ),
    "too many arguments": (
        HEAD + "dxdt_A = exp(A, B);\ndxdt_B = 0;\n",
        "arguments",
        "'exp' takes 1",
        "exp(A, B)",
        "each",
    ),
    "a state in $MAIN": (
        "$MAIN\ndouble x = A;\n" + HEAD + "dxdt_A = -x;\ndxdt_B = 0;\n",
        "state-in-main",
        "'A'",
        "A",
        "$ODE",
    ),
    "a parameter set": (
        HEAD + "K = 2;\ndxdt_A = -K * A;\ndxdt_B = 0;\n",
        "param-set",
        "'K'",
        "K = 2;",
        "another name",
    ),
    "a compartment set": (HEAD + "A = 2;\ndxdt_A = 0;\ndxdt_B = 0;\n", "state-set", "'A'", "A = 2;", "A_0"),
    "set in one branch": (
        HEAD + "if (V > 1) { double x = 2; }\ndxdt_A = -x * A;\ndxdt_B = 0;\n",
        "set-in-one-branch",
        "'x'",
        "x = 2",
        "in front of the if",
    ),
    "a circle": (
        HEAD + "double x = y;\ndouble y = x;\ndxdt_A = -x * A;\ndxdt_B = 0;\n",
        "cycle",
        "depends on itself",
        "x = y",
        "before it is read",
    ),
    "declared twice": (
        "$PARAM K = 1\n" + HEAD,
        "duplicate-name",
        "'K' is declared twice",
        "K = 1",
        "leave one",
    ),
    "a parameter of another": (
        "$PARAM A1 = 1, B1 = 2 * A1\n" + HEAD,
        "not-constant",
        "reads 'A1'",
        "2 * A1",
        "$MAIN",
    ),
    "an integer value": (
        HEAD + "int n = V;\ndxdt_A = -n * A;\ndxdt_B = 0;\n",
        "integer-value",
        "'n' is an int",
        "n = V",
        "double",
    ),
    "power of C": (HEAD + "dxdt_A = -A ^ 2;\ndxdt_B = 0;\n", "operator", "^ is no power", "A ^ 2", "pow"),
    "text in front": (
        "int main() {}\n" + HEAD,
        "outside-block",
        "in front of the first block",
        "int main() {}",
        "$PROB",
    ),
    "a lag that moves": (
        HEAD + "ALAG_A = B;\ndxdt_A = 0;\ndxdt_B = 0;\n",
        "moving",
        "depends on B",
        "ALAG_A = B;",
        "whole run",
    ),
    "a giant number": ("$PARAM K = 1e999\n", "bad-number", "1e999", "1e999", "1e300"),
    "no value": ("$PARAM K = 1 / 0\n" + HEAD, "not-constant", "has no value", "1 / 0", "write a number"),
    "a lag below zero": (
        HEAD + "ALAG_A = -1;\ndxdt_A = -K * A;\ndxdt_B = 0;\n",
        "no-spec",
        "would be refused",
        "",
        "correct",
    ),
}

RX = {
    "a closed form": ("model({\n cp <- linCmt()\n})", "not-a-model", "linCmt()", "linCmt()", "d/dt(central)"),
    "a loop": ("model({\n for (i in 1:3) x = i\n})", "not-a-model", "a loop", "for", "write out"),
    "R beside the model": (
        "x <- read.csv('a')\nm <- rxode2({ d/dt(a) = -a })",
        "not-a-model",
        "more than a model",
        "x <- read.csv('a')",
        "never run",
    ),
    "R in a call": (
        "m <- rxode2({ d/dt(a) = -a })\nsystem('true')",
        "not-a-model",
        "more than",
        "system('true')",
        "never",
    ),
    "two models": (
        "a <- rxode2({ d/dt(a) = -a })\nb <- rxode2({ d/dt(a) = -a })",
        "several-models",
        "2 models",
        "",
        "one",
    ),
    "no value": ("model({\n d/dt(a) = -k * a\n})", "unknown-name", "'k' has no value", "k", "ini({})"),
    "no equation": ("model({\n x <- 1\n})", "no-model", "no differential equation", "", "d/dt(x)"),
    "not closed": ("model({\n d/dt(a) = -a\n", "syntax", "never closes", "model({", "close"),
    "a dangling operator": ("model({\n d/dt(a) = -a *\n})", "syntax", "cannot stand here", "", "d/dt(depot)"),
    "doses in the model": ("model({\n d/dt(a) = podo(a)\n})", "not-a-model", "doses", "podo(", "scenario"),
    "a matrix": (
        "f <- function() {\n ini({ a + b ~ 0.1 })\n model({ d/dt(x) = -x })\n}",
        "matrix",
        "2 effects",
        "a + b ~ 0.1",
        "lower",
    ),
}


@pytest.mark.parametrize("name", CPP)
def test_an_mrgsolve_file_that_is_no_model(name: str) -> None:
    refused(CPP[name], "mrgsolve")


@pytest.mark.parametrize("name", RX)
def test_an_rxode2_file_that_is_no_model(name: str) -> None:
    refused(RX[name], "rxode2")


def refused(case: tuple[str, str, str, str, str], tool: str) -> None:
    text, code, words, marked, help = case
    with pytest.raises(SpecError) as caught:
        import_model(SourceFile("model.txt", text), tool)  # type: ignore[arg-type]
    found = [d for d in caught.value.diagnostics if d.code == code]
    assert found, caught.value
    one = found[0]
    assert words in one.message
    assert help in (one.help or ""), one.help
    if marked:
        assert one.span is not None and one.span.text == marked, one.span and one.span.text


def test_all_problems_of_a_file_are_told_at_once() -> None:
    text = HEAD + "dxdt_A = -KE * A;\ndxdt_B = CL * X;\n"
    with pytest.raises(SpecError) as caught:
        import_model(SourceFile("model.cpp", text))
    assert [d.span.text for d in caught.value.diagnostics if d.span] == ["KE", "CL", "X"]


@pytest.mark.parametrize("text", ["", "   \n", "hello\n", "pbpk 1\nmodel m\n", "<sbml/>", "\0\1\2"])
def test_a_file_of_no_tool(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        import_model(SourceFile("model.txt", text))
    assert caught.value.diagnostics[0].code == "no-model"
    assert caught.value.diagnostics[0].help


@pytest.mark.parametrize(
    ("text", "tool", "marked", "help"),
    [
        ("$PROB x\n$INPUT ID DV\n$DATA a.csv\n$PK\nCL=THETA(1)\n", "NONMEM", "$DATA a.csv", "nonmem2rx"),
        ("$PROBLEM x\n$SUBROUTINE ADVAN6\n$DES\nDADT(1) = 0\n", "NONMEM", "$SUBROUTINE ADVAN6", "nonmem2rx"),
        ("; x\n$THETA 1\n  $EST METHOD=1\n", "NONMEM", "$EST METHOD=1", "nonmem2rx"),
        ("[LONGITUDINAL]\ninput = {V, k}\nEQUATION:\n", "Monolix", "[LONGITUDINAL]", "monolix2rx"),
    ],
)  # fmt: skip
def test_a_file_of_a_tool_that_is_not_read(text: str, tool: str, marked: str, help: str) -> None:
    with pytest.raises(SpecError) as caught:
        import_model(SourceFile("run1.mod", text))
    (one,) = caught.value.diagnostics
    assert one.code == "other-tool" and tool in one.message
    assert one.span is not None and one.span.text == marked
    assert help in (one.help or "") and "mrgsolve" in one.notes[0]


@pytest.mark.parametrize("end", range(5, 400, 13))
@pytest.mark.parametrize("tool", ["mrgsolve", "rxode2"])
def test_a_text_that_breaks_off_is_a_diagnostic(end: int, tool: str) -> None:
    from foreign_models import INHIBITION, TWO

    text = (TWO if tool == "mrgsolve" else INHIBITION)[:end]
    try:
        import_model(SourceFile("model.txt", text), tool)  # type: ignore[arg-type]
    except SpecError as error:
        assert all(d.message and d.help for d in error.diagnostics)
