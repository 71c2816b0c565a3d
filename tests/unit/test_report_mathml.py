from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

import pbpkc
from pbpkc.compiler.latex import latex_writer
from pbpkc.report.mathml import formula, quotient, signed_terms


def inside(latex: str) -> str:
    """What stands in the formula, without the outer elements and the invisible sign of application."""
    text = str(formula(latex)).removeprefix("<math>").removesuffix("</math>").replace("\u2061", "")
    return text.removeprefix("<mrow>").removesuffix("</mrow>") if text.startswith("<mrow>") else text


@pytest.mark.parametrize(
    ("latex", "mathml"),
    [
        ("k_{\\mathrm{a}}", '<msub><mi>k</mi><mi mathvariant="normal">a</mi></msub>'),
        ("C^{\\mathrm{u}}_{\\mathrm{x}}",
         '<msubsup><mi>C</mi><mi mathvariant="normal">x</mi><mi mathvariant="normal">u</mi></msubsup>'),
        ("\\frac{a}{b + 1}",
         "<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac>"),
        ("\\sqrt{x}", "<msqrt><mi>x</mi></msqrt>"),
        ("x^{-2}", "<msup><mi>x</mi><mrow><mo>−</mo><mn>2</mn></mrow></msup>"),
        ("\\alpha", "<mi>α</mi>"),
        ("\\mathrm{body\\,glu}", '<mi mathvariant="normal">body\u2009glu</mi>'),
        ("t < 3", "<mi>t</mi><mo>&lt;</mo><mn>3</mn>"),
        ("0.7650095152507324", "<mn>0.76501</mn>"),
        ("1000000", "<mn>1000000</mn>"),
    ],
)  # fmt: skip
def test_a_formula(latex: str, mathml: str) -> None:
    assert inside(latex) == mathml


def test_brackets_and_functions() -> None:
    assert inside("\\exp\\left(-k \\, t\\right)") == (
        "<mi>exp</mi><mo></mo><mrow><mo>(</mo><mrow><mo>−</mo><mi>k</mi>"
        '<mspace width="0.25em"></mspace><mi>t</mi></mrow><mo>)</mo></mrow>'
    )


def test_cases_become_a_table_with_a_brace() -> None:
    found = inside("\\begin{cases} a & t < 3 \\\\ b_{1} & \\text{otherwise} \\end{cases}")
    assert found.count("<mtr>") == 2
    assert "<mtd><mrow><mi>t</mi><mo>&lt;</mo><mn>3</mn></mrow></mtd>" in found
    assert "<mtd><msub><mi>b</mi><mn>1</mn></msub></mtd>" in found
    assert "<mtext>otherwise</mtext>" in found


def test_a_sum_is_one_formula_a_term_with_its_sign() -> None:
    terms = signed_terms([(True, "a"), (False, "b"), (True, "c")])
    assert [t.striptags() for t in terms] == ["−a", "+b", "−c"]
    assert ['form="prefix"' in t for t in terms] == [True, False, False]
    assert [t.striptags() for t in signed_terms([(False, "a")])] == ["a"]
    assert [t.striptags() for t in signed_terms([])] == ["0"]


def test_a_derivative_is_a_fraction() -> None:
    assert quotient("\\mathrm{d}A", "\\mathrm{d}t").striptags() == "dAdt"


@pytest.mark.parametrize(
    "name",
    ["theophylline_oral", "paracetamol", "robertson", "pollu", "gene_network", "two_compartment_infusion"],
)
def test_everything_that_a_spec_writes_is_read(specs: Path, name: str) -> None:
    system = pbpkc.load(specs / f"{name}.pbpk").stages.lowered
    written = latex_writer(system)
    texts = [*written.names.values()]
    texts += [written.latex(entry.expr) for entry in (*system.constants, *system.curves, *system.rates)]
    texts += [written.latex(output.expr) for output in system.outputs]
    for latex in texts:
        mathml = str(formula(latex))
        shown = "".join(ElementTree.fromstring(mathml).itertext())
        assert shown.strip(), latex
        # A command that was not understood would be seen.
        assert not set(shown) & set("\\{}&$"), (latex, shown)
