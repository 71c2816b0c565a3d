"""Arithmetic that can be done now is done now."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pbpkc.compiler.rewrite import rewrite
from pbpkc.compiler.system import System

# Digits of the one evaluation of an irrational number before it is rounded to the nearest double.
_DIGITS = 30


def fold_constants(system: System) -> System:
    """The `System` with numbers combined and constants that are plain numbers put where they are read.

    Rational numbers stay exact. What is not (``73**(3/4)``, ``exp(2)``) is evaluated to 30 digits and
    rounded once to the nearest double, together with the numbers it is multiplied by or added to.
    """
    numbers: dict[sp.Symbol, sp.Expr] = {}

    def fold(expr: sp.Expr) -> sp.Expr:
        present = {s: numbers[s] for s in expr.free_symbols if s in numbers}
        return _folded(expr.xreplace(present) if present else expr)

    # In order: a constant that reads only plain numbers becomes one itself, and who reads it may follow.
    for constant in system.constants:
        value = fold(constant.expr)
        if value.is_Number:
            numbers[constant.symbol] = value
    folded = rewrite(system, fold)
    return replace(folded, constants=tuple(a for a in folded.constants if a.symbol not in numbers))


def _folded(expr: sp.Expr) -> sp.Expr:
    if expr.is_Atom:
        return _rounded(expr) if expr.is_NumberSymbol else expr
    if not expr.free_symbols and not expr.atoms(sp.core.function.AppliedUndef) and isinstance(expr, sp.Expr):
        # sympy has done the rational arithmetic already: a compound number is irrational.
        return _rounded(expr)
    if isinstance(expr, sp.Mul | sp.Add):
        numbers = [a for a in expr.args if not a.free_symbols and not a.atoms(sp.core.function.AppliedUndef)]
        others = [a for a in expr.args if a not in numbers]
        value = expr.func(*numbers)
        folded = _folded(value) if not value.is_Rational else value
        return expr.func(folded, *(_folded(a) for a in others))
    changed = [_folded(a) if isinstance(a, sp.Basic) else a for a in expr.args]
    return expr if tuple(changed) == expr.args else expr.func(*changed)


def _rounded(number: sp.Expr) -> sp.Expr:
    value = sp.N(number, _DIGITS)
    # Complex infinity and the like stay as they are: the proofs name them.
    return sp.Float(float(value)) if value.is_Float and value.is_finite else number
