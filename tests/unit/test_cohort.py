"""People in numbers all at once: to the bit what each of them is by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from cli_case import BODY, TINY, write

from pbpkc.experiment.events import BoundRegimen
from pbpkc.experiment.people import People
from pbpkc.experiment.scenario import experiment
from pbpkc.jobs.cohort import cohort
from pbpkc.jobs.feasible import doubtful, infeasible
from pbpkc.jobs.loaded import LoadedModel, load
from pbpkc.jobs.settings import with_values
from pbpkc.jobs.simulate import as_given, bound_at
from pbpkc.jobs.variants import Variants
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate_definitions
from pbpkc.language.evaluate_many import Many, evaluate_many

SPECS = Path(__file__).parents[2] / "specs"

#: Settings that read the people through all kinds of arithmetic, doses that do, and runs that follow others.
SETTINGS = """\
pbpk 1
model many
covariate BW = 70 [kg] in (30, 150) [kg]
covariate T = 37 [degC] in (30, 45) [degC] hold last
species D { mw = 100 [g/mol] }
pool plasma { volume = v }
sink gone
param v = 10 [L] * (BW / 70 [kg])^0.75
param k = 0.1 [1/h]
param f = 0.9
process out : plasma -> gone rate k * q10(2, T, 37 [degC]) * plasma.A
observe Cp = plasma.C in [mg/L]
scenario one { dose D 100 [mg] into plasma at 0 [h]; run 12 [h] }
scenario scaled {
  dose D 2 [mg/kg] * BW into plasma at 1 [h] every 2 [h] count 6 lag 0.1 [h] fraction f; run 12 [h]
}
scenario lagged { dose D 100 [mg] into plasma at 0 [h] lag 0.2 [h] * exp(f); run 12 [h] }
scenario power from one { set k = k * (BW / 70 [kg])^-0.25 * exp(f) / (1 + ln(BW / 1 [kg])) }
scenario halves from one { set v = 0.5 * v; set f = min(f, 0.5) }
scenario chosen from one { set k = if(BW < 60 [kg], 0.2 [1/h], sqrt(f - 0.4) * 0.1 [1/h]) }
scenario warm from one { set T = 39 [degC] at 2 [h] for 1 [h] }
scenario later { start after scaled; run 2 [h] }
scenario given { start plasma = 3 [umol/kg] * BW; run 2 [h] }
"""


def _people(loaded: LoadedModel, count: int, spread: Mapping[str, float]) -> People:
    """People around the values of the spec, by name and relative spread."""
    draw = np.random.default_rng(5)
    lookup = evaluate_definitions({n: d.expr for n, d in loaded.model.definitions.items()}, {})
    units = tuple(loaded.model.definitions[name].unit for name in spread)
    columns = []
    for unit, (name, width) in zip(units, spread.items(), strict=True):
        value = (float(lookup(name)) - float(unit.offset)) / float(unit.factor)
        columns.append(value * np.exp(width * draw.standard_normal(count)))
    return People(tuple(map(str, range(count))), tuple(spread), units, np.array(columns).T)


def _by_itself(
    loaded: LoadedModel, variants: Variants, scenario: str, values: Mapping[str, float], until: float
) -> tuple[np.ndarray, BoundRegimen, object] | tuple[str, ...]:
    """One person as a run with those settings: the oracle; or what is wrong."""
    model = loaded.model
    for name, value in values.items():
        bounds = model.definitions[name].bounds
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            return ("out-of-bounds",)
    try:
        plan = experiment(with_values(model, values), scenario)
        overrides = {**values, **plan.overrides}
        problems = infeasible(model, overrides, "")
        if problems:
            return tuple(problem.code for problem in problems)
        compiled, p, bound = bound_at(variants, plan.regimen, overrides, until)
        return p, bound, as_given(compiled, p, plan.regimen, overrides)
    except SpecError as error:
        return tuple(problem.code for problem in error.diagnostics)


def _compare(loaded: LoadedModel, scenario: str, people: People) -> tuple[int, int, int]:
    """Everyone both ways; who is run, who is not, and how many plans there are."""
    times = np.array([0.0, 7.0])
    found, refused = cohort(loaded.model, Variants(loaded), scenario, people, times)
    columns, alone = people.columns(), Variants(loaded)
    place = {} if found is None else {id: b for b, id in enumerate(found.ids)}
    why = {one.id: tuple(problem.code for problem in one.problems) for one in refused}
    assert not place.keys() & why.keys()
    assert list(place) + list(why) == sorted(place, key=int) + sorted(why, key=int)
    for n, id in enumerate(people.ids):
        expected = _by_itself(loaded, alone, scenario, {k: float(c[n]) for k, c in columns.items()}, 7.0)
        if id in why:
            assert expected == why[id]
            continue
        assert found is not None
        b = place[id]
        assert len(expected) == 3, expected
        p, bound, given = expected
        np.testing.assert_array_equal(found.p[b], p)
        assert found.events(b) == bound.events
        assert found.plans[found.plan_of[b]].regimen == bound
        assert found.given(b) == given
    return len(place), len(why), 0 if found is None else len(found.plans)


@pytest.mark.parametrize(
    ("scenario", "plans"),
    [
        ("one", 1), ("scaled", 30), ("lagged", 30), ("power", 1), ("halves", 1), ("warm", 30), ("later", 30),
        ("given", 30),
    ],
)  # fmt: skip
def test_everyone_is_as_a_run_with_the_same_settings(tmp_path: Path, scenario: str, plans: int) -> None:
    """And doses are worked out once where they do not depend on who takes them."""
    loaded = load(write(tmp_path, SETTINGS))
    people = _people(loaded, 30, {"BW": 0.2, "k": 0.3, "f": 0.02, "T": 0.02})
    assert _compare(loaded, scenario, people) == (30, 0, plans)


def test_who_has_no_number_is_told_in_words(tmp_path: Path) -> None:
    """The root of a negative number, where its branch is taken."""
    loaded = load(write(tmp_path, SETTINGS))
    people = _people(loaded, 40, {"BW": 0.2, "f": 0.9})
    run, not_run, plans = _compare(loaded, "chosen", people)
    assert run > 10
    assert not_run > 3
    assert plans == 1


def test_bodies_that_cannot_be_are_found(tmp_path: Path) -> None:
    """Remainders, flows, bounds and attributes; an organ's volume that the spec scales."""
    loaded = load(write(tmp_path, BODY))
    spread = {"BW": 0.25, "liver.volume": 1.2, "CO": 0.3, "D.fup": 0.6, "muscle.volume": 0.3}
    people = _people(loaded, 60, spread)
    for scenario in ("iv", "small"):
        run, not_run, _ = _compare(loaded, scenario, people)
        assert run > 5
        assert not_run > 5


def test_nobody_can_be_run(tmp_path: Path) -> None:
    """Then each has a reason."""
    loaded = load(write(tmp_path, TINY))
    people = _people(loaded, 3, {"BW": 1e-3})
    assert _compare(loaded, "one", People(people.ids, ("BW",), people.units, people.values + 200)) == (
        0,
        3,
        0,
    )


@pytest.mark.parametrize(
    ("spec", "scenario", "spread"),
    [
        ("paracetamol", "child", {"BW": 0.1, "vmax_ugt": 0.3, "CO": 0.1}),
        ("paracetamol", "po_ss", {"BW": 0.1, "liver.volume": 0.1, "APAP.kp.liver": 0.2}),
    ],
)
def test_shipped_specs(spec: str, scenario: str, spread: dict[str, float]) -> None:
    """A dose by weight, a scenario that overrules, doses at steady state, derived columns."""
    loaded = load(SPECS / f"{spec}.pbpk")
    if "APAP.kp.liver" in spread:
        loaded = loaded.with_settings(set=["APAP.kp.liver = 1.1"])
    run, _, _ = _compare(loaded, scenario, _people(loaded, 8, spread))
    assert run > 3


def test_arithmetic_on_many_is_that_on_each(tmp_path: Path) -> None:
    """Every operator, with what has no value for some."""
    text = "pbpk 1\nmodel m\nparam a = 1\nparam b = 2\n"
    forms = [
        "a + b + 1", "a - b", "a * b * a", "a / b", "-a", "a^b", "exp(a)", "ln(a)", "log10(b)", "sqrt(a)",
        "sin(a)", "cos(b)", "abs(a)", "floor(a)", "ceil(b)", "min(a, b, 1)", "max(0.5, a, b)",
        "if(a < b, a / b, ln(b))", "if(a >= b and b > 0, sqrt(b), if(a <= 1 or b < a, 1, exp(a)))",
        "(a / (b - b))^2", "if(1 < 2, a, ln(-a))",
    ]  # fmt: skip
    lines = "".join(f"param x{i} = {form}\n" for i, form in enumerate(forms))
    path = write(tmp_path, text + lines + "state s = 1\node s = -s * 1 [1/h]\nobserve o = s in [1]\n")
    model = load(path).model
    definitions = {name: d.expr for name, d in model.definitions.items()}
    draw = np.random.default_rng(1)
    special = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 800.0, -800.0]
    a = np.concatenate([draw.normal(0, 3, 200), np.repeat(special, len(special))])
    b = np.concatenate([draw.normal(0, 3, 200), np.tile(special, len(special))])
    many = evaluate_definitions(definitions, {"a": Many.of(a), "b": Many.of(b)}, value=evaluate_many)
    for i, form in enumerate(forms):
        found = many(f"x{i}")
        for n in range(len(a)):
            each = evaluate_definitions(definitions, {"a": float(a[n]), "b": float(b[n])})
            try:
                expected = float(each(f"x{i}"))
            except (ArithmeticError, ValueError):
                assert found.none[n], (form, a[n], b[n])
                continue
            assert not found.none[n], (form, a[n], b[n])
            assert float(found.values[n]) == expected or math.isnan(expected), (form, a[n], b[n])


def test_who_is_doubtful_is_not_feasible(tmp_path: Path) -> None:
    """On arrays nobody is let through whom the rules for one refuse."""
    loaded = load(write(tmp_path, BODY))
    people = _people(loaded, 200, {"BW": 0.3, "liver.volume": 1.0, "CO": 0.2, "D.bp": 0.5, "D.fup": 0.8})
    columns = people.columns()
    columns["CO"][3], columns["D.fup"][5], columns["D.fup"][7] = -1.0, 0.0, 1.0
    found = doubtful(loaded.model, {name: Many.of(column) for name, column in columns.items()}, 200)
    for n in range(200):
        own = {name: float(column[n]) for name, column in columns.items()}
        assert bool(infeasible(loaded.model, own, "")) == found[n]
    assert 20 < found.sum() < 180


def test_what_has_no_value_for_anybody_is_nobodys() -> None:
    """A name that has none is missing for all."""
    from pbpkc.language.expression import Name
    from pbpkc.language.units import ONE

    with pytest.raises(NotEvaluable, match="'x' has no value here"):
        evaluate_many(Name(ONE, "x"), {}.__getitem__)
