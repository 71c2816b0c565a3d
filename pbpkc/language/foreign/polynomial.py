"""Sums of products with exact coefficients: what tells whether two terms are the same.

A term becomes a mapping from products to coefficients, ``2 Q C - Q C/P`` to ``{Q C: 2, C P^-1 Q: -1}``.
What is no sum of products (an exponential, a condition, a sum in a denominator) stands in it as one factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pbpkc.language.foreign.constants import value_of
from pbpkc.language.foreign.terms import Call, Compare, If, Num, Sym, Term, Test

#: A product: factors in order, each with its exponent.
Product = tuple[tuple[str, Fraction], ...]
Sum = Mapping[Product, Fraction]

#: Sums longer than this are kept as one factor.
_MOST_PRODUCTS = 400

ONE: Product = ()


class Expander:
    """Terms as sums of products, with local values written out.

    Parameters
    ----------
    values : mapping of str to Term
        Names that are exchanged for what they stand for; others are factors.

    Attributes
    ----------
    reads : dict of str to frozenset of str
        The names inside each factor.
    """

    def __init__(self, values: Mapping[str, Term]) -> None:
        self._values = values
        self._memo: dict[str, Sum] = {}
        self.reads: dict[str, frozenset[str]] = {}
        self._meaning: dict[str, Term | Sum] = {}

    def expand(self, term: Term) -> Sum:
        """The sum of products that a term is."""
        match term:
            case Num():
                return {ONE: term.value} if term.value else {}
            case Sym():
                return self._named(term.name)
            case Call():
                arguments = [self.expand(a) for a in term.args]
                return self._factor(f"{term.name}({'; '.join(map(text, arguments))})", arguments, term)
            case If():
                pieces = [self.expand(term.then), self.expand(term.other)]
                key = f"if({self._test(term.test)}; {'; '.join(map(text, pieces))})"
                return self._factor(key, [*pieces, *self._sums(term.test)], term)
        given = [self.expand(a) for a in term.args]
        match term.op:
            case "neg":
                return scaled(given[0], Fraction(-1))
            case "+":
                return added(given[0], given[1])
            case "-":
                return added(given[0], scaled(given[1], Fraction(-1)))
            case "*":
                return self._product(given[0], given[1])
            case "/":
                return self._product(given[0], self._power(given[1], Fraction(-1)))
        return self._raised(given[0], given[1], term)

    def value(self, sum_: Sum, known: Mapping[str, float]) -> float:
        """The value of a sum, from those of its names.

        Raises
        ------
        NoNumber
            If one of them is not known.
        ArithmeticError, ValueError
            Where it has none.
        """
        found = 0.0
        for product, coefficient in sum_.items():
            one = float(coefficient)
            for factor, power in product:
                one *= self._factor_value(factor, known) ** float(power)
            found += one
        return found

    def _factor_value(self, factor: str, known: Mapping[str, float]) -> float:
        meaning = self._meaning.get(factor)
        if meaning is None:
            return value_of(Sym(factor), known)
        return self.value(meaning, known) if isinstance(meaning, Mapping) else value_of(meaning, known)

    def names(self, sum_: Sum) -> frozenset[str]:
        """Every name in a sum."""
        return frozenset().union(*(self.reads[f] for product in sum_ for f, _ in product))

    def names_of(self, product: Product) -> frozenset[str]:
        """Every name in a product."""
        return frozenset().union(*(self.reads[f] for f, _ in product))

    # ---------------------------------------------------------------- pieces

    def _named(self, name: str) -> Sum:
        if name in self._memo:
            return self._memo[name]
        if name not in self._values:
            self.reads[name] = frozenset((name,))
            return {((name, Fraction(1)),): Fraction(1)}
        found = self.expand(self._values[name])
        self._memo[name] = found
        return found

    def _factor(self, key: str, inside: list[Sum], meaning: Term | Sum, power: Fraction = Fraction(1)) -> Sum:
        self._meaning[key] = meaning
        self.reads[key] = frozenset().union(*(self.names(s) for s in inside))
        return {((key, power),): Fraction(1)}

    def _product(self, left: Sum, right: Sum) -> Sum:
        if len(left) * len(right) > _MOST_PRODUCTS:
            left, right = (self._one(s) for s in (left, right))
        found: dict[Product, Fraction] = {}
        for a, ca in left.items():
            for b, cb in right.items():
                product = _times(a, b)
                found[product] = found.get(product, Fraction(0)) + ca * cb
        return {p: c for p, c in found.items() if c}

    def _one(self, sum_: Sum) -> Sum:
        """A long sum as one factor with a coefficient."""
        return sum_ if len(sum_) <= 1 else self._power(sum_, Fraction(1))

    def _power(self, base: Sum, exponent: Fraction) -> Sum:
        if not base:
            return self._factor("0", [], {}, exponent) if exponent < 0 else {}
        if len(base) == 1:
            ((product, coefficient),) = base.items()
            rest: Sum = {tuple((f, p * exponent) for f, p in product): Fraction(1)}
            if exponent.denominator == 1:
                return scaled(rest, coefficient ** int(exponent))
            if coefficient == 1:
                return rest
            return self._product(rest, self._factor(f"{coefficient}", [], {ONE: coefficient}, exponent))
        # A sum is known by its text; its first coefficient stands in front, so that 2 + 2 x is twice 1 + x.
        lead = base[min(base)]
        if exponent.denominator != 1:
            lead = Fraction(1)
        inner = scaled(base, 1 / lead)
        factor = self._factor(f"({text(inner)})", [inner], inner, exponent)
        return factor if lead == 1 else scaled(factor, lead ** int(exponent))

    def _raised(self, base: Sum, exponent: Sum, term: Term) -> Sum:
        if not exponent:
            return {ONE: Fraction(1)}
        if len(exponent) == 1 and ONE in exponent:
            power = exponent[ONE]
            if power.denominator == 1 and 1 < power <= 3 and len(base) <= 4:
                found = base
                for _ in range(int(power) - 1):
                    found = self._product(found, base)
                return found
            return base if power == 1 else self._power(base, power)
        return self._factor(f"({text(base)})^({text(exponent)})", [base, exponent], term)

    def _test(self, test: Test) -> str:
        if isinstance(test, Compare):
            return f"{text(self.expand(test.left))} {test.op} {text(self.expand(test.right))}"
        return f" {test.op} ".join(f"({self._test(a)})" for a in test.args)

    def _sums(self, test: Test) -> list[Sum]:
        if isinstance(test, Compare):
            return [self.expand(test.left), self.expand(test.right)]
        return [s for a in test.args for s in self._sums(a)]


def _times(a: Product, b: Product) -> Product:
    powers = dict(a)
    for factor, power in b:
        powers[factor] = powers.get(factor, Fraction(0)) + power
    return tuple(sorted((f, p) for f, p in powers.items() if p))


def added(a: Sum, b: Sum) -> Sum:
    """The sum of two sums."""
    found = dict(a)
    for product, coefficient in b.items():
        found[product] = found.get(product, Fraction(0)) + coefficient
    return {p: c for p, c in found.items() if c}


def total(sums: list[Sum]) -> Sum:
    """The sum of several sums."""
    found: Sum = {}
    for one in sums:
        found = added(found, one)
    return found


def scaled(a: Sum, by: Fraction) -> Sum:
    """A sum with all its coefficients multiplied."""
    return {p: c * by for p, c in a.items()} if by != 1 else a


def text(sum_: Sum) -> str:
    """A sum as a text that is the same for the same sum."""
    return " + ".join(
        f"{coefficient} {' '.join(f if p == 1 else f'{f}^{p}' for f, p in product)}".strip()
        for product, coefficient in sorted(sum_.items())
    )


def signature(sum_: Sum) -> tuple[str, Fraction]:
    """A sum up to its scale, and the scale: equal texts are multiples of each other."""
    if not sum_:
        return "", Fraction(0)
    lead = sum_[min(sum_)]
    return text(scaled(sum_, 1 / lead)), lead


def split_product(
    product: Product, inside: frozenset[str], names: Mapping[str, frozenset[str]]
) -> tuple[Product, Product]:
    """The factors of a product that read one of some names, and the others."""
    moving = tuple((f, p) for f, p in product if names[f] & inside)
    return moving, tuple((f, p) for f, p in product if not names[f] & inside)
