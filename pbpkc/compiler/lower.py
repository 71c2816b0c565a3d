"""Model to System: quantities become numbers, arrows become N and v.

Here units are converted, once: every constant is written in umol, L, h, kg and K. A general state is kept
in its own unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import sympy as sp

from pbpkc.compiler.choice import substituted
from pbpkc.compiler.expressions import to_sympy
from pbpkc.compiler.identifiers import Identifiers
from pbpkc.compiler.partition import predicted_partition
from pbpkc.compiler.system import (
    Assignment,
    Input,
    Output,
    Parameter,
    Rate,
    StateVariable,
    System,
    UnknownTerm,
)
from pbpkc.language.diagnostics import Diagnostic, Label, SpecError
from pbpkc.language.evaluate import NotEvaluable, evaluate, reason
from pbpkc.language.expression import Apply, Expr, Name, names_in, walk
from pbpkc.language.model import Arrow, Definition, Model, Observable, State
from pbpkc.language.scenario.changes import allowed_range
from pbpkc.language.source import Span

_LEAVES = ("covariate", "input", "param", "masked", "attribute", "flow")


def lower(model: Model) -> System:
    """The equations of a model.

    Raises
    ------
    SpecError
        For a partition coefficient that cannot be predicted, or a constant that cannot be computed.
    """
    return _Lowering(model).system()


class _Lowering:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.identifiers = Identifiers()
        self.problems: list[Diagnostic] = []
        self.symbols: dict[str, sp.Expr] = {}
        self.time = sp.Symbol("t", real=True)
        self.symbols["t"] = self.time
        self.held: dict[str, sp.Symbol] = {}  # names with an entry of u, and their entry of p
        self.start_symbols: dict[
            str, sp.Expr
        ] = {}  # like `symbols`, for what is computed once at the beginning
        self.at_start: dict[sp.Symbol, Assignment] = {}  # what curves of held names are at the beginning
        self.rates: dict[str, Rate] = {}

    def _symbol(self, name: str, prefix: str = "") -> sp.Symbol:
        return sp.Symbol(self.identifiers(name, prefix), real=True)

    def system(self) -> System:
        model = self.model
        parameters = self._parameters()
        states = self._states()
        unknowns = self._unknowns()
        inputs = self._inputs()
        constants, curves = self._definitions()
        rates, stoichiometry = self._rates()
        initial = tuple(self._initial(s) for s in model.states)
        outputs = tuple(self._output(o) for o in model.observables)
        constants = (*constants, *self._read_at_start(initial, outputs))
        if self.problems:
            raise SpecError(self.problems)
        computed = (
            *(c.expr for c in (*constants, *curves)), *(r.expr for r in rates),
            *(sp.sympify(c) for c in stoichiometry.values()), *initial,
            *(e for o in outputs for e in (o.expr, o.proportional, o.additive, o.lloq) if e is not None),
        )  # fmt: skip
        return System(
            name=model.name,
            title=model.title,
            time=self.time,
            time_unit=model.time_unit,
            parameters=parameters,
            states=states,
            inputs=inputs,
            constants=constants,
            curves=curves,
            rates=rates,
            N=stoichiometry,
            initial=initial,
            outputs=outputs,
            unknowns=_needed(unknowns, computed),
        )

    # ---------------------------------------------------------------- entries

    def _parameters(self) -> tuple[Parameter, ...]:
        found = []
        for name, definition in self.model.definitions.items():
            if definition.kind not in _LEAVES or definition.derived or _reads_something(definition.expr):
                continue
            try:
                value = float(evaluate(definition.expr, _no_name))
            except NotEvaluable:
                continue  # a predicted partition coefficient
            except (ArithmeticError, ValueError, OverflowError) as error:
                self.problems.append(_cannot_compute(name, definition.span, error))
                value = 0.0
            if "<" in name and definition.kind == "param" and value == 0.0:
                # Members of a family that nobody gave a value are structure, not parameters: a gene network
                # has 360 of them. `set` or `--set` on one makes it a parameter.
                self.symbols[name] = sp.Integer(0)
                continue
            symbol = self._symbol(name)
            self.symbols[name] = symbol
            found.append(
                Parameter(
                    name,
                    symbol,
                    value,
                    definition.unit,
                    definition.kind,
                    definition.mask,
                    definition.bounds,
                    definition.doc,
                    definition.source,
                )
            )
        return tuple(found)

    def _states(self) -> tuple[StateVariable, ...]:
        found = []
        for state in self.model.states:
            symbol = self._symbol(state.name)
            factor = _rational(state.unit.factor)
            self.symbols[state.name] = symbol if factor == 1 else factor * symbol
            found.append(
                StateVariable(
                    state.name, symbol, state.unit, state.node, state.species, state.sink, state.space
                )
            )
        return tuple(found)

    def _unknowns(self) -> tuple[UnknownTerm, ...]:
        found = []
        for name, unknown in self.model.unknowns.items():
            arguments = tuple(sp.Symbol(a.name, real=True) for a in unknown.arguments)
            default = None
            if unknown.default is not None:
                local = dict(zip((a.name for a in unknown.arguments), arguments, strict=True))
                default = self._sympy(unknown.default, name, unknown.span, local)
            found.append(
                UnknownTerm(
                    name,
                    sp.Function(self.identifiers(name)),
                    arguments,
                    tuple((a.low, a.high) for a in unknown.arguments),
                    unknown.range,
                    unknown.shapes,
                    unknown.anchors,
                    default,
                    unknown.unit,
                    tuple(a.unit for a in unknown.arguments),
                )
            )
            self.symbols[f"unknown:{name}"] = found[-1].function
        return tuple(found)

    def _inputs(self) -> tuple[Input, ...]:
        model = self.model
        dosed = {
            d.state
            for s in model.scenarios.values()
            for d in (*s.doses, *(row[2] for row in (s.data.dose_rows if s.data else ())))
        }
        found = [
            Input(f"infusion {state.name}", self._symbol(state.name, "infusion_"), "infusion", state.name)
            for state in model.states
            if state.name in dosed
        ]
        read = {n for d in self._reachable().values() for n in names_in(d.expr)} | {
            n for o in model.observables for n in names_in(o.expr)
        }
        for name in sorted(n for n in read if n.startswith("tad(")):
            species = name[4:-1]
            symbol = self._symbol(species, "tad_")
            self.symbols[name] = symbol
            found.append(Input(name, symbol, "tad", species))
        return (*found, *self._held())

    def _held(self) -> Iterator[Input]:
        """Covariates with `hold` and inputs that a rate, a share or an observable reads."""
        model = self.model
        candidates = {name for name, d in model.definitions.items() if d.hold and name in self.symbols}
        if not candidates:
            return
        seen: set[str] = set()
        waiting = [arrow.rate for arrow in model.arrows]
        waiting += [n for a in model.arrows for _, share in a.produces for n in names_in(share)]
        waiting += [n for o in model.observables for n in names_in(o.expr)]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in model.definitions:
                continue
            seen.add(name)
            waiting.extend(names_in(model.definitions[name].expr))
        for name, definition in model.definitions.items():
            if name not in candidates & seen:
                continue
            self.held[name] = self.symbols[name]
            self.symbols[name] = self._symbol(name, "now_")
            bounds = definition.bounds
            if definition.mask is not None and bounds is None:
                bounds = definition.mask.low, definition.mask.high
            yield Input(
                f"{name}(t)", self.symbols[name], "held", name, definition.hold,
                allowed_range(definition) if bounds is None else bounds,
            )  # fmt: skip

    # ---------------------------------------------------------------- the straight-line program

    def _reachable(self) -> dict[str, Definition]:
        """Definitions that rates, outputs and starts read, in an order in which they can be evaluated."""
        model = self.model
        order: dict[str, Definition] = {}

        def visit(name: str) -> None:
            if name in order or name not in model.definitions:
                return
            for other in sorted(names_in(model.definitions[name].expr)):
                visit(other)
            order[name] = model.definitions[name]

        for arrow in model.arrows:
            visit(arrow.rate)
            for _, share in arrow.produces:
                for name in sorted(names_in(share)):
                    visit(name)
        for expr in self._roots():
            for name in sorted(names_in(expr)):
                visit(name)
        # Volumes and flows are part of what a reader looks for, and of the proofs.
        for node in model.nodes.values():
            if node.volume:
                visit(node.volume)
        for edge in model.edges:
            visit(edge.flow)
        return order

    def _roots(self) -> Iterable[Expr]:
        for state in self.model.states:
            if state.start is not None:
                yield state.start
        for observable in self.model.observables:
            yield observable.expr
            error = observable.error
            yield from (e for e in (observable.lloq,) if e is not None)
            if error is not None:
                yield from (e for e in (error.proportional, error.additive) if e is not None)

    def _definitions(self) -> tuple[tuple[Assignment, ...], tuple[Assignment, ...]]:
        constants: list[Assignment] = []
        curves: list[Assignment] = []
        moving = {s.name for s in self.model.states} | {"t"}
        held = set(self.held)
        self.start_symbols = {**self.symbols, **self.held}
        for name, definition in self._reachable().items():
            if name in self.symbols:
                continue
            expr = self._expression(definition)
            symbol = self._symbol(name, "v_" if definition.kind == "rate" else "")
            self.symbols[name] = self.start_symbols[name] = symbol
            reads = names_in(definition.expr)
            is_curve = any(n in moving or n.startswith("tad(") for n in reads)
            if is_curve:
                moving.add(name)
            elif not held.isdisjoint(reads):
                held.add(name)
                if definition.kind != "rate":
                    self._define_at_start(definition)
            if definition.kind == "rate":
                self.rates[name] = Rate(name, symbol, expr, "", False)
                continue
            still = not is_curve and name not in held
            (constants if still else curves).append(Assignment(name, symbol, expr, definition.doc))
        return tuple(constants), self._without_rates(curves)

    def _define_at_start(self, definition: Definition) -> None:
        """A curve of held names as it is at the beginning, for starts and error models."""
        name = definition.name
        symbol = self._symbol(name, "start_")
        expr = self._expression(definition, self.start_symbols)
        self.start_symbols[name] = symbol
        self.at_start[symbol] = Assignment(f"{name}(0)", symbol, expr, definition.doc)

    def _read_at_start(self, initial: Iterable[sp.Expr], outputs: Iterable[Output]) -> tuple[Assignment, ...]:
        """Those of `at_start` that something reads, in their order."""
        if not self.at_start:
            return ()
        fixed = [
            *initial,
            *(e for o in outputs for e in (o.proportional, o.additive, o.lloq) if e is not None),
        ]
        wanted: set[sp.Symbol] = set().union(*(e.free_symbols for e in fixed)) if fixed else set()
        kept = []
        for symbol, assignment in reversed(self.at_start.items()):
            if symbol in wanted:
                wanted |= assignment.expr.free_symbols
                kept.append(assignment)
        return tuple(reversed(kept))

    def _without_rates(self, curves: list[Assignment]) -> tuple[Assignment, ...]:
        # A curve may read the rate of a process by name; rates are computed after curves, so it gets the
        # expression itself.
        rates = {r.symbol: r.expr for r in self.rates.values()}
        found = []
        for curve in curves:
            expr = curve.expr
            while expr.free_symbols & rates.keys():
                expr = substituted(expr, rates)
            found.append(Assignment(curve.name, curve.symbol, expr, curve.doc))
        for name, rate in list(self.rates.items()):
            expr = rate.expr
            while (expr.free_symbols - {rate.symbol}) & rates.keys():
                expr = substituted(expr, rates)
            self.rates[name] = Rate(rate.name, rate.symbol, expr, rate.kind, rate.reversible)
        return tuple(found)

    def _expression(self, definition: Definition, symbols: Mapping[str, sp.Expr] | None = None) -> sp.Expr:
        expr = definition.expr
        if isinstance(expr, Apply) and expr.op.startswith("auto:"):
            value, problem = predicted_partition(self.model, definition, symbols or self.symbols)
            if problem is not None:
                self.problems.append(problem)
            return value
        return self._sympy(expr, definition.name, definition.span, symbols)

    def _sympy(
        self, expr: Expr, what: str, span: Span | None, symbols: Mapping[str, sp.Expr] | None = None
    ) -> sp.Expr:
        """The sympy form; a division by what is always zero is reported."""
        try:
            return to_sympy(expr, self.symbols if symbols is None else symbols)
        except ZeroDivisionError as error:
            self.problems.append(_cannot_compute(what, expr.span or span, error))
            return sp.Integer(0)

    # ---------------------------------------------------------------- N and v

    def _rates(self) -> tuple[tuple[Rate, ...], Mapping[tuple[int, int], sp.Expr]]:
        index = {s.name: i for i, s in enumerate(self.model.states)}
        units = {s.name: s.unit.factor for s in self.model.states}
        found: list[Rate] = []
        entries: dict[tuple[int, int], sp.Expr] = {}
        for j, arrow in enumerate(self.model.arrows):
            rate = self.rates[arrow.rate]
            # A rate is counted in the unit of the first state it moves; N converts to the others.
            own = units[_moved(arrow)[0]]
            expr = rate.expr if own == 1 else rate.expr / _rational(own)
            found.append(Rate(arrow.name, rate.symbol, expr, arrow.kind, arrow.reversible))
            for state, count in arrow.consumes:
                key = index[state], j
                entries[key] = entries.get(key, sp.Integer(0)) - _rational(count * own / units[state])
            for state, share in arrow.produces:
                key = index[state], j
                given = self._sympy(share, arrow.name, arrow.span) * _rational(own / units[state])
                entries[key] = entries.get(key, sp.Integer(0)) + given
        return tuple(found), {k: v for k, v in sorted(entries.items()) if v != 0}

    # ---------------------------------------------------------------- starts and outputs

    def _initial(self, state: State) -> sp.Expr:
        if state.start is None:
            return sp.Integer(0)
        start = self._sympy(state.start, state.name, state.span, self.start_symbols)
        return start / _rational(state.unit.factor)

    def _output(self, observable: Observable) -> Output:
        factor = _rational(observable.unit.factor)
        error = observable.error
        rates = {r.symbol: r.expr for r in self.rates.values()}

        def number(expr: Expr | None) -> sp.Expr:
            if expr is None:
                return sp.Integer(0)
            return self._sympy(expr, observable.name, observable.span, self.start_symbols)

        expr = self._sympy(observable.expr, observable.name, observable.span)
        while expr.free_symbols & rates.keys():
            expr = substituted(expr, rates)
        return Output(
            observable.name,
            expr / factor,
            observable.unit,
            error.kind if error else None,
            number(error.proportional if error else None),
            number(error.additive if error else None) / factor,
            None if observable.lloq is None else number(observable.lloq) / factor,
            observable.doc,
        )


def _needed(unknowns: tuple[UnknownTerm, ...], computed: Iterable[sp.Basic]) -> tuple[UnknownTerm, ...]:
    """Unknown terms without those that have no form and that nothing calls: a run needs none for them."""
    called = {call.func for expr in computed for call in expr.atoms(sp.core.function.AppliedUndef)}
    return tuple(u for u in unknowns if u.default is not None or u.function in called)


def _moved(arrow: Arrow) -> list[str]:
    return [s for s, _ in arrow.consumes] + [s for s, _ in arrow.produces]


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def _reads_something(expr: Expr) -> bool:
    return any(isinstance(e, Name) or (isinstance(e, Apply) and ":" in e.op) for e in walk(expr))


def _no_name(name: str) -> float:
    raise KeyError(name)


def _cannot_compute(what: str, span: Span | None, error: Exception) -> Diagnostic:
    return Diagnostic(
        "bad-number",
        f"'{what}' cannot be computed: {reason(error)}",
        (Label(span),) if span else (),
        help="check its arguments",
    )
