"""Doses that nobody is given, as warnings: a gram for a milligram, a dose that counts the weight twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pbpkc.body.usual import body_weight
from pbpkc.body.usual_values import DOSE, USUAL_PERSON
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.evaluate import NotEvaluable, evaluate, evaluate_definitions
from pbpkc.language.expression import Expr, substitute
from pbpkc.language.model import Dose, Model, Scenario
from pbpkc.language.units import AMOUNT, measured


def unusual_doses(model: Model) -> tuple[Diagnostic, ...]:
    """A warning (``unusual``) for each dose of a scenario with more mass than any medicine is given.

    The weight is that of the scenario; without one that of a person, unless the spec says another organism.
    Doses of species without a molar mass, doses into general states and those of data files are not compared.
    """
    weight = body_weight(model)
    if weight is None and model.organism not in (None, "human"):
        return ()
    found: list[Diagnostic] = []
    for scenario in model.scenarios.values():
        for dose in scenario.doses:
            found += _compared(model, scenario, dose, weight)
    # A scenario that copies the doses of another one has the same lines.
    return tuple({(d.labels, d.message): d for d in found}.values())


def _compared(model: Model, scenario: Scenario, dose: Dose, weight: str | None) -> Iterator[Diagnostic]:
    mw = f"{dose.species}.mw"
    if dose.amount is None or dose.amount.dim != AMOUNT or mw not in model.definitions:
        return
    definitions = _with_settings(model, scenario)
    lookup = evaluate_definitions(definitions, {})
    try:
        grams = 1000.0 * float(evaluate(dose.amount, lookup)) * float(lookup(mw))
        kg = USUAL_PERSON if weight is None else float(lookup(weight))
    except (NotEvaluable, KeyError, ValueError, ArithmeticError):
        return
    most = DOSE.accepted[1]
    if not kg > 0 or grams / kg <= most:
        return
    whose = f"of {kg:.3g} kg" + (", assumed since the spec has no body weight" if weight is None else "")
    yield Diagnostic(
        "unusual",
        f"a dose of {dose.species} is {measured(f'{grams:.4g}', 'g')}, {grams / kg:.3g} g for each kg of a "
        f"body {whose}",
        (Label(dose.span),) if dose.span else (),
        (f"usual are at most {most:g} g/kg ({DOSE.source})",),
        "check the number and its unit: mg for g, and a dose per kg that counts the weight twice",
        "warning",
    )


def _with_settings(model: Model, scenario: Scenario) -> Mapping[str, Expr]:
    definitions = {name: definition.expr for name, definition in model.definitions.items()}
    for name, value in scenario.sets:
        if name in definitions:
            definitions[name] = substitute(value, {name: definitions[name]})
    return definitions
