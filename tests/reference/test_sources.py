"""Every number of a shipped spec says where it comes from.

The language lets `covariate`, `param`, `masked` and attributes carry a source; in a shipped spec they must,
whenever a number stands in them, and no dimensional number may hide in a rate or a flow, where no source
can stand. Initial values, scenarios and checks are described by comments and descriptions instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from pbpkc.language.syntax import nodes
from pbpkc.language.syntax.parse import parse, read_source

SPECS = sorted((Path(__file__).resolve().parents[2] / "specs").rglob("*.pbpk"))


def _quantities(value: object) -> Iterator[nodes.Quantity]:
    if isinstance(value, nodes.Quantity):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _quantities(item)
    elif is_dataclass(value):
        for item in fields(value):
            yield from _quantities(getattr(value, item.name))


def _dimensional(value: object) -> bool:
    return any(number.unit is not None for number in _quantities(value))


def _without_source(statement: object) -> Iterator[str]:
    match statement:
        case nodes.Value(keyword="covariate" | "param", source="") if any(_quantities(statement.value)):
            yield statement.member.name
        case nodes.Masked(source=""):
            yield statement.member.name
        case nodes.SpeciesBlock() | nodes.NodeBlock():
            for attribute in statement.attributes:
                if any(_quantities(attribute.value)) and not attribute.source:
                    yield attribute.ref.text
        case nodes.Process() if _dimensional(statement.rate):
            yield f"the rate of {statement.name}"
        case nodes.FlowLine() if _dimensional(statement.at):
            yield f"the flow {statement.name}"


def test_there_are_specs() -> None:
    assert {
        "theophylline_oral", "two_compartment_infusion", "paracetamol", "pollu", "robertson", "human_adult",
        "paracetamol_iv", "paracetamol_iv_unknown", "paracetamol_oral",
        "theophylline_iv", "theophylline_missing", "permeability", "brain", "human_vascular",
        "pregnancy", "human_fetus", "human_pregnant",
    } <= {path.stem for path in SPECS}  # fmt: skip


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_number_has_a_source(path: Path) -> None:
    tree = parse(read_source(path))
    assert [name for statement in tree.statements for name in _without_source(statement)] == []
