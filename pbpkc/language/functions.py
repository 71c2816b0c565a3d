"""The functions of the language: what each demands of its arguments and what it expands to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pbpkc.language.expression import Apply, Expr, add, div, mul, number, sub
from pbpkc.language.units import ONE, Dimension, parse_unit

#: Functions of one dimensionless argument that stay as they are.
PLAIN = ("exp", "ln", "log10", "sin", "cos", "floor", "ceil")

#: Modifiers of `mm`; they mean something only there.
MODIFIERS = {"competitive": 2, "uncompetitive": 2, "substrate": 1}

#: Figures of a curve, in `check` alone.
FIGURES = ("auc", "auc_inf", "cmax", "tmax", "cmin", "last", "thalf", "value")

#: Number of arguments of each function (None: one or more).
ARITY: Mapping[str, int | None] = {
    **dict.fromkeys(PLAIN, 1), "sqrt": 1, "abs": 1, "min": None, "max": None, "hill": 3, "q10": 3,
}  # fmt: skip


#: How functions of several arguments are written.
USAGE = {
    "hill": "hill(c, ec50, n)",
    "q10": "q10(q, T, Tref)",
    "min": "min(a, b)",
    "max": "max(a, b)",
    "tad": "tad(APAP)",
    "competitive": "competitive(ci, ki)",
    "uncompetitive": "uncompetitive(ci, ki)",
    "substrate": "substrate(ki)",
}


class Mismatch(Exception):
    """Two expressions that must have one unit do not."""

    def __init__(self, what: str, left: Expr, right: Expr | Dimension) -> None:
        super().__init__(what)
        self.what, self.left, self.right = what, left, right


@dataclass(frozen=True)
class Modifier:
    """A modifier of `mm` with its bound arguments."""

    name: str
    args: tuple[Expr, ...]


def demand(what: str, expr: Expr, dimension: Dimension) -> None:
    """Raise `Mismatch` unless an expression has a dimension."""
    if expr.dim != dimension:
        raise Mismatch(what, expr, dimension)


def alike(what: str, exprs: Sequence[Expr]) -> None:
    """Raise `Mismatch` unless all expressions have the dimension of the first."""
    for other in exprs[1:]:
        if other.dim != exprs[0].dim:
            raise Mismatch(what, exprs[0], other)


def builtin(name: str, args: Sequence[Expr]) -> Expr:
    """A call of a plain function.

    Raises
    ------
    Mismatch
        When an argument has the wrong unit.
    """
    span = args[0].span
    if name in PLAIN:
        demand(f"{name} takes a dimensionless argument", args[0], ONE)
        return Apply(ONE, name, tuple(args), span=span)
    if name == "sqrt":
        return Apply(args[0].dim ** Fraction(1, 2), "sqrt", tuple(args), span=span)
    if name == "abs":
        return Apply(args[0].dim, "abs", tuple(args), span=span)
    if name in ("min", "max"):
        alike(f"the arguments of {name} have one unit", args)
        return args[0] if len(args) == 1 else Apply(args[0].dim, name, tuple(args), span=span)
    return _COMPOSED[name](args)


def michaelis_menten(args: Sequence[Expr | Modifier]) -> Expr:
    """``mm(vmax, km, c, modifiers)`` = vmax c / (km (1 + ci/ki) + c (1 + ci/ku) + c^2/ks).

    Raises
    ------
    Mismatch
        When km and c differ in unit, or a modifier's concentration and constant do.
    """
    v, km, c = (a for a in args[:3] if isinstance(a, Expr))
    alike("km and the concentration of mm have one unit", (km, c))
    k: Expr = km
    top: Expr = c
    extra: list[Expr] = []
    for modifier in args[3:]:
        assert isinstance(modifier, Modifier)
        if modifier.name == "substrate":
            (ki,) = modifier.args
            alike("substrate(ki) has the unit of the concentration", (c, ki))
            extra.append(div(mul(c, c), ki))
            continue
        ci, ki = modifier.args
        alike(f"both arguments of {modifier.name} have one unit", (ci, ki))
        factor = add(number(1), div(ci, ki))
        if modifier.name == "competitive":
            k = mul(k, factor)
        else:
            top = mul(top, factor)
    return div(mul(v, c), add(k, top, *extra))


def _hill(args: Sequence[Expr]) -> Expr:
    c, ec50, power = args
    alike("the concentration and ec50 of hill have one unit", (c, ec50))
    demand("the exponent of hill is dimensionless", power, ONE)
    # (c/ec50)^n / (1 + (c/ec50)^n): the same, and the powers have a dimensionless base.
    ratio = Apply(ONE, "pow", (div(c, ec50), power), span=c.span)
    return div(ratio, add(number(1), ratio))


def _q10(args: Sequence[Expr]) -> Expr:
    q, temperature, reference = args
    demand("the first argument of q10 is dimensionless", q, ONE)
    alike("both temperatures of q10 have one unit", (temperature, reference))
    kelvin = parse_unit("K")
    demand("q10 takes temperatures", temperature, kelvin.dimension)
    from pbpkc.language.expression import Const

    ten = Const(kelvin.dimension, Fraction(10), kelvin)
    return Apply(ONE, "pow", (q, div(sub(temperature, reference), ten)), span=q.span)


_COMPOSED: Mapping[str, Callable[[Sequence[Expr]], Expr]] = {"hill": _hill, "q10": _q10}
