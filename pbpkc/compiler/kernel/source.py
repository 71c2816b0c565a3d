"""The C texts of a system's kernels, written when something first needs them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pbpkc.compiler.analysed import AnalysedSystem
    from pbpkc.compiler.kernel.program import KernelProgram


@dataclass(frozen=True)
class KernelText:
    """C text; or, empty, with the reason why there is none (completes "the model has no kernel: ...").

    Parameters
    ----------
    text, reason : str
    single : bool
        Whether it takes one subject at a time: its matrix is factorised by loops with pivots.
    """

    text: str
    reason: str = ""
    single: bool = False


class Kernels(Protocol):
    """Whatever has the texts of a system's kernels; `columns` are parameters to differentiate by."""

    def rosenbrock(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The nonlinear kernel's."""
        ...

    def contour(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The linear kernel's."""
        ...


class KernelSource:
    """The texts of a system's kernels.

    Parameters
    ----------
    analysed : AnalysedSystem
    fingerprint : str
    """

    def __init__(self, analysed: AnalysedSystem, fingerprint: str) -> None:
        self._analysed, self._fingerprint = analysed, fingerprint
        self._texts: dict[tuple[int, ...], KernelText] = {}
        self._contours: dict[tuple[int, ...], KernelText] = {}

    def rosenbrock(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The nonlinear kernel's, with derivatives by some parameters."""
        if columns not in self._texts:
            self._texts[columns] = self._rosenbrock(columns)
        return self._texts[columns]

    def _rosenbrock(self, columns: tuple[int, ...]) -> KernelText:
        from pbpkc.compiler.kernel.program import NoKernelForm
        from pbpkc.compiler.kernel.rosenbrock import needs_pivots, rosenbrock_text
        from pbpkc.compiler.kernel.tangent import tangent

        try:
            along = tangent(self._program, columns) if columns else None
            text = rosenbrock_text(self._program, self._fingerprint, along)
            return KernelText(text, single=needs_pivots(self._program))
        except NoKernelForm as error:
            return KernelText("", error.reason)

    def contour(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The linear kernel's, with derivatives by some parameters."""
        if columns not in self._contours:
            self._contours[columns] = self._contour(columns)
        return self._contours[columns]

    def _contour(self, columns: tuple[int, ...]) -> KernelText:
        from pbpkc.compiler.contour.program import contour_program
        from pbpkc.compiler.contour.text import contour_text
        from pbpkc.compiler.kernel.defaults import with_defaults
        from pbpkc.compiler.kernel.program import NoKernelForm

        try:
            program = contour_program(with_defaults(self._analysed))
            return KernelText(contour_text(program, self._fingerprint, columns))
        except NoKernelForm as error:
            return KernelText("", error.reason)

    @cached_property
    def _program(self) -> KernelProgram:
        from pbpkc.compiler.kernel.defaults import with_defaults
        from pbpkc.compiler.kernel.program import kernel_program

        return kernel_program(with_defaults(self._analysed))

    def __reduce__(
        self,
    ) -> tuple[Callable[..., WrittenKernel], tuple[Mapping[tuple[int, ...], KernelText], ...]]:
        # Another process needs texts alone; it gets those that were written here, and the plain ones.
        self.rosenbrock()
        self.contour()
        return WrittenKernel, (dict(self._texts), dict(self._contours))


class WrittenKernel:
    """As `KernelSource`, where the system is not at hand.

    Parameters
    ----------
    texts, contours : mapping of tuple of int to KernelText
        Of the nonlinear and of the linear kernel.
    """

    def __init__(
        self, texts: Mapping[tuple[int, ...], KernelText], contours: Mapping[tuple[int, ...], KernelText]
    ) -> None:
        self._texts, self._contours = texts, contours

    def rosenbrock(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The nonlinear kernel's, if it was written before the system was left behind."""
        return self._texts.get(columns) or KernelText("", _NOT_SENT)

    def contour(self, columns: tuple[int, ...] = ()) -> KernelText:
        """The linear kernel's, if it was written before the system was left behind."""
        return self._contours.get(columns) or KernelText("", _NOT_SENT)


_NOT_SENT = "its text with these derivatives was not sent along"
