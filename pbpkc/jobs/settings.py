"""A model with the settings of a run."""

from __future__ import annotations

from collections.abc import Sequence

from pbpkc.compiler.specialise import hold, mask
from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.model import Mask, Model
from pbpkc.language.settings import read_mask_option, read_unmask_option, read_value, with_unknown


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
) -> Model:
    """The model with the texts of ``--set --mask --unmask --unknown`` applied, in that order of meaning.

    Raises
    ------
    SpecError
        With all that do not fit.
    """
    problems: list[Diagnostic] = []
    held: dict[str, float] = {}
    new_masks: dict[str, Mask] = {}

    def each(texts: Sequence[str], work) -> None:  # type: ignore[no-untyped-def]
        for text in texts:
            try:
                work(text)
            except SpecError as error:
                problems.extend(error.diagnostics)

    def take_unmask(text: str) -> None:
        name, value = read_unmask_option(model, text)
        held[name] = nominal(model, name) if value is None else value

    each(set, lambda text: held.update([read_value(model, text)]))
    each(unmask, take_unmask)
    each(masks, lambda text: new_masks.update([read_mask_option(model, text)]))
    for text in unknown:
        try:
            model = with_unknown(model, text)
        except SpecError as error:
            problems.extend(error.diagnostics)
    both = sorted(held.keys() & new_masks.keys() - {t.partition("=")[0].strip() for t in set})
    problems.extend(Diagnostic("usage", f"'{name}' is both masked and unmasked") for name in both)
    if problems:
        raise SpecError(problems)
    if held:
        model = hold(model, held)
    if new_masks:
        model = mask(model, new_masks, {name: _start(model, name, new) for name, new in new_masks.items()})
    return model


def _start(model: Model, name: str, new: Mask) -> float:
    if new.prior is not None:
        arguments = new.prior.arguments
        for key in ("median", "mean"):
            if key in arguments:
                return float(arguments[key])
        if new.prior.family == "uniform":
            return 0.5 * (arguments["low"] + arguments["high"])
    try:
        value = nominal(model, name)
    except SpecError:
        # A predicted partition coefficient has no number before it is compiled: start in the middle.
        value = (new.low * new.high) ** 0.5 if new.scale == "log" and new.low > 0 else 0.5 * (new.low + new.high)
    return min(max(value, new.low), new.high)
