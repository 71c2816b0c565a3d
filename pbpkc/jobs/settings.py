"""A model with the settings of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from math import inf
from types import MappingProxyType
from typing import TypeVar

from pbpkc.compiler.specialise import hold, mask
from pbpkc.jobs.feasible import infeasible
from pbpkc.language.diagnostics import Diagnostic, Problems, SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.expression import names_in
from pbpkc.language.model import Mask, Model
from pbpkc.language.option_text import OptionError
from pbpkc.language.settings import read_mask_option, read_unknown, read_unmask_option, read_value

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
        raise SpecError([Diagnostic("no-value", f"'{name}' has no number to start from: {error}",
                                    help=f'give it one: --set "{name} = 1.2", or a prior: --mask "{name} ~ lognormal(1.2, cv = 50 [%])"')]
                        ) from error  # fmt: skip


def changed(
    model: Model, set: Sequence[str] = (), masks: Sequence[str] = (), unmask: Sequence[str] = (), unknown: Sequence[str] = ()
) -> tuple[Model, frozenset[str]]:
    """The model with the texts of ``--set --mask --unmask --unknown`` applied.

    A name that is set and masked is estimated, and its search begins at the value. What a run says of a
    name comes before what a scenario's ``set`` says of it, unless the scenario changes the value it finds
    (``set cl = 0.5 * cl``).

    Returns
    -------
    Model
    frozenset of str
        The names that were set, masked or unmasked.

    Raises
    ------
    OptionError
        With all that do not fit.
    """
    problems = Problems()
    values = dict(_once("--set", _each(set, lambda text: read_value(model, text), problems), problems))
    freed = dict(_once("--unmask", _each(unmask, lambda text: read_unmask_option(model, text), problems), problems))
    found = _each(masks, lambda text: read_mask_option(model, text), problems)
    estimated = dict(_once("--mask", ((name, (new, median)) for name, new, median in found), problems))
    for name in sorted(freed.keys() & estimated.keys()):
        problems.append(Diagnostic("usage", f"'{name}' is both masked and unmasked", help="leave one of them out"))
    for name in sorted(freed.keys() & values.keys()):
        if freed[name] is not None:
            problems.append(Diagnostic("usage", f"'{name}' has one value by --set and one by --unmask", help="leave one of them out"))
    forms = dict(_once("--unknown", _each(unknown, lambda text: read_unknown(model, text), problems), problems))
    if problems:
        raise OptionError(problems)
    if forms:
        model = replace(model, unknowns=MappingProxyType({**model.unknowns, **forms}))
    held = {**{name: nominal(model, name) if value is None else value for name, value in freed.items()}, **values}
    if held:
        problems.extend(infeasible(model, held, "with " + " ".join(("--set" if n in values else "--unmask") + f" {n}" for n in held)))
        if problems:
            raise OptionError(problems)
        model = hold(model, held)
    if estimated:
        for name, (new, _) in estimated.items():
            for bound in {new.low, new.high} - {0.0, -inf, inf}:
                problems.extend(infeasible(model, {name: bound}, f"at a bound of --mask {name}"))
        if problems:
            raise OptionError(problems)
        starts = {name: _start(model, name, new, None if name in held else median) for name, (new, median) in estimated.items()}
        model = mask(model, {name: new for name, (new, _) in estimated.items()}, starts)
    names = frozenset(held) | frozenset(estimated)
    return _before_scenarios(model, names) if names else model, names


def _each(texts: Sequence[str], read: Callable[[str], Read], problems: list[Diagnostic]) -> list[Read]:
    """What was read, with every problem of those that could not be."""
    found = []
    for text in texts:
        try:
            found.append(read(text))
        except SpecError as error:
            problems.extend(error.diagnostics)
    return found


def _once(option: str, found: Iterable[tuple[str, Read]], problems: list[Diagnostic]) -> Iterable[tuple[str, Read]]:
    seen: set[str] = set()
    for name, value in found:
        if name in seen:
            problems.append(Diagnostic("usage", f"{option} names '{name}' twice", help="leave one of them out"))
        seen.add(name)
        yield name, value


def _start(model: Model, name: str, new: Mask, median: float | None) -> float:
    """Where a newly masked parameter starts: its value by --set, the median of a new prior, or the spec's value."""
    value = median
    if value is None:
        try:
            value = nominal(model, name)
        except SpecError:
            # A predicted partition coefficient has no number before it is compiled: start in the middle.
            value = (new.low * new.high) ** 0.5 if new.scale == "log" and new.low > 0 else 0.5 * (new.low + new.high)
    return min(max(value, new.low), new.high)


def _before_scenarios(model: Model, names: Collection[str]) -> Model:
    """Scenarios without the settings that the run replaces."""
    scenarios = {
        key: replace(one, sets=tuple((n, value) for n, value in one.sets if n not in names or n in names_in(value)))
        for key, one in model.scenarios.items()
    }
    return replace(model, scenarios=MappingProxyType(scenarios))
