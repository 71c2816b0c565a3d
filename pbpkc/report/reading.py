"""Who reads whom in a `Model`: definitions, states, observables, scenarios, populations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pbpkc.language.expression import Apply, Expr, names_in, walk
from pbpkc.language.model import Arrow, Dose, Model, Scenario


@dataclass(frozen=True)
class Reading:
    """The direct reads of everything in a model.

    Names are those of definitions, states and unknown terms; observables, scenarios, populations and checks
    stand in it as ``observable Cp``, ``scenario iv``, ``population adults``, ``check cmax(iv.Cp)``.
    """

    model: Model

    @cached_property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """What each reads itself, in the order of the model."""
        model = self.model
        found: dict[str, tuple[str, ...]] = {}
        for name, definition in model.definitions.items():
            found[name] = read_in([definition.expr])
        for state in model.states:
            parts: list[str] = []
            for arrow in self.arrows_of(state.name):
                parts.append(arrow.rate)
                parts += read_in(share for name, share in arrow.produces if name == state.name)
            parts += read_in([state.start] if state.start is not None else [])
            found[state.name] = tuple(dict.fromkeys(parts))
        for observable in model.observables:
            error = observable.error
            extra = [e for e in (error.proportional, error.additive) if e is not None] if error else []
            limit = [observable.lloq] if observable.lloq is not None else []
            found[f"observable {observable.name}"] = read_in([observable.expr, *extra, *limit])
        for unknown in model.unknowns.values():
            found.setdefault(unknown.name, ())
        for scenario in model.scenarios.values():
            found[f"scenario {scenario.name}"] = _of_scenario(scenario)
        for people in model.populations.values():
            names = [v.name for v in people.variations]
            spreads = read_in(e for v in people.variations for e in v.arguments.values())
            found[f"population {people.name}"] = tuple(dict.fromkeys([*names, *spreads]))
        for check in model.checks:
            curves = [name.split(".", 1) for name in sorted(names_in(check.expr)) if "." in name]
            read = [x for scenario, curve in curves for x in (f"scenario {scenario}", f"observable {curve}")]
            found[f"check {check.text}"] = tuple(dict.fromkeys(read))
        return found

    @cached_property
    def read_by(self) -> Mapping[str, tuple[str, ...]]:
        """What reads each, in the order of the model."""
        found: dict[str, list[str]] = {}
        for reader, names in self.reads.items():
            for name in names:
                found.setdefault(name, []).append(reader)
        return {name: tuple(readers) for name, readers in found.items()}

    def arrows_of(self, state: str) -> tuple[Arrow, ...]:
        """The arrows that take from a state or give to it."""
        return tuple(a for a in self.model.arrows if any(state == s for s, _ in (*a.consumes, *a.produces)))

    def reached(self, name: str) -> tuple[str, ...]:
        """The observables whose value or scatter depends on a name, through whatever lies between."""
        seen, waiting = {name}, [name]
        while waiting:
            for reader in self.read_by.get(waiting.pop(), ()):
                if reader not in seen and not reader.startswith(("scenario ", "check ", "population ")):
                    seen.add(reader)
                    waiting.append(reader)
        return tuple(o.name for o in self.model.observables if f"observable {o.name}" in seen)


def read_in(exprs: Iterable[Expr]) -> tuple[str, ...]:
    """Names and unknown terms that expressions read, each once; of ``tad(X)`` the species stays out."""
    found: dict[str, None] = {}
    for expr in exprs:
        for node in walk(expr):
            if isinstance(node, Apply) and node.op.startswith("unknown:"):
                found[node.op.removeprefix("unknown:")] = None
        found |= dict.fromkeys(sorted(n for n in names_in(expr) if n != "t"))
    return tuple(found)


def _of_scenario(scenario: Scenario) -> tuple[str, ...]:
    found = [name for name, _ in scenario.sets] + [name for name, _ in scenario.starts]
    found += [change.name for change in scenario.changes]
    rows: list[Dose] = list(scenario.doses)
    if scenario.data is not None:
        rows += [dose for _, _, dose in scenario.data.dose_rows]
        found += [c.target for c in scenario.data.columns]
        found += [f"observable {name}" for _, _, name, _ in scenario.data.observe_rows]
    exprs = [value for _, value in (*scenario.sets, *scenario.starts)]
    exprs += [c.value for c in scenario.changes] + [
        e for e in (scenario.run, *scenario.resets) if e is not None
    ]
    for dose in rows:
        found.append(dose.state)
        parts = (dose.amount, dose.at, dose.over, dose.rate, dose.every, dose.lag, dose.fraction)
        exprs += [e for e in parts if e is not None]
    if scenario.after is not None:
        found.append(f"scenario {scenario.after}")
    return tuple(dict.fromkeys([*found, *read_in(exprs)]))
