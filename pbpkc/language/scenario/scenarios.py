"""Scenarios, data blocks and value checks, bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.binding.quantities import species_of
from pbpkc.language.binding.scope import name_span
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate, no_names
from pbpkc.language.expression import Expr, Name
from pbpkc.language.model import Change, DataBlock, Definition, Dose, Observable, Scenario
from pbpkc.language.scenario.changes import read_change
from pbpkc.language.scenario.data_block import read_data
from pbpkc.language.scenario.dose_lines import DoseLines
from pbpkc.language.structure.spaces import compartment, read_space
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import AMOUNT

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


class ScenarioReader:
    """Binds the scenarios of a spec.

    Parameters
    ----------
    table : Table
    observables : iterable of Observable
    """

    def __init__(self, table: Table, observables: Iterable[Observable]) -> None:
        self.table = table
        self.observables = {o.name: o for o in observables}
        self.reasons: dict[str, str] = {}  # state -> why a scenario makes it exist
        self.doses = DoseLines(table, self.reasons)
        self.scenarios: dict[str, Scenario] = {}
        self.failed: set[str] = set()

    def read_all(self) -> dict[str, Scenario]:
        """All scenarios, parents before children."""
        for name in self.table.scope.scenarios:
            try:
                self._read(name, [])
            except Unbound:
                continue
        return {k: self.scenarios[k] for k in self.table.scope.scenarios if k in self.scenarios}

    def _read(self, name: str, path: list[str]) -> Scenario:
        if name in self.scenarios:
            return self.scenarios[name]
        if name in self.failed:
            raise Unbound()
        block = self.table.scope.scenarios[name]
        binder = self.table.binder
        if name in path:
            self.failed.update(path)
            assert block.parent is not None
            raise binder.fail(
                "cycle",
                f"the scenario '{name}' comes from itself: {' -> '.join([*path, name])}",
                block.parent.span,
                help="leave one `from` out",
            )
        parent: Scenario | None = None
        if block.parent is not None:
            if block.parent.name not in self.table.scope.scenarios:
                near = similar(block.parent.name, self.table.scope.scenarios)
                raise binder.fail(
                    "unknown-name",
                    f"there is no scenario '{block.parent.name}'",
                    block.parent.span,
                    help=f"a scenario with a similar name exists: '{near}'"
                    if near
                    else "scenarios are " + ", ".join(self.table.scope.scenarios),
                    fixes=respelt(block.parent.span, block.parent.name, self.table.scope.scenarios),
                )
            parent = self._read(block.parent.name, [*path, name])
        doses: list[Dose] = []
        sets: dict[str, Expr] = dict(parent.sets) if parent else {}
        changes: list[Change] = list(parent.changes) if parent else []
        own: set[str] = set()  # names that this scenario sets; what its parent says of them is replaced
        starts: dict[str, Expr] = dict(parent.starts) if parent else {}
        resets: list[Expr] = []
        beginnings: list[n.Syntax] = []
        rests, after = (parent.rests, parent.after) if parent else (self.table.scope.rests, None)
        run = parent.run if parent else None
        data: DataBlock | None = None
        for item in block.items:
            try:
                match item:
                    case n.DoseLine():
                        doses.append(self.doses.dose(item, name))
                    case n.Set():
                        definition, value = self._set(item)
                        target = definition.name
                        if target not in own:
                            own.add(target)
                            sets.pop(target, None)
                            changes = [c for c in changes if c.name != target]
                        if item.when:
                            changes.append(read_change(self, item, definition, value))
                        else:
                            sets[target] = value
                    case n.Start():
                        state, value = self.start(item, f"scenario '{name}' starts it")
                        starts[state] = value
                    case n.Run():
                        run = binder.bind_as(
                            item.until,
                            self.table.time,
                            self.context("a run"),
                            "the length of a run is a time",
                        )
                    case n.Data():
                        if data is not None:
                            raise binder.fail(
                                "duplicate-name",
                                "a scenario has one data file",
                                item.span,
                                others=(Label(data.span, "first here"),) if data.span else (),
                                help="write a scenario for each file",
                            )
                        data = read_data(self, item, name)
                    case n.StartSteady():
                        rests, after = True, None
                        beginnings.append(item)
                    case n.StartAfter():
                        beginnings.append(item)
                        rests, after = False, self._before(item, name, path)
                    case n.Reset():
                        resets.append(
                            binder.bind_as(
                                item.at, self.table.time, self.context("a reset"), "`reset at` takes a time"
                            )
                        )
            except Unbound:
                continue
        if len(beginnings) > 1:
            first, again = beginnings[:2]
            binder.fail(
                "duplicate-name",
                f"the scenario '{name}' says twice where it begins",
                again.span,
                others=(Label(first.span, "first here"),),
                help="leave one of them out",
            )
        has_own = any(isinstance(i, n.DoseLine | n.Data) for i in block.items)
        if parent is not None and not has_own:
            doses, data = list(parent.doses), parent.data
        if parent is not None and not any(isinstance(i, n.Reset) for i in block.items):
            resets = list(parent.resets)
        if run is None and data is None:
            self.failed.add(name)
            if any(isinstance(i, n.Run | n.Data) for i in block.items):
                raise Unbound()  # what it says is wrong, and reported
            raise binder.fail(
                "no-run",
                f"the scenario '{name}' does not say how long it runs",
                name_span(block, name),
                help="write run 24 [h]",
            )
        scenario = Scenario(
            name,
            block.doc,
            tuple(sets.items()),
            tuple(starts.items()),
            tuple(doses),
            run,
            data,
            tuple(resets),
            tuple(changes),
            rests,
            after,
            span=block.span,
        )
        self.scenarios[name] = scenario
        return scenario

    def _before(self, item: n.StartAfter, name: str, path: list[str]) -> str:
        """The scenario whose end is the beginning of another."""
        other, binder = item.scenario.name, self.table.binder
        if other not in self.table.scope.scenarios:
            near = similar(other, self.table.scope.scenarios)
            raise binder.fail(
                "unknown-name",
                f"there is no scenario '{other}'",
                item.scenario.span,
                help=f"a scenario with a similar name exists: '{near}'"
                if near
                else "scenarios are " + ", ".join(self.table.scope.scenarios),
            )
        if other in (*path, name):
            self.failed.update((*path, name))
            raise binder.fail(
                "cycle",
                f"the scenario '{other}' begins after itself: {' -> '.join([*path, name, other])}",
                item.span,
                help="let one of them begin elsewhere",
            )
        if self._read(other, [*path, name]).data is not None:
            raise binder.fail(
                "misplaced",
                f"the scenario '{other}' reads a data file, and a run of it has no one end",
                item.span,
                help="begin after a written scenario",
            )
        return other

    def context(self, where: str) -> Context:
        """Where a value of a scenario stands: no unknown term may be called."""
        return Context(unknowns=False, where=where)

    # ---------------------------------------------------------------- items

    def _set(self, item: n.Set) -> tuple[Definition, Expr]:
        """What a `set` sets, and to which value."""
        table = self.table
        ref = item.target
        context = self.context("a scenario's `set`")
        target = self._target(ref)
        wanted = target.dim
        value = table.binder.bind_as(item.value, wanted, context, f"'{ref.text}' keeps its unit")
        assert isinstance(target, Name)
        definition = table.definitions[target.name]
        bounds = definition.bounds
        if bounds is not None and not item.when:
            try:
                number = float(evaluate(value, no_names))
            except (NotEvaluable, ArithmeticError, ValueError):
                return definition, value
            if not bounds[0] <= number <= bounds[1]:
                raise table.binder.fail(
                    "out-of-bounds",
                    f"the value of '{ref.text}' lies outside its bounds",
                    item.value.span,
                    help="choose a value within the bounds, or widen them where it is declared",
                )
        return definition, value

    def _target(self, ref: n.Ref) -> Expr:
        table = self.table
        target = table.reference(ref, Context(unknowns=False))
        kinds = ("covariate", "input", "param", "masked", "attribute")
        if (
            isinstance(target, Name)
            and target.name in table.definitions
            and table.definitions[target.name].kind == "flow"
        ):
            raise table.binder.fail(
                "misplaced",
                f"'{ref.text}' is left to the balance and cannot be set",
                ref.span,
                help="set a flow that the model gives, or the total flow of the circulation",
            )
        if isinstance(target, Name) and _is_absent(table, target.name):
            raise table.binder.fail(
                "misplaced",
                f"'{ref.text}' is written as 0, so the model has no such exchange and it cannot be set",
                ref.span,
                help="name the number: param p = 0 [L/h], and ps = p in the species",
            )
        if (
            not isinstance(target, Name)
            or target.name not in table.definitions
            or table.definitions[target.name].kind not in kinds
        ):
            raise table.binder.fail(
                "misplaced",
                f"'{ref.text}' cannot be set",
                ref.span,
                help="covariates, inputs, params and attributes can; an initial amount is set with `start`",
            )
        return target

    def start(self, item: n.Start, reason: str) -> tuple[str, Expr]:
        """The state and value of a `start` line."""
        table = self.table
        ref = item.target
        name = table.indexed(ref.parts[0], Context())
        table.read_names.add(ref.parts[0].name)
        if name in table.scope.states and len(ref.parts) == 1:
            unit = table.state_units[name]
            value = table.binder.bind_as(
                item.value, unit.dimension, self.context("a start"), f"the start of '{name}' has its unit"
            )
            return name, value
        if name not in table.scope.nodes:
            near = similar(ref.parts[0].name, [*table.scope.nodes, *table.scope.states])
            raise table.binder.fail(
                "unknown-name",
                f"'{ref.text}' is no state",
                ref.span,
                help=f"a name with a similar spelling exists: '{near}'"
                if near
                else "write for example start liver.PAPS = 1 [umol]",
                fixes=respelt(ref.span, ref.parts[0].name, [*table.scope.nodes, *table.scope.states]),
            )
        space, rest = read_space(table, name, ref.parts[1:])
        species, rest = species_of(table, rest, ref)
        if rest and not (len(rest) == 1 and rest[0].name == "A"):
            place = name if space is None else f"{name}.{space}"
            raise table.binder.fail(
                "misplaced",
                f"'{ref.text}' cannot be started; an amount can",
                ref.span,
                help=f"write start {place}.{species} = ...",
            )
        state = compartment(table, name, space, species, ref)
        value = table.binder.bind_as(
            item.value, AMOUNT, self.context("a start"), "the start of a compartment is an amount"
        )
        self.reasons.setdefault(state, reason)
        return state, value


def _is_absent(table: Table, name: str) -> bool:
    return name in table.definitions and table.definitions[name].kind == "absent"
