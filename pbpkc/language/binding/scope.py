"""What a spec declares: every name once, families expanded to their members."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from pbpkc.language.binding.namespaces import declared_names, namespaces_of
from pbpkc.language.diagnostics import Diagnostic, Label, Problems, respelt, similar
from pbpkc.language.gather import Gathered
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n

#: Words that may not be declared (rule 4.5).
RESERVED = frozenset(
    word
    for line in (
        "pbpk model use set covariate input param let function masked unknown species blood tissue lumen",
        "pool sink state ode start circulation flow process site observe population scenario check as",
        "without organism time units none hold for in scale rising falling range at default carried by",
        "rate split else drains error lloq correlate from dose into over every count lag fraction steady",
        "after reset run data column keep source if and or t tad outside mm competitive uncompetitive",
        "substrate hill q10 exp ln log10 sqrt sin cos min max abs floor ceil sum auto remainder lognormal",
        "normal uniform beta halfnormal",
    )
    for word in line.split()
)

#: No species may be called like these, for they follow a dot.
QUANTITIES = ("A", "C", "Cp", "Cu", "Cout")
NODE_ATTRIBUTES = ("volume", "flow", "outflow", "vascular", "like")
PARTITION = ("kp", "kb", "kpu")
#: Attributes of a species that may be given by tissue.
BY_TISSUE = (*PARTITION, "ps")
#: The spaces of a permeability-limited tissue, as they follow its name in a reference.
SPACES = ("blood", "tissue")
SPECIES_ATTRIBUTES = ("mw", "logp", "pka", "fup", "bp", "kp", "kb", "kpu", "ps")

#: Params that may hold the hematocrit, which the prediction of kp needs for some bases.
HEMATOCRIT = ("HCT", "hematocrit", "haematocrit")


def hematocrit_names(node: str) -> tuple[str, ...]:
    """Params that may hold the hematocrit of a node: those of its own body before those around it."""
    return tuple(f"{body}.{name}" if body else name for body in namespaces_of(node) for name in HEMATOCRIT)


def split_owner(name: str, owners: Collection[str]) -> tuple[str, str]:
    """``mother.liver.volume`` to the node or species it begins with, and the rest; ("", name) without one."""
    at = name.rfind(".")
    while at > 0:
        if name[:at] in owners:
            return name[:at], name[at + 1 :]
        at = name.rfind(".", 0, at)
    return "", name


#: A family larger than this is a slip of the pen (rule of this implementation, not of the language).
MOST_MEMBERS = 20_000

#: All members of all families together.
MOST_NAMES = 60_000

Indices = Mapping[str, int]


@dataclass
class Scope:
    """Declarations by name. Member names carry their index: ``si<2>``, ``K<1,2>``."""

    values: dict[str, tuple[n.Value | n.Masked, Indices]] = field(default_factory=dict)
    defaults: dict[str, tuple[n.Value, Indices]] = field(
        default_factory=dict
    )  # param value below a masked member
    functions: dict[str, n.Function] = field(default_factory=dict)
    unknowns: dict[str, n.UnknownTerm] = field(default_factory=dict)
    species: dict[str, n.SpeciesBlock] = field(default_factory=dict)
    nodes: dict[str, n.NodeBlock] = field(default_factory=dict)
    states: dict[str, n.StateLine] = field(default_factory=dict)
    processes: dict[str, tuple[n.Process | n.FlowLine, Indices]] = field(default_factory=dict)
    sites: dict[str, n.Site] = field(default_factory=dict)
    observes: dict[str, tuple[n.Observe, Indices]] = field(default_factory=dict)
    scenarios: dict[str, n.ScenarioBlock] = field(default_factory=dict)
    populations: list[n.Population] = field(default_factory=list)
    circulations: dict[str, n.Circulation] = field(default_factory=dict)
    odes: list[tuple[n.Ode, Indices]] = field(default_factory=list)
    starts: list[n.Start] = field(default_factory=list)
    rests: bool = False  # `start steady` of the model
    sets: list[n.Set] = field(default_factory=list)
    checks: list[n.CheckRule | n.CheckValue] = field(default_factory=list)
    namespaces: frozenset[str] = frozenset()  # names behind `as` of `use` lines, those of used files in full
    families: dict[str, tuple[int, ...]] = field(default_factory=dict)
    where: dict[str, Span] = field(default_factory=dict)
    family_where: dict[str, Span] = field(default_factory=dict)  # by the name without an index
    full: bool = False  # it declares more names than a spec may
    broken: set[str] = field(
        default_factory=set
    )  # declared, but not understood: reading them is no further problem
    problems: Problems = field(default_factory=Problems)

    def names(self) -> list[str]:
        """Every declared name, families without their indices, for suggestions."""
        return list(dict.fromkeys(name.split("<")[0] for name in (*self.where, *self.circulations)))


def index_values(text: str, indices: Indices) -> tuple[int, ...]:
    """The whole numbers of an index text such as ``i+1,j``.

    Raises
    ------
    KeyError
        For a name that is no running index.
    ValueError
        For a text that is no sum of names and whole numbers.
    """
    result = []
    for piece in text.split(","):
        if not re.fullmatch(r"-?\w+([+-]\w+)*", piece):
            raise ValueError(piece)
        total = 0
        for sign, word in re.findall(r"([+-]?)(\w+)", piece):
            value = int(word) if word.isdigit() else indices[word]
            total += -value if sign == "-" else value
        result.append(total)
    return tuple(result)


def member_name(name: str, index: Sequence[int]) -> str:
    """``K`` and (1, 2) give ``K<1,2>``."""
    return f"{name}<{','.join(map(str, index))}>" if index else name


def running(over: Sequence[n.Binding]) -> Iterator[dict[str, int]]:
    """All combinations of running indices."""
    for values in product(*(range(b.first, b.last + 1) for b in over)):
        yield dict(zip((b.name for b in over), values, strict=True))


def too_many(over: Sequence[n.Binding], problems: list[Diagnostic]) -> bool:
    """Whether running indices run too far or backwards; it is reported."""
    total = 1
    for binding in over:
        total *= binding.last - binding.first + 1
        if binding.last < binding.first or total > MOST_MEMBERS:
            problems.append(
                Diagnostic(
                    "bad-index",
                    f"the index '{binding.name}' runs over "
                    + ("nothing" if binding.last < binding.first else f"more than {MOST_MEMBERS} members"),
                    (Label(binding.span),),
                    help="a range goes upwards and is of a reasonable size: for i in 1..6",
                )
            )
            return True
    return False


def build_scope(gathered: Gathered) -> Scope:
    """Enter every declaration; problems are left in ``scope.problems``."""
    scope = Scope(namespaces=frozenset(gathered.namespaces))
    problems = scope.problems
    masked: list[n.Masked] = []
    for statement in gathered.statements:
        _check_names(statement, scope)
        if too_many(getattr(statement, "over", ()), problems):
            scope.broken.update(declared_names(statement))
            continue
        if isinstance(statement, n.Masked):
            masked.append(statement)
        else:
            _enter(statement, scope, gathered)
    # Masked families may cover part of a param family, so they come after all params.
    for mask in masked:
        _enter_masked(mask, scope)
    _check_namespaces(gathered, scope)
    for name in scope.circulations:
        if name not in scope.values and name not in scope.broken:
            circ = scope.circulations[name]
            near = similar(name, scope.values)
            problems.append(
                Diagnostic(
                    "unknown-name",
                    f"no `param {name}` gives the total flow of the circulation",
                    (Label(name_span(circ, name)),),
                    help=f"leave it in, and write set {name} = 6.5 [L/min]"
                    if "." in name
                    else f"a parameter with a similar name exists: '{near}'"
                    if near
                    else f"declare it: param {name} = 6.5 [L/min]",
                    fixes=respelt(name_span(circ, name), name, scope.values),
                )
            )
    folded: dict[str, str] = {}
    for name, span in scope.where.items():
        base = name.split("<")[0]
        other = folded.setdefault(base.lower(), base)
        if other != base:
            problems.append(
                Diagnostic(
                    "case",
                    f"'{base}' and '{other}' differ only in case",
                    (Label(span), Label(scope.where.get(other) or scope.family_where[other], "the other")),
                    help="names are easier to tell apart by more than case",
                    severity="warning",
                )
            )
            folded[base.lower()] = base
    return scope


def name_span(statement: n.Statement, name: str) -> Span:
    """Where a statement writes the name that it declares, without the namespace of its file."""
    name = name.rpartition(".")[2]
    span = statement.span
    match = re.compile(rf"\w+\s+(?:.*?[\s,])??({re.escape(name)})\b", re.DOTALL).match(span.text)
    return Span(span.file, span.start + match.start(1), span.start + match.end(1)) if match else span


def _check_names(statement: n.Statement, scope: Scope) -> None:
    for full in declared_names(statement):
        name = full.rpartition(".")[2]
        if name in RESERVED and not isinstance(statement, n.ScenarioBlock | n.Population):
            scope.problems.append(
                Diagnostic(
                    "reserved-name",
                    f"'{name}' is a word of the language and cannot be declared",
                    (Label(name_span(statement, name)),),
                    help="choose another name",
                )
            )
        if isinstance(statement, n.SpeciesBlock) and name in (
            *QUANTITIES,
            "blood",
            "tissue",
            *NODE_ATTRIBUTES,
        ):
            scope.problems.append(
                Diagnostic(
                    "reserved-name",
                    f"no species can be called '{name}', for the word follows a dot elsewhere",
                    (Label(name_span(statement, name)),),
                    help="choose another name",
                )
            )
    for names, what in (
        ([b.name for b in getattr(statement, "over", ())], "index"),
        (list(statement.arguments) if isinstance(statement, n.Function) else [], "argument"),
        ([a.name for a in statement.arguments] if isinstance(statement, n.UnknownTerm) else [], "argument"),
    ):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            scope.problems.append(
                Diagnostic(
                    "duplicate-name",
                    f"the {what} '{twice}' is named twice",
                    (Label(statement.span),),
                    help="give each its own name",
                )
            )


def _check_namespaces(gathered: Gathered, scope: Scope) -> None:
    """Names behind ``as``: no word that means something else where it would stand."""
    for full, line in gathered.namespaces.items():
        name = full.rpartition(".")[2]
        label = Label(line.span)
        if name in (*RESERVED, *QUANTITIES, *NODE_ATTRIBUTES, *SPECIES_ATTRIBUTES, "Q", "passive"):
            scope.problems.append(
                Diagnostic(
                    "reserved-name",
                    f"'{name}' is a word of the language and no namespace",
                    (label,),
                    help='choose another name: use "body.pbpk" as mother',
                )
            )
        other = scope.where.get(full) or scope.family_where.get(full)
        if other is not None:
            scope.problems.append(
                Diagnostic(
                    "duplicate-name",
                    f"'{full}' is a namespace and a declared name",
                    (label, Label(other, "declared here")),
                    help="rename one of them",
                )
            )


def _claim(scope: Scope, name: str, span: Span, what: str) -> bool:
    """Take a name; a second declaration of it is a problem."""
    base = name.split("<")[0]
    if len(scope.where) >= MOST_NAMES:
        if scope.full:
            return False
        scope.full = True
        scope.problems.append(
            Diagnostic(
                "too-large",
                f"this spec declares more than {MOST_NAMES} names",
                (Label(span),),
                help="make the families smaller",
            )
        )
        return False
    first = scope.where.get(name) or (scope.where.get(base) if base != name else scope.family_where.get(name))
    if first is None:
        scope.where[name] = span
        if base != name:
            scope.family_where.setdefault(base, span)
        return True
    scope.problems.append(
        Diagnostic(
            "duplicate-name",
            f"{what} '{name}' is declared twice",
            (Label(span, "again here"), Label(first, "first here")),
            help="rename one of them",
        )
    )
    return False


def _size(member: n.Member, scope: Scope) -> tuple[int, ...] | None:
    """The declared size of a family, () for a single name."""
    if member.index is None:
        return ()
    try:
        size = index_values(member.index, {})
    except (KeyError, ValueError):
        size = (0,)
    total = 1
    for extent in size:
        total *= extent
    if any(extent < 1 for extent in size) or total > MOST_MEMBERS:
        scope.broken.add(member.name)
        why = (
            f"a family has at most {MOST_MEMBERS} members"
            if total > MOST_MEMBERS
            else "a size is a whole number from 1"
        )
        scope.problems.append(
            Diagnostic(
                "bad-index",
                f"'<{member.index}>' is no size of a family",
                (Label(member.span),),
                help=f"{why}: si<7>, K<20,20>",
            )
        )
        return None
    return size


def _members(
    scope: Scope, member: n.Member, over: Sequence[n.Binding]
) -> Iterator[tuple[str, dict[str, int]]]:
    """Member names of a declaration: by its `for`, or by its declared size."""
    if over:
        for indices in running(over):
            try:
                index = index_values(member.index or "", indices) if member.index else ()
            except (KeyError, ValueError):
                scope.broken.add(member.name)
                scope.problems.append(
                    Diagnostic(
                        "bad-index",
                        f"the index '<{member.index}>' is no sum of running indices and whole numbers",
                        (Label(member.span),),
                        help="write <i>, <i+1> or <i,j> with indices named by `for`",
                    )
                )
                return
            yield member_name(member.name, index), indices
        return
    size = _size(member, scope)
    if size is None:
        return
    for index in product(*(range(1, extent + 1) for extent in size)):
        yield member_name(member.name, index), {}
    if size:
        scope.families[member.name] = size


def _enter(statement: n.Statement, scope: Scope, gathered: Gathered) -> None:
    problems = scope.problems
    names = declared_names(statement)
    span = name_span(statement, names[0]) if names else statement.span
    match statement:
        case n.Value():
            for name, indices in _members(scope, statement.member, statement.over):
                if _claim(scope, name, span, statement.keyword):
                    scope.values[name] = (statement, indices)
        case n.Function():
            if _claim(scope, statement.name, span, "function"):
                scope.functions[statement.name] = statement
        case n.UnknownTerm():
            if _claim(scope, statement.name, span, "unknown"):
                scope.unknowns[statement.name] = statement
        case n.SpeciesBlock():
            if _claim(scope, statement.name, span, "species"):
                scope.species[statement.name] = statement
        case n.NodeBlock():
            for member in statement.members:
                for name, _ in _members(scope, member, ()):
                    if _claim(scope, name, member.span, statement.kind):
                        scope.nodes[name] = statement
        case n.StateLine():
            for name, _ in _members(scope, statement.member, ()):
                if _claim(scope, name, span, "state"):
                    scope.states[name] = statement
        case n.Process() | n.FlowLine():
            for indices in running(statement.over):
                name = member_name(statement.name, tuple(indices.values()))
                if _claim(scope, name, span, "process"):
                    scope.processes[name] = (statement, indices)
        case n.Site():
            if _claim(scope, statement.name, span, "site"):
                scope.sites[statement.name] = statement
        case n.Observe():
            for name, indices in _members(scope, statement.member, statement.over):
                if _claim(scope, name, span, "observe"):
                    scope.observes[name] = (statement, indices)
        case n.ScenarioBlock():
            if _claim(scope, statement.name, span, "scenario"):
                scope.scenarios[statement.name] = statement
        case n.Population():
            if _claim(scope, statement.name, span, "population"):
                scope.populations.append(statement)
        case n.Circulation():
            if statement.name in scope.circulations:
                first = scope.circulations[statement.name]
                problems.append(
                    Diagnostic(
                        "duplicate-name",
                        f"circulation '{statement.name}' is declared twice",
                        (
                            Label(name_span(statement, statement.name), "again here"),
                            Label(name_span(first, first.name), "first here"),
                        ),
                        help="join their paths in one block",
                    )
                )
            else:
                scope.circulations[statement.name] = statement
        case n.Ode():
            scope.odes.extend((statement, indices) for indices in running(statement.over))
        case n.Start():
            scope.starts.append(statement)
        case n.StartSteady():
            scope.rests = True
        case n.Set():
            name = statement.target.parts[0].name
            if name in gathered.own:
                problems.append(
                    Diagnostic(
                        "set-own",
                        f"'{name}' is declared in this file and needs no `set`",
                        (Label(span),),
                        help="change its declaration; `set` gives names of used files another value",
                    )
                )
            else:
                scope.sets.append(statement)
        case n.CheckRule() | n.CheckValue():
            scope.checks.append(statement)
        case _:
            pass


def _enter_masked(mask: n.Masked, scope: Scope) -> None:
    for name, indices in _masked_members(mask, scope):
        existing = scope.values.get(name)
        if existing is not None and isinstance(existing[0], n.Value) and "<" in name:
            scope.defaults[name] = existing  # type: ignore[assignment]
            scope.values[name] = (mask, indices)
            scope.where[name] = mask.member.span
        elif _claim(scope, name, mask.member.span, "masked"):
            scope.values[name] = (mask, indices)


def _masked_members(mask: n.Masked, scope: Scope) -> Iterator[tuple[str, dict[str, int]]]:
    # In a family that a param declared, an index names a member; elsewhere it is the size of a new family.
    if not mask.over and mask.member.index and mask.member.name in scope.families:
        try:
            yield member_name(mask.member.name, index_values(mask.member.index, {})), {}
        except (KeyError, ValueError):
            scope.broken.add(mask.member.name)
            scope.problems.append(
                Diagnostic(
                    "bad-index",
                    f"'<{mask.member.index}>' is no index",
                    (Label(mask.member.span),),
                    help="write whole numbers, or name running indices with `for i in 1..6`",
                )
            )
        return
    yield from _members(scope, mask.member, mask.over)
