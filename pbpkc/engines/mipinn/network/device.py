"""Where a network can be trained: asked before any work is done."""

from __future__ import annotations

import os

from pbpkc.engines.mipinn.network.options import NetworkOptions

#: Normal matrices of a step in memory at its peak: of the linear equations, of all, its factor, a copy.
COPIES = 4.0


def demand_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises
    ------
    ValueError
        Saying what torch sees.
    """
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        build = "this build of torch is for CPUs" if torch.version.cuda is None else "torch finds none"
        raise ValueError(f"device is 'cuda', and there is no GPU to use: {build}; leave out --device")


def step_memory(states: int, features: int, points: int, options: NetworkOptions) -> float:
    """Bytes that a step of the training needs at its peak, about.

    Parameters
    ----------
    states, features : int
    points : int
        Quadrature points of a segment.
    options : NetworkOptions
    """
    unknowns = states * features
    curves = 40.0 * states * points  # of the equations and what autograd keeps of them
    return 8.0 * options.tasks * (COPIES * unknowns**2 + curves)


def free_memory(device: str) -> float | None:
    """Bytes that are free; None where the system does not tell."""
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
