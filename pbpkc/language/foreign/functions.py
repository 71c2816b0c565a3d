"""Functions of C++ and R as functions of the .pbpk language, and numbers as exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.foreign.terms import Call, Num, Op, Term, number
from pbpkc.language.source import Span

#: Numbers a spec can hold.
_MOST_DIGITS = 60
_LEAST, _MOST = Fraction(1, 10**300), Fraction(10**300)

#: One to one: name there, name here, how many arguments (None: two or more).
_SAME: dict[str, tuple[str, int | None]] = {
    "exp": ("exp", 1), "log": ("ln", 1), "ln": ("ln", 1), "log10": ("log10", 1), "sqrt": ("sqrt", 1),
    "sin": ("sin", 1), "cos": ("cos", 1), "abs": ("abs", 1), "fabs": ("abs", 1), "floor": ("floor", 1),
    "ceil": ("ceil", 1), "ceiling": ("ceil", 1),
    "max": ("max", None), "min": ("min", None), "fmax": ("max", None), "fmin": ("min", None),
}  # fmt: skip


def _unary(make: Callable[[Term], Term]) -> tuple[int, Callable[..., Term]]:
    return 1, make


def _minus(a: Term, b: Term) -> Term:
    return Op("-", (a, b))


#: Written with what the language has.
_MADE: dict[str, tuple[int, Callable[..., Term]]] = {
    "pow": (2, lambda x, y: Op("^", (x, y))),
    "R_pow": (2, lambda x, y: Op("^", (x, y))),
    "log2": _unary(lambda x: Op("/", (Call("ln", (x,)), Call("ln", (number(2),))))),
    "log1p": _unary(lambda x: Call("ln", (Op("+", (number(1), x)),))),
    "expm1": _unary(lambda x: _minus(Call("exp", (x,)), number(1))),
    "exp2": _unary(lambda x: Op("^", (number(2), x))),
    "tan": _unary(lambda x: Op("/", (Call("sin", (x,)), Call("cos", (x,))))),
    "expit": _unary(lambda x: Op("/", (number(1), Op("+", (number(1), Call("exp", (Op("neg", (x,)),))))))),
    "tanh": _unary(
        lambda x: _minus(
            number(1),
            Op("/", (number(2), Op("+", (Call("exp", (Op("*", (number(2), x)),)), number(1))))),
        )
    ),
}


def called(name: str, arguments: tuple[Term, ...], place: Span, name_place: Span) -> Term:
    """A call of a function of the other tool, as a term.

    Raises
    ------
    SpecError
        For a function that is none of a model, or that has another number of arguments.
    """
    bare = name.removeprefix("std::")
    if bare in _SAME:
        target, count = _SAME[bare]
        _demand(bare, arguments, count, place)
        return Call(target, arguments, place)
    if bare in _MADE:
        count, make = _MADE[bare]
        _demand(bare, arguments, count, place)
        made = make(*arguments)
        return Op(made.op, made.args, place) if isinstance(made, Op) else made
    near = similar(bare, [*_SAME, *_MADE])
    raise SpecError(
        [
            Diagnostic(
                "unknown-function",
                f"'{name}' is no function that is read",
                (Label(name_place),),
                help=f"a function with a similar name is: '{near}'"
                if near
                else "write its formula where it is used; functions are "
                + ", ".join(dict.fromkeys([*_SAME, *_MADE])),
            )
        ]
    )


def _demand(name: str, arguments: tuple[Term, ...], count: int | None, place: Span) -> None:
    if len(arguments) == count or (count is None and len(arguments) >= 2):
        return
    wanted = "two or more arguments" if count is None else f"{count} argument" + "s" * (count != 1)
    raise SpecError(
        [
            Diagnostic(
                "arguments",
                f"'{name}' takes {wanted}, and has {len(arguments)}",
                (Label(place),),
                help="write each argument between the parentheses",
            )
        ]
    )


def exact_number(text: str, place: Span, integer: bool = False) -> Num:
    """A literal as an exact fraction.

    Raises
    ------
    SpecError
        For a number that no spec can hold.
    """
    mantissa, _, exponent = text.lower().partition("e")
    small = len(mantissa) <= _MOST_DIGITS and len(exponent) <= 5
    value = Fraction(text if text[0] != "." else "0" + text) if small else Fraction(0)
    if not small or (value and not _LEAST <= value <= _MOST):
        raise SpecError(
            [
                Diagnostic(
                    "bad-number",
                    f"the number {text[:30]} is outside what can be computed with",
                    (Label(place),),
                    help=f"numbers lie between 1e-300 and 1e300 and have at most {_MOST_DIGITS} digits",
                )
            ]
        )
    return Num(value, integer, place)
