"""An `OdeModel` and its arrows as the text of a spec, in the order of the source and with its comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.foreign.arrows import Arrow
from pbpkc.language.foreign.effects import population_lines
from pbpkc.language.foreign.model import Comment, OdeModel, Output
from pbpkc.language.foreign.names import Names
from pbpkc.language.foreign.term_text import term_text
from pbpkc.language.foreign.terms import Num, Sym, Term, names_in
from pbpkc.language.source import Span
from pbpkc.language.syntax.format import format_number

#: Length of the run where the source says none, in its unit of time.
_RUN = Fraction(24)

_DOSE_WORDS = {"lag": "lag", "fraction": "fraction", "duration": "over", "rate": "rate"}


@dataclass
class _Line:
    text: str
    span: Span | None = None


@dataclass
class _Section:
    title: str
    lines: list[_Line]


def write_spec(
    model: OdeModel, arrows: Sequence[Arrow], findings: Sequence[Diagnostic], stem: str
) -> tuple[str, list[Diagnostic]]:
    """The spec of a model, and a note for each name that had to change.

    Parameters
    ----------
    arrows : sequence of Arrow
        Their sum is the equations of the model.
    findings : sequence of Diagnostic
        Warnings among them are listed at the head.
    stem : str
        Name of the spec.
    """
    return _Writer(model, arrows, findings, stem).write()


class _Writer:
    def __init__(
        self, model: OdeModel, arrows: Sequence[Arrow], findings: Sequence[Diagnostic], stem: str
    ) -> None:
        self.model, self.arrows, self.findings, self.stem = model, arrows, findings, stem
        self.names = Names()
        # Outputs come first: where a value is only reported, the observable has its name.
        reads = _reads(model, arrows)
        self.folded = {
            term.name
            for output, term in model.outputs
            if isinstance(term, Sym)
            and term.name == output.name
            and term.name in model.locals
            and reads.get(term.name, 0) == 1
        }
        self.processes = self._named_processes()
        self.names.keep(
            [
                *((v.name, v.span) for v in model.values.values()),
                *((c.name, c.span) for c in model.compartments.values()),
                *((local.name, local.span) for local in model.locals.values()),
            ]
        )

    def write(self) -> tuple[str, list[Diagnostic]]:
        model = self.model
        sections = [
            _Section("parameters", self._values()),
            _Section("what follows from them", self._locals(curves=False) + self._dosing()),
            _Section("compartments", self._states()),
            _Section("curves", self._locals(curves=True)),
            _Section("what happens", self._arrows()),
            _Section("what is measured", self._observes()),
        ]
        # Scenarios come last: the names they make up may not be taken by the model.
        scenario = self._scenario()
        head = self._head()
        lines = [*head, *_with_comments(sections, model.reading.comments)]
        lines += ["", *scenario, *self._population()]
        return "\n".join(lines).rstrip() + "\n", self.names.notes

    # ---------------------------------------------------------------- head

    def _head(self) -> list[str]:
        reading = self.model.reading
        name = Names().new(self.stem)
        title = f' "{reading.title}"' if reading.title else ""
        lines = ["pbpk 1", f"model {name}{title} {{ time [1]; units none }}", ""]
        lines.append(f"# Imported by pbpkc from {Path(reading.file.name).name}, a model of {reading.tool}.")
        notes = [
            "numbers stand as they are there, without units: the unit of time is that of its rates",
            *(f"{d.message}{_line(d)}" for d in (*self.model.assumptions, *self.names.notes)),
        ]
        lines += ["# Assumed:", *(f"# - {note}" for note in dict.fromkeys(notes))]
        doubtful = [f"{d.message}{_line(d)}" for d in self.findings if d.severity == "warning"]
        if doubtful:
            lines += ["# Doubtful in the source:", *(f"# - {text}" for text in dict.fromkeys(doubtful))]
        return lines

    # ---------------------------------------------------------------- declarations

    def _text(self, term: Term, demanded: int = 0) -> str:
        return term_text(term, self.names.of, demanded)

    def _values(self) -> list[_Line]:
        used = set().union(*(names_in(t) for t in self._all_terms()))
        lines = []
        for value in self.model.values.values():
            if value.kind == "eps" and value.name not in used:
                continue
            word = "covariate" if value.kind == "covariate" else "param"
            about = value.doc + (f" ({value.unit})" if value.unit else "")
            if value.kind in ("eta", "eps"):
                what = "random effect" if value.kind == "eta" else "residual"
                about = f"{about}, a {what}" if about else what
            shown = f' "{_quotable(about)}"' if about.strip() else ""
            lines.append(
                _Line(f"{word} {self.names.of[value.name]}{shown} = {self._text(value.term)}", value.span)
            )
        return lines

    def _all_terms(self) -> list[Term]:
        model = self.model
        return [
            *model.terms.values(), *model.odes.values(), *model.initials.values(),
            *(t for words in model.dosing.values() for t in words.values()), *(t for _, t in model.outputs),
            *(sym for output, _ in model.outputs for _, sym in output.error),
        ]  # fmt: skip

    def _locals(self, curves: bool) -> list[_Line]:
        taken = self.folded | self.processes.keys()
        return [
            _Line(
                f"{'let' if curves else 'param'} {self.names.of[name]} = {self._text(local.value)}",
                local.span,
            )
            for name, local in self.model.locals.items()
            if (name in self.model.curves) == curves and name not in taken
        ]

    def _dosing(self) -> list[_Line]:
        """What doses into compartments read: a param each, unless it is one already."""
        self.dosing: dict[str, dict[str, str]] = {}
        lines = []
        for compartment, words in self.model.dosing.items():
            for word, term in words.items():
                if isinstance(term, Sym) or (isinstance(term, Num) and term.value >= 0):
                    text = self._text(term)
                else:
                    text = self.names.new(_source_of(self.model, compartment, word))
                    lines.append(_Line(f"param {text} = {self._text(term)}", term.span))
                self.dosing.setdefault(compartment, {})[word] = text
        return lines

    def _states(self) -> list[_Line]:
        lines = []
        for compartment in self.model.compartments.values():
            initial = self.model.initials.get(compartment.name)
            about = compartment.doc + (f" ({compartment.unit})" if compartment.unit else "")
            shown = f' "{_quotable(about)}"' if about.strip() else ""
            value = "0" if initial is None else self._text(initial)
            lines.append(_Line(f"state {self.names.of[compartment.name]}{shown} = {value}", compartment.span))
        return lines

    # ---------------------------------------------------------------- arrows

    def _named_processes(self) -> dict[str, Arrow]:
        """Local values that are the rate of one arrow: the process takes their name."""
        found: dict[str, list[Arrow]] = {}
        for arrow in self.arrows:
            if isinstance(arrow.rate, Sym) and arrow.rate.name in self.model.curves:
                found.setdefault(arrow.rate.name, []).append(arrow)
        # What is read elsewhere, as a concentration that is summed up is, stays a curve.
        read = set().union(
            *(names_in(local.value) for local in self.model.locals.values()),
            *(names_in(term) for _, term in self.model.outputs),
        )
        return {n: a[0] for n, a in found.items() if len(a) == 1 and n not in read}

    def _arrows(self) -> list[_Line]:
        own = {id(arrow): name for name, arrow in self.processes.items()}
        lines = []
        for arrow in self.arrows:
            left = self._side(arrow.sources)
            right = self._side(arrow.targets)
            sign = "<->" if arrow.signed else "->"
            local = own.get(id(arrow))
            if local is not None:
                name, rate = self.names.of[local], self._text(self.model.locals[local].value)
            else:
                name, rate = self.names.new(_arrow_name(arrow)), self._text(arrow.rate)
            lines.append(_Line(f"process {name} : {left} {sign} {right}  rate {rate}", arrow.span))
        width = max((line.text.index("  rate ") for line in lines), default=0)
        if width <= 60:
            for line in lines:
                head, rate = line.text.split("  rate ", 1)
                line.text = f"{head:{width}}  rate {rate}"
        return lines

    def _side(self, ends: Sequence[tuple[str, Fraction]]) -> str:
        return (
            " + ".join(
                self.names.of[name] if count == 1 else f"{format_number(count)} {self.names.of[name]}"
                for name, count in ends
            )
            or "outside"
        )

    # ---------------------------------------------------------------- what is measured and done

    def _observes(self) -> list[_Line]:
        lines = []
        for output, term in self.model.outputs:
            if output.name in self.folded:
                name, text = self.names.of[output.name], self._text(self.model.locals[output.name].value)
            else:
                name = self.names.new(
                    output.name if output.name not in self.names.of else f"{output.name}_obs"
                )
                text = self._text(term)
            about = output.doc + (f" ({output.unit})" if output.unit else "")
            shown = f' "{_quotable(about)}"' if about.strip() else ""
            lines.append(_Line(f"observe {name}{shown} = {text} in [1]{self._error(output)}", output.span))
        if not lines:
            for name in self.model.compartments:
                lines.append(_Line(f"observe {self.names.new(f'{name}_obs')} = {self.names.of[name]} in [1]"))
        return lines

    def _error(self, output: Output) -> str:
        given = {word: self._text(sym) for word, sym in output.error}
        if set(given) == {"add", "prop"}:
            return f"  error combined(prop = {given['prop']}, add = {given['add']})"
        words = {"add": "add", "prop": "prop", "lnorm": "lognormal"}
        return "".join(f"  error {words[word]}({text})" for word, text in given.items())

    def _scenario(self) -> list[str]:
        model = self.model
        first = next(iter(model.compartments))
        dosed = [c for c in model.compartments if c == first or c in self.dosing]
        run = format_number(model.reading.run or _RUN)
        lines, inputs, doses, timed = [], [], [], []
        for compartment in dosed:
            state = self.names.of[compartment]
            amount = self.names.new(f"dose_{state}")
            inputs.append(f'input {amount} "amount given into {state}: yours to set" = 0')
            words = self.dosing.get(compartment, {})
            common = "".join(f" {w} {words[w]}" for w in ("lag", "fraction") if w in words)
            doses.append(f"dose ({amount}) into {state}{common}")
            for word in ("duration", "rate"):
                if word in words:
                    timed.append(f"dose ({amount}) into {state} {_DOSE_WORDS[word]} {words[word]}{common}")
        set_ = f'--set \\"dose_{self.names.of[first]} = 100\\"'.replace("\\", "")
        lines.append(f"# Doses at time 0, none until their amounts are set: pbpkc simulate FILE {set_}")
        lines += inputs
        lines += [_scenario_text(self.names.new("doses"), doses, run)]
        if timed:
            lines += [_scenario_text(self.names.new("modelled_infusions"), timed, run)]
        numbers = {c: i for i, c in enumerate(model.compartments, 1)}
        rows = [
            f"#   CMT {numbers[c]} dose into {self.names.of[c]}"
            + "".join(f" {_DOSE_WORDS[w]} {text}" for w, text in sorted(self.dosing.get(c, {}).items()))
            for c in dosed
        ]
        example = self.names.of[first]
        lines += [
            "# An example, made up: 100 every 12 time units, six times",
            f"# scenario repeated {{ dose 100 into {example} at 0 every 12 count 6; run 72 }}",
            *self._table_head([c for c in dosed if {"duration", "rate"} & set(self.dosing.get(c, {}))]),
            '# scenario table { data "doses.csv" {',
            *rows,
            "# } }",
        ]
        return lines

    def _table_head(self, timed: Sequence[str]) -> list[str]:
        """What the table of doses is: with a column RATE where a duration or rate is modelled."""
        if not timed:
            return ["# Doses from a table with the columns ID, TIME, AMT, CMT of the source"]
        whose = ", ".join(self.names.of[c] for c in timed)
        return [
            "# Doses from a table with the columns ID, TIME, AMT, RATE, CMT of the source: 0 is a bolus,",
            f"# -2 (`over`) or -1 (`rate`) the infusion of the line. Without RATE a dose into {whose}",
            "# is that infusion too, and in the source a bolus",
        ]

    def _population(self) -> list[str]:
        lines = population_lines(self.model.reading.effects, self.names.of)
        return (
            ["", f"population {self.names.new('people')} {{", *(f"  {line}" for line in lines), "}"]
            if lines
            else []
        )


# ------------------------------------------------------------------ pieces


def _reads(model: OdeModel, arrows: Sequence[Arrow]) -> dict[str, int]:
    """How many other things read each name."""
    counts: dict[str, int] = {}
    terms = [
        *model.terms.values(), *model.odes.values(), *model.initials.values(), *(a.rate for a in arrows),
        *(t for words in model.dosing.values() for t in words.values()), *(t for _, t in model.outputs),
    ]  # fmt: skip
    for term in terms:
        for name in names_in(term):
            counts[name] = counts.get(name, 0) + 1
    return counts


def _source_of(model: OdeModel, compartment: str, word: str) -> str:
    for source, target in model.reading.special.items():
        if target == (word, compartment):
            return source
    return f"{word}_{compartment}"


def _arrow_name(arrow: Arrow) -> str:
    sources = "_".join(name for name, _ in arrow.sources)
    targets = "_".join(name for name, _ in arrow.targets)
    if arrow.gap:
        return f"{sources}_unaccounted"
    if not targets:
        return f"{sources}_out"
    return f"{sources}_to_{targets}" if sources else f"into_{targets}"


def _scenario_text(name: str, doses: Sequence[str], run: str) -> str:
    if len(doses) == 1:
        return f"scenario {name} {{ {doses[0]}; run {run} }}"
    return "\n".join([f"scenario {name} {{", *(f"  {dose}" for dose in doses), f"  run {run}", "}"])


def _quotable(text: str) -> str:
    return text.strip().replace('"', "'")


def _line(diagnostic: Diagnostic) -> str:
    return f" (line {diagnostic.span.line})" if diagnostic.span else ""


def _with_comments(sections: Sequence[_Section], comments: Sequence[Comment]) -> list[str]:
    """Sections as lines, each comment of the source in front of what it stood in front of, or beside it."""
    placed = [line for section in sections for line in section.lines if line.span is not None]
    placed.sort(key=lambda line: line.span.start if line.span else 0)
    before: dict[int, list[str]] = {}
    beside: dict[int, list[str]] = {}
    last: list[str] = []
    for comment in comments:
        same = [
            line for line in placed
            if line.span
            and line.span.start < comment.span.start
            and line.span.end_point().line == comment.span.line
        ]  # fmt: skip
        after = next((line for line in placed if line.span and line.span.start >= comment.span.start), None)
        if same:
            beside.setdefault(id(same[0]), []).append(comment.text)
        elif after is not None:
            before.setdefault(id(after), []).append(comment.text)
        else:
            last.append(comment.text)
    lines: list[str] = []
    for section in sections:
        if not section.lines:
            continue
        lines += ["", f"# {'-' * 20} {section.title}"]
        for line in section.lines:
            lines += [f"# {text}" for text in before.get(id(line), [])]
            found = beside.get(id(line))
            lines.append(line.text + (f"  # {' '.join(found)}" if found else ""))
    return [*lines, *(f"# {text}" for text in last)]
