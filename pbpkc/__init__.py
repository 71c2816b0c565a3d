"""pbpkc: a compiler and solver for physiologically based pharmacokinetic models.

``model = pbpkc.load("x.pbpk")`` reads a spec; ``model.simulate()``, ``model.check()``, ``model.fit()`` and
``model.torch()`` do what the command line does. Importing this loads neither torch nor sympy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbpkc.language.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from pbpkc.jobs.loaded import LoadedModel, load

__all__ = ["Diagnostic", "LoadedModel", "SpecError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # The language and the solver cost a tenth of a second to import, so they wait for their first use.
    if name in ("load", "LoadedModel"):
        from pbpkc.jobs import loaded

        return getattr(loaded, name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("pbpkc")
        except PackageNotFoundError:  # a checkout that was never installed
            return "0+unknown"
    raise AttributeError(f"module 'pbpkc' has no attribute {name!r}")
