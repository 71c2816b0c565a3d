"""A spec that was read, and its stages: what every job starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbpkc.compiler.driver import Compiled
    from pbpkc.compiler.missing import Learned
    from pbpkc.compiler.module import GeneratedModule
    from pbpkc.compiler.system import System
    from pbpkc.language.model import Model
    from pbpkc.runtime.compiled import CompiledModel
    from pbpkc.runtime.torch_model import TorchModel


@dataclass(frozen=True)
class Spec:
    """A spec that was read and resolved; compiled when something first needs it.

    Parameters
    ----------
    path : Path
        Of the spec; data files of its scenarios are looked for beside it.
    model : Model
    given : frozenset of str
        Names whose value, mask or unmasking comes from this run and not from the spec.
    settings : mapping of str to tuple of str
        What the run changed, as it was typed: ``set``, ``mask``, ``unmask``, ``unknown``, ``learn``.
    learned : tuple of Learned
        Unknown terms that have a form with coefficients in this run.
    """

    path: Path
    model: Model
    given: frozenset[str] = frozenset()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    learned: tuple[Learned, ...] = ()

    @cached_property
    def stages(self) -> Compiled:
        """Every stage of the compilation, with both targets' text."""
        from pbpkc.compiler.driver import compile_model

        return compile_model(self.model)

    @property
    def system(self) -> System:
        """The equations, simplified: dy/dt = N v."""
        return self.stages.analysed.system

    @property
    def generated(self) -> GeneratedModule:
        """The generated code as text, and its manifest."""
        return self.stages.generated

    @cached_property
    def compiled(self) -> CompiledModel:
        """The numpy module, loaded."""
        from pbpkc.runtime.load import load_numpy

        return load_numpy(self.generated)

    def torch(self, unknowns: Mapping[str, Callable[..., Any]] | None = None) -> TorchModel:
        """The torch module, loaded: residual, rhs, observe and their analytic derivatives.

        Parameters
        ----------
        unknowns : mapping of name to callable, optional
            Functions of tensors in place of the spec's defaults.
        """
        from pbpkc.runtime.load import load_torch

        return load_torch(self.generated, dict(unknowns) if unknowns else None)
