"""`pbpkc explain`: what a name of a spec is, and why each state exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.compiler.driver import read
from pbpkc.language.diagnostics import SpecError, raise_if_errors
from pbpkc.language.model import Model
from pbpkc.language.resolve import examine
from pbpkc.report.explanation import Explainer, Explanation

if TYPE_CHECKING:
    from pbpkc.compiler.system import System
    from pbpkc.language.binding.scope import Scope

#: In place of a name: every state with the reason it exists.
STATES = "states"


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
    found = examine(read(path))
    raise_if_errors(found.problems)
    assert found.model is not None
    return explainer(found.model, found.scope).explain(name)


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
