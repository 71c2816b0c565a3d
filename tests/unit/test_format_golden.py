"""Both text forms of the language's stages against golden files: canonical specs, and the listing of a Model.

After a change, look at the differences and write the files anew with ``PBPKC_REGENERATE=1 pytest
tests/unit/test_format_golden.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pbpkc.language.resolve import resolve
from pbpkc.language.show import show_model
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.format import format_tree
from pbpkc.language.syntax.parse import parse, read_source

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
SPECS = {
    path.stem: path
    for path in (
        GOLDEN / "everything.pbpk",
        ROOT / "specs" / "theophylline_oral.pbpk",
        ROOT / "specs" / "gene_network.pbpk",
    )
}


def check(found: str, expected: Path) -> None:
    if os.environ.get("PBPKC_REGENERATE"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SPECS)
def test_the_canonical_text_of_a_spec(name: str) -> None:
    check(format_tree(parse(read_source(SPECS[name]))), GOLDEN / "tree" / f"{name}.pbpk")


@pytest.mark.parametrize("name", SPECS)
def test_the_listing_of_a_model(name: str) -> None:
    check(show_model(resolve(parse(read_source(SPECS[name])))), GOLDEN / "model" / f"{name}.txt")


@pytest.mark.parametrize("name", SPECS)
def test_the_canonical_text_means_the_same(name: str) -> None:
    tree = parse(read_source(SPECS[name]))
    assert show_model(resolve(parse(SourceFile("again", format_tree(tree))))) == show_model(resolve(tree))


def test_everything_holds_every_kind_of_statement() -> None:
    tree = parse(read_source(SPECS["everything"]))
    found = {type(s) for s in tree.statements}
    # `use` and `set` need a second file, steady states come later.
    assert found == set(n.Statement.__args__) - {n.Use, n.Set, n.StartSteady}
    keywords = {s.keyword for s in tree.statements if isinstance(s, n.Value)}
    assert keywords == {"covariate", "input", "param", "let"}
