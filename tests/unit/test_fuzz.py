"""Any text at all is read or refused: no other exception, no long wait, no large memory."""

from __future__ import annotations

import re
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.language.bind import MOST_TERMS
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.parse import parse
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "specs").glob("*.pbpk"))]
WORDS = sorted({word for text in TEXTS for word in re.findall(r"\w+|[^\w\s]", text)})

#: Seconds of processor time that reading one text may take; a shipped spec takes a tenth of one, and a bomb
#: that is not defused minutes.
LONGEST = 10.0


def read(text: str) -> list[str] | None:
    """The codes of the problems of a text, None where it is a spec."""
    begin = time.process_time()
    try:
        resolve(parse(SourceFile("fuzz.pbpk", text)))
        codes = None
    except SpecError as error:
        assert str(error)
        places = [(d.code, d.message, d.span) for d in error.diagnostics]
        assert len(set(places)) == len(places), "one problem is reported once"
        for d in error.diagnostics:
            assert d.to_json()["message"] == d.message
        codes = [d.code for d in error.diagnostics]
    assert time.process_time() - begin < LONGEST
    return codes


_fast = settings(derandomize=True, deadline=None, database=None)


@settings(_fast, max_examples=80)
@given(st.text(max_size=60), st.booleans())
def test_random_text(text: str, header: bool) -> None:
    read("pbpk 1\n" + text if header else text)


@settings(_fast, max_examples=80)
@given(st.lists(st.sampled_from([*WORDS, "\n", "\n", " "]), max_size=30))
def test_random_words_of_the_language(words: list[str]) -> None:
    read("pbpk 1\nmodel m\n" + " ".join(words))


@settings(_fast, max_examples=60)
@given(st.sampled_from(TEXTS), st.floats(0, 1))
def test_truncated_specs(text: str, where: float) -> None:
    read(text[: int(where * len(text))])


@settings(_fast, max_examples=60)
@given(
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=3),
)
def test_flipped_bits(text: str, flips: list[tuple[float, int]]) -> None:
    raw = bytearray(text.encode())
    for where, bit in flips:
        raw[int(where * len(raw))] ^= 1 << bit
    read(raw.decode("utf-8", errors="replace"))


@settings(_fast, max_examples=80)
@given(
    st.sampled_from(TEXTS),
    st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.sampled_from([*WORDS, "0", "-1", "1e300", "1e-300", "10^10"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_changed_words(text: str, changes: list[tuple[float, str, bool]]) -> None:
    pieces = re.findall(r"\w+|\s+|[^\w\s]", text)
    for where, word, replace in changes:
        at = int(where * len(pieces))
        pieces[at : at + replace] = [word]
    read("".join(pieces))


# ------------------------------------------------------------------ texts made to break a reader

HEAD = "pbpk 1\nmodel m\nstate y = 1\nprocess p : y -> outside rate 1 [1/h] * y\nscenario s { run 1 [h] }\n"

BOMBS = {
    "a tower of powers": ("param z = 10^10^10^10", None),
    "a tower over a unit": ("param z = (2 [mg])^(10^10^10)", "dimensional-power"),
    "a high power of a unit": ("param z = (2 [mg])^999999999", "dimensional-power"),
    "a high power in a unit": ("param z = 2 [mg^999999999]", "bad-unit"),
    "a long unit": ("param z = 2 [" + "mg*" * 5000 + "mg]", "bad-unit"),
    "a long number": ("param z = " + "9" * 100_000, "bad-number"),
    "a high exponent": ("param z = 1e9999999999", "bad-number"),
    "many parentheses": ("param z = " + "(" * 5000 + "1" + ")" * 5000, None),
    "open parentheses": ("param z = " + "(" * 5000, "unclosed"),
    "many signs": ("param z = " + "-" * 5000 + "1", "too-nested"),
    "many powers": ("param z = " + "2^" * 5000 + "1", "too-nested"),
    "many calls": ("param z = " + "exp(" * 2000 + "1" + ")" * 2000, "too-nested"),
    "a long sum": ("param z = " + "+".join(["1"] * 5000), None),
    "a long alternating sum": ("param z = " + "1 + 2 - " * 2000 + "1", None),
    "a giant family": ("state x<1000000000> = 1", "bad-index"),
    "a giant matrix": ("param x<1000000,1000000> = 1", "bad-index"),
    "a giant range": ("process q for i in 1..1000000000 : y -> outside rate 1 [1/h] * y", "bad-index"),
    "a giant double range": (
        "process q for i in 1..20000, j in 1..20000 : y -> outside rate 1 [1/h] * y",
        "bad-index",
    ),
    "a giant sum in sums": (
        "param z = sum(sum(sum(i * j * k for i in 1..20000) for j in 1..20000) for k in 1..20000)",
        "too-large",
    ),
    "a billion laughs": (
        "function f0(x) = x + x\n"
        + "".join(f"function f{i}(x) = f{i - 1}(f{i - 1}(x))\n" for i in range(1, 40))
        + "param z = f39(2)",
        "too-large",
    ),
    "arguments read twice": ("function f(x) = x * x\nparam z = " + "f(" * 45 + "2" + ")" * 45, "too-large"),
    "modifiers read twice": ("param z = " + "mm(1, 1, " * 40 + "2" + ", substrate(1))" * 40, "too-large"),
    "a long chain, last one first": (
        "".join(f"param p{i} = p{i + 1} + 1\n" for i in range(1000)) + "param p1000 = 1",
        None,
    ),
    "a long circle": (
        "".join(f"param p{i} = p{i + 1} + 1\n" for i in range(500)) + "param p500 = p0",
        "cycle",
    ),
    "an unknown name in every member": (
        "process q for i in 1..20000 : y -> outside rate nothing * y * i",
        "unknown-name",
    ),
    "a circulation of braces": (
        "circulation CO { a -> {"
        + ", ".join(f"b{i}" for i in range(200))
        + "} -> {"
        + ", ".join(f"c{i}" for i in range(200))
        + "} }",
        "unknown-name",
    ),
    "quotes": ('"' * 5001, "syntax"),
    "braces": ("{" * 5000, "syntax"),
    "blank lines": ("\n" * 100_000 + " " * 100_000 + ";" * 10_000, None),
    "comments": ("# nothing\n" * 20_000, None),
    "a long index": ("param z = y<" + "1+" * 5000 + "1>", "bad-index"),
    "an index of many digits": ("param z = y<" + "9" * 5000 + ">", "bad-index"),
    "a giant count": (
        "scenario q { dose X 1 [mg] into y every 1 [h] count 1e300; run 1 [h] }",
        "unknown-name",
    ),
    "a file that never ends": (
        'use "/dev/zero"',
        "too-long" if Path("/dev/zero").exists() else "missing-file",
    ),
    "a folder": ('use "."', "missing-file"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    text, code = BOMBS[name]
    codes = read(HEAD + text + "\n")
    assert codes is None if code is None else codes is not None and code in codes


@pytest.mark.parametrize(
    "name", ["a billion laughs", "modifiers read twice", "a giant sum in sums", "a high power in a unit"]
)
def test_bombs_take_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SpecError):
            resolve(parse(SourceFile("bomb.pbpk", HEAD + BOMBS[name][0] + "\n")))
        assert tracemalloc.get_traced_memory()[1] < 1000 * MOST_TERMS
    finally:
        tracemalloc.stop()


def test_a_spec_with_many_errors_is_given_up_at_some_point() -> None:
    codes = read("pbpk 1\n" + "param = 3\n" * 200)
    assert codes == ["syntax"] * 20
