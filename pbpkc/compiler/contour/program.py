"""What the linear kernel computes for a subject before any time runs: the matrices of the equations.

The system is dy/dt = A(p, u) y + b(p, u) + infusions; what is read of it is r = C(p, u) y + d(p, u). The `u`
are held inputs, constant between events. Where every observable is of this form, r are the observables; else
r are the states that the observables read, and the caller computes them from those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.contour.cycles import Entry, longest_circuit, seen_by
from pbpkc.compiler.kernel.program import Line, NoKernelForm, Program
from pbpkc.compiler.repeats import Step, share_repeats
from pbpkc.compiler.rewrite import definitions, inlined, unused_name
from pbpkc.compiler.system import System


@dataclass(frozen=True)
class ContourProgram:
    """What the linear kernel computes.

    Parameters
    ----------
    system : System
    coefficients : Program
        Of parameters and held inputs: results 0, 1, ... are the entries of -A, then those of b, C and d.
    matrix : tuple of (int, int)
        Where the entries of -A stand, row by row.
    offsets : tuple of int
        Rows of the entries of b.
    readings : tuple of (int, int)
        Entries of C: (row of r, state).
    constants : tuple of int
        Rows of the entries of d.
    rows : int
        Length of r.
    read_states : tuple of int
        The states that r are; empty where r are the observables.
    seen : tuple of int
        States that can reach r; the others are left out of the equations of the transfer functions.
    circuit, whole_circuit : int
        The longest circuit among `seen`, and among all states.
    """

    system: System
    coefficients: Program
    matrix: tuple[Entry, ...]
    offsets: tuple[int, ...]
    readings: tuple[Entry, ...]
    constants: tuple[int, ...]
    rows: int
    read_states: tuple[int, ...]
    seen: tuple[int, ...]
    circuit: int
    whole_circuit: int


def contour_program(analysed: AnalysedSystem) -> ContourProgram:
    """The programs of a system.

    Raises
    ------
    NoKernelForm
        If it is not linear and time-invariant between events.
    """
    system, linear = analysed.system, analysed.linear
    if not linear.is_everything:
        raise NoKernelForm(f"it is not linear: {analysed.reason}")
    infusions = {u.symbol: sp.Integer(0) for u in system.inputs if u.kind == "infusion"}
    offsets = {i: sp.sympify(e).subs(infusions) if infusions else e for i, e in linear.b.items()}
    offsets = {i: e for i, e in offsets.items() if e != 0}
    still = _still_symbols(system)
    forms = _observable_forms(analysed, still)
    if forms is not None:
        readings, constants = forms
        read_states: tuple[int, ...] = ()
        rows = len(system.outputs)
    else:
        index = {s.name: i for i, s in enumerate(system.states)}
        names = {n for o in system.outputs for n in analysed.depends.observables[o.name].states}
        read_states = tuple(sorted(index[name] for name in names))
        readings = {(r, i): sp.Integer(1) for r, i in enumerate(read_states)}
        constants, rows = {}, len(read_states)
    negative = [-e for e in linear.A.values()]
    results = [*negative, *offsets.values(), *readings.values(), *constants.values()]
    for expr in results:
        if not sp.sympify(expr).free_symbols <= still:
            raise NoKernelForm("a coefficient changes between events")
    seen = seen_by((i for _, i in readings), linear.A)
    return ContourProgram(
        system=system,
        coefficients=_coefficients(system, results, still),
        matrix=tuple(linear.A),
        offsets=tuple(offsets),
        readings=tuple(readings),
        constants=tuple(constants),
        rows=rows,
        read_states=read_states,
        seen=seen,
        circuit=longest_circuit(linear.A, seen),
        whole_circuit=longest_circuit(linear.A, range(len(system.states))),
    )


def _still_symbols(system: System) -> frozenset[sp.Symbol]:
    """Symbols of what does not change between events: parameters, held inputs, and what reads these alone."""
    still = {p.symbol for p in system.parameters} | {c.symbol for c in system.constants}
    still |= {u.symbol for u in system.inputs if u.kind == "held" and not u.runs}
    for curve in system.curves:
        if curve.expr.free_symbols <= still:
            still.add(curve.symbol)
    return frozenset(still)


_Forms = tuple[dict[Entry, sp.Expr], dict[int, sp.Expr]]


def _observable_forms(analysed: AnalysedSystem, still: frozenset[sp.Symbol]) -> _Forms | None:
    """Coefficients of the states in the observables, and what is added; None where one is not linear."""
    system = analysed.system
    readings = {key: sp.sympify(e) for key, e in analysed.derivatives.d_observe_dy.items() if e != 0}
    if any(not e.free_symbols <= still for e in readings.values()):
        return None
    values = {s: e for s, e in definitions(system).items() if s not in still}
    empty = {s.symbol: sp.Integer(0) for s in system.states}
    constants: dict[int, sp.Expr] = {}
    for o, output in enumerate(system.outputs):
        rest = inlined(sp.sympify(output.expr), values).subs(empty)
        if not rest.free_symbols <= still or rest.has(sp.nan, sp.zoo):
            return None
        if rest != 0:
            constants[o] = rest
    return readings, constants


def _coefficients(system: System, results: Sequence[sp.Expr], still: frozenset[sp.Symbol]) -> Program:
    lines: list[Line] = [(c.symbol, sp.sympify(c.expr)) for c in (*system.constants, *system.curves)]
    lines = [(symbol, expr) for symbol, expr in lines if symbol in still]
    wanted: set[sp.Basic] = set().union(*(sp.sympify(e).free_symbols for e in results), set())
    needed: list[Line] = []
    for symbol, expr in reversed(lines):
        if symbol in wanted:
            wanted |= expr.free_symbols
            needed.append((symbol, expr))
    steps = [Step((symbol,), (expr,)) for symbol, expr in reversed(needed)]
    steps, outputs = share_repeats(steps, [sp.sympify(e) for e in results], _new_names(system))
    return Program(tuple((s.symbols[0], s.exprs[0]) for s in steps), _numbered(outputs))


def _numbered(outputs: Sequence[sp.Expr]) -> Mapping[int, sp.Expr]:
    return dict(enumerate(outputs))


def _new_names(system: System) -> Callable[[str], sp.Symbol]:
    groups = (system.parameters, system.inputs, system.constants, system.curves, system.states)
    taken = {entry.symbol.name for group in groups for entry in group}

    def new(wanted: str) -> sp.Symbol:
        name = unused_name(wanted, taken)
        taken.add(name)
        return sp.Symbol(name, real=True)

    return new
