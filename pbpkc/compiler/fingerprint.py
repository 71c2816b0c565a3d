"""The fingerprint of a `System`: what its equations, names, units and values are, nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import sympy as sp

from pbpkc.compiler.module import TEMPLATE_VERSION
from pbpkc.compiler.printing import TextPrinter
from pbpkc.compiler.system import Parameter, System, UnknownTerm


def fingerprint(system: System) -> str:
    """SHA-256 (hexadecimal) of the canonical text of a `System` and the template version.

    Comments, layout, descriptions and sources of a spec do not enter it; names, units, values,
    masks, bounds and equations do.
    """
    text = f"template {TEMPLATE_VERSION}\n{canonical_text(system)}"
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_text(system: System) -> str:
    """A `System` as text, one entry a line, the same for equal systems in every run."""
    return "\n".join(_lines(system)) + "\n"


def _lines(system: System) -> Iterator[str]:
    write = _ApplyingPrinter().text
    yield f"model {system.name}"
    yield f"time {system.time} {system.time_unit}"
    for p in system.parameters:
        yield _parameter(p)
    for s in system.states:
        yield f"state {s.name} {s.symbol} {s.unit} node {s.node} species {s.species} sink {s.sink}"
    for u in system.inputs:
        held = f" hold {u.hold} in {u.bounds!r}" if u.hold else ""
        yield f"input {u.name} {u.symbol} {u.kind} {u.target}{held}"
    for a in system.constants:
        yield f"constant {a.name} {a.symbol} = {write(a.expr)}"
    for a in system.curves:
        yield f"curve {a.name} {a.symbol} = {write(a.expr)}"
    for r in system.rates:
        yield f"rate {r.name} {r.symbol} {r.kind} {'<->' if r.reversible else '->'} = {write(r.expr)}"
    for i, j in sorted(system.N):
        yield f"N {system.states[i].name} {system.rates[j].name} = {write(system.N[i, j])}"
    for s, expr in zip(system.states, system.initial, strict=True):
        yield f"initial {s.name} = {write(expr)}"
    for o in system.outputs:
        lloq = None if o.lloq is None else write(o.lloq)
        noise = f"{o.error} proportional {write(o.proportional)} additive {write(o.additive)} lloq {lloq}"
        yield f"observe {o.name} {o.unit} = {write(o.expr)} error {noise}"
    for unknown in system.unknowns:
        yield _unknown(unknown, write(unknown.default) if unknown.default is not None else None)


def _parameter(p: Parameter) -> str:
    mask = "fixed"
    if p.mask is not None:
        prior = p.mask.prior
        shape = "flat" if prior is None else f"{prior.family} {sorted(prior.arguments.items())!r}"
        mask = (
            f"masked {shape} in ({p.mask.low!r}, {p.mask.high!r}) {p.mask.scale}{' counted' * p.mask.counted}"
        )
    return f"parameter {p.name} {p.symbol} {p.kind} {float(p.value)!r} {p.unit} {p.bounds!r} {mask}"


def _unknown(u: UnknownTerm, default: str | None) -> str:
    arguments = ", ".join(
        f"{a} {unit} in {r!r}"
        for a, unit, r in zip(u.arguments, u.argument_units, u.argument_ranges, strict=True)
    )
    return (
        f"unknown {u.name}({arguments}) -> {u.unit} range {u.range!r} shapes {u.shapes!r} "
        f"anchors {u.anchors!r} default {default}"
    )


class _ApplyingPrinter(TextPrinter):
    """Prints calls of unknown terms too, which generated code has on lines of their own."""

    def _print_AppliedUndef(self, expr: sp.Function) -> str:  # noqa: N802 - sympy's naming
        return f"{expr.func.__name__}({', '.join(self.text(a) for a in expr.args)})"
