"""constraints.txt pins what pyproject.toml asks for, in a form that any machine can install."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def _requirements() -> list[str]:
    groups = PROJECT["dependency-groups"]
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [
        *PROJECT["project"]["dependencies"],
        *(text for extra in extras for text in extra),
        *groups["test"],
        *groups["lint"],
    ]


@pytest.mark.parametrize("text", _requirements())
def test_every_requirement_is_pinned_within_its_bounds(text: str) -> None:
    requirement = Requirement(text)
    assert requirement.specifier.contains(_pins()[canonicalize_name(requirement.name)])


def test_no_pin_names_a_local_build() -> None:
    # `pip freeze` writes torch==2.13.0+cpu, which no other machine can resolve.
    assert [name for name, version in _pins().items() if "+" in version] == []


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt", "Makefile"])
def test_no_index_is_named(file: str) -> None:
    # Which index serves a machine is the machine's business; TORCH_INDEX is how a user names one.
    text = (ROOT / file).read_text()
    assert "http" not in text
    assert "extra-index" not in text
