"""The equations of a spec for readers: as text and as tables (as LaTeX: `equations_latex`).

The names are those of the spec, so these take the `System` as lowered, before simplification.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pbpkc.compiler.notation import Notation, arrow_text, notation
from pbpkc.compiler.system import Assignment, Output, System
from pbpkc.compiler.terms import CARRIED, Term, equation_terms
from pbpkc.report.equations_latex import equations_latex
from pbpkc.report.parameter_cells import parameter_cells

__all__ = [
    "EquationRow",
    "EquationTables",
    "ParameterRow",
    "equation_text",
    "equations_latex",
    "equations_table",
    "equations_text",
]

_WIDTH = 100
# A blank that textwrap does not break at.
_GLUE = "\u00a0"


# ------------------------------------------------------------- text


def equations_text(system: System) -> str:
    """The model as text: parameters, definitions, processes, equations, observables.

    What blood or a flow carries stands in the equations itself; processes stand there by name, with their
    rate given once above.

    Parameters
    ----------
    system : System
        As lowered from the spec.
    """
    written = notation(system)
    lines = [_title(system)]
    lines += _section("Parameters", _columns(parameter_cells(p) for p in system.parameters))
    lines += _section("Constants", _definitions(system.constants, written))
    lines += _section("Curves", _definitions(system.curves, written))
    lines += _section("Processes", _processes(system, written))
    lines += _section("Equations", _equations(system, written))
    lines += _section("Observables", _observables(system, written))
    return "\n".join(lines) + "\n"


def _title(system: System) -> str:
    title = f"{system.name}: {system.title}" if system.title else system.name
    counts = (
        _count(len(system.states), "state"),
        _count(len(system.parameters), "parameter"),
        _count(len(system.rates), "rate"),
    )
    return f"{title} ({', '.join(counts)}; time in {system.time_unit.text})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = list(lines)
    return ["", title, *(f"  {line}" if line else "" for line in body)] if body else []


def _definitions(definitions: Sequence[Assignment], written: Notation) -> Iterator[str]:
    width = max((len(d.name) for d in definitions if len(d.name) < 32), default=0)
    for definition in definitions:
        yield from _wrapped(f"{definition.name.ljust(width)} = ", written.text(definition.expr))


def _processes(system: System, written: Notation) -> Iterator[str]:
    for index, rate in enumerate(system.rates):
        if rate.kind in CARRIED:
            continue
        yield f"{rate.name} : {arrow_text(system, index, written)}"
        yield from _wrapped("    rate ", written.text(rate.expr))


def _equations(system: System, written: Notation) -> Iterator[str]:
    for index, state in enumerate(system.states):
        yield from _wrapped(f"d {state.name}/dt = ", equation_text(system, index, written))


def equation_text(system: System, state: int, written: Notation) -> str:
    """The right-hand side of one equation as text; 0 where nothing changes the state."""
    text = ""
    for term in equation_terms(system, state):
        sign = (" - " if term.negative else " + ") if text else ("-" if term.negative else "")
        text += sign + _body(term, written)
    return text or "0"


def _body(term: Term, written: Notation) -> str:
    text = written.text(term.expr)
    loose = term.expr.is_Add or text.startswith("-")
    return f"({text})" if loose and term.negative else text


def _observables(system: System, written: Notation) -> Iterator[str]:
    for output in system.outputs:
        yield from _wrapped(f"{output.name} = ", f"{written.text(output.expr)} {output.unit}")
        if output.error is not None:
            yield f"    {_error(output, written)}"
        if output.lloq is not None:
            yield f"    quantified from {written.text(output.lloq)} {output.unit}"


def _error(output: Output, written: Notation) -> str:
    parts = [f"error {output.error}"]
    if output.proportional != 0:
        parts.append(f"relative {written.text(output.proportional)}")
    if output.additive != 0:
        parts.append(f"absolute {written.text(output.additive)} {output.unit}")
    return ", ".join(parts)


def _wrapped(head: str, body: str) -> list[str]:
    indent = " " * min(len(head), 12)
    return [
        line.replace(_GLUE, " ")
        for line in textwrap.wrap(
            head.replace(" ", _GLUE) + _glued(body),
            _WIDTH,
            initial_indent="",
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _glued(text: str) -> str:
    """The text with blanks that no line may end at: a new line begins at a sign or an argument only."""
    glued = text.replace(" ", _GLUE).replace(f",{_GLUE}", ", ")
    for sign in "+-":
        glued = glued.replace(f"{_GLUE}{sign}{_GLUE}", f" {sign}{_GLUE}")
    return glued


# ------------------------------------------------------------- tables


@dataclass(frozen=True)
class EquationRow:
    """One state: its equation, and what brings and takes.

    `gains` and `losses` name the processes; for blood and flows they say ``from`` and ``to`` which state.
    """

    state: str
    unit: str
    equation: str
    gains: tuple[str, ...]
    losses: tuple[str, ...]


@dataclass(frozen=True)
class ParameterRow:
    """One parameter: its value in the unit it was written in, what it may be, and where it comes from."""

    name: str
    value: str
    unit: str
    allowed: str
    source: str


@dataclass(frozen=True)
class EquationTables:
    """The equations and the parameters as rows; ``str()`` of it is both tables as text."""

    equations: tuple[EquationRow, ...]
    parameters: tuple[ParameterRow, ...]

    def __str__(self) -> str:
        states = _ruled(
            ("state", "equation", "in", "out"),
            [(r.state, r.equation, ", ".join(r.gains), ", ".join(r.losses)) for r in self.equations],
            (28, 60, 28, 28),
        )
        parameters = _ruled(
            ("parameter", "value", "unit", "range", "source"),
            [(r.name, r.value, r.unit, r.allowed, r.source) for r in self.parameters],
            (32, 14, 20, 36, 40),
        )
        return "\n".join([*states, "", *parameters]) + "\n"


def equations_table(system: System) -> EquationTables:
    """Each state with its equation and what brings and takes; each parameter with its value and source.

    Parameters
    ----------
    system : System
        As lowered from the spec.
    """
    written = notation(system)
    rows: list[EquationRow] = []
    for index, state in enumerate(system.states):
        terms = equation_terms(system, index)
        gains = tuple(_way(system, t.rate, index) for t in terms if t.rate is not None and not t.negative)
        losses = tuple(_way(system, t.rate, index) for t in terms if t.rate is not None and t.negative)
        doses = tuple("dose" for t in terms if t.rate is None)
        rows.append(
            EquationRow(
                state.name, state.unit.text, equation_text(system, index, written), gains + doses, losses
            )
        )
    return EquationTables(tuple(rows), tuple(ParameterRow(*parameter_cells(p)) for p in system.parameters))


def _way(system: System, rate: int, state: int) -> str:
    """How a rate brings or takes: a process by its name, blood and flows by where they come from or go to."""
    if system.rates[rate].kind not in CARRIED:
        return system.rates[rate].name
    others = [system.states[i].name for i, r in sorted(system.N) if r == rate and i != state]
    word = "to" if system.N[state, rate].is_negative else "from"
    return f"{word} {', '.join(others) or 'outside'}"


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = [tuple(cell for cell in row) for row in rows]
    if not table:
        return []
    widths = [min(40, max(len(row[c]) for row in table)) for c in range(len(table[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]


def _ruled(head: tuple[str, ...], rows: list[tuple[str, ...]], limits: tuple[int, ...]) -> list[str]:
    """A table with a line under its head; long cells continue on the next line of their column."""
    widths = [min(limit, max(len(r[c]) for r in [head, *rows])) for c, limit in enumerate(limits)]
    lines = [_joined(head, widths), "-+-".join("-" * w for w in widths)]
    for row in rows:
        cells = [
            [line.replace(_GLUE, " ") for line in textwrap.wrap(_glued(cell), w, break_on_hyphens=False)]
            or [""]
            for cell, w in zip(row, widths, strict=True)
        ]
        for k in range(max(len(c) for c in cells)):
            lines.append(_joined(tuple(c[k] if k < len(c) else "" for c in cells), widths))
    return lines


def _joined(cells: tuple[str, ...], widths: list[int]) -> str:
    return " | ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip()
