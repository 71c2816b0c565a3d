"""sympy expressions as Python text that a person reads, the same in every run.

The text uses a small vocabulary (``exp``, ``where``, ``minimum``, ``power`` ...) that each target
offers under `pbpkc.runtime`, so one text serves scalars, numpy arrays and torch tensors.

A power whose exponent is not an integer is printed ``power(b, n)`` unless the base is known to be
positive: solvers try states a rounding error below zero, where Python gives a complex number and
numpy NaN. `power` and `sqrt` take a negative base as 0, the limit from the side that has meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.numbers import NumberSymbol
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from pbpkc.compiler.gradient import ordered_args, power_log, power_slope
from pbpkc.language.diagnostics import InternalError

_FUNCTIONS: Mapping[type, str] = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan", sp.tanh: "tanh",
    sp.Abs: "absolute", sp.sign: "sign", sp.floor: "floor", sp.ceiling: "ceil", power_log: "power_log",
    power_slope: "power_slope",
}  # fmt: skip

_SIGNS: Mapping[type, str] = {
    sp.StrictLessThan: "<", sp.LessThan: "<=", sp.StrictGreaterThan: ">", sp.GreaterThan: ">=",
    sp.Equality: "==", sp.Unequality: "!=",
}  # fmt: skip

# A fraction whose decimal form is this short is printed as one; otherwise as a quotient of integers.
_SHORT_DECIMAL = 8


class TextPrinter(StrPrinter):  # type: ignore[misc]
    """Prints expressions; remembers in `vocabulary` which words of the runtime it used.

    Parameters
    ----------
    names : mapping of Symbol to str, optional
        How symbols are written, where not by their own name.
    """

    def __init__(self, names: Mapping[sp.Symbol, str] | None = None) -> None:
        super().__init__()
        self._names = dict(names or {})
        self.vocabulary: set[str] = set()

    def name(self, symbol: sp.Symbol, text: str) -> None:
        """Write `symbol` as `text` from now on."""
        self._names[symbol] = text

    def text(self, expr: sp.Basic) -> str:
        """The expression as Python text."""
        return str(self._print(sp.sympify(expr)))

    def _word(self, word: str) -> str:
        self.vocabulary.add(word)
        return word

    def _number(self, expr: sp.Expr) -> str:
        return number_text(expr)

    def _print_Symbol(self, expr: sp.Symbol) -> str:  # noqa: N802 - sympy's naming
        return self._names.get(expr) or str(expr.name)

    def _print_Integer(self, expr: sp.Integer) -> str:  # noqa: N802
        return str(expr.p)

    def _print_Rational(self, expr: sp.Rational) -> str:  # noqa: N802
        return number_text(expr)

    def _print_Float(self, expr: sp.Float) -> str:  # noqa: N802
        return number_text(expr)

    def _print_NumberSymbol(self, expr: NumberSymbol) -> str:  # noqa: N802
        return number_text(expr)

    def _print_NaN(self, expr: sp.Expr) -> str:  # noqa: N802
        return self._word("nan")

    def _print_Infinity(self, expr: sp.Expr) -> str:  # noqa: N802
        return self._word("inf")

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:  # noqa: N802
        return "-" + self._word("inf")

    def _print_ComplexInfinity(self, expr: sp.Expr) -> str:  # noqa: N802
        return self._word("nan")

    def _print_Add(self, expr: sp.Add, order: object = None) -> str:  # noqa: N802
        # What is gained stands before what is lost.
        terms = ordered_args(expr)
        terms.sort(key=lambda term: bool(term.as_coeff_Mul()[0].is_negative))
        text = str(self.parenthesize(terms[0], PRECEDENCE["Add"], strict=True))
        for term in terms[1:]:
            part = self.parenthesize(term, PRECEDENCE["Add"], strict=True)
            text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
        return text

    def _print_Mul(self, expr: sp.Mul) -> str:  # noqa: N802
        coefficient, rest = expr.as_coeff_Mul()
        sign = "-" if coefficient.is_negative else ""
        above: list[str] = []
        below: list[str] = []
        coefficient = abs(coefficient)
        if coefficient.is_Rational and coefficient.p == 1 and coefficient.q != 1:
            below.append(str(coefficient.q))
        elif coefficient != 1:
            above.append(number_text(coefficient))
        for factor in sorted(sp.Mul.make_args(rest), key=sp.default_sort_key):
            if isinstance(factor, sp.Pow) and factor.exp.is_Rational and factor.exp.is_negative:
                below.append(self.parenthesize(_inverse(factor), PRECEDENCE["Mul"]))
            else:
                above.append(self.parenthesize(factor, PRECEDENCE["Mul"]))
        top = "*".join(above) or "1"
        if not below:
            return sign + top
        return f"{sign}{top}/{below[0] if len(below) == 1 else '(' + '*'.join(below) + ')'}"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:  # noqa: N802
        base, exponent = expr.base, expr.exp
        if base.is_number and exponent.is_number:
            return number_text(expr)
        if exponent.is_Rational and exponent.is_negative:
            return "1/" + str(self.parenthesize(_inverse(expr), PRECEDENCE["Mul"]))
        if exponent == sp.Rational(1, 2):
            return f"{self._word('sqrt')}({self.text(base)})"
        if exponent.is_Integer or base.is_nonnegative:
            left = self.parenthesize(base, PRECEDENCE["Pow"])
            right = self.text(exponent)
            return f"{left}**{right}" if exponent.is_Atom and "/" not in right else f"{left}**({right})"
        return f"{self._word('power')}({self.text(base)}, {self.text(exponent)})"

    def _print_Function(self, expr: sp.Function) -> str:  # noqa: N802
        word = _FUNCTIONS.get(type(expr))
        if word is None or isinstance(expr, AppliedUndef):
            raise InternalError(f"'{expr.func}' cannot be printed as code")
        if expr.is_number:
            return self._number(expr)
        return f"{self._word(word)}({', '.join(self.text(a) for a in expr.args)})"

    # sympy has methods of its own for some classes; here all functions and constants go one way.
    _print_Abs = _print_Function
    _print_Half = _print_Rational
    _print_Pi = _print_Exp1 = _print_NumberSymbol

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:  # noqa: N802
        *branches, (last, condition) = expr.args
        text = self._real(last)
        if condition != sp.true:
            text = f"{self._word('where')}({self.text(condition)}, {text}, {self._word('nan')})"
        for value, test in reversed(branches):
            text = f"{self._word('where')}({self.text(test)}, {self._real(value)}, {text})"
        return text

    # sympy looks for the name of a function's own class alone.
    _print_Choice = _print_Piecewise

    def _real(self, expr: sp.Expr) -> str:
        """As text; a whole number as a float, so that a word of the runtime sees one kind of number."""
        return f"{expr}.0" if expr.is_Integer else self.text(expr)

    def _extreme(self, word: str, expr: sp.Expr) -> str:
        *others, last = ordered_args(expr)
        text = self._real(last)
        for arg in reversed(others):
            text = f"{self._word(word)}({self._real(arg)}, {text})"
        return text

    def _print_Min(self, expr: sp.Min) -> str:  # noqa: N802
        return self._extreme("minimum", expr)

    def _print_Max(self, expr: sp.Max) -> str:  # noqa: N802
        return self._extreme("maximum", expr)

    def _print_Relational(self, expr: sp.core.relational.Relational) -> str:  # noqa: N802
        return f"{self.text(expr.lhs)} {_SIGNS[type(expr)]} {self.text(expr.rhs)}"

    def _print_And(self, expr: sp.And) -> str:  # noqa: N802
        return " & ".join(f"({self.text(a)})" for a in ordered_args(expr))

    def _print_Or(self, expr: sp.Or) -> str:  # noqa: N802
        return " | ".join(f"({self.text(a)})" for a in ordered_args(expr))

    def _print_Not(self, expr: sp.Not) -> str:  # noqa: N802
        # ``~`` of a Python bool is an integer.
        return f"({self.text(expr.args[0])}) == False"

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:  # noqa: N802
        return "True"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:  # noqa: N802
        return "False"


def _inverse(power: sp.Pow) -> sp.Expr:
    # Left as it stands: sympy would turn the inverse of sqrt(2*x) into something else.
    return power.base if power.exp == -1 else sp.Pow(power.base, -power.exp, evaluate=False)


def number_text(number: sp.Expr) -> str:
    """A number as Python text that reads back to the nearest float.

    Integers stay integers, floats are printed by `repr`, fractions as a short decimal or as a
    quotient of integers (which Python rounds correctly).
    """
    if number.is_Integer:
        return str(number)
    if number.is_Rational:
        decimal = repr(float(number))
        quotient = f"{number.p}/{number.q}"
        return decimal if len(decimal) <= max(_SHORT_DECIMAL, len(quotient)) else quotient
    return repr(float(number if number.is_Float else sp.N(number, 30)))
