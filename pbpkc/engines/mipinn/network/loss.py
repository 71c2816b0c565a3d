"""What the training of a network makes small, with its gradient through the head."""

from __future__ import annotations

import torch
from torch import Tensor

from pbpkc.engines.mipinn.network.head import TorchHead
from pbpkc.engines.mipinn.network.segments import Segments


def loss_of(head: TorchHead, batch: Segments, features: Tensor, objective: str, passes: int) -> Tensor:
    """The loss of some segments, to be differentiated by the features.

    ``physics`` is the weighted mean square of the generated residual at the head's solution, in terms of the
    task's size; ``projection`` the weighted mean square of what the best fit leaves of the trajectories, each
    state in terms of its peak; ``both`` is physics, and the error of the head's solution in the same terms as
    the projection. Each is taken as the mean over tasks of its logarithm: tasks count alike whatever their
    size, and no weight stands between the two of ``both``.

    Parameters
    ----------
    features : Tensor, shape (branches, K, N)
        Orthonormal, see `TorchHead.orthonormal`.
    """
    if objective == "projection":
        return torch.log(_unfitted(head, batch, features)).mean()
    found = head.solve(batch, features, passes)
    w = found.w.clone().requires_grad_(True)
    value = _loss(head, batch, features, w, objective)
    # The solution moves with the features by the implicit function theorem: A'A dw = -d(A' r), but for what
    # the residual that is left adds to A'A. For the residual itself the pull is zero: it is at its minimum.
    (pull,) = torch.autograd.grad(value, w, retain_graph=True)
    v = torch.cholesky_solve(pull.reshape(batch.count, -1, 1), found.factor).reshape(pull.shape)
    fixed = w.detach()
    moved = (head.along(batch, features, fixed, v) * head.residual(batch, features, fixed)).sum()
    return value - moved + moved.detach()


def _loss(head: TorchHead, batch: Segments, features: Tensor, w: Tensor, objective: str) -> Tensor:
    r = head.residual(batch, features, w)
    size = ((batch.y - batch.y0[:, None]) / head.scale).abs().amax(1).square().mean(1).clamp_min(1e-300)
    value = torch.log(r.square().sum((1, 2)) / size).mean()
    if objective == "both":
        y = batch.y0[:, None] + head.scale * head.curves(features, w, head.at)
        value = value + torch.log(_mean_square(head, batch, y - batch.y)).mean()
    return value


def _mean_square(head: TorchHead, batch: Segments, error: Tensor) -> Tensor:
    """Weighted mean square over the states of errors in terms of their peaks, shape (B,)."""
    moving = batch.peak > 0.0
    share = torch.where(moving[:, None], error / torch.where(moving, batch.peak, 1.0)[:, None], 0.0)
    share = share * head.root[head.branch].T
    return share.square().sum((1, 2)) / moving.sum(1).clamp_min(1)


def _unfitted(head: TorchHead, batch: Segments, features: Tensor) -> Tensor:
    """The same of what the best weighted fit leaves; features are orthonormal, so it is a projection."""
    root = head.root[head.branch]  # (S, Q)
    shapes = (features @ head.at.T)[head.branch] * root[:, None]  # (S, K, Q)
    change = (batch.y - batch.y0[:, None]) * root.T
    coefficients = torch.linalg.solve(shapes @ shapes.mT, shapes @ change.permute(2, 1, 0))  # (S, K, B)
    left = change - (shapes.mT @ coefficients).permute(2, 1, 0)
    moving = batch.peak > 0.0
    share = torch.where(moving[:, None], left / torch.where(moving, batch.peak, 1.0)[:, None], 0.0)
    return share.square().sum((1, 2)) / moving.sum(1).clamp_min(1)
