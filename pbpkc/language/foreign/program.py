"""The system of equations that the statements of a model give.

C++ and R run line by line, a spec has no order. A value that is set again has become a second value (`run`);
here the last one gets the name of the source, and what was read before it was set is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError, raise_if_errors
from pbpkc.language.foreign.model import Local, OdeModel, Output, Reading
from pbpkc.language.foreign.run import Run
from pbpkc.language.foreign.terms import Sym, Term, names_in, reached, replaced
from pbpkc.language.source import Span


def follow(reading: Reading) -> OdeModel:
    """The system of equations that the statements of a model give.

    Raises
    ------
    SpecError
        For undefined names, values that depend on themselves, compartments without an equation.
    """
    return _Program(reading).model()


class _Program:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.run = Run(reading)
        self.state = self.run.state

    def model(self) -> OdeModel:
        self.run.follow()
        outputs = self._outputs()
        self._typical()
        raise_if_errors(self.run.problems)
        names = self._final_names()
        terms = {name: self._renamed(local.value, names) for name, local in self.state.local.items()}
        special: dict[tuple[str, str], tuple[Term, Span]] = {}
        kept: dict[str, Local] = {}
        for name, local in self.state.local.items():
            source = _source_name(name)
            if source in self.reading.special:
                if name == self.state.versions[source][-1]:
                    special[self.reading.special[source]] = terms[name], local.span
                    if self._is_read(name, terms):
                        kept[names[name]] = Local(names[name], terms[name], local.span, local.block)
                    continue
                if not self._is_read(name, terms):
                    continue
            kept[names[name]] = Local(names[name], terms[name], local.span, local.block)
        values = {name: local.value for name, local in kept.items()}
        self._no_cycles(values, kept)
        initials = {c.name: c.initial for c in self.reading.compartments if c.initial is not None}
        initials |= {comp: term for (word, comp), (term, _) in special.items() if word == "initial"}
        odes = {comp: term for (word, comp), (term, _) in special.items() if word == "ode"}
        spans = {comp: span for (word, comp), (_, span) in special.items() if word == "ode"}
        self._equations(odes)
        curves = frozenset(
            name for name in values if reached({name}, values) & (self.run.compartments.keys() | {"t"})
        )
        dosing: dict[str, dict[str, Term]] = {}
        for (word, comp), (term, span) in special.items():
            if word in ("fraction", "lag", "duration", "rate"):
                self._still(term, values, span, f"the {word} of doses into '{comp}'")
                dosing.setdefault(comp, {})[word] = term
            elif word == "initial":
                self._still(term, values, span, f"the initial value of '{comp}'")
        self._stale(kept, curves, [self._renamed(term, names) for _, term in outputs])
        raise_if_errors(self.run.problems)
        return OdeModel(
            self.reading,
            self.run.values,
            self.run.compartments,
            kept,
            {c: odes[c] for c in self.run.compartments if c in odes},
            spans,
            initials,
            dosing,
            tuple((o, self._renamed(term, names)) for o, term in outputs),
            curves,
            tuple(self.run.assumptions),
            tuple(self.run.findings),
        )

    def _stale(self, kept: Mapping[str, Local], curves: frozenset[str], outputs: list[Term]) -> None:
        """What $TABLE reads of $ODE is of the solver's last step there, and of the time itself here."""
        if self.reading.tool != "mrgsolve":
            return
        of_ode = {n for n in curves if kept[n].block == "ode" and n not in self.reading.macros}
        reported = [*outputs, *(k.value for k in kept.values() if k.block == "table")]
        read = set().union(*map(names_in, reported))
        stale = sorted(of_ode & read)
        if stale:
            message = (
                f"what is reported of values of $ODE ({', '.join(stale)}) is theirs at that time; the tool "
                "reports those of its solver's last evaluation"
            )
            span = kept[stale[0]].span
            self.run.assumptions.append(Diagnostic("assumed", message, (Label(span),), severity="note"))

    def _typical(self) -> None:
        for kind, message in (
            ("eta", "random effects are 0, those of a typical person; the population block draws them"),
            ("eps", "residual errors are 0"),
        ):
            first = next((v for v in self.run.values.values() if v.kind == kind), None)
            if first is not None:
                self.run.assumptions.append(
                    Diagnostic("assumed", message, (Label(first.span),), severity="note")
                )

    def _is_read(self, name: str, terms: Mapping[str, Term]) -> bool:
        return any(name in names_in(local.value) for local in self.state.local.values())

    def _outputs(self) -> list[tuple[Output, Term]]:
        found = []
        for output in self.reading.outputs:
            try:
                found.append((output, self.run.name(Sym(output.source, output.span), "table")))
            except SpecError as error:
                self.run.problems.extend(error.diagnostics)
        return found

    def _final_names(self) -> dict[str, str]:
        """Version to name: the last value keeps the name of the source, earlier ones are numbered."""
        taken = {*self.run.values, *self.run.compartments, *(n for n in self.state.versions)}
        names = {}
        for name, versions in self.state.versions.items():
            last = versions[-1]
            for count, version in enumerate(versions, 1):
                if version == last and name not in self.run.values:
                    names[version] = name
                    continue
                number_ = count
                while f"{name}_{number_}" in taken:
                    number_ += 1
                names[version] = f"{name}_{number_}"
                taken.add(names[version])
            names[f"{name}@later"] = names[last]
            for place in self.state.later.get(name, []):
                self.run.warn(
                    "used-before-set", f"'{name}' is read before it is set", place,
                    Label(self.state.local[last].span, "it is set here"),
                    "the tool reads 0 or the value of the step before; the spec, which has no order, reads "
                    "the value that is set",
                )  # fmt: skip
        return names

    def _renamed(self, term: Term, names: Mapping[str, str]) -> Term:
        return replaced(term, lambda s: Sym(names.get(s.name, s.name), s.span))

    def _no_cycles(self, values: Mapping[str, Term], kept: Mapping[str, Local]) -> None:
        done: set[str] = set()
        for start in values:
            path: list[str] = []

            def visit(name: str, path: list[str] = path) -> bool:
                if name in path:
                    cycle = [*path[path.index(name) :], name]
                    self.run.refuse(
                        "cycle", f"'{name}' depends on itself: {' -> '.join(cycle)}", kept[name].span,
                        "give it a value before it is read",
                    )  # fmt: skip
                    return True
                if name in done or name not in values:
                    return False
                path.append(name)
                found = any(visit(other) for other in sorted(names_in(values[name])))
                path.pop()
                done.add(name)
                return found

            if visit(start):
                return

    def _equations(self, odes: Mapping[str, Term]) -> None:
        for name, compartment in self.run.compartments.items():
            if name not in odes:
                self.run.refuse(
                    "no-equation", f"the compartment '{name}' has no equation", compartment.span,
                    f"write dxdt_{name} = ...; in $ODE, or leave the compartment out"
                    if self.reading.tool == "mrgsolve"
                    else f"write d/dt({name}) = ...",
                )  # fmt: skip

    def _still(self, term: Term, values: Mapping[str, Term], span: Span, what: str) -> None:
        moving = reached(names_in(term), values) & (self.run.compartments.keys() | {"t"})
        if moving:
            self.run.refuse(
                "moving", f"{what} depends on {', '.join(sorted(moving))}", span,
                "it is a number for the whole run: let it read parameters only",
            )  # fmt: skip


def _source_name(version: str) -> str:
    return version.rsplit("@", 1)[0]
