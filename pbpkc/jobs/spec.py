"""A spec that was read, and its stages: what every job starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbpkc.compiler.driver import Compiled
    from pbpkc.compiler.kernel.source import Kernels
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
    remade : GeneratedModule, optional
        The generated code as it was kept from an earlier run.
    plain : bool
        Whether the model is what the file says, with nothing changed: such a one is kept.
    """

    path: Path
    model: Model
    given: frozenset[str] = frozenset()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    learned: tuple[Learned, ...] = ()
    remade: GeneratedModule | None = field(default=None, compare=False, repr=False)
    plain: bool = field(default=False, compare=False, repr=False)

    @cached_property
    def stages(self) -> Compiled:
        """Every stage of the compilation, with both targets' text."""
        from pbpkc.compiler.driver import compile_model

        made = compile_model(self.model)
        if self.plain and self.remade is None:
            from pbpkc.jobs.kept import keep

            keep(self.path, self.model, made.generated)
        return made

    @property
    def system(self) -> System:
        """The equations, simplified: dy/dt = N v."""
        return self.stages.analysed.system

    @property
    def generated(self) -> GeneratedModule:
        """The generated code as text, and its manifest."""
        if self.remade is not None:
            return self.remade
        return self._generated

    @cached_property
    def _generated(self) -> GeneratedModule:
        made = self.stages.generated
        return with_kept_kernels(self, made) if self.plain else made

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


def with_kept_kernels(spec: Spec, generated: GeneratedModule) -> GeneratedModule:
    """The generated code with texts of kernels that are kept, and kept once they are written."""
    from pbpkc.jobs.kept import KeptKernels

    def make() -> Kernels:
        kernel = spec.stages.generated.kernel
        assert kernel is not None
        return kernel

    return replace(generated, kernel=KeptKernels(generated, make))
