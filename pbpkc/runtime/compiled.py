"""The `CompiledModel`: what solvers, fits and checks call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pbpkc.compiler.module import GeneratedModule
from pbpkc.runtime.layout import Layout
from pbpkc.runtime.numpy_target import NumpyModule


class CompiledModel(Layout):
    """Equations of one model for numpy, with names and with dense derivatives.

    Shapes are those of `NumpyModule`: y (..., S), t a number or (...), u (..., K), p (P,) or (..., P).
    It can be pickled (its unknown terms' callables too, where they can) and is not changed by use.

    Parameters
    ----------
    generated : GeneratedModule
    module : NumpyModule
        Built from the numpy text of `generated`.
    unknowns : mapping of str to callable, optional
        What `module` was built with.
    """

    def __init__(
        self,
        generated: GeneratedModule,
        module: NumpyModule,
        unknowns: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(generated)
        self.module = module
        self._unknowns = dict(unknowns or {})
        # Bound once: a solver calls these thousands of times.
        self.prepare = module.prepare
        self.prepare_derivatives = module.prepare_derivatives
        self.rhs = module.rhs
        self.rates = module.rates
        self.jacobian = module.jacobian
        self.d_rhs_dp = module.d_rhs_dp
        self.observe = module.observe
        self.d_observe_dy = module.d_observe_dy
        self.d_observe_dp = module.d_observe_dp
        self.d_rhs_du = module.d_rhs_du
        self.d_observe_du = module.d_observe_du
        self.initial_state = module.initial_state
        self.d_initial_dp = module.d_initial_dp
        self.noise = module.noise
        self.d_noise_dp = module.d_noise_dp
        self.lloq = module.lloq

    def __reduce__(self) -> tuple[Any, ...]:
        from pbpkc.runtime.load import load_numpy

        return load_numpy, (self.generated, self._unknowns or None)

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Unknown terms for which a function was given, so that their defaults do not hold."""
        return tuple(self._unknowns)

    @property
    def inexact_unknowns(self) -> tuple[str, ...]:
        """Unknown terms whose derivatives are finite differences, which a fit does not accept."""
        return tuple(name for name, term in self.module.unknowns.items() if not term.exact)

    def jacobian_dense(
        self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None
    ) -> np.ndarray:
        """d(dy/dt)/dy, shape (..., S, S)."""
        states = len(self.state_names)
        return self._dense("jacobian", self.jacobian(t, y, p, u, c), states, states, None)

    def d_rhs_dp_dense(
        self,
        t: ArrayLike,
        y: ArrayLike,
        p: ArrayLike,
        u: ArrayLike,
        columns: Sequence[int],
        c: Any = None,
        dc: Any = None,
    ) -> np.ndarray:
        """d(dy/dt)/dp for the parameters in `columns`, shape (..., S, len(columns))."""
        values = self.d_rhs_dp(t, y, p, u, c, dc)
        return self._dense("d_rhs_dp", values, len(self.state_names), len(columns), columns)

    def d_observe_dy_dense(
        self, t: ArrayLike, y: ArrayLike, p: ArrayLike, u: ArrayLike, c: Any = None
    ) -> np.ndarray:
        """d(observable)/dy, shape (..., O, S)."""
        values = self.d_observe_dy(t, y, p, u, c)
        return self._dense("d_observe_dy", values, len(self.observable_names), len(self.state_names), None)

    def d_observe_dp_dense(
        self,
        t: ArrayLike,
        y: ArrayLike,
        p: ArrayLike,
        u: ArrayLike,
        columns: Sequence[int],
        c: Any = None,
        dc: Any = None,
    ) -> np.ndarray:
        """d(observable)/dp at a fixed state for `columns`, shape (..., O, len(columns))."""
        values = self.d_observe_dp(t, y, p, u, c, dc)
        return self._dense("d_observe_dp", values, len(self.observable_names), len(columns), columns)

    def d_noise_dp_dense(
        self, p: ArrayLike, columns: Sequence[int], c: Any = None, dc: Any = None
    ) -> np.ndarray:
        """d(noise)/dp for `columns`, shape (..., O, 2, len(columns)): proportional, additive."""
        outputs = len(self.observable_names)
        dense = self._dense("d_noise_dp", self.d_noise_dp(p, c, dc), 2 * outputs, len(columns), columns)
        return dense.reshape(*dense.shape[:-2], outputs, 2, len(columns))

    def d_initial_dp_dense(
        self, p: ArrayLike, columns: Sequence[int], c: Any = None, dc: Any = None
    ) -> np.ndarray:
        """d(initial state)/dp for `columns`, shape (..., S, len(columns))."""
        values = self.d_initial_dp(p, c, dc)
        return self._dense("d_initial_dp", values, len(self.state_names), len(columns), columns)

    def _dense(
        self, quantity: str, values: np.ndarray, rows: int, columns: int, wanted: Sequence[int] | None
    ) -> np.ndarray:
        at_row, at_column, position = self._entries(quantity, wanted)
        dense = np.zeros((*values.shape[:-1], rows, columns))
        dense[..., at_row, at_column] = values[..., position]
        return dense
