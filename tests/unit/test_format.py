"""The canonical text of a spec: it says the same, and formatting it again changes nothing."""

from __future__ import annotations

import re
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.language.source import SourceFile, Span
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.format import WIDTH, format_expression, format_number, format_tree
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse, read_source

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.pbpk"))


def read(*lines: str) -> n.SyntaxTree:
    return parse(SourceFile("m.pbpk", "\n".join(["pbpk 1", *lines]) + "\n"))


def formatted(*lines: str) -> list[str]:
    """The lines of the canonical text, without the first."""
    return format_tree(read(*lines)).splitlines()[1:]


def expression(text: str) -> n.SyntaxExpr:
    (statement,) = read(f"param x = {text}").statements
    assert isinstance(statement, n.Value)
    return statement.value


def canonical(text: str) -> str:
    return format_expression(expression(text))


# ------------------------------------------------------------------ expressions


@pytest.mark.parametrize(
    "text",
    [
        "a + b - c",
        "a - (b - c)",
        "a * b / c",
        "a / (b * c)",
        "(a + b) * c",
        "-a * b",
        "-(a * b)",
        "-2^2",
        "(-2)^2",
        "2^3^2",
        "(2^3)^2",
        "2^-3",
        "(a + b)^(c / d)",
        "a - -b",
        "--a",
        "3 [mg/L] * exp(-k * t)",
        "if(a < b and c >= d, x, y)",
        "if(a > 1 or b <= 2, x, -y)",
        "sum(K<i,j> * g(x<j>) for i in 1..3, j in 1..20)",
        "liver.APAP.Cout * si<i+1>.APAP.A",
        "lognormal(1 [1/h], cv = 50 [%])",
    ],
)
def test_canonical_expressions_stay_as_they_are(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("((a))", "a"),
        ("(a*b)*c", "a * b * c"),
        ("a*(b*c)", "a * (b * c)"),
        ("(a+b)-c", "a + b - c"),
        ("(2^(3^2))", "2^3^2"),
        ("-(2^2)", "-2^2"),
        ("3[mg]", "3 [mg]"),
        ("K< 1 , 2 >", "K<1,2>"),
        ("f(a = 1, 2)", "f(2, a = 1)"),
        ("if(x<y, 1, 2)", "if(x < y, 1, 2)"),
        ("if(a<b and c>d, 1, 2)", "if(a < b and c > d, 1, 2)"),
    ],
)
def test_parentheses_and_blanks_are_normalised(text: str, expected: str) -> None:
    assert canonical(text) == expected
    assert expression(expected) == expression(text)


@pytest.mark.parametrize(
    "text", ["0", "2", "0.9", "0.125", "1e-30", "1.5e-299", "12345678901234567890", "3e20", "1.25e20"]
)
def test_numbers_are_written_exactly(text: str) -> None:
    assert Fraction(format_number(Fraction(text))) == Fraction(text)


def test_a_third_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="1/3"):
        format_number(Fraction(1, 3))


# ------------------------------------------------------------------ layout


def test_a_long_process_has_its_rate_on_a_line_of_its_own() -> None:
    rate = "mm(vmax_sult * BW^0.75, km_sult, liver.APAP.C) * paps(liver.APAP.C, tad(APAP))"
    assert formatted(f"process sult : liver.APAP -> body_sul.SUL rate {rate} split 0.5 else out.APAP") == [
        "",
        "process sult : liver.APAP -> body_sul.SUL",
        f"  rate {rate}",
        "  split 0.5 else out.APAP",
    ]


def test_a_short_block_stands_on_one_line_and_a_long_one_does_not() -> None:
    sources = [f'flow = {i} [L/h]  source "a citation of some length"' for i in range(3)]
    assert formatted("tissue liver {", "volume = 1.8 [L] ; flow=3 [L/h]", "}") == [
        "",
        "tissue liver { volume = 1.8 [L]; flow = 3 [L/h] }",
    ]
    assert formatted("tissue liver {" + "; ".join(sources) + "}") == [
        "",
        "tissue liver {",
        *(f'  flow = {i} [L/h] source "a citation of some length"' for i in range(3)),
        "}",
    ]


def test_groups_of_statements_are_parted_by_a_blank_line() -> None:
    text = formatted("param a = 1", "param b = 2", "let c = 3", "state x = 1", "check mass")
    assert text == ["", "param a = 1", "param b = 2", "", "let c = 3", "", "state x = 1", "", "check mass"]


def test_comments_are_not_in_a_tree() -> None:
    assert formatted("param a = 1 # why", "# nothing else") == ["", "param a = 1"]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_survive(path: Path) -> None:
    tree = read_source(path)
    text = format_tree(parse(tree))
    again = parse(SourceFile("again", text))
    assert again == parse(tree)
    assert format_tree(again) == text
    assert all(len(line) <= WIDTH or '"' in line or "(" in line for line in text.splitlines())


# ------------------------------------------------------------------ random trees

_SPAN = Span(SourceFile("", ""), 0, 0)


def _node(made: type, /, **fields: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(made, span=st.just(_SPAN), **fields)


def _tuple(items: st.SearchStrategy, least: int = 0, most: int = 3) -> st.SearchStrategy:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def _maybe(items: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | items


_names = st.sampled_from(["a", "k_el", "x1", "liver", "CO", "APAP", "_z"])
_index = st.sampled_from([None, "1", "i", "i+1", "1,2", "i-1,j", "i+j-2"])
_number = st.from_regex(r"\A(0|[1-9][0-9]{0,6})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?\Z")
_unit = _node(
    n.UnitText, text=st.sampled_from(["mg", "mL/min/kg^0.75", "%", "1", "umol/L", "degC", " L / h "])
)
_text = st.text(st.characters(blacklist_characters='"\n\r', blacklist_categories=("Cs", "Cc")), max_size=12)
_whole = st.integers(0, 10**7)
_part = _node(n.Part, name=_names, index=_index)
_word = _node(n.Part, name=_names, index=st.none())
_ref = _node(n.Ref, parts=_tuple(_part, 1))
_member = _node(n.Member, name=_names, index=_index)
_plain = _node(n.Member, name=_names, index=st.none())
_binding = _node(n.Binding, name=_names, first=_whole, last=_whole)
_over = _tuple(_binding, most=2)
_quantity = st.builds(
    lambda text, unit: n.Quantity(Fraction(text), text, unit, span=_SPAN), _number, _maybe(_unit)
)


def _extended(inner: st.SearchStrategy) -> st.SearchStrategy:
    def operation(op: str, count: int) -> st.SearchStrategy:
        return st.tuples(*[inner] * count).map(lambda args: n.Operation(op, args, span=_SPAN))

    compared = st.sampled_from(["lt", "le", "gt", "ge"]).flatmap(lambda op: operation(op, 2))
    joined = st.builds(
        lambda op, args: n.Operation(op, args, span=_SPAN),
        st.sampled_from(["and", "or"]),
        _tuple(compared, 2),
    )
    named = st.dictionaries(_names, inner, max_size=2).map(lambda d: tuple(d.items()))
    return st.one_of(
        st.sampled_from(["add", "sub", "mul", "div", "pow"]).flatmap(lambda op: operation(op, 2)),
        operation("neg", 1),
        st.builds(lambda *a: n.Operation("if", a, span=_SPAN), compared | joined, inner, inner),
        _node(n.Call, name=_names, args=_tuple(inner), named=named),
        _node(n.Reduce, name=_names, expr=inner, over=_tuple(_binding, 1, 2)),
    )


_expr = st.recursive(_quantity | _ref, _extended, max_leaves=10)
_call = _node(
    n.Call,
    name=_names,
    args=_tuple(_expr, most=2),
    named=st.dictionaries(_names, _expr, max_size=2).map(lambda d: tuple(d.items())),
)
_pair = _node(n.Pair, low=_expr, high=_expr, unit=_maybe(_unit))
_attribute = _node(n.Attribute, ref=_ref, value=_expr, source=_text)
_arrow = st.sampled_from(["->", "<->"])
_term = _node(n.Term, count=_number.map(Fraction), ref=_ref)
_when = st.one_of(
    _node(
        n.When,
        word=st.sampled_from(["at", "over", "rate", "every", "count", "lag", "fraction", "for"]),
        value=_expr,
    ),
    _node(n.When, word=st.just("steady"), value=st.none()),
)
_moments = _tuple(_when, most=2)


def _valued(keyword: str) -> st.SearchStrategy:
    indexed = keyword in ("param", "let")
    return _node(
        n.Value,
        keyword=st.just(keyword),
        member=_member if indexed else _plain,
        doc=_text,
        over=_over if indexed else st.just(()),
        value=_expr,
        bounds=st.none() if indexed else _maybe(_pair),
        hold=_maybe(_word) if keyword == "covariate" else st.none(),
        source=_text if keyword in ("covariate", "param") else st.just(""),
    )


_split = st.one_of(st.just((None, None)), st.tuples(_expr, _ref))
_process = st.builds(
    lambda split, **fields: n.Process(split=split[0], otherwise=split[1], span=_SPAN, **fields),
    _split,
    name=_names,
    doc=_text,
    over=_over,
    left=_tuple(_term, 1),
    arrow=_arrow,
    right=_tuple(_term, 1),
    rate=_expr,
)
_ROWS = (
    _node(n.ColumnLine, target=_member, header=_maybe(_names), unit=_maybe(_unit), factor=_maybe(_expr)),
    _node(n.DoseRow, column=_word, number=_whole, species=_maybe(_word), into=_ref, when=_moments),
    _node(n.ObserveRow, column=_word, number=_whole, target=_member, unit=_maybe(_unit)),
    _node(n.Keep, column=_names, bounds=_pair),
)
_data = _node(n.Data, path=_text, items=_tuple(st.one_of(*_ROWS)))
_ITEMS = (
    _node(n.DoseLine, species=_maybe(_word), amount=_expr, into=_ref, when=_moments),
    _node(n.Set, target=_ref, value=_expr, when=_moments),
    _node(n.Start, target=_ref, value=_expr),
    _node(n.StartSteady),
    _node(n.StartAfter, scenario=_word),
    _node(n.Reset, at=_expr),
    _node(n.Run, until=_expr),
    _data,
)


def _scenario_of(items: st.SearchStrategy) -> st.SearchStrategy:
    return _node(n.ScenarioBlock, name=_names, parent=_maybe(_word), doc=_text, items=_tuple(items, 1))


def _data_of(rows: st.SearchStrategy) -> st.SearchStrategy:
    return _scenario_of(_node(n.Data, path=_text, items=_tuple(rows, 1)))


_scenario = _scenario_of(st.one_of(*_ITEMS))
_KINDS = (
    _node(
        n.ModelHead,
        name=_names,
        doc=_text,
        organism=_maybe(_word),
        time=_maybe(_unit),
        unit_free=st.booleans(),
    ),
    _node(n.Use, path=_text, alias=_maybe(_names), without=_tuple(_ref)),
    _node(n.Set, target=_ref, value=_expr, when=st.just(())),
    *(_valued(keyword) for keyword in ("covariate", "input", "param", "let")),
    _node(n.Function, name=_names, arguments=_tuple(_names, 1), body=_expr),
    _node(
        n.Masked,
        member=_member,
        doc=_text,
        over=_over,
        prior=_call,
        bounds=_maybe(_pair),
        scale=_maybe(_word),
        source=_text,
    ),
    _node(
        n.UnknownTerm,
        name=_names,
        doc=_text,
        unit=_unit,
        arguments=_tuple(_node(n.UnknownArgument, name=_names, unit=_unit, bounds=_pair), 1, 2),
        ranges=_tuple(_pair, most=2),
        shapes=_tuple(
            _node(n.Shape, direction=st.sampled_from(["rising", "falling"]), argument=_names), most=2
        ),
        anchors=_tuple(_node(n.Anchor, arguments=_tuple(_expr, 1, 2), value=_expr), most=2),
        defaults=_tuple(_expr, most=2),
    ),
    _node(n.SpeciesBlock, name=_names, doc=_text, carried=_tuple(_ref), attributes=_tuple(_attribute)),
    _node(
        n.NodeBlock,
        kind=st.sampled_from(["blood", "tissue", "lumen", "pool", "sink"]),
        members=_tuple(_member, 1),
        doc=_text,
        attributes=_tuple(_attribute),
    ),
    _node(n.StateLine, member=_member, doc=_text, value=_expr),
    _node(n.Ode, target=_ref, over=_over, value=_expr),
    _node(n.Start, target=_ref, value=_expr),
    _node(n.StartSteady),
    _node(
        n.Circulation,
        name=_names,
        doc=_text,
        chains=_tuple(_node(n.Chain, groups=_tuple(_tuple(_ref, 1), 2), at=_maybe(_expr)), 1),
    ),
    _node(n.FlowLine, name=_names, doc=_text, over=_over, left=_ref, arrow=_arrow, right=_ref, at=_expr),
    _process,
    _node(n.Site, name=_names, doc=_text, drains=_tuple(_ref, 1)),
    _node(
        n.Observe,
        member=_member,
        doc=_text,
        over=_over,
        value=_expr,
        unit=_unit,
        molar=_maybe(_word),
        error=_maybe(_call),
        lloq=_maybe(_expr),
    ),
    _node(
        n.Population,
        name=_names,
        doc=_text,
        items=_tuple(
            st.one_of(
                _node(n.Vary, target=_ref, prior=_call, bounds=_maybe(_pair)),
                _node(n.Correlate, left=_ref, right=_ref, value=_expr),
            ),
            1,
        ),
    ),
    _scenario,
    _node(n.CheckRule, rules=_tuple(_word, 1)),
    _node(n.CheckValue, expr=_expr, bounds=_pair),
)


_statements = st.one_of(*_KINDS)


def _kinds(node: object) -> set[type]:
    """The classes of a node and of all that it holds."""
    if isinstance(node, tuple):
        return set().union(*map(_kinds, node))
    if not isinstance(node, n.Syntax):
        return set()
    held = [_kinds(getattr(node, f.name)) for f in fields(node) if f.name != "span"]
    return set().union({type(node)}, *held)


def test_any_statement_survives(measuring: bool) -> None:
    seen: set[type] = set()

    def survives(statement: n.Statement) -> None:
        seen.update(_kinds(statement))
        tree = n.SyntaxTree(SourceFile("", ""), "1", (statement,))
        text = format_tree(tree)
        again = parse(SourceFile("again", text))
        assert again == tree
        assert format_tree(again) == text

    # Kind by kind, and what stands in scenarios once more: one draw of many would show few of them.
    for drawn in (*_KINDS, *map(_scenario_of, _ITEMS), *map(_data_of, _ROWS)):
        count = 60 if measuring else 5
        settings(max_examples=count, derandomize=True, deadline=None, database=None)(given(drawn)(survives))()
    assert seen == set(n.Syntax.__subclasses__()), "every construct of the language is drawn"


@settings(max_examples=30, derandomize=True, deadline=None, database=None)
@given(_tuple(_statements, most=6), st.integers(0, 10**6))
def test_any_spec_survives(statements: tuple[n.Statement, ...], seed: int) -> None:
    tree = n.SyntaxTree(SourceFile("", ""), "1", statements)
    text = format_tree(tree)
    assert parse(SourceFile("again", text)) == tree
    # The layout keeps the comments as well, wherever they stand.
    rng = Random(seed)
    lines = []
    for number, line in enumerate(text.splitlines()):
        lines += [f"{' ' * rng.randrange(5)}# above {number}"] * (rng.random() < 0.2)
        lines.append(" " * rng.randrange(3) + line + f"  # behind {number}" * (rng.random() < 0.3))
        lines += [""] * rng.randrange(3)
    commented = "\n".join(lines)
    assert parse(SourceFile("commented", commented)) == tree
    laid_out = format_text(parse(SourceFile("commented", commented)))
    again = parse(SourceFile("again", laid_out))
    assert again == tree
    assert format_text(again) == laid_out
    assert _comments(laid_out) == _comments(commented)


def _comments(text: str) -> list[str]:
    return re.findall(r"# (?:above|behind) [0-9]+$", text, re.MULTILINE)
