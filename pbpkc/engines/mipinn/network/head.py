"""The least-squares head for torch: coefficients of many tasks at once, differentiable by the features.

It is the head of `least_squares` (the paper's physics-informed pseudo-inverse), on the generated torch
equations, with all states solved. Residuals are weighed each by itself: weighed together, as `least_squares`
does, every equation would read every state, and a step, which solves 20 tasks several times, would take about
five times as long. Each pass makes the equations linear along a trajectory, the first time
along the reference one, and solves the normal equations. Its derivatives are those of the implicit function:
with g(w, theta) = A' r = 0 at the solution, dw = -(A'A)^-1 dg (as Gauss and Newton have it), so nothing of
the solve itself is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pbpkc.engines.mipinn.basis import Basis
from pbpkc.engines.mipinn.network.segments import Segments
from pbpkc.engines.mipinn.structure import Structure
from pbpkc.runtime.torch_model import TorchModel

#: Tikhonov constant, relative to the trace of the normal matrix. The numpy head has 1e-15; here features
#: are poor at first, and a Cholesky factor must exist.
RIDGE = 1e-13

#: A change of the coefficients, relative to the largest of a task, that ends the passes.
STILL = 1e-4


@dataclass(frozen=True)
class Solution:
    """Coefficients of B tasks.

    Parameters
    ----------
    w : Tensor, shape (B, S, K)
    factor : Tensor, shape (B, S K, S K)
        Cholesky factor of the normal matrix.
    """

    w: Tensor
    factor: Tensor


class TorchHead:
    """Solves segments of one kind by least squares.

    Parameters
    ----------
    model : TorchModel
    structure : Structure
        With all states.
    basis : Basis
        Grid, branches, weight and scale; its features are not looked at.
    device : str
    """

    def __init__(self, model: TorchModel, structure: Structure, basis: Basis, device: str) -> None:
        def tensor(a: object) -> Tensor:
            return torch.as_tensor(np.asarray(a), device=device)

        self.model = model
        grid = basis.grid
        since, weights = grid.quadrature()
        at = grid.values_at(since)
        self.length = grid.length
        self.at, self.slope_at = tensor(at), tensor(grid.slopes_at(since))
        self.branch = tensor(basis.branch.astype(np.int64))
        self.scale, self.floor = tensor(basis.scale), tensor(basis.floor)
        self.root = tensor(np.sqrt(np.maximum(basis.weight @ at.T, 0.0) * weights))  # (branches, Q)
        rows, cols = structure.rows.astype(np.int64), structure.cols.astype(np.int64)
        self.rows, self.cols = tensor(rows), tensor(cols)
        self.known = tensor(structure.entries >= 0)
        self.entries = tensor(np.maximum(structure.entries, 0).astype(np.int64))
        self.groups = [tensor(np.flatnonzero(rows == i)) for i in range(structure.size)]
        self.group_cols = [tensor(cols[rows == i]) for i in range(structure.size)]
        self.curved = np.flatnonzero(structure.curved).tolist()
        self.straight = np.flatnonzero(~structure.curved).tolist()
        self.own = [int(np.flatnonzero(cols[rows == i] == i)[0]) for i in range(structure.size)]

    # ---- the features

    def orthonormal(self, values: Tensor) -> Tensor:
        """Features with the same span, orthonormal in each branch's inner product.

        A head's solution depends on the span alone, so the transformation counts as constant.
        """
        with torch.no_grad():
            weighted = (values @ self.at.T) * self.root[:, None]
            triangle = torch.linalg.qr(weighted.mT).R
        result: Tensor = torch.linalg.solve_triangular(triangle.mT, values, upper=False)
        return result

    def curves(self, features: Tensor, w: Tensor, at: Tensor) -> Tensor:
        """What coefficients stand for, scaled, shape (B, Q, S)."""
        shapes = (features @ at.T)[self.branch]  # (S, K, Q)
        return torch.einsum("bsk,skq->bqs", w, shapes)

    # ---- the equations

    def weights(self, batch: Segments) -> Tensor:
        """Square root of the weight of each residual, shape (B, Q, S)."""
        size = batch.diagonal + 4.0 / self.length
        return self.root[self.branch].T / size[:, None]

    def jacobian(self, batch: Segments, y: Tensor) -> Tensor:
        """Derivatives of the equations by the states that they read, shape (B, Q, E)."""
        values = self.model.jacobian(batch.t, y, batch.p, batch.u)[..., self.entries]
        return torch.where(self.known & torch.isfinite(values), values, 0.0)

    def applied(self, j: Tensor, change: Tensor) -> Tensor:
        """The Jacobian times a change of the states, shape (B, Q, S)."""
        return torch.zeros_like(change).index_add(-1, self.rows, j * change[..., self.cols])

    def residual(self, batch: Segments, features: Tensor, w: Tensor) -> Tensor:
        """Weighted residuals of the generated equations at coefficients w, shape (B, Q, S)."""
        y = batch.y0[:, None] + self.scale * self.curves(features, w, self.at)
        dydt = self.scale * self.curves(features, w, self.slope_at)
        lifted = torch.maximum(y, self.floor)
        r = self.model.residual(batch.t, lifted, dydt, batch.p, batch.u) - batch.extra[:, None]
        below = (y - lifted).detach()
        if bool(torch.any(below)):
            # Beyond a floor the equations go on along their tangent, as in the other heads.
            r = r - self.applied(self.jacobian(batch, lifted), y - lifted)
        return self.weights(batch) * r / self.scale

    def along(self, batch: Segments, features: Tensor, w: Tensor, v: Tensor) -> Tensor:
        """Derivative of the residuals in the direction v of the coefficients, shape (B, Q, S)."""
        y = batch.y0[:, None] + self.scale * self.curves(features, w, self.at)
        j = self.jacobian(batch, torch.maximum(y, self.floor))
        moved = self.scale * self.curves(features, v, self.at)
        dydt = self.curves(features, v, self.slope_at)
        return self.weights(batch) * (dydt - self.applied(j, moved) / self.scale)

    # ---- the solve

    @torch.no_grad()
    def solve(self, batch: Segments, features: Tensor, passes: int) -> Solution:
        """Coefficients with the smallest residual.

        Parameters
        ----------
        batch : Segments
        features : Tensor, shape (branches, K, N)
        passes : int
            At most; fewer where the coefficients do not change any more.
        """
        phi, slope = (features @ self.at.T)[self.branch], (features @ self.slope_at.T)[self.branch]
        y = batch.y
        fixed = self._normal(batch, phi, slope, self.jacobian(batch, y), self.straight)
        w = None
        for _ in range(passes):
            last = w
            j = self.jacobian(batch, y)
            f = self.model.rhs(batch.t, y, batch.p, batch.u) + batch.extra[:, None]
            f = f + self.applied(j, batch.y0[:, None] - y)
            found = self._linear(batch, phi, slope, j, f, fixed)
            w = found.w
            if last is not None and bool(torch.all(_change(w, last) <= STILL)):
                break
            y = batch.y0[:, None] + self.scale * torch.einsum("bsk,skq->bqs", w, phi)
            y = torch.maximum(y, self.floor)
        return found

    def _linear(
        self, batch: Segments, phi: Tensor, slope: Tensor, j: Tensor, f: Tensor, fixed: Tensor
    ) -> Solution:
        b, (n, k) = batch.count, phi.shape[:2]
        full = self._normal(batch, phi, slope, j, self.curved, fixed.clone()).reshape(b, n * k, n * k)
        right = self._projected(batch, phi, slope, j, self.weights(batch) * f / self.scale)
        diagonal = full.diagonal(dim1=-2, dim2=-1)
        diagonal += RIDGE * diagonal.mean(-1, keepdim=True) + 1e-300
        factor, info = torch.linalg.cholesky_ex(full)
        if bool(torch.any(info != 0)):
            diagonal += 1e3 * RIDGE * diagonal.mean(-1, keepdim=True)
            factor = torch.linalg.cholesky_ex(full).L
        w = torch.cholesky_solve(right.reshape(b, n * k, 1), factor)
        return Solution(w.reshape(b, n, k), factor)

    def _normal(
        self,
        batch: Segments,
        phi: Tensor,
        slope: Tensor,
        j: Tensor,
        equations: list[int],
        matrix: Tensor | None = None,
    ) -> Tensor:
        """What some equations add to the normal matrix, shape (B, S, K, S, K)."""
        b, (n, k) = batch.count, phi.shape[:2]
        if matrix is None:
            matrix = phi.new_zeros((b, n, k, n, k))
        root = self.weights(batch)
        for i in equations:
            group, cols = self.groups[i], self.group_cols[i]
            ratio = self.scale[cols] / self.scale[i]
            part = -torch.einsum("bqe,ekq->bekq", j[..., group] * ratio, phi[cols])
            part[:, self.own[i]] += slope[i]
            flat = (part * root[:, None, None, :, i]).flatten(1, 2)  # (B, m K, Q)
            gram = (flat @ flat.mT).reshape(b, len(cols), k, len(cols), k)
            matrix[:, cols[:, None], :, cols[None, :]] += gram.permute(1, 3, 0, 2, 4)
        return matrix

    def _projected(self, batch: Segments, phi: Tensor, slope: Tensor, j: Tensor, r: Tensor) -> Tensor:
        """A' r for weighted residuals (B, Q, S), shape (B, S, K)."""
        r = self.weights(batch) * r
        own = torch.einsum("bqs,skq->bsk", r, slope)
        ratio = self.scale[self.cols] / self.scale[self.rows]
        read = torch.zeros_like(r).index_add(-1, self.cols, j * r[..., self.rows] * ratio)
        return own - torch.einsum("bqs,skq->bsk", read, phi)


def _change(w: Tensor, last: Tensor) -> Tensor:
    """Largest change of the coefficients of each task, relative to the largest of them."""
    return (w - last).abs().amax((1, 2)) / w.abs().amax((1, 2)).clamp_min(1e-300)
