"""What generated code imports, and loading it."""

from pbpkc.runtime.compiled import CompiledModel
from pbpkc.runtime.load import load_numpy, load_torch

__all__ = ["CompiledModel", "load_numpy", "load_torch"]
