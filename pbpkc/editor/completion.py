"""What an editor offers at a place: keywords that can stand there, names, quantities, units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pbpkc.body import organisms, tissues
from pbpkc.editor.analysis import Analysis
from pbpkc.editor.meanings import MEANINGS
from pbpkc.editor.occurrences import joined_path, kind_of
from pbpkc.editor.tokens import line_bounds, pieces
from pbpkc.editor.words import CHARGES, PLACES
from pbpkc.language.binding.attributes import node_words
from pbpkc.language.binding.scope import BY_TISSUE, QUANTITIES, SPACES, SPECIES_ATTRIBUTES
from pbpkc.language.functions import ARITY, FIGURES, MODIFIERS
from pbpkc.language.scenario.data_block import WORDS as DATA_WORDS
from pbpkc.language.scenario.observables import ERROR_MODELS
from pbpkc.language.scenario.priors import FAMILIES
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.expected import Expected, expected
from pbpkc.language.units import WORDS as UNITS

_VALUES = ("covariate", "input", "param", "let", "masked")
_RULES = ("mass", "volume", "positive")


@dataclass(frozen=True)
class Offer:
    """One proposal.

    Parameters
    ----------
    text : str
        What is written in place of the word that was begun.
    kind : {"keyword", "name", "function", "quantity", "unit", "value"}
    detail : str
        Beside it in the list.
    rank : int
        Lower ones come first.
    """

    text: str
    kind: str
    detail: str = ""
    rank: int = 1


def complete(analysis: Analysis, at: int) -> tuple[list[Offer], int]:
    """What can be written at a place, and where the word that was begun there begins.

    Parameters
    ----------
    analysis : Analysis
    at : int
        Offset in its text.
    """
    text = analysis.file.text
    line, _ = line_bounds(text, at)
    last = next((p for p in reversed(list(pieces(text, line, at))) if p.end == at), None)
    if last is not None and last.kind in ("comment", "text", "number"):
        closed = last.kind == "text" and len(last.text) > 1 and last.text.endswith('"')
        if not closed:
            return [], at
    if last is not None and last.kind == "unit" and not last.text.endswith("]"):
        return _units(analysis, last.text), last.start + 1
    start = last.start if last is not None and last.kind == "name" else at
    head = re.search(r"((?:[A-Za-z_]\w*(?:<[^<>\n]*>)?\s*\.\s*)+)$", text[line:start])
    if head is not None:
        # What a reference may mean is decided where it begins: an arrow has no concentrations at its ends.
        place = expected(text, line + head.start())
        path = [p.text for p in pieces(re.sub(r"<[^<>]*>", "", head[1])) if p.kind == "name"]
        return list(_behind_dot(analysis, path, place)), start
    place = expected(text, start)
    offers = [Offer(word, "keyword", _brief(word), 3) for word in place.keywords]
    if "NAME" in place.kinds:
        offers += _names(analysis, place)
    return list({offer.text: offer for offer in reversed(offers)}.values())[::-1], start


def _brief(word: str) -> str:
    return MEANINGS.get(word, "").split("\n")[0]


# ------------------------------------------------------------------ units


def _units(analysis: Analysis, begun: str) -> list[Offer]:
    """Units that this spec already has, then one more word behind what was begun."""
    written: dict[str, int] = {}
    for file in (analysis.file, *(tree.file for tree in analysis.trees.values())):
        for piece in pieces(file.text):
            if piece.kind == "unit" and piece.text.endswith("]") and len(piece.text) > 2:
                written[piece.text[1:-1]] = written.get(piece.text[1:-1], 0) + 1
    usual = sorted(written, key=lambda unit: (-written[unit], unit))
    before = re.sub(r"[A-Za-z%]*$", "", begun[1:])
    offers = [Offer(unit, "unit", "written in this spec", 1) for unit in usual]
    offers += [
        Offer(before + word, "unit", f"{float(factor):g} [{dimension}]", 2)
        for word, (factor, dimension) in UNITS.items()
    ]
    offers += [Offer(before + word, "unit", "", 2) for word in ("%", "1", "ppm", "IU")]
    return offers


# ------------------------------------------------------------------ names


def _named(analysis: Analysis, *kinds: str, rank: int = 1) -> Iterator[Offer]:
    for name in analysis.scope.names():
        kind = kind_of(analysis.scope, name)
        if kind in kinds:
            yield Offer(name, "name", kind, rank)


def _words(words: Iterable[str], rank: int = 1, kind: str = "value") -> Iterator[Offer]:
    return (Offer(word, kind, _brief(word), rank) for word in words)


def _names(analysis: Analysis, place: Expected) -> list[Offer]:
    """Names for the place where the grammar takes one."""
    statement = re.sub(r'#[^\n]*|"[^"\n]*"', lambda m: " " * len(m[0]), place.statement)
    words = re.findall(r"[A-Za-z_]\w*|[^\w\s]", statement)
    keyword = words[0] if words else ""
    before = words[-1] if words else ""
    own = re.search(r"[\n;{][ \t]*([A-Za-z_]\w*)(?:[^\n;{}]*)$", statement)
    line = own[1] if own else ""  # the first word of the line of a block
    begins = re.search(r"[\n;{]\s*$", statement) is not None
    found = _behind_word(analysis, statement, before, keyword, line)
    if found is None:
        found = _in_block(analysis, statement, keyword, begins)
    if found is None:
        found = _of_statement(analysis, statement, keyword, line, place)
    return list(found)


def _behind_word(
    analysis: Analysis, statement: str, before: str, keyword: str, line: str
) -> Iterable[Offer] | None:
    """What one word asks for behind it."""
    match before:
        case "from" | "after":
            return _named(analysis, "scenario")
        case "into":
            return _named(analysis, *PLACES)
        case "dose":
            return _named(analysis, "species")
        case "by" if keyword == "species":
            return [Offer(name, "name", "circulation") for name in analysis.scope.circulations]
        case "drains":
            return _named(analysis, "tissue", "blood")
        case "as" if keyword == "observe":
            return _named(analysis, "species")
        case "organism":
            return _words(organisms())
        case "scale":
            return _words(("log", "natural"))
        case "without":
            return [Offer(name, "name", "declared in the used file") for name in _used(analysis)]
        case "error":
            return _words([*ERROR_MODELS, "combined"], kind="function")
        case "~":
            return _words(FAMILIES, kind="function")
        case "observe" if line in ("CMT", "DVID"):
            return _named(analysis, "observe")
        case "column":
            return [*_named(analysis, "covariate", "input"), *_words(DATA_WORDS, 2)]
        case "keep":
            return _words(DATA_WORDS)
        case "in" if keyword == "unknown":
            return [Offer(name, "name", "argument") for name in _arguments(statement)]
    if before == keyword and keyword in _DECLARES_NAME:
        return [] if keyword not in ("masked", "circulation") else _named(analysis, "param")
    return None


#: Behind these words stands a name of the writer's own.
_DECLARES_NAME = (
    "model", "covariate", "input", "param", "let", "function", "masked", "unknown", "species", "blood",
    "tissue", "lumen", "pool", "sink", "state", "circulation", "flow", "process", "site", "observe",
    "population", "scenario",
)  # fmt: skip


def _used(analysis: Analysis) -> list[str]:
    from pbpkc.language.binding.namespaces import declared_names

    others = [tree for name, tree in analysis.trees.items() if name != analysis.file.name]
    return [name for tree in others for s in tree.statements for name in declared_names(s)]


def _arguments(statement: str) -> list[str]:
    """The arguments of the function or unknown term that a statement declares."""
    head = re.match(r"\s*(?:function|unknown)\s+\w+\s*\((.*?)(?:\)\s*(?:=|->)|$)", statement, re.DOTALL)
    if head is None:
        return []
    # Bounds of an argument stand in parentheses and hold no names of arguments.
    return re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", re.sub(r"\([^)]*\)", "", head[1]))


def _in_block(analysis: Analysis, statement: str, keyword: str, begins: bool) -> Iterable[Offer] | None:
    """What begins a line of a block, and what follows `like =` and `pka =`."""
    depth = statement.count("{") - statement.count("}")
    if depth < 1:
        return None
    if keyword in PLACES and begins:
        return _words(node_words(keyword), kind="quantity")
    if keyword == "species" and begins:
        return _words(SPECIES_ATTRIBUTES, kind="quantity")
    if keyword in ("circulation",):
        return _named(analysis, "blood", "tissue")
    if keyword == "population" and begins:
        return _named(analysis, *_VALUES, *PLACES, "species")
    if keyword == "scenario" and begins and depth > 1:
        return _words(("CMT", "DVID"))
    if re.search(r"\blike\s*=\s*$", statement):
        return _words(tissues("human"))
    if re.search(r"\bpka\s*=\s*$", statement):
        return _words(CHARGES, kind="function")
    return None


def _of_statement(
    analysis: Analysis, statement: str, keyword: str, line: str, place: Expected
) -> Iterable[Offer]:
    """Names for the other places: the ends of an arrow, or an expression."""
    if keyword == "ode" and not place.an_expression:
        return _named(analysis, "state")
    if keyword in ("process", "flow") and ":" in statement and not place.an_expression:
        return [*_named(analysis, *PLACES, "state"), Offer("outside", "value", _brief("outside"), 2)]
    if (keyword in ("set", "start") or line in ("set", "start")) and not place.an_expression:
        return _named(analysis, *_VALUES, *PLACES, "species", "state")
    if not place.an_expression:
        return []
    return _in_expression(analysis, statement, keyword)


def _in_expression(analysis: Analysis, statement: str, keyword: str) -> Iterator[Offer]:
    if keyword == "check":
        if re.fullmatch(r"\s*check\s+([\w, ]*,\s*)?", statement):
            yield from _words(_RULES)
        yield from _words(FIGURES, kind="function")
        yield from _named(analysis, "scenario")
    for name in re.findall(r"\bfor\s+([A-Za-z_]\w*)\s+in\b", statement):
        yield Offer(name, "name", "index", 0)
    for name in _arguments(statement):
        yield Offer(name, "name", "argument", 0)
    yield from _named(analysis, *_VALUES, "state")
    yield from _named(analysis, *PLACES, "species", "site", rank=2)
    yield from _named(analysis, "process", "flow", rank=2)
    yield from (Offer(o.text, "function", o.detail, 2) for o in _named(analysis, "function", "unknown"))
    yield from _words([*ARITY, "mm", "sum", "tad"], 3, "function")
    if re.search(r"\bmm\s*\((?:[^()]|\([^()]*\))*,\s*$", statement):
        yield from _words(MODIFIERS, 2, "function")
    if re.search(r"\b(volume|flow)\s*=\s*$", statement):
        yield from _words(("remainder",), 2, "function")
    if re.search(r"\bkp\s*=\s*$", statement):
        yield from _words(("auto",), 2, "function")
    yield from _words(("t",), 3)


# ------------------------------------------------------------------ behind a dot


def _behind_dot(analysis: Analysis, path: list[str], place: Expected) -> Iterator[Offer]:
    """What can follow names that are joined by dots."""
    scope = analysis.scope
    path, _ = joined_path(scope, path, 0)
    if path[-1] in scope.namespaces:
        yield from _inside(analysis, path[-1])
        return
    first = path[0]
    kind = kind_of(scope, first)
    if kind == "scenario" and len(path) == 1:
        yield from _named(analysis, "observe")
    elif kind in PLACES:
        # `liver.blood.X.C`: a space of the tissue may stand in front of the species.
        behind = [word for word in path[1:] if word not in SPACES]
        attributes = [w for w in node_words(kind) if w != "like"] if len(path) == 1 else ["volume"]
        if not behind:
            yield from _species_in(analysis, first)
            if kind == "tissue" and len(path) == 1 and _has_spaces(analysis):
                yield from (Offer(space, "quantity", "space of the tissue", 2) for space in SPACES)
            if place.an_expression:
                yield from _words(attributes, 2, "quantity")
        if place.an_expression and len(behind) == (len(scope.species) != 1):
            yield from _words(_readable(analysis, first, kind), 1, "quantity")
    elif kind == "site":
        if len(path) == 1:
            yield from _species_in(analysis, first)
        yield from _words(("C", "Cp", "Cu"), 2, "quantity")
    elif kind == "species" and len(path) == 1:
        yield from _words(SPECIES_ATTRIBUTES, kind="quantity")
    if path[-1] in BY_TISSUE and (kind == "species" or re.match(r"\s*species\b", place.statement)):
        yield from _named(analysis, "tissue")


def _inside(analysis: Analysis, namespace: str) -> Iterator[Offer]:
    """Names of a file that is used under a name."""
    scope, begin = analysis.scope, f"{namespace}."
    for name in (*scope.names(), *scope.namespaces):
        word = name.removeprefix(begin)
        if name.startswith(begin) and "." not in word:
            yield Offer(word, "name", kind_of(scope, name) or "namespace")


def _has_spaces(analysis: Analysis) -> bool:
    """Whether a species is held up by the membrane of a tissue."""
    blocks = analysis.scope.species.values()
    return any(attribute.ref.parts[0].name == "ps" for block in blocks for attribute in block.attributes)


def _species_in(analysis: Analysis, node: str) -> Iterator[Offer]:
    """Species, those first that the node is known to hold."""
    held = set()
    if analysis.model is not None:
        held = {s.species for s in analysis.model.states if s.node and s.node.split("<")[0] == node}
    for name in analysis.scope.species:
        yield Offer(name, "name", "species", 1 if name in held or not held else 2)


def _readable(analysis: Analysis, node: str, kind: str) -> tuple[str, ...]:
    """The quantities that have a meaning in a node."""
    blocks = [b for name, b in analysis.scope.nodes.items() if name.split("<")[0] == node]
    has_volume = any(isinstance(b, n.NodeBlock) and _gives_volume(b) for b in blocks)
    if kind == "sink" or (kind == "lumen" and not has_volume):
        return ("A",)
    return QUANTITIES if kind in ("blood", "tissue") else ("A", "C", "Cout")


def _gives_volume(block: n.NodeBlock) -> bool:
    return any(attribute.ref.text == "volume" for attribute in block.attributes)
