"""Choices whose conditions compare choices: what sympy would multiply out stays as it was written."""

from __future__ import annotations

import time

import pytest
import sympy as sp

from pbpkc.check.agreement import agree
from pbpkc.compiler.choice import Choice, choice, substituted
from pbpkc.compiler.driver import compile_model
from pbpkc.compiler.gradient import Gradients
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse

a, b, x, y, z = sp.symbols("a b x y z", real=True)
inner = sp.Piecewise((x, a < b), (y, True))


def test_a_comparison_of_choices_stays_one() -> None:
    found = choice((1, inner < z), (2, True))
    assert isinstance(found, Choice)
    assert found.args[0].cond == (inner < z)
    assert not found.has(sp.ITE)
    assert found.has(sp.Piecewise)


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        (((1, a < b), (2, True)), sp.Piecewise((1, a < b), (2, True))),
        (((1, sp.false), (2, True)), sp.Integer(2)),
        (((1, a < b), (1, inner < z), (2, True)), None),
        (((1, inner < z), (1, True)), sp.Integer(1)),
        (((x, True), (1, inner < z)), x),
    ],
)
def test_what_is_simpler_is_made_so(branches: tuple[tuple[object, object], ...], expected: object) -> None:
    found = choice(*branches)
    if expected is None:
        assert len(found.args) == 2
    else:
        assert found == expected


def test_a_choice_put_in_place_of_a_symbol_is_not_multiplied_out() -> None:
    outer = sp.Piecewise((a, z < 3), (b, True))
    found = substituted(outer, {z: inner})
    assert found == choice((a, inner < 3), (b, True))
    assert substituted(found, {a: sp.Integer(0), b: sp.Integer(1)}) == choice((0, x < 3), (1, True))
    assert found.xreplace({x: sp.Integer(1), y: sp.Integer(2)}).args[0].cond.has(sp.Piecewise)


def test_gradients_of_extremes_of_choices() -> None:
    found = Gradients().of(sp.Min(inner, z))
    assert set(found) == {x, y, z}
    assert not any(g.has(sp.ITE) for g in found.values())


def spec(rate: str, *more: str) -> str:
    lines = ["pbpk 1", "model m { time [1] }", "state u = 1", "masked k ~ uniform(0, 1) in (0, 1)", *more]
    return "\n".join([*lines, f"process p : u -> outside rate {rate}", "scenario s { run 1 }"]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        spec("k * u * if(if(u < 3, u, k) < 0.5 * k, 1, 2)"),
        spec("k * u * max(if(u < 3, u, k), min(k, if(t > 0.5, u, 2)))"),
        spec("k * u", "let c = if(u < k, u, 2)", "ode v = if(max(c, k) > 1, c, k)", "state v = 0"),
        spec("k * if(u > 0.5, u, 2 * u)", "observe o = if(p > 0.3 * k, p, 2) in [1] error add(0.1)"),
        spec("h(if(u < k, u, 1)) * u", "unknown h(c [1] in (0, 9) [1]) -> [1] { default if(c < 0.5, 1, c) }"),
    ],
)
@pytest.mark.parametrize("torch", [False, True], ids=["numpy", "torch"])
def test_generated_code_of_nested_choices_agrees(text: str, torch: bool) -> None:
    found = compile_model(resolve(parse(SourceFile("m.pbpk", text))), torch=torch)
    report = agree(found.analysed, found.generated, torch=torch, original=found.lowered)
    assert report.ok, report.summary()
    assert "ITE" not in found.generated.numpy_text + (found.generated.torch_text or "")


def test_forty_choices_within_each_other_take_no_time(patience: float) -> None:
    rate = "u"
    for i in range(40):
        rate = f"if({rate} < {i + 1}, u * {i + 2}, k + {i})"
    begin = time.process_time()
    compile_model(resolve(parse(SourceFile("m.pbpk", spec(rate)))), torch=False)
    assert time.process_time() - begin < 2 * patience
