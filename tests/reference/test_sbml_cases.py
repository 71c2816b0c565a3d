"""Pure-ODE cases of the SBML Test Suite, written as specs without units, against its expected results.

The suite (sbmlteam/sbml-test-suite, LGPL 2.1+) gives tables and tolerances; here its flattened listings are
turned into specs: states, constants, assignments and equations, each as one line.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pbpkc.jobs.loaded import load
from pbpkc.language.binding.scope import RESERVED
from pbpkc.language.syntax.format import format_number

pytestmark = pytest.mark.reference

CASES = (
    "00015", "00017", "00094", "00105", "00194", "00196", "00244", "00284", "00317", "00481",
    "00506", "00530", "00668", "00831", "00855", "00861", "00893", "01020", "01430", "01432",
)  # fmt: skip

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def spec_text(case: Mapping[str, Any]) -> str:
    """A flattened listing as a spec in unit-free mode."""
    lines = ["pbpk 1", f"model case_{case['id'][-5:]} {{ time [1]; units none }}"]
    assignments = dict(case["assignments"])
    moving = set(case["states"]) | {"t"}
    for name, text in case["assignments"]:
        if names(text) & moving:
            moving.add(name)
    lines += [f"param {own(n)} = {number(v)}" for n, v in case["constants"].items()]
    lines += [
        f"{'let' if n in moving else 'param'} {own(n)} = {expression(t)}" for n, t in assignments.items()
    ]
    lines += [f"state {own(n)} = {number(v)}" for n, v in case["states"].items()]
    lines += [f"ode {own(n)} = {expression(t)}" for n, t in case["odes"].items()]
    lines += [f"observe out_{n} = {expression(t)} in [1]" for n, t in case["outputs"].items()]
    lines.append(f"scenario run {{ run {number(case['duration'])} }}")
    return "\n".join(lines) + "\n"


def own(name: str) -> str:
    return f"{name}_" if name in RESERVED and name != "t" else name


def number(value: float) -> str:
    text = format_number(Fraction(repr(abs(value))))
    return f"-{text}" if value < 0 else text


def names(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))


def expression(text: str) -> str:
    """An expression of a listing, which has Python's form, as the language writes it."""
    return written(ast.parse(text, mode="eval").body)


def written(node: ast.expr) -> str:
    match node:
        case ast.Constant():
            return number(float(node.value))
        case ast.Name():
            return own(node.id)
        case ast.UnaryOp(op=ast.USub()):
            return f"(-{written(node.operand)})"
        case ast.BinOp():
            return f"({written(node.left)} {_OPERATORS[type(node.op)]} {written(node.right)})"
        case ast.Call(func=ast.Name(id="piecewise"), args=[then, test, other]):
            assert isinstance(test, ast.Compare)
            sign = _COMPARISONS[type(test.ops[0])]
            compared = f"{written(test.left)} {sign} {written(test.comparators[0])}"
            return f"if({compared}, {written(then)}, {written(other)})"
        case ast.Call(func=ast.Name(id=name)):
            return f"{name}({', '.join(map(written, node.args))})"
    raise AssertionError(ast.dump(node))


@pytest.mark.parametrize("name", CASES)
def test_a_case_meets_its_tolerances(
    name: str, shared_data: Path, tmp_path: Path, figure: Callable[..., None]
) -> None:
    folder = shared_data / "sbml-semantic" / name
    case = json.loads((folder / f"{name}-flat.json").read_text())
    expected = pd.read_csv(folder / case["expected_csv"])
    expected.columns = expected.columns.str.strip()
    path = tmp_path / "case.pbpk"
    path.write_text(spec_text(case), encoding="utf-8")
    run = load(path).simulate("run", times=expected["time"].to_numpy(dtype=float))
    worst = 0.0
    for output in case["outputs"]:
        wanted = expected[output].to_numpy(dtype=float)
        allowed = case["abs_tol"] + case["rel_tol"] * np.abs(wanted)
        worst = max(worst, float(np.max(np.abs(run.observables[f"out_{output}"] - wanted) / allowed)))
    figure(f"SBML case {name}, largest deviation in its tolerances", worst, below=1.0)
    assert worst <= 1.0
