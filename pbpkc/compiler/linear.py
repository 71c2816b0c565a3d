"""The linear part of the equations: dy/dt = A(p, u) y + b(p, u) + (terms that are not of this form).

The `u` of A are held inputs: between events they are as constant as `p`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.system import System

NONLINEAR = "is not linear in the states"
TIME = "changes in time"
UNKNOWN = "calls an unknown term"


@dataclass(frozen=True)
class OtherTerm:
    """A term of a rate that is not ``A(p) y + b(p, u)``; `reason` completes "it ..."."""

    rate: int
    expr: sp.Expr
    reason: str


@dataclass(frozen=True)
class LinearPart:
    """What of the equations is linear in the states with coefficients that do not change in time.

    Parameters
    ----------
    A : mapping of (int, int) to Expr
        Entry (i, j) multiplies state j in equation i; reads parameters and constants, and held inputs that
        are constant between events.
    b : mapping of int to Expr
        What is added to equation i: the same, and infusions.
    terms : tuple of OtherTerm
        Everything else, by rate.
    rates, states : tuple of int
        Rates, and equations, without such terms.
    """

    A: Mapping[tuple[int, int], sp.Expr]
    b: Mapping[int, sp.Expr]
    terms: tuple[OtherTerm, ...]
    rates: tuple[int, ...]
    states: tuple[int, ...]

    @property
    def is_everything(self) -> bool:
        """Whether the system is linear and time-invariant between events."""
        return not self.terms

    def reason(self, system: System) -> str:
        """Why the system is, or is not, linear and time-invariant."""
        if self.is_everything:
            text = "every rate is linear in the states, and no coefficient changes "
            return text + ("between events" if any(u.hold for u in system.inputs) else "in time")
        parts: list[str] = []
        for reason in (NONLINEAR, UNKNOWN, TIME):
            names = list(dict.fromkeys(system.rates[t.rate].name for t in self.terms if t.reason == reason))
            if names:
                shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
                parts.append(f"{shown}: a term {reason}")
        return "; ".join(parts)


@dataclass(frozen=True)
class _Form:
    """offset + sum of slope * state + others."""

    offset: sp.Expr = sp.S.Zero
    slopes: Mapping[int, sp.Expr] | None = None
    others: tuple[sp.Expr, ...] = ()


def linear_part(system: System) -> LinearPart:
    """The linear part of a `System`.

    Products, sums and curves are looked through; nothing is expanded beyond that, so ``x*(y + 1) - x*y``
    counts as not linear.
    """
    reader = _Reader(system)
    forms = [reader.form(rate.expr) for rate in system.rates]
    terms = [OtherTerm(r, e, reader.reason(e)) for r, form in enumerate(forms) for e in form.others]
    A: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
    b: defaultdict[int, list[sp.Expr]] = defaultdict(list)
    for (i, r), coefficient in sorted(system.N.items()):
        for j, slope in (forms[r].slopes or {}).items():
            A[i, j].append(coefficient * slope)
        if forms[r].offset != 0:
            b[i].append(coefficient * forms[r].offset)
    places = {s.name: i for i, s in enumerate(system.states)}
    for entry in system.inputs:
        if entry.kind == "infusion":
            b[places[entry.target]].append(entry.symbol)
    curved = {t.rate for t in terms}
    touched = {i for i, r in system.N if r in curved}
    return LinearPart(
        A={key: e for key in sorted(A) if (e := sp.Add(*A[key])) != 0},
        b={i: e for i in sorted(b) if (e := sp.Add(*b[i])) != 0},
        terms=tuple(terms),
        rates=tuple(r for r in range(len(system.rates)) if r not in curved),
        states=tuple(i for i in range(len(system.states)) if i not in touched),
    )


class _Reader:
    """Linear forms of expressions, curves looked through."""

    def __init__(self, system: System) -> None:
        self._states = {s.symbol: j for j, s in enumerate(system.states)}
        self._of_states: set[sp.Symbol] = set(self._states)
        # The time since a dose is an input, but it runs like time itself. An infusion is read by nobody.
        self._of_time: set[sp.Symbol] = {system.time} | {u.symbol for u in system.inputs if u.runs}
        self._curves: dict[sp.Symbol, _Form] = {}
        for curve in system.curves:
            if self._reads(curve.expr, self._of_states):
                self._of_states.add(curve.symbol)
            if self._reads(curve.expr, self._of_time):
                self._of_time.add(curve.symbol)
            form = self.form(curve.expr)
            # A curve with a term of another form is kept whole under its name, which says more.
            self._curves[curve.symbol] = _Form(others=(curve.symbol,)) if form.others else form
        self._bodies = {c.symbol: c.expr for c in system.curves}

    def form(self, expr: sp.Expr) -> _Form:
        if not self._reads(expr, self._of_states):
            return _Form(others=(expr,)) if self._reads(expr, self._of_time) else _Form(offset=expr)
        if isinstance(expr, sp.Symbol):
            if expr in self._states:
                return _Form(slopes={self._states[expr]: sp.Integer(1)})
            return self._curves[expr]
        if isinstance(expr, sp.Add):
            return _added([self.form(a) for a in expr.args])
        if isinstance(expr, sp.Mul):
            inside = [a for a in expr.args if self._reads(a, self._of_states)]
            factor = sp.Mul(*(a for a in expr.args if a not in inside))
            if len(inside) == 1 and not self._reads(factor, self._of_time):
                return _scaled(factor, self.form(inside[0]))
        return _Form(others=(expr,))

    def reason(self, expr: sp.Expr) -> str:
        """Why a term is not of the linear form."""
        if self._calls_unknown(expr):
            return UNKNOWN
        if not self._reads(expr, self._of_states):
            return TIME
        inside = [a for a in sp.Mul.make_args(expr) if self._reads(a, self._of_states)]
        linear = (
            len(inside) == 1
            and (isinstance(inside[0], sp.Symbol | sp.Add))
            and not self.form(inside[0]).others
        )
        return TIME if linear and self._reads(expr, self._of_time) else NONLINEAR

    def _calls_unknown(self, expr: sp.Expr) -> bool:
        if expr.atoms(sp.core.function.AppliedUndef):
            return True
        return any(self._calls_unknown(self._bodies[s]) for s in expr.free_symbols if s in self._bodies)

    @staticmethod
    def _reads(expr: sp.Expr, symbols: set[sp.Symbol]) -> bool:
        return not symbols.isdisjoint(expr.free_symbols)


def _added(forms: list[_Form]) -> _Form:
    slopes: defaultdict[int, list[sp.Expr]] = defaultdict(list)
    for form in forms:
        for j, slope in (form.slopes or {}).items():
            slopes[j].append(slope)
    return _Form(
        sp.Add(*(f.offset for f in forms)),
        {j: sp.Add(*parts) for j, parts in slopes.items()},
        tuple(e for f in forms for e in f.others),
    )


def _scaled(factor: sp.Expr, form: _Form) -> _Form:
    return _Form(
        factor * form.offset,
        {j: factor * slope for j, slope in (form.slopes or {}).items()},
        tuple(factor * e for e in form.others),
    )
