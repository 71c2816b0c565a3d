"""An rxode2 or nlmixr2 model, read without being run: values, compartments, statements, outputs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from lark import Tree

from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.foreign.annotations import split_unit
from pbpkc.language.foreign.constants import worked_out
from pbpkc.language.foreign.model import (
    Assign,
    Branch,
    Compartment,
    Effects,
    Output,
    Reading,
    Statement,
    Value,
)
from pbpkc.language.foreign.rxode2_text import Part, find_parts
from pbpkc.language.foreign.rxode2_tree import Rx, parsed
from pbpkc.language.foreign.terms import Num, Sym, Term, names_in, number, walk
from pbpkc.language.source import SourceFile, Span


def read_rxode2(file: SourceFile) -> Reading:
    """The parts of an rxode2 or nlmixr2 file.

    Raises
    ------
    SpecError
        With everything that is no part of a system of differential equations.
    """
    found = find_parts(file)
    code = next(p for p in found.parts if p.word == "code")
    reader = Rx(code)
    problems: list[Diagnostic] = []
    statements: tuple[Statement, ...] = ()
    ini = _Ini()
    for part in found.parts:
        try:
            if part.word == "ini":
                ini.read(part)
            else:
                statements = reader.statements(parsed(part, "code").children)
        except SpecError as error:
            problems += error.diagnostics
    if problems:
        raise SpecError(problems)
    if not reader.derivatives:
        raise SpecError(
            [
                Diagnostic(
                    "no-model", f"'{file.name}' has no differential equation",
                    (Label(code.span.end_point()),) if file.text.strip() else (),
                    help="write d/dt(x) = ...; say --from mrgsolve for a model of mrgsolve",
                )
            ]
        )  # fmt: skip
    compartments = tuple(Compartment(name, span) for name, span in reader.derivatives.items())
    values, run = list(ini.values.values()), _assigned(statements)
    # A model without ini({}) says numbers in its code; what nobody sets comes from the data.
    outer = _outer(statements, {v.name for v in values} | set(reader.derivatives), run)
    constants = [s for s in statements if isinstance(s, Assign) and s.target in outer]
    values += [Value(s.target, s.value, s.span) for s in constants]
    kept = tuple(s for s in statements if s not in constants)
    values += _covariates(statements, values, reader, run)
    assumptions = [*ini.assumptions]
    return Reading(
        "rxode2",
        file,
        found.title.replace('"', "'"),
        tuple(values),
        compartments,
        (("model", kept),),
        reader.special,
        _outputs(kept, reader, {v.name for v in values}, assumptions),
        {},
        tuple(ini.effects),
        found.comments,
        None,
        tuple(assumptions),
    )


# ------------------------------------------------------------------ ini({})


class _Ini:
    """What ini({}) says: estimates with labels, and variances."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.effects: list[Effects] = []
        self.assumptions: list[Diagnostic] = []

    def read(self, part: Part) -> None:
        """Take in one ini({}) block."""
        reader = Rx(part)
        last = ""
        for tree in parsed(part, "ini").children:
            span = reader.span(tree)
            match tree.data:
                case "estimate":
                    last = str(tree.children[0])
                    self.values[last] = Value(last, self._estimate(tree.children[1], reader, span), span)
                case "label" if str(tree.children[0]) == "label":
                    doc, unit = split_unit(str(tree.children[1])[1:-1].replace('"', "'"))
                    if last in self.values:
                        before = self.values[last]
                        self.values[last] = Value(last, before.term, before.span, doc, unit, before.kind)
                case "effect":
                    last = self._effect(tree, reader, span)
                case _:
                    raise _refuse("not-a-model", "this line of ini({}) is not read", span,
                                  "write estimates: tka <- 0.5; and variances: eta.ka ~ 0.3")  # fmt: skip

    def _estimate(self, tree: Tree[Any], reader: Rx, span: Span) -> Term:
        tree = _inward(tree)
        while tree.data == "call" and str(tree.children[0]) in ("fix", "fixed", "c"):
            word, *arguments = tree.children
            given = [
                a
                for a in arguments
                if a is not None and not (a.data == "name" and str(a.children[0]).lower() in ("fix", "fixed"))
            ]
            if not 1 <= len(given) <= 3:
                raise _refuse(
                    "arguments", f"{word}() holds no estimate", span, "write tka <- c(low, estimate, high)"
                )
            if len(given) > 1:
                self.assumptions.append(
                    Diagnostic(
                        "left-out", "bounds of an estimate are left out; `masked` says them in a spec",
                        (Label(span),), severity="note",
                    )
                )  # fmt: skip
            tree = _inward(given[min(1, len(given) - 1)])
        return worked_out(reader.term(tree), "an estimate is a number")

    def _effect(self, tree: Tree[Any], reader: Rx, span: Span) -> str:
        names = [str(n) for n in tree.children[0].children]
        value = tree.children[1]
        while value.data == "call" and str(value.children[0]) in ("fix", "fixed") and value.children[1]:
            value = value.children[1]
        entries = (
            [a for a in value.children[1:] if a is not None]
            if value.data == "call" and str(value.children[0]) == "c"
            else [value]
        )
        numbers: list[Fraction] = []
        for entry in entries:
            term = worked_out(reader.term(entry), "a variance is a number")
            numbers.append(term.value if isinstance(term, Num) else Fraction(0))
        wanted = len(names) * (len(names) + 1) // 2
        if len(numbers) != wanted:
            raise _refuse(
                "matrix",
                f"{len(names)} effects have {wanted} variances and covariances; here are {len(numbers)}",
                span,
                "write the lower triangle row by row: c(0.1, 0.01, 0.2)",
            )
        rows, rest = [], numbers
        for width in range(1, len(names) + 1):
            rows.append(tuple(rest[:width]))
            rest = rest[width:]
        for name in names:
            self.values[name] = Value(name, number(0), span, "", "", "eta")
        self.effects.append(Effects(tuple(names), tuple(rows)))
        return names[-1]


# ------------------------------------------------------------------ what the code says by itself


def _assigned(statements: tuple[Statement, ...] | list[Statement]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for statement in statements:
        targets = (
            [statement.target]
            if isinstance(statement, Assign)
            else list(_assigned([*statement.then, *statement.other]))
        )
        for target in targets:
            counts[target] = counts.get(target, 0) + 1
    return counts


def _outer(statements: tuple[Statement, ...], taken: set[str], run: dict[str, int]) -> set[str]:
    """Names that are set once, to a number: the parameters of a model without ini({})."""
    return {
        s.target
        for s in statements
        if isinstance(s, Assign)
        and isinstance(s.value, Num)
        and run[s.target] == 1
        and s.target not in taken
        and "(" not in s.target
    }


_TIME_WORDS = ("t", "time")


def _covariates(
    statements: tuple[Statement, ...], values: list[Value], reader: Rx, run: dict[str, int]
) -> list[Value]:
    """Names that are read and never set come from the data in rxode2; a spec needs their value."""
    known = {v.name for v in values} | reader.derivatives.keys() | run.keys() | set(_TIME_WORDS)
    found: dict[str, Span] = {}

    def look(items: tuple[Statement, ...]) -> None:
        for statement in items:
            if isinstance(statement, Branch):
                for sym in _symbols(statement):
                    found.setdefault(sym.name, sym.span or statement.span)
                look(statement.then)
                look(statement.other)
            else:
                for sym in _syms(statement.value):
                    found.setdefault(sym.name, sym.span or statement.span)

    look(statements)
    missing = {name: span for name, span in found.items() if name not in known}
    if missing:
        raise SpecError(
            [
                Diagnostic(
                    "unknown-name", f"'{name}' has no value: the tool takes it from the data or the call",
                    (Label(span),), help=f"write {name} <- 70 in ini({{}}) or in front of the equations",
                )
                for name, span in missing.items()
            ]
        )  # fmt: skip
    return []


def _symbols(branch: Branch) -> list[Sym]:
    return [n for n in walk(branch.test) if isinstance(n, Sym)]


def _syms(term: Term) -> list[Sym]:
    return [n for n in walk(term) if isinstance(n, Sym)]


def _outputs(
    statements: tuple[Statement, ...], reader: Rx, values: set[str], assumptions: list[Diagnostic]
) -> tuple[Output, ...]:
    """Endpoints with their errors; without any, every curve that is computed."""
    found = []
    for name, tree, span in reader.endpoints:
        errors, left_out = _errors(tree)
        for word in left_out:
            assumptions.append(
                Diagnostic(
                    "left-out", f"the error model {word}() is left out", (Label(span),),
                    severity="note",
                )
            )  # fmt: skip
        found.append(Output(name, name, span, error=errors))
    if found:
        return tuple(found)
    # The tool reports every value that its code sets; of those that never change one needs no curve.
    moving = reader.derivatives.keys() | set(_TIME_WORDS)
    grown = True
    while grown:
        more = {t for s in statements if _reads(s) & moving for t in _assigned([s]) if "(" not in t}
        grown, moving = not more <= moving, moving | more
    spans: dict[str, Span] = {}
    for statement in statements:
        for name in _assigned([statement]):
            if name in moving and "(" not in name and name not in reader.silent:
                spans[name] = statement.span
    return tuple(Output(name, name, span) for name, span in spans.items())


def _reads(statement: Statement) -> set[str]:
    if isinstance(statement, Assign):
        return names_in(statement.value)
    return {s.name for s in _symbols(statement)} | {
        n for s in (*statement.then, *statement.other) for n in _reads(s)
    }


def _errors(tree: Tree[Any]) -> tuple[tuple[tuple[str, Sym], ...], list[str]]:
    calls = []
    todo = [tree]
    while todo:
        node = todo.pop(0)
        if node.data == "add":
            todo = [*node.children, *todo]
        else:
            calls.append(node)
    known, left_out = [], []
    for call in calls:
        word = {"dlnorm": "lnorm", "logn": "lnorm", "dlogn": "lnorm", "dnorm": "add", "norm": "add"}.get(
            str(call.children[0]), str(call.children[0])
        )
        given = [a for a in call.children[1:] if a is not None]
        if word in ("add", "prop", "lnorm") and len(given) == 1 and given[0].data == "name":
            known.append((word, Sym(str(given[0].children[0]))))
        elif word != "combined2":
            left_out.append(word)
    words = sorted(w for w, _ in known)
    if words not in (["add"], ["prop"], ["lnorm"], ["add", "prop"]) or left_out:
        return (), left_out or words
    return tuple(known), []


def _inward(tree: Tree[Any]) -> Tree[Any]:
    """``c(log(0), log(2.7))`` of ``log(c(0, 2.7))``: R works element by element."""
    if tree.data != "call" or len(tree.children) != 2 or tree.children[1] is None:
        return tree
    word, inner = tree.children[0], _inward(tree.children[1])
    if str(word) in ("c", "fix", "fixed") or inner.data != "call" or str(inner.children[0]) != "c":
        return tree
    kept = [a for a in inner.children[1:] if a is not None]
    flags = [a for a in kept if a.data == "name"]
    each = [a if a in flags else Tree(tree.data, [word, a], tree.meta) for a in kept]
    return Tree(inner.data, [inner.children[0], *each], inner.meta)


def _refuse(code: str, message: str, place: Span, help: str) -> SpecError:
    return SpecError([Diagnostic(code, message, (Label(place),), help=help)])
