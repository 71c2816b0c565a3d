"""Compiled forms of one model, for scenarios that set what the equations compute.

``set BW = 18 [kg]`` changes an entry of `p`. ``set liver.volume = 1.5 [L]``, where the spec scales the
volume by weight, needs equations in which the volume is a parameter: another compilation, made once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pbpkc.compiler.specialise import hold, is_leaf
from pbpkc.experiment.regimen import Regimen
from pbpkc.experiment.scenario import not_in_equations
from pbpkc.language.evaluate import evaluate_definitions
from pbpkc.language.model import Model
from pbpkc.runtime.load import load_numpy

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec
    from pbpkc.runtime.compiled import CompiledModel


class Variants:
    """The compiled forms of a loaded model, by the names that became parameters.

    Parameters
    ----------
    loaded : Spec
    torch : bool
        Whether they need equations for torch too.
    """

    def __init__(self, loaded: Spec, torch: bool = False) -> None:
        self.loaded, self.torch = loaded, torch
        self._made: dict[frozenset[str], tuple[Model, CompiledModel]] = {}

    def for_run(self, overrides: Mapping[str, float], regimen: Regimen) -> tuple[Model, CompiledModel]:
        """As `for_settings`, with what the runs before set as a parameter too, at its value of this run."""
        before: set[str] = set()
        after = regimen.after
        while after is not None:
            before |= after.overrides.keys()
            after = after.regimen.after
        if not before:
            return self.for_settings(overrides)
        definitions = self.loaded.model.definitions
        lookup = evaluate_definitions({name: d.expr for name, d in definitions.items()}, {})
        return self.for_settings({**{name: float(lookup(name)) for name in sorted(before)}, **overrides})

    def for_settings(self, overrides: Mapping[str, float]) -> tuple[Model, CompiledModel]:
        """The model and its compiled form in which every set name that matters is a parameter."""
        base = self.loaded.compiled
        missing = frozenset(not_in_equations(base, overrides))
        definitions = self.loaded.model.definitions
        # What is a plain number in the spec and yet no parameter is read by nothing in the equations.
        derived = frozenset(
            name for name in missing if name in definitions and _is_computed(self.loaded.model, name)
        )
        if not derived:
            return self.loaded.model, base
        if derived not in self._made:
            from pbpkc.compiler.driver import compile_model  # loads sympy, which most runs do without

            model = hold(self.loaded.model, {name: overrides[name] for name in derived})
            self._made[derived] = model, load_numpy(compile_model(model, torch=self.torch).generated)
        return self._made[derived]


def _is_computed(model: Model, name: str) -> bool:

    return not is_leaf(model, name) or "<" in name
