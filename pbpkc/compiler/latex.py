"""Expressions and names as LaTeX, for amsmath."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.notation import Notation, exact_number, notation
from pbpkc.compiler.system import System

_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi",
    "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
}  # fmt: skip
#: Letters of the literature for what a name ends in; the rest of the name becomes the subscript.
_QUANTITIES = {
    "volume": "V", "vascular": "V^{\\mathrm{vasc}}", "flow": "Q", "outflow": "Q^{\\mathrm{out}}", "C": "C",
    "Cout": "C^{\\mathrm{out}}", "Cp": "C^{\\mathrm{p}}", "Cu": "C^{\\mathrm{u}}", "mw": "M",
    "fup": "f^{\\mathrm{u,p}}", "bp": "\\mathrm{BP}",
}  # fmt: skip
_PARTITION = {
    "kp": "K^{\\mathrm{p}}",
    "kb": "K^{\\mathrm{b}}",
    "kpu": "K^{\\mathrm{pu}}",
    "ps": "\\mathrm{PS}",
}
_FUNCTIONS: dict[type[sp.Basic], str] = {
    sp.exp: "\\exp", sp.log: "\\ln", sp.sin: "\\sin", sp.cos: "\\cos", sp.Min: "\\min", sp.Max: "\\max",
    sp.sign: "\\operatorname{sign}",
}  # fmt: skip
_RELATIONS: dict[type[sp.Basic], str] = {
    sp.Lt: "<",
    sp.Le: "\\le",
    sp.Gt: ">",
    sp.Ge: "\\ge",
    sp.Eq: "=",
    sp.Ne: "\\ne",
}
_BRACKETS: dict[type[sp.Basic], tuple[str, str]] = {
    sp.Abs: ("|", "|"),
    sp.floor: ("\\lfloor ", "\\rfloor "),
    sp.ceiling: ("\\lceil ", "\\rceil "),
}
_SUM, _PRODUCT, _ATOM = 1, 2, 3


def escaped(text: str) -> str:
    """Plain text for LaTeX: its special characters escaped."""
    special = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    return (
        "".join(special.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)
        .replace("<", "$<$")
        .replace(">", "$>$")
    )


def latex_name(name: str) -> str:
    """A name of the spec as LaTeX: ``liver.volume`` is V with the subscript liver, ``ka`` is k with a."""
    parts = name.split(".")
    at = next((k for k, p in enumerate(parts) if k and p in _PARTITION), 0)
    if at:  # X.kp, X.kp.liver, X.kp.mother.liver
        return f"{_PARTITION[parts[at]]}{_subscript([*parts[at + 1 :], *parts[:at]])}"
    if len(parts) > 1 and parts[-1] in _QUANTITIES:
        return f"{_QUANTITIES[parts[-1]]}{_subscript(parts[:-1])}"
    head, *rest = re.split(r"[._<]", name.replace(">", ""), maxsplit=1)
    more = [p for p in re.split(r"[._<,]", rest[0]) if p] if rest else []
    if re.fullmatch(r"k[a-z]\d*", head):
        head, more = "k", [head[1:], *more]
    letter = f"\\{head}" if head in _GREEK else head if len(head) == 1 else f"\\mathrm{{{head}}}"
    return letter + _subscript(more)


def _subscript(parts: list[str]) -> str:
    plain = [re.sub(r"[<>_]", " ", p).strip().replace(" ", "\\,") for p in parts]
    return "_{\\mathrm{" + ",".join(plain) + "}}" if plain else ""


@dataclass(frozen=True)
class LatexWriter:
    """Writes expressions of one `System` as LaTeX.

    Parameters
    ----------
    order : Notation
        Decides the order of terms and factors.
    names : mapping of Symbol to str
        How symbols are written.
    """

    order: Notation
    names: dict[sp.Symbol, str]

    def latex(self, expr: sp.Basic) -> str:
        """The expression in mathematics mode."""
        return self._latex(expr)[0]

    def _latex(self, expr: sp.Basic) -> tuple[str, int]:
        if isinstance(expr, sp.Symbol):
            return self.names.get(expr) or latex_name(str(expr.name)), _ATOM
        if expr.is_Number:
            text = _number(expr)
            return text, _SUM if text.startswith("-") else _ATOM
        if isinstance(expr, sp.Add):
            parts = ""
            for negative, term in self.order.terms(expr):
                sign = (" - " if negative else " + ") if parts else ("-" if negative else "")
                parts += sign + self._inside(term, _PRODUCT if negative else _SUM)
            return parts, _SUM
        if isinstance(expr, sp.Mul):
            return self._product(expr)
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        if isinstance(expr, sp.Piecewise):
            return self._cases(expr), _ATOM
        if type(expr) in _RELATIONS:
            return f" {_RELATIONS[type(expr)]} ".join(self.latex(a) for a in expr.args), _SUM
        if isinstance(expr, sp.And | sp.Or):
            word = "\\text{ and }" if isinstance(expr, sp.And) else "\\text{ or }"
            return word.join(sorted(self.latex(a) for a in expr.args)), _SUM
        if type(expr) in _BRACKETS:
            left, right = _BRACKETS[type(expr)]
            return f"\\left{left}{self.latex(expr.args[0])}\\right{right}", _ATOM
        name = _FUNCTIONS.get(type(expr)) or latex_name(str(expr.func))
        arguments = self.order.ordered(expr.args) if isinstance(expr, sp.Min | sp.Max) else expr.args
        listed = ",\\, ".join(self.latex(a) for a in arguments)
        return name + _bracketed(listed), _ATOM

    def _inside(self, expr: sp.Basic, least: int) -> str:
        text, binds = self._latex(expr)
        return text if binds >= least else _bracketed(text)

    def _product(self, expr: sp.Mul) -> tuple[str, int]:
        if expr.could_extract_minus_sign():
            return "-" + self._inside(-expr, _PRODUCT), _SUM
        above, below = self.order.fraction(expr)
        if not below:
            return self._factors(above), _PRODUCT
        # One factor above or below the line needs no brackets there.
        top = self.latex(above[0]) if len(above) == 1 else self._factors(above) or "1"
        bottom = self.latex(below[0]) if len(below) == 1 else self._factors(below)
        return f"\\frac{{{top}}}{{{bottom}}}", _PRODUCT

    def _factors(self, factors: list[sp.Expr]) -> str:
        return " \\, ".join(self._inside(f, _PRODUCT) for f in factors)

    def _power(self, expr: sp.Pow) -> tuple[str, int]:
        if expr.exp.is_Rational and expr.exp.is_negative:
            return f"\\frac{{1}}{{{self.latex(1 / expr)}}}", _PRODUCT
        if expr.exp == sp.Rational(1, 2):
            return f"\\sqrt{{{self.latex(expr.base)}}}", _ATOM
        base = self._inside(expr.base, _ATOM)
        if "^" in base and not base.startswith("\\left("):
            base = _bracketed(base)  # two superscripts on one letter are an error in TeX
        return f"{base}^{{{self.latex(expr.exp)}}}", _ATOM

    def _cases(self, expr: sp.Piecewise) -> str:
        rows = [
            f"{self.latex(value)} & \\text{{otherwise}}" if condition == sp.true
            else f"{self.latex(value)} & {self.latex(condition)}"
            for value, condition in expr.args
        ]  # fmt: skip
        return "\\begin{cases} " + " \\\\ ".join(rows) + " \\end{cases}"


def _bracketed(text: str) -> str:
    return f"\\left({text}\\right)"


def _number(value: sp.Expr) -> str:
    text = exact_number(value)
    if "/" in text:
        sign = "-" if text.startswith("-") else ""
        top, bottom = text.lstrip("-").split("/")
        return f"{sign}\\frac{{{top}}}{{{bottom}}}"
    if "e" in text:
        digits, exponent = text.split("e")
        return f"{digits} \\cdot 10^{{{int(exponent)}}}"
    return text.removesuffix(".0")


def latex_writer(system: System) -> LatexWriter:
    """The LaTeX writer of a `System`: amounts as A, rates as r, other names by `latex_name`.

    Where two names would look the same, the later one is written in full.
    """
    names: dict[sp.Symbol, str] = {}
    taken: set[str] = {"t"}

    def add(symbol: sp.Symbol, wanted: str, name: str) -> None:
        full = "\\mathrm{" + re.sub(r"[<>_]", "\\\\,", name).strip("\\,") + "}"
        shown = wanted if wanted not in taken else full
        taken.add(shown)
        names[symbol] = shown

    names[system.time] = "t"
    for state in system.states:
        wanted = latex_name(state.name)
        if state.node is not None and state.species is not None:
            wanted = f"A{_subscript([p for p in (state.node, state.space, state.species) if p])}"
        add(state.symbol, wanted, state.name)
    for parameter in system.parameters:
        add(parameter.symbol, latex_name(parameter.name), parameter.name)
    for definition in (*system.constants, *system.curves):
        add(definition.symbol, latex_name(definition.name), definition.name)
    for entry in system.inputs:
        shown = f"u{_subscript(entry.target.split('.'))}"
        add(entry.symbol, f"{latex_name(entry.target)}(t)" if entry.kind == "held" else shown, entry.name)
    for rate in system.rates:
        add(rate.symbol, f"r{_subscript([rate.name])}", rate.name)
    return LatexWriter(notation(system), names)
