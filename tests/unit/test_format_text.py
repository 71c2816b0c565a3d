"""The layout of a text: what moves, what stays, and that nothing is lost."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from pbpkc.editor.tokens import pieces
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse, tokens

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.pbpk"))
GOLDEN = sorted((ROOT / "tests" / "golden").rglob("*.pbpk"))


def laid_out(text: str) -> str:
    return format_text(parse(SourceFile("m.pbpk", text)))


def lines(*given: str) -> list[str]:
    """The lines of the layout of a spec, without those two that it must have."""
    return laid_out("\n".join(["pbpk 1", "model m", *given]) + "\n").split("\n")[2:-1]


def comments(text: str) -> list[str]:
    return [p.text.rstrip() for p in pieces(text) if p.kind == "comment"]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_shipped_specs_have_the_layout(path: Path) -> None:
    # A spec that fails here is laid out by `pbpkc format specs`.
    text = path.read_text(encoding="utf-8")
    assert laid_out(text) == text, "run: pbpkc format specs"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_canonical_texts_stay_as_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.sub(r"(unknown \w+) \(", r"\1(", text) == laid_out(text)


# ------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("loose", "tidy"),
    [
        ("param  a=3[mg/L]*-2^-b", "param a = 3 [mg/L] * -2^-b"),
        ("param a = ( b+c )  *exp( -k*t )", "param a = (b + c) * exp(-k * t)"),
        ("param a=if ( b<c and  d>=e,x ,- y)", "param a = if(b < c and d >= e, x, -y)"),
        ("param K< 1 ,2 > =K<i,j>", "param K<1,2> = K<i,j>"),
        ("let s = sum(x< i+1 > for i in 1 .. 3 , j in 1..2)", "let s = sum(x<i+1> for i in 1..3, j in 1..2)"),
        (
            'masked k"rate"~lognormal(1[1/h],cv=50[%])in(0.1,10)[1/h]',
            'masked k "rate" ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h]',
        ),
        ("process p:a . X<->2 b.X+c   rate k", "process p : a.X <-> 2 b.X + c  rate k"),
        ("flow f:a->b   at q", "flow f : a -> b  at q"),
        ("check a - b in( 1,2)[mg]", "check a - b in (1, 2) [mg]"),
        ("observe y=p.C   in[mg/L]error prop(s)", "observe y = p.C  in [mg/L] error prop(s)"),
        (
            "scenario s{dose X(2[mg/kg]*BW)into gut;run 1[h];}",
            "scenario s { dose X (2 [mg/kg] * BW) into gut; run 1 [h] }",
        ),
        ("circulation CO{v->a;a->{ b,c }->v}", "circulation CO { v -> a; a -> {b, c} -> v }"),
        (
            "unknown f (c[1]in(0,1))->[1]{at(0)=1;default 1}",
            "unknown f(c [1] in (0, 1)) -> [1] { at (0) = 1; default 1 }",
        ),
        ("param rate_x = 1;;  param b = 2", "param rate_x = 1; param b = 2"),
        ("param rho = 1 ; sink s", "param rho = 1\nsink s"),
        ("param a = 1 #x", "param a = 1  #x"),
    ],
)
def test_blanks_and_semicolons(loose: str, tidy: str) -> None:
    assert lines(loose) == tidy.split("\n")
    assert lines(*tidy.split("\n")) == tidy.split("\n")


def test_lines_are_moved_in_by_what_is_open() -> None:
    found = lines(
        "  scenario s {",
        "data \"d.csv\" {",
        "        column TIME [h]",
        "# why",
        "    }",
        "  }",
        "scenario t { data \"d.csv\" {",
        "      column TIME [h]",
        "} }",
        "   process p : a -> b",
        "# of both",
        "rate max(k * a.A,",
        "         0)  # never less",
        "species X {",
        "",
        "mw = 1 [g/mol]",
        "source \"a book\"",
        "",
        "}",
    )  # fmt: skip
    assert found == [
        "scenario s {",
        "  data \"d.csv\" {",
        "    column TIME [h]",
        "    # why",
        "  }",
        "}",
        "scenario t { data \"d.csv\" {",
        "  column TIME [h]",
        "} }",
        "process p : a -> b",
        "  # of both",
        "  rate max(k * a.A,",
        "           0)  # never less",
        "species X {",
        "  mw = 1 [g/mol]",
        "    source \"a book\"",
        "}",
    ]  # fmt: skip


def test_what_stands_below_its_like_in_parentheses_stays_there() -> None:
    text = ["  param a = max(b,", "                c)"]
    assert lines(*text) == ["param a = max(b,", "              c)"]


def test_empty_lines() -> None:
    found = laid_out("\n\n# head\n\n\n\npbpk 1\nmodel m\n\n\n\n# one\n\nparam a = 1\n\n\n")
    assert found == "# head\n\npbpk 1\nmodel m\n\n# one\n\nparam a = 1\n"


# ------------------------------------------------------------------ columns


def test_columns_stay_and_move_only_where_they_must() -> None:
    aligned = [
        "blood  artery { volume = 2 [L] }                # one",
        "blood  vein   { volume = 3.5 [L] }              # two",
        "tissue liver  { volume = 1.8 [L]; flow =  5 [L/h] }",
        "tissue rest   { volume = 60 [L];  flow = 12 [L/h] }",
        "process absorption  : gut -> plasma         rate ka * gut.A",
        "process elimination : plasma -> eliminated  rate cl * plasma.C",
    ]
    assert lines(*aligned) == aligned
    shifted = [aligned[0].replace(" = ", "="), *aligned[1:]]
    assert lines(*shifted) != shifted
    wider = lines("param a  = 1", "param b  = 2", "param cc= 3 + 4  # why", "param d  = 5     # because")
    assert wider == ["param a  = 1", "param b  = 2", "param cc = 3 + 4  # why", "param d  = 5      # because"]
    pushed = lines('param a    = 1+b*c   source "x"', 'param long = 1+b*d*e source "y"')
    assert pushed == ['param a    = 1 + b * c     source "x"', 'param long = 1 + b * d * e source "y"']


def test_blanks_that_align_nothing_go() -> None:
    assert lines("param    a = 1", "let  later   = t") == ["param a = 1", "let later = t"]
    assert lines("param a  = 1", "", "param bb = 2") == ["param a = 1", "", "param bb = 2"]


# ------------------------------------------------------------------ nothing is lost


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
@pytest.mark.parametrize("seed", range(2))
def test_any_layout_of_a_spec_is_laid_out(path: Path, seed: int) -> None:
    chance = random.Random(f"{path.stem}{seed}")
    text = path.read_text(encoding="utf-8")
    tree = parse(SourceFile("m.pbpk", text))
    shaken, done, depth = "", 0, 0
    for token in tokens(text):
        assert token.start_pos is not None and token.end_pos is not None
        gap = text[done : token.start_pos]
        if gap and not gap.strip(" "):
            gap = chance.choice([gap, gap, " ", "   ", "\t"])
            if depth and chance.random() < 0.1:
                gap = chance.choice(["\n", " # note\n   "])
        elif gap:
            gap = chance.choice([gap, gap, gap.replace("\n", "\n\n\n"), gap.replace("\n", "  \n \t")])
        shaken += gap + str(token)
        depth += (token == "(") - (token == ")")
        done = token.end_pos
    shaken += text[done:]
    assert parse(SourceFile("m.pbpk", shaken)) == tree
    found = laid_out(shaken)
    assert parse(SourceFile("m.pbpk", found)) == tree
    assert comments(found) == comments(shaken)
    assert laid_out(found) == found
    assert all(line == line.rstrip() for line in found.split("\n"))
