"""Syntax tree to `Model`: names bound, units checked, flows solved, states listed."""

from __future__ import annotations

from types import MappingProxyType

from pbpkc.language import nodes as n
from pbpkc.language.arrows import carriers, read_arrows
from pbpkc.language.bind import Context, Unbound
from pbpkc.language.curves import check_still
from pbpkc.language.diagnostics import Diagnostic, InternalError, Label, SpecError, raise_if_errors, similar
from pbpkc.language.expression import Expr, Name, mul, names_in, walk
from pbpkc.language.gather import Gathered, gather
from pbpkc.language.magnitudes import check_numbers
from pbpkc.language.model import (
    Argument,
    Arrow,
    Definition,
    ErrorModel,
    Model,
    Node,
    Observable,
    Species,
    State,
    Unknown,
)
from pbpkc.language.nodes import SyntaxTree
from pbpkc.language.priors import read_bounds
from pbpkc.language.scenarios import ScenarioReader, check_populations, read_checks
from pbpkc.language.scope import build_scope
from pbpkc.language.source import Span
from pbpkc.language.syntax_errors import has_header
from pbpkc.language.table import Table
from pbpkc.language.units import AMOUNT, MASS, ONE, Dimension, parse_unit


def resolve(tree: SyntaxTree) -> Model:
    """The model that a spec describes.

    Raises
    ------
    SpecError
        With every problem found in the spec and the files it uses.
    """
    gathered = gather(tree)
    table = Table(gathered, build_scope(gathered))
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
    unknowns = _read_unknowns(table)
    table.bind_all()
    _check_settings(table)
    arrows = list(read_arrows(table))
    observables = _read_observables(table)
    reader = ScenarioReader(table, observables)
    starts = _read_starts(table, reader)
    scenarios = reader.read_all()
    states = _list_states(table, arrows, reader.reasons, starts)
    demands, checks = read_checks(table, scenarios, {o.name: o for o in observables})
    check_populations(table)
    check_still(table, states, arrows, observables, scenarios.values(), checks)
    table.circulations.check_numbers()
    check_numbers(table, arrows, scenarios.values())
    species = _read_species(table)
    edges = tuple(edge for _, _, edge in table.circulations.edges())
    _warn_unused(table)
    raise_if_errors(table.problems)
    if table.failed:
        raise InternalError(f"'{min(table.failed)}' was not understood, and no problem was found with it")
    return Model(
        name=gathered.head.name if gathered.head else "",
        title=gathered.head.doc if gathered.head else "",
        organism=gathered.organism.name if gathered.organism else None,
        time_unit=table.time_unit,
        definitions=MappingProxyType(_in_order(table)),
        nodes=MappingProxyType(_read_nodes(table)),
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
    )


def _behind_header(tree: SyntaxTree) -> tuple[Label, ...]:
    header = has_header(tree.file.text)
    return (Label(Span(tree.file, header.end(), header.end())),) if header else ()


def _in_order(table: Table) -> dict[str, Definition]:
    """Definitions as written, then what was derived from them, whatever was read first."""
    declared = [*table.scope.values, *table.attributes]
    first = {name: table.definitions[name] for name in declared if name in table.definitions}
    return {**first, **{k: d for k, d in table.definitions.items() if k not in first}}


# ------------------------------------------------------------------ unknown terms


def _read_unknowns(table: Table) -> dict[str, Unknown]:
    binder = table.binder
    for name, node in table.scope.unknowns.items():
        try:
            binder.unknown_units[name] = (
                tuple(binder.unit(a.unit).dimension for a in node.arguments),
                binder.unit(node.unit).dimension,
            )
        except Unbound:
            binder.unknown_units[name] = ((ONE,) * len(node.arguments), ONE)
    found: dict[str, Unknown] = {}
    for name, node in table.scope.unknowns.items():
        try:
            found[name] = _read_unknown(table, node)
        except Unbound:
            continue
    return found


def _read_unknown(table: Table, node: n.UnknownTerm) -> Unknown:
    binder = table.binder
    unit = binder.unit(node.unit)
    arguments = []
    for argument in node.arguments:
        own = binder.unit(argument.unit)
        low, high = read_bounds(argument.bounds, own.dimension, binder, Context())
        arguments.append(Argument(argument.name, own, low, high))
    names = [a.name for a in arguments]
    ranges = [read_bounds(pair, unit.dimension, binder, Context()) for pair in node.ranges]
    for word, again in (("range", node.ranges), ("default", node.defaults)):
        if len(again) > 1:
            raise binder.fail(
                "duplicate-name",
                f"`{word}` of '{node.name}' is said twice",
                again[1].span,
                others=(Label(again[0].span, "first here"),),
                help="leave one of them out",
            )
    for shape in node.shapes:
        if shape.argument not in names:
            raise binder.fail(
                "unknown-name",
                f"'{shape.argument}' is no argument of '{node.name}'",
                shape.span,
                help="its arguments are " + ", ".join(names),
            )
    anchors = []
    for anchor in node.anchors:
        if len(anchor.arguments) != len(arguments):
            have = f"{len(arguments)} argument" + "s" * (len(arguments) != 1)
            raise binder.fail(
                "arguments",
                f"'{node.name}' has {have}, and this anchor gives {len(anchor.arguments)}",
                anchor.span,
                help="an anchor gives each argument a value: at (0 [umol/L]) = 1",
            )
        at = tuple(
            binder.constant(x, a.unit.dimension, f"the anchor has the unit of '{a.name}'")
            for x, a in zip(anchor.arguments, arguments, strict=True)
        )
        anchors.append(
            (at, binder.constant(anchor.value, unit.dimension, f"the anchor has the unit of '{node.name}'"))
        )
    default = None
    if node.defaults:
        local: dict[str, Expr] = {a.name: Name(a.unit.dimension, a.name) for a in arguments}
        context = Context(local=local, unknowns=False, where="the default of an unknown")
        default = binder.bind_as(
            node.defaults[0], unit.dimension, context, f"the default of '{node.name}' has its unit"
        )
        extra = names_in(default) - set(names)
        if extra:
            raise binder.fail(
                "default",
                f"the default of '{node.name}' reads '{sorted(extra)[0]}', which is no argument",
                node.defaults[0].span,
                help="a default is an expression of the arguments alone",
            )
    shapes = tuple((s.direction, s.argument) for s in node.shapes)
    return Unknown(
        node.name,
        tuple(arguments),
        unit,
        ranges[0] if ranges else None,
        shapes,
        tuple(anchors),
        default,
        node.doc,
        span=node.span,
    )


# ------------------------------------------------------------------ observables


def _read_observables(table: Table) -> tuple[Observable, ...]:
    found = []
    for name, (node, indices) in table.scope.observes.items():
        try:
            found.append(_read_observable(table, name, node, Context(indices)))
        except Unbound:
            continue
    return tuple(found)


def _read_observable(table: Table, name: str, node: n.Observe, context: Context) -> Observable:
    binder = table.binder
    unit = binder.unit(node.unit)
    if unit.offset:
        binder.fail(
            "bad-unit",
            f"'{name}' cannot be observed in [{unit.text}]",
            node.unit.span,
            help="temperatures are in kelvin: in [K]",
        )
    expr = binder.bind(node.value, context)
    molar = None
    if expr.dim != unit.dimension and expr.dim * (MASS / AMOUNT) == unit.dimension:
        species = _observed_species(table, node, expr)
        molar = table.name(table.attribute(species, "mw", node.span))
        expr = mul(expr, molar)
    elif expr.dim != unit.dimension and not table.unit_free:
        raise binder.mismatch(
            f"the observable '{name}' is observed in {unit}", expr, unit.dimension, node.value.span
        )
    error = None
    if node.error is not None:
        error = _read_error(table, node.error, unit.dimension)
    lloq = None
    if node.lloq is not None:
        lloq = binder.bind_as(
            node.lloq,
            unit.dimension,
            Context(unknowns=False, where="an LLOQ"),
            "an LLOQ has the unit of its observable",
        )
    return Observable(name, expr, unit, error, lloq, node.doc, span=node.span)


def _observed_species(table: Table, node: n.Observe, expr: Expr) -> str:
    if node.molar is not None:
        if node.molar.name not in table.scope.species:
            near = similar(node.molar.name, table.scope.species)
            raise table.binder.fail(
                "unknown-name",
                f"there is no species '{node.molar.name}'",
                node.molar.span,
                help=f"a species with a similar name exists: '{near}'"
                if near
                else "species are " + ", ".join(table.scope.species),
            )
        return node.molar.name
    seen: set[str] = set()
    names, species = names_in(expr), set()
    while names:
        name = names.pop()
        seen.add(name)
        parts = name.split(".")
        if parts[0] in table.scope.nodes and len(parts) == 2 and parts[1] in table.scope.species:
            species.add(parts[1])
        elif name in table.definitions:
            names |= names_in(table.definitions[name].expr) - seen
    if len(species) == 1:
        return species.pop()
    raise table.binder.fail(
        "which-species",
        "moles become mass with the molar mass of one species, and "
        + (f"this reads {len(species)}" if species else "this reads none"),
        node.value.span,
        help=f"say which: in [{node.unit.text}] as {sorted(species)[0] if species else 'SPECIES'}",
    )


_ERRORS = {"prop": 1, "add": 1, "lognormal": 1, "given": 0}


def _read_error(table: Table, call: n.Call, dimension: Dimension) -> ErrorModel:
    binder, context = table.binder, Context(unknowns=False, where="an error model")
    named = dict(call.named)
    if call.name == "combined":
        if call.args or set(named) != {"prop", "add"}:
            raise binder.fail(
                "arguments",
                "these are not the arguments of combined",
                call.span,
                help="write combined(prop = a, add = b)",
            )
        prop = binder.bind_as(named["prop"], ONE, context, "a proportional error is dimensionless")
        added = binder.bind_as(
            named["add"], dimension, context, "an additive error has the unit of its observable"
        )
        return ErrorModel("combined", prop, added)
    if call.name not in _ERRORS:
        near = similar(call.name, [*_ERRORS, "combined"])
        raise binder.fail(
            "unknown-function",
            f"there is no error model '{call.name}'",
            call.span,
            help=f"a similar one exists: '{near}'"
            if near
            else "error models are prop(a), add(b), combined(prop = a, add = b), lognormal(s), given()",
        )
    if named or len(call.args) != _ERRORS[call.name]:
        raise binder.fail(
            "arguments",
            f"{call.name} takes {_ERRORS[call.name] or 'no'} argument" + "s" * (_ERRORS[call.name] != 1),
            call.span,
            help="error models are prop(a), add(b), combined(prop = a, add = b), lognormal(s), given()",
        )
    if call.name == "given":
        return ErrorModel("given")
    if call.name == "add":
        return ErrorModel(
            "add",
            None,
            binder.bind_as(
                call.args[0], dimension, context, "an additive error has the unit of its observable"
            ),
        )
    what = (
        "the spread of lognormal is dimensionless"
        if call.name == "lognormal"
        else "a proportional error is dimensionless"
    )
    return ErrorModel(call.name, binder.bind_as(call.args[0], ONE, context, what), None)


# ------------------------------------------------------------------ states


def _read_starts(table: Table, reader: ScenarioReader) -> dict[str, Expr]:
    starts: dict[str, Expr] = {}
    spans = {}
    for line in table.scope.starts:
        try:
            state, value = reader.start(line, "a `start` line gives it an initial amount")
        except Unbound:
            continue
        if state in starts:
            table.problems.append(
                Diagnostic(
                    "duplicate-name",
                    f"'{state}' is started twice",
                    (Label(line.span, "again here"), Label(spans[state], "first here")),
                    help="leave one of them out",
                )
            )
        starts[state], spans[state] = value, line.span
    return starts


def _list_states(
    table: Table, arrows: list[Arrow], scenario_reasons: dict[str, str], starts: dict[str, Expr]
) -> tuple[State, ...]:
    reasons: dict[str, str] = {}
    for circulation, species in carriers(table).items():
        for node, home in table.circulations.home.items():
            if home == circulation:
                for name in species:
                    reasons[f"{node}.{name}"] = f"'{name}' is carried by {circulation}"
    for arrow in arrows:
        if arrow.kind == "circulation":
            continue
        for state in [s for s, _ in arrow.consumes] + [s for s, _ in arrow.produces]:
            reasons.setdefault(state, f"{arrow.kind} '{arrow.name}' touches it")
    for state, reason in scenario_reasons.items():
        reasons.setdefault(state, reason)
    for name in table.scope.states:
        reasons[name] = "declared with `state`"
    for state, span in table.read_states.items():
        # Where an end of an arrow is not known, what it would have touched is not known either.
        if state not in reasons and state not in table.touched and not table.lost_end:
            node, species = state.rsplit(".", 1)
            table.problems.append(
                Diagnostic(
                    "no-state",
                    f"there is no '{species}' in '{node}': no blood carries it there, no arrow, dose or start touches it",
                    (Label(span),),
                    help=f"write `species {species} carried by ...`, or an arrow that brings it to '{node}'",
                )
            )
    node_order = {name: i for i, name in enumerate(table.scope.nodes)}
    species_order = {name: i for i, name in enumerate(table.scope.species)}
    state_order = {name: i for i, name in enumerate(table.scope.states)}

    def key(state: str) -> tuple[int, int, int, int]:
        if state in state_order:
            return 2, state_order[state], 0, 0
        node, species = state.rsplit(".", 1)
        return int(table.scope.nodes[node].kind == "sink"), species_order[species], node_order[node], 0

    found = []
    for name in sorted(reasons, key=key):
        if name in state_order:
            line = table.scope.states[name]
            if name not in table.state_values:
                continue
            value = table.state_values[name]
            found.append(
                State(name, table.state_units[name], starts.get(name, value), reasons[name], span=line.span)
            )
            continue
        node, species = name.rsplit(".", 1)
        block = table.scope.nodes[node]
        found.append(
            State(
                name,
                parse_unit("umol"),
                starts.get(name),
                reasons[name],
                node,
                species,
                block.kind == "sink",
                span=block.span,
            )
        )
    if not found and not table.problems.any_error:
        table.problems.append(
            Diagnostic(
                "no-state",
                "the model has no state: nothing is carried, moved or dosed",
                help="a file that only describes a body is brought into another by `use`",
            )
        )
    return tuple(found)


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


def _read_species(table: Table) -> dict[str, Species]:
    found = {}
    for name, block in table.scope.species.items():
        acids: list[Expr] = []
        bases: list[Expr] = []
        line = table.attributes.get(f"{name}.pka")
        if line is not None:
            try:
                acids, bases = _read_pka(table, line)
            except Unbound:
                pass
        prefix = f"{name}."
        attributes = {
            k[len(prefix) :]: k
            for k in table.definitions
            if k.startswith(prefix) and table.definitions[k].kind == "attribute"
        }
        found[name] = Species(
            name,
            block.doc,
            tuple(r.text for r in block.carried),
            MappingProxyType(attributes),
            tuple(acids),
            tuple(bases),
            line is not None and not acids and not bases,
            span=block.span,
        )
    return found


def _read_pka(table: Table, line: n.Attribute) -> tuple[list[Expr], list[Expr]]:
    binder, call = table.binder, line.value
    help = "write pka = acid(9.4), base(8), acid(3.1, 9.4) or ampholyte(3.1, 9.4)"
    if (
        not isinstance(call, n.Call)
        or call.name not in ("acid", "base", "ampholyte", "neutral")
        or call.named
    ):
        raise binder.fail(
            "pka", "pka does not say whether it belongs to an acid or a base", line.span, help=help
        )
    values = [
        binder.bind_as(a, ONE, Context(unknowns=False, where="pka"), "a pKa is dimensionless")
        for a in call.args
    ]
    wanted = {"ampholyte": (2, 2), "neutral": (0, 0)}.get(call.name, (1, 3))
    if not wanted[0] <= len(values) <= wanted[1]:
        raise binder.fail(
            "pka",
            f"{call.name} takes {wanted[0] if wanted[0] == wanted[1] else '1 to 3'} values",
            line.span,
            help=help,
        )
    if call.name == "ampholyte":
        return values[:1], values[1:]
    return (values, []) if call.name == "acid" else ([], values)


def _read_nodes(table: Table) -> dict[str, Node]:
    found = {}
    for name, block in table.scope.nodes.items():
        key = f"{name}.volume"
        line = table.attributes.get(key)
        like_line = table.attributes.get(f"{name}.like")
        like = None
        if like_line is not None and isinstance(like_line.value, n.Ref):
            like = like_line.value.text
        remainder = None
        if line is not None and isinstance(line.value, n.Call) and line.value.name == "remainder":
            remainder = line.value.args[0].span.text
        found[name] = Node(
            name, block.kind, key if line is not None else None, like, block.doc, remainder, span=block.span
        )
    return found


def _warn_unused(table: Table) -> None:
    scope, read = table.scope, set(table.read_names)
    for definition in table.definitions.values():
        for name in names_in(definition.expr):
            read.add(name.split(".")[0].split("<")[0])
        read |= {
            e.op.split(":")[1] for e in walk(definition.expr) if getattr(e, "op", "").startswith("unknown:")
        }
    for name, (node, _) in scope.values.items():
        base = name.split("<")[0]
        # Used files bring more than a model reads, and a covariate may be there for the data.
        if (
            base not in read
            and base in table.gathered.own
            and not (isinstance(node, n.Value) and node.keyword == "covariate")
        ):
            read.add(base)
            table.problems.append(
                Diagnostic(
                    "unused",
                    f"nobody reads '{base}'",
                    (Label(node.span),),
                    help="remove it, or use it",
                    severity="warning",
                )
            )
    for name, block in scope.nodes.items():
        base = name.split("<")[0]
        if base not in read and base in table.gathered.own:
            read.add(base)
            table.problems.append(
                Diagnostic(
                    "unused",
                    f"nothing reaches '{base}'",
                    (Label(block.span),),
                    help="remove it, or use it",
                    severity="warning",
                )
            )
