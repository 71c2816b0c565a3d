"""The language reference: every example compiles, every error is the one it says, every word is on the page.

What the page says in formulas is compared with the equations that the compiler makes: the text blocks that
begin with ``# equations of`` and ``# equal in``, and the table of what can be read of a node.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import sympy as sp
from reference_page import PAGE, Block, blocks, page

from pbpkc.body import organisms, tissues
from pbpkc.compiler.lower import lower
from pbpkc.compiler.system import System
from pbpkc.experiment.data_columns import WORDS as DATA_WORDS
from pbpkc.jobs.remarks import remarks
from pbpkc.language.binding.scope import NODE_ATTRIBUTES, QUANTITIES, RESERVED, SPECIES_ATTRIBUTES
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.functions import ARITY, FIGURES, MODIFIERS
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.scenario import observables
from pbpkc.language.scenario.priors import FAMILIES
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.language.units import WORDS, parse_unit
from pbpkc.resources import resource

# ------------------------------------------------------------------ reading the page


@dataclass(frozen=True)
class Refused:
    """One line of a block of errors, with the code it is to be refused with."""

    base: str
    text: str
    code: str
    line: int

    def __str__(self) -> str:
        return f"line{self.line}-{self.code}"


BLOCKS = blocks()
EXAMPLES = [b for b in BLOCKS if b.language == "pbpk"]
SAVED = {m[1]: b for b in EXAMPLES if (m := re.fullmatch(r"# saved as (\S+)", b.first))}
COMPLETE = [b for b in EXAMPLES if b.text.startswith("pbpk 1\n")]
ADDED = [b for b in EXAMPLES if re.match(r"# added to ", b.first)]
WRONG = [b for b in EXAMPLES if b.first.startswith("# each refused, added to ")]


def _specs() -> Mapping[str, str]:
    """Text of every complete spec by its model name, with those that a fragment gives a name."""
    found = {}
    for block in COMPLETE:
        match = re.search(r"^model (\w+)", block.text, re.MULTILINE)
        assert match and match[1] not in found, f"no name, or one used twice: line {block.line}"
        found[match[1]] = block.text
    for block in ADDED:
        match = re.fullmatch(r"# added to (\w+), giving (\w+)", block.first)
        if match:
            found[match[2]] = found[match[1]] + "\n" + block.text
    return found


SPECS = _specs()


def _refused() -> list[Refused]:
    found = []
    for block in WRONG:
        base = block.first.rsplit(" ", 1)[1]
        for number, line in enumerate(block.text.split("\n")[1:], block.line + 1):
            match = re.fullmatch(r"(.*\S)\s+# ([a-z-]+)", line)
            assert match, f"line {number} of the page does not end in a code"
            found.append(Refused(base, match[1], match[2], number))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that examples use."""
    place = tmp_path_factory.mktemp("reference")
    for name, block in SAVED.items():
        (place / name).write_text(block.text, encoding="utf-8")
    return place


def _model(text: str, folder: Path) -> Model:
    return resolve(parse(SourceFile(str(folder / "page.pbpk"), text)))


@cache
def _system(text: str, folder: Path) -> System:
    return lower(_model(text, folder))


def test_page_is_read_whole() -> None:
    # A block that none of the tests below recognises would be checked by nobody.
    assert len(EXAMPLES) == len(SAVED) + len(COMPLETE) + len(ADDED) + len(WRONG)
    texts = [b for b in BLOCKS if b.language == "text"]
    assert all(re.match(r"# (equations of|equal in) \w+$", b.first) for b in texts)
    run = [b for b in BLOCKS if b.language in ("console", "csv")]  # by test_tutorial.py
    assert len(BLOCKS) == len(EXAMPLES) + len(texts) + len(run)
    assert len(COMPLETE) >= 8 and len(ADDED) >= 8 and len(_refused()) >= 60


# ------------------------------------------------------------------ examples


@pytest.mark.parametrize("block", COMPLETE, ids=str)
def test_complete_spec_compiles(block: Block, folder: Path) -> None:
    assert _system(block.text, folder).states


@pytest.mark.parametrize("block", ADDED, ids=str)
def test_fragment_compiles(block: Block, folder: Path) -> None:
    base = SPECS[re.match(r"# added to (\w+)", block.first)[1]]  # type: ignore[index]
    assert _system(base + "\n" + block.text, folder).states


@pytest.mark.parametrize("name", sorted(SAVED))
def test_used_file_parses(name: str) -> None:
    assert parse(SourceFile(name, SAVED[name].text)).statements


@pytest.mark.parametrize("refused", _refused(), ids=str)
def test_error_is_the_one_named(refused: Refused, folder: Path) -> None:
    with pytest.raises(SpecError) as raised:
        _system(SPECS[refused.base] + "\n" + refused.text + "\n", folder)
    assert refused.code in [d.code for d in raised.value.diagnostics]


def test_refused_lines_differ_from_right_ones_in_what_they_say(folder: Path) -> None:
    # Errors of other lines would make the test above pass: each base compiles without the line.
    for base in {r.base for r in _refused()}:
        assert _system(SPECS[base], folder).states


def test_warnings_of_examples_are_expected(folder: Path) -> None:
    for name, text in SPECS.items():
        expected = {"unit-mismatch"} if name == "unit_free" else {"large-remainder"}
        if name == "second_loop":
            expected |= {"unused"}
        assert {w.code for w in remarks(_model(text, folder))} <= expected, name


def test_expectations_of_the_tutorial_hold(folder: Path) -> None:
    from pbpkc.jobs.loaded import load

    text = SPECS["two_organs_masked"]
    (folder / "tutorial.pbpk").write_text(text, encoding="utf-8")
    report = load(folder / "tutorial.pbpk").check(torch=False)
    expected = [item for item in report.items if item.group == "expectation"]
    assert len(expected) == text.count("\ncheck ") - 1
    assert report.ok, [item.text for item in report.violations]


def test_expectations_of_the_checks_section_hold(folder: Path) -> None:
    from pbpkc.jobs.loaded import load

    (block,) = [b for b in ADDED if "check thalf" in b.text]
    (folder / "checks.pbpk").write_text(SPECS["one_pool"] + "\n" + block.text, encoding="utf-8")
    report = load(folder / "checks.pbpk").check(torch=False)
    assert sum(item.group == "expectation" for item in report.items) == 6
    assert report.ok, [item.text for item in report.violations]


# ------------------------------------------------------------------ formulas


def _written_out(system: System, expr: sp.Expr) -> sp.Expr:
    """An expression of states and parameters alone."""
    named = {a.symbol: a.expr for a in (*system.constants, *system.curves)} | {
        r.symbol: r.expr for r in system.rates
    }
    # Numbers of the spec are put in: the page may write a number where the spec has a param.
    named |= {p.symbol: sp.nsimplify(p.value) for p in system.parameters}
    while expr.free_symbols & named.keys():
        expr = expr.xreplace(named)
    return expr


def _derivative(system: System, state: str) -> sp.Expr:
    index = [s.name for s in system.states].index(state)
    return sum((n * system.rates[j].expr for (i, j), n in system.N.items() if i == index), sp.Integer(0))


def _same(left: sp.Expr, right: sp.Expr) -> bool:
    if sp.simplify(left - right) == 0:
        return True
    # Decimal numbers and rationals of them differ in the last digit.
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    for trial in range(1, 4):
        point = {s: sp.Rational(7 * trial + 3 * k, 5 + k) for k, s in enumerate(symbols)}
        a, b = float(left.subs(point)), float(right.subs(point))
        if not math.isclose(a, b, rel_tol=1e-12):
            return False
    return True


def _text_blocks(kind: str) -> list[tuple[str, Block]]:
    found = []
    for block in BLOCKS:
        match = re.fullmatch(rf"# {kind} (\w+)", block.first)
        if match and block.language == "text":
            found.append((match[1], block))
    return found


@pytest.mark.parametrize(("name", "block"), _text_blocks("equations of"), ids=str)
def test_equations_are_those_of_the_system(name: str, block: Block, folder: Path) -> None:
    system = _system(SPECS[name], folder)
    written = {}
    for line in block.text.split("\n")[1:]:
        match = re.fullmatch(r"d (\S+) / dt\s+= (.*)", line)
        assert match, line
        written[match[1]] = match[2]
    assert set(written) == {s.name for s in system.states}
    for state in system.states:
        # The right side in the language's own notation, observed in the unit of the derivative.
        observe = f"\nobserve right_side = {written[state.name]} in [{state.unit.text}/h]\n"
        page = _system(SPECS[name] + observe, folder)
        (output,) = [o for o in page.outputs if o.name == "right_side"]
        assert _same(_written_out(page, output.expr), _written_out(page, _derivative(page, state.name))), (
            state.name
        )


@pytest.mark.parametrize(("name", "block"), _text_blocks("equal in"), ids=str)
def test_equalities_hold(name: str, block: Block, folder: Path) -> None:
    for line in block.text.split("\n")[1:]:
        left, right = re.split(r"\s+= ", line)
        observe = f"\nobserve quotient = ({left}) / ({right}) in [1]\n"
        page = _system(SPECS[name] + observe, folder)
        (output,) = [o for o in page.outputs if o.name == "quotient"]
        assert _same(_written_out(page, output.expr), sp.Integer(1)), line


def test_equality_blocks_notice_a_wrong_line(folder: Path) -> None:
    block = Block("text", "# equal in one_pool\nhill(3 [uM], 2 [umol/L], 1.5) = 3^1.5 / (2^1.5 + 3^1.4)", 0)
    with pytest.raises(AssertionError):
        test_equalities_hold("one_pool", block, folder)


#: A node of each kind, and a species whose partition coefficients are given in each way.
_PLACES = """pbpk 1
model places
param Q = 2 [L/h]
blood  bld, other { volume = 5 [L] }
tissue by_kp, by_kb, by_kpu { volume = 3 [L] }
pool   pl  { volume = 2 [L] }
lumen  lm  { volume = 1 [L] }
lumen  bare
sink   sk
circulation Q { other -> bld; bld -> by_kp -> by_kb -> by_kpu -> other }
species X carried by Q { fup = 0.3; bp = 0.7; kp.by_kp = 1.9; kb.by_kb = 1.3; kpu.by_kpu = 5.1 }
process a : pl -> sk  rate 1 [1/h] * pl.A
process b : lm -> bare  rate 1 [1/h] * lm.A
"""
_ROWS = {
    "blood": ("bld", ""), "tissue with kp": ("by_kp", "kp"), "tissue with kb": ("by_kb", "kb"),
    "tissue with kpu": ("by_kpu", "kpu"), "pool": ("pl", ""), "lumen with volume": ("lm", ""),
    "lumen": ("bare", ""), "sink": ("sk", ""),
}  # fmt: skip


def test_table_of_quantities_is_what_the_compiler_makes(folder: Path) -> None:
    (table,) = re.findall(r"\| node \| `\.C` .*\n\|[-|]+\n((?:\|.*\n)+)", page())
    rows = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in table.strip().split("\n")]
    assert [row[0] for row in rows] == list(_ROWS)
    for name, *cells in rows:
        node, coefficient = _ROWS[name]
        for quantity, cell in zip(("C", "Cout", "Cp", "Cu"), cells, strict=True):
            text = _PLACES + f"observe y = {node}.X.{quantity} in [umol/L]\n"
            if cell == "error":
                with pytest.raises(SpecError) as raised:
                    _system(text, folder)
                assert [d.code for d in raised.value.diagnostics] == ["no-meaning"]
                continue
            system = _system(text, folder)
            symbols = {p.name: p.symbol for p in system.parameters}
            states = {s.name: s.symbol for s in system.states}
            meaning = {
                "A": states[f"{node}.X"],
                "V": symbols[f"{node}.volume"],
                "fup": symbols["X.fup"],
                "bp": symbols["X.bp"],
            }
            if coefficient:
                meaning[coefficient] = symbols[f"X.{coefficient}.{node}"]
            named = {a.symbol: a.expr for a in (*system.constants, *system.curves)}
            found = system.outputs[0].expr
            while found.free_symbols & named.keys():
                found = found.xreplace(named)
            assert sp.simplify(found - sp.sympify(cell, locals=meaning)) == 0, (name, quantity)


def test_table_of_spaces_is_what_the_compiler_makes(folder: Path) -> None:
    (table,) = re.findall(r"\| in \| `\.A` .*\n\|[-|]+\n((?:\|.*\n)+)", page())
    rows = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in table.strip().split("\n")]
    assert [row[0] for row in rows] == ["liver.X", "liver.blood.X", "liver.tissue.X"]
    for place, *cells in rows:
        for quantity, cell in zip(("A", "C", "Cout", "Cp", "Cu"), cells, strict=True):
            unit = "umol" if quantity == "A" else "umol/L"
            text = SPECS["two_spaces"] + f"\nobserve y = {place}.{quantity} in [{unit}]\n"
            if cell == "error":
                with pytest.raises(SpecError):
                    _system(text, folder)
                continue
            system = _system(text, folder)
            named = {p.name: p.symbol for p in system.parameters}
            states = {s.name: s.symbol for s in system.states}
            volume, share = named["liver.volume"], sp.Rational(11, 100)
            meaning = {
                "A_b": states["liver.blood.X"],
                "A_t": states["liver.tissue.X"],
                "V": volume,
                "V_b": share * volume,
                "V_t": (1 - share) * volume,
                "fup": named["X.fup"],
                "bp": named["X.bp"],
                "kp": named["X.kp"],
            }
            (output,) = [o for o in system.outputs if o.name == "y"]
            written = {a.symbol: a.expr for a in (*system.constants, *system.curves)}
            found = output.expr
            while found.free_symbols & written.keys():
                found = found.xreplace(written)
            assert sp.simplify(found - sp.sympify(cell, locals=meaning)) == 0, (place, quantity)


def test_medians_of_the_distribution_table(folder: Path) -> None:
    page = _section("Masked parameters")
    assert "| `lognormal(m, cv = c)`, `lognormal(m, sdlog = s)` | median m; s^2 = ln(1 + c^2) | m |" in page
    lines = {
        "lognormal(3, cv = 0.5)": ({"median": 3.0, "sdlog": math.sqrt(math.log(1.25))}, 3.0),
        "lognormal(3, sdlog = 0.4)": ({"median": 3.0, "sdlog": 0.4}, 3.0),
        "normal(3, sd = 2)": ({"mean": 3.0, "sd": 2.0}, 3.0),
        "normal(3, cv = 0.5)": ({"mean": 3.0, "sd": 1.5}, 3.0),
        "uniform(1, 3)": ({"low": 1.0, "high": 3.0}, 2.0),
        "beta(2, 2)": ({"a": 2.0, "b": 2.0}, 0.5),
        "halfnormal(sd = 2)": ({"sd": 2.0}, 2 * 0.6745),
    }
    for text, (arguments, median) in lines.items():
        model = _model(SPECS["one_pool"] + f"\nmasked m ~ {text}\n", folder)
        (masked,) = model.masked
        assert masked.mask is not None and masked.mask.prior is not None
        assert masked.mask.prior.arguments == pytest.approx(arguments)
        system = lower(model)
        assert {p.name: p.value for p in system.parameters}["m"] == pytest.approx(median, rel=1e-4)


def test_units_with_more_than_one_meaning() -> None:
    hours = {word: parse_unit(word).factor for word in ("year", "month", "day", "d")}
    assert (
        hours["year"] == 24 * 365.25
        and hours["month"] * 12 == hours["year"]
        and hours["day"] == hours["d"] == 24
    )
    assert parse_unit("µg").factor == parse_unit("ug").factor
    assert parse_unit("L/h/kg").dimension == parse_unit("L*h^-1*kg^-1").dimension


# ------------------------------------------------------------------ words


def _section(title: str) -> str:
    match = re.search(rf"\n## {re.escape(title)}\n(.*?)(?=\n## |\Z)", page(), re.DOTALL)
    assert match, title
    return match[1]


def _tables(section: str) -> str:
    return "\n".join(line for line in section.split("\n") if line.startswith("|"))


def _code_words(text: str) -> set[str]:
    """The words in code spans; those of fenced examples stand for nothing that is explained."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {word for span in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[A-Za-z_]\w*|%", span)}


def _grammar_words() -> set[str]:
    text = resource("grammar", "pbpk.lark").read_text(encoding="utf-8")
    rules = "\n".join(line for line in text.split("\n") if not line.startswith(("//", "%")))
    rules = re.sub(r"^[A-Z_]+:.*$", "", rules, flags=re.MULTILINE)
    return {word for word in re.findall(r'"([^"]+)"', rules) if word.isalpha()}


def test_every_keyword_of_the_grammar_is_explained() -> None:
    words = _grammar_words()
    assert {"pbpk", "model", "masked", "drains", "steady"} <= words and len(words) > 70
    assert words - _code_words(page()) == set()


def test_every_unit_is_listed() -> None:
    listed = _code_words(_tables(_section("Numbers and units")))
    assert {*WORDS, "%", "ppm", "IU"} == listed
    for word in listed:
        parse_unit(word)


def test_every_function_is_listed() -> None:
    section = _section("Expressions and functions")
    listed = {
        word
        for span in re.findall(r"^\| (.*?) \|", _tables(section), re.MULTILINE)
        for word in re.findall(r"`(\w+)", span)
    }
    assert listed == {*ARITY, "mm", "sum", "if", "t", "tad"}
    assert {*MODIFIERS, "auto", "remainder", "function"} <= _code_words(section)


def test_every_figure_distribution_and_error_model_is_listed() -> None:
    def first_words(section: str) -> set[str]:
        rows = re.findall(r"^\| (`.*?) \|", _tables(_section(section)), re.MULTILINE)
        return {word for row in rows for word in re.findall(r"`(\w+)\(", row)}

    assert first_words("Checks") == set(FIGURES)
    assert first_words("Masked parameters") == set(FAMILIES)
    assert first_words("Sites and observables") == {*observables.ERROR_MODELS, "combined"}


def test_every_attribute_quantity_and_data_word_is_explained() -> None:
    assert {*NODE_ATTRIBUTES, *QUANTITIES} <= _code_words(
        _section("Nodes") + _section("Names and references")
    )
    assert set(SPECIES_ATTRIBUTES) <= _code_words(_tables(_section("Species")))
    assert {"acid", "base", "ampholyte", "neutral"} <= _code_words(_section("Species"))
    assert set(DATA_WORDS) <= _code_words(_section("Data"))


def test_words_that_cannot_be_declared_are_listed() -> None:
    section = _section("Words of the language")
    listed = re.findall(r"^    (.*)$", section, re.MULTILINE)
    assert set(" ".join(listed).split()) == RESERVED


def test_compositions_are_those_of_the_body() -> None:
    assert set(organisms()) == {"human"}
    assert set(tissues("human")) <= _code_words(_section("Nodes"))


def test_codes_on_the_page_exist() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in (PAGE.parents[1] / "pbpkc").rglob("*.py"))
    named = {r.code for r in _refused()} | set(re.findall(r"`([a-z]+-[a-z]+)`", _section("Problems")))
    assert [code for code in sorted(named) if f'"{code}"' not in source] == []


def test_shipped_library_is_what_the_page_says() -> None:
    shipped = sorted((PAGE.parents[1] / "specs" / "library").glob("*"))
    named = re.findall(r"`library/(\w+\.pbpk)`", _section("Head and used files"))
    assert named == [path.name for path in shipped]
