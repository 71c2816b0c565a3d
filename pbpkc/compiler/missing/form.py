"""A form of an unknown term: an expression of its arguments and of coefficients that can be estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.compiler.missing.algebra import on_arrays
from pbpkc.language.expression import Expr
from pbpkc.language.model import Mask, Unknown
from pbpkc.language.units import Unit

Array = NDArray[np.float64]


class FormError(ValueError):
    """A form that cannot be made for a term; the message says why, and what would help."""


@dataclass(frozen=True)
class Coefficient:
    """What is estimated of a form.

    Parameters
    ----------
    name : str
        Unique in the form; the body reads it by this name.
    unit : Unit
    mask : Mask
        Prior, bounds (canonical) and scale.
    start : float
        Where the search begins: the median of the prior, canonical.
    doc : str
    """

    name: str
    unit: Unit
    mask: Mask
    start: float
    doc: str = ""


@dataclass(frozen=True)
class Form:
    """A form of an unknown term.

    Parameters
    ----------
    kind : str
        What a report calls it: ``basis``, ``network``, ``Michaelis-Menten``.
    coefficients : tuple of Coefficient
    fixed : tuple of (name, Expr)
        Values computed of coefficients alone, each reading only earlier ones.
    steps : tuple of (name, Expr)
        Values computed of the arguments too, each reading only earlier ones.
    value : Expr
        Of the term, in terms of arguments, coefficients, `fixed` and `steps`.
    """

    kind: str
    coefficients: tuple[Coefficient, ...]
    fixed: tuple[tuple[str, Expr], ...]
    steps: tuple[tuple[str, Expr], ...]
    value: Expr

    @property
    def start(self) -> Array:
        """Starting values of the coefficients, canonical, shape (k,)."""
        return np.array([c.start for c in self.coefficients])

    def values(
        self,
        unknown: Unknown,
        arguments: Sequence[Array],
        coefficients: Array,
        others: Mapping[str, float] | None = None,
    ) -> Array:
        """The form at given arguments.

        Parameters
        ----------
        unknown : Unknown
            The term it stands for.
        arguments : sequence of ndarray, one an argument, shapes that broadcast
        coefficients : ndarray, shape (k,)
        others : mapping of str to float, optional
            Of what the form reads of the model beside. All canonical.
        """
        known: dict[str, object] = dict(others or {})
        known |= {c.name: float(x) for c, x in zip(self.coefficients, coefficients, strict=True)}
        known |= {a.name: np.asarray(x, float) for a, x in zip(unknown.arguments, arguments, strict=True)}
        with np.errstate(all="ignore"):
            for name, expr in (*self.fixed, *self.steps):
                known[name] = on_arrays(expr, known)
            found = on_arrays(self.value, known)
        shape = np.broadcast_shapes(*(np.shape(x) for x in arguments))
        return np.broadcast_to(np.asarray(found, dtype=float), shape)

    def slopes(
        self,
        unknown: Unknown,
        arguments: Sequence[Array],
        coefficients: Array,
        others: Mapping[str, float] | None = None,
    ) -> Array:
        """Derivatives of the form by its coefficients, shape (..., k).

        Central differences with a step of eps**(1/3) of each coefficient: the form is a formula in
        floating point, not the output of a solver, so they have about ten digits.
        """
        columns = []
        for k, at in enumerate(coefficients):
            step = np.finfo(float).eps ** (1 / 3) * (abs(at) or 1.0)
            ends = []
            for sign in (1.0, -1.0):
                moved = np.array(coefficients, dtype=float)
                moved[k] = at + sign * step
                ends.append(self.values(unknown, arguments, moved, others))
            columns.append((ends[0] - ends[1]) / (2.0 * step))
        return np.stack(columns, axis=-1)


def default_values(unknown: Unknown, arguments: Sequence[Array]) -> Array | None:
    """The term's default at given arguments, canonical; None without a default."""
    if unknown.default is None:
        return None
    known: Mapping[str, Array] = {
        a.name: np.asarray(x, float) for a, x in zip(unknown.arguments, arguments, strict=True)
    }
    shape = np.broadcast_shapes(*(np.shape(x) for x in arguments))
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(on_arrays(unknown.default, known), dtype=float), shape)
