"""The `System`: dy/dt = N v(t, y, p, u) in plain numbers of umol, L, h and kg."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from pbpkc.language.model import Mask
from pbpkc.language.units import Unit


@dataclass(frozen=True)
class Parameter:
    """A leaf parameter: one entry of `p`, natural scale, canonical units.

    `value` is the spec's (the median of the prior where masked). `kind` as in `Definition`.
    """

    name: str
    symbol: sp.Symbol
    value: float
    unit: Unit
    kind: str
    mask: Mask | None = None
    bounds: tuple[float, float] | None = None
    doc: str = ""
    source: str = ""


@dataclass(frozen=True)
class StateVariable:
    """One entry of `y`. It is kept in `unit`; `scale` canonical units are one of it (1 for amounts).

    `space` is "blood" or "tissue" in a permeability-limited tissue.
    """

    name: str
    symbol: sp.Symbol
    unit: Unit
    node: str | None
    species: str | None
    sink: bool
    space: str | None = None


@dataclass(frozen=True)
class Input:
    """One entry of `u`.

    Parameters
    ----------
    name : str
    symbol : Symbol
    kind : {"infusion", "tad", "held"}
        ``infusion`` into `target` (a state name; umol/h), ``tad``, the time since the last dose of the
        species `target` (h), or ``held``, what the parameter `target` is at a moment. The entry of `p` is
        then its value at the beginning.
    target : str
    hold : {"", "last", "next", "linear"}
        How a held value goes on between two points.
    bounds : tuple of float
        What it may be, canonical units.
    """

    name: str
    symbol: sp.Symbol
    kind: str
    target: str
    hold: str = ""
    bounds: tuple[float, float] = (0.0, math.inf)

    @property
    def runs(self) -> bool:
        """Whether it changes between events, as a clock does."""
        return self.kind == "tad" or self.hold == "linear"


@dataclass(frozen=True)
class Assignment:
    """One line of a straight-line program: a named intermediate value."""

    name: str
    symbol: sp.Symbol
    expr: sp.Expr
    doc: str = ""


@dataclass(frozen=True)
class Rate:
    """One entry of `v`, in the state's unit per hour."""

    name: str
    symbol: sp.Symbol
    expr: sp.Expr
    kind: str
    reversible: bool


@dataclass(frozen=True)
class Output:
    """An observable, in its unit (`expr` is already divided by the unit's factor).

    `error`: kind of the residual error; `proportional` and `additive` (in the observable's unit) read
    parameters and constants only, zero where absent; so does `lloq`, None where absent.
    """

    name: str
    expr: sp.Expr
    unit: Unit
    error: str | None
    proportional: sp.Expr
    additive: sp.Expr
    lloq: sp.Expr | None
    doc: str = ""


@dataclass(frozen=True)
class UnknownTerm:
    """An unknown function; in expressions it is applied as ``sp.Function(name)``.

    `default` is an expression in the `arguments` symbols, or None. Ranges, anchors canonical.
    """

    name: str
    function: sp.core.function.UndefinedFunction
    arguments: tuple[sp.Symbol, ...]
    argument_ranges: tuple[tuple[float, float], ...]
    range: tuple[float, float] | None
    shapes: tuple[tuple[str, str], ...]
    anchors: tuple[tuple[tuple[float, ...], float], ...]
    default: sp.Expr | None
    unit: Unit
    argument_units: tuple[Unit, ...]


@dataclass(frozen=True)
class System:
    """Equations as data.

    The equations are ``dy_i/dt = sum_j N[i, j] v_j + (infusions into i)``. `constants` are evaluated
    once for given `p`; `curves` need y, t, u as well; both are in an order in which they can be
    evaluated, each reading only earlier ones. `N` maps (state index, rate index) to a coefficient
    that is a number, or an expression of constants, held inputs and curves of those where a split divides
    a product.

    `initial` reads parameters and constants: of what may change during a run, the value at the beginning.
    All expressions share the symbols held here; symbol names are valid Python identifiers, made from the
    spec's names, and unique.
    """

    name: str
    title: str
    time: sp.Symbol
    time_unit: Unit
    parameters: tuple[Parameter, ...]
    states: tuple[StateVariable, ...]
    inputs: tuple[Input, ...]
    constants: tuple[Assignment, ...]
    curves: tuple[Assignment, ...]
    rates: tuple[Rate, ...]
    N: Mapping[tuple[int, int], sp.Expr]
    initial: tuple[sp.Expr, ...]
    outputs: tuple[Output, ...]
    unknowns: tuple[UnknownTerm, ...]
