"""`pbpkc explain`: what a name of a spec is, and why each state exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.language.diagnostics import SpecError, raise_if_errors
from pbpkc.language.expression import Name
from pbpkc.language.model import Model
from pbpkc.language.resolve import examine
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse, read_source
from pbpkc.report.explanation import Explainer, Explanation, UnknownName

if TYPE_CHECKING:
    from pbpkc.compiler.system import System
    from pbpkc.language.binding.scope import Scope

#: In place of a name: every state with the reason it exists.
STATES = "states"

#: A dotted name with indices, as an expression reads it.
_REFERENCE = re.compile(r"[A-Za-z]\w*(<[\d,]+>)?(\.[A-Za-z]\w*(<[\d,]+>)?)+")


@dataclass(frozen=True)
class StateReason:
    """A state and why it exists."""

    name: str
    unit: str
    sink: bool
    reason: str


def explain(path: str | Path, name: str) -> tuple[Explanation, ...]:
    """What a name of a spec is.

    Raises
    ------
    SpecError
        For a spec with errors.
    UnknownName
        For a name that it does not have.
    """
    source = read_source(path)
    found = examine(parse(source))
    raise_if_errors(found.problems)
    assert found.model is not None
    answers = explainer(found.model, found.scope)
    try:
        return answers.explain(name)
    except UnknownName:
        scenario, _, observable = name.partition(".")
        if scenario in found.model.scenarios and observable in (o.name for o in found.model.observables):
            return (*answers.explain(observable), *answers.explain(scenario))
        told = _as_reference(source, name, answers)
        if not told:
            raise
        return told


def _as_reference(source: SourceFile, name: str, answers: Explainer) -> tuple[Explanation, ...]:
    """What a spec may read by a shorter or another name than it declares: ``gut.A``, ``vein.Cp``.

    The name is read by a curve that is added, as an expression of the spec would read it.
    """
    if not _REFERENCE.fullmatch(name):
        return ()
    word = next(w for w in (f"asked{i}" for i in count()) if w not in source.text)
    try:
        found = examine(parse(replace(source, text=f"{source.text}\nlet {word} = {name}\n")))
        raise_if_errors(found.problems)
    except SpecError:
        return ()
    assert found.model is not None
    meant = found.model.definitions[word].expr
    if not isinstance(meant, Name):
        return ()
    try:
        return answers.explain(meant.name)
    except UnknownName:
        # The added line alone reads it: nothing of the spec does.
        made = explainer(found.model, found.scope).explain(meant.name)
        return tuple(replace(one, file=None, line=None, read_by=(), reaches=()) for one in made)


def explainer(model: Model, scope: Scope) -> Explainer:
    """Answers for a spec; the equations are made when they are first needed."""
    equations = _Equations(model)
    return Explainer(model, scope, equations.value, equations.text)


def states(model: Model) -> tuple[StateReason, ...]:
    """Every state with the reason it exists, in the order of the equations."""
    return tuple(StateReason(s.name, s.unit.text, s.sink, s.reason) for s in model.states)


@dataclass(frozen=True)
class _Equations:
    model: Model

    @cached_property
    def system(self) -> System:
        from pbpkc.compiler.lower import lower

        return lower(self.model)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {s.name: i for i, s in enumerate(self.system.states)}

    def text(self, state: str) -> str:
        from pbpkc.compiler.notation import notation
        from pbpkc.report.equations import equation_text

        return equation_text(self.system, self._places[state], notation(self.system))

    def value(self, name: str) -> float | None:
        """The value of a constant of the equations, canonical units."""
        from pbpkc.compiler.numeric import Evaluation, nominal_leaves

        try:
            constant = next((c for c in self.system.constants if c.name == name), None)
            if constant is None:
                return None
            return float(Evaluation(self.system, nominal_leaves(self.system)).value(constant.symbol))
        except (SpecError, ValueError, ArithmeticError):
            return None
