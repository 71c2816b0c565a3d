"""What an editor shows of the thing it points at: value, unit, source, equation, or what a word means."""

from __future__ import annotations

from collections.abc import Iterator

from pbpkc.editor.analysis import Analysis
from pbpkc.editor.meanings import explained
from pbpkc.editor.occurrences import Occurrence, declared_at, joined_path, kind_of, occurrences
from pbpkc.editor.reports import told
from pbpkc.editor.tokens import Piece, path_at, piece_at
from pbpkc.editor.words import PLACES
from pbpkc.language.binding.scope import QUANTITIES, SPACES
from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.expression import Const, to_text
from pbpkc.language.model import Arrow, Definition, Model
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import Unit, UnitError, canonical_unit, parse_unit

#: Terms of an equation that are shown; a state of a large network has hundreds.
_MOST_TERMS = 12

#: Members of a family whose values are shown.
_MOST_MEMBERS = 4


def hover(analysis: Analysis, at: int) -> tuple[str, int, int] | None:
    """What to show at a place, as Markdown, and the stretch of text it is about.

    Parameters
    ----------
    analysis : Analysis
    at : int
        Offset in its text.
    """
    text = analysis.file.text
    piece = piece_at(text, at)
    told_here = [_problem(d) for d in _problems_at(analysis, at)]
    shown = None if piece is None else _of_piece(analysis, piece)
    parts = [*([shown] if shown else []), *told_here]
    if not parts:
        return None
    start, end = (piece.start, piece.end) if piece is not None else (at, at)
    return "\n\n---\n\n".join(parts), start, end


def _problems_at(analysis: Analysis, at: int) -> Iterator[Diagnostic]:
    for problem in analysis.problems:
        span = problem.span
        if span is not None and span.file.name == analysis.file.name and span.start <= at <= span.end:
            yield problem


def _problem(problem: Diagnostic) -> str:
    return f"**{problem.severity}** `{problem.code}`\n\n" + told(problem).replace("\n", "  \n")


def _of_piece(analysis: Analysis, piece: Piece) -> str | None:
    if piece.kind == "unit":
        return _unit(piece.text)
    if piece.kind != "name":
        return None
    local = _local(analysis, piece)
    if local is not None:
        return local
    names, index = path_at(analysis.file.text, piece.start)
    if not names:
        return explained(piece.text)
    path, index = joined_path(analysis.scope, [name.text for name in names], index)
    if index == 0 and "." in path[0]:
        return _declared(analysis, path[0])
    if index > 0:
        found = _behind_dot(analysis, path, index)
        if found is not None:
            return found
    return _declared(analysis, piece.text) or explained(piece.text)


def _unit(text: str) -> str | None:
    try:
        unit = parse_unit(text.strip("[]"))
    except UnitError as error:
        return f"{error}" + (f"  \nhelp: {error.help}" if error.help else "")
    canonical = canonical_unit(unit.dimension)
    if unit.offset:
        return f"`[{unit.text}]`: temperature; becomes kelvin, 0 [{unit.text}] = {float(unit.offset):g} [K]"
    return f"`[{unit.text}]` = {float(unit.factor):g} `{canonical}`"


def _local(analysis: Analysis, piece: Piece) -> str | None:
    """An argument or a running index."""
    if analysis.tree is None or analysis.tree.file.text != analysis.file.text:
        return None
    for one in occurrences(analysis.tree, analysis.scope):
        if one.span.start == piece.start and one.owner is not None:
            line = one.owner.text.split("\n", 1)[0]
            return f"`{piece.text}` belongs to\n\n{_code(line)}"
    return None


# ------------------------------------------------------------------ declared names


def _declared(analysis: Analysis, name: str) -> str | None:
    kind = kind_of(analysis.scope, name)
    if not kind:
        return None
    parts = [_code(line) for line in _declarations(analysis, name)[:2]]
    members = [d for d in analysis.definitions.values() if d.name.split("<")[0] == name]
    parts.extend(_value(analysis, d) for d in members[:_MOST_MEMBERS])
    if len(members) > _MOST_MEMBERS:
        parts.append(f"and {len(members) - _MOST_MEMBERS} more")
    if kind in ("species", *PLACES):
        parts.append(_attributes(analysis, name))
    model = analysis.model
    if model is not None:
        parts.extend(_of_model(model, name, kind))
    return "\n\n".join(part for part in parts if part)


def _declarations(analysis: Analysis, name: str) -> list[str]:
    """The first lines of the statements that declare a name."""
    if "." in name:
        return _declared_elsewhere(analysis, name)
    lines = []
    for tree in analysis.trees.values():
        for statement in tree.statements:
            for one in occurrences(n.SyntaxTree(tree.file, tree.version, (statement,)), analysis.scope):
                if one.declares and one.owner is None and one.name == name:
                    lines.append(_first_line(statement, one))
    return lines


def _declared_elsewhere(analysis: Analysis, name: str) -> list[str]:
    """The same of a name that a used file is brought in with."""
    place = declared_at(analysis.scope, name)
    if place is None:
        return []
    return [
        _first_line(s, Occurrence(name, place, True))
        for tree in analysis.trees.values()
        for s in tree.statements
        if s.span.file == place.file and s.span.start <= place.start < s.span.end
    ]


def _first_line(statement: n.Statement, declared: Occurrence) -> str:
    text = statement.span.text
    if len(text) <= 200 and text.count("\n") <= 12:
        return text
    return text.split("\n", 1)[0]


def _value(analysis: Analysis, definition: Definition) -> str:
    """``3 [L/h]``, the expression it comes from, description and source."""
    value = analysis.value(definition.name)
    shown = f"`{definition.name}`"
    if value is not None:
        shown += f" = **{_quantity(value, definition.unit)}**"
        if definition.mask is not None:
            shown += ", the median of its prior"
    else:
        shown += f", in `{definition.unit}`"
    if definition.mask is None and not isinstance(definition.expr, Const):
        shown += f"\n\n{_code(f'{definition.name} = {_short(to_text(definition.expr))}')}"
    if definition.doc:
        shown += f"\n\n{definition.doc}"
    if definition.source:
        shown += f"\n\nsource: {definition.source}"
    return shown


def _attributes(analysis: Analysis, owner: str) -> str:
    """The attributes of a node or a species that have a value, one a line."""
    found = [
        (d, value)
        for d in analysis.definitions.values()
        if d.name.startswith(owner + ".") and d.kind in ("attribute", "flow")
        if (value := analysis.value(d.name)) is not None
    ]
    lines = [f"`{d.name}` = {_quantity(value, d.unit)}" for d, value in found[:_MOST_TERMS]]
    return "  \n".join(lines)


def _quantity(canonical: float, unit: Unit) -> str:
    number = f"{(canonical - float(unit.offset)) / float(unit.factor):.6g}"
    return number if unit.text == "1" else f"{number} {unit}"


def _of_model(model: Model, name: str, kind: str) -> Iterator[str]:
    if kind == "species":
        nodes = [s.node for s in model.states if s.species == name and s.node]
        yield f"in {len(nodes)} nodes: " + _short(", ".join(nodes), 200)
    elif kind == "state":
        states = [s.name for s in model.states if s.name.split("<")[0] == name]
        yield from (equation(model, state) for state in states[:_MOST_MEMBERS])
    elif kind in PLACES:
        states = [s.name for s in model.states if s.node and s.node.split("<")[0] == name]
        yield from (equation(model, state) for state in states[:_MOST_MEMBERS])
    elif kind in ("process", "flow"):
        arrows = [a for a in model.arrows if a.name.split("<")[0] == name]
        yield from (_code(_arrow(a)) for a in arrows[:1])
    elif kind == "observe":
        for observable in model.observables:
            if observable.name.split("<")[0] == name:
                yield f"in `{observable.unit}`"
                break
    elif kind == "scenario" and name in model.scenarios:
        scenario = model.scenarios[name]
        doses = len(scenario.doses)
        yield f"{doses} dose line{'s' * (doses != 1)}" + (
            f", runs {to_text(scenario.run)}" if scenario.run is not None else ""
        )


def _arrow(arrow: Arrow) -> str:
    left = " + ".join(s if count == 1 else f"{count} {s}" for s, count in arrow.consumes) or "outside"
    right = " + ".join(
        s if isinstance(share, Const) and share.canonical == 1 else f"{to_text(share, 2)} {s}"
        for s, share in arrow.produces
    )
    return f"{left} {'<->' if arrow.reversible else '->'} {right or 'outside'}"


# ------------------------------------------------------------------ behind a dot


def _behind_dot(analysis: Analysis, path: list[str], index: int) -> str | None:
    word = path[index]
    owner = kind_of(analysis.scope, path[0])
    if owner == "tissue" and index == 1 and word in SPACES:
        return f"The {'blood' if word == 'blood' else 'cells'} of {path[0]}, one of its two spaces."
    if owner == "scenario":
        return _declared(analysis, word)
    if owner == "species" or word not in (*QUANTITIES, *analysis.scope.species):
        definition = analysis.definitions.get(".".join(path[: index + 1]))
        parts = [explained(word) or "", _value(analysis, definition) if definition is not None else ""]
        joined = "\n\n".join(part for part in parts if part)
        return joined or None
    if word in analysis.scope.species:
        state = ".".join(path[: index + 1])
        if analysis.model is not None and any(s.name == state for s in analysis.model.states):
            return equation(analysis.model, state)
        return _declared(analysis, word)
    return _quantity_of(analysis, path, index)


def _quantity_of(analysis: Analysis, path: list[str], index: int) -> str | None:
    """``liver.APAP.Cu``: what it is, and what it is computed from."""
    species = list(analysis.scope.species)
    where = path[:index]
    if len(species) == 1 and where[-1] not in species:
        where = [*where, species[0]]
    state = ".".join(where)
    parts = [explained(path[index]) or ""]
    if path[index] == "A":
        if analysis.model is not None and any(s.name == state for s in analysis.model.states):
            parts.append(equation(analysis.model, state))
    else:
        definition = analysis.definitions.get(f"{state}.{path[index]}")
        if definition is not None:
            parts.append(_code(f"{definition.name} = {_short(to_text(definition.expr))}"))
    return "\n\n".join(part for part in parts if part)


def equation(model: Model, state: str) -> str:
    """The equation of a state as a code block, one arrow a line, each with its name."""
    terms = []
    for arrow in model.arrows:
        rate = to_text(model.definitions[arrow.rate].expr, 2)
        for name, count in arrow.consumes:
            if name == state:
                terms.append(("- " + ("" if count == 1 else f"{count} * ") + rate, arrow.name))
        for name, share in arrow.produces:
            if name == state:
                one = isinstance(share, Const) and share.canonical == 1
                terms.append(("+ " + ("" if one else f"{to_text(share, 2)} * ") + rate, arrow.name))
    lines = [f"d {state} / dt ="] + [f"  {_short(text)}   # {name}" for text, name in terms[:_MOST_TERMS]]
    if not terms:
        lines = [f"d {state} / dt = 0"]
    if len(terms) > _MOST_TERMS:
        lines.append(f"  and {len(terms) - _MOST_TERMS} more terms")
    return _code("\n".join(lines))


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[:most] + " ..."


def _code(text: str) -> str:
    return f"```pbpk\n{text}\n```"
