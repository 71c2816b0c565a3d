"""Text to syntax tree: lines, separators, numbers, operators, places, and several errors at once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pbpkc.language.diagnostics import SpecError
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax import nodes as n
from pbpkc.language.syntax.parse import parse, read_source
from pbpkc.language.syntax.statements import enclosing_statement, left_open, statement_starts
from pbpkc.language.syntax.transform_expressions import MOST_NESTING


def read(text: str) -> n.SyntaxTree:
    return parse(SourceFile("m.pbpk", text))


def statements(*lines: str) -> tuple[n.Statement, ...]:
    return read("\n".join(["pbpk 1", *lines]) + "\n").statements


def value(text: str) -> n.SyntaxExpr:
    (statement,) = statements(f"param x = {text}")
    assert isinstance(statement, n.Value)
    return statement.value


def refused(text: str) -> list[tuple[str, int, int]]:
    """Code, line and column of each problem."""
    with pytest.raises(SpecError) as error:
        read(text)
    return [(d.code, d.span.line, d.span.column) for d in error.value.diagnostics if d.span]


def shape(expr: n.SyntaxExpr) -> object:
    """An expression as nested tuples."""
    match expr:
        case n.Quantity():
            return expr.value if expr.unit is None else (expr.value, expr.unit.text)
        case n.Ref():
            return expr.text
        case n.Operation():
            return (expr.op, *(shape(a) for a in expr.args))
        case n.Call():
            return (expr.name, *(shape(a) for a in expr.args), *((k, shape(v)) for k, v in expr.named))
    return ("sum over", shape(expr.expr))


# ------------------------------------------------------------------ operators


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", ("add", "a", ("mul", "b", "c"))),
        ("a - b - c", ("sub", ("sub", "a", "b"), "c")),
        ("a / b / c", ("div", ("div", "a", "b"), "c")),
        ("a / b * c", ("mul", ("div", "a", "b"), "c")),
        ("2^3^2", ("pow", 2, ("pow", 3, 2))),
        ("-2^2", ("neg", ("pow", 2, 2))),
        ("2^-3", ("pow", 2, ("neg", 3))),
        ("-a * b", ("mul", ("neg", "a"), "b")),
        ("a - -b", ("sub", "a", ("neg", "b"))),
        ("4 [kg]^2", ("pow", (4, "kg"), 2)),
        ("f(a, g(b))", ("f", "a", ("g", "b"))),
        ("lognormal(1, cv = 2)", ("lognormal", 1, ("cv", 2))),
        ("if(a < b, 1, 2)", ("if", ("lt", "a", "b"), 1, 2)),
        ("if(a<b, 1, 2)", ("if", ("lt", "a", "b"), 1, 2)),
        ("if(a<b and c>d, 1, 2)", ("if", ("and", ("lt", "a", "b"), ("gt", "c", "d")), 1, 2)),
        ("if(a < 2 or a >= 4, 1, 2)", ("if", ("or", ("lt", "a", 2), ("ge", "a", 4)), 1, 2)),
        ("x<i+1> * K<i,j>", ("mul", "x<i+1>", "K<i,j>")),
        ("K<1, 2>", "K<1,2>"),
        ("liver.APAP.C", "liver.APAP.C"),
        ("sum(x<i> for i in 1..3)", ("sum over", "x<i>")),
    ],
)
def test_operators(text: str, expected: object) -> None:
    assert shape(value(text)) == expected


@pytest.mark.parametrize("text", ["0.5", "12", "1.23e-4", "1E6", "2e+3", "0", "007"])
def test_numbers_are_exact(text: str) -> None:
    found = value(text)
    assert isinstance(found, n.Quantity)
    assert (found.value, found.text) == (Fraction(text), text)


# ------------------------------------------------------------------ lines


def test_a_semicolon_ends_a_statement_like_a_new_line() -> None:
    assert statements("param a = 1; param b = 2") == statements("param a = 1", "param b = 2")


def test_a_new_line_in_parentheses_ends_nothing() -> None:
    assert shape(value("f(1,\n  2\n\n  + 3\n)")) == ("f", 1, ("add", 2, 3))


@pytest.mark.parametrize("word", ["rate 2 * a.A", "rate 2 * a.A split 0.5 else c"])
def test_a_line_that_begins_with_a_clause_continues_the_one_above(word: str) -> None:
    assert statements(f"process p : a -> b {word}") == statements(
        "process p : a -> b", "", "  # how fast", f"  {word}"
    )


def test_clauses_of_an_observable_and_a_source_continue_too() -> None:
    whole = statements("observe y = a.C in [mg/L] error prop(0.1) lloq 1 [mg/L]", 'param k = 2 source "x"')
    broken = statements(
        "observe y = a.C in [mg/L]", "  error prop(0.1)", "  lloq 1 [mg/L]", "param k = 2", '  source "x"'
    )
    assert whole == broken


def test_indentation_blank_lines_and_comments_do_not_count() -> None:
    assert statements("", "   param a = 1   # one", "", "# two", "\tparam b = 2") == statements(
        "param a = 1", "param b = 2"
    )


def test_a_hash_in_a_text_is_no_comment() -> None:
    (statement,) = statements('param a "50 # per day" = 1')
    assert isinstance(statement, n.Value)
    assert statement.doc == "50 # per day"


def test_blocks_may_stand_on_one_line_or_on_several() -> None:
    short = statements("tissue liver { volume = 1 [L]; flow = 2 [L/h] }")
    assert short == statements("tissue liver {", "  volume = 1 [L]", "", "  flow = 2 [L/h]", "}")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_system(tmp_path: Path, end: str) -> None:
    path = tmp_path / "m.pbpk"
    path.write_bytes(
        end.join(
            ["pbpk 1", "model m", "param a = (1", "  + 2)", "process p : a -> b", "  rate k", ""]
        ).encode()
    )
    assert read_source(path).text.count("\n") == 6
    assert len(parse(read_source(path)).statements) == 3


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "m.pbpk"
    path.write_bytes(b"\xef\xbb\xbfpbpk 1\nmodel m\n")
    assert len(parse(read_source(path)).statements) == 1


def test_tabs_are_blanks_also_in_units() -> None:
    assert statements("param\ta\t=\t1 [mg /\tL]") == statements("param a = 1 [mg /\tL]")


def test_the_last_line_needs_no_end_and_may_be_a_comment() -> None:
    assert len(read("pbpk 1\nparam a = 1").statements) == 1
    assert len(read("pbpk 1\nparam a = 1 # end").statements) == 1


def test_comments_may_stand_before_the_header() -> None:
    assert read("# a spec\n\npbpk 1\nmodel m\n").version == "1"


# ------------------------------------------------------------------ words


def test_words_that_follow_a_dot_are_free_elsewhere() -> None:
    (statement,) = statements("observe Cp = plasma.X.Cp in [mg/L]")
    assert isinstance(statement, n.Observe)
    assert statement.member.name == "Cp"


def test_an_attribute_may_be_called_like_a_declaration() -> None:
    (statement,) = statements("tissue liver { flow = 2 [L/h] }")
    assert isinstance(statement, n.NodeBlock)
    assert statement.attributes[0].ref.text == "flow"


@pytest.mark.parametrize("line", ["paramk = 1", "statex = 1", "scenario s { run24 [h] }"])
def test_a_word_of_the_language_ends_where_the_word_ends(line: str) -> None:
    assert refused(f"pbpk 1\n{line}\n")[0][0] == "syntax"


def test_a_factor_of_a_column_is_a_product() -> None:
    (statement,) = statements('scenario s { data "x.csv" { column A = B [mg] * 2 / c } }')
    assert isinstance(statement, n.ScenarioBlock)
    (data,) = statement.items
    assert isinstance(data, n.Data)
    (column,) = data.items
    assert isinstance(column, n.ColumnLine) and column.factor is not None
    assert shape(column.factor) == ("div", 2, "c")


# ------------------------------------------------------------------ places


def test_places_are_lines_and_columns_from_one() -> None:
    (statement,) = statements("param total = (a + bb) * c")
    assert isinstance(statement, n.Value)
    assert (statement.span.line, statement.span.column) == (2, 1)
    assert isinstance(statement.value, n.Operation)
    total, factor = statement.value.args
    assert (total.span.text, factor.span.text) == ("a + bb", "c")
    assert (factor.span.line, factor.span.column) == (2, 26)


def test_places_do_not_take_part_in_comparisons() -> None:
    assert read("pbpk 1\nparam a = 1\n") == read("pbpk 1\n\n\n   param   a=1\n")
    assert read("pbpk 1\nparam a = 1\n") != read("pbpk 1\nparam a = 1.0\n")


# ------------------------------------------------------------------ errors


def test_all_errors_are_reported_at_once_each_at_its_place() -> None:
    lines = [
        "pbpk 1",
        "model m",
        "param a = .5",
        "param b = 2",
        "pool p { volume 1 [L] }",
        "process q : a -> b",
    ]
    text = "\n".join([*lines, "param c = 1.", ""])
    assert refused(text) == [("syntax", 3, 11), ("syntax", 5, 17), ("syntax", 6, 19), ("syntax", 7, 12)]


def test_an_error_does_not_swallow_the_next_statement() -> None:
    assert refused("pbpk 1\nbogus line\nparam b = 2 3\nrubbish\n") == [
        ("syntax", 2, 1),
        ("syntax", 3, 13),
        ("syntax", 4, 1),
    ]


def test_an_open_brace_is_found_where_it_was_opened() -> None:
    lines = ["pbpk 1", "tissue a { volume = 1 [L]", "param b = 2", "scenario s {", "  run 1 [h]"]
    text = "\n".join([*lines, "observe y = a.C in [mg/L]", ""])
    assert refused(text) == [("unclosed", 2, 10), ("unclosed", 4, 12)]


def test_an_open_parenthesis_is_found_where_it_was_opened() -> None:
    assert refused("pbpk 1\nparam a = f(1, (2 + 3)\nparam b = 2\n") == [("unclosed", 2, 12)]


def test_what_is_missing_is_marked_behind_what_comes_before() -> None:
    assert refused("pbpk 1\nprocess p : a -> b   # no rate\nparam k = 1\n") == [("syntax", 2, 19)]


def test_a_missing_header_is_the_only_problem() -> None:
    assert refused("model m\nparam = 3\n") == [("no-header", 1, 1)]


def test_nesting_has_a_limit() -> None:
    nested = "exp(" * MOST_NESTING + "1" + ")" * MOST_NESTING
    assert isinstance(value(nested), n.Call)
    assert [code for code, *_ in refused(f"pbpk 1\nparam a = exp({nested})\n")] == ["too-nested"]


def test_a_sum_of_any_length_is_not_nested() -> None:
    assert isinstance(value(" + ".join(["a"] * 2000)), n.Operation)


# ------------------------------------------------------------------ statements of a broken text


def test_statements_begin_at_lines_and_semicolons_outside_of_brackets() -> None:
    text = "param a = (1\n + 2); param b = 3\ntissue t {\n volume = 1\n}\nprocess p : a -> b\n  rate k\n"
    assert [text[s:].split()[0] for s in list(statement_starts(text))[:-1]] == [
        "param",
        "param",
        "tissue",
        "process",
    ]


def test_a_declaration_in_the_first_column_ends_an_open_bracket() -> None:
    text = "tissue t {\n volume = 1\n flow = 2\nflow f : a -> b at q\n"
    assert [text[s:].split()[0] for s in list(statement_starts(text))[:-1]] == ["tissue", "flow"]


def test_a_statement_is_found_around_a_place() -> None:
    text = "param a = 1\n\n  param bb = 2\nparam c = 3\n"
    begin, end = enclosing_statement(text, text.index("bb"))
    assert text[begin:end] == "param bb = 2\n"


def test_brackets_in_texts_and_comments_do_not_count() -> None:
    assert left_open('param a "(" = 1 # (', 0, 19) is None
    assert left_open("f(a, {b)", 0, 8) == (5, "{")
