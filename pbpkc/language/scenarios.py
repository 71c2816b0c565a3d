"""Scenarios, data blocks and value checks, bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pbpkc.language import nodes as n
from pbpkc.language.bind import Context, Unbound
from pbpkc.language.diagnostics import Diagnostic, Label, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Apply, Const, Expr, Name, div, walk
from pbpkc.language.functions import FIGURES
from pbpkc.language.gather import not_yet
from pbpkc.language.model import Column, DataBlock, Dose, Observable, Scenario, ValueCheck
from pbpkc.language.priors import read_bounds, read_prior
from pbpkc.language.quantities import species_of
from pbpkc.language.scope import name_span
from pbpkc.language.source import Span
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension, Unit, canonical_text, canonical_unit

if TYPE_CHECKING:
    from pbpkc.language.table import Table

#: Words of a NONMEM-style file that a data block may map.
WORDS = (
    "ID",
    "TIME",
    "AMT",
    "RATE",
    "DV",
    "CMT",
    "DVID",
    "EVID",
    "MDV",
    "II",
    "ADDL",
    "SS",
    "LAG",
    "F",
    "CENS",
    "LLOQ",
    "SD",
)

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
                            self._context("a run"),
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
                        data = self._data(item, name)
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

    def _context(self, where: str) -> Context:
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

    def _species(self, part: n.Part) -> str:
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
        expr = table.binder.bind(node, self._context("a dose"))
        return self.in_moles(expr, species, node.span)

    def in_moles(self, expr: Expr, species: str, span: Span) -> Expr:
        """An amount or a mass as an amount."""
        table = self.table
        if expr.dim == MASS:
            return div(expr, table.name(table.attribute(species, "mw", span)))
        if expr.dim != AMOUNT and not table.unit_free:
            raise table.binder.mismatch("a dose is an amount or a mass", expr, MASS, span)
        return expr

    def _dose(self, line: n.DoseLine, scenario: str) -> Dose:
        found: list[str] = []
        try:
            found.append(self._species(line.species))
        except Unbound:
            pass
        # The place is looked at in any case, so that both are reported.
        state = self.place(line.into, found[0] if found else "", f"dosed in scenario '{scenario}'")
        if not found:
            self.reasons.pop(state, None)
            raise Unbound()
        species = found[0]
        amount = self.amount(line.amount, species)
        return self._moments(line.when, line.span, species, state, amount)

    def _moments(
        self, moments: tuple[n.When, ...], span: Span, species: str, state: str, amount: Expr | None
    ) -> Dose:
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
                if number != int(number) or not 1 <= number <= 100_000:
                    raise binder.fail(
                        "not-whole",
                        f"the count of doses is {number:g}, which is no whole number from 1",
                        moment.span,
                        help="write for example every 12 [h] count 6",
                    )
                count = int(number)
                continue
            if word == "rate":
                expr = binder.bind(moment.value, self._context("a dose"))
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
            given[word] = binder.bind_as(moment.value, wanted, self._context("a dose"), what)
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
        context = self._context("a scenario's `set`")
        target = self._target(ref)
        wanted = target.dim
        value = table.binder.bind_as(item.value, wanted, context, f"'{ref.text}' keeps its unit")
        assert isinstance(target, Name)
        bounds = table.definitions[target.name].bounds
        if bounds is not None:
            try:
                number = float(evaluate(value, _no_names))
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
                item.value, unit.dimension, self._context("a start"), f"the start of '{name}' has its unit"
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
            item.value, AMOUNT, self._context("a start"), "the start of a compartment is an amount"
        )
        self.reasons.setdefault(f"{name}.{species}", reason)
        return f"{name}.{species}", value

    # ---------------------------------------------------------------- data

    def _data(self, block: n.Data, scenario: str) -> DataBlock:
        columns: list[Column] = []
        doses: list[tuple[str, int, Dose]] = []
        observes: list[tuple[str, int, str, Unit | None]] = []
        keeps: list[tuple[str, float, float]] = []
        for item in block.items:
            try:
                match item:
                    case n.ColumnLine():
                        columns.append(self._column(item))
                    case n.DoseRow():
                        self._row_word(item.column, ("CMT",))
                        self._once(item, [(word, number) for word, number, _ in doses])
                        species = self._species(item.species)
                        state = self.place(item.into, species, f"dosed by the data of scenario '{scenario}'")
                        dose = self._moments(item.when, item.span, species, state, None)
                        mw = None
                        if f"{species}.mw" in self.table.attributes:
                            mw = self.table.name(self.table.attribute(species, "mw", item.span))
                        doses.append((item.column.name, item.number, replace(dose, mw=mw)))
                    case n.ObserveRow():
                        self._row_word(item.column, ("CMT", "DVID"))
                        self._once(item, [(word, number) for word, number, *_ in observes])
                        observes.append((item.column.name, item.number, *self._observed(item)))
                    case n.Keep():
                        low, high = read_bounds(
                            item.bounds, ONE, self.table.binder, Context(), one_value=True
                        )
                        keeps.append((item.column, low, high))
            except Unbound:
                continue
        return DataBlock(
            block.path, tuple(columns), tuple(doses), tuple(observes), tuple(keeps), span=block.span
        )

    def _row_word(self, part: n.Part, words: tuple[str, ...]) -> None:
        if part.name not in words:
            raise self.table.binder.fail(
                "misplaced",
                f"'{part.name}' does not number rows here",
                part.span,
                help="write " + " or ".join(f"{w} 1" for w in words),
            )

    def _once(self, item: n.DoseRow | n.ObserveRow, before: list[tuple[str, int]]) -> None:
        if (item.column.name, item.number) in before:
            word = "dose" if isinstance(item, n.DoseRow) else "observe"
            raise self.table.binder.fail(
                "duplicate-name",
                f"`{item.column.name} {item.number} {word}` is said twice",
                item.span,
                help="one number means one thing",
            )

    def _observed(self, item: n.ObserveRow) -> tuple[str, Unit | None]:
        name = self.table.indexed(item.target, Context()) if item.target.index else item.target.name
        if name not in self.observables:
            near = similar(name, self.observables)
            if name in self.table.scope.observes:
                raise Unbound()  # its own problem is reported
            raise self.table.binder.fail(
                "unknown-name",
                f"there is no observable '{name}'",
                item.target.span,
                help=f"an observable with a similar name exists: '{near}'"
                if near
                else "observables are " + (", ".join(self.observables) or "none"),
            )
        if item.unit is None:
            return name, None
        unit = self.table.binder.unit(item.unit)
        wanted = self.observables[name].unit
        if unit.offset:
            raise self.table.binder.fail(
                "bad-unit",
                f"'{name}' cannot be observed in {unit}",
                item.unit.span,
                help="temperatures are in kelvin: [K]",
            )
        if unit.dimension != wanted.dimension:
            raise self.table.binder.fail(
                "unit-mismatch",
                f"the numbers of '{name}' are in {unit} here and in {wanted} where it is declared",
                item.unit.span,
                notes=(f"they differ by the factor [{canonical_text(unit.dimension / wanted.dimension)}]",),
                help=f"write a unit that can be converted to {wanted}",
            )
        return name, unit

    def _column(self, item: n.ColumnLine) -> Column:
        table = self.table
        target = item.target.name
        unit = table.binder.unit(item.unit) if item.unit else None
        factor = table.binder.bind(item.factor, self._context("a column")) if item.factor else None
        header = item.header or target
        if target in WORDS:
            return Column(target, header, unit, factor, span=item.span)
        if target in self.observables or target in table.scope.observes:
            table.problems.append(not_yet("wide data (a column for each observable)", item))
            raise Unbound()
        declared = table.scope.values.get(target)
        if (
            declared is None
            or not isinstance(declared[0], n.Value)
            or declared[0].keyword not in ("covariate", "input")
        ):
            covariates = [
                k
                for k, (v, _) in table.scope.values.items()
                if isinstance(v, n.Value) and v.keyword == "covariate"
            ]
            near = similar(target, [*covariates, *WORDS])
            raise table.binder.fail(
                "unknown-name",
                f"'{target}' is no covariate and no word of a data file",
                item.target.span,
                help=f"a similar name exists: '{near}'"
                if near
                else "left of `=` stands a NONMEM word or a covariate, right of it the file's header",
            )
        definition = table.value(target, item.span)
        table.read_names.add(target)
        given = (unit.dimension if unit else ONE) * (factor.dim if factor else ONE)
        ratio = given / definition.expr.dim
        if unit is not None and not ratio.is_one:
            shown = f"{unit}" + (f" times {table.binder.shown(factor)}" if factor else "")
            raise table.binder.fail(
                "unit-mismatch",
                f"the column '{header}' is in {shown}, and '{target}' in {definition.unit}",
                item.span,
                notes=(f"they differ by the factor [{ratio}]",),
                help="multiply by what is missing: column SCR = CREAT [umol/L] * 113.12 [g/mol]",
            )
        if unit is None and definition.expr.dim != ONE:
            raise table.binder.fail(
                "missing-unit",
                f"the column of '{target}' needs the unit of its numbers",
                item.span,
                help=f"write column {target} = {header} {definition.unit}",
            )
        return Column(target, header, unit, factor, span=item.span)


def _no_names(name: str) -> float:
    raise KeyError(name)


# ------------------------------------------------------------------ checks


def bind_figure(
    table: Table,
    scenarios: dict[str, Scenario],
    observables: dict[str, Observable],
    node: n.Call,
    context: Context,
) -> Expr:
    """``auc(po.Cp)`` and its like."""
    binder = table.binder
    wanted = 2 if node.name == "value" else 1
    if node.named or len(node.args) != wanted:
        raise binder.fail(
            "arguments",
            f"{node.name} takes a curve" + (" and a time" if wanted == 2 else ""),
            node.span,
            help=f"write {node.name}(scenario.observable" + (", 2 [h])" if wanted == 2 else ")"),
        )
    curve = node.args[0]
    if not isinstance(curve, n.Ref) or len(curve.parts) != 2:
        raise binder.fail(
            "misplaced",
            f"{node.name} reads an observable of a scenario",
            curve.span,
            help=f"write {node.name}(scenario.observable)",
        )
    scenario, part = curve.parts[0], curve.parts[1]
    if scenario.name not in scenarios:
        if scenario.name in table.scope.scenarios:
            raise Unbound()
        near = similar(scenario.name, scenarios)
        raise binder.fail(
            "unknown-name",
            f"there is no scenario '{scenario.name}'",
            scenario.span,
            help=f"a scenario with a similar name exists: '{near}'"
            if near
            else "scenarios are " + (", ".join(scenarios) or "none"),
        )
    name = table.indexed(part, context) if part.index else part.name
    if name not in observables:
        if name in table.scope.observes:
            raise Unbound()
        near = similar(name, observables)
        raise binder.fail(
            "unknown-name",
            f"there is no observable '{name}'",
            part.span,
            help=f"an observable with a similar name exists: '{near}'"
            if near
            else "observables are " + (", ".join(observables) or "none"),
        )
    unit = observables[name].unit.dimension
    dimension = {
        "auc": unit * table.time,
        "auc_inf": unit * table.time,
        "tmax": table.time,
        "thalf": table.time,
    }.get(node.name, unit)
    args: list[Expr] = [Name(unit, f"{scenario.name}.{name}", span=curve.span)]
    if wanted == 2:
        args.append(
            binder.bind_as(node.args[1], table.time, context, "the second argument of value is a time")
        )
    return Apply(dimension, node.name, tuple(args), span=node.span)


def read_checks(
    table: Table, scenarios: dict[str, Scenario], observables: dict[str, Observable]
) -> tuple[tuple[str, ...], tuple[ValueCheck, ...]]:
    """The demanded proofs and the value checks."""
    rules: list[str] = []
    values: list[ValueCheck] = []
    table.binder.figure = lambda node, context: bind_figure(table, scenarios, observables, node, context)
    for check in table.scope.checks:
        if isinstance(check, n.CheckRule):
            for part in check.rules:
                if part.name not in ("mass", "volume", "positive"):
                    near = similar(part.name, ("mass", "volume", "positive"))
                    why = (
                        "units are always checked"
                        if part.name == "units"
                        else "flows are always checked"
                        if part.name == "flow"
                        else None
                    )
                    table.problems.append(
                        Diagnostic(
                            "unknown-name",
                            f"there is no check '{part.name}'",
                            (Label(part.span),),
                            (why,) if why else (),
                            f"a similar check exists: '{near}'"
                            if near
                            else "checks are mass, volume, positive",
                        )
                    )
                elif part.name not in rules:
                    rules.append(part.name)
            continue
        try:
            expr = table.binder.bind(check.expr, Context(figures=True, unknowns=False, where="a check"))
            low, high = read_bounds(check.bounds, expr.dim, table.binder, Context())
        except Unbound:
            continue
        if not any(isinstance(e, Apply) and e.op in FIGURES for e in walk(expr)):
            table.problems.append(
                Diagnostic(
                    "no-figure",
                    "this check reads no scenario",
                    (Label(check.span),),
                    help="write check cmax(scenario.observable) in (1, 2) [mg/L]",
                    severity="warning",
                )
            )
        unit = table.binder.unit(check.bounds.unit) if check.bounds.unit else canonical_unit(expr.dim)
        values.append(ValueCheck(check.expr.span.text, expr, low, high, unit, span=check.span))
    return tuple(rules), tuple(values)


def check_populations(table: Table) -> None:
    """Names and distributions of population blocks. Drawing people from them comes later."""
    for population in table.scope.populations:
        for item in population.items:
            refs = (item.target,) if isinstance(item, n.Vary) else (item.left, item.right)
            for ref in refs:
                try:
                    target = table.reference(ref, Context(unknowns=False))
                    if isinstance(item, n.Vary):
                        _check_spread(table, item, target.dim)
                    else:
                        table.binder.bind_as(item.value, ONE, Context(), "a correlation is dimensionless")
                except Unbound:
                    continue


def _check_spread(table: Table, item: n.Vary, dimension: Dimension) -> None:
    call = item.prior
    if item.bounds is not None:
        read_bounds(item.bounds, dimension, table.binder, Context())
    spreads = {"lognormal": ("cv", "sdlog"), "normal": ("cv", "sd")}
    if call.args or call.name not in spreads:
        _, found, unit, _ = read_prior(call, table.binder, Context())
        if found != dimension:
            centre = Const(found, unit.factor, unit, span=call.args[0].span)
            raise table.binder.mismatch(
                f"the distribution of '{item.target.text}' has another unit", centre, dimension, call.span
            )
        return
    # Without a first argument the distribution is centred on the model's value; the spread may be masked.
    if len(call.named) != 1 or call.named[0][0] not in spreads[call.name]:
        raise table.binder.fail(
            "arguments",
            f"without a first argument {call.name} is written "
            + " or ".join(f"{call.name}({word} = ...)" for word in spreads[call.name]),
            call.span,
        )
    word, value = call.named[0]
    table.binder.bind_as(
        value, dimension if word == "sd" else ONE, Context(), f"{word} of '{item.target.text}'"
    )
