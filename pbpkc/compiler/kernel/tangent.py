"""Derivatives of straight-line programs along directions, line by line.

A direction says how each symbol that a program reads moves with a parameter. The partial derivatives of a
line do not depend on the direction, so they are computed once for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.gradient import Gradients, power_log, power_slope
from pbpkc.compiler.kernel.program import KernelProgram, Line, Names, NoKernelForm, Program, needed

#: How the symbols that a program reads move: 1 for the parameter itself.
Seeds = Mapping[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Direction:
    """Derivatives of the kernel's programs by one parameter.

    Parameters
    ----------
    column : int
        The parameter.
    kept : mapping of int to Symbol
        The coefficients that change with it, and the symbol of each derivative.
    coefficients : Program
        Those derivatives, by index of the coefficient.
    rhs : Program
        d(dy_i/dt) by state, from the states' derivatives `moved`; reads values named in `shared`.
    jacobian : Program
        Derivative of the Jacobian's entries by position in the pattern, those that are not zero.
    observe : Program
    """

    column: int
    kept: Mapping[int, sp.Symbol]
    coefficients: Program
    rhs: Program
    jacobian: Program
    observe: Program


@dataclass(frozen=True)
class Tangent:
    """Directions of a kernel, and what they have in common.

    Parameters
    ----------
    moved : tuple of Symbol
        Shape (S,): derivatives of the states by the direction's parameter.
    directions : tuple of Direction
    """

    moved: tuple[sp.Symbol, ...]
    directions: tuple[Direction, ...]


def tangent(program: KernelProgram, columns: Sequence[int]) -> Tangent:
    """The kernel's programs differentiated by some parameters.

    Parameters
    ----------
    program : KernelProgram
    columns : sequence of int
        Indices of parameters.

    Raises
    ------
    NoKernelForm
        If the Jacobian holds the slope of a power whose exponent may be below 1.
    """
    for part in (program.coefficients, program.rhs, program.jacobian, program.observe):
        expressions = (*(e for _, e in part.lines), *part.results.values())
        if any(sp.sympify(e).has(power_log, power_slope) for e in expressions):
            raise NoKernelForm("the slope of a power that may be infinite has no derivative of its own")
    system = program.system
    names = program.names.copy()
    steady = frozenset(p.symbol for p in system.parameters) | frozenset(program.kept)
    gradients = Gradients((), steady)
    moved = tuple(names.new(f"s_{i}") for i in range(len(system.states)))
    states = dict(zip((s.symbol for s in system.states), moved, strict=True))
    directions = []
    for column in columns:
        own = {system.parameters[column].symbol: sp.Integer(1)}
        once = along(program.coefficients, own, gradients, names)
        kept = {k: names.new(f"d_{program.kept[k].name}") for k in once.results}
        seeds = {**own, **{program.kept[k]: symbol for k, symbol in kept.items()}}
        with_states = {**seeds, **states}
        directions.append(
            Direction(
                column,
                kept,
                once,
                along(program.rhs, with_states, gradients, names),
                along(program.jacobian, with_states, gradients, names),
                along(program.observe, with_states, gradients, names),
            )
        )
    return Tangent(moved, tuple(directions))


def along(program: Program, seeds: Seeds, gradients: Gradients, names: Names) -> Program:
    """The derivatives of a program's results, those that are not zero; its own lines come first."""
    known: dict[sp.Symbol, sp.Expr] = dict(seeds)
    lines: list[Line] = list(program.lines)
    for symbol, expr in program.lines:
        slope = _chained(expr, known, gradients)
        if slope != 0:
            known[symbol] = names.new(f"d_{symbol.name}")
            lines.append((known[symbol], slope))
    results = {i: d for i, e in program.results.items() if (d := _chained(e, known, gradients)) != 0}
    return Program(needed(lines, results), results)


def _chained(expr: sp.Expr, known: Mapping[sp.Symbol, sp.Expr], gradients: Gradients) -> sp.Expr:
    parts: defaultdict[sp.Expr, list[sp.Expr]] = defaultdict(list)
    for symbol, slope in gradients.of(sp.sympify(expr)).items():
        if symbol in known:
            parts[known[symbol]].append(slope)
    return sp.Add(*(sp.Add(*slopes) * direction for direction, slopes in parts.items()))
