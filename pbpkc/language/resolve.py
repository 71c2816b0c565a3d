"""Syntax tree to `Model`: names bound, units checked, flows solved, states listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.binding.curves import check_still
from pbpkc.language.binding.magnitudes import check_numbers
from pbpkc.language.binding.places import read_nodes, read_species
from pbpkc.language.binding.scope import Scope, build_scope
from pbpkc.language.binding.states import list_states, read_starts, reasons_of_states
from pbpkc.language.binding.table import Table
from pbpkc.language.binding.unknown_places import check_unknown_places
from pbpkc.language.binding.unknown_terms import read_unknowns
from pbpkc.language.diagnostics import Diagnostic, InternalError, Label, SpecError, raise_if_errors
from pbpkc.language.gather import Gathered, Reader, gather, gather_what_stands, read_tree
from pbpkc.language.model import (
    Definition,
    Model,
)
from pbpkc.language.remarks.unused import warn_unused
from pbpkc.language.scenario.observables import read_observables
from pbpkc.language.scenario.populations import read_populations
from pbpkc.language.scenario.scenarios import ScenarioReader
from pbpkc.language.scenario.value_checks import read_checks
from pbpkc.language.source import SourceFile, Span
from pbpkc.language.structure.arrows import read_arrows
from pbpkc.language.structure.spaces import passive_exchange
from pbpkc.language.syntax.nodes import SyntaxTree
from pbpkc.language.syntax.syntax_errors import has_header


@dataclass(frozen=True)
class Examined:
    """What could be made of a spec, for editors: a spec with an error still has names and values.

    Parameters
    ----------
    model : Model or None
        Where there is no error.
    scope : Scope
        What is declared.
    definitions : mapping of str to Definition
        Those that were understood.
    files : tuple of SourceFile
        The main file first.
    problems : tuple of Diagnostic
        Errors in reading order, then warnings and notes.
    """

    model: Model | None
    scope: Scope
    definitions: Mapping[str, Definition]
    files: tuple[SourceFile, ...]
    problems: tuple[Diagnostic, ...]


def examine(tree: SyntaxTree, read: Reader = read_tree) -> Examined:
    """As `resolve`, with what is known in spite of errors."""
    gathered, problems = gather_what_stands(tree, read)
    scope = build_scope(gathered)
    if problems:
        return Examined(None, scope, {}, gathered.files, tuple(problems))
    table = Table(gathered, scope)
    model, errors = None, tuple[Diagnostic, ...]()
    try:
        model = _resolve_table(tree, gathered, table)
    except SpecError as error:
        errors = error.diagnostics
    others = tuple(d for d in table.problems if d.severity != "error")
    return Examined(model, scope, table.definitions, gathered.files, errors + others)


def resolve(tree: SyntaxTree, read: Reader = read_tree) -> Model:
    """The model that a spec describes.

    Parameters
    ----------
    tree : SyntaxTree
    read : callable, optional
        Gives the tree of a used file; as it stands on the disk if left out.

    Raises
    ------
    SpecError
        With every problem found in the spec and the files it uses.
    """
    gathered = gather(tree, read)
    return _resolve_table(tree, gathered, Table(gathered, build_scope(gathered)))


def _resolve_table(tree: SyntaxTree, gathered: Gathered, table: Table) -> Model:
    try:
        return _resolve(tree, gathered, table)
    except Unbound:
        # Something that the rest cannot do without; why is among the problems.
        raise_if_errors(table.problems)
        raise
    except RecursionError as error:
        raise SpecError(
            [
                Diagnostic(
                    "too-nested",
                    f"the expressions of '{tree.file.name}' are nested too deeply in one another",
                    help="name parts of them with `param` or `let`",
                )
            ]
        ) from error


def _resolve(tree: SyntaxTree, gathered: Gathered, table: Table) -> Model:
    if gathered.head is None:
        table.problems.append(
            Diagnostic(
                "no-model",
                f"'{tree.file.name}' has no `model` line",
                _behind_header(tree),
                help='write model NAME "title" as its second line',
            )
        )
    unknowns = read_unknowns(table)
    table.bind_all()
    _check_settings(table)
    arrows = list(read_arrows(table))
    observables = read_observables(table)
    reader = ScenarioReader(table, observables)
    starts = read_starts(table, reader)
    scenarios = reader.read_all()
    reasons = reasons_of_states(table, arrows, reader.reasons)
    arrows += passive_exchange(table, reasons)
    states = list_states(table, reasons, starts)
    demands, checks = read_checks(table, scenarios, {o.name: o for o in observables})
    populations = read_populations(table)
    check_still(table, states, arrows, observables, scenarios.values(), checks)
    check_unknown_places(table, scenarios.values(), populations.values(), checks)
    table.circulations.check_numbers()
    check_numbers(table, arrows, scenarios.values())
    species = read_species(table)
    edges = tuple(edge for _, _, edge in table.circulations.edges())
    warn_unused(table, states)
    raise_if_errors(table.problems)
    if table.failed:
        raise InternalError(f"'{min(table.failed)}' was not understood, and no problem was found with it")
    return Model(
        name=gathered.head.name if gathered.head else "",
        title=gathered.head.doc if gathered.head else "",
        organism=gathered.organism.name if gathered.organism else None,
        time_unit=table.time_unit,
        definitions=MappingProxyType(_in_order(table)),
        nodes=MappingProxyType(read_nodes(table)),
        species=MappingProxyType(species),
        states=states,
        arrows=tuple(arrows),
        edges=edges,
        unknowns=MappingProxyType(unknowns),
        observables=observables,
        scenarios=MappingProxyType(scenarios),
        demands=demands,
        checks=checks,
        files=gathered.files,
        warnings=tuple(d for d in table.problems if d.severity != "error"),
        populations=MappingProxyType(populations),
    )


def _behind_header(tree: SyntaxTree) -> tuple[Label, ...]:
    header = has_header(tree.file.text)
    return (Label(Span(tree.file, header.end(), header.end())),) if header else ()


def _in_order(table: Table) -> dict[str, Definition]:
    """Definitions as written, then what was derived from them, whatever was read first."""
    declared = [*table.scope.values, *table.attributes]
    first = {name: table.definitions[name] for name in declared if name in table.definitions}
    return {**first, **{k: d for k, d in table.definitions.items() if k not in first}}


# ------------------------------------------------------------------ checks of the whole


def _check_settings(table: Table) -> None:
    for path, line in table.settings.items():
        known = path in table.scope.values or path in table.attributes
        if not known:
            try:
                table.reference(line.target, Context())
            except Unbound:
                continue
            table.problems.append(
                Diagnostic(
                    "misplaced",
                    f"'{path}' cannot be set",
                    (Label(line.span),),
                    help="params, covariates, inputs and attributes can",
                )
            )
