"""Any text at all is read or refused: no other exception, no long wait, no large memory.

Texts go the way that `pbpkc check` takes them before it computes: parse, layout, resolve, remarks, equations,
code. `make figures` tries many more of each kind, against tighter limits.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from cli_case import call
from hypothesis import given, settings
from hypothesis import strategies as st

from pbpkc.compiler.driver import compile_model
from pbpkc.compiler.lower import lower
from pbpkc.jobs.remarks import remarks
from pbpkc.language.binding.bind import MOST_TERMS
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.format import format_tree
from pbpkc.language.syntax.format_text import format_text
from pbpkc.language.syntax.parse import parse

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "specs").glob("*.pbpk"))
TEXTS = [path.read_text(encoding="utf-8") for path in PATHS]
WORDS = sorted({word for text in TEXTS for word in re.findall(r"\w+|[^\w\s]", text)})

#: Seconds of processor time that a diagnostic of any text may take; what is refused mostly takes a tenth of
#: one, and a bomb that is not defused minutes.
LONGEST = 2.0

#: Megabytes that a process may hold that has read all that is here.
MOST_MEMORY = 500


class Clock:
    """How long texts took, and how many times the limit they may take here."""

    patience = 5.0
    worst = 0.0
    texts = 0


@pytest.fixture(scope="module", autouse=True)
def _patience(request: pytest.FixtureRequest) -> None:
    # A machine that others use counts more seconds for the same work.
    Clock.patience = 1.0 if request.config.getoption("--figures") else 5.0


def read(text: str, *, compiled: bool | None = None) -> list[str] | None:
    """The codes of the problems of a text, None where it is a spec.

    Of one spec in ten, or where `compiled` says so, code is generated and the layouts are tried.
    """
    # Beside the shipped specs, so that what they use is found.
    file = SourceFile(str(ROOT / "specs" / "fuzz.pbpk"), text)
    begin = time.process_time()
    try:
        tree = parse(file)
        model = resolve(tree)
        assert all(d.severity != "error" for d in remarks(model))
        lower(model)
        codes = None
    except SpecError as error:
        assert str(error)
        places = [(d.code, d.message, d.span) for d in error.diagnostics]
        assert len(set(places)) == len(places), "one problem is reported once"
        for d in error.diagnostics:
            assert d.to_json()["message"] == d.message
            assert d.span is None or 0 <= d.span.start <= d.span.end <= len(d.span.file.text)
        codes = [d.code for d in error.diagnostics]
    seconds = time.process_time() - begin
    Clock.worst, Clock.texts = max(Clock.worst, seconds), Clock.texts + 1
    assert seconds < LONGEST * Clock.patience
    if codes is None and (crc32(text.encode()) % 10 == 0 if compiled is None else compiled):
        # Trees of long sums are as deep as they are long, so their texts are compared.
        canonical = format_tree(tree)
        for text_again in (canonical, format_text(tree)):
            assert format_tree(parse(SourceFile(file.name, text_again))) == canonical
        compile_model(model, torch=False)
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


# ------------------------------------------------------------------ each shipped spec, changed in many ways


def without_lines(text: str, rng: Random) -> str:
    lines = text.split("\n")
    for _ in range(rng.randint(1, 3)):
        del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def with_lines_twice(text: str, rng: Random) -> str:
    lines = text.split("\n")
    for _ in range(rng.randint(1, 3)):
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return "\n".join(lines)


def with_lines_swapped(text: str, rng: Random) -> str:
    lines = text.split("\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def with_names_swapped(text: str, rng: Random) -> str:
    pieces = re.findall(r"\w+|\s+|[^\w\s]", text)
    names = [i for i, piece in enumerate(pieces) if re.fullmatch(r"[A-Za-z_]\w*", piece)]
    i, j = rng.choice(names), rng.choice(names)
    pieces[i], pieces[j] = pieces[j], pieces[i]
    return "".join(pieces)


def with_lines_of_another(text: str, rng: Random) -> str:
    lines, other = text.split("\n"), rng.choice(TEXTS).split("\n")
    first = rng.randrange(len(other))
    at = rng.randrange(len(lines))
    lines[at:at] = other[first : first + rng.randint(1, 6)]
    return "\n".join(lines)


def truncated(text: str, rng: Random) -> str:
    return text[: rng.randrange(len(text))]


def with_a_foreign_sign(text: str, rng: Random) -> str:
    signs = (
        "\u00a0\u2212\u00d7\u201c\u201d\u00b5\u03bc\u200b\ufeff\t\r\x0c\x1b\x85\u2028\U0001f480$'`~@&|\\?!;:,"
    )
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(signs) + text[at + rng.randrange(2) :]


CHANGES: tuple[Callable[[str, Random], str], ...] = (
    truncated,
    without_lines,
    with_lines_twice,
    with_lines_swapped,
    with_names_swapped,
    with_lines_of_another,
    with_a_foreign_sign,
)


def changed_specs(each: int) -> Iterator[str]:
    """Each shipped spec changed in each way some times; once means in one way of three.

    The same texts on every machine.
    """
    for number, (path, text) in enumerate(zip(PATHS, TEXTS, strict=True)):
        for change in CHANGES[number % 3 :: 3] if each == 1 else CHANGES:
            rng = Random(f"{path.stem} {change.__name__}")
            for _ in range(each):
                yield change(text, rng)


def test_changed_specs(measuring: bool, figure: Callable[..., None]) -> None:
    refused = sum(read(text) is not None for text in changed_specs(10 if measuring else 1))
    figure("longest time to refuse or accept a changed spec, processor", Clock.worst, "s", below=LONGEST)
    assert refused > 20


def test_every_place_where_a_short_spec_may_end(measuring: bool) -> None:
    text = min(TEXTS, key=len)
    for end in range(0, len(text), 1 if measuring else 23):
        read(text[:end])


@pytest.mark.parametrize("kind", ["truncated", "flipped", "noise"])
def test_the_command_line_refuses_what_is_no_spec(kind: str, tmp_path: Path) -> None:
    rng = Random(kind)
    for number in range(4):
        raw = bytearray(rng.choice(TEXTS).encode())
        if kind == "truncated":
            raw = raw[: rng.randrange(len(raw))] + b"\xc3"
        elif kind == "flipped":
            for _ in range(30):
                raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        else:
            raw = bytearray(rng.randbytes(2000))
        path = tmp_path / f"{number}.pbpk"
        path.write_bytes(raw)
        for arguments in (["check", "--no-torch"], ["show"], ["format", "--check"], ["simulate"]):
            found = call(*arguments, path)
            assert found.code == 1, (arguments, found)
            assert "error[" in found.err


@pytest.mark.long
def test_memory(figure: Callable[..., None]) -> None:
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1]); import test_fuzz as f\n"
        "for text in f.changed_specs(3): f.read(text)\n"
        "for text, _ in f.BOMBS.values(): f.read(f.HEAD + text)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    megabytes = float(run.stdout)
    figure("memory of a process that read changed specs and bombs", megabytes, "MB", below=MOST_MEMORY)
    assert megabytes < MOST_MEMORY


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
    "many conditions": ("param z = " + "if(1 < 2, " * 1000 + "1" + ", 2)" * 1000, "too-nested"),
    "a long condition": ("param z = if(" + " and ".join(["1 < 2"] * 2000) + ", 1, 2)", None),
    "many arguments": ("param z = min(" + ", ".join(["1"] * 5000) + ")", None),
    "many blocks": ("tissue x {" * 3000, "syntax"),
    "many errors": ("param = 3\n" * 10_000, "syntax"),
    "an error behind much": ("param a<3> = 1 # much\n" * 3 + "# nothing\n" * 20_000 + "param = 2", "syntax"),
    "errors around much": (
        "param = 2\n" + "\n".join(f"param q{i} = {i}" for i in range(1500)) + "\nlet",
        "syntax",
    ),
    "a long line": ("param z = " + "x " * 50_000, "syntax"),
    "a long name": ("param = " + "a" * 200_000 + "}", "syntax"),
    "many brackets of units": ("param z = 1 " + "[mg] " * 20_000, "syntax"),
    "many arrows": ("circulation CO { " + "y -> " * 5000 + "y }", "unknown-name"),
    "many sides": ("process q : " + "y + " * 5000 + "y -> outside rate 1", None),
    "many attributes": ("pool q { " + "volume = 1 [L]; " * 3000 + "volume = 1 [L] }", None),
    "many doses": ("scenario q { " + "dose 1 into y at 0 [h]; " * 1000 + "run 1 [h] }", None),
    "many moments": ("scenario q { dose 1 into y " + "at 0 [h] " * 5000 + "; run 1 [h] }", None),
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
    assert code is None or (codes is not None and code in codes)


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
