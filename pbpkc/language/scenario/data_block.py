"""Data blocks: how a scenario reads a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.diagnostics import Label, respelt, similar
from pbpkc.language.expression import Expr
from pbpkc.language.model import Column, DataBlock, Dose
from pbpkc.language.scenario.priors import read_bounds
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import ONE, Unit, canonical_text

if TYPE_CHECKING:
    from pbpkc.language.scenario.scenarios import ScenarioReader


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

#: Of these a wide file may have one for each observable: ``SD<Cp>``.
OF_ONE = ("SD", "LLOQ", "CENS")


def read_data(reader: ScenarioReader, block: n.Data, scenario: str) -> DataBlock:
    """A data block with its names bound and its units checked."""
    columns: list[Column] = []
    doses: list[tuple[str, int, Dose]] = []
    observes: list[tuple[str, int, str, Unit | None]] = []
    keeps: list[tuple[str, float, float]] = []
    keep_spans: list[Span] = []
    for item in block.items:
        try:
            match item:
                case n.ColumnLine():
                    columns.append(_column(reader, item))
                case n.DoseRow():
                    _row_word(reader, item.column, ("CMT",))
                    _once(reader, item, [(word, number) for word, number, _ in doses])
                    if item.species is None:
                        state = reader.doses.state_place(item.into)
                        dose = reader.doses.moments(item.when, item.span, state, state, None)
                        doses.append((item.column.name, item.number, dose))
                        continue
                    species = reader.doses.named_species(item.species)
                    reason = f"dosed by the data of scenario '{scenario}'"
                    state = reader.doses.place(item.into, species, reason)
                    dose = reader.doses.moments(item.when, item.span, species, state, None)
                    mw = None
                    if f"{species}.mw" in reader.table.attributes:
                        mw = reader.table.name(reader.table.attribute(species, "mw", item.span))
                    doses.append((item.column.name, item.number, replace(dose, mw=mw)))
                case n.ObserveRow():
                    _row_word(reader, item.column, ("CMT", "DVID"))
                    _once(reader, item, [(word, number) for word, number, *_ in observes])
                    observes.append((item.column.name, item.number, *_observed(reader, item)))
                case n.Keep():
                    low, high = read_bounds(item.bounds, ONE, reader.table.binder, Context(), one_value=True)
                    keeps.append((item.column, low, high))
                    keep_spans.append(item.span)
        except Unbound:
            continue
    _one_form(reader, block, columns)
    return DataBlock(
        block.path,
        tuple(columns),
        tuple(doses),
        tuple(observes),
        tuple(keeps),
        tuple(keep_spans),
        span=block.span,
    )


def _row_word(reader: ScenarioReader, part: n.Part, words: tuple[str, ...]) -> None:
    if part.name not in words:
        raise reader.table.binder.fail(
            "misplaced",
            f"'{part.name}' does not number rows here",
            part.span,
            help="write " + " or ".join(f"{w} 1" for w in words),
        )


def _once(reader: ScenarioReader, item: n.DoseRow | n.ObserveRow, before: list[tuple[str, int]]) -> None:
    if (item.column.name, item.number) in before:
        word = "dose" if isinstance(item, n.DoseRow) else "observe"
        raise reader.table.binder.fail(
            "duplicate-name",
            f"`{item.column.name} {item.number} {word}` is said twice",
            item.span,
            help="one number means one thing",
        )


def _observed(reader: ScenarioReader, item: n.ObserveRow) -> tuple[str, Unit | None]:
    name = reader.table.indexed(item.target, Context()) if item.target.index else item.target.name
    if name not in reader.observables:
        near = similar(name, reader.observables)
        if name in reader.table.scope.observes:
            raise Unbound()  # its own problem is reported
        raise reader.table.binder.fail(
            "unknown-name",
            f"there is no observable '{name}'",
            item.target.span,
            help=f"an observable with a similar name exists: '{near}'"
            if near
            else "observables are " + (", ".join(reader.observables) or "none"),
            fixes=respelt(item.target.span, name, reader.observables),
        )
    if item.unit is None:
        return name, None
    unit = reader.table.binder.unit(item.unit)
    wanted = reader.observables[name].unit
    if unit.offset:
        raise reader.table.binder.fail(
            "bad-unit",
            f"'{name}' cannot be observed in {unit}",
            item.unit.span,
            help="temperatures are in kelvin: [K]",
        )
    if unit.dimension != wanted.dimension:
        raise reader.table.binder.fail(
            "unit-mismatch",
            f"the numbers of '{name}' are in {unit} here and in {wanted} where it is declared",
            item.unit.span,
            notes=(f"they differ by the factor [{canonical_text(unit.dimension / wanted.dimension)}]",),
            help=f"write a unit that can be converted to {wanted}",
        )
    return name, unit


def _column(reader: ScenarioReader, item: n.ColumnLine) -> Column:
    table = reader.table
    target = item.target.name
    if item.target.index is not None and target not in WORDS:
        target = table.indexed(item.target, Context())
    unit = table.binder.unit(item.unit) if item.unit else None
    factor = table.binder.bind(item.factor, reader.context("a column")) if item.factor else None
    header = item.header or target
    if target in WORDS:
        return Column(_word(reader, item), header, unit, factor, span=item.span)
    if target in reader.observables:
        return _wide(reader, item, target, header, unit, factor)
    if target in table.scope.observes:
        raise Unbound()  # its own problem is reported
    declared = table.scope.values.get(target)
    if (
        declared is None
        or not isinstance(declared[0], n.Value)
        or declared[0].keyword not in ("covariate", "input")
    ):
        covariates = [
            k
            for k, (v, _) in table.scope.values.items()
            if isinstance(v, n.Value) and v.keyword in ("covariate", "input")
        ]
        near = similar(target, [*covariates, *reader.observables, *WORDS])
        raise table.binder.fail(
            "unknown-name",
            f"'{target}' is no covariate, input or observable, and no word of a data file",
            item.target.span,
            help=f"a similar name exists: '{near}'"
            if near
            else "left of `=` stands a NONMEM word, a covariate, an input or an observable, right of it the "
            "file's header",
            fixes=respelt(item.target.span, target, [*covariates, *reader.observables, *WORDS]),
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


def _word(reader: ScenarioReader, item: n.ColumnLine) -> str:
    """The word of a column; ``SD<Cp>`` is that of one observable of a wide file."""
    word, index = item.target.name, item.target.index
    if index is None:
        return word
    if word not in OF_ONE:
        raise reader.table.binder.fail(
            "bad-index", f"'{word}' takes no index", item.target.span, help=f"write column {word}"
        )
    if index not in reader.observables:
        near = similar(index, reader.observables)
        raise reader.table.binder.fail(
            "unknown-name", f"there is no observable '{index}'", item.target.span,
            help=f"an observable with a similar name exists: '{near}'" if near
            else "observables are " + (", ".join(reader.observables) or "none"),
        )  # fmt: skip
    return f"{word}<{index}>"


def _wide(
    reader: ScenarioReader, item: n.ColumnLine, name: str, header: str, unit: Unit | None, factor: Expr | None
) -> Column:
    """The column of an observable."""
    binder, wanted = reader.table.binder, reader.observables[name].unit
    if unit is not None and unit.offset:
        raise binder.fail("bad-unit", f"'{name}' cannot be observed in {unit}", item.span,
                          help="temperatures are in kelvin: [K]")  # fmt: skip
    given = (unit.dimension if unit else ONE) * (factor.dim if factor else ONE)
    if unit is None and factor is None and not wanted.dimension.is_one:
        raise binder.fail("missing-unit", f"the column of '{name}' needs the unit of its numbers", item.span,
                          help=f"write column {name} = {header} {wanted}")  # fmt: skip
    if given != wanted.dimension:
        shown = f"{unit or ''}" + (f" times {binder.shown(factor)}" if factor else "")
        raise binder.fail(
            "unit-mismatch",
            f"the column '{header}' is in {shown.strip()}, and '{name}' is observed in {wanted}",
            item.span, notes=(f"they differ by the factor [{canonical_text(given / wanted.dimension)}]",),
            help=f"write a unit that can be converted to {wanted}",
        )  # fmt: skip
    return Column(name, header, unit, factor, span=item.span)


def _one_form(reader: ScenarioReader, block: n.Data, columns: list[Column]) -> None:
    """A file is long or wide: what was measured stands in DV, or in a column for each observable."""
    wide = [c for c in columns if c.target in reader.observables]
    long: list[n.ObserveRow | n.ColumnLine] = [i for i in block.items if isinstance(i, n.ObserveRow)]
    long += [i for i in block.items if isinstance(i, n.ColumnLine) and i.target.name in ("DV", "DVID")]
    with suppress(Unbound):
        if wide and long:
            raise reader.table.binder.fail(
                "misplaced",
                f"the file has a column for '{wide[0].target}', and this line tells of a column DV",
                long[0].span,
                others=(Label(wide[0].span, "the column of an observable"),) if wide[0].span else (),
                help="write either columns of observables, or DV with lines DVID n observe",
            )
        # A column of an observable that is told wrongly is told all the same.
        told = {
            i.target.name + (f"<{i.target.index}>" if i.target.index else "")
            for i in block.items
            if isinstance(i, n.ColumnLine)
        }
        for column in columns:
            word, _, of = column.target.rstrip(">").partition("<")
            if word in OF_ONE and of and of not in told:
                raise reader.table.binder.fail(
                    "misplaced", f"'{column.target}' belongs to a column of '{of}', and there is none",
                    column.span, help=f"add the line: column {of} = HEADER [unit]",
                )  # fmt: skip
