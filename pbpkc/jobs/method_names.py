"""The methods of a fit by name, apart from what they need, so that a help page can list them."""

from __future__ import annotations

#: What `--method` accepts, with the line its help shows.
METHODS = {
    "least-squares": "exact solves with exact sensitivities, bounded Fisher scoring from several starts",
    "finite-differences": "the same with derivatives by differences over a sound step (1e-3)",
    "finite-differences-default": "the same over SciPy's default step, below the solver's error: a trap",
    "trust-region": "SciPy's trf from the given start, exact sensitivities (for MATLAB's lsqcurvefit; the "
    "residual error has to be held)",
    "trust-region-default": "the same with everything as SciPy has it by default, 2-point differences",
    "cma-es": "an evolution strategy, then Fisher scoring (needs pip install 'pbpkc[fit]')",
    "pinn": "the standard inverse PINN: network and parameters optimised together, reported as it ends",
    "mi-pinn": "a trained model (--model FILE of pbpkc meta-train), decided by the reference solver",
}

#: Methods that read each further choice.
READ_BY = {
    "budget": ("cma-es", "pinn"),
    "population": ("cma-es",),
    "model": ("mi-pinn",),
    "head": ("mi-pinn",),
}

#: Methods that need the equations for torch.
NEED_TORCH = frozenset({"pinn"})
