"""Equations as MathML, which browsers set without help, from the LaTeX that `pbpkc.compiler.latex` writes.

The page and the LaTeX of a model so show the same symbols. Of LaTeX only what that writer produces is read.
Numbers are rounded to six digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\s+|.", re.DOTALL)

_SYMBOLS = {
    "\\cdot": "·", "\\le": "≤", "\\ge": "≥", "\\ne": "≠", "\\rightarrow": "→", "\\leftrightarrow": "↔",
    "\\lfloor": "⌊", "\\rfloor": "⌋", "-": "−", "\\lbrace": "{", "\\rbrace": "}",
}  # fmt: skip
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
_SPACES = {"\\,": "0.25em", "\\;": "0.28em", "\\ ": "0.25em", "\\quad": "1em"}
_FUNCTIONS = ("\\exp", "\\ln", "\\sin", "\\cos", "\\min", "\\max")


def formula(latex: str) -> Markup:
    """A formula that stands in a line of text."""
    return Markup("<math>{}</math>").format(_row(_Reader(latex).sequence(())))


def quotient(above: str, below: str) -> Markup:
    """A fraction of two formulas that stands by itself."""
    top, bottom = (_row(_Reader(part).sequence(())) for part in (above, below))
    return Markup('<math displaystyle="true"><mfrac>{}{}</mfrac></math>').format(top, bottom)


def signed_terms(terms: Iterable[tuple[bool, str]]) -> tuple[Markup, ...]:
    """The terms of a sum as formulas of their own, each with its sign, so that lines end between them.

    Parameters
    ----------
    terms : iterable of (bool, str)
        Whether it is subtracted, and its LaTeX without the sign.
    """
    found = []
    for place, (negative, latex) in enumerate(terms):
        sign = ("−" if negative else "+") if place else ("−" if negative else "")
        form = "infix" if place else "prefix"
        mark = Markup('<mo form="{}">{}</mo>').format(form, sign) if sign else Markup("")
        body = _row(_Reader(latex).sequence(()))
        found.append(Markup('<math displaystyle="true"><mrow>{}{}</mrow></math>').format(mark, body))
    return tuple(found) or (Markup("<math><mn>0</mn></math>"),)


def _rounded(number: str) -> str:
    """A number to six digits: a formula is read, not computed with."""
    short = f"{float(number):.6g}"
    return short if "." in number and "e" not in short else number


def _row(parts: list[Markup]) -> Markup:
    return parts[0] if len(parts) == 1 else Markup("<mrow>{}</mrow>").format(Markup("").join(parts))


class _Reader:
    """Reads LaTeX from left to right."""

    def __init__(self, latex: str) -> None:
        self.tokens: list[str] = [token for token in _TOKEN.findall(latex) if not token.isspace()]
        self.place = 0

    def sequence(self, until: tuple[str, ...]) -> list[Markup]:
        """Everything up to one of some tokens, which is passed over."""
        parts: list[Markup] = []
        while self.place < len(self.tokens):
            token = self.next()
            if token in until:
                break
            if token in "_^":
                base = parts.pop() if parts else Markup("<mrow></mrow>")
                parts.append(self.scripts(base, token))
            else:
                parts.append(self.atom(token))
        return parts

    def next(self) -> str:
        token = self.tokens[self.place]
        self.place += 1
        return token

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def group(self) -> Markup:
        """The next token, or what stands between the next braces."""
        token = self.next()
        return _row(self.sequence(("}",))) if token == "{" else self.atom(token)

    def words(self) -> str:
        """Plain text between the next braces."""
        depth, text = 1, ""
        self.next()
        while self.place < len(self.tokens):
            token = self.next()
            depth += (token == "{") - (token == "}")
            if not depth:
                break
            if token in _SPACES:
                text += "\u2009"
            else:
                text += token[1:] if len(token) == 2 and token[0] == "\\" else token
        return text

    def scripts(self, base: Markup, mark: str) -> Markup:
        first = self.group()
        if self.peek() not in ("_", "^") or self.peek() == mark:
            name = "msub" if mark == "_" else "msup"
            return Markup(f"<{name}>{{}}{{}}</{name}>").format(base, first)
        self.next()
        second = self.group()
        low, high = (first, second) if mark == "_" else (second, first)
        return Markup("<msubsup>{}{}{}</msubsup>").format(base, low, high)

    def atom(self, token: str) -> Markup:
        if token == "{":
            return _row(self.sequence(("}",)))
        if token == "\\frac":
            return Markup("<mfrac>{}{}</mfrac>").format(self.group(), self.group())
        if token == "\\sqrt":
            return Markup("<msqrt>{}</msqrt>").format(self.group())
        if token in ("\\mathrm", "\\operatorname"):
            return Markup('<mi mathvariant="normal">{}</mi>').format(self.words())
        if token == "\\text":
            # Blanks mean nothing in formulas, so they were dropped; the words that occur want them.
            words = self.words()
            return Markup("<mtext>{}</mtext>").format(f" {words} " if words in ("and", "or") else words)
        if token == "\\left":
            return self.bracketed()
        if token == "\\begin":
            return self.cases()
        if token in _SPACES:
            return Markup('<mspace width="{}"></mspace>').format(_SPACES[token])
        if token in _FUNCTIONS:
            return Markup("<mi>{}</mi><mo>\u2061</mo>").format(token[1:])
        if token[1:] in _GREEK:
            return Markup("<mi>{}</mi>").format(_GREEK[token[1:]])
        if token[0].isdigit():
            return Markup("<mn>{}</mn>").format(_rounded(token))
        if token[0].isalpha():
            return Markup("<mi>{}</mi>").format(token)
        return Markup("<mo>{}</mo>").format(_SYMBOLS.get(token, token.lstrip("\\")))

    def bracketed(self) -> Markup:
        left = _SYMBOLS.get(self.peek(), self.peek())
        self.next()
        inside = self.sequence(("\\right",))
        right = _SYMBOLS.get(self.next(), self.tokens[self.place - 1])
        return Markup("<mrow><mo>{}</mo>{}<mo>{}</mo></mrow>").format(left, _row(inside), right)

    def cases(self) -> Markup:
        self.words()
        rows: list[list[Markup]] = [[]]
        cell: list[Markup] = []
        while self.place < len(self.tokens):
            token = self.next()
            if token == "\\end":
                self.words()
                break
            if token in ("&", "\\\\"):
                rows[-1].append(_row(cell))
                cell = []
                if token == "\\\\":
                    rows.append([])
            elif token in "_^":
                cell.append(self.scripts(cell.pop(), token))
            else:
                cell.append(self.atom(token))
        rows[-1].append(_row(cell))
        body = Markup("").join(
            Markup("<mtr>{}</mtr>").format(Markup("").join(Markup("<mtd>{}</mtd>").format(c) for c in row))
            for row in rows
        )
        return Markup("<mrow><mo>{{</mo><mtable>{}</mtable></mrow>").format(body)
