"""sympy expressions as C text over lanes: the only way in which anything of a spec becomes compiled code.

A value is a `V`, one number for each lane. Conditions are masks (`M`); ``where`` takes both branches. Powers
and roots of negative numbers are what `pbpkc.runtime.numpy_target` makes of them, so the targets agree.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from pbpkc.compiler.gradient import ordered_args
from pbpkc.compiler.printing import TextPrinter
from pbpkc.language.diagnostics import InternalError

#: Words of `pbpkc.compiler.printing` that are not their own name behind ``v_``.
_WORDS: Mapping[str, str] = {
    "absolute": "v_abs", "minimum": "v_min", "maximum": "v_max", "where": "WHERE", "nan": "ALL(NAN)",
}  # fmt: skip

_RELATIONS: Mapping[type, str] = {
    sp.StrictLessThan: "LT", sp.LessThan: "LE", sp.StrictGreaterThan: "GT", sp.GreaterThan: "GE",
    sp.Equality: "EQ", sp.Unequality: "NE",
}  # fmt: skip

#: Whole powers up to this one are products.
MOST_PRODUCTS = 8


class CPrinter(TextPrinter):
    """Prints expressions as C; what differs from Python is said here.

    Parameters
    ----------
    names : mapping of Symbol to str
        How each symbol is written; one that is missing is an error.
    """

    def _word(self, word: str) -> str:
        return _WORDS.get(word, f"v_{word}")

    def _print_Symbol(self, expr: sp.Symbol) -> str:  # noqa: N802 - sympy's naming
        if expr not in self._names:
            raise InternalError(f"'{expr}' has no name in C")
        return str(self._names[expr])

    def _number(self, expr: sp.Expr) -> str:
        """A constant for all lanes."""
        if expr is sp.S.NaN or expr is sp.S.ComplexInfinity:
            return "ALL(NAN)"
        if expr in (sp.S.Infinity, sp.S.NegativeInfinity):
            return f"ALL({'-' if expr == sp.S.NegativeInfinity else ''}INFINITY)"
        text = repr(float(expr if expr.is_Float or expr.is_Rational else sp.N(expr, 30)))
        return f"ALL({text})"

    _print_Integer = _print_Rational = _print_Float = _print_NumberSymbol = _print_Half = _number
    _print_Pi = _print_Exp1 = _print_NaN = _print_Infinity = _print_NegativeInfinity = _number
    _print_ComplexInfinity = _print_Zero = _print_One = _print_NegativeOne = _number

    def _print_Add(self, expr: sp.Add, order: object = None) -> str:  # noqa: N802
        terms = ordered_args(expr)
        terms.sort(key=lambda term: bool(term.as_coeff_Mul()[0].is_negative))
        text = str(self.parenthesize(terms[0], PRECEDENCE["Add"], strict=True))
        for term in terms[1:]:
            coefficient, rest = term.as_coeff_Mul()
            if coefficient.is_negative:
                text += f" - {self.parenthesize(sp.Mul(-coefficient, rest), PRECEDENCE['Mul'])}"
            else:
                text += f" + {self.parenthesize(term, PRECEDENCE['Add'], strict=True)}"
        return text

    def _print_Mul(self, expr: sp.Mul) -> str:  # noqa: N802
        coefficient, rest = expr.as_coeff_Mul()
        above: list[str] = []
        below: list[str] = []
        sign = "-" if coefficient.is_negative else ""
        if abs(coefficient) != 1:
            above.append(self._number(abs(coefficient)))
        for factor in sorted(sp.Mul.make_args(rest), key=sp.default_sort_key):
            if isinstance(factor, sp.Pow) and factor.exp.is_Rational and factor.exp.is_negative:
                inverse = (
                    factor.base if factor.exp == -1 else sp.Pow(factor.base, -factor.exp, evaluate=False)
                )
                below.append(self.parenthesize(inverse, PRECEDENCE["Atom"], strict=True))
            else:
                above.append(self.parenthesize(factor, PRECEDENCE["Mul"], strict=True))
        top = "*".join(above) or "ALL(1.0)"
        if not below:
            return f"({sign}{top})" if sign else top
        return f"({sign}{top}/({'*'.join(below)}))"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:  # noqa: N802
        base, exponent = expr.base, expr.exp
        if base.is_number and exponent.is_number:
            return self._number(expr)
        if exponent.is_Integer and 0 < abs(exponent) <= MOST_PRODUCTS:
            text = _product(self.text(base), abs(int(exponent)))
            return f"(ALL(1.0)/{text})" if exponent < 0 else text
        if exponent == sp.Rational(1, 2):
            return f"v_sqrt({self.text(base)})"
        if exponent == sp.Rational(-1, 2):
            return f"(ALL(1.0)/v_sqrt({self.text(base)}))"
        if exponent.is_Integer:
            # A negative base keeps its sign where the exponent is whole.
            return f"v_pow({self.text(base)}, {self.text(exponent)})"
        if exponent.is_Rational and exponent.is_negative:
            return f"(ALL(1.0)/v_power({self.text(base)}, {self.text(-exponent)}))"
        return f"v_power({self.text(base)}, {self.text(exponent)})"

    def _real(self, expr: sp.Expr) -> str:
        return self.text(expr)

    def _print_Relational(self, expr: sp.core.relational.Relational) -> str:  # noqa: N802
        return f"{_RELATIONS[type(expr)]}({self.text(expr.lhs)}, {self.text(expr.rhs)})"

    def _print_Not(self, expr: sp.Not) -> str:  # noqa: N802
        return f"(~({self.text(expr.args[0])}))"

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:  # noqa: N802
        return "EVERYWHERE"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:  # noqa: N802
        return "NOWHERE"


def _product(text: str, power: int) -> str:
    """A whole power as a product, by squaring: v_2(x) is x*x."""
    return f"({text})" if power == 1 else f"v_{power}({text})"
