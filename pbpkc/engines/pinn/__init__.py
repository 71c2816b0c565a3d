"""The standard inverse PINN: a network for all states and the masked parameters, optimised together."""

from pbpkc.engines.pinn.options import PinnOptions
from pbpkc.engines.pinn.search import Pinn

__all__ = ["Pinn", "PinnOptions"]
