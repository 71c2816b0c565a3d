"""The `TorchModel`: equations, residual and derivatives as differentiable torch functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pbpkc.compiler.module import GeneratedModule
from pbpkc.runtime.layout import Layout
from pbpkc.runtime.torch_target import TorchModule


class TorchModel(Layout):
    """Equations of one model for torch, with names and with dense derivatives.

    Shapes are those of `TorchModule`: y (..., S), t a number or (...), u (..., K), p (P,) or (..., P).
    Every method is differentiable and works under `torch.func` transforms.

    Parameters
    ----------
    generated : GeneratedModule
    module : TorchModule
        Built from the torch text of `generated`.
    unknowns : mapping of str to callable, optional
        What `module` was built with.
    """

    def __init__(
        self,
        generated: GeneratedModule,
        module: TorchModule,
        unknowns: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(generated)
        self.module = module
        self._unknowns = dict(unknowns or {})
        self.prepare = module.prepare
        self.prepare_derivatives = module.prepare_derivatives
        self.rhs = module.rhs
        self.rates = module.rates
        self.residual = module.residual
        self.d_residual_dy = module.d_residual_dy
        self.d_residual_dp = module.d_residual_dp
        self.d_residual_du = module.d_residual_du
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
        from pbpkc.runtime.load import load_torch

        return load_torch, (self.generated, self._unknowns or None)

    def dense(self, quantity: str, values: Tensor, columns: Sequence[int] | None = None) -> Tensor:
        """Values of a derivative as a matrix, shape (..., rows, columns).

        Parameters
        ----------
        quantity : str
            ``jacobian``, ``d_rhs_dp``, ``d_rhs_du``, ``d_observe_dy``, ``d_observe_dp``, ``d_observe_du``,
            ``d_noise_dp`` or ``d_initial_dp``.
        values : Tensor, shape (..., nnz)
            What the method of that name gave (or `d_residual_dy` for ``jacobian``, `d_residual_dp` for
            ``d_rhs_dp``).
        columns : sequence of int, optional
            Only these columns, in this order; all where left out.
        """
        states, outputs = len(self.state_names), len(self.observable_names)
        of_outputs = ("d_observe_dy", "d_observe_dp", "d_observe_du")
        heights = {**dict.fromkeys(of_outputs, outputs), "d_noise_dp": 2 * outputs}
        rows = heights.get(quantity, states)
        by_state = quantity in ("jacobian", "d_observe_dy")
        every = states if by_state else len(self.parameter_names)
        every = len(self.input_names) if quantity.endswith("_du") else every
        width = every if columns is None else len(columns)
        at_row, at_column, position = self._entries(quantity, columns)
        place = torch.as_tensor(at_row * width + at_column, device=values.device)
        flat = values.new_zeros((*values.shape[:-1], rows * width))
        chosen = values.index_select(-1, torch.as_tensor(position, device=values.device))
        return flat.index_copy(-1, place, chosen).reshape(*values.shape[:-1], rows, width)
