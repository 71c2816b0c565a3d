"""Predicted partition coefficients: what ``kp = auto(...)`` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from pbpkc.body import Ionisation, organisms, rodgers_rowland, tissues
from pbpkc.compiler.expressions import to_sympy
from pbpkc.language.binding.scope import hematocrit_names, split_owner
from pbpkc.language.diagnostics import Diagnostic, Label, similar
from pbpkc.language.evaluate import NotEvaluable, evaluate
from pbpkc.language.expression import Expr
from pbpkc.language.model import Definition, Model, Node


def predicted_partition(
    model: Model, definition: Definition, symbols: Mapping[str, Any]
) -> tuple[sp.Expr, Diagnostic | None]:
    """Kp of one species in one tissue as an expression of its attributes, or why there is none.

    Parameters
    ----------
    model : Model
    definition : Definition
        Named ``species.kp.tissue``.
    symbols : mapping
        Of the species' attributes, and of the hematocrit.
    """
    owner, word = split_owner(definition.name, model.species)
    tissue = word.partition(".")[2]
    species = model.species[owner]
    where = (Label(definition.span),) if definition.span else ()

    def refuse(message: str, help: str) -> tuple[sp.Expr, Diagnostic]:
        return sp.Integer(1), Diagnostic("no-prediction", message, where, help=help)

    organism = model.nodes[tissue].organism or ""
    if organism not in organisms():
        return refuse(
            f"there is no tissue composition of '{organism}'",
            "composition is known for " + ", ".join(organisms()) + "; otherwise give kp a number",
        )
    node = model.nodes[tissue]
    composition = node.like or tissue.rpartition(".")[2].split("<")[0]
    known = tissues(organism)
    if composition not in known:
        near = similar(composition, known)
        return sp.Integer(1), _no_composition(node, composition, near, known)
    ionisation = Ionisation(
        tuple(_number(e, symbols) for e in species.acids), tuple(_number(e, symbols) for e in species.bases)
    )
    needed = ["logp", "fup"] + (["bp"] if ionisation.binds_acidic_phospholipids else [])
    missing = [w for w in needed if w not in species.attributes]
    if missing:
        return refuse(
            f"species '{owner}' has no {' and no '.join(missing)}, which the prediction of kp needs",
            f"give {', '.join(missing)} a value in its block, or give kp a number",
        )
    if not (species.acids or species.bases or species.neutral):
        return refuse(
            f"species '{owner}' has no pka, which the prediction of kp needs",
            "write pka = acid(9.4), base(8), ampholyte(3.1, 9.4), or neutral()",
        )
    hematocrit = next((symbols[n] for n in hematocrit_names(tissue) if n in symbols), None)
    if ionisation.binds_acidic_phospholipids and hematocrit is None:
        return refuse(
            f"'{owner}' is a base that binds in red cells, and the hematocrit is not known",
            "write param HCT = 0.44",
        )
    bp = symbols[f"{owner}.bp"] if ionisation.binds_acidic_phospholipids else None
    value = rodgers_rowland(
        composition,
        logp=symbols[f"{owner}.logp"],
        ionisation=ionisation,
        fup=symbols[f"{owner}.fup"],
        bp=bp,
        hematocrit=hematocrit if bp is not None else None,
        organism=organism,
        positive_part=lambda x: sp.Max(x, 0),
    )
    return sp.sympify(value), None


def _no_composition(node: Node, composition: str, near: str | None, known: tuple[str, ...]) -> Diagnostic:
    what = (
        f"'{node.name}', for the composition of '{composition}' is"
        if node.like
        else f"'{node.name}', whose composition is"
    )
    known_words = "say which tissue it is like: like = " + " | ".join(known)
    return Diagnostic(
        "no-prediction",
        f"kp cannot be predicted for {what} not known",
        (Label(node.span),) if node.span else (),
        help=f"a tissue with a similar name is known: like = {near}" if near else known_words,
    )


def _number(expr: Expr, symbols: Mapping[str, Any]) -> Any:
    try:
        return float(evaluate(expr, _no_name))
    except NotEvaluable:
        return to_sympy(expr, symbols)


def _no_name(name: str) -> float:
    raise KeyError(name)
