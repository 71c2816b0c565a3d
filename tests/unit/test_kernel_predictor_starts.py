"""Derivatives by the kernel of runs that begin in a steady state, with steady doses, or after another run."""

from __future__ import annotations

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.scenario import experiment, parameter_vector
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.kernel_predictor import KernelPredictor
from pbpkc.infer.predictor import Failure, Prediction
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.native.failure import NoKernel
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions

SATURABLE = """pbpk 1
model saturable
species D { mw = 200 [g/mol] }
species T
param ka = 1 [1/h]
param vmax = 20 [umol/h]
param v = 20 [L]
param made = 2 [umol/h]
param size = 40 [umol]
pool gut
pool p { volume = v }
sink out
process up : gut.D -> p.D rate ka * gut.D.A
process el : p.D -> out.D rate vmax * p.D.C / (8 [umol/L] + p.D.C)
process maker : outside -> p.T rate made
process lost : p.T -> outside rate 0.1 [1/h] * p.T.A * (1 + p.D.C / 2 [umol/L])
start steady
observe C = p.D.C in [umol/L]
observe CT = p.T.C in [umol/L]
scenario once { dose D size into gut; run 12 [h] }
scenario ss { dose D size into gut every 8 [h] steady; run 8 [h] }
scenario wash { start after once; dose D 10 [umol] into gut; run 20 [h] }
scenario stop { start after ss; run 20 [h] }
"""


@pytest.mark.parametrize("scenario", ["once", "ss", "wash", "stop"])
def test_derivatives_are_the_references(monkeypatch: pytest.MonkeyPatch, scenario: str) -> None:
    """By what the start, the doses before and the equations read; none is solved by the reference."""
    model = resolve(parse(SourceFile("saturable.pbpk", SATURABLE)))
    compiled = load_numpy(compile_model(model, torch=False).generated)
    plan = experiment(model, scenario)
    p = parameter_vector(compiled, plan.overrides)
    names = ("ka", "vmax", "v", "made", "size")
    columns = np.array([compiled.parameter_names.index(name) for name in names])
    time = np.repeat(np.linspace(0.5, 8.0, 6), 2)
    observable = np.tile([0, 1], 6).astype(np.int64)
    arguments = (
        compiled,
        p,
        columns,
        plan.regimen,
        time,
        observable,
        np.arange(12),
        SolverOptions(rtol=1e-9),
    )
    expected = CompiledPredictor(*arguments).predict(p[columns])
    assert isinstance(expected, Prediction), expected

    def none(*_: object) -> Failure:
        raise AssertionError("the reference solved it")

    monkeypatch.setattr(CompiledPredictor, "_solve", none)
    try:
        found = KernelPredictor(*arguments).predict(p[columns])
    except NoKernel as error:
        pytest.skip(error.reason)
    assert isinstance(found, Prediction)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-6)
    size = np.abs(expected.derivative).max(axis=0) + 1e-12
    np.testing.assert_allclose(found.derivative / size, expected.derivative / size, atol=1e-5)
