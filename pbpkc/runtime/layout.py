"""Names and sparsity of a generated module, read from its manifest; the same for every target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pbpkc.compiler.module import GeneratedModule


class Layout:
    """What the entries of y, p, u and of sparse derivatives are.

    Parameters
    ----------
    generated : GeneratedModule

    Attributes
    ----------
    manifest : mapping
    state_names, parameter_names, input_names, observable_names, rate_names : tuple of str
        In the order of y, p, u, `observe` and `rates`.
    """

    def __init__(self, generated: GeneratedModule) -> None:
        self.generated = generated
        self.manifest: Mapping[str, Any] = generated.manifest
        self.state_names = _names(self.manifest["states"])
        self.parameter_names = _names(self.manifest["parameters"])
        self.input_names = _names(self.manifest["inputs"])
        self.observable_names = _names(self.manifest["observables"])
        self.rate_names = _names(self.manifest["rates"])
        self._selected: dict[tuple[str, tuple[int, ...]], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the equations."""
        return self.generated.fingerprint

    @cached_property
    def state_index(self) -> Mapping[str, int]:
        """Position of each state in y."""
        return {name: k for k, name in enumerate(self.state_names)}

    @cached_property
    def parameter_index(self) -> Mapping[str, int]:
        """Position of each parameter in p."""
        return {name: k for k, name in enumerate(self.parameter_names)}

    @cached_property
    def input_index(self) -> Mapping[str, int]:
        """Position of each input in u."""
        return {name: k for k, name in enumerate(self.input_names)}

    @cached_property
    def observable_index(self) -> Mapping[str, int]:
        """Position of each observable in what `observe` gives."""
        return {name: k for k, name in enumerate(self.observable_names)}

    @cached_property
    def held_parameters(self) -> tuple[int, ...]:
        """Positions in p of what may change during a run; its value then is an entry of u."""
        return tuple(int(i["parameter"]) for i in self.manifest["inputs"] if i["kind"] == "held")

    def parameters(self) -> np.ndarray:
        """The spec's values, canonical units, shape (P,); of a masked parameter its prior's median."""
        return np.array([entry["value"] for entry in self.manifest["parameters"]], dtype=float)

    def sparsity(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the non-zero entries of a derivative.

        Parameters
        ----------
        quantity : str
            ``jacobian``, ``d_rhs_dp``, ``d_rhs_du``, ``d_observe_dy``, ``d_observe_dp``, ``d_observe_du``,
            ``d_noise_dp`` or ``d_initial_dp``.
        """
        rows, columns, _ = self._entries(quantity, None)
        return rows, columns

    def _entries(
        self, quantity: str, columns: Sequence[int] | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns within `columns`, and positions among the values, of the entries there."""
        key = (quantity, (-1,) if columns is None else tuple(int(c) for c in columns))
        if key not in self._selected:
            pattern = self.manifest[quantity]
            rows, cols = np.array(pattern["rows"], dtype=int), np.array(pattern["cols"], dtype=int)
            if columns is None:
                entries = (rows, cols, np.arange(len(rows)))
            else:
                pairs = [
                    (position, place)
                    for place, wanted in enumerate(key[1])
                    for position in np.flatnonzero(cols == wanted)
                ]
                positions = np.array([p for p, _ in pairs], dtype=int)
                places = np.array([p for _, p in pairs], dtype=int)
                entries = (rows[positions], places, positions)
            self._selected[key] = entries
        return self._selected[key]


def _names(entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(entry["name"]) for entry in entries)
