"""What a species has by tissue: the partition coefficient that holds, and the permeability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.attributes import is_absent, predicted
from pbpkc.language.binding.bind import Unbound
from pbpkc.language.binding.scope import PARTITION, name_span
from pbpkc.language.diagnostics import Label
from pbpkc.language.model import Definition
from pbpkc.language.source import Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.units import parse_unit

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def partition_word(table: Table, node: str, species: str, span: Span | None) -> str:
    """Which of kp, kb, kpu holds for a species in a tissue; a specific one goes before a general one."""
    for suffix in (f".{node}", ""):
        words = [w for w in PARTITION if f"{species}.{w}{suffix}" in table.attributes]
        if len(words) > 1:
            lines = [table.attributes[f"{species}.{w}{suffix}"] for w in words]
            where = f" for '{node}'" if suffix else ""
            raise table.binder.fail(
                "partition",
                f"'{species}' has {' and '.join(words)}{where}; one is enough",
                lines[1].span,
                others=(Label(lines[0].span, "the other"),),
                help="kp is tissue to plasma, kb tissue to blood, kpu tissue to unbound plasma",
            )
        if words:
            return words[0]
    if species in table.misread:
        raise Unbound()
    # All tissues that lack one are named at once, and the same text is said once.
    lacking = [
        t
        for t in table.circulations.home
        if table.scope.nodes[t].kind == "tissue"
        and not _has_partition(table, species, t)
        and not _needs_none(table, species, t)
    ]
    block = table.scope.species[species]
    raise table.binder.fail(
        "partition",
        f"'{species}' has no partition coefficient for " + ", ".join(f"'{t}'" for t in lacking or [node]),
        name_span(block, species),
        notes=("blood carries it into every tissue of its circulation",) if block.carried else (),
        help=f"write kp.{(lacking or [node])[0]} = 1.2, or kp = 1.2 for all that have no own one, "
        "or kp = auto(rodgers_rowland)",
    )


def _has_partition(table: Table, species: str, node: str) -> bool:
    return any(f"{species}.{w}{suffix}" in table.attributes for w in PARTITION for suffix in (f".{node}", ""))


def _needs_none(table: Table, species: str, node: str) -> bool:
    """Where nothing passes between the spaces of a tissue, blood leaves it as it is."""
    line = permeability_line(table, species, node)
    return line is not None and is_absent(line)


def by_tissue(table: Table, species: str, node: str, word: str, span: Span | None) -> Definition:
    """``APAP.kp.liver``, ``APAP.ps.liver``: the specific value, or the general one by the tissue's name."""
    key = f"{species}.{word}.{node}"
    if key in table.attributes:
        return table.attribute(species, f"{word}.{node}", span)
    general = table.attributes.get(f"{species}.{word}")
    if general is None:
        raise table.binder.fail("missing-attribute", f"species '{species}' has no {word}", span)
    if isinstance(general.value, n.Call) and general.value.name == "auto":
        call = general.value

        def predict() -> Definition:
            return Definition(
                key,
                "attribute",
                predicted(table, species, word, node, call),
                parse_unit("1"),
                "",
                general.source,
                derived=True,
                span=general.span,
            )

        return table.define(key, predict, span)

    def share() -> Definition:
        whole = table.attribute(species, word, span)
        expr = table.name(whole)
        return Definition(
            key, whole.kind, expr, whole.unit, "", general.source, derived=True, span=general.span
        )

    return table.define(key, share, span)


def permeability_line(table: Table, species: str, node: str) -> n.Attribute | None:
    """Where the `ps` of a species in a tissue is written; a specific one goes before a general one."""
    return table.attributes.get(f"{species}.ps.{node}") or table.attributes.get(f"{species}.ps")
