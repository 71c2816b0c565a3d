"""The way of the text, read aloud: one stage a line, with the time each took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from pbpkc.compiler.analyse import AnalysedSystem, analyse
from pbpkc.compiler.generate import generate
from pbpkc.compiler.lower import lower
from pbpkc.compiler.module import GeneratedModule
from pbpkc.compiler.simplify import simplify
from pbpkc.compiler.system import System
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.syntax.nodes import SyntaxTree
from pbpkc.language.syntax.parse import parse, read_source

T = TypeVar("T")


@dataclass(frozen=True)
class Compiled:
    """Every stage of one compilation.

    `lowered` is the System as the spec says it, `analysed.system` the simplified one. `seconds` maps a
    stage's name to the wall time it took.
    """

    model: Model
    lowered: System
    analysed: AnalysedSystem
    generated: GeneratedModule
    seconds: Mapping[str, float]


def read(path: str | Path) -> SyntaxTree:
    """The syntax tree of a file.

    Raises
    ------
    SpecError
        With all syntax errors.
    """
    return parse(read_source(path))


def compile_file(path: str | Path, torch: bool = True) -> Compiled:
    """Text to generated code.

    Raises
    ------
    SpecError
        With every problem of the first stage that found any.
    """
    clock = _Clock()
    tree = clock("parse", lambda: read(path))
    model = clock("resolve", lambda: resolve(tree))
    return compile_model(model, torch, clock.seconds)


def compile_model(model: Model, torch: bool = True, seconds: Mapping[str, float] | None = None) -> Compiled:
    """A `Model` to generated code."""
    clock = _Clock(seconds)
    lowered = clock("lower", lambda: lower(model))
    system = clock("simplify", lambda: simplify(lowered))
    analysed = clock("analyse", lambda: analyse(system))
    generated = clock("generate", lambda: generate(analysed, torch))
    return Compiled(model, lowered, analysed, generated, clock.seconds)


class _Clock:
    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds: dict[str, float] = dict(seconds or {})

    def __call__(self, stage: str, work: Callable[[], T]) -> T:
        start = perf_counter()
        result = work()
        self.seconds[stage] = perf_counter() - start
        return result
