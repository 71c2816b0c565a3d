"""Derivatives of the matrices of a linear system by some parameters, and of what they make of a dose.

With W = C (z I - A)^-1 and X = (z I - A)^-1 v, the derivative of C (z I - A)^-1 v by a parameter is
dC X + W dA X + W dv: two solutions with the same factors serve all parameters, and each of them costs a few
products.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pbpkc.compiler.contour.program import ContourProgram
from pbpkc.compiler.gradient import Gradients
from pbpkc.compiler.kernel.c_function import CFunction
from pbpkc.compiler.kernel.program import Names, Program
from pbpkc.compiler.kernel.tangent import along


def slopes(program: ContourProgram, columns: Sequence[int]) -> tuple[Program, ...]:
    """For each parameter the derivatives of the coefficients that change with it, by their index.

    Parameters
    ----------
    program : ContourProgram
    columns : sequence of int
        Indices of parameters.
    """
    system = program.system
    groups = (system.parameters, system.inputs, system.states, system.constants, system.curves)
    names = Names(
        {entry.symbol.name for group in groups for entry in group}
        | {symbol.name for symbol, _ in program.coefficients.lines}
    )
    gradients = Gradients((), frozenset(p.symbol for p in system.parameters))
    return tuple(
        along(program.coefficients, {system.parameters[k].symbol: sp.Integer(1)}, gradients, names)
        for k in columns
    )


def slope_functions(program: ContourProgram, number: int, changed: Program) -> tuple[CFunction, ...]:
    """The products of one direction.

    Parameters
    ----------
    program : ContourProgram
    number : int
        Of the direction.
    changed : Program
        Of `slopes`.
    """
    place = {i: k for k, i in enumerate(program.seen)}
    size = len(program.seen)
    first_b = len(program.matrix)
    first_c = first_b + len(program.offsets)
    first_d = first_c + len(program.readings)
    arguments = "const V *restrict dc, const V *restrict wr, const V *restrict wi"

    rows: dict[int, list[tuple[int, int]]] = {}
    for n, (i, j) in enumerate(program.matrix):
        if n in changed.results and i in place and j in place:
            rows.setdefault(place[i], []).append((n, place[j]))
    lines = []
    for i, terms in rows.items():
        for part in ("r", "i"):
            text = " - ".join(f"dc[{n}]*x{part}[{j}]" for n, j in terms)
            lines.append(f"const V u{part}_{i} = -{text};")
    for r in range(program.rows):
        re = [f"wr[{r * size + i}]*ur_{i} - wi[{r * size + i}]*ui_{i}" for i in rows]
        im = [f"wr[{r * size + i}]*ui_{i} + wi[{r * size + i}]*ur_{i}" for i in rows]
        for n, (row, j) in enumerate(program.readings, first_c):
            if row == r and n in changed.results:
                re.append(f"dc[{n}]*xr[{place[j]}]")
                im.append(f"dc[{n}]*xi[{place[j]}]")
        lines += [f"re[{r}] = {' + '.join(re) or 'ALL(0.0)'};", f"im[{r}] = {' + '.join(im) or 'ALL(0.0)'};"]
    both = CFunction(
        f"along_{number}",
        f"{arguments}, const V *restrict xr, const V *restrict xi, V *restrict re, V *restrict im",
        "Derivatives of the rows of a column by the matrices.",
        tuple(lines),
    )

    lines = []
    for n, i in enumerate(program.offsets, first_b):
        if n in changed.results and i in place:
            for r in range(program.rows):
                at = r * size + place[i]
                lines += [f"re[{r}] += dc[{n}]*wr[{at}];", f"im[{r}] += dc[{n}]*wi[{at}];"]
    offset = CFunction(
        f"offset_along_{number}", f"{arguments}, V *restrict re, V *restrict im",
        "Added to these for the constant part of the equations.", tuple(lines),
    )  # fmt: skip

    states = len(program.system.states)
    lines = [f"for (int i = 0; i < {program.rows * states}; i++) full[i] = ALL(0.0);"]
    lines += [f"for (int i = 0; i < {program.rows}; i++) d[i] = ALL(0.0);"]
    for n, (r, j) in enumerate(program.readings, first_c):
        if n in changed.results:
            lines.append(f"full[{r * states + j}] = dc[{n}];")
    for n, r in enumerate(program.constants, first_d):
        if n in changed.results:
            lines.append(f"d[{r}] = dc[{n}];")
    readings = CFunction(
        f"readings_along_{number}", "const V *restrict dc, V *restrict full, V *restrict d",
        "Derivatives of C, as a full matrix, and of d.", tuple(lines),
    )  # fmt: skip
    return both, offset, readings
