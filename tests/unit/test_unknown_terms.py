"""What is declared of an unknown term, against the form in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_case import call, write

from pbpkc.check.reference_values import TrialFunction
from pbpkc.check.unknown_terms import breaks_range, examine_unknown_terms
from pbpkc.compiler.system import System
from pbpkc.jobs.loaded import load

GUESS = """\
pbpk 1
model guess "A term that is observed"
unknown f(c [1] in (0, 1)) -> [1] {
  range (0, 1)
  at (0) = 1
  falling in c
  default 1 - 0.5 * c
}
state x = 0.9
let w = f(x)
process de : x -> outside rate 0.1 [1/h] * x * f(x)
observe ww = w in [1]
observe xx = x in [1]
scenario s { run 5 [h] }
"""

TWO = """\
pbpk 1
model two "Units, and two arguments"
species D { mw = 100 [g/mol] }
pool plasma { volume = 10 [L] }
sink gone
unknown cap(c [mmol/L] in (0, 100) [mmol/L], since [min] in (0, 60) [min]) -> [mL/min] {
  range (0, 100) [mL/min]
  at (0 [mmol/L], 0 [min]) = 100 [mL/min]
  falling in c
  rising in since
  default FORM
}
process out : plasma -> gone rate cap(plasma.C, t) * plasma.C
observe Cp = plasma.C in [mg/L]
scenario one { dose D 100 [mg] into plasma at 0 [h]; run 1 [h] }
"""


def lowered(text: str, folder: Path) -> System:
    return load(write(folder, text)).stages.lowered


def items(spec: Path, *options: str) -> list[tuple[str, str]]:
    found = call("check", spec, "--no-torch", "--format", "json", *options).json()["items"]
    return [(i["status"], i["text"]) for i in found if i["group"] == "unknown"]


def test_a_form_that_keeps_everything(tmp_path: Path) -> None:
    proofs = examine_unknown_terms(lowered(GUESS, tmp_path))
    assert [(p.status, p.claim) for p in proofs] == [
        ("held", "its values lie in (0, 1)"),
        ("held", "it is 1 at c = 0"),
        ("held", "it is falling in c"),
    ]
    assert items(write(tmp_path, GUESS)) == [("held", "the form of f agrees with what is declared")]


@pytest.mark.parametrize(
    ("form", "broken"),
    [
        ("1", [False, False, False]),
        ("5 * c", [True, True, True]),
        ("-7 * c", [True, True, False]),
        ("1 - 0.5 * c + 2e-9", [True, True, False]),
        ("1 - 0.5 * c + 1e-10 * c", [False, False, False]),
        ("0.999999 - 0.5 * c", [False, True, False]),
        ("1 - c * (1 - c)", [False, False, True]),
        ("1 - c / (c - 0.5)", [True, False, True]),
    ],
)
def test_each_property_alone(form: str, broken: list[bool], tmp_path: Path) -> None:
    proofs = examine_unknown_terms(lowered(GUESS.replace("1 - 0.5 * c", form), tmp_path))
    assert [p.status == "violated" for p in proofs] == broken
    assert [breaks_range(p) for p in proofs] == [broken[0], False, False]
    assert all(0 <= p.point["c"] <= 1 for p in proofs if not p.held)


def test_units_and_two_arguments(tmp_path: Path) -> None:
    form = "(100 - 2 * c / 1 [mmol/L] - since / 1 [min]) * 1 [mL/min]"
    proofs = examine_unknown_terms(lowered(TWO.replace("FORM", form), tmp_path))
    assert [p.status for p in proofs] == ["violated", "held", "held", "violated"]
    assert proofs[0].explanation == "cap is -160 [mL/min] at c = 100 [mmol/L], since = 60 [min]"
    assert proofs[0].claim == "its values lie in (0, 100) [mL/min]"
    assert proofs[0].point == pytest.approx({"c": 1e5, "since": 1.0})
    assert proofs[3].claim == "it is rising in since"
    assert "cap falls from" in proofs[3].explanation
    assert " at c = " in proofs[3].explanation


def test_a_term_without_a_form_says_nothing(tmp_path: Path) -> None:
    assert examine_unknown_terms(lowered(GUESS.replace("  default 1 - 0.5 * c\n", ""), tmp_path)) == ()


def test_a_form_without_a_value(tmp_path: Path) -> None:
    proofs = examine_unknown_terms(lowered(GUESS.replace("1 - 0.5 * c", "ln(c)"), tmp_path))
    assert proofs[0].explanation == "f has no finite value at c = 0"


def test_what_is_broken_warns_and_fails_where_positivity_is_demanded(tmp_path: Path) -> None:
    spec = write(tmp_path, GUESS)
    found = items(spec, "--unknown", "f = -0.1 * c")
    assert [status for status, _ in found[:2]] == ["warning", "warning"]
    assert found[0][1] == "f is -0.1 at c = 1 (declared: its values lie in (0, 1))"
    assert call("check", spec, "--no-torch", "--unknown", "f = -0.1 * c").code == 0
    demanded = write(tmp_path, GUESS + "check positive\n")
    assert call("check", demanded, "--no-torch").code == 0
    ran = call("check", demanded, "--no-torch", "--unknown", "f = -0.1 * c")
    assert ran.code == 1
    assert "FAILED  unknown" in ran.out
    # A broken anchor does not touch positivity.
    assert call("check", demanded, "--no-torch", "--unknown", "f = 0.9 - 0.5 * c").code == 0


def test_a_run_outside_the_declared_arguments_is_a_note(tmp_path: Path) -> None:
    found = items(write(tmp_path, GUESS.replace("1 - 0.5 * c", "1 / (1 + c)").replace("x = 0.9", "x = 3")))
    assert [status for status, _ in found] == ["held", "note"]
    assert found[1][1].startswith("f is read at c = 3, outside the declared (0, 1)")


def test_an_observed_unknown_term_passes_the_code_check_far_outside_its_range(tmp_path: Path) -> None:
    spec = write(tmp_path, GUESS.replace("1 - 0.5 * c", "1 / (1 + c)").replace("x = 0.9", "x = 3"))
    ran = call("check", spec, "--format", "json")
    assert ran.code == 0, ran.out
    assert [i["status"] for i in ran.json()["items"] if i["group"] == "code"] == ["held"]


def test_the_trial_function_and_its_derivative_do_not_cancel(tmp_path: Path) -> None:
    """Over many decades torch's own derivative, the one in floats and the formula are the same."""
    import torch

    trial = TrialFunction(lowered(GUESS, tmp_path).unknowns[0])
    x = np.logspace(-10.0, 6.0, 400)
    tensor = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(trial(tensor).sum(), tensor)
    (exact,) = trial.partials(x)
    np.testing.assert_allclose(slope.numpy(), exact, rtol=1e-15)
    np.testing.assert_allclose([trial.partials(float(v))[0] for v in x], exact, rtol=1e-15)
    step = 1e-6 * x[x > 1e-2]
    across = (trial(x[x > 1e-2] + step) - trial(x[x > 1e-2] - step)) / (2 * step)
    np.testing.assert_allclose(across, exact[x > 1e-2], rtol=1e-6)
