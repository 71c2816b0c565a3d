"""The shipped specs resolve without a warning and hold what their descriptions promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.syntax.parse import parse, read_source

ALL = sorted((Path(__file__).resolve().parents[2] / "specs").rglob("*.pbpk"))
# A file of the library is a part of a model: it has nothing to run, and is read with the specs that use it.
SPECS = [path for path in ALL if path.parent.name != "library"]


def _model(path: Path) -> Model:
    return resolve(parse(read_source(path)))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_spec_resolves_without_a_warning(path: Path) -> None:
    assert [warning.message for warning in _model(path).warnings] == []


# Whole body: 16 organs and blood, 10 gut contents, 2 conjugate pools, 5 sinks; httk: 8 of its compartments
# and 2 amounts removed; the systems of the MI-PINN paper and their variants: 19 organs and vessels, 3 sinks,
# by mouth 11 more; Verwer 1994; Robertson 1966; one state a gene; a drug in 9 places and its conjugate in 8;
# 21 organs and vessels with a parent in two spaces of three organs and a metabolite in blood; with a brain of
# four compartments; an antibody in 5 places, its receptor and target free and bound, and 2 amounts removed.
@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("theophylline_oral", 3),
        ("two_compartment_infusion", 3),
        ("vancomycin_iv", 3),
        ("recirculation", 17),
        ("antibody", 11),
        ("paracetamol", 33),
        ("paracetamol_iv", 22),
        ("paracetamol_iv_unknown", 22),
        ("paracetamol_oral", 33),
        ("theophylline_iv", 22),
        ("theophylline_missing", 22),
        ("theophylline_pbtk", 10),
        ("permeability", 51),
        ("brain", 24),
        ("pregnancy", 32),
        ("pollu", 20),
        ("robertson", 3),
        ("gene_network", 20),
    ],
)
def test_number_of_states(specs: Path, name: str, states: int) -> None:
    assert len(_model(specs / f"{name}.pbpk").states) == states


def test_the_list_of_specs_is_complete_and_counts_right() -> None:
    listed = (ALL[0].parents[1] / "specs" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(([\w/]+)\.pbpk\) \|(.*)\|$", listed, re.MULTILINE)
    root = next(path.parent for path in SPECS)
    assert [file for _, file, _ in rows] == [
        path.relative_to(root).with_suffix("").as_posix()
        for path in (*SPECS, *(p for p in ALL if p not in SPECS))
    ]
    for name, file, cells in rows:
        assert name == file.rpartition("/")[2]
        told = [cell.strip() for cell in cells.split("|")]
        assert all(told), name
        if "/" not in file:
            assert int(told[1]) == len(_model(root / f"{file}.pbpk").states), name


def test_no_spec_is_without_an_expectation() -> None:
    assert [path.stem for path in SPECS if not _model(path).checks] == []


def test_every_file_of_the_library_is_used_by_a_spec() -> None:
    used = "\n".join(path.read_text(encoding="utf-8") for path in SPECS)
    library = [path for path in ALL if path not in SPECS]
    assert library != []
    assert [path.name for path in library if f'use "library/{path.name}"' not in used] == []
