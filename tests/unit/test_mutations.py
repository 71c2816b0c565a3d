"""Faults made on purpose: that they are what they are called, and that `check` finds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_case import call

from pbpkc.jobs.mutation_bench import mutation_study, tabulated
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse, read_source
from pbpkc.studies.mutations import KINDS, mutations

SPECS = Path(__file__).resolve().parents[2] / "specs"


def _made(name: str, at_most: int = 2) -> dict[str, list[str]]:
    tree = parse(read_source(SPECS / name))
    found: dict[str, list[str]] = {}
    for m in mutations(tree, resolve(tree), at_most):
        found.setdefault(f"{m.kind}, {m.breaks}", []).append(m.applied())
    return found


def test_every_kind_is_made_and_every_fault_changes_the_text() -> None:
    original = (SPECS / "paracetamol.pbpk").read_text()
    made = _made("paracetamol.pbpk")
    assert {kind.split(",")[0] for kind in made} == set(KINDS)
    texts = [text for some in made.values() for text in some]
    assert original not in texts
    assert len(set(texts)) == len(texts)


def test_a_fault_is_a_slip_and_no_rubble() -> None:
    # Each still parses: what is wrong is what the text says.
    for some in _made("theophylline_pbtk.pbpk").values():
        for text in some:
            parse(SourceFile("mutant.pbpk", text))


def test_what_breaks_a_dimension_the_mass_or_the_flow_is_found() -> None:
    study = mutation_study(short=True, files=("theophylline_pbtk.pbpk", "two_compartment_infusion.pbpk"))
    assert len(study.verdicts) >= 18
    assert study.holds, [v for v in study.certain if not v.found] + list(study.alarms)
    by = {(v.kind, v.breaks): v.found_by for v in study.verdicts}
    assert by["unit", "dimension"] == "unit-mismatch"
    assert by["per-kg slip", "dimension"] == "unit-mismatch"
    assert by["duplicated process", "value"] in ("repeated-process", "expectation")
    for v in study.verdicts:
        assert v.says  # also why what was not found could not be
    _, rows = tabulated(study)
    assert sum(int(row[2]) for row in rows) == len(study.verdicts)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_whole_study(figure: Callable[..., None]) -> None:
    ran = call("bench", "mutations", "--format", "json", "--workers", "2")
    assert ran.code == 0
    study = json.loads(ran.out)
    assert len(study["faults"]) >= 200
    assert study["alarms"] == []
    certain = [f for f in study["faults"] if f["breaks"] != "value"]
    assert all(f["found_by"] for f in certain)
    found = sum(bool(f["found_by"]) for f in study["faults"])
    made = len(study["faults"])
    figure("single faults that nothing finds", 100.0 * (1.0 - found / made), f"% of {made}", below=20.0)
    figure("of them that break a dimension, the mass or the flow", 0, f"of {len(certain)}", below=1)
