"""Scenarios, data blocks and value checks, bound."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from pbpkc.language import nodes as n
from pbpkc.language.bind import Context, Unbound
from pbpkc.language.data_block import read_data
from pbpkc.language.diagnostics import Label, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate, no_names
from pbpkc.language.expression import Expr, Name, div
from pbpkc.language.gather import not_yet
from pbpkc.language.model import DataBlock, Dose, Observable, Scenario
from pbpkc.language.quantities import species_of
from pbpkc.language.scope import name_span
from pbpkc.language.source import Span
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension

if TYPE_CHECKING:
    from pbpkc.language.table import Table


#: Doses that one line may repeat.
MOST_DOSES = 100_000

_DOSE_WORDS = ("at", "over", "rate", "every", "count", "lag", "fraction", "steady")

#: What a CMT line may say of the doses of a file; the file itself says when, and how often.
_ROW_WORDS = ("over", "rate", "lag", "fraction", "steady")


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
                )
            parent = self._read(block.parent.name, [*path, name])
        doses: list[Dose] = []
        sets: dict[str, Expr] = dict(parent.sets) if parent else {}
        starts: dict[str, Expr] = dict(parent.starts) if parent else {}
        run = parent.run if parent else None
        data: DataBlock | None = None
        for item in block.items:
            try:
                match item:
                    case n.DoseLine():
                        doses.append(self._dose(item, name))
                    case n.Set():
                        target, value = self._set(item)
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
                        self.table.problems.append(not_yet("`start steady`", item))
                    case n.StartAfter():
                        self.table.problems.append(not_yet("`start after`", item))
                    case n.Reset():
                        self.table.problems.append(not_yet("`reset`", item))
            except Unbound:
                continue
        has_own = any(isinstance(i, n.DoseLine | n.Data) for i in block.items)
        if parent is not None and not has_own:
            doses, data = list(parent.doses), parent.data
        if run is None and data is None:
            self.failed.add(name)
            if any(isinstance(i, n.Run | n.Data | n.StartAfter) for i in block.items):
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
            span=block.span,
        )
        self.scenarios[name] = scenario
        return scenario

    def context(self, where: str) -> Context:
        """Where a value of a scenario stands: no unknown term may be called."""
        return Context(unknowns=False, where=where)

    # ---------------------------------------------------------------- items

    def place(self, ref: n.Ref, species: str, reason: str) -> str:
        """The state a dose goes into."""
        table = self.table
        node = table.indexed(ref.parts[0], Context())
        if node in table.scope.sites:
            table.lost_end = True
            raise table.binder.fail(
                "misplaced",
                f"'{node}' is a site, where blood is sampled; nothing can be given there",
                ref.span,
                help="dose into the tissue or the blood itself",
            )
        if node in table.scope.states and len(ref.parts) == 1:
            table.lost_end = True
            raise table.binder.fail(
                "misplaced",
                f"'{node}' is a state, and no species is dosed into it",
                ref.span,
                help=f"write dose 100 into {node}, without a species",
            )
        if node not in table.scope.nodes or len(ref.parts) > 1:
            table.lost_end = True
            near = similar(ref.text, table.scope.nodes)
            names = ", ".join(dict.fromkeys(k.split("<")[0] for k in table.scope.nodes))
            raise table.binder.fail(
                "unknown-name",
                f"there is no compartment '{ref.text}'",
                ref.span,
                help=f"a compartment with a similar name exists: '{near}'"
                if near
                else f"compartments are {names}"
                if names
                else "a dose goes into a node: declare `lumen gut`",
            )
        table.read_names.add(ref.parts[0].name)
        state = f"{node}.{species}"
        self.reasons.setdefault(state, reason)
        return state

    def named_species(self, part: n.Part) -> str:
        """The declared species of a name."""
        table = self.table
        if part.name not in table.scope.species:
            table.lost_end = True
            near = similar(part.name, table.scope.species)
            raise table.binder.fail(
                "unknown-name",
                f"there is no species '{part.name}'",
                part.span,
                help=f"a species with a similar name exists: '{near}'"
                if near
                else "species are " + ", ".join(table.scope.species)
                if table.scope.species
                else "declare it: species X { mw = 300 [g/mol] }",
            )
        table.read_names.add(part.name)
        return part.name

    def amount(self, node: n.SyntaxExpr, species: str) -> Expr:
        """An amount of substance; a mass is divided by the molar mass."""
        table = self.table
        expr = table.binder.bind(node, self.context("a dose"))
        return self.in_moles(expr, species, node.span)

    def in_moles(self, expr: Expr, species: str, span: Span) -> Expr:
        """An amount or a mass as an amount."""
        table = self.table
        if expr.dim == MASS:
            return div(expr, table.name(table.attribute(species, "mw", span)))
        if expr.dim != AMOUNT and not table.unit_free:
            raise table.binder.mismatch("a dose is an amount or a mass", expr, MASS, span)
        return expr

    def state_place(self, ref: n.Ref) -> str:
        """The general state a dose without a species goes into."""
        table = self.table
        name = table.indexed(ref.parts[0], Context())
        if name in table.state_units and len(ref.parts) == 1:
            table.read_names.add(ref.parts[0].name)
            return name
        if name in table.scope.nodes:
            known = list(table.scope.species)
            raise table.binder.fail(
                "which-species",
                f"a dose into '{ref.text}' names its species",
                ref.span,
                help=f"write dose {known[0] if known else 'X'} ... into {ref.text}",
            )
        near = similar(ref.text, table.scope.states)
        raise table.binder.fail(
            "unknown-name",
            f"there is no state '{ref.text}'",
            ref.span,
            help=f"a state with a similar name exists: '{near}'"
            if near
            else "a dose without a species goes into a `state`; one into a compartment names its species",
        )

    def _state_dose(self, line: n.DoseLine) -> Dose:
        table = self.table
        state = self.state_place(line.into)
        amount = table.binder.bind_as(
            line.amount,
            table.state_units[state].dimension,
            self.context("a dose"),
            f"a dose into '{state}' has its unit",
        )
        return self.moments(line.when, line.span, state, state, amount)

    def _dose(self, line: n.DoseLine, scenario: str) -> Dose:
        if line.species is None:
            return self._state_dose(line)
        found: list[str] = []
        with suppress(Unbound):
            found.append(self.named_species(line.species))
        # The place is looked at in any case, so that both are reported.
        state = self.place(line.into, found[0] if found else "", f"dosed in scenario '{scenario}'")
        if not found:
            self.reasons.pop(state, None)
            raise Unbound()
        species = found[0]
        amount = self.amount(line.amount, species)
        return self.moments(line.when, line.span, species, state, amount)

    def moments(
        self, moments: tuple[n.When, ...], span: Span, species: str, state: str, amount: Expr | None
    ) -> Dose:
        """A dose with its `at`, `over` or `rate`, `every` and `count`, `lag` and `fraction`."""
        table = self.table
        binder, time = table.binder, table.time
        given: dict[str, Expr] = {}
        count: int | None = None
        seen: dict[str, Span] = {}
        for moment in moments:
            word = moment.word
            if word in seen:
                raise binder.fail(
                    "duplicate-name",
                    f"`{word}` is said twice",
                    moment.span,
                    others=(Label(seen[word], "first here"),),
                    help="leave one of them out, or write two doses",
                )
            seen[word] = moment.span
            if word == "steady":
                self.table.problems.append(not_yet("`steady` doses", moment))
                raise Unbound()
            if word not in _DOSE_WORDS:
                raise binder.fail(
                    "misplaced",
                    f"`{word}` does not belong to a dose",
                    moment.span,
                    help="a dose takes at, over or rate, every with count, lag, fraction",
                )
            if amount is None and word not in _ROW_WORDS:
                raise binder.fail(
                    "misplaced",
                    f"`{word}` does not belong to a line of a data block",
                    moment.span,
                    help="the file says when and how often; the line may say over, rate, lag, fraction",
                )
            assert moment.value is not None
            if word == "count":
                number = binder.constant(moment.value, ONE, "the count of doses is a whole number")
                if number > MOST_DOSES:
                    raise binder.fail(
                        "too-large",
                        f"the count of doses is {number:g}; at most {MOST_DOSES} are accepted",
                        moment.span,
                        help="write a smaller count, or an infusion in place of many small doses",
                    )
                if number != int(number) or number < 1:
                    raise binder.fail(
                        "not-whole",
                        f"the count of doses is {number:g}, which is no whole number from 1",
                        moment.span,
                        help="write for example every 12 [h] count 6",
                    )
                count = int(number)
                continue
            if word == "rate":
                if state in table.scope.states:
                    wanted_rate = table.state_units[state].dimension / time
                    rule = f"the rate of an infusion into '{state}' has its unit per time"
                    given[word] = binder.bind_as(moment.value, wanted_rate, self.context("a dose"), rule)
                    continue
                expr = binder.bind(moment.value, self.context("a dose"))
                if expr.dim == MASS / time:
                    expr = div(expr, table.name(table.attribute(species, "mw", moment.span)))
                elif expr.dim != AMOUNT / time and not table.unit_free:
                    raise binder.mismatch(
                        "the rate of an infusion is an amount or a mass per time",
                        expr,
                        MASS / time,
                        moment.span,
                    )
                given[word] = expr
                continue
            wanted: Dimension = ONE if word == "fraction" else time
            what = "a fraction is dimensionless" if word == "fraction" else f"`{word}` is a time"
            given[word] = binder.bind_as(moment.value, wanted, self.context("a dose"), what)
        # A CMT line may have both: RATE -2 and -1 of the file say which of them a row means.
        if "over" in given and "rate" in given and amount is not None:
            raise binder.fail(
                "infusion",
                "this infusion is given by `over` and by `rate`",
                span,
                help="leave one of them out: the other follows from the amount",
            )
        if ("every" in given) != (count is not None):
            lacks = "`count`" if "every" in given else "`every`"
            raise binder.fail(
                "repeat", f"this dose repeats without {lacks}", span, help="write every 12 [h] count 6"
            )
        return Dose(
            species,
            state,
            amount,
            given.get("at"),
            given.get("over"),
            given.get("rate"),
            given.get("every"),
            count or 1,
            given.get("lag"),
            given.get("fraction"),
            span=span,
        )

    def _set(self, item: n.Set) -> tuple[str, Expr]:
        table = self.table
        if item.when:
            table.problems.append(not_yet("`set` at a time", item))
            raise Unbound()
        ref = item.target
        context = self.context("a scenario's `set`")
        target = self._target(ref)
        wanted = target.dim
        value = table.binder.bind_as(item.value, wanted, context, f"'{ref.text}' keeps its unit")
        assert isinstance(target, Name)
        bounds = table.definitions[target.name].bounds
        if bounds is not None:
            try:
                number = float(evaluate(value, no_names))
            except (NotEvaluable, ArithmeticError, ValueError):
                return target.name, value
            if not bounds[0] <= number <= bounds[1]:
                raise table.binder.fail(
                    "out-of-bounds",
                    f"the value of '{ref.text}' lies outside its bounds",
                    item.value.span,
                    help="choose a value within the bounds, or widen them where it is declared",
                )
        return target.name, value

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
            )
        species, rest = species_of(table, ref.parts[1:], ref)
        if rest and not (len(rest) == 1 and rest[0].name == "A"):
            raise table.binder.fail(
                "misplaced",
                f"'{ref.text}' cannot be started; an amount can",
                ref.span,
                help=f"write start {name}.{species} = ...",
            )
        value = table.binder.bind_as(
            item.value, AMOUNT, self.context("a start"), "the start of a compartment is an amount"
        )
        self.reasons.setdefault(f"{name}.{species}", reason)
        return f"{name}.{species}", value

    # ---------------------------------------------------------------- data


# ------------------------------------------------------------------ checks
