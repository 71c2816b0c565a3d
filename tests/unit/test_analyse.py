from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hand_systems import bimolecular, chemistry, circulation, oral, saturable

from pbpkc.compiler.analyse import analyse, analysis_to_manifest
from pbpkc.compiler.emit import emit_analysed, emit_system
from pbpkc.compiler.system import System

SYSTEMS = [oral, circulation, saturable, bimolecular, chemistry]


@pytest.mark.parametrize("make", SYSTEMS)
def test_the_findings_are_plain_data(make: Callable[[], System]) -> None:
    analysed = analyse(make())
    data = analysis_to_manifest(analysed)
    assert json.loads(json.dumps(data)) == data
    assert len(data["signs"]) == len(analysed.sparsity)
    assert sorted(analysed.sparsity) == list(analysed.sparsity)
    rates = data["linear"]["rates"] + data["linear"]["nonlinear_rates"]
    assert sorted(rates) == list(range(len(analysed.system.rates)))


def test_totals_in_the_manifest_are_named_and_weighted_by_state() -> None:
    data = analysis_to_manifest(analyse(bimolecular()))
    assert data["conserved"][0] == {"name": "A + 2 C", "species": None, "weights": {"A": 1, "C": 2}}


def test_linear_and_time_invariant_comes_with_the_reason() -> None:
    assert analyse(circulation()).linear_time_invariant
    analysed = analyse(bimolecular())
    assert not analysed.linear_time_invariant
    assert analysed.reason == "bind: a term is not linear in the states"


def test_the_text_of_a_system_names_everything_once() -> None:
    text = emit_system(saturable())
    assert "conjugation  : liver.D -> f bile.G + (1 - f) blood.G" in text
    assert "conjugation  = BW^0.75 * vmax * liver.D.C / (km + liver.D.C)" in text
    assert "default 1 / (1 + 0.1 * c)" in text
    assert "BW     = 70.0   [kg]  covariate in (40.0, 120.0)" in text
    assert emit_system(saturable()) == text


def test_the_text_of_the_analysis_shows_each_finding() -> None:
    text = emit_analysed(analyse(circulation()))
    for line in (
        "linear and time-invariant: yes",
        "Jacobian: 16 of 49 entries, sign and expression",
        "  venous.X    venous.X    -  -CO / venous.volume",
        "  arterial.X + venous.X + lung.X + liver.X + kidney.X + rest.X + urine.X",
        "  1 directions at rest, 0 growing",
        "  Cv  BW, X.bp, X.kp.lung, X.kp.liver, X.kp.kidney, X.kp.rest, cl_int",
    ):
        assert line in text.splitlines() or line in text
