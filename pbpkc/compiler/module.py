"""The `GeneratedModule`: the text of the generated code and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbpkc.compiler.kernel.source import Kernels

#: Changes whenever the same `System` gives another text; part of every fingerprint.
TEMPLATE_VERSION = "2"

#: The version of the manifest's own form.
MANIFEST_FORMAT = 2


@dataclass(frozen=True)
class GeneratedModule:
    """Generated code as text, and its manifest.

    Parameters
    ----------
    numpy_text : str
        A Python module for numpy: ``build(unknowns)`` gives its `Module`.
    torch_text : str or None
        The same for torch; None where it was not asked for.
    manifest : mapping
        What JSON can hold: names, units and order of states, parameters, inputs and observables,
        sparsity, structure, fingerprint, versions.
    kernel : Kernels, optional
        C text for many subjects at once, written when it is first read.
    """

    numpy_text: str
    torch_text: str | None
    manifest: Mapping[str, Any]
    kernel: Kernels | None = field(default=None, compare=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of the simplified `System` and the template version."""
        return str(self.manifest["fingerprint"])
