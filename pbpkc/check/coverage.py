"""Which scenarios of a spec exercise different parts of its equations.

Six scenarios that give different amounts by mouth run through the same terms. What looks at terms (does the
generated residual vanish? can the parameters be told apart?) needs one of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pbpkc.language.expression import Const, Expr
from pbpkc.language.model import Arrow, Model, Scenario


def distinct_scenarios(model: Model) -> dict[str, tuple[str, ...]]:
    """Written scenarios that exercise something new, each with the ones that add nothing to those before.

    A scenario exercises the arrows that what it doses can reach, the places it doses (by bolus and by
    infusion), what it changes during the run, and some of what it sets: what is zero otherwise, and what is
    computed otherwise, which makes other equations. Another body weight runs through the same terms.

    Parameters
    ----------
    model : Model

    Returns
    -------
    dict
        From a chosen scenario to those it stands for: everything that they exercise, it exercises itself.
    """
    exercised = {s.name: _exercised(model, s) for s in model.scenarios.values() if s.data is None}
    # The first of those that exercise most, so that few are chosen; in the order of the text.
    by_size = sorted(exercised, key=lambda name: -len(exercised[name]))
    chosen: list[str] = []
    for name in by_size:
        if not any(exercised[name] <= exercised[other] for other in chosen):
            chosen.append(name)
    return {
        name: tuple(
            other
            for other in exercised
            if other not in chosen
            and name == next(c for c in exercised if c in chosen and exercised[other] <= exercised[c])
        )
        for name in exercised
        if name in chosen
    }


def like_scenarios(model: Model) -> dict[str, tuple[str, ...]]:
    """The first of each kind of written scenarios, with the others that exercise exactly the same.

    Parameters
    ----------
    model : Model
    """
    kinds: dict[frozenset[tuple[str, str]], list[str]] = {}
    for scenario in model.scenarios.values():
        if scenario.data is None:
            kinds.setdefault(_exercised(model, scenario), []).append(scenario.name)
    return {first: tuple(others) for first, *others in kinds.values()}


def _exercised(model: Model, scenario: Scenario) -> frozenset[tuple[str, str]]:
    full = {state.name for state in model.states if state.start is not None and not state.sink}
    full |= {name for name, _ in scenario.starts} | {dose.state for dose in scenario.doses}
    before = model.scenarios.get(scenario.after or "")
    while before is not None:
        full |= {dose.state for dose in before.doses} | {name for name, _ in before.starts}
        before = model.scenarios.get(before.after or "")
    reached = _reachable(model.arrows, full)
    dosed = {
        ("infusion" if dose.over is not None or dose.rate is not None else "bolus", dose.state)
        for dose in scenario.doses
    }
    dosed |= {("steady", dose.state) for dose in scenario.doses if dose.steady}
    kinds = {"reset": scenario.resets, "rests": scenario.rests, "after": scenario.after}
    dosed |= {(kind, "") for kind, there in kinds.items() if there}
    written = {name: _written(model, name) for name, _ in scenario.sets}
    # What replaces a computed value makes other equations, in which it is a parameter.
    changed = ",".join(sorted(name for name, expr in written.items() if not isinstance(expr, Const)))
    woken = {("woken", name) for name, expr in written.items() if isinstance(expr, Const) and not expr.value}
    moved = {("change", change.name) for change in scenario.changes}
    return frozenset({("arrow", name) for name in reached} | dosed | woken | moved | {("equations", changed)})


def _written(model: Model, name: str) -> Expr | None:
    definition = model.definitions.get(name)
    return None if definition is None else definition.expr


def _reachable(arrows: Iterable[Arrow], full: set[str]) -> set[str]:
    """Names of the arrows through which something can flow when these states are not empty."""
    # `->` stands still when a reactant is empty; `<->` runs from either side.
    waiting, moving, full = list(arrows), set[str](), set(full)
    while True:
        runs = [
            a
            for a in waiting
            if all(s in full for s, _ in a.consumes)
            or (a.reversible and all(s in full for s, _ in a.produces))
            or a.kind == "ode"
        ]
        if not runs:
            return moving
        waiting = [a for a in waiting if a not in runs]
        for arrow in runs:
            moving.add(arrow.name)
            full |= {s for s, _ in (*arrow.consumes, *arrow.produces)}
