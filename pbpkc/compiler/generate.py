"""AnalysedSystem -> GeneratedModule: which methods there are, what each computes, and their text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jinja2

from pbpkc.compiler.analyse import AnalysedSystem, analysis_to_manifest
from pbpkc.compiler.differentiate import Derivatives
from pbpkc.compiler.kernel.source import KernelSource
from pbpkc.compiler.manifest import manifest
from pbpkc.compiler.methods import default_functions, methods
from pbpkc.compiler.module import GeneratedModule
from pbpkc.compiler.system import System
from pbpkc.compiler.templates import code_templates
from pbpkc.language.units import canonical_text


def generate(analysed: AnalysedSystem, torch: bool = True) -> GeneratedModule:
    """The generated code of a `System`, as text.

    Parameters
    ----------
    analysed : AnalysedSystem
    torch : bool
        Whether the torch text is written too. torch itself is not imported.

    Returns
    -------
    GeneratedModule
        The same input gives the same bytes.

    Raises
    ------
    InternalError
        If an expression contains something that has no form in generated code.
    """
    data = manifest(analysed.system, analysed.derivatives, analysis_to_manifest(analysed))
    generated = from_manifest(analysed.system, analysed.derivatives, data, torch)
    return replace(generated, kernel=KernelSource(analysed, generated.fingerprint))


def from_manifest(
    system: System, derivatives: Derivatives, data: Mapping[str, Any], torch: bool = True
) -> GeneratedModule:
    """The generated code of a `System` whose manifest is made already."""
    routines, vocabulary = methods(system, derivatives)
    defaults, more_words = default_functions(system.unknowns)
    values = {
        "system": system,
        "manifest": data,
        "tables": _tables(system),
        "routines": routines,
        "defaults": defaults,
        "vocabulary": sorted(vocabulary | more_words),
    }
    templates = _templates()
    numpy_text = templates.get_template("numpy_module.py.j2").render(values)
    torch_text = templates.get_template("torch_module.py.j2").render(values) if torch else None
    return GeneratedModule(numpy_text, torch_text, data)


@dataclass(frozen=True)
class _Table:
    """A tuple of names in the generated module, each with a comment."""

    name: str
    doc: str
    entries: tuple[tuple[str, str], ...]


def _tables(system: System) -> tuple[_Table, ...]:
    def described(unit: str, doc: str) -> str:
        return f"{unit}, {doc}" if doc else unit

    return (
        _Table(
            "STATES", "Entries of y, with their units.", tuple((s.name, s.unit.text) for s in system.states)
        ),
        _Table(
            "PARAMETERS",
            "Entries of p, with their canonical units.",
            tuple((p.name, described(canonical_text(p.unit.dimension), p.doc)) for p in system.parameters),
        ),
        _Table("INPUTS", "Entries of u.", tuple((u.name, f"{u.kind}: {u.target}") for u in system.inputs)),
        _Table(
            "OBSERVABLES",
            "Entries of what `observe` gives, with their units.",
            tuple((o.name, described(o.unit.text, o.doc)) for o in system.outputs),
        ),
    )


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    environment = code_templates()
    environment.filters["one_line"] = _one_line
    environment.filters["in_docstring"] = _in_docstring
    environment.filters["literal"] = _literal
    return environment


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def _in_docstring(text: str) -> str:
    # A title is free text: it must not end the docstring or escape from it.
    return _one_line(text).replace("\\", "/").replace('"', "'")


def _literal(value: str | float) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
