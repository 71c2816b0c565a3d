"""What the numbers of a spec must satisfy at its own values: volumes, attributes, splits, doses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate, evaluate_definitions, reason
from pbpkc.language.expression import Expr, substitute
from pbpkc.language.model import Arrow, Scenario
from pbpkc.language.scenario.dose_times import Known, dose_warnings
from pbpkc.language.source import Span
from pbpkc.language.structure.circulation import LARGE_REMAINDER, large_remainder
from pbpkc.language.syntax import nodes as n

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


@dataclass(frozen=True)
class AttributeRange:
    """What an attribute must be: above 0, or 0 too, and at most `high`; `rule` says it in words."""

    rule: str
    high: float = math.inf
    zero: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value (canonical units) is one that the attribute can have."""
        return (value > 0 or (self.zero and value == 0)) and value <= self.high


#: What each attribute of a species must be, by its first word.
ATTRIBUTE_RANGES = {
    "mw": AttributeRange("a molar mass is above 0"),
    "fup": AttributeRange("an unbound fraction lies above 0 and is at most 1", high=1.0),
    "bp": AttributeRange("a blood-to-plasma ratio is above 0"),
    "kp": AttributeRange("a partition coefficient is above 0"),
    "kb": AttributeRange("a partition coefficient is above 0"),
    "kpu": AttributeRange("a partition coefficient is above 0"),
    "ps": AttributeRange("a permeability is not negative", zero=True),
}

#: What each part of a dose must be: the least value, whether it may be that value, and the words for it.
_DOSE = (
    ("amount", 0.0, True, "an amount is not negative"),
    ("over", 0.0, False, "a duration is above 0"),
    ("rate", 0.0, False, "the rate of an infusion is above 0"),
    ("every", 0.0, False, "an interval is above 0"),
    ("lag", 0.0, True, "a lag is not negative"),
    ("fraction", 0.0, True, "a fraction is not negative"),
)

#: A dose before 0 has no run to be given in. Beside a data file the run begins as early as its first dose.
_AT = ("at", 0.0, True, "a scenario begins at 0: give the first dose at 0 and shift the other times")
_AT_BESIDE_DATA = ("at", -math.inf, True, "a time is a finite number")

_WORDS = {"at": "time", "over": "duration", "every": "interval"}

Lookup = Callable[[str], float]


def check_numbers(table: Table, arrows: Iterable[Arrow], scenarios: Iterable[Scenario]) -> None:
    """Report values that mean nothing at the spec's own parameters, in ``table.problems``."""
    definitions = {k: d.expr for k, d in table.definitions.items()}
    lookup = evaluate_definitions(definitions, {})
    for key, line in table.attributes.items():
        owner, word = table.owner(key)
        if key not in table.definitions:
            continue
        if word == "volume":
            _check_volume(table, owner, line, lookup)
        elif word == "vascular" and f"{owner}.volume" in table.definitions:
            _check_vascular(table, owner, line, lookup)
        elif owner in table.scope.species and word.split(".")[0] in ATTRIBUTE_RANGES:
            _check_attribute(table, key, word, line, lookup)
    for arrow in arrows:
        shares = [share for _, share in arrow.produces if share.span is not None]
        value = (
            _number(shares[0], lookup)
            if arrow.kind == "process" and len(arrow.produces) > 1 and shares
            else None
        )
        if (
            value is not None
            and not 0 <= value <= 1
            and table.scope.processes[arrow.name][0].span is not None
        ):
            _check_split(table, arrow, value, shares[0])
    for scenario in scenarios if not table.problems.any_error else ():
        # With a wrong molar mass every dose would be wrong too.
        # A setting may read what it replaces: `set CL = 0.5 * CL`.
        anew = {k: substitute(v, {k: definitions[k]}) if k in definitions else v for k, v in scenario.sets}
        meant = {**definitions, **anew}
        lookup = evaluate_definitions(meant, {})
        _check_scenario(table, scenario, lookup)
        if not table.problems.any_error:
            masked = {k for k, d in table.definitions.items() if d.mask is not None} - anew.keys()
            table.problems.extend(dose_warnings(scenario, Known(meant, lookup, masked), table.time_unit))


def _number(expr: Expr, lookup: Lookup) -> float | None:
    """A value, or None where it cannot be computed (which is reported elsewhere, or later)."""
    try:
        return float(evaluate(expr, lookup))
    except (NotEvaluable, KeyError, ValueError, ArithmeticError):
        return None


def _check_volume(table: Table, owner: str, line: n.Attribute, lookup: Lookup) -> None:
    expr = table.definitions[f"{owner}.volume"].expr
    value = _number(expr, lookup)
    call = line.value if isinstance(line.value, n.Call) and line.value.name == "remainder" else None
    if value is None:
        return
    if call is None:
        if not value > 0:
            table.problems.append(
                Diagnostic(
                    "negative-volume",
                    f"the volume of '{owner}' is not positive: {value:.4g} L",
                    (Label(line.span),),
                    help="a volume is above 0",
                )
            )
        return
    total = _number(table.binder.bind(call.args[0], Context()), lookup)
    if total is None:
        return
    if not value > 0:
        table.problems.append(
            Diagnostic(
                "negative-remainder",
                f"the volume left for '{owner}' is negative: {value:.4g} L",
                (Label(line.span),),
                (f"the other blood and tissue volumes are {total - value:.4g} L, the total {total:.4g} L",),
                "check the other volumes and the total",
            )
        )
    elif value > LARGE_REMAINDER * total:
        table.problems.append(large_remainder(f"volume of '{owner}'", value / total, line.span))


def _check_vascular(table: Table, owner: str, line: n.Attribute, lookup: Lookup) -> None:
    blood, whole = (
        _number(table.definitions[f"{owner}.{word}"].expr, lookup) for word in ("vascular", "volume")
    )
    if blood is None or whole is None or not whole > 0 or 0 < blood < whole:
        return
    table.problems.append(
        Diagnostic(
            "out-of-bounds",
            f"the blood in '{owner}' is {blood:.4g} L, and its volume {whole:.4g} L",
            (Label(line.span), Label(table.attributes[f"{owner}.volume"].span, "its volume")),
            ("`volume` is that of the whole tissue, its blood within",),
            "vascular is a part of the volume: a volume, or a fraction such as 5 [%]",
        )
    )


def _check_attribute(table: Table, key: str, word: str, line: n.Attribute, lookup: Lookup) -> None:
    allowed = ATTRIBUTE_RANGES[word.split(".")[0]]
    value = _number(table.definitions[key].expr, lookup)
    if value is not None and not allowed.holds(value):
        unit = table.definitions[key].unit
        shown = f"{(value - float(unit.offset)) / float(unit.factor):.4g}" + (
            "" if unit.text == "1" else f" {unit}"
        )
        table.problems.append(
            Diagnostic(
                "out-of-bounds",
                f"{word} of '{table.owner(key)[0]}' is {shown}",
                (Label(line.span),),
                help=allowed.rule,
            )
        )


def _check_split(table: Table, arrow: Arrow, value: float, share: Expr) -> None:
    process = table.scope.processes[arrow.name][0]
    if isinstance(process, n.Process) and process.split is not None:
        table.problems.append(
            Diagnostic(
                "out-of-bounds",
                f"the split of '{arrow.name}' is {value / float(process.right[0].count):.4g}",
                (Label(process.split.span),),
                help="a split is the share of one product, between 0 and 1",
            )
        )


def _check_scenario(table: Table, scenario: Scenario, lookup: Lookup) -> None:
    if scenario.run is not None:
        _check_value(
            table,
            scenario.run,
            lookup,
            0.0,
            False,
            f"the length of the run in scenario '{scenario.name}'",
            "a run is longer than 0",
            scenario.span,
        )
    for time in scenario.resets:
        what = f"the time of a reset in scenario '{scenario.name}'"
        rule = "a scenario begins at 0"
        _check_value(table, time, lookup, 0.0, True, what, rule, scenario.span)
    for dose in scenario.doses:
        for word, low, closed, rule in (*_DOSE, _AT if scenario.data is None else _AT_BESIDE_DATA):
            expr: Expr | None = getattr(dose, word)
            if expr is not None:
                what = f"the {_WORDS.get(word, word)} of a dose of '{dose.species}'"
                what += f" in scenario '{scenario.name}'"
                _check_value(table, expr, lookup, low, closed, what, rule, dose.span)


def _check_value(
    table: Table,
    expr: Expr,
    lookup: Lookup,
    low: float,
    closed: bool,
    what: str,
    rule: str,
    span: Span | None,
) -> None:
    where = expr.span or span
    labels = (Label(where),) if where else ()
    try:
        value = float(evaluate(expr, lookup))
    except (NotEvaluable, KeyError):
        return
    except (ValueError, ArithmeticError) as error:
        table.problems.append(
            Diagnostic(
                "bad-number", f"{what} cannot be computed: {reason(error)}", labels, help="check its parts"
            )
        )
        return
    if not math.isfinite(value):
        table.problems.append(
            Diagnostic("bad-number", f"{what} is not finite", labels, help="check its parts")
        )
    elif value < low or (value == low and not closed):
        how = "is negative" if value < 0 else "is 0"
        table.problems.append(Diagnostic("out-of-bounds", f"{what} {how}", labels, help=rule))
