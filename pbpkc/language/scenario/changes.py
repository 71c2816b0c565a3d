"""What changes during a run: covariates with `hold`, inputs, and the `set ... at` lines that move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import ExpressionBinder
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate, no_names
from pbpkc.language.expression import Expr
from pbpkc.language.model import Change, Definition
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE

if TYPE_CHECKING:
    from pbpkc.language.scenario.scenarios import ScenarioReader

#: How a covariate goes on between two points.
HOLDS = ("last", "next", "linear")

#: What a `set` of a scenario may say of when.
_WORDS = ("at", "for", "every", "count")

#: Times that one line may repeat.
MOST_CHANGES = 1_000


def hold_of(node: n.Value, binder: ExpressionBinder) -> str:
    """How a covariate or an input is held, "" for what keeps its value.

    Raises
    ------
    Unbound
        For a word that is none of `HOLDS`.
    """
    if node.hold is None:
        return "last" if node.keyword == "input" else ""
    word = node.hold.name
    if word not in HOLDS:
        near = similar(word, HOLDS)
        raise binder.fail(
            "unknown-name",
            f"'{word}' is no way to hold a value",
            node.hold.span,
            help=f"write hold {near}" if near else "write hold last, hold next or hold linear",
            fixes=respelt(node.hold.span, word, HOLDS),
        )
    return word


def allowed_range(definition: Definition) -> tuple[float, float]:
    """What a held name may become during a run: its bounds.

    Without bounds a quantity that is not negative stays so: that is what the proofs count on.
    """
    if definition.bounds is not None:
        return definition.bounds
    try:
        value = float(evaluate(definition.expr, no_names))
    except (NotEvaluable, ArithmeticError, ValueError):
        value = 0.0
    return (0.0, float("inf")) if value >= 0.0 else (float("-inf"), float("inf"))


def read_change(reader: ScenarioReader, item: n.Set, definition: Definition, value: Expr) -> Change:
    """``set x = e at t [for d] [every e count n]``, the target and the value already bound.

    Raises
    ------
    Unbound
        After reporting a name that keeps its value, a word that does not belong here, one that is missing,
        or a number that means nothing.
    """
    binder = reader.table.binder
    name = definition.name
    if not definition.hold:
        help = "only inputs and covariates with `hold` may change during a run"
        if definition.kind == "covariate":
            help += f": write hold last behind 'covariate {name}'"
        elif definition.kind in ("param", "masked", "attribute"):
            help += f"; declare an `input` and let '{name}' read it"
        others = (Label(definition.span, "declared here"),) if definition.span else ()
        raise binder.fail(
            "misplaced", f"'{name}' keeps its value during a run", item.when[0].span, others=others, help=help
        )
    given, count, seen = _moments(reader, item)
    at = given.get("at")
    if at is None:
        raise binder.fail(
            "misplaced",
            f"`{item.when[0].word}` without `at` does not say when '{name}' changes",
            item.when[0].span,
            help=f"write set {item.target.text} = ... at 4 [h] for 30 [min]",
        )
    if ("every" in given) != (count is not None):
        lacks = "`count`" if "every" in given else "`every`"
        raise binder.fail("repeat", f"this `set` repeats without {lacks}", item.span,
                          help="write every 24 [h] count 2")  # fmt: skip
    lasting, every = given.get("for"), given.get("every")
    if every is not None and lasting is None and definition.hold != "linear":
        raise binder.fail(
            "repeat", f"this `set` repeats, and '{name}' has that value already", seen["every"],
            help="say for how long: at 4 [h] for 30 [min] every 24 [h] count 2",
        )  # fmt: skip
    for word, what, zero in (("at", "time", True), ("for", "length", False), ("every", "interval", False)):
        number = _number(given.get(word))
        if number is not None and (number < 0.0 or (number == 0.0 and not zero)):
            raise binder.fail(
                "bad-number", f"the {what} of this `set` is {number:g} h, which is not "
                + ("0 or later" if zero else "above 0"), seen[word],
                help="a run begins at 0" if zero else "write a time above 0",
            )  # fmt: skip
    apart, long = _number(every), _number(lasting)
    if apart is not None and long is not None and long > apart * (1.0 + 1e-12):
        raise binder.fail(
            "repeat", f"'{name}' is set for {long:g} h every {apart:g} h: the repeats overlap", seen["for"],
            help="write a shorter `for` or a longer `every`",
        )  # fmt: skip
    _demand_allowed(reader, item, definition, value)
    return Change(name, value, at, lasting, every, count or 1, definition.hold, span=item.span)


def _moments(reader: ScenarioReader, item: n.Set) -> tuple[dict[str, Expr], int | None, dict[str, Span]]:
    """The times of a `set`, its count, and where each word stands."""
    table = reader.table
    binder = table.binder
    given: dict[str, Expr] = {}
    count: int | None = None
    seen: dict[str, Span] = {}
    for moment in item.when:
        word = moment.word
        if word in seen:
            raise binder.fail("duplicate-name", f"`{word}` is said twice", moment.span,
                              others=(Label(seen[word], "first here"),),
                              help="leave one of them out, or write two lines")  # fmt: skip
        seen[word] = moment.span
        if word not in _WORDS or moment.value is None:
            raise binder.fail("misplaced", f"`{word}` does not belong to a `set`", moment.span,
                              help="a `set` takes at, for, every with count")  # fmt: skip
        if word == "count":
            number = binder.constant(moment.value, ONE, "the count of a `set` is a whole number")
            if number != int(number) or not 1 <= number <= MOST_CHANGES:
                raise binder.fail(
                    "not-whole",
                    f"the count of this `set` is {number:g}, no whole number from 1 to {MOST_CHANGES}",
                    moment.span, help="write for example every 24 [h] count 2",
                )  # fmt: skip
            count = int(number)
            continue
        given[word] = binder.bind_as(
            moment.value, table.time, reader.context("a scenario's `set`"), f"`{word}` is a time"
        )
    return given, count, seen


def _demand_allowed(reader: ScenarioReader, item: n.Set, definition: Definition, value: Expr) -> None:
    number = _number(value)
    low, high = allowed_range(definition)
    if number is None or low <= number <= high:
        return
    if definition.bounds is None:
        message = f"'{definition.name}' is set below zero and has no bounds that allow it"
        help = f"write bounds where it is declared: {definition.kind} {definition.name} = ... in (low, high)"
    else:
        message = f"the value of '{item.target.text}' lies outside its bounds"
        help = "choose a value within the bounds, or widen them where it is declared"
    raise reader.table.binder.fail("out-of-bounds", message, item.value.span, help=help)


def _number(expr: Expr | None) -> float | None:
    """The value of an expression that reads no name, None for any other."""
    if expr is None:
        return None
    try:
        return float(evaluate(expr, no_names))
    except (NotEvaluable, ArithmeticError, ValueError):
        return None
