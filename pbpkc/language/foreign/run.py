"""Statements followed in their order: each value gets a name of its own, an ``if`` becomes an expression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pbpkc.language.diagnostics import Diagnostic, Label, Problems, SpecError, similar
from pbpkc.language.foreign.constants import decided
from pbpkc.language.foreign.model import Assign, Branch, Compartment, Local, Reading, Statement, Value
from pbpkc.language.foreign.terms import (
    If,
    Num,
    Sym,
    Term,
    Test,
    names_in,
    number,
    replaced,
    replaced_test,
    size,
)
from pbpkc.language.foreign.whole_numbers import divided
from pbpkc.language.source import Span

#: An expression this large comes from branches within branches, and nobody reads it.
_MOST_NODES = 20_000

#: What reads the time of the solver, and what is fixed where a tool runs one person's typical course.
_TIME = {"SOLVERTIME": ("ode", "table"), "TIME": ("table",), "self.time": ("table",), "t": ("ode", "table"),
         "time": ("ode", "table")}  # fmt: skip

_BUILT_IN = {
    "EVID": "events belong to a scenario",
    "ID": "a model is of one person",
    "podo": "doses belong to a scenario: write `dose` lines, and the equation of absorption",
    "podo0": "doses belong to a scenario: write `dose` lines, and the equation of absorption",
    "tlast": "doses belong to a scenario",
    "tad": "write the equation of absorption; a dose then acts by itself",
    "tafd": "write the equation of absorption; a dose then acts by itself",
}


@dataclass
class _State:
    """Where a run through the statements stands."""

    env: dict[str, Term] = field(default_factory=dict)  # what a source name is worth now
    local: dict[str, Local] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    read_since: set[str] = field(default_factory=set)  # locals that were read after they were set
    later: dict[str, list[Span | None]] = field(default_factory=dict)  # read before they were set


class Run:
    """Follows the statements of a model.

    After `follow`, `state` holds every value under a name of its own (``x@0``, ``x@1``), and `problems`,
    `assumptions`, `findings` what was met on the way.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.problems = Problems()
        self.assumptions = Problems(reading.assumptions)
        self.findings = Problems()
        self.values: dict[str, Value] = {}
        self.compartments: dict[str, Compartment] = {}
        self._declare()
        self.state = _State()
        self.assigned = {a.target for _, statements in reading.blocks for a in assignments(statements)} | set(
            reading.macros
        )
        self._in_macro: list[str] = []

    def _declare(self) -> None:
        seen: dict[str, Span] = {}
        declared: list[Value | Compartment] = [*self.reading.values, *self.reading.compartments]
        for item in declared:
            if item.name in seen:
                self.problems.append(
                    Diagnostic(
                        "duplicate-name",
                        f"'{item.name}' is declared twice",
                        (Label(item.span, "again here"), Label(seen[item.name], "first here")),
                        help="leave one of them out",
                    )
                )
                continue
            seen[item.name] = item.span
            if isinstance(item, Value):
                self.values[item.name] = item
            else:
                self.compartments[item.name] = item

    def follow(self) -> None:
        """Run through all blocks."""
        for block, statements in self.reading.blocks:
            for statement in statements:
                self._statement(statement, block)

    def _statement(self, statement: Statement, block: str) -> None:
        try:
            if isinstance(statement, Assign):
                self._assign(statement, block)
            else:
                self._branch(statement, block)
        except SpecError as error:
            self.problems.extend(error.diagnostics)

    def _assign(self, statement: Assign, block: str) -> None:
        name = statement.target
        self._demand_free(name, statement.span)
        value = self._value(statement.value, block)
        self._set(name, value, statement.span, block)

    def _set(self, name: str, value: Term, span: Span, block: str) -> None:
        state = self.state
        before = state.versions.get(name, [])
        # `double x = 0;` in front of an if only declares.
        begun = before and _is_zero(state.local[before[-1]].value)
        if before and not begun and before[-1] not in state.read_since and name not in self.reading.special:
            self.warn(
                "set-twice", f"the value of '{name}' is set again before anything reads it", span,
                Label(state.local[before[-1]].span, "this value is never read"),
                "one of the two lines is probably meant for another name; leave the other out",
            )  # fmt: skip
        version = f"{name}@{len(before)}"
        state.versions.setdefault(name, []).append(version)
        state.local[version] = Local(version, value, span, block)
        state.env[name] = value if isinstance(value, Num) and value.integer else Sym(version, span)

    def _branch(self, statement: Branch, block: str) -> None:
        test = self._test(statement.test, block)
        known = decided(test)
        if known is not None:
            for inner in statement.then if known else statement.other:
                self._statement(inner, block)
            return
        spans = {a.target: a.span for a in assignments([statement])}
        for name, term in self._merged(statement, test, block).items():
            self.state.read_since |= names_in(term)
            self._set(name, term, spans[name], block)

    def _merged(self, statement: Branch, test: Test, block: str) -> dict[str, Term]:
        """What each name is worth behind an ``if``."""
        before = dict(self.state.env)
        outcomes = []
        for side in (statement.then, statement.other):
            self.state.env = dict(before)
            self._side(side, block)
            outcomes.append(self.state.env)
        self.state.env = before
        merged: dict[str, Term] = {}
        for assignment in {a.target: a for a in assignments([statement])}.values():
            name = assignment.target
            then, other = (outcome.get(name) for outcome in outcomes)
            if self.reading.special.get(name, ("",))[0] == "initial":
                then, other = then or number(0), other or number(0)
            if then is None or other is None:
                self.problems.append(
                    Diagnostic(
                        "set-in-one-branch",
                        f"'{name}' has a value in one branch only",
                        (Label(assignment.span), Label(statement.span, "this is the condition")),
                        help=f"give it a value in front of the if, or in both branches: {name} = 0",
                    )
                )
                continue
            term = If(test, then, other, statement.span)
            if size(term) > _MOST_NODES:
                raise SpecError([_too_large(statement.span)])
            merged[name] = term
        return merged

    def _side(self, statements: Sequence[Statement], block: str) -> None:
        """Statements of a branch: their values stand in the place of names, since both sides are written."""
        for statement in statements:
            if isinstance(statement, Assign):
                self._demand_free(statement.target, statement.span)
                self.state.env[statement.target] = self._value(statement.value, block)
            else:
                test = self._test(statement.test, block)
                self.state.env |= self._merged(statement, test, block)

    # ---------------------------------------------------------------- names

    def _value(self, term: Term, block: str) -> Term:
        return self._whole(replaced(term, lambda s: self.name(s, block)))

    def _test(self, test: Test, block: str) -> Test:
        return replaced_test(test, lambda s: self.name(s, block))

    def name(self, sym: Sym, block: str) -> Term:
        """What a name of the source stands for at this place."""
        name, state = sym.name, self.state
        if name in state.env:
            found = state.env[name]
            self._mark_read(found)
            return Sym(found.name, sym.span) if isinstance(found, Sym) else found
        if name in self.reading.macros:
            return self._macro(name, sym, block)
        if name in self.values:
            return sym
        if name in self.compartments:
            if block == "main" and self.reading.tool == "mrgsolve":
                self.refuse(
                    "state-in-main", f"$MAIN reads the compartment '{name}', at records only", sym.span,
                    "move the line to $ODE, where it holds at every time",
                )  # fmt: skip
            return sym
        if name in _TIME and (block in _TIME[name] or self.reading.tool == "rxode2"):
            return Sym("t", sym.span)
        if name == "NEWIND" and self.reading.tool == "mrgsolve":
            self.assumptions.append(
                Diagnostic(
                    "assumed", "NEWIND is 1: one person's course from its beginning",
                    (Label(sym.span),) if sym.span else (), severity="note",
                )
            )  # fmt: skip
            return number(1)
        if name in self.assigned:
            state.later.setdefault(name, []).append(sym.span)
            return Sym(f"{name}@later", sym.span)
        self._undefined(sym)
        return sym

    def _macro(self, name: str, sym: Sym, block: str) -> Term:
        if name in self._in_macro:
            self.refuse(
                "cycle", f"the macro '{name}' stands for itself", sym.span, "leave it out of its formula"
            )
            return sym
        self._in_macro.append(name)
        term, span = self.reading.macros[name]
        value = replaced(term, lambda s: self.name(s, block))
        self._in_macro.pop()
        if isinstance(value, Num | Sym):
            return Sym(value.name, sym.span) if isinstance(value, Sym) else value
        # The value is worked out where the macro stands: a name for each value it has.
        for version in self.state.versions.get(name, []):
            if self.state.local[version].value == value:
                self.state.read_since.add(version)
                return Sym(version, sym.span)
        version = f"{name}@{len(self.state.versions.get(name, []))}"
        self.state.versions.setdefault(name, []).append(version)
        self.state.local[version] = Local(version, value, span, block)
        self.state.read_since.add(version)
        return Sym(version, sym.span)

    def _mark_read(self, term: Term) -> None:
        self.state.read_since |= names_in(term)

    def _demand_free(self, name: str, span: Span) -> None:
        if name in self.compartments:
            self.refuse(
                "state-set", f"'{name}' is a compartment and is given a value", span,
                f"write dxdt_{name} = ... for its equation, {name}_0 = ... for its beginning"
                if self.reading.tool == "mrgsolve"
                else f"write d/dt({name}) = ... for its equation, {name}(0) = ... for its beginning",
            )  # fmt: skip
        elif name in self.values and self.values[name].kind == "param" and self.reading.tool == "mrgsolve":
            self.refuse(
                "param-set", f"'{name}' is a parameter and is given a value", span,
                "parameters are read-only: use another name",
            )  # fmt: skip
        elif name in self.values and name not in self.state.env:
            # R computes with a copy: from here on the name means the new value.
            return

    def _undefined(self, sym: Sym) -> None:
        near = similar(sym.name, [*self.values, *self.compartments, *self.assigned])
        builtin = _BUILT_IN.get(sym.name) or (
            "it is the time of a record: use SOLVERTIME" if sym.name in _TIME else None
        )
        if sym.name.startswith("dxdt_") and sym.name[5:] not in self.compartments:
            builtin = f"there is no compartment '{sym.name[5:]}'"
        self.refuse(
            "unknown-name",
            f"'{sym.name}' is not declared",
            sym.span,
            builtin
            or (
                f"a name with a similar spelling exists: '{near}'"
                if near
                else "declare it as a parameter with its value"
            ),
        )

    # ---------------------------------------------------------------- C++ arithmetic

    def _whole(self, term: Term) -> Term:
        return divided(term, self.refuse, self.warn) if self.reading.tool == "mrgsolve" else term

    def refuse(self, code: str, message: str, span: Span | None, help: str) -> None:
        """Report an error."""
        self.problems.append(Diagnostic(code, message, (Label(span),) if span else (), help=help))

    def warn(self, code: str, message: str, span: Span | None, other: Label | None, help: str) -> None:
        """Report a doubt."""
        labels = ((Label(span),) if span else ()) + ((other,) if other else ())
        self.findings.append(Diagnostic(code, message, labels, help=help, severity="warning"))


def _is_zero(term: Term) -> bool:
    return isinstance(term, Num) and term.value == 0


def assignments(statements: Sequence[Statement]) -> list[Assign]:
    """All assignments of some statements, those within branches included."""
    found: list[Assign] = []
    for statement in statements:
        if isinstance(statement, Assign):
            found.append(statement)
        else:
            found += assignments([*statement.then, *statement.other])
    return found


def _too_large(span: Span) -> Diagnostic:
    return Diagnostic(
        "too-large",
        "these branches within branches make an expression that nobody can read",
        (Label(span),),
        help="give parts of it names of their own in front of the if",
    )
