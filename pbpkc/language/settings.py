"""What a run changes in a model without touching the spec: values, masks, unknown terms.

`--set`, `--mask`, `--unmask`, `--start` and `--unknown` are read here with the same parser and the same
messages as the spec itself.
"""

from __future__ import annotations

import re
from dataclasses import replace

from pbpkc.language import nodes as n
from pbpkc.language.bind import Context, ExpressionBinder, Unbound
from pbpkc.language.diagnostics import Problems, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Expr, Name
from pbpkc.language.functions import FIGURES
from pbpkc.language.model import Mask, Model, Unknown
from pbpkc.language.option_text import PLACEHOLDER, OptionError, OptionText
from pbpkc.language.priors import read_bounds, read_mask, read_prior
from pbpkc.language.scope import Scope
from pbpkc.language.units import Unit

#: A flow that the balance decides is none of them: set alone, it would break the balance.
_SETTABLE = ("covariate", "input", "param", "masked", "attribute")

#: Names in a message that lists what there is.
_MOST_NAMED = 12

#: A number, alone or with a unit that was typed without brackets.
_BARE = re.compile(r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*((?:[^\W\d_]|%|°|1/)[^\[\]]*?|)\s*")

_NAME = re.compile(r"\s*[^\W\d][\w.]*(?:<[\w\s,]*>[\w.]*)*")


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
    name = _known(model, before, OptionText(option, text, 0, "", usage))
    definition = model.definitions[name]
    usage = f'write {option} "{name} = {_example(definition.unit)}"'
    typed = _typed(option, f"{before.strip()} = ", rest, name, usage)
    value = _constant(model, typed, typed.expression(), definition.expr, f"'{name}' keeps its unit, {definition.unit}")
    bounds = definition.bounds
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        low, high = (f"{_in_unit(b, definition.unit):g}" for b in bounds)
        raise typed.problem("out-of-bounds", f"the value of '{name}' lies outside its bounds",
                            f"the spec allows ({low}, {high}) {definition.unit}")  # fmt: skip
    return name, value


def read_mask_option(model: Model, text: str) -> tuple[str, Mask, float | None]:
    """``APAP.kp.liver in (0.1, 10) scale log`` as a name, a `Mask`, and the median of a prior that it gives.

    A parameter that the spec masks keeps its prior where the text gives bounds alone.

    Raises
    ------
    OptionError
        For an unknown name, a wrong unit, missing bounds.
    """
    name, given, typed = _mask_text(model, text)
    definition = model.definitions[name]
    has_prior = given.lstrip().startswith("~")
    node = typed.masked("" if has_prior else "~ uniform(0, 1)")
    binder = _binder(model)
    context = Context(unknowns=False, where="a prior")
    dimension = definition.expr.dim
    try:
        if has_prior:
            prior, found, _, median = read_prior(node.prior, binder, context)
            if found != dimension:
                raise binder.fail("unit-mismatch", f"the prior of '{PLACEHOLDER}' has another unit than {definition.unit}", node.prior.span,
                                  help=f"write its numbers in {definition.unit}")  # fmt: skip
            return name, read_mask(prior, dimension, median, node, binder, context), median
        assert node.bounds is not None
        low, high = read_bounds(node.bounds, dimension, binder, context)
        scale = node.scale.name if node.scale else "log" if low > 0 else "natural"
        if scale not in ("log", "natural"):
            raise binder.fail("unknown-name", f"there is no scale '{scale}'", node.scale.span if node.scale else None,
                              help="write scale log or scale natural")  # fmt: skip
        if scale == "log" and low < 0:
            raise binder.fail("bad-number", f"'{PLACEHOLDER}' cannot be negative on a log scale", node.bounds.span,
                              help="raise the lower bound to 0 or more, or write scale natural")  # fmt: skip
    except Unbound:
        raise OptionError(typed.moved(binder.problems)) from None
    return name, Mask(definition.mask.prior if definition.mask else None, low, high, scale), None


def read_unmask_option(model: Model, text: str) -> tuple[str, float | None]:
    """``vmax_sult`` or ``vmax_sult = 400 [umol/h/kg^0.75]``: held at that value, or at its median (None).

    Raises
    ------
    OptionError
        For an unknown name, one that is not masked, or a wrong unit.
    """
    usage = 'write --unmask "name" or --unmask "name = 1.5 [unit]"'
    typed = OptionText("--unmask", text, 0, "", usage)
    name, value = read_value(model, text, "--unmask") if "=" in text else (_known(model, text, typed), None)
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
        raise blank.problem("unknown-name", f"there is no unknown term '{name}'",
                            f"one with a similar name exists: '{near}'" if near else f"unknown terms are: {there}")  # fmt: skip
    if not found or not expression.strip():
        raise blank.problem("usage", "an expression is missing", usage)
    unknown = model.unknowns[name]
    typed = _typed("--unknown", f"{name} = ", expression, name, usage)
    node = typed.expression()
    binder = _binder(model, f"write an expression of its arguments: {', '.join(a.name for a in unknown.arguments)}")
    local: dict[str, Expr] = {a.name: Name(a.unit.dimension, a.name) for a in unknown.arguments}
    try:
        bound = binder.bind_as(node, unknown.unit.dimension, Context(local=local, unknowns=False, where="an unknown"),
                               f"'{name}' has the unit {unknown.unit}")  # fmt: skip
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
    usage = f'write {option} "0, 0.5 {unit.text}, 24 {unit.text}"' if unit.text != "1" else f'write {option} "0, 0.5, 24"'
    found: list[float] = []
    for part in text.split(","):
        if not part.strip():
            raise OptionText(option, text, 0, "", usage).problem("usage", "a time is missing", usage)
        bare = _BARE.fullmatch(part)
        typed = _typed(option, "", f"{part} {unit}" if bare and not bare[2] else part, "", usage)
        value = _constant(model, typed, typed.expression(), unit, f"'{part.strip()}' is a time")
        if value < 0:
            raise typed.problem("bad-number", "a time lies before 0", usage)
        if found and value < found[-1]:
            raise typed.problem("usage", f"'{part.strip()}' is earlier than the time before it", "write the times in their order")
        found.append(value)
    return found


# ------------------------------------------------------------------ shared pieces


def _typed(option: str, before: str, rest: str, name: str, usage: str) -> OptionText:
    """The text with brackets around a unit that has none, the part behind `before` to be parsed."""
    bare = _BARE.fullmatch(rest)
    shown = f"{bare[1].removeprefix('+')} [{bare[2]}]" if bare and bare[2] else rest.strip()
    return OptionText(option, before + shown, len(before), name, usage)


def _mask_text(model: Model, text: str) -> tuple[str, str, OptionText]:
    """Name, what follows it, and the text ready to be parsed."""
    usage = 'write --mask "name in (0.1, 10) [unit] scale log", with a prior if there is one: "name ~ lognormal(1 [unit], cv = 50 [%])"'
    blank = OptionText("--mask", text, 0, "", usage)
    match = _NAME.match(text)
    if match is None:
        raise blank.problem("usage", "a name is missing", usage)
    name = _known(model, match[0], blank)
    unit = model.definitions[name].unit
    shown = "" if unit.text == "1" else f" {unit}"
    usage = f'write --mask "{name} in (0.1, 10){shown} scale log"'
    typed = OptionText("--mask", text, match.end(), name, usage)
    given = text[match.end() :]
    if not given.strip():
        raise typed.problem("bounds", f"'{name}' needs bounds", usage)
    if not re.match(r"\s*(~|in\b)", given):
        raise typed.problem("usage", f"behind '{name}' stands neither a prior (~) nor bounds (in)", usage)
    return name, given, typed


def _known(model: Model, text: str, typed: OptionText) -> str:
    name = re.sub(r"\s+", "", text)
    if not name:
        raise typed.problem("usage", "a name is missing", typed.usage)
    definition = model.definitions.get(name)
    if definition is not None and definition.kind in _SETTABLE:
        return name
    owner, _, word = name.rpartition(".")
    balanced = owner in model.nodes and word in ("flow", "outflow")
    if definition is not None or balanced:
        kind = "flow" if definition is None else definition.kind
        what = {"flow": "left to the balance of flows", "rate": "the rate of a process"}.get(kind, "computed")
        raise typed.problem("misplaced", f"'{name}' is {what} and cannot be changed by itself",
                            "change a parameter, covariate or attribute that it is made of")  # fmt: skip
    if name in model.unknowns:
        raise typed.problem("misplaced", f"'{name}' is an unknown term", f'write --unknown "{name} = expression"')
    names = [k for k, d in model.definitions.items() if d.kind in _SETTABLE]
    near = similar(name, names)
    there = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
    raise typed.problem("unknown-name", f"there is no parameter '{name}'",
                        f"one with a similar name exists: '{near}'" if near else f"these can be named: {there or 'none'}")  # fmt: skip


def _constant(model: Model, typed: OptionText, node: n.SyntaxExpr, like: Expr | Unit, what: str) -> float:
    binder = _binder(model)
    dimension = like.dimension if isinstance(like, Unit) else like.dim
    try:
        return binder.constant(node, dimension, what)
    except Unbound:
        raise OptionError(typed.moved(binder.problems)) from None


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
        raise typed.problem("out-of-bounds", f"the value of '{unknown.name}' lies outside its range",
                            f"the spec says range ({low}, {high}){'' if unknown.unit.text == '1' else f' {unknown.unit}'}")  # fmt: skip


def _in_unit(value: float, unit: Unit) -> float:
    return (value - float(unit.offset)) / float(unit.factor)


def _example(unit: Unit) -> str:
    return "1.5" if unit.text == "1" else f"1.5 {unit}"


def _binder(model: Model, hint: str = "write a number with its unit") -> ExpressionBinder:
    def refuse(ref: n.Ref, context: Context) -> Expr:
        raise binder.fail("unknown-name", f"'{ref.text}' cannot be read here", ref.span, help=hint)

    def no_figure(call: n.Call, context: Context) -> Expr:
        raise binder.fail("figure", f"{call.name}(...) is known in `check` alone; figures are {', '.join(FIGURES)}", call.span, help=hint)

    binder = ExpressionBinder(Scope(), refuse, no_figure, model.time_unit.dimension, False, Problems())
    return binder


def _no_names(name: str) -> float:
    raise KeyError(name)
