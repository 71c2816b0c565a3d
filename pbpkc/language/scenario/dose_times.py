"""What a scenario does not do in full: doses and changes after the end of its run, or cut by it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Expr, names_in
from pbpkc.language.model import Change, Dose, Scenario
from pbpkc.language.units import Unit

#: Times closer than this, relative to their size, are one: 3 * 0.1 h is not after 0.3 h.
_SAME_TIME = 1e-9


@dataclass(frozen=True)
class Known:
    """The numbers of a scenario that do not depend on what is estimated.

    Parameters
    ----------
    definitions : mapping of str to Expr
        What the names mean in the scenario.
    lookup : callable
        Value of a name.
    masked : collection of str
        Names that are estimated and that the scenario does not set.
    """

    definitions: Mapping[str, Expr]
    lookup: Callable[[str], float]
    masked: Collection[str]

    def number(self, expr: Expr) -> float | None:
        """The canonical value, None where it is not known yet or cannot be computed."""
        seen: set[str] = set()
        todo = [expr]
        while todo:
            for name in names_in(todo.pop()) - seen:
                if name in self.masked:
                    return None
                seen.add(name)
                if name in self.definitions:
                    todo.append(self.definitions[name])
        try:
            return float(evaluate(expr, self.lookup))
        except (NotEvaluable, KeyError, ValueError, ArithmeticError):
            return None


def dose_warnings(scenario: Scenario, known: Known, time_unit: Unit) -> list[Diagnostic]:
    """What its author may not expect of the doses of a scenario.

    Parameters
    ----------
    scenario : Scenario
    known : Known
    time_unit : Unit
        Of the times in the messages.

    Returns
    -------
    list of Diagnostic
        Warnings ``large-fraction``, ``dose-after-end``, ``infusion-cut`` and ``change-after-end``; nothing
        about a number that depends on an estimated parameter, and nothing about the end where a data file
        tells it.
    """
    found: list[Diagnostic] = []
    lines = scenario.data.dose_rows if scenario.data else ()
    for dose in (*scenario.doses, *(dose for _, _, dose in lines)):
        fraction = None if dose.fraction is None else known.number(dose.fraction)
        if fraction is not None and fraction > 1.0:
            message = f"the fraction of a dose of '{dose.species}' is {fraction:.4g}, more than all of it"
            help = "a fraction of 80 % is written fraction 0.8"
            found.append(_warning("large-fraction", message, dose.fraction, dose, help))
    end = None if scenario.run is None or scenario.data is not None else known.number(scenario.run)
    if end is not None:
        for dose in scenario.doses:
            found += _after_the_end(scenario, dose, end, known, time_unit)
        for change in scenario.changes:
            found += _change_after_the_end(scenario, change, end, known, time_unit)
    return found


def _shown(time: float, time_unit: Unit) -> str:
    unit = "" if time_unit.text == "1" else f" {time_unit.text}"
    return f"{time / float(time_unit.factor):.6g}{unit}"


def _change_after_the_end(
    scenario: Scenario, change: Change, end: float, known: Known, time_unit: Unit
) -> list[Diagnostic]:
    """What the end of a run leaves out of one `set`: also its last step, which nobody sees."""
    at, every = (0.0 if e is None else known.number(e) for e in (change.at, change.every))
    if at is None or every is None or (change.hold != "last" and change.lasting is None):
        return []  # the point before may lead to one that lies behind the end
    late = sum(at + repeat * every >= end - _SAME_TIME * abs(end) for repeat in range(change.count))
    if not late:
        return []
    what = f"'{change.name}' in scenario '{scenario.name}'"
    if late == change.count:
        message = f"{what} changes at {_shown(at, time_unit)} and the run ends at {_shown(end, time_unit)}"
    else:
        message = (
            f"{late} of {change.count} changes of {what} come after the run ends at {_shown(end, time_unit)}"
        )
    place = change.at.span or change.span
    return [
        Diagnostic(
            "change-after-end", message, (Label(place),) if place else (),
            help="let the run last longer, or leave the change out", severity="warning",
        )
    ]  # fmt: skip


def _after_the_end(
    scenario: Scenario, dose: Dose, end: float, known: Known, time_unit: Unit
) -> list[Diagnostic]:
    """What the end of a run leaves out of one dose line."""

    def shown(time: float) -> str:
        return _shown(time, time_unit)

    at, lag, every = (0.0 if e is None else known.number(e) for e in (dose.at, dose.lag, dose.every))
    if at is None or lag is None or every is None:
        return []
    limit = end + _SAME_TIME * abs(end)
    if dose.count is None:
        return []  # it goes on, and the end of the run is where it is looked at
    starts = [at + lag + repeat * every for repeat in range(dose.count)]
    given = [start for start in starts if start <= limit]
    where = f"in scenario '{scenario.name}'"
    help = "let the run last longer, or the dose come earlier"
    if not given:
        message = f"the dose of '{dose.species}' {where} comes at {shown(starts[0])} and the run ends at "
        return [_warning("dose-after-end", message + shown(end), dose.at, dose, help)]
    found = []
    if len(given) < dose.count:
        message = f"{dose.count - len(given)} of {dose.count} doses of '{dose.species}' {where} come after "
        message += f"the run ends at {shown(end)}"
        help = "let the run last longer, or lower the count"
        found.append(_warning("dose-after-end", message, dose.every, dose, help))
    duration = _duration(dose, known)
    if duration is not None and duration > 0.0 and given[-1] + duration > limit:
        message = (
            f"an infusion of '{dose.species}' {where} lasts until {shown(given[-1] + duration)} and the "
        )
        help = "let the run last longer, or the infusion be shorter"
        found.append(
            _warning("infusion-cut", f"{message}run ends at {shown(end)}", dose.over or dose.rate, dose, help)
        )
    return found


def _duration(dose: Dose, known: Known) -> float | None:
    """How long an infusion lasts (h), None for a bolus or where it is not known."""
    if dose.over is not None:
        return known.number(dose.over)
    if dose.rate is None or dose.amount is None:
        return None
    rate, amount = known.number(dose.rate), known.number(dose.amount)
    # A fraction scales the amount, so an infusion by rate gets shorter.
    fraction = 1.0 if dose.fraction is None else known.number(dose.fraction)
    if rate is None or amount is None or fraction is None or not rate > 0.0:
        return None
    return amount * fraction / rate


def _warning(code: str, message: str, expr: Expr | None, dose: Dose, help: str) -> Diagnostic:
    place = (expr.span if expr is not None else None) or dose.span
    return Diagnostic(code, message, (Label(place),) if place else (), help=help, severity="warning")
