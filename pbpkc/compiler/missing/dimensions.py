"""Units of new names in an expression, from the units of all that is known in it.

Every node of an expression has a dimension that is a product of known ones and of powers of unknown ones.
Terms of a sum, arguments of ``min`` and ``max`` and both sides of a comparison have one dimension, what
stands in ``exp`` or in an exponent has none, and the whole has the dimension of the result: linear equations
in the exponents, solved exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from pbpkc.compiler.missing.form import FormError
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE, Dimension, parse_unit

_PLAIN = ("exp", "ln", "log10", "sin", "cos")
_SAME = ("min", "max", "add", "sub", "lt", "le", "gt", "ge")


@dataclass(frozen=True)
class _Product:
    """A known dimension times powers of dimensions that are looked for."""

    known: Dimension = ONE
    powers: Mapping[str, Fraction] = field(default_factory=dict)

    def raised(self, exponent: Fraction) -> _Product:
        return _Product(self.known**exponent, {k: v * exponent for k, v in self.powers.items()})

    def times(self, other: _Product) -> _Product:
        powers = dict(self.powers)
        for name, power in other.powers.items():
            powers[name] = powers.get(name, Fraction(0)) + power
        return _Product(self.known * other.known, {k: v for k, v in powers.items() if v})

    def over(self, other: _Product) -> _Product:
        return self.times(other.raised(Fraction(-1)))


def infer_dimensions(
    node: n.SyntaxExpr, known: Mapping[str, Dimension], result: Dimension
) -> dict[str, Dimension]:
    """Dimensions of the names in an expression that are not known, in the order in which they stand there.

    Parameters
    ----------
    node : SyntaxExpr
    known : mapping of str to Dimension
    result : Dimension
        Of the whole.

    Raises
    ------
    FormError
        Where the equations contradict each other, or leave the dimension of a name open.
    """
    seen = _Equations(known)
    whole = seen.of(node)
    seen.equal(whole, _Product(result), "the whole has the unit of the term")
    return seen.solved()


class _Equations:
    def __init__(self, known: Mapping[str, Dimension]) -> None:
        self._known = known
        self._names: dict[str, None] = {}
        self._rows: list[tuple[_Product, str]] = []

    def equal(self, a: _Product, b: _Product, why: str) -> None:
        self._rows.append((a.over(b), why))

    def of(self, node: n.SyntaxExpr) -> _Product:
        match node:
            case n.Quantity():
                return _Product(ONE if node.unit is None else parse_unit(node.unit.text).dimension)
            case n.Ref():
                if node.text in self._known:
                    return _Product(self._known[node.text])
                if len(node.parts) != 1 or node.parts[0].index is not None:
                    raise FormError(f"'{node.text}' cannot be a new parameter of a form; use a plain name")
                self._names[node.text] = None
                return _Product(ONE, {node.text: Fraction(1)})
            case n.Operation():
                return self._operation(node)
            case n.Call():
                return self._call(node)
        raise FormError("a form is an expression without sums over an index")

    def _operation(self, node: n.Operation) -> _Product:
        if node.op == "pow":
            return self._power(node)
        if node.op == "if":
            self.of(node.args[0])
            return self._alike(list(node.args[1:]), "both values of if(...) have one unit")
        if node.op in _SAME:
            found = self._alike(list(node.args), "the terms of a sum have one unit")
            return found if node.op in ("add", "sub") else _Product()
        args = [self.of(a) for a in node.args]
        if node.op == "mul":
            return args[0].times(args[1])
        if node.op == "div":
            return args[0].over(args[1])
        return args[0] if node.op == "neg" else _Product()

    def _power(self, node: n.Operation) -> _Product:
        base = self.of(node.args[0])
        exponent = _number(node.args[1])
        if exponent is not None:
            return base.raised(exponent)
        self.equal(self.of(node.args[1]), _Product(), "an exponent has no unit")
        self.equal(base, _Product(), "what is raised to a parameter has no unit: divide it by a reference")
        return _Product()

    def _call(self, node: n.Call) -> _Product:
        if node.name in _PLAIN:
            for argument in node.args:
                self.equal(self.of(argument), _Product(), f"the argument of {node.name} has no unit")
            return _Product()
        if node.name in _SAME:
            return self._alike(list(node.args), f"the arguments of {node.name} have one unit")
        if node.name == "sqrt":
            return self.of(node.args[0]).raised(Fraction(1, 2))
        if node.name == "abs":
            return self.of(node.args[0])
        if node.name == "mm" and len(node.args) == 3:
            v, k, c = (self.of(a) for a in node.args)
            self.equal(k, c, "km and the concentration of mm have one unit")
            return v
        raise FormError(f"{node.name}(...) cannot stand in a form; write it out")

    def _alike(self, nodes: list[n.SyntaxExpr], why: str) -> _Product:
        found = [self.of(one) for one in nodes]
        for other in found[1:]:
            self.equal(found[0], other, why)
        return found[0]

    def solved(self) -> dict[str, Dimension]:
        """The names' dimensions by Gauss-Jordan elimination."""
        names = list(self._names)
        rows = [(dict(p.powers), p.known, why) for p, why in self._rows]
        solved: dict[str, tuple[dict[str, Fraction], Dimension]] = {}
        for name in names:
            at = next((i for i, (powers, _, _) in enumerate(rows) if powers.get(name)), None)
            if at is None:
                continue
            powers, known, _ = rows.pop(at)
            pivot = powers[name]
            powers = {k: v / pivot for k, v in powers.items()}
            known = known ** (1 / pivot)
            rows = [(*_without(name, p, d, powers, known), why) for p, d, why in rows]
            solved = {k: _without(name, p, d, powers, known) for k, (p, d) in solved.items()}
            solved[name] = powers, known
        for powers, known, why in rows:
            if not powers and not known.is_one:
                raise FormError(f"units do not fit: {why}; they differ by [{known}]")
        found = {}
        for name in names:
            powers, known = solved.get(name, ({}, ONE))
            if name not in solved or len(powers) > 1:
                raise FormError(
                    f"the unit of '{name}' does not follow from the form; say it, for example "
                    f'--with "{name} [1] in (0.1, 10)"'
                )
            found[name] = ONE / known
        return found


def _without(
    name: str, powers: Mapping[str, Fraction], known: Dimension, pivot: Mapping[str, Fraction], its: Dimension
) -> tuple[dict[str, Fraction], Dimension]:
    factor = powers.get(name, Fraction(0))
    if not factor:
        return dict(powers), known
    rest = {k: powers.get(k, Fraction(0)) - factor * pivot.get(k, Fraction(0)) for k in {**powers, **pivot}}
    return {k: v for k, v in rest.items() if v}, known / its**factor


def _number(node: n.SyntaxExpr) -> Fraction | None:
    if isinstance(node, n.Quantity) and node.unit is None:
        return node.value
    if isinstance(node, n.Operation) and node.op == "neg":
        inner = _number(node.args[0])
        return None if inner is None else -inner
    if isinstance(node, n.Operation) and node.op == "div":
        top, bottom = (_number(a) for a in node.args)
        return None if top is None or not bottom else top / bottom
    return None
