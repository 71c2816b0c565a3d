"""The methods of a generated module: which quantities each computes, from which definitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.differentiate import Derivatives, Partials
from pbpkc.compiler.gradient import Gradients
from pbpkc.compiler.printing import TextPrinter
from pbpkc.compiler.routine import WORDS, Definition, Routine, RoutineWriter
from pbpkc.compiler.system import System, UnknownTerm

_MOMENT = ("t", "y", "p", "u", "c")
_MOMENT_D = (*_MOMENT, "dc")
_FIXED = ("p", "c")
_FIXED_D = ("p", "c", "dc")

Results = list[tuple[sp.Expr, str]]


@dataclass(frozen=True)
class DefaultFunction:
    """The default of an unknown term as a function of plain arguments.

    `value` and `partials` are expressions as text; both are None where the spec gives no default.
    """

    unknown: UnknownTerm
    word: str
    arguments: tuple[str, ...]
    value: str | None
    partials: tuple[str, ...] | None


def methods(system: System, derivatives: Derivatives) -> tuple[tuple[Routine, ...], set[str]]:
    """The methods of a module, and the words of the runtime they use.

    Both targets have the same methods: the vocabulary hides what differs.
    """
    writer = RoutineWriter(system, [a.symbol for a in derivatives.constants])
    moment = _Moment(system, derivatives, writer)
    routines = (
        _prepare(system, writer),
        _prepare_derivatives(system, derivatives, writer),
        writer.write(
            "_rhs", _MOMENT, "Right-hand side dy/dt, state by state.", _rhs(system), moment.definitions
        ),
        writer.write(
            "_rates",
            _MOMENT,
            "Rates v, process by process.",
            [(r.symbol, "") for r in system.rates],
            moment.definitions,
        ),
        moment.jacobian(),
        moment.d_rhs_dp(),
        moment.d_rhs_du(),
        writer.write(
            "_observe", _MOMENT, "Observables, each in its unit.", _observe(system), moment.definitions
        ),
        moment.d_observe_dy(),
        moment.d_observe_dp(),
        moment.d_observe_du(),
        *_fixed(system, derivatives, writer),
    )
    return routines, writer.printer.vocabulary


def default_functions(unknowns: Sequence[UnknownTerm]) -> tuple[tuple[DefaultFunction, ...], set[str]]:
    """The defaults of unknown terms with their partial derivatives, and the words they use."""
    functions, words = [], set()
    for number, unknown in enumerate(unknowns):
        # An argument may be called like a word of the runtime, which it must not hide.
        names = {a: f"{a.name}_" if a.name in WORDS else a.name for a in unknown.arguments}
        printer = TextPrinter(names)
        value = partials = None
        if unknown.default is not None:
            gradient = Gradients().of(sp.sympify(unknown.default))
            value = printer.text(unknown.default)
            partials = tuple(printer.text(gradient.get(a, sp.Integer(0))) for a in unknown.arguments)
        words |= printer.vocabulary
        functions.append(
            DefaultFunction(unknown, f"_unknown_{number}", tuple(names.values()), value, partials)
        )
    return tuple(functions), words


def _prepare(system: System, writer: RoutineWriter) -> Routine:
    lines = [Definition(a.symbol, a.expr, _comment(a.name, a.symbol, a.doc)) for a in system.constants]
    doc = "Constants: everything that depends on parameters only."
    return writer.write("_prepare", ("p",), doc, [(a.symbol, "") for a in system.constants], lines)


def _prepare_derivatives(system: System, derivatives: Derivatives, writer: RoutineWriter) -> Routine:
    lines = [Definition(a.symbol, a.expr, a.name) for a in derivatives.constants]
    results: Results = [(a.symbol, "") for a in derivatives.constants]
    return writer.write(
        "_prepare_derivatives", _FIXED, "Derivatives of the constants by parameters.", results, lines
    )


def _rhs(system: System) -> Results:
    terms: defaultdict[int, list[sp.Expr]] = defaultdict(list)
    for i, r in sorted(system.N):
        terms[i].append(sp.sympify(system.N[i, r]) * system.rates[r].symbol)
    rows = {s.name: i for i, s in enumerate(system.states)}
    for u in system.inputs:
        if u.kind == "infusion":
            terms[rows[u.target]].append(u.symbol)
    return [(sp.Add(*terms[i]), f"d {s.name} / dt") for i, s in enumerate(system.states)]


def _observe(system: System) -> Results:
    return [(o.expr, f"{o.name} [{o.unit.text}]") for o in system.outputs]


def _fixed(system: System, derivatives: Derivatives, writer: RoutineWriter) -> tuple[Routine, ...]:
    """What depends on parameters only, other than the constants."""
    states, parameters, outputs = system.states, system.parameters, system.outputs
    noise: Results = []
    for o in outputs:
        noise += [
            (o.proportional, f"{o.name}, proportional"),
            (o.additive, f"{o.name}, additive [{o.unit.text}]"),
        ]
    part = ("proportional", "additive")
    return (
        writer.write(
            "_initial_state",
            _FIXED,
            "State at the start, before any dose.",
            [(e, s.name) for e, s in zip(system.initial, states, strict=True)],
        ),
        writer.write(
            "_d_initial_dp",
            _FIXED_D,
            "Derivatives of the initial state by parameters, non-zero entries.",
            [
                (d, f"{states[i].name} by {parameters[k].name}")
                for (i, k), d in derivatives.d_initial_dp.items()
            ],
            share=True,
        ),
        writer.write("_noise", _FIXED, "Residual error of each observable: proportional, additive.", noise),
        writer.write(
            "_d_noise_dp",
            _FIXED_D,
            "Derivatives of the residual error by parameters, non-zero entries.",
            [
                (d, f"{outputs[i // 2].name}, {part[i % 2]}, by {parameters[k].name}")
                for (i, k), d in derivatives.d_noise_dp.items()
            ],
            share=True,
        ),
        writer.write(
            "_lloq",
            _FIXED,
            "Lower limit of quantification of each observable, nan where it has none.",
            [(sp.nan if o.lloq is None else o.lloq, f"{o.name} [{o.unit.text}]") for o in outputs],
        ),
    )


class _Moment:
    """The derivatives of what changes during a run, written so that shared parts appear once.

    A rate enters at least two equations. So each rate's slope by a state, and each rate's total
    derivative by a parameter, is a line of its own, and the entries are sums of such lines.
    """

    def __init__(self, system: System, derivatives: Derivatives, writer: RoutineWriter) -> None:
        self._system, self._derivatives, self._writer = system, derivatives, writer
        self.definitions = [
            *(Definition(a.symbol, a.expr, _comment(a.name, a.symbol, a.doc)) for a in system.curves),
            *(Definition(r.symbol, r.expr, _comment(r.name, r.symbol, "")) for r in system.rates),
        ]
        self._parameters = {p.symbol: k for k, p in enumerate(system.parameters)}
        self._states = {s.symbol: j for j, s in enumerate(system.states)}
        self._inputs = {u.symbol: k for k, u in enumerate(system.inputs)}
        self._constants: defaultdict[sp.Symbol, list[tuple[int, sp.Symbol]]] = defaultdict(list)
        for (symbol, k), derivative in derivatives.constants_by.items():
            self._constants[symbol].append((k, derivative))
        self._rows: defaultdict[int, list[int]] = defaultdict(list)
        for i, r in sorted(system.N):
            self._rows[r].append(i)

    def jacobian(self) -> Routine:
        """Entries d(dy_i/dt)/dy_j as sums of slopes of rates."""
        lines = list(self.definitions)
        terms = self._slopes(self._states, lines)
        states = self._system.states
        results = [
            (sp.Add(*terms[i, j]), f"d {states[i].name} / dt by {states[j].name}")
            for i, j in self._derivatives.jacobian
        ]
        return self._write(
            "_jacobian", _MOMENT, "Derivatives of dy/dt by states, non-zero entries.", results, lines
        )

    def d_rhs_dp(self) -> Routine:
        """Entries d(dy_i/dt)/dp_k as sums of total derivatives of rates."""
        system = self._system
        lines = list(self.definitions)
        terms: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
        for r, rate in enumerate(system.rates):
            name = rate.symbol.name
            changed_by = self._derivatives.rates_dp[r]
            for k, total in self._totals(name, self._derivatives.rates_by[r], changed_by, lines).items():
                by = f"d_{name}_d_{system.parameters[k].symbol.name}"
                named = self._named(by, total, len(self._rows[r]), lines)
                for i in self._rows[r]:
                    terms[i, k].append(system.N[i, r] * named)
        for (i, r), partials in self._derivatives.yields_by.items():
            for k, total in self._totals("", partials, None, None).items():
                terms[i, k].append(total * system.rates[r].symbol)
        results = [
            (sp.Add(*terms[i, k]), f"d {system.states[i].name} / dt by {system.parameters[k].name}")
            for i, k in self._derivatives.d_rhs_dp
        ]
        doc = "Derivatives of dy/dt by parameters, non-zero entries."
        return self._write("_d_rhs_dp", _MOMENT_D, doc, results, lines)

    def d_rhs_du(self) -> Routine:
        """Entries d(dy_i/dt)/du_k as sums of slopes of rates, and 1 where an infusion enters."""
        system = self._system
        lines = list(self.definitions)
        terms = self._slopes(self._inputs, lines)
        for (i, r), partials in self._derivatives.yields_by.items():
            for symbol, slope in partials.items():
                if symbol in self._inputs:
                    terms[i, self._inputs[symbol]].append(slope * system.rates[r].symbol)
        places = {s.name: i for i, s in enumerate(system.states)}
        for k, u in enumerate(system.inputs):
            if u.kind == "infusion":
                terms[places[u.target], k].append(sp.Integer(1))
        results = [
            (sp.Add(*terms[i, k]), f"d {system.states[i].name} / dt by {system.inputs[k].name}")
            for i, k in self._derivatives.d_rhs_du
        ]
        doc = "Derivatives of dy/dt by inputs, non-zero entries."
        return self._write("_d_rhs_du", _MOMENT, doc, results, lines)

    def _slopes(
        self, columns: Mapping[sp.Symbol, int], lines: list[Definition]
    ) -> defaultdict[tuple[int, int], list[sp.Expr]]:
        """What the rates' slopes by some symbols add to each equation; a slope of several gets a line."""
        terms: defaultdict[tuple[int, int], list[sp.Expr]] = defaultdict(list)
        for r, rate in enumerate(self._system.rates):
            for symbol, slope in self._derivatives.rates_by[r].items():
                if symbol not in columns:
                    continue
                named = self._named(f"{rate.symbol.name}_by_{symbol.name}", slope, len(self._rows[r]), lines)
                for i in self._rows[r]:
                    terms[i, columns[symbol]].append(self._system.N[i, r] * named)
        return terms

    def d_observe_dy(self) -> Routine:
        """Entries d(observable)/dy_j."""
        system = self._system
        results = [
            (d, f"{system.outputs[o].name} by {system.states[j].name}")
            for (o, j), d in self._derivatives.d_observe_dy.items()
        ]
        doc = "Derivatives of the observables by states, non-zero entries."
        return self._write("_d_observe_dy", _MOMENT, doc, results, self.definitions)

    def d_observe_dp(self) -> Routine:
        """Entries d(observable)/dp_k at a fixed state."""
        system = self._system
        lines = list(self.definitions)
        totals: dict[tuple[int, int], sp.Expr] = {}
        for o, output in enumerate(system.outputs):
            changed_by = self._derivatives.outputs_dp[o]
            for k, total in self._totals(
                output.name, self._derivatives.outputs_by[o], changed_by, lines
            ).items():
                totals[o, k] = total
        results = [
            (totals[o, k], f"{system.outputs[o].name} by {system.parameters[k].name}")
            for o, k in self._derivatives.d_observe_dp
        ]
        doc = "Derivatives of the observables by parameters at a fixed state, non-zero entries."
        return self._write("_d_observe_dp", _MOMENT_D, doc, results, lines)

    def d_observe_du(self) -> Routine:
        """Entries d(observable)/du_k."""
        system = self._system
        results = [
            (d, f"{system.outputs[o].name} by {system.inputs[k].name}")
            for (o, k), d in self._derivatives.d_observe_du.items()
        ]
        doc = "Derivatives of the observables by inputs, non-zero entries."
        return self._write("_d_observe_du", _MOMENT, doc, results, self.definitions)

    def _write(
        self, name: str, arguments: tuple[str, ...], doc: str, results: Results, lines: Sequence[Definition]
    ) -> Routine:
        return self._writer.write(name, arguments, doc, results, lines, share=True)

    def _totals(
        self,
        name: str,
        partials: Partials,
        changed_by: Sequence[int] | None,
        lines: list[Definition] | None,
    ) -> dict[int, sp.Expr]:
        """Total derivatives by the parameters in `changed_by`; a slope that several need gets a line."""
        terms: defaultdict[int, list[sp.Expr]] = defaultdict(list)

        def wanted(k: int) -> bool:
            return changed_by is None or k in changed_by

        for symbol, slope in partials.items():
            if symbol in self._parameters and wanted(self._parameters[symbol]):
                terms[self._parameters[symbol]].append(slope)
            targets = [(k, d) for k, d in self._constants.get(symbol, ()) if wanted(k)]
            if targets and lines is not None:
                slope = self._named(f"{name}_by_{symbol.name}", slope, len(targets), lines)
            for k, derivative in targets:
                terms[k].append(slope * derivative)
        return {k: sp.Add(*terms[k]) for k in sorted(terms)}

    def _named(self, name: str, expr: sp.Expr, uses: int, lines: list[Definition]) -> sp.Expr:
        if uses < 2 or expr.is_Atom or (-expr).is_Atom:
            return expr
        symbol = self._writer.symbol(name)
        lines.append(Definition(symbol, expr))
        return symbol


def _comment(name: str, symbol: sp.Symbol, doc: str) -> str:
    """What a line's symbol does not say already: the name as the spec writes it, or its description."""
    written = "" if name == symbol.name else name
    return ", ".join(part for part in (written, " ".join(doc.split())) if part)
