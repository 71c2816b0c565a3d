"""A model with the settings of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import TypeVar

from pbpkc.compiler.missing import Learned
from pbpkc.compiler.missing.learn_option import learn
from pbpkc.compiler.specialise import hold, mask
from pbpkc.jobs.feasible import infeasible
from pbpkc.language.diagnostics import Diagnostic, Problems, SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import names_in
from pbpkc.language.model import Mask, Model, Unknown
from pbpkc.language.options.mask_option import read_mask_option
from pbpkc.language.options.option_text import OptionError
from pbpkc.language.options.settings import read_unknown, read_unmask_option, read_value

Read = TypeVar("Read")


def nominal(model: Model, name: str) -> float:
    """The spec's value of a definition (canonical units).

    Raises
    ------
    SpecError
        For one that has no number by itself, such as a predicted partition coefficient.
    """
    lookup = evaluate_definitions({k: d.expr for k, d in model.definitions.items()}, {})
    try:
        return float(lookup(name))
    except (NotEvaluable, ArithmeticError, ValueError, KeyError) as error:
        raise SpecError(
            [
                Diagnostic(
                    "no-value",
                    f"'{name}' has no number to start from: {error}",
                    help=f'give it one, for example --set "{name} = 1.2"',
                )
            ]
        ) from error


def changed(
    model: Model,
    set: Sequence[str] = (),
    masks: Sequence[str] = (),
    unmask: Sequence[str] = (),
    unknown: Sequence[str] = (),
    learned: Sequence[str] = (),
) -> tuple[Model, frozenset[str], tuple[Learned, ...]]:
    """The model with the texts of ``--set --mask --unmask --unknown --learn`` applied.

    A form that is learned begins at the form that ``--unknown`` gives, and its coefficients can be named by
    the other options.

    A name that is set and masked is estimated, and its search begins at the value. What a run says of a
    name comes before what a scenario's ``set`` says of it, unless the scenario changes the value it finds
    (``set cl = 0.5 * cl``).

    Returns
    -------
    Model
    frozenset of str
        The names that were set, masked or unmasked.
    tuple of Learned
        The unknown terms that were given a form to learn.

    Raises
    ------
    OptionError
        With all that do not fit.
    """
    forms: tuple[Learned, ...] = ()
    if learned:
        given = _read(model, (), (), (), unknown)
        model, forms = learn(_with_defaults(model, given.forms), learned)
        unknown = ()
    typed = _read(model, set, masks, unmask, unknown)
    original = model
    model = _with_defaults(model, typed.forms)
    held = {name: nominal(model, name) if value is None else value for name, value in typed.freed.items()}
    held |= typed.values
    if held:
        options = " ".join(("--set" if name in typed.values else "--unmask") + f" {name}" for name in held)
        _demand_feasible(infeasible(model, held, f"with {options}"))
        model = hold(model, held)
    starts: dict[str, float] = {}
    for name, (new, median) in typed.estimated.items():
        for bound in {new.low, new.high} - {0.0, -inf, inf}:
            _demand_feasible(infeasible(model, {name: bound}, f"at a bound of --mask {name}"))
        starts[name] = _start(model, name, new, None if name in held else median)
    if starts:
        model = mask(model, {name: new for name, (new, _) in typed.estimated.items()}, starts)
    names = frozenset(held) | frozenset(starts)
    notes = (*_outside(typed.freed, original), *_beyond_the_mask(typed, original))
    if notes:
        model = replace(model, warnings=(*model.warnings, *notes))
    return _before_scenarios(model, names) if names else model, names, forms


def _with_defaults(model: Model, forms: Mapping[str, Unknown]) -> Model:
    if not forms:
        return model
    return replace(model, unknowns=MappingProxyType({**model.unknowns, **forms}))


def with_values(model: Model, values: Mapping[str, float]) -> Model:
    """The model with definitions held at numbers, as ``--set`` does it but without reading texts.

    Parameters
    ----------
    model : Model
    values : mapping of definition name to float
        Canonical units. They come before what a scenario's ``set`` says of a name, unless the scenario
        changes the value it finds.
    """
    return _before_scenarios(hold(model, values), values)


def _outside(freed: Mapping[str, float | None], model: Model) -> Iterator[Diagnostic]:
    for name, value in freed.items():
        definition = model.definitions[name]
        bounds = definition.mask
        if value is None or bounds is None or bounds.low <= value <= bounds.high:
            continue
        unit = definition.unit
        low, high, at = (
            f"{(x - float(unit.offset)) / float(unit.factor):.6g}" for x in (bounds.low, bounds.high, value)
        )
        shown = "" if unit.text == "1" else f" {unit}"
        yield Diagnostic(
            "unmask-outside",
            f"--unmask {name} = {at}{shown}: it lies outside the bounds of '{name}', ({low}, {high}){shown}",
            help="it is held there all the same",
            severity="note",
        )


def _beyond_the_mask(typed: _Typed, model: Model) -> Iterator[Diagnostic]:
    """A warning for each value of ``--set`` that a fit would not allow; one masked anew has new bounds."""
    for name, value in typed.values.items():
        bounds = model.definitions[name].mask
        if bounds is None or name in typed.estimated or bounds.low <= value <= bounds.high:
            continue
        unit = model.definitions[name].unit
        low, high, at = (
            f"{(x - float(unit.offset)) / float(unit.factor):.6g}" for x in (bounds.low, bounds.high, value)
        )
        shown = "" if unit.text == "1" else f" {unit}"
        yield Diagnostic(
            "set-outside",
            f"--set {name} = {at}{shown}: it lies outside the bounds of the masked '{name}', "
            f"({low}, {high}){shown}",
            help="it is used all the same; check the number and its unit",
            severity="warning",
        )


@dataclass(frozen=True)
class _Typed:
    """What the options say by name; what is freed at None stays at its median."""

    values: Mapping[str, float]
    freed: Mapping[str, float | None]
    estimated: Mapping[str, tuple[Mask, float | None]]
    forms: Mapping[str, Unknown]


def _read(
    model: Model, set: Sequence[str], masks: Sequence[str], unmask: Sequence[str], unknown: Sequence[str]
) -> _Typed:
    problems = Problems()

    def each(
        option: str, texts: Sequence[str], read: Callable[[Model, str], tuple[str, Read]]
    ) -> dict[str, Read]:
        found: dict[str, Read] = {}
        for text in texts:
            try:
                name, value = read(model, text)
            except SpecError as error:
                problems.extend(error.diagnostics)
                continue
            if name in found:
                problems.append(_usage(f"{option} names '{name}' twice"))
            found[name] = value
        return found

    values = each("--set", set, read_value)
    freed = each("--unmask", unmask, read_unmask_option)
    estimated = each("--mask", masks, read_mask_option)
    forms = each("--unknown", unknown, read_unknown)
    problems.extend(
        _usage(f"'{name}' is both masked and unmasked") for name in sorted(freed.keys() & estimated)
    )
    problems.extend(
        _usage(f"'{name}' has one value by --set and one by --unmask")
        for name in sorted(freed.keys() & values)
        if freed[name] is not None
    )
    if problems:
        raise OptionError(problems)
    return _Typed(values, freed, estimated, forms)


def _usage(message: str) -> Diagnostic:
    return Diagnostic("usage", message, help="leave one of them out")


def _demand_feasible(problems: Sequence[Diagnostic]) -> None:
    if problems:
        raise OptionError(problems)


def _start(model: Model, name: str, new: Mask, median: float | None) -> float:
    """Where a newly masked parameter starts: the median of a new prior, or else its value in this run."""
    value = median
    if value is None:
        try:
            value = nominal(model, name)
        except SpecError:
            # A predicted partition coefficient has no number before it is compiled: start in the middle.
            value = (
                (new.low * new.high) ** 0.5
                if new.scale == "log" and new.low > 0
                else 0.5 * (new.low + new.high)
            )
    return min(max(value, new.low), new.high)


def _before_scenarios(model: Model, names: Collection[str]) -> Model:
    """Scenarios without the settings that the run replaces."""
    scenarios = {
        key: replace(
            one, sets=tuple((n, value) for n, value in one.sets if n not in names or n in names_in(value))
        )
        for key, one in model.scenarios.items()
    }
    return replace(model, scenarios=MappingProxyType(scenarios))
