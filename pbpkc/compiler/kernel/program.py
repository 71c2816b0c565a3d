"""The straight-line programs of the nonlinear kernel, as lists of assignments in sympy.

What depends on parameters alone is computed once for each subject, before time runs. A rate that is linear in
the states then costs one product for each equation it enters: its coefficients stand in a matrix A. The other
rates are evaluated as they are written, and their slopes are shared between the equations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.linear import linear_part
from pbpkc.compiler.repeats import Step, share_repeats
from pbpkc.compiler.system import Assignment, System

#: An assignment: what is computed, and from what.
Line = tuple[sp.Symbol, sp.Expr]


class NoKernelForm(Exception):
    """Why a system has no compiled kernel; `reason` is a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Program:
    """Assignments in the order in which they are computed, and what they lead to, by index."""

    lines: tuple[Line, ...]
    results: Mapping[int, sp.Expr]


@dataclass(frozen=True)
class KernelProgram:
    """What the nonlinear kernel computes.

    Parameters
    ----------
    system : System
    coefficients : Program
        Of parameters, and of held inputs that are constant between events. Its results are kept for a
        subject: those of `kept`, in that order.
    kept : tuple of Symbol
        Shape (C,).
    rhs : Program
        dy_i/dt by state, without the infusions; reads t, states, inputs, parameters, `kept`.
    jacobian : Program
        d(dy_i/dt)/dy_j by position in `pattern`; a program of its own that repeats what it needs.
    pattern : tuple of (int, int)
        Non-zero entries of the Jacobian, row by row.
    time_slope : Program
        The explicit derivative of dy_i/dt by time, running inputs included; empty for systems that do not
        read time. The slope of input k is `slopes[k]`.
    slopes : tuple of Symbol
        Shape (K,).
    observe : Program
        Observables, each in its unit.
    names : Names
        What is taken.
    """

    system: System
    coefficients: Program
    kept: tuple[sp.Symbol, ...]
    rhs: Program
    jacobian: Program
    pattern: tuple[tuple[int, int], ...]
    time_slope: Program
    slopes: tuple[sp.Symbol, ...]
    observe: Program
    names: Names

    @property
    def coefficients_change(self) -> bool:
        """Whether events change coefficients, because one reads a held input."""
        inputs = {u.symbol for u in self.system.inputs}
        reads = set().union(*(e.free_symbols for _, e in self.coefficients.lines), set())
        return not inputs.isdisjoint(reads)


def kernel_program(analysed: AnalysedSystem) -> KernelProgram:
    """The programs of a system.

    Raises
    ------
    NoKernelForm
        If it calls an unknown term, whose form is not known to the compiler, or splits a product in shares
        that change by themselves.
    """
    system = analysed.system
    if system.unknowns:
        called = ", ".join(u.name for u in system.unknowns)
        raise NoKernelForm(f"it calls the unknown term {called}, which has no written form")
    running = {u.symbol for u in system.inputs if u.runs} | {system.time}
    if any(not running.isdisjoint(sp.sympify(e).free_symbols) for e in system.N.values()):
        raise NoKernelForm("a share of a split changes while time runs")
    names = Names(_names(system))
    pure = set(analysed.linear.rates)
    linear = linear_part(replace(system, N={key: e for key, e in system.N.items() if key[1] in pure}))
    infusions = {u.symbol: 0 for u in system.inputs if u.kind == "infusion"}

    once: list[Line] = [(c.symbol, sp.sympify(c.expr)) for c in (*system.constants, *_still(system))]
    matrix: dict[tuple[int, int], sp.Expr] = {}
    for (i, j), entry in linear.A.items():
        matrix[i, j] = _kept(entry, f"a_{i}_{j}", once, names)
    offset: dict[int, sp.Expr] = {}
    for i, entry in linear.b.items():
        own = sp.sympify(entry).subs(infusions) if entry.free_symbols & set(infusions) else entry
        if own != 0:
            offset[i] = _kept(own, f"b_{i}", once, names)

    states = [s.symbol for s in system.states]
    still = {symbol for symbol, _ in once}
    moment: list[Line] = [(a.symbol, sp.sympify(a.expr)) for a in system.curves if a.symbol not in still]
    moment += [(r.symbol, sp.sympify(r.expr)) for r in system.rates]
    rhs: defaultdict[int, list[sp.Expr]] = defaultdict(list)
    for (i, j), entry in matrix.items():
        rhs[i].append(entry * states[j])
    for i, entry in offset.items():
        rhs[i].append(entry)
    slopes = tuple(names.new(f"slope_{k}") for k in range(len(system.inputs)))
    jacobian: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
    for key, entry in matrix.items():
        jacobian[key].append(entry)
    in_time: defaultdict[int, list[sp.Expr]] = defaultdict(list)
    column = {symbol: j for j, symbol in enumerate(states)}
    moves = {u.symbol: slopes[k] for k, u in enumerate(system.inputs) if u.runs}
    moment_d = list(moment)
    for r, rate in enumerate(system.rates):
        if r in pure:
            continue
        rows = [i for i, q in sorted(system.N) if q == r]
        for i in rows:
            rhs[i].append(system.N[i, r] * rate.symbol)
        change: list[sp.Expr] = []
        for symbol, slope in analysed.derivatives.rates_by[r].items():
            if symbol in column:
                named = _kept(slope, f"{rate.symbol.name}_by_{symbol.name}", moment_d, names)
                for i in rows:
                    jacobian[i, column[symbol]].append(system.N[i, r] * named)
            elif symbol == system.time:
                change.append(slope)
            elif symbol in moves:
                change.append(slope * moves[symbol])
        for i in rows if change else ():
            in_time[i].append(system.N[i, r] * sp.Add(*change))
    pattern = tuple(sorted(jacobian))
    steady = _Steady(system, once, names)
    moment = [(symbol, steady.hoisted(e)) for symbol, e in moment]
    moment_d = [(symbol, steady.hoisted(e)) for symbol, e in moment_d]
    rhs_rows = {i: sp.Add(*map(steady.hoisted, rhs[i])) for i in range(len(states))}
    slope_entries = {n: sp.Add(*map(steady.hoisted, jacobian[key])) for n, key in enumerate(pattern)}
    time_rows = {i: sp.Add(*map(steady.hoisted, in_time[i])) for i in sorted(in_time)}
    outputs = {o: steady.hoisted(sp.sympify(x.expr)) for o, x in enumerate(system.outputs)}
    kept = [symbol for symbol, _ in once]
    programs = {
        "rhs": _program(moment, rhs_rows, names),
        "jacobian": _program(moment_d, slope_entries, names),
        "time_slope": _program(moment, time_rows, names),
        "observe": _program(moment, outputs, names),
    }
    reads = set().union(*(_reads(p) for p in programs.values()))
    kept = [symbol for symbol in kept if symbol in reads]
    coefficients = _program(once, dict(enumerate(kept)), names, share=False)
    return KernelProgram(
        system, coefficients, tuple(kept), pattern=pattern, slopes=slopes, names=names, **programs
    )


def _still(system: System) -> list[Assignment]:
    """Curves that change with held inputs alone: between events they are constants."""
    moving = {s.symbol for s in system.states} | {
        u.symbol for u in system.inputs if u.kind != "held" or u.runs
    }
    moving |= {system.time} | {r.symbol for r in system.rates}
    found = []
    for curve in system.curves:
        if moving.isdisjoint(sp.sympify(curve.expr).free_symbols):
            found.append(curve)
        else:
            moving.add(curve.symbol)
    return found


def _names(system: System) -> set[str]:
    groups = (system.parameters, system.states, system.inputs, system.constants, system.curves, system.rates)
    return {system.time.name} | {e.symbol.name for group in groups for e in group}


class Names:
    """New symbols whose names nothing has yet.

    Parameters
    ----------
    taken : iterable of str
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def copy(self) -> Names:
        """The same, to go on from here without a trace."""
        return Names(self._taken)

    def new(self, wanted: str) -> sp.Symbol:
        """A symbol that is called like this, or nearly so."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return sp.Symbol(name, real=True)


class _Steady:
    """Moves what parameters alone decide out of what is computed at every moment.

    Parameters
    ----------
    system : System
    lines : list of Line
        Where the assignments go.
    names : Names
    """

    def __init__(self, system: System, lines: list[Line], names: Names) -> None:
        self._lines, self._names = lines, names
        self._symbols = {p.symbol for p in system.parameters} | {symbol for symbol, _ in lines}
        self._known: dict[sp.Basic, sp.Expr] = {}

    def hoisted(self, expr: sp.Basic) -> sp.Basic:
        """The expression with a name for each part that does not change during a run."""
        if expr.is_Atom or isinstance(expr, (sp.logic.boolalg.Boolean, sp.Piecewise)):
            return expr
        if self._is_steady(expr):
            return self._named(expr)
        arguments = list(expr.args)
        if isinstance(expr, (sp.Mul, sp.Add)):
            still = [a for a in arguments if self._is_steady(a)]
            if sum(not a.is_number for a in still) > 1 or any(a.is_Pow for a in still):
                rest = [a for a in arguments if a not in still]
                return expr.func(self._named(expr.func(*still)), *(self.hoisted(a) for a in rest))
        return expr.func(*(self.hoisted(a) for a in arguments))

    def _is_steady(self, expr: sp.Basic) -> bool:
        return bool(expr.free_symbols <= self._symbols)

    def _named(self, expr: sp.Expr) -> sp.Expr:
        if expr.is_number or expr.is_Symbol or (-expr).is_Symbol:
            return expr
        if expr not in self._known:
            self._known[expr] = _kept(expr, "k_1", self._lines, self._names)
        return self._known[expr]


def _kept(expr: sp.Expr, name: str, lines: list[Line], names: Names) -> sp.Expr:
    """The expression, under a name of its own if it is more than a symbol or a number."""
    expr = sp.sympify(expr)
    if expr.is_number or expr.is_Symbol or (-expr).is_Symbol:
        return expr
    symbol = names.new(name)
    lines.append((symbol, expr))
    return symbol


def needed(lines: Sequence[Line], results: Mapping[int, sp.Expr]) -> tuple[Line, ...]:
    """Those of the lines that the results read, directly or through others."""
    wanted: set[sp.Basic] = set().union(*(sp.sympify(e).free_symbols for e in results.values()), set())
    kept: list[Line] = []
    for symbol, expr in reversed(lines):
        if symbol in wanted:
            wanted |= sp.sympify(expr).free_symbols
            kept.append((symbol, expr))
    return tuple(reversed(kept))


def _program(
    lines: Sequence[Line], results: Mapping[int, sp.Expr], names: Names, share: bool = True
) -> Program:
    """The lines that the results need, repeated expressions computed once."""
    steps = [Step((symbol,), (expr,)) for symbol, expr in needed(lines, results)]
    outputs = [sp.sympify(e) for e in results.values()]
    if share:
        steps, outputs = share_repeats(steps, outputs, names.new)
    return Program(tuple((s.symbols[0], s.exprs[0]) for s in steps), dict(zip(results, outputs, strict=True)))


def _reads(program: Program) -> set[sp.Basic]:
    expressions: Iterable[sp.Expr] = (*(e for _, e in program.lines), *program.results.values())
    return set().union(*(e.free_symbols for e in expressions), set())
