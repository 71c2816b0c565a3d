"""The C text of a system's kernel, written when something first needs it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbpkc.compiler.analysed import AnalysedSystem


class KernelSource:
    """The text of a kernel, or why there is none.

    Parameters
    ----------
    analysed : AnalysedSystem
    fingerprint : str
    """

    def __init__(self, analysed: AnalysedSystem, fingerprint: str) -> None:
        self._analysed, self._fingerprint = analysed, fingerprint

    @cached_property
    def rosenbrock(self) -> KernelText:
        """The nonlinear kernel's."""
        from pbpkc.compiler.kernel.program import NoKernelForm, kernel_program
        from pbpkc.compiler.kernel.rosenbrock import rosenbrock_text

        try:
            return KernelText(rosenbrock_text(kernel_program(self._analysed), self._fingerprint))
        except NoKernelForm as error:
            return KernelText("", error.reason)

    def __reduce__(self) -> tuple[Callable[..., WrittenKernel], tuple[KernelText]]:
        # Another process needs the text alone.
        return WrittenKernel, (self.rosenbrock,)


class KernelText:
    """C text; or, empty, with the reason why the system has none (completes "the model has no kernel: ...").

    Parameters
    ----------
    text, reason : str
    """

    def __init__(self, text: str, reason: str = "") -> None:
        self.text, self.reason = text, reason


class WrittenKernel:
    """As `KernelSource`, where the system is not at hand.

    Parameters
    ----------
    rosenbrock : KernelText
    """

    def __init__(self, rosenbrock: KernelText) -> None:
        self.rosenbrock = rosenbrock
