"""What a reference to a species means: one of its attributes, perhaps by tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbpkc.language.binding.bind import Context, Unbound
from pbpkc.language.binding.scope import BY_TISSUE, SPECIES_ATTRIBUTES
from pbpkc.language.diagnostics import respelt, similar
from pbpkc.language.expression import Expr
from pbpkc.language.structure.coefficients import by_tissue, partition_word, permeability_line
from pbpkc.language.syntax import nodes as n

if TYPE_CHECKING:
    from pbpkc.language.binding.table import Table


def of_species(table: Table, species: str, rest: tuple[n.Part, ...], ref: n.Ref, context: Context) -> Expr:
    """``APAP.fup``, ``APAP.ps.liver``, or the one of kp, kb, kpu that was given for that tissue."""
    word = rest[0].name
    if word not in SPECIES_ATTRIBUTES or len(rest) > 1 + (word in BY_TISSUE):
        text = ".".join(p.name for p in rest)
        near = similar(text, SPECIES_ATTRIBUTES)
        raise table.binder.fail(
            "unknown-attribute",
            f"a species has no attribute '{text}'",
            ref.span,
            help=f"an attribute with a similar name exists: '{near}'"
            if near and near != text
            else "its attributes are " + ", ".join(SPECIES_ATTRIBUTES),
            fixes=respelt(rest[0].span, word, SPECIES_ATTRIBUTES),
        )
    if word == "pka":
        raise table.binder.fail(
            "misplaced",
            "pka is a list and cannot be read as a number",
            ref.span,
            help="name the number with `param` and write pka = acid(that_name)",
        )
    if len(rest) == 1:
        line = table.attributes.get(f"{species}.{word}")
        if line is not None and isinstance(line.value, n.Call) and line.value.name == "auto":
            raise table.binder.fail(
                "no-quantity",
                f"{word} of '{species}' is predicted for each tissue",
                ref.span,
                help=f"say for which: {species}.{word}.liver",
            )
        return table.name(table.attribute(species, word, ref.span), ref.span)
    tissue = table.indexed(rest[1], context)
    tissues = [t for t, block in table.scope.nodes.items() if block.kind == "tissue"]
    if tissue not in tissues:
        near = similar(tissue, tissues)
        raise table.binder.fail(
            "unknown-name",
            f"there is no tissue '{tissue}'",
            rest[1].span,
            help=f"a tissue with a similar name exists: '{near}'" if near else None,
            fixes=respelt(rest[1].span, tissue, tissues),
        )
    if word == "ps":
        return _permeability(table, species, tissue, ref)
    given = partition_word(table, tissue, species, ref.span)
    if given != word:
        raise table.binder.fail(
            "partition",
            f"'{species}' has {given}, not {word}, for '{tissue}'",
            ref.span,
            help=f"write {species}.{given}.{tissue}",
        )
    return table.name(by_tissue(table, species, tissue, word, ref.span), ref.span)


def _permeability(table: Table, species: str, tissue: str, ref: n.Ref) -> Expr:
    if permeability_line(table, species, tissue) is None:
        if species in table.misread:
            raise Unbound()
        raise table.binder.fail(
            "no-space",
            f"'{species}' has no ps for '{tissue}', where blood and tissue are in equilibrium",
            ref.span,
            help=f"write in the block of '{species}': ps.{tissue} = 2 [L/h]",
        )
    return table.name(by_tissue(table, species, tissue, "ps", ref.span), ref.span)
