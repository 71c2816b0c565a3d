"""An mrgsolve model file, read without being run: blocks to values, compartments, statements, outputs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.annotations import annotated_lines, options, words
from pbpkc.language.foreign.constants import worked_out
from pbpkc.language.foreign.cpp_tree import read_code, read_formula, read_values
from pbpkc.language.foreign.model import (
    Assign,
    Branch,
    Compartment,
    Effects,
    Kind,
    Output,
    Reading,
    Statement,
    Value,
)
from pbpkc.language.foreign.mrgsolve_blocks import Block, blocks
from pbpkc.language.foreign.terms import Num, Sym, Term, number
from pbpkc.language.source import SourceFile, Span

_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass
class _Found:
    """What the blocks hold, gathered one by one."""

    title: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    compartments: list[Compartment] = field(default_factory=list)
    code: dict[str, list[Statement]] = field(
        default_factory=lambda: {"global": [], "main": [], "ode": [], "table": []}
    )
    outputs: list[Output] = field(default_factory=list)
    macros: dict[str, tuple[Term, Span]] = field(default_factory=dict)
    effects: list[Effects] = field(default_factory=list)
    counts: dict[Kind, int] = field(default_factory=lambda: {"eta": 0, "eps": 0})
    thetas: int = 0
    run: Fraction | None = None
    captured: list[tuple[str, Span]] = field(default_factory=list)
    assumptions: list[Diagnostic] = field(default_factory=list)


def read_mrgsolve(file: SourceFile) -> Reading:
    """The parts of an mrgsolve file.

    Raises
    ------
    SpecError
        With everything that is no part of a system of differential equations.
    """
    read, comments = blocks(file)
    found = _Found()
    problems: list[Diagnostic] = []
    for block in read:
        try:
            _READERS[block.holds](block, found)
        except SpecError as error:
            problems += error.diagnostics
    _capture_types(file, found)
    if not found.compartments and not problems:
        problems.append(
            Diagnostic(
                "no-model",
                f"'{file.name}' has no compartments",
                (Label(read[0].head),),
                help="declare them: $CMT GUT CENT",
            )
        )
    if problems:
        raise SpecError(problems)
    main = [*found.code["global"], *found.code["main"]]
    return Reading(
        "mrgsolve",
        file,
        " ".join(found.title),
        tuple(found.values),
        tuple(found.compartments),
        (("main", tuple(main)), ("ode", tuple(found.code["ode"])), ("table", tuple(found.code["table"]))),
        _special(found.compartments),
        tuple(found.outputs),
        found.macros,
        tuple(found.effects),
        comments,
        found.run,
        tuple(found.assumptions),
    )


def _special(compartments: list[Compartment]) -> dict[str, tuple[str, str]]:
    special: dict[str, tuple[str, str]] = {}
    for compartment in compartments:
        name = compartment.name
        special |= {
            f"dxdt_{name}": ("ode", name),
            f"{name}_0": ("initial", name),
            f"F_{name}": ("fraction", name),
            f"ALAG_{name}": ("lag", name),
            f"D_{name}": ("duration", name),
            f"R_{name}": ("rate", name),
        }
    return special


# ------------------------------------------------------------------ blocks


def _text(block: Block, found: _Found) -> None:
    lines = [line.strip().lstrip("#-").strip() for line in block.text.split("\n")]
    first = next((line for line in lines if line), "")
    if not found.title and first:
        found.title.append(first.replace('"', "'"))


def _values(block: Block, found: _Found) -> None:
    given, text = options(block)
    kind: Kind = "covariate" if block.name == "INPUT" or "covariates" in given else "param"
    named = set(re.findall(r"\w+", given.get("covariates", "")))

    def take(name: str, term: Term, span: Span, doc: str = "", unit: str = "") -> None:
        own: Kind = ("covariate" if not named or name in named else "param") if kind == "covariate" else kind
        found.values.append(Value(name, worked_out(term, "a parameter is a number"), span, doc, unit, own))

    if "annotated" in given:
        for line in annotated_lines(block, text, values=True):
            assert line.value is not None and line.value_span is not None
            take(line.name, read_formula(line.value, line.value_span), line.span, line.doc, line.unit)
        return
    for name, term, span in read_values(text, block.span):
        take(name, term, span)


def _numbers(block: Block, found: _Found) -> None:
    given, text = options(block)
    if "annotated" in given:
        for line in annotated_lines(block, text, values=True):
            assert line.value is not None and line.value_span is not None
            term = worked_out(read_formula(line.value, line.value_span), "an estimate is a number")
            found.thetas += 1
            found.values.append(
                Value(f"THETA{found.thetas}", term, line.span, line.doc or line.name, line.unit)
            )
        return
    for word, span in words(block, text):
        found.thetas += 1
        term = worked_out(read_formula(word, span), "an estimate is a number")
        found.values.append(Value(f"THETA{found.thetas}", term, span))


def _compartments(block: Block, found: _Found) -> None:
    given, text = options(block)
    if "annotated" in given:
        for line in annotated_lines(block, text, values=False):
            found.compartments.append(Compartment(line.name, line.span, line.doc, line.unit))
        return
    for word, span in words(block, text):
        if not _NAME.fullmatch(word):
            raise _refuse("syntax", f"'{word}' is no name of a compartment", span, "write $CMT GUT CENT")
        found.compartments.append(Compartment(word, span))


def _initials(block: Block, found: _Found) -> None:
    given, text = options(block)
    if "annotated" in given:
        for line in annotated_lines(block, text, values=True):
            assert line.value is not None and line.value_span is not None
            term = worked_out(read_formula(line.value, line.value_span), "an initial value is a number")
            found.compartments.append(Compartment(line.name, line.span, line.doc, line.unit, term))
        return
    for name, term, span in read_values(text, block.span):
        value = worked_out(term, "an initial value is a number")
        found.compartments.append(Compartment(name, span, initial=value))


_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)(\()?[ \t]*([^\n]*)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#[^\n]*", re.MULTILINE)


def _code(block: Block, found: _Found) -> None:
    _, text = options(block) if "@" in block.text or ">>" in block.text else ({}, block.text)
    text = _directives(block, text, found)
    found.code[block.holds].extend(read_code(text, block.span))


def _directives(block: Block, text: str, found: _Found) -> str:
    """Take ``#define NAME formula`` out of a block; other directives are refused."""
    problems = []
    for match in _DIRECTIVE.finditer(text):
        lead = len(match.group()) - len(match.group().lstrip())
        place = block.place(match.start() + lead, match.end())
        defined = _DEFINE.fullmatch(match.group())
        if defined is None:
            problems.append(
                Diagnostic(
                    "not-a-model", "a directive of C++ is more than a model", (Label(place),),
                    help="leave it out, and put what it brings in into the blocks",
                )
            )  # fmt: skip
            continue
        name, arguments, body = defined.group(1), defined.group(2), defined.group(3).strip()
        if arguments:
            problems.append(
                Diagnostic(
                    "not-a-model", f"the macro '{name}' has arguments: it is a function", (Label(place),),
                    help="write its formula where it is used",
                )
            )  # fmt: skip
            continue
        start = match.start() + defined.start(3)
        span = block.place(start, start + len(body))
        try:
            # A macro is text; only one whose value does not depend on what stands around it is a formula.
            statements = read_code(f"{name} = {body};", Span(span.file, span.start - len(name) - 3, span.end))
        except SpecError as error:
            problems.append(
                Diagnostic(
                    "not-a-model", f"the macro '{name}' is no formula", (Label(place),),
                    notes=(error.diagnostics[0].message,), help="write what it stands for where it is used",
                )
            )  # fmt: skip
            continue
        statement = statements[0] if len(statements) == 1 else None
        if not isinstance(statement, Assign) or not (
            isinstance(statement.value, Num | Sym) or (body.startswith("(") and _closes_at_end(body))
        ):
            problems.append(
                Diagnostic(
                    "not-a-model", f"the macro '{name}' has no parentheses: its meaning depends on what "
                    "stands around it", (Label(place),), help=f"write #define {name} ({body})",
                )
            )  # fmt: skip
            continue
        found.macros[name] = statement.value, span
    if problems:
        raise SpecError(problems)
    return _DIRECTIVE.sub(lambda m: " " * len(m.group()), text)


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return place == len(text) - 1
    return False


def _capture(block: Block, found: _Found) -> None:
    given, text = options(block)
    if "annotated" in given:
        for line in annotated_lines(block, text, values=False):
            found.outputs.append(Output(line.name, line.name, line.span, line.doc, line.unit))
        return
    # `new = old` reports a value under another name.
    for match in re.finditer(r"([A-Za-z_]\w*)(?:[ \t]*=[ \t]*([A-Za-z_]\w*))?|([^\s,;]+)", text):
        span = block.place(match.start(), match.end())
        if match.group(3):
            raise _refuse(
                "syntax", f"'{match.group(3)}' is no name", span, "write $CAPTURE CP, or $CAPTURE CP = IPRED"
            )
        found.outputs.append(Output(match.group(1), match.group(2) or match.group(1), span))


def _effects(kind: Kind) -> Callable[[Block, _Found], None]:
    word = "ETA" if kind == "eta" else "EPS"

    def read(block: Block, found: _Found) -> None:
        given, text = options(block)
        labels = re.findall(r"\w+", given.get("labels", ""))
        entries: list[tuple[Fraction, str, str, Span]] = []
        if "annotated" in given:
            for line in annotated_lines(block, text, values=True):
                assert line.value is not None and line.value_span is not None
                for number_word in re.finditer(r"\S+", line.value):
                    place = Span(
                        line.value_span.file,
                        line.value_span.start + number_word.start(),
                        line.value_span.start + number_word.end(),
                    )
                    entries.append((_variance(number_word.group(), place), line.name, line.doc, line.span))
        else:
            for match in re.finditer(r"(?:([A-Za-z_]\w*)[ \t]*[=:])?[ \t]*([^\s,;]+)", text):
                place = block.place(match.start(2), match.end(2))
                entries.append((_variance(match.group(2), place), match.group(1) or "", "", place))
        block_form = "block" in given or "cor" in given or "correlation" in given
        rows = _rows([e[0] for e in entries], block_form, block)
        firsts = [e for e, new in zip(entries, _row_ends(len(entries), block_form), strict=True) if new]
        names = []
        for place_in_block, (_, label, doc, span) in enumerate(firsts):
            found.counts[kind] += 1
            name = f"{word}{found.counts[kind]}"
            label = labels[place_in_block] if place_in_block < len(labels) else label
            names.append(name)
            found.values.append(Value(name, number(0), span, doc or label, "", kind))
            if label and label != name and label not in (".", "_"):
                found.macros[label] = Sym(name, span), span
        if kind == "eta" and names:
            if "cor" in given or "correlation" in given:
                rows = _from_correlations(rows)
            found.effects.append(Effects(tuple(names), tuple(tuple(r) for r in rows)))

    return read


def _variance(text: str, place: Span) -> Fraction:
    term = worked_out(read_formula(text, place), "a variance is a number")
    assert isinstance(term, Num)
    return term.value


def _row_ends(count: int, block_form: bool) -> list[bool]:
    if not block_form:
        return [True] * count
    ends = [False] * count
    at, row = -1, 1
    while at + row < count:
        at += row
        ends[at] = True
        row += 1
    return ends


def _rows(numbers: list[Fraction], block_form: bool, block: Block) -> list[list[Fraction]]:
    if not block_form:
        return [[Fraction(0)] * i + [v] for i, v in enumerate(numbers)]
    rows: list[list[Fraction]] = []
    rest = list(numbers)
    while rest:
        width = len(rows) + 1
        if len(rest) < width:
            raise _refuse(
                "matrix", f"${block.name} is no lower triangle: {len(numbers)} numbers", block.head,
                "write 1, 3, 6, 10 numbers",
            )  # fmt: skip
        rows.append(rest[:width])
        rest = rest[width:]
    return rows


def _from_correlations(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    deviations = [Fraction(float(row[-1]) ** 0.5).limit_denominator(10**12) for row in rows]
    return [
        [row[j] * deviations[i] * deviations[j] for j in range(i)] + [row[i]] for i, row in enumerate(rows)
    ]


def _set(block: Block, found: _Found) -> None:
    match = re.search(r"\bend[ \t]*=[ \t]*([0-9.eE+]+)", block.text)
    if match:
        found.run = Fraction(match.group(1))
    found.assumptions.append(
        Diagnostic(
            "left-out", "$SET says how the tool runs; only `end` is taken, as the length of the run",
            (Label(block.head),), severity="note",
        )
    )  # fmt: skip


def _capture_types(file: SourceFile, found: _Found) -> None:
    """``capture CP = CENT / V;`` in $TABLE declares a value and reports it."""
    named = {o.name for o in found.outputs}

    def look(statements: list[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Branch):
                look([*statement.then, *statement.other])
            elif statement.declares and statement.target not in named:
                line = file.line(statement.span.line)
                if re.search(rf"\bcapture\b[^;]*\b{statement.target}\b", line):
                    named.add(statement.target)
                    found.outputs.append(Output(statement.target, statement.target, statement.span))

    for code in found.code.values():
        look(code)


def _refuse(code: str, message: str, place: Span, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, (Label(place),), help=help)])


_READERS: dict[str, Callable[[Block, _Found], None]] = {
    "text": _text,
    "values": _values,
    "numbers": _numbers,
    "compartments": _compartments,
    "initials": _initials,
    "global": _code,
    "main": _code,
    "ode": _code,
    "table": _code,
    "capture": _capture,
    "eta": _effects("eta"),
    "eps": _effects("eps"),
    "set": _set,
}
