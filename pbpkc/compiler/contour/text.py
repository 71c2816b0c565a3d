"""ContourProgram -> the C text of the linear kernel over lanes of subjects."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pbpkc.compiler.contour.elimination import Elimination, Value
from pbpkc.compiler.contour.program import ContourProgram
from pbpkc.compiler.contour.slopes import slope_functions, slopes
from pbpkc.compiler.kernel.c_function import CFunction, body, comment
from pbpkc.compiler.kernel.program import Program
from pbpkc.compiler.kernel.sparse_lu import Entry, symbolic_lu
from pbpkc.compiler.manifest import versions
from pbpkc.compiler.templates import code_templates

#: Part of the text, and so of the key under which it is cached: raise it when the template changes.
TEMPLATE_VERSION = 2

_Z = Value("zr", "zi")


def contour_text(program: ContourProgram, fingerprint: str, columns: Sequence[int] = ()) -> str:
    """The C text of a kernel.

    Parameters
    ----------
    program : ContourProgram
    fingerprint : str
        Of the system, for the header.
    columns : sequence of int
        Parameters that r is differentiated by.

    Returns
    -------
    str
        The same input gives the same bytes.
    """
    system = program.system
    changed = slopes(program, columns)
    every = tuple(range(len(system.states)))
    factor, solve, stored = _whole(program)
    both_at, solve_seen, seen_stored = _both(program)
    functions = (
        _coefficients(
            program, program.coefficients, "coefficients", "c", "Entries of -A, b, C and d, for each subject."
        ),
        _stable("stable_rows", program, program.seen),
        _stable("stable_states", program, every),
        *_rows_at(program),
        factor,
        solve,
        *((both_at, solve_seen) if columns else ()),
    )
    directions = []
    for d, one in enumerate(changed):
        own = _coefficients(program, one, f"d_coefficients_{d}", "dc", "Their derivatives.")
        directions += [own, *slope_functions(program, d, one)]
    first = len(program.matrix)
    return (
        code_templates()
        .get_template("contour.c.j2")
        .render(
            title=comment(f"{system.name}: {system.title}"),
            version=versions()["pbpkc"],
            template_version=TEMPLATE_VERSION,
            fingerprint=comment(fingerprint),
            S=len(system.states),
            P=len(system.parameters),
            K=len(system.inputs),
            C=len(program.coefficients.results),
            R=program.rows,
            SEEN=len(program.seen),
            STORED=stored,
            SEEN_STORED=seen_stored,
            circuit=program.circuit,
            whole_circuit=program.whole_circuit,
            linear_observables=not program.read_states,
            places=[program.seen.index(i) if i in program.seen else -1 for i in every],
            read_states=program.read_states,
            offsets=[(i, first + n) for n, i in enumerate(program.offsets)],
            readings=_numbered(program.readings, first + len(program.offsets)),
            constants=[
                (r, first + len(program.offsets) + len(program.readings) + n)
                for n, r in enumerate(program.constants)
            ],
            functions=(*functions, *directions),
            D=len(columns),
        )
    )


def _numbered(entries: tuple[Entry, ...], first: int) -> list[tuple[int, int, int]]:
    return [(i, j, first + n) for n, (i, j) in enumerate(entries)]


def _coefficients(program: ContourProgram, what: Program, called: str, target: str, doc: str) -> CFunction:
    system = program.system
    names: dict[sp.Symbol, str] = {p.symbol: f"p[{k}]" for k, p in enumerate(system.parameters)}
    names |= {u.symbol: f"u[{k}]" for k, u in enumerate(system.inputs)}
    arguments = f"const V *restrict p, const V *restrict u, V *restrict {target}"
    return CFunction(called, arguments, doc, tuple(body(what, names, target)))


def _elimination(program: ContourProgram, states: tuple[int, ...]) -> Elimination:
    """Of the rows and columns of some states."""
    place = {i: k for k, i in enumerate(states)}
    entries = {
        (place[i], place[j]): f"c[{n}]"
        for n, (i, j) in enumerate(program.matrix)
        if i in place and j in place
    }
    return Elimination(symbolic_lu(tuple(entries), len(states)), entries)


def _rows_at(program: ContourProgram) -> tuple[CFunction, CFunction]:
    """C (z I - A)^-1, and which of its entries others need."""
    elimination = _elimination(program, program.seen)
    lines = elimination.factor(_Z)
    size = len(program.seen)
    for row in range(program.rows):
        right = _right(program, row)
        lines += elimination.transposed(f"x{row}", right, [f"xr[{row * size + k}]" for k in range(size)],
                                        [f"xi[{row * size + k}]" for k in range(size)], "wanted")  # fmt: skip
    doc = (
        f"C (z I - A)^-1 by row and state, of the {size} states that the rows depend on, where it is wanted."
    )
    arguments = "V zr, V zi, const V *restrict c, const int *restrict wanted, V *restrict xr, V *restrict xi"
    return (
        CFunction("rows_at", arguments, doc, tuple(lines)),
        CFunction(
            "needed", "int *restrict wanted", "What the wanted entries are computed from.",
            tuple(elimination.needs("wanted")),
        ),
    )  # fmt: skip


def _both(program: ContourProgram) -> tuple[CFunction, CFunction, int]:
    """C (z I - A)^-1 with the factors, and solutions with these."""
    elimination = _elimination(program, program.seen)
    lines = elimination.factor(_Z)
    size = len(program.seen)
    for row in range(program.rows):
        own = range(row * size, (row + 1) * size)
        lines += elimination.transposed(
            f"x{row}", _right(program, row), [f"wr[{k}]" for k in own], [f"wi[{k}]" for k in own]
        )
    kept = elimination.stored("l")
    lines += kept
    more, x = elimination.solution("x", [Value(f"xr[{k}]", f"xi[{k}]") for k in range(size)])
    more += [f"xr[{k}] = {x[k].re}; xi[{k}] = {x[k].im or 'ALL(0.0)'};" for k in range(size)]
    return (
        CFunction(
            "both_at", "V zr, V zi, const V *restrict c, V *restrict wr, V *restrict wi, V *restrict l",
            "C (z I - A)^-1, and the factors.", tuple(lines),
        ),
        CFunction(
            "solve_seen", "const V *restrict l, V *restrict xr, V *restrict xi",
            "(z I - A)^-1 x in place, of the states that r depends on.", tuple(more),
        ),
        len(kept),
    )  # fmt: skip


def _right(program: ContourProgram, row: int) -> dict[int, str]:
    """A row of C, by the place of the state."""
    place = {i: k for k, i in enumerate(program.seen)}
    first = len(program.matrix) + len(program.offsets)
    return {place[j]: f"c[{n}]" for n, (r, j) in enumerate(program.readings, first) if r == row}


def _whole(program: ContourProgram) -> tuple[CFunction, CFunction, int]:
    """Factors of z I - A with all states, the solution with them, and how many numbers are kept."""
    size = len(program.system.states)
    elimination = _elimination(program, tuple(range(size)))
    lines = elimination.factor(_Z)
    stored = elimination.stored("l")
    factor = CFunction(
        "factor_states", "V zr, V zi, const V *restrict c, V *restrict l", "LU of z I - A, all states.",
        (*lines, *stored),
    )  # fmt: skip
    more, x = elimination.solution("x", [Value(f"xr[{k}]", f"xi[{k}]") for k in range(size)])
    more += [f"xr[{k}] = {x[k].re}; xi[{k}] = {x[k].im or 'ALL(0.0)'};" for k in range(size)]
    solve = CFunction(
        "solve_states", "const V *restrict l, V *restrict xr, V *restrict xi", "The solution in place.",
        tuple(more),
    )  # fmt: skip
    return factor, solve, len(stored)


def _stable(name: str, program: ContourProgram, states: tuple[int, ...]) -> CFunction:
    """Where the spectrum is proved to lie left of s, in the sector of the circuits of the graph.

    Off the diagonal nothing is negative, and a positive d with ``(s I - A)^T d > 0`` exists: then s I - A is
    a nonsingular M-matrix (Berman A, Plemmons RJ 1994, Nonnegative matrices, chapter 6, condition I27).
    """
    inside = set(states)
    lines = ["M ok = EVERYWHERE;"]
    for n, (i, j) in enumerate(program.matrix):
        if i != j and i in inside and j in inside:
            lines.append(f"ok &= LE(c[{n}], ALL(0.0));")
    elimination = _elimination(program, states)
    lines += elimination.factor(Value("s"))
    size = len(states)
    lines.append(f"V x[{max(size, 1)}];")
    lines += elimination.transposed(
        "x", dict.fromkeys(range(size), "ALL(1.0)"), [f"x[{k}]" for k in range(size)]
    )
    lines += [f"ok &= GT(x[{k}], ALL(0.0)) & LT(x[{k}], ALL(INFINITY));" for k in range(size)]
    lines.append("return ok;")
    doc = "Where A is a matrix of flows that leave, so that its spectrum is left of s and in its sector."
    return CFunction(name, "V s, const V *restrict c", doc, tuple(lines), gives="M")
