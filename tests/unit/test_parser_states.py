"""Every state of the parser in which a text can stop yields a message for people."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from parser_states import States, states, stopped_in

from pbpkc.language.diagnostics import Diagnostic, SpecError
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax import parse as parsing
from pbpkc.language.syntax.format import format_statement
from pbpkc.language.syntax.parse import parse, read_source, terminals
from pbpkc.language.syntax.statements import DECLARING
from pbpkc.language.syntax.stops import USAGE

EXAMPLES = sorted((Path(__file__).parents[1] / "rejected" / "syntax").glob("*.pbpk"))

#: Names of tokens that are no words of the language: none of them belongs in a message. `NAME` stands in
#: examples of how a line is written.
TECHNICAL = {t.name for t in terminals() if not (t.pattern.type == "str" and t.pattern.value.isalpha())} - {
    "NAME"
}


@pytest.fixture(scope="module")
def all_states() -> States:
    return states()


def test_the_states_are_those_of_the_grammar(all_states: States) -> None:
    assert len(all_states.table) > 500
    assert set(all_states.prefixes) == set(all_states.table), "every state is met behind some text"
    # Where the fixed point finds a wrong token, there is a text that stops; one that ends too early may have
    # stopped at its last line end already.
    for state, tokens in all_states.surplus.items():
        assert bool(tokens - {"$END", "_SEP"}) <= (state in all_states.wrong) <= bool(tokens)


# ------------------------------------------------------------------ which states the examples reach


def example_states(monkeypatch: pytest.MonkeyPatch) -> set[object]:
    """The states in which the rejected examples stop."""
    found: set[object] = set()
    attempt = parsing._attempt

    def noticing(file: SourceFile, text: str, done: int) -> object:
        found.add(stopped_in(parsing._ahead(text, done)))
        return attempt(file, text, done)

    monkeypatch.setattr(parsing, "_attempt", noticing)
    for path in EXAMPLES:
        # A few parse and are refused for what they say.
        with contextlib.suppress(SpecError):
            parse(read_source(path))
    return found - {None}


def test_states_that_no_example_reaches_are_counted(
    all_states: States,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[..., None],
    record_property: Callable[[str, object], None],
) -> None:
    stopping = set(all_states.wrong)
    reached = example_states(monkeypatch)
    assert reached <= stopping
    missing = stopping - reached
    figure(
        f"parser states in which a text can stop, of {len(all_states.table)}",
        len(stopping),
        below=len(all_states.table),
    )
    figure("parser states that no rejected example reaches", len(missing), below=800)
    kinds = defaultdict(list)
    for state in missing:
        text = all_states.text(all_states.prefixes[state]).partition("\n")[2].strip() or "(the first line)"
        kinds[text.split()[0]].append(text)
    for kind, texts in kinds.items():
        shortest = min(texts, key=lambda t: (len(t), t)).replace("\n", "; ")
        record_property(
            "figure", f"parser states without an example, {kind}: {len(texts)}, behind `{shortest}`"
        )
    # An example less is noticed, a state more is not held against anybody.
    assert len(reached) >= REACHED
    assert sum(map(len, kinds.values())) == len(missing)


#: How many states the examples reached when this was written.
REACHED = 65


# ------------------------------------------------------------------ and each has its message


def problems(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        parse(SourceFile("m.pbpk", text))
    return caught.value.diagnostics


def complaint(text: str, problem: Diagnostic) -> str | None:
    """What is wrong with a message; None where nothing is."""
    span = problem.span
    if span is None or not 0 <= span.start <= span.end <= len(text):
        return "no place in the file"
    if problem.code == "no-header":
        return None if "does not begin with the version" in problem.message else "not what is missing"
    if problem.code not in ("syntax", "unclosed"):
        return f"the code is {problem.code}"
    if not problem.help or re.search(r"[^.][.?]$", problem.help):
        return "no help"
    spoken = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", " ".join([problem.message, *problem.notes]))
    if re.search(r"[A-Z_$]{2,}", spoken):
        return "a name of the grammar in the message or a note"
    if TECHNICAL & set(re.findall(r"\w+", problem.help)):
        return "a name of the grammar in the help"
    written = re.match(r"such a line is written (\w+)", problem.help)
    if written and written[1] not in re.findall(r"\w+", text):
        return "an example of another kind of line"
    if problem.code == "unclosed":
        return None if re.fullmatch(r"'[({]' is never closed", problem.message) else "not what was left open"
    if not re.fullmatch(r"(.+) cannot stand here", problem.message, re.DOTALL):
        return "not what was found"
    notes = [note for note in problem.notes if note.startswith("here can stand ")]
    if len(notes) != 1 or "nothing" in notes[0]:
        return "not what could stand there"
    return None


def test_every_state_yields_a_message_for_people(
    all_states: States, measuring: bool, figure: Callable[..., None]
) -> None:
    most = 25 if measuring else 2
    complaints = []
    silent = []
    tried = 0
    for state, wrong in all_states.wrong.items():
        texts = [all_states.text(tokens) for tokens in wrong]
        # Which of the wrong tokens are tried differs from state to state and stays the same from run to run.
        turn = crc32(texts[0].encode()) % len(texts)
        stopped = 0
        for text in [*texts[turn:], *texts[:turn]]:
            if stopped == most:
                break
            # A word of the language that cannot stand here may be read as a name.
            if stopped_in(text) != state:
                continue
            stopped += 1
            tried += 1
            said = complaint(text, problems(text)[0])
            if said:
                complaints.append((said, text))
        if not stopped:
            silent.append(texts[0])
    figure("texts that stop in some parser state, each with its message", tried, below=1e6)
    assert not silent, "a state that no text stops in"
    assert not complaints


@pytest.mark.parametrize("word", DECLARING)
def test_how_a_line_is_said_to_be_written_is_right(word: str) -> None:
    usage = re.split(r" or check|, the right side", USAGE[word])[0]
    (statement,) = parse(SourceFile("m.pbpk", f"pbpk 1\n{usage}\n")).statements
    assert format_statement(statement).split()[0] == word
