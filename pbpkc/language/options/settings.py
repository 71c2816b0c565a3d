"""What a run changes in a model without touching the spec: values, unknown terms; and its sampling times.

`--set`, `--unmask`, `--start`, `--unknown` and `--times` are read here with the same parser and the same
messages as the spec itself; `--mask` in `mask_option`.
"""

from __future__ import annotations

from dataclasses import replace

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import similar
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Expr, Name
from pbpkc.language.model import Model, Unknown
from pbpkc.language.options.option_text import BARE, OptionError, OptionText, with_brackets
from pbpkc.language.options.option_values import constant, known_name, option_binder
from pbpkc.language.units import Unit


def read_value(model: Model, text: str, option: str = "--set") -> tuple[str, float]:
    """``ka = 1.5 [1/h]`` (brackets may be left off) as a definition's name and a canonical value.

    Raises
    ------
    OptionError
        For an unknown name, a wrong unit, or a value outside a covariate's bounds.
    """
    before, found, rest = text.partition("=")
    usage = f'write {option} "name = 1.5 [unit]"'
    if not found or not before.strip() or not rest.strip():
        lacking = "a name" if found and not before.strip() else "a value"
        raise OptionText(option, text, 0, "", usage).problem("usage", f"{lacking} is missing", usage)
    name = known_name(model, before, OptionText(option, text, 0, "", usage))
    definition = model.definitions[name]
    usage = f'write {option} "{name} = {_example(definition.unit)}"'
    typed = with_brackets(option, f"{before.strip()} = ", rest, name, usage)
    value = constant(
        model, typed, typed.expression(), definition.expr, f"'{name}' keeps its unit, {definition.unit}"
    )
    bounds = definition.bounds
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        low, high = (f"{_in_unit(b, definition.unit):g}" for b in bounds)
        raise typed.problem(
            "out-of-bounds",
            f"the value of '{name}' lies outside its bounds",
            f"the spec allows ({low}, {high}) {definition.unit}",
        )
    return name, value


def read_unmask_option(model: Model, text: str) -> tuple[str, float | None]:
    """``vmax_sult`` or ``vmax_sult = 400 [umol/h/kg^0.75]``: held at that value, or at its median (None).

    Raises
    ------
    OptionError
        For an unknown name, one that is not masked, or a wrong unit.
    """
    usage = 'write --unmask "name" or --unmask "name = 1.5 [unit]"'
    typed = OptionText("--unmask", text, 0, "", usage)
    name, value = (
        read_value(model, text, "--unmask") if "=" in text else (known_name(model, text, typed), None)
    )
    if model.definitions[name].mask is None:
        masked = ", ".join(d.name for d in model.masked) or "none"
        raise typed.problem("misplaced", f"'{name}' is not masked", f"masked parameters are: {masked}")
    return name, value


def read_unknown(model: Model, text: str) -> tuple[str, Unknown]:
    """``name = expression of its arguments`` as an unknown term with that default.

    Raises
    ------
    OptionError
        For an unknown name, a wrong unit, a number outside the term's range, an expression that reads
        anything but the arguments.
    """
    before, found, expression = text.partition("=")
    name = before.strip()
    there = ", ".join(model.unknowns) or "none"
    usage = f'write --unknown "name = expression"; unknown terms are: {there}'
    blank = OptionText("--unknown", text, 0, name, usage)
    if not name:
        raise blank.problem("usage", "a name is missing", usage)
    if name not in model.unknowns:
        near = similar(name, model.unknowns)
        raise blank.problem(
            "unknown-name",
            f"there is no unknown term '{name}'",
            f"one with a similar name exists: '{near}'" if near else f"unknown terms are: {there}",
        )
    if not found or not expression.strip():
        raise blank.problem("usage", "an expression is missing", usage)
    unknown = model.unknowns[name]
    typed = with_brackets("--unknown", f"{name} = ", expression, name, usage)
    node = typed.expression()
    binder = option_binder(
        model, f"write an expression of its arguments: {', '.join(a.name for a in unknown.arguments)}"
    )
    local: dict[str, Expr] = {a.name: Name(a.unit.dimension, a.name) for a in unknown.arguments}
    try:
        bound = binder.bind_as(
            node,
            unknown.unit.dimension,
            Context(local=local, unknowns=False, where="an unknown"),
            f"'{name}' has the unit {unknown.unit}",
        )
    except Unbound:
        raise OptionError(typed.moved(binder.problems)) from None
    _check_range(unknown, bound, typed)
    return name, replace(unknown, default=bound)


def read_times(model: Model, text: str, option: str = "--times") -> list[float]:
    """``0, 30 min, 1 d`` as hours; a bare number is in the unit in which the model reports time.

    Raises
    ------
    OptionError
        For a text that is no time, a negative time, or times that go backwards.
    """
    unit = model.time_unit
    usage = (
        f'write {option} "0, 0.5 {unit.text}, 24 {unit.text}"'
        if unit.text != "1"
        else f'write {option} "0, 0.5, 24"'
    )
    found: list[float] = []
    for part in text.split(","):
        if not part.strip():
            raise OptionText(option, text, 0, "", usage).problem("usage", "a time is missing", usage)
        bare = BARE.fullmatch(part)
        typed = with_brackets(option, "", f"{part} {unit}" if bare and not bare[2] else part, "", usage)
        value = constant(model, typed, typed.expression(), unit, f"'{part.strip()}' is a time")
        if value < 0:
            raise typed.problem("bad-number", "a time lies before 0", usage)
        if found and value < found[-1]:
            raise typed.problem(
                "usage",
                f"'{part.strip()}' is earlier than the time before it",
                "write the times in their order",
            )
        found.append(value)
    return found


def _check_range(unknown: Unknown, bound: Expr, typed: OptionText) -> None:
    """A form that is one number can be compared with the range; any other is left to the run."""
    if unknown.range is None:
        return
    try:
        value = float(evaluate(bound, _no_names))
    except (NotEvaluable, KeyError, ValueError, ArithmeticError):
        return
    if not unknown.range[0] <= value <= unknown.range[1]:
        low, high = (f"{_in_unit(x, unknown.unit):g}" for x in unknown.range)
        raise typed.problem(
            "out-of-bounds",
            f"the value of '{unknown.name}' lies outside its range",
            f"the spec says range ({low}, {high}){'' if unknown.unit.text == '1' else f' {unknown.unit}'}",
        )


def _in_unit(value: float, unit: Unit) -> float:
    return (value - float(unit.offset)) / float(unit.factor)


def _example(unit: Unit) -> str:
    return "1.5" if unit.text == "1" else f"1.5 {unit}"


def _no_names(name: str) -> float:
    raise KeyError(name)
