"""Specs made at random compile, their code says what their equations say, their text survives its layouts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from random_models import random_spec

from pbpkc.check.agreement import agree
from pbpkc.compiler.driver import compile_model
from pbpkc.jobs.remarks import remarks
from pbpkc.language.resolve import resolve
from pbpkc.language.show import show_model
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format import format_tree
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse

#: Seeds that the suite tries, of every kind of body; `make figures` tries many more. Those in front once
#: found a fault.
SEEDS = (2, 3, 19, 101, *range(500, 510))


def compared(seed: int, torch: bool) -> str | None:
    """What is wrong with the code of a random spec; None where nothing is."""
    tree = parse(SourceFile("random.pbpk", random_spec(Random(seed))))
    model = resolve(tree)
    remarks(model)
    found = compile_model(model, torch=torch)
    report = agree(found.analysed, found.generated, points=8, torch=torch, original=found.lowered)
    return None if report.ok else f"seed {seed}: {report.summary()}"


@pytest.mark.parametrize("seed", SEEDS)
def test_code_of_random_models_agrees_with_their_equations(seed: int) -> None:
    assert compared(seed, torch=seed in SEEDS[:2]) is None


def test_many_random_models(measuring: bool, figure: Callable[..., None]) -> None:
    seeds = range(10_000, 10_150) if measuring else range(10_000, 10_003)
    wrong = [said for seed in seeds if (said := compared(seed, torch=measuring and seed % 5 == 0))]
    figure(f"random models whose code differs from their equations, of {len(seeds)}", len(wrong), below=1)
    assert wrong == []


@pytest.mark.parametrize("seed", range(40))
def test_texts_of_random_models_survive_their_layouts(seed: int) -> None:
    tree = parse(SourceFile("random.pbpk", random_spec(Random(seed))))
    for layout in (format_tree, format_text):
        text = layout(tree)
        again = parse(SourceFile("again.pbpk", text))
        assert again == tree
        assert layout(again) == text
        assert show_model(resolve(again)) == show_model(resolve(tree))
