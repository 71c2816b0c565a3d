"""What a run changes in a model without touching the spec: values, masks, unknown terms.

`--set`, `--mask`, `--unmask` and `--unknown` are read here with the same parser and the same messages as
the spec itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType

from pbpkc.language import nodes as n
from pbpkc.language.bind import Context, ExpressionBinder, Unbound
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, similar
from pbpkc.language.expression import Expr, Name
from pbpkc.language.functions import FIGURES
from pbpkc.language.model import Definition, Mask, Model
from pbpkc.language.parse import parse
from pbpkc.language.priors import read_bounds, read_mask, read_prior
from pbpkc.language.scope import Scope
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.units import TIME

#: A flow that the balance decides is none of them: set alone, it would break the balance.
_SETTABLE = ("covariate", "input", "param", "masked", "attribute")


def read_value(model: Model, text: str, option: str = "--set") -> tuple[str, float]:
    """``ka = 1.5 [1/h]`` (brackets may be left off) as a definition's name and a canonical value.

    Raises
    ------
    SpecError
        For an unknown name or a wrong unit.
    """
    name, rest, file, offset = _split(model, text, option, "=")
    bare = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*([^\[\]]*?)\s*", rest)
    if bare and bare[2]:
        rest = f"{bare[1]} [{bare[2]}]"
    node = _expression(rest, option, f"{option} {text}")
    binder = _binder(model)
    dimension = model.definitions[name].expr.dim
    try:
        value = binder.constant(node, dimension, f"'{name}' keeps its unit, {model.definitions[name].unit}")
    except Unbound:
        raise SpecError(binder.problems) from None
    bounds = model.definitions[name].bounds
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        raise SpecError([Diagnostic("out-of-bounds", f"the value of '{name}' lies outside its bounds",
                                    (Label(Span(file, offset, len(file.text))),))])  # fmt: skip
    return name, value


def read_mask_option(model: Model, text: str) -> tuple[str, Mask]:
    """``APAP.kp.liver in (0.1, 10) scale log``, with or without a prior, as a name and a `Mask`.

    Raises
    ------
    SpecError
        For an unknown name, a wrong unit, missing bounds.
    """
    match = re.match(r"\s*([\w.<>,]+)\s*(~.*?|)\s*(in\b.*|)$", text, re.DOTALL)
    name = match[1] if match else text.strip()
    _known(model, name, "--mask", text)
    definition = model.definitions[name]
    given = text[match.end(1) :] if match else ""
    has_prior = "~" in given
    line = f"masked masked_here {given if has_prior else '~ uniform(0, 1) ' + given}"
    tree = parse(SourceFile("--mask", f"pbpk 1\n{line}\n"))
    node = tree.statements[0]
    assert isinstance(node, n.Masked)
    if node.bounds is None and not has_prior:
        raise SpecError([Diagnostic("bounds", f"--mask '{name}' needs bounds", (Label(node.span),),
                                    help=f'write --mask "{name} in (0.1, 10) {definition.unit} scale log"')])  # fmt: skip
    binder = _binder(model)
    context = Context(unknowns=False, where="a prior")
    dimension = definition.expr.dim
    try:
        if has_prior:
            prior, found, _, median = read_prior(node.prior, binder, context)
            if found != dimension:
                raise binder.fail("unit-mismatch", f"the prior of '{name}' has another unit than {definition.unit}", node.prior.span)
            return name, read_mask(prior, dimension, median, node, binder, context)
        assert node.bounds is not None
        low, high = read_bounds(node.bounds, dimension, binder, context)
        scale = node.scale.name if node.scale else "log" if low > 0 else "natural"
        if scale not in ("log", "natural") or (scale == "log" and low < 0):
            raise binder.fail("unknown-name", f"the scale of '{name}' cannot be '{scale}'", node.span, help="write scale log or scale natural")
    except Unbound:
        raise SpecError(binder.problems) from None
    return name, Mask(None, low, high, scale)


def read_unmask_option(model: Model, text: str) -> tuple[str, float | None]:
    """``vmax_sult`` or ``vmax_sult = 400 [umol/h/kg^0.75]``: held at that value, or at its median (None)."""
    if "=" in text:
        name, value = read_value(model, text, "--unmask")
    else:
        name, value = text.strip(), None
        _known(model, name, "--unmask", text)
    if model.definitions[name].mask is None:
        masked = ", ".join(d.name for d in model.masked) or "none"
        raise SpecError([Diagnostic("misplaced", f"'{name}' is not masked", help=f"masked parameters are: {masked}")])
    return name, value


def with_unknown(model: Model, text: str) -> Model:
    """The model with ``name = expression of its arguments`` as the default of an unknown term.

    Raises
    ------
    SpecError
        For an unknown name, a wrong unit, an expression that reads anything else.
    """
    name, _, expression = text.partition("=")
    name = name.strip()
    if name not in model.unknowns or not expression.strip():
        near = similar(name, model.unknowns)
        there = ", ".join(model.unknowns) or "none"
        raise SpecError([Diagnostic("unknown-name", f"--unknown {text}: there is no unknown term '{name}'",
                                    help=f"one with a similar name exists: '{near}'" if near
                                    else f'write --unknown "name = expression"; unknown terms are: {there}')])  # fmt: skip
    unknown = model.unknowns[name]
    node = _expression(expression, "--unknown", f"--unknown {text}")
    binder = _binder(model)
    local: dict[str, Expr] = {a.name: Name(a.unit.dimension, a.name) for a in unknown.arguments}
    try:
        bound = binder.bind_as(node, unknown.unit.dimension, Context(local=local, unknowns=False, where="an unknown"),
                               f"'{name}' has the unit {unknown.unit}")  # fmt: skip
    except Unbound:
        raise SpecError(binder.problems) from None
    unknowns = {**model.unknowns, name: replace(unknown, default=bound)}
    return replace(model, unknowns=MappingProxyType(unknowns))


def read_time(text: str) -> float:
    """``24 h`` or ``24 [h]`` or ``24`` (hours) as hours.

    Raises
    ------
    SpecError
        For a text that is no time.
    """
    bare = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*\[?([^\[\]]*?)\]?\s*", text)
    node = _expression(f"{bare[1]} [{bare[2] or 'h'}]" if bare else text, "time", text)
    problems: list[Diagnostic] = []
    binder = ExpressionBinder(Scope(), _no_reference, _no_figure, TIME, False, problems)
    try:
        return binder.constant(node, TIME, f"'{text}' is a time")
    except Unbound:
        raise SpecError(problems) from None


# ------------------------------------------------------------------ shared pieces


def _split(model: Model, text: str, option: str, sign: str) -> tuple[str, str, SourceFile, int]:
    name, found, rest = text.partition(sign)
    name = name.strip()
    if not found or not rest.strip():
        raise SpecError([Diagnostic("usage", f"{option} {text}: a value is missing",
                                    help=f'write {option} "name = 1.5 [unit]"')])  # fmt: skip
    _known(model, name, option, text)
    return name, rest, SourceFile(option, text), len(text) - len(rest)


def _known(model: Model, name: str, option: str, text: str) -> None:
    definition: Definition | None = model.definitions.get(name)
    if definition is not None and definition.kind in _SETTABLE:
        return
    names = [k for k, d in model.definitions.items() if d.kind in _SETTABLE]
    near = similar(name, names)
    raise SpecError([Diagnostic("unknown-name", f"{option} {text}: there is no parameter '{name}'",
                                help=f"one with a similar name exists: '{near}'" if near
                                else "parameters, covariates and attributes can be named: ka, BW, APAP.kp.liver")])  # fmt: skip


def _expression(text: str, option: str, whole: str) -> n.SyntaxExpr:
    try:
        tree = parse(SourceFile(option, f"pbpk 1\nlet value_here = {text.strip()}\n"))
    except SpecError as error:
        first = error.diagnostics[0]
        raise SpecError([Diagnostic(first.code, f"{whole}: {first.message}", (), first.notes, first.help)]) from None
    node = tree.statements[0]
    assert isinstance(node, n.Value)
    return node.value


def _binder(model: Model) -> ExpressionBinder:
    problems: list[Diagnostic] = []
    binder = ExpressionBinder(Scope(), _no_reference, _no_figure, model.time_unit.dimension, False, problems)

    def refuse(ref: n.Ref, context: Context) -> Expr:
        raise binder.fail("unknown-name", f"'{ref.text}' cannot be read here", ref.span, help="write a number with its unit")

    binder.lookup = refuse
    return binder


def _no_reference(ref: n.Ref, context: Context) -> Expr:
    raise SpecError([Diagnostic("unknown-name", f"'{ref.text}' cannot be read here")])


def _no_figure(call: n.Call, context: Context) -> Expr:
    raise SpecError([Diagnostic("figure", f"{call.name}(...) is known in `check` alone; figures are {', '.join(FIGURES)}")])


