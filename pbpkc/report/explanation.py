"""What a name of a spec is: its value and source, its equation, what it depends on and what depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pbpkc.language.binding.scope import split_owner
from pbpkc.language.diagnostics import similar
from pbpkc.language.expression import Const, to_text
from pbpkc.language.model import Arrow, Definition, Model, State
from pbpkc.language.show import (
    Values,
    arrow_cells,
    expression_text,
    mask_text,
    observable_lines,
    population_lines,
    quantity_text,
    range_text,
    scenario_lines,
    unknown_lines,
)
from pbpkc.language.source import Span
from pbpkc.report.reading import Reading

if TYPE_CHECKING:
    from pbpkc.language.binding.scope import Scope

#: What the kinds of definitions are called.
_KINDS = {
    "attribute": "attribute", "volume": "volume of a space", "absent": "attribute", "flow": "blood flow",
    "concentration": "concentration", "rate": "rate", "let": "curve", "masked": "masked parameter",
    "param": "parameter", "covariate": "covariate", "input": "input",
}  # fmt: skip

#: Values that only the equations have, by name: predicted partition coefficients, and what reads them.
Computed = Callable[[str], float | None]


@dataclass(frozen=True)
class Explanation:
    """What there is to say of a name.

    Parameters
    ----------
    name : str
    kind : str
        ``parameter``, ``tissue``, ``process``, ``state`` ... as people call it.
    doc : str
    file : str or None
    line : int or None
        Where it is declared, or where what makes it necessary stands.
    facts : tuple of (str, str)
        Label and text, in the order in which they are read: value, prior, source, equation and so on.
    reads : tuple of str
        What it depends on directly.
    read_by : tuple of str
        What depends on it directly; with ``observable``, ``scenario``, ``population`` or ``check`` in front
        where it is one.
    reaches : tuple of str
        Observables that depend on it through whatever lies between.
    """

    name: str
    kind: str
    doc: str
    file: str | None
    line: int | None
    facts: tuple[tuple[str, str], ...]
    reads: tuple[str, ...]
    read_by: tuple[str, ...]
    reaches: tuple[str, ...]

    def to_json(self) -> Mapping[str, Any]:
        """As plain data."""
        return {**asdict(self), "facts": [{"label": a, "text": b} for a, b in self.facts]}


class UnknownName(ValueError):
    """A name that the spec does not have; the message says which is like it."""


class Explainer:
    """Answers for one spec.

    Parameters
    ----------
    model : Model
    scope : Scope
        Of what was declared: functions and sites are not in a `Model`.
    computed : callable
        Gives the value (canonical units) of a definition that needs the equations, or None.
    equation : callable
        Gives the right-hand side of a state as text.
    """

    def __init__(
        self, model: Model, scope: Scope, computed: Computed, equation: Callable[[str], str]
    ) -> None:
        self.model, self.scope = model, scope
        self.reading = Reading(model)
        self.values = Values(model)
        self._computed, self._equation = computed, equation
        self._states = {s.name: s for s in model.states}
        self._arrows = {a.name: a for a in model.arrows}
        self._observables = {o.name: o for o in model.observables}

    def names(self) -> tuple[str, ...]:
        """Every name that can be asked for."""
        derived = [d.name for d in self.model.definitions.values()]
        flows = [f"{n}.{w}" for n in self.model.nodes for w in ("flow", "outflow") if self._through(n, w)]
        families = [name.split("<")[0] for name in self.scope.where if "<" in name]
        return tuple(
            dict.fromkeys(
                [
                    *self.scope.where, *families, *derived, *flows, *self._states, *self._arrows,
                    *self._observables, *self.model.scenarios, *self.model.populations,
                    *self.scope.circulations,
                ]
            )
        )  # fmt: skip

    def explain(self, name: str) -> tuple[Explanation, ...]:
        """What a name is; more than one thing where a name is shared, as by a circulation and its flow.

        Raises
        ------
        UnknownName
            For a name that the spec does not have.
        """
        model, found = self.model, list[Explanation]()
        for table, make in (
            (model.definitions, self._definition),
            (model.nodes, self._node),
            (model.species, self._species),
            (self._states, self._state),
            (self._arrows, self._process),
            (self._observables, self._observable),
            (model.unknowns, self._unknown),
            (self.scope.functions, self._function),
            (self.scope.sites, self._site),
            (self.scope.circulations, self._circulation),
            (model.scenarios, self._scenario),
            (model.populations, self._population),
        ):
            if name in table and not (make == self._definition and name in self._arrows):
                found.append(make(name))
        owner, _, word = name.rpartition(".")
        if not found and self._through(owner, word):
            found.append(self._flow(owner, word))
        if not found:
            found = self._family(name)
        if not found:
            near = similar(name, self.names())
            hint = f"; a name with a similar spelling exists: '{near}'" if near else ""
            raise UnknownName(f"'{name}' is no name of this spec{hint}")
        return tuple(found)

    # ---------------------------------------------------------------- values

    def _made(
        self,
        name: str,
        kind: str,
        doc: str,
        span: Span | None,
        facts: Iterator[tuple[str, str]] | list[tuple[str, str]],
        key: str | None = None,
    ) -> Explanation:
        reading, key = self.reading, key or name
        reaches = reading.reached(key)
        return Explanation(
            name,
            kind,
            doc,
            span.file.name if span else None,
            span.line if span else None,
            tuple(facts),
            reading.reads.get(key, ()),
            reading.read_by.get(key, ()),
            () if key.startswith(("scenario", "population", "observable")) else reaches,
        )

    def _definition(self, name: str) -> Explanation:
        definition = self.model.definitions[name]
        kind = _KINDS[definition.kind]
        owner, _ = split_owner(name, self.model.species.keys() | self.model.nodes.keys())
        if definition.kind == "attribute" and owner in self.model.species:
            kind = f"attribute of the species '{owner}'"
        elif definition.kind == "attribute":
            kind = f"attribute of the {self._kind_of_node(owner)} '{owner}'"
        return self._made(name, kind, definition.doc, definition.span, self._facts(definition))

    def _kind_of_node(self, node: str) -> str:
        return self.model.nodes[node].kind if node in self.model.nodes else "node"

    def _facts(self, definition: Definition) -> Iterator[tuple[str, str]]:
        value = self._value(definition)
        if value:
            yield "value", value + (" (median of the prior)" if definition.mask else "")
        elif definition.expr.dim.is_one:
            yield "unit", "dimensionless"
        else:
            yield "unit", str(definition.unit)
        if definition.mask is not None:
            yield "prior", mask_text(definition.mask, definition.unit)
        if definition.bounds is not None:
            yield "bounds", range_text(*definition.bounds, definition.unit)
        if definition.hold:
            yield "changes", f"may change during a run, hold {definition.hold}"
        if not isinstance(definition.expr, Const) and definition.mask is None:
            yield "equation", f"{definition.name} = {expression_text(definition.expr)}"
        if definition.kind == "absent":
            yield "equation", f"{definition.name} = 0: nothing passes by itself"
        if definition.source:
            yield "source", definition.source

    def _value(self, definition: Definition) -> str:
        text = self.values.text(definition.name)
        if text or definition.kind in ("concentration", "rate", "let"):
            return text
        number = self._computed(definition.name)
        return "" if number is None else quantity_text(number, definition.unit)

    # ---------------------------------------------------------------- places and substances

    def _node(self, name: str) -> Explanation:
        return self._made(name, self.model.nodes[name].kind, self.model.nodes[name].doc, *self._of_node(name))

    def _of_node(self, name: str) -> tuple[Span | None, list[tuple[str, str]]]:
        model, node = self.model, self.model.nodes[name]
        facts: list[tuple[str, str]] = []
        if node.volume:
            left = f", what is left of {node.remainder}" if node.remainder else ""
            facts.append(("volume", self.values.text(node.volume) + left))
        if node.vascular:
            facts.append(("blood in it", self.values.text(node.vascular)))
        if node.like:
            facts.append(("composition", f"like {node.like}"))
        for edge in model.edges:
            if name in (edge.source, edge.target):
                way = f"from {edge.source}" if edge.target == name else f"to {edge.target}"
                facts.append((f"blood {way}", self._flow_text(edge.flow, edge.circulation)))
        states = [s.name for s in model.states if s.node == name]
        if states:
            facts.append(("states", ", ".join(states)))
        for arrow in model.arrows:
            ends = [s for s, _ in (*arrow.consumes, *arrow.produces)]
            if arrow.kind != "circulation" and any(s in states for s in ends):
                facts.append((arrow.kind, f"{arrow.name} : {arrow_cells(model, arrow)[2]}"))
        for species in model.species.values():
            for word, key in species.attributes.items():
                if word.endswith(f".{name}"):
                    value = self._value(model.definitions[key])
                    facts.append((key, value or expression_text(model.definitions[key].expr)))
        return node.span, facts

    def _flow_text(self, flow: str, circulation: str) -> str:
        value, total = self.values.text(flow), 0.0
        try:
            total = float(self.values.lookup(circulation))
            share = f", {100 * float(self.values.lookup(flow)) / total:.3g} % of {circulation}"
        except (KeyError, ValueError, ArithmeticError):
            share = ""
        return value + share

    def _through(self, node: str, word: str) -> list[str]:
        """The vessels whose flow is the `flow` or `outflow` of a node that the balance decides."""
        edges = [e for e in self.model.edges if (e.target if word == "flow" else e.source) == node]
        return [e.flow for e in edges] if word in ("flow", "outflow") else []

    def _flow(self, node: str, word: str) -> Explanation:
        flows = self._through(node, word)
        if word == "flow":
            end = next((e.target for e in reversed(self.model.edges) if e.trunk), None)
            flows = [e.flow for e in self.model.edges if e.target == node and e.source == end] or flows
        first = self.model.definitions[flows[0]]
        total = sum(float(self.values.lookup(f)) for f in flows)
        equation = " + ".join(to_text(self.model.definitions[f].expr) for f in flows)
        facts = [
            ("value", quantity_text(total, first.unit)),
            ("equation", f"{node}.{word} = {equation}, from the balance of blood"),
        ]
        return self._made(f"{node}.{word}", "blood flow", "", self.model.nodes[node].span, facts, flows[0])

    def _species(self, name: str) -> Explanation:
        species = self.model.species[name]
        facts = [("carried by", ", ".join(species.carried_by))] if species.carried_by else []
        groups = [f"acid {to_text(e)}" for e in species.acids] + [f"base {to_text(e)}" for e in species.bases]
        if groups or species.neutral:
            facts.append(("pka", ", ".join(groups) or "neutral"))
        for key in species.attributes.values():
            definition = self.model.definitions[key]
            source = f"  source {definition.source}" if definition.source else ""
            facts.append((key, (self._value(definition) or expression_text(definition.expr)) + source))
        states = [s.name for s in self.model.states if s.species == name]
        facts.append(("states", ", ".join(states) or "none"))
        return self._made(name, "species", species.doc, species.span, facts)

    def _site(self, name: str) -> Explanation:
        site = self.scope.sites[name]
        drained = ", ".join(r.text for r in site.drains)
        facts = [("drains", f"{drained}: the blood that leaves them, mixed by flow")]
        own = [d for d in self.model.definitions.values() if d.name.startswith(f"{name}.")]
        facts += [("equation", f"{d.name} = {to_text(d.expr)}") for d in own]
        made = self._made(name, "site", site.doc, site.span, facts, own[0].name if own else None)
        return made

    def _circulation(self, name: str) -> Explanation:
        line = self.scope.circulations[name]
        facts = [
            (f"{e.source} -> {e.target}", self._flow_text(e.flow, name) + (", trunk" if e.trunk else ""))
            for e in self.model.edges
            if e.circulation == name
        ]
        carried = [s.name for s in self.model.species.values() if name in s.carried_by]
        facts.append(("carries", ", ".join(carried) or "nothing"))
        return self._made(name, "circulation", line.doc, line.span, facts, f"circulation {name}")

    # ---------------------------------------------------------------- what happens

    def _state(self, name: str) -> Explanation:
        state = self._states[name]
        return self._made(name, "state", "", state.span, self._of_state(state))

    def _of_state(self, state: State) -> Iterator[tuple[str, str]]:
        yield "unit", str(state.unit)
        yield "exists because", state.reason
        yield "start", "0" if state.start is None else to_text(state.start)
        yield "equation", f"d {state.name}/dt = {self._equation(state.name)}"
        for scenario in self.model.scenarios.values():
            rows = [d for _, _, d in scenario.data.dose_rows] if scenario.data else []
            if any(d.state == state.name for d in (*scenario.doses, *rows)):
                yield "dosed in", f"scenario {scenario.name}"

    def _process(self, name: str) -> Explanation:
        arrow = self._arrows[name]
        what = {"process": "process", "flow": "flow", "ode": "equation"}.get(arrow.kind, "exchange")
        if arrow.kind == "circulation":
            what = "transport by blood"
        return self._made(name, what, arrow.doc, arrow.span, self._of_arrow(arrow), arrow.rate)

    def _of_arrow(self, arrow: Arrow) -> Iterator[tuple[str, str]]:
        rate = self.model.definitions[arrow.rate]
        yield "arrow", arrow_cells(self.model, arrow)[2]
        yield "rate", f"{to_text(rate.expr)}, in {rate.unit}"
        if not arrow.reversible and arrow.kind in ("process", "flow"):
            yield "promise", "never negative, and none when what it takes is empty (check positive)"

    def _unknown(self, name: str) -> Explanation:
        unknown = self.model.unknowns[name]
        first, *rest = unknown_lines(unknown)
        facts = [("declared", first), *(("", line.strip()) for line in rest)]
        return self._made(name, "unknown term", unknown.doc, unknown.span, facts)

    def _function(self, name: str) -> Explanation:
        function = self.scope.functions[name]
        facts = [
            ("equation", function.span.text.partition(" ")[2].strip()),
            ("units", "those of its arguments"),
        ]
        return self._made(name, "function", "", function.span, facts)

    # ---------------------------------------------------------------- what is measured and done

    def _observable(self, name: str) -> Explanation:
        observable = self._observables[name]
        first, *rest = observable_lines(observable)
        facts = [("equation", first), *(("", line.strip()) for line in rest)]
        return self._made(name, "observable", observable.doc, observable.span, facts, f"observable {name}")

    def _scenario(self, name: str) -> Explanation:
        scenario = self.model.scenarios[name]
        facts = [("", line) for line in scenario_lines(scenario)]
        return self._made(name, "scenario", scenario.doc, scenario.span, facts, f"scenario {name}")

    def _population(self, name: str) -> Explanation:
        people = self.model.populations[name]
        facts = [("", line) for line in population_lines(people, self.model)]
        return self._made(name, "population", people.doc, people.span, facts, f"population {name}")

    def _family(self, name: str) -> list[Explanation]:
        """The members of a family, if a name without its index is one."""
        members = [n for n in self.names() if n.split("<")[0] == name and "<" in n and "." not in n]
        if not members:
            return []
        first = self.explain(members[0])[0]
        own = [(f"{members[0]}: {label}" if label else "", text) for label, text in first.facts]
        return [
            replace(
                first,
                name=name,
                kind=f"family of {first.kind}",
                facts=(("members", ", ".join(members)), *own),
            )
        ]
