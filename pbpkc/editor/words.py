"""The words of the language by what they are, taken from the grammar and from the language's own lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pbpkc.language.binding.scope import NODE_ATTRIBUTES, QUANTITIES, RESERVED, SPECIES_ATTRIBUTES
from pbpkc.language.functions import ARITY, FIGURES, MODIFIERS
from pbpkc.language.scenario.data_block import WORDS as DATA_WORDS
from pbpkc.language.scenario.observables import ERROR_MODELS
from pbpkc.language.scenario.priors import FAMILIES
from pbpkc.language.syntax.statements import DECLARING
from pbpkc.resources import resource

#: Kinds of node; the words `blood` and `tissue` also name the two spaces of one.
PLACES = ("blood", "tissue", "lumen", "pool", "sink")

#: Acid or base, as the value of `pka`.
CHARGES = ("acid", "base", "ampholyte", "neutral")

#: What has a value of its own.
CONSTANTS = ("t", "outside")


@cache
def grammar_words() -> frozenset[str]:
    """The keywords: every word in quotes in a rule of the grammar."""
    text = resource("grammar", "pbpk.lark").read_text(encoding="utf-8")
    rules = re.sub(r"^\s*//.*$|^[A-Z_]+:.*$|^%.*$", "", text, flags=re.MULTILINE)
    return frozenset(re.findall(r'"([a-z]\w*)"', rules))


@cache
def word_groups() -> Mapping[str, tuple[str, ...]]:
    """Every word with a meaning of its own, in groups; a word stands in the first group that has it.

    ``declarations`` begin a statement, ``clauses`` stand inside one, ``functions`` are called, ``figures``
    are called in `check` alone, ``models`` are distributions, error models and values of `pka`,
    ``quantities`` and ``attributes`` follow a dot or stand in a block, ``data`` are words of data files.
    """
    words = grammar_words() | {"pbpk"}
    groups = {
        "declarations": [w for w in words if w in (*DECLARING, "pbpk")],
        "functions": [*ARITY, *MODIFIERS, *sorted({"mm", "tad", "sum", "if"}), "auto", "remainder"],
        "clauses": list(words),
        "constants": list(CONSTANTS),
        "figures": list(FIGURES),
        "models": [*FAMILIES, *ERROR_MODELS, "combined", *CHARGES],
        "quantities": list(QUANTITIES),
        "attributes": [*NODE_ATTRIBUTES, *SPECIES_ATTRIBUTES],
        "data": list(DATA_WORDS),
    }
    taken: set[str] = set()
    found = {}
    for name, members in groups.items():
        found[name] = tuple(sorted(set(members) - taken))
        taken |= set(members)
    return found


def unlisted() -> frozenset[str]:
    """Words that may not be declared and stand in no group: the two lists have come apart."""
    listed = {word for members in word_groups().values() for word in members}
    return frozenset(RESERVED - listed) | frozenset(grammar_words() - RESERVED)
