"""What an editor is told of a text: offers, hovers, renames, layout; without a server."""

from __future__ import annotations

import random
import re
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from pbpkc.editor.analysis import Analysis, analyse
from pbpkc.editor.completion import complete
from pbpkc.editor.formatting import formatted
from pbpkc.editor.hover import hover
from pbpkc.editor.navigate import definition, outline
from pbpkc.editor.occurrences import occurrences
from pbpkc.editor.places import to_offset, to_position
from pbpkc.editor.rename import Refused, applied, renamed
from pbpkc.editor.reports import to_editor
from pbpkc.editor.texts import Texts
from pbpkc.editor.tokens import path_at, pieces
from pbpkc.language.resolve import resolve
from pbpkc.language.show import show_model
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.expected import expected
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse, parse_what_stands, read_source

ROOT = Path(__file__).resolve().parents[2]
SPECS = [*sorted((ROOT / "specs").rglob("*.pbpk")), ROOT / "tests" / "golden" / "everything.pbpk"]
PAGE = (ROOT / "grammar" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```pbpk\n(pbpk 1\n.*?)```", PAGE, re.DOTALL)

SPEC = """pbpk 1
model two "Blood and two organs"   # a comment; with "quotes"

covariate BW "body weight" = 70 [kg] in (30, 150) [kg]
covariate SEX = 0 in (0, 1)
param CO "cardiac output" = 6 [L/min] * (BW / 70 [kg])^0.75   source "assumed"
param k<3> = 0.1 [1/h]
masked clint ~ lognormal(20 [L/h], cv = 50 [%]) in (1, 400) [L/h]
function twice(x, y) = 2 * x * y
unknown f "form" (c [umol/L] in (0, 9) [umol/L]) -> [1] {
  range (0, 1); falling in c; default exp(-c / 1 [umol/L])
}

blood artery, vein { volume = 2 [L] }
tissue liver { volume = 1.8 [L]; flow = 25 [%] * CO; vascular = 0.2 [L] }
tissue rest  { volume = 60 [L]; like = muscle }
lumen gut, si<3>
sink out
circulation CO {
  vein -> artery
  artery -> {liver, rest} -> vein
}
species X "drug" carried by CO {
  mw = 300 [g/mol]; fup = 0.2; bp = 0.9
  kp = 1.5; ps.liver = 3 [L/h]
}
species M { mw = 400 [g/mol] }

process absorption for i in 1..2 : si<i>.X -> si<i+1>.X  rate k<i> * si<i>.X.A
process emptying : gut.X -> si<1>.X rate k<1> * gut.X.A
process uptake : si<3>.X -> rest.X rate k<3> * si<3>.X.A * (1 + SEX)
process loss : liver.tissue.X -> out.M rate twice(clint, liver.tissue.X.Cu) * f(liver.tissue.X.C)
let amount = sum(si<j>.X.A for j in 1..3)
observe Cp = vein.X.Cp in [ng/mL]  error prop(10 [%])
observe gone = out.M.A + amount in [umol]
scenario oral { dose X 10 [mg] into si<1>; run 24 [h] }
scenario iv from oral { dose X 10 [mg] into vein over 5 [min]; set BW = 60 [kg] }
scenario trial {
  data "trial.csv" {
    column TIME [h]
    column AMT [mg]
    column BW [kg]
    CMT 1 dose X into si<1>
    DVID 1 observe Cp
  }
}
check cmax(oral.Cp) in (0, 1) [mg/L]
"""


class Text:
    """An open text in a folder."""

    def __init__(self, folder: Path, text: str, name: str = "m.pbpk") -> None:
        self.texts, self.folder, self.path = Texts(), folder, folder / name
        self.texts.put(self.path, text)
        self.analysis = analyse(self.path, self.texts)

    def change(self, text: str) -> Analysis:
        self.texts.put(self.path, text)
        self.analysis = analyse(self.path, self.texts, self.analysis)
        return self.analysis

    def offers(self, end: str) -> list[str]:
        """What is offered behind a text that is added."""
        text = SPEC + end
        offers, _ = complete(self.change(text), len(text))
        return [o.text for o in sorted(offers, key=lambda o: o.rank)]

    def place(self, mark: str) -> int:
        before, after = mark.split("|")
        return self.analysis.file.text.index(before + after) + len(before)

    def shown(self, mark: str) -> str:
        found = hover(self.analysis, self.place(mark))
        return found[0] if found is not None else ""

    def renamed(self, mark: str, new: str) -> str:
        changes = renamed(self.analysis, self.place(mark), new, self.texts, [])
        return applied(changes).get(str(self.path), self.analysis.file.text)


@pytest.fixture
def text(tmp_path: Path) -> Text:
    found = Text(tmp_path, SPEC)
    assert found.analysis.problems == () and found.analysis.sound
    return found


# ------------------------------------------------------------------ pieces


@pytest.mark.parametrize(
    ("line", "path", "index"),
    [
        ("rate k * si<i+1>.AP|AP.A", ["si", "APAP", "A"], 1),
        ("rate k * s|i<i+1>.APAP.A", ["si", "APAP", "A"], 0),
        ("liver . X . |C", ["liver", "X", "C"], 2),
        ("1.5 + a|", ["a"], 0),
        ("if(a < b|.C)", ["b", "C"], 0),
        ("a = 3 |* b", [], 0),
        ("# a.b|", [], 0),
        ('"a.b|"', [], 0),
    ],
)
def test_the_reference_at_a_place(line: str, path: list[str], index: int) -> None:
    at = line.index("|")
    names, here = path_at(line.replace("|", ""), at)
    assert [name.text for name in names] == path and here == index


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_pieces_hold_everything_but_blanks(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    found = list(pieces(text))
    between = [text[a.end : b.start] for a, b in pairwise(found)]
    assert all(not gap.strip() for gap in between)
    assert {p.kind for p in found} <= {"comment", "text", "unit", "number", "name", "sign"}


# ------------------------------------------------------------------ what could stand there


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_what_stands_in_a_spec_is_among_what_is_expected_there(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    kinds = {"name": "NAME", "number": "NUMBER", "text": "STRING", "unit": "UNIT"}
    index = False
    for number, piece in enumerate(pieces(text)):
        # Indices are one token of the grammar, and a fifth of a spec shows enough.
        index = piece.text == "<" or (index and piece.text != ">")
        if piece.kind not in kinds or index or number % 5 or piece.start < 6:
            continue
        place = expected(text, piece.start)
        could = kinds[piece.kind] in place.kinds or piece.text in place.keywords
        assert could, (text[: piece.end].split("\n")[-1], place.keywords, sorted(place.kinds))


@pytest.mark.parametrize(
    ("end", "first", "never"),
    [
        ("", "param process scenario", "rate liver"),
        ("par", "param", "liver"),
        ("param ", "", "liver BW"),
        ("param p = ", "BW CO clint liver exp if t", "rate param Cp"),
        ("param p = 3 ", "source", "param"),
        ("process p : ", "liver gut si outside", "BW exp"),
        ("process p : liver.", "X M blood tissue", "C volume"),
        ("process p : liver.tissue.", "X M", "C blood"),
        ("process p : liver.X -> out.M ", "rate", "source param"),
        ("process p : liver.X -> out.M\n  ", "rate param", "source"),
        ("process p : liver.X -> out.M rate liver.X.", "A C Cp Cu Cout", "X volume"),
        ("process p : liver.X -> out.M rate liver.", "X M volume flow blood tissue", "C like"),
        ("process p : liver.X -> out.M rate liver.blood.X.", "A C Cu", "X volume"),
        ("process p : gut.X -> out.M rate gut.X.", "A", "C Cu"),
        ("process p : gut.X -> out.M rate mm(1, 2, 3, ", "competitive BW", "cmax"),
        ("tissue b { ", "volume flow outflow vascular like", "mw BW"),
        ("tissue b { like = ", "muscle liver", "BW"),
        ("tissue b { flow = ", "remainder CO", "volume"),
        ("species Y ", "carried", "volume"),
        ("species Y carried by ", "CO", "BW"),
        ("species Y { ", "mw fup kp", "volume"),
        ("species Y { pka = ", "acid base neutral", "BW"),
        ("species Y { kp.", "liver rest", "artery BW"),
        ("species Y { ps.", "liver rest", "artery BW"),
        ("let z = X.", "mw fup bp", "liver C"),
        ("let z = sum(si<i>.X.A * ", "BW", "cmax"),
        ("function g(a, b) = ", "a b BW", "rate"),
        ("unknown g(c [1] in (0, 1), since [h] in (0, 9) [h]) -> [1] { falling in ", "c since", "BW"),
        ("masked m ~ ", "lognormal normal uniform", "BW exp"),
        ("masked m ~ normal(1, 1) in (0, 2) scale ", "log natural", "BW"),
        ("observe y = a ", "in", "error"),
        ("observe y = a in [1] ", "error lloq as", "source"),
        ("observe y = a in [1] as ", "X M", "BW"),
        ("observe y = a in [1] error ", "prop add combined given", "BW"),
        ("site s drains ", "liver rest", "gut BW"),
        ("scenario s from ", "oral iv trial", "BW"),
        ("scenario s { ", "dose set run data start reset", "BW param"),
        ("scenario s { dose ", "X M", "BW liver"),
        ("scenario s { dose X 1 [mg] into ", "gut liver vein", "BW"),
        ("scenario s { dose X 1 [mg] into gut ", "at over every", "param"),
        ("scenario s {\n  set ", "BW CO liver X", "param"),
        ('scenario s { data "x" { ', "CMT DVID column keep", "BW"),
        ('scenario s { data "x" { column ', "BW TIME DV", "CO clint"),
        ('scenario s { data "x" { DVID 1 observe ', "Cp gone", "BW"),
        ("population p { ", "BW clint liver correlate", "rate"),
        ("population p { BW ~ ", "lognormal normal", "BW"),
        ("check ", "mass volume positive cmax oral", "param"),
        ("check cmax(", "oral iv", "mass"),
        ("check cmax(oral.", "Cp gone", "C BW"),
        ("circulation CO { vein -> ", "liver artery", "gut BW"),
        ("model m { ", "organism time units", "BW"),
        ("model m { organism ", "human", "BW"),
        ('param p "tex', "", "BW param"),
        ("# par", "", "param"),
        ("param p = 1", "", "BW"),
    ],
)
def test_what_is_offered(text: Text, end: str, first: str, never: str) -> None:
    offered = text.offers(end)
    assert len(offered) == len(set(offered))
    assert set(first.split()) <= set(offered), set(first.split()) - set(offered)
    assert not set(never.split()) & set(offered), set(never.split()) & set(offered)
    if not first:
        assert offered == []


def test_units_are_offered_in_brackets_with_those_of_the_spec_first(text: Text) -> None:
    assert {"L/h", "g/mol", "kg"} <= set(text.offers("param p = 3 [")[:16])
    assert "mg/mL" in text.offers("param p = 3 [mg/")
    assert text.offers("param p = 3 [mg] ") == ["source"]


def test_a_broken_head_still_offers_what_was_known(text: Text) -> None:
    broken = SPEC.replace("pbpk 1", "pbp 1")
    offers, _ = complete(text.change(broken), broken.index("BW / 70"))
    assert "clint" in {o.text for o in offers}


# ------------------------------------------------------------------ what is shown


@pytest.mark.parametrize(
    ("mark", "parts"),
    [
        ("25 [%] * C|O", ["param CO", "`CO` = **6 [L/min]**", "source: assumed", "cardiac output"]),
        ("twice(cli|nt", ["`clint` = **20 [L/h]**, the median of its prior"]),
        ("rate tw|ice(", ["function twice(x, y) = 2 * x * y"]),
        ("2 * x| * y", ["`x` belongs to", "function twice"]),
        ("si<i|>.X.A\n", ["`i` belongs to", "process absorption"]),
        ("* f|(liver", ["unknown f"]),
        ("-> re|st.X rate", ["tissue rest", "`rest.volume` = 60 [L]", "d rest.X / dt ="]),
        ("liver.tissue.X.C|u)", ["unbound", "liver.tissue.X.Cu = "]),
        ("loss : liver.tis|sue", ["The cells of liver"]),
        ("loss : liver.tissue.|X", ["d liver.tissue.X / dt =", "# loss"]),
        ("vein.X.C|p in", ["concentration in plasma", "vein.X.Cp = vein.X.C / X.bp"]),
        ("cmax(oral.C|p)", ["observe Cp", "in `[ng/mL]`"]),
        ("cmax(or|al", ["scenario oral", "1 dose line"]),
        ("cm|ax(", ["the largest value"]),
        ("falling in c; def|ault", ["where none is given"]),
        ("6 [L|/min]", ["`[L/min]` = 60 `[L/h]`"]),
        ("si<1>; ru|n 24", ["How long a scenario lasts", "run 24 [h]"]),
        ("f|up = 0.2", ["Fraction unbound"]),
        ("DVI|D 1", ["observation number"]),
        ("spe|cies M", ["A substance"]),
    ],
)
def test_hover(text: Text, mark: str, parts: list[str]) -> None:
    shown = text.shown(mark)
    for part in parts:
        assert part in shown, shown


@pytest.mark.parametrize("mark", ["Blood and| two", "a comm|ent", "25| [%]"])
def test_nothing_is_shown_where_nothing_has_a_meaning(text: Text, mark: str) -> None:
    assert text.shown(mark) == ""


def test_hover_says_the_problem_of_a_place(text: Text) -> None:
    text.change(SPEC.replace("25 [%] * CO", "25 [%] * COO"))
    shown = text.shown("25 [%] * CO|O")
    assert "**error** `unknown-name`" in shown and "help: " in shown


def test_values_survive_a_text_that_is_broken(text: Text) -> None:
    text.change(SPEC.replace('source "assumed"', 'source "assumed'))
    assert not text.analysis.sound
    assert "`CO` = **6 [L/min]**" in text.shown("25 [%] * C|O")


def test_a_wrong_statement_leaves_the_values_of_others(tmp_path: Path) -> None:
    # There was never a state without an error.
    fresh = Text(tmp_path, SPEC.replace("25 [%] * CO", "25 [%] * COO"))
    assert "`clint` = **20 [L/h]**" in fresh.shown("twice(cli|nt")


def test_what_is_unusual_is_asked_about_while_typing(text: Text) -> None:
    analysis = text.change(SPEC.replace("volume = 1.8 [L]", "volume = 1.8 [kL]"))
    assert analysis.sound
    marked = [p.span.text for p in analysis.problems if p.severity == "warning" and p.span]
    assert any("volume = 1.8 [kL]" in text for text in marked), marked


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_every_name_of_a_spec_leads_to_its_declaration(spec: Path) -> None:
    texts = Texts()
    analysis = analyse(spec, texts)
    assert analysis.tree is not None
    found = occurrences(analysis.tree, analysis.scope)
    assert found
    for one in found[::9]:
        places = definition(analysis, one.span.start)
        assert places and all(place.text == one.name.rpartition(".")[2] for place in places), one


@pytest.mark.parametrize(
    ("mark", "new", "changed"),
    [
        ("25 [%] * C|O", "Q", r"\bCO\b"),
        ("-> re|st.X", "muscles", r"\brest\b"),
        ("s|i<1>", "jejunum", r"\bsi\b"),
        ("into vei|n", "venous", r"\bvein\b"),
        ("cmax(oral.|Cp)", "Y", r"\bCp\b(?! in )|\bCp\b(?= = )"),
        ("cmax(o|ral", "mouth", r"\boral\b"),
        ("tw|ice(clint", "double", r"\btwice\b"),
        ("2 * x| * y", "z", r"\bx\b"),
        ("si<j|>", "n", r"\bj\b"),
    ],
)
def test_rename(text: Text, mark: str, new: str, changed: str) -> None:
    wanted = SPEC if new == "Y" else re.sub(changed, new, SPEC)
    if new == "Y":
        wanted = SPEC.replace("observe Cp", "observe Y").replace("oral.Cp", "oral.Y")
    assert text.renamed(mark, new) == wanted


def test_the_index_of_one_statement_is_renamed_alone(text: Text) -> None:
    found = text.renamed("for i| in 1..2", "n")
    assert "absorption for n in 1..2 : si<n>.X -> si<n+1>.X  rate k<n> * si<n>.X.A" in found
    assert found.count("<i>") == 0 and "for j in" in found


def test_a_column_keeps_its_header(text: Text) -> None:
    assert "    column weight = BW [kg]\n" in text.renamed("covariate B|W", "weight")


def test_a_header_that_is_read_by_its_name_holds_the_name(text: Text) -> None:
    (text.folder / "trial.csv").write_text("# made\nID,TIME,AMT,DV,DVID,BW,SEX\n1,0,1,.,.,70,1\n")
    with pytest.raises(Refused, match="write `column SEX = SEX` into the data block of scenario 'trial'"):
        text.renamed("covariate S|EX", "female")


def test_a_composition_that_is_found_by_a_name_holds_the_name(tmp_path: Path) -> None:
    predicted = SPEC.replace("kp = 1.5", "kp = auto(rodgers_rowland); logp = 2; pka = neutral()")
    text = Text(tmp_path, predicted.replace('"Blood and two organs"', '"m" { organism human }'))
    assert text.analysis.sound
    with pytest.raises(Refused, match="write `like = liver` into the block of 'liver' first"):
        text.renamed("ps.liv|er", "hepar")
    assert "tissue flesh  { volume = 60 [L]; like = muscle }" in text.renamed(
        "artery -> {liver, re|st}", "flesh"
    )


@pytest.mark.parametrize(
    ("mark", "new", "why"),
    [
        ("25 [%] * C|O", "clint", "'clint' is declared in m.pbpk, line 8"),
        ("25 [%] * C|O", "if", "a word of the language"),
        ("25 [%] * C|O", "a b", "is no name"),
        ("25 [%] * C|O", "k", "'k' is declared"),
        ("k<3|", "x", "no name of the spec"),
        ("s|i<1>", "i", "an index or an argument"),
        ("species |X", "volume", "no species can be called 'volume'"),
        ("species |X", "Cu", "no species can be called 'Cu'"),
        ("covariate B|W", "TIME", "a word of data files"),
        ("2 * x| * y", "y", "already stands in this statement"),
        ("2 * x| * y", "exp", "a word of the language"),
        ("mo|del two", "a", "no name of the spec"),
        ("cm|ax(", "a", "no name of the spec"),
    ],
)
def test_a_rename_that_is_refused(text: Text, mark: str, new: str, why: str) -> None:
    with pytest.raises(Refused, match=re.escape(why)):
        text.renamed(mark, new)


def test_a_name_that_is_not_changed_changes_nothing(text: Text) -> None:
    assert text.renamed("25 [%] * C|O", "CO") == SPEC


def test_nothing_is_renamed_in_a_text_that_does_not_parse(text: Text) -> None:
    text.change(SPEC + "param = \n")
    with pytest.raises(Refused, match="does not parse"):
        text.renamed("25 [%] * C|O", "Q")


@pytest.mark.parametrize("stem", ["everything", "theophylline_oral"])
def test_a_renamed_spec_means_the_same(stem: str, tmp_path: Path) -> None:
    spec = next(path for path in SPECS if path.stem == stem)
    text = Text(tmp_path, spec.read_text(encoding="utf-8"))
    before = show_model(resolve(parse(text.analysis.file)))
    for name in list(text.analysis.scope.names())[::6]:
        at = next(
            o.span.start
            for o in occurrences(text.analysis.tree, text.analysis.scope)  # type: ignore[arg-type]
            if o.name == name and o.declares and o.owner is None
        )
        try:
            changes = renamed(text.analysis, at, "zz_new", text.texts, [])
        except Refused as refusal:
            assert "composition" in str(refusal)
            continue
        after = resolve(parse(SourceFile("m.pbpk", applied(changes)[str(text.path)])))
        back = re.sub(r"\bzz_new\b", name, show_model(after))
        # Columns are as wide as their longest entry.
        assert Counter(_lines(back)) == Counter(_lines(before))


def _lines(text: str) -> list[str]:
    return re.sub(r" +", " ", text).split("\n")


# ------------------------------------------------------------------ layout


@pytest.mark.parametrize(
    "source",
    [*(path.read_text(encoding="utf-8") for path in SPECS), *EXAMPLES],
    ids=[*(path.stem for path in SPECS), *(f"page{i}" for i in range(len(EXAMPLES)))],
)
def test_layout_keeps_meaning_and_comments_and_is_stable(source: str) -> None:
    tree = parse(SourceFile("m.pbpk", source))
    laid_out = format_text(tree)
    again = parse(SourceFile("m.pbpk", laid_out))
    assert again == tree
    assert format_text(again) == laid_out

    def comments(text: str) -> list[str]:
        return [p.text.rstrip() for p in pieces(text) if p.kind == "comment"]

    assert comments(laid_out) == comments(source)
    assert all(line == line.rstrip() for line in laid_out.split("\n"))


@pytest.mark.parametrize(
    ("loose", "tidy"),
    [
        ("pbpk 1;model  m;param a=1", "pbpk 1\nmodel m\nparam a = 1\n"),
        ("# head\n\n\n\npbpk 1 # one\nmodel m", "# head\n\npbpk 1  # one\nmodel m\n"),
        ("pbpk 1\nmodel m\n  # why\n\tparam a=1   # a\n\n\n", "pbpk 1\nmodel m\n# why\nparam a = 1  # a\n"),
        (
            "pbpk 1\nmodel m\nparam a = (1 +  # first\n   2)\n",
            "pbpk 1\nmodel m\nparam a = (1 +  # first\n   2)\n",
        ),
    ],
)
def test_layout(loose: str, tidy: str) -> None:
    assert format_text(parse(SourceFile("m.pbpk", loose))) == tidy


# ------------------------------------------------------------------ what stands of a broken text


def test_the_statements_that_parse_are_read_where_they_stand() -> None:
    text = SPEC.replace("param CO", "parm CO").replace("run 24 [h] }\nscenario iv", "run 24 [h]\nscenario iv")
    found = parse_what_stands(SourceFile("m.pbpk", text))
    assert found.tree is not None and [p.code for p in found.problems] == ["syntax", "unclosed"]
    whole = parse(SourceFile("m.pbpk", SPEC))
    assert 0 < len(whole.statements) - len(found.tree.statements) <= 3
    for statement in found.tree.statements:
        assert statement.span.text == text[statement.span.start : statement.span.end]
    assert any(getattr(s, "name", "") == "trial" for s in found.tree.statements)


def test_what_is_read_from_the_disk_is_read_once(tmp_path: Path) -> None:
    place = tmp_path / "a.pbpk"
    place.write_text("pbpk 1\r\nmodel a\r\n", encoding="utf-8")
    texts = Texts()
    first = texts.source(place)
    assert first is texts.source(place) and first == read_source(place.resolve())
    assert texts.parsed(first) is texts.parsed(first)
    place.write_text("pbpk 1\nmodel longer\n", encoding="utf-8")
    assert "longer" in texts.source(place).text
    texts.put(place, "\ufeffpbpk 1\rmodel open\r\n")
    assert texts.source(place).text == "pbpk 1\nmodel open\n"
    texts.drop(place)
    assert "longer" in texts.source(place).text


# ------------------------------------------------------------------ whatever is typed


@pytest.mark.parametrize("seed", range(12))
def test_no_text_is_too_broken_to_be_asked_about(seed: int, text: Text) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        broken = SPEC
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(broken))
            piece = chance.choice(
                ["", "{", "}", "(", '"', "#", "\n", "𝒳", "µ", "\t", "param ", "liver.", ' use "x"\n']
            )
            broken = broken[:at] + piece + broken[at + chance.choice([0, 0, 1, 30, 10_000]) :]
        analysis = text.change(broken)
        assert "internal" not in {p.code for p in analysis.problems}
        to_editor(analysis.problems, analysis.file)
        for _ in range(4):
            at = chance.randrange(len(broken) + 1)
            hover(analysis, at)
            complete(analysis, at)
            definition(analysis, at)
            with suppress(Refused):
                renamed(analysis, at, "zz", text.texts, [])
            assert to_offset(analysis.file, to_position(analysis.file, at)) == at
        outline(analysis)
        formatted(analysis)
