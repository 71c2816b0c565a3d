"""The neutral value that both tools' models become: named values, compartments, equations, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pbpkc.language.diagnostics import Diagnostic
from pbpkc.language.foreign.terms import Sym, Term, Test
from pbpkc.language.source import SourceFile, Span

Tool = Literal["mrgsolve", "rxode2"]

#: What a leaf value is: given by the model, by the data, or a random effect that is 0 in the typical person.
Kind = Literal["param", "covariate", "eta", "eps"]


@dataclass(frozen=True)
class Assign:
    """``target = value``. Equations and initial values are targets as well: see `Reading.special`."""

    target: str
    value: Term
    span: Span
    declares: bool = False


@dataclass(frozen=True)
class Branch:
    """``if (test) then else other``."""

    test: Test
    then: tuple[Statement, ...]
    other: tuple[Statement, ...]
    span: Span


Statement = Assign | Branch


@dataclass(frozen=True)
class Value:
    """A number the model begins with.

    Parameters
    ----------
    name, doc, unit : str
        As in the source; `unit` is the text of the annotation, empty if there is none.
    value : Fraction
        Exact, as written; a formula of numbers is worked out.
    term : Term
        As written.
    """

    name: str
    term: Term
    span: Span
    doc: str = ""
    unit: str = ""
    kind: Kind = "param"


@dataclass(frozen=True)
class Compartment:
    """A state with its differential equation."""

    name: str
    span: Span
    doc: str = ""
    unit: str = ""
    initial: Term | None = None


@dataclass(frozen=True)
class Output:
    """Something the source reports; `error` is the scatter of a measurement, as .pbpk text."""

    name: str
    source: str
    span: Span
    doc: str = ""
    unit: str = ""
    error: tuple[tuple[str, Sym], ...] = ()


@dataclass(frozen=True)
class Effects:
    """Random effects of one block: their names and covariance matrix (rows of a lower triangle)."""

    names: tuple[str, ...]
    covariance: tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Comment:
    """A comment of the source, without its marks."""

    text: str
    span: Span


@dataclass(frozen=True)
class Reading:
    """What a reader found in a file, before its statements are followed.

    Parameters
    ----------
    blocks : tuple of (str, tuple of Statement)
        In the order in which the tool runs them: ``main``, ``ode``, ``table``.
    special : mapping of str to (str, str)
        Targets that are no local values: ``dxdt_GUT`` to ``("ode", "GUT")``; further words are ``initial``,
        ``fraction``, ``lag``, ``duration``, ``rate``.
    """

    tool: Tool
    file: SourceFile
    title: str
    values: tuple[Value, ...]
    compartments: tuple[Compartment, ...]
    blocks: tuple[tuple[str, tuple[Statement, ...]], ...]
    special: Mapping[str, tuple[str, str]]
    outputs: tuple[Output, ...]
    macros: Mapping[str, tuple[Term, Span]] = field(default_factory=dict)
    effects: tuple[Effects, ...] = ()
    comments: tuple[Comment, ...] = ()
    run: Fraction | None = None
    assumptions: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Local:
    """A value that the source computes."""

    name: str
    value: Term
    span: Span
    block: str


@dataclass(frozen=True)
class OdeModel:
    """A system of differential equations with its names.

    Parameters
    ----------
    locals : mapping of str to Local
        Each name once (a value that is set again has been given names of its own), none depends on itself.
    odes, initials : mapping of compartment to Term
    dosing : mapping of compartment to mapping of word to Term
        ``fraction``, ``lag``, ``duration``, ``rate`` of doses into it.
    curves : frozenset of str
        Names of locals that depend on a compartment or on time.
    """

    reading: Reading
    values: Mapping[str, Value]
    compartments: Mapping[str, Compartment]
    locals: Mapping[str, Local]
    odes: Mapping[str, Term]
    ode_spans: Mapping[str, Span]
    initials: Mapping[str, Term]
    dosing: Mapping[str, Mapping[str, Term]]
    outputs: tuple[tuple[Output, Term], ...]
    curves: frozenset[str]
    assumptions: tuple[Diagnostic, ...]
    findings: tuple[Diagnostic, ...]

    @property
    def terms(self) -> dict[str, Term]:
        """The terms of all locals."""
        return {name: local.value for name, local in self.locals.items()}
