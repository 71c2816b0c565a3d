"""The text forms of `System` and `AnalysedSystem`: what a stage holds, for people and for golden files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sympy as sp

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.conservation import ConservedTotal
from pbpkc.compiler.notation import Notation, arrow_text, notation
from pbpkc.compiler.system import Input, Output, Parameter, System, UnknownTerm
from pbpkc.language.units import canonical_text


def emit_system(system: System) -> str:
    """The whole `System` as text, one entry a line, nothing lost but descriptions and sources.

    Numbers are in canonical units (umol, L, h, kg, K); rational numbers are exact.
    """
    return "\n".join(_system_lines(system)) + "\n"


def emit_analysed(analysed: AnalysedSystem) -> str:
    """The `System` as text, and below it what analysis found."""
    return emit_system(analysed.system) + "\n" + "\n".join(_analysis_lines(analysed)) + "\n"


# ------------------------------------------------------------- System


def _system_lines(system: System) -> Iterator[str]:
    written = notation(system)
    text = written.text
    yield f"system {system.name} {_quoted(system.title)}".rstrip()
    yield f"time t, reported in {system.time_unit}"
    yield from _block("parameters", _aligned(_parameter(p) for p in system.parameters))
    yield from _block(
        "states",
        _aligned(
            (s.name, f"{s.unit}", f"start {text(start)}", "sink" if s.sink else "")
            for s, start in zip(system.states, system.initial, strict=True)
        ),
    )
    yield from _block("inputs", _aligned((u.name, u.kind, _of(u)) for u in system.inputs))
    yield from _block("unknown terms", (_unknown(u, written) for u in system.unknowns))
    yield from _block("constants", _aligned((a.name, f"= {text(a.expr)}") for a in system.constants))
    yield from _block("curves", _aligned((a.name, f"= {text(a.expr)}") for a in system.curves))
    yield from _block("rates", _aligned((r.name, f"= {text(r.expr)}", f"({r.kind})") for r in system.rates))
    yield from _block(
        "who loses and who gains",
        _aligned((r.name, f": {arrow_text(system, k, written)}") for k, r in enumerate(system.rates)),
    )
    yield from _block("observables", (line for o in system.outputs for line in _output(o, written)))


def _parameter(parameter: Parameter) -> tuple[str, ...]:
    allowed = ""
    if parameter.mask is not None:
        prior = parameter.mask.prior
        shape = "" if prior is None else f" ~ {prior.family}({_arguments(prior.arguments)})"
        allowed = f"{shape} in ({parameter.mask.low!r}, {parameter.mask.high!r}) scale {parameter.mask.scale}"
    elif parameter.bounds is not None:
        allowed = f" in ({parameter.bounds[0]!r}, {parameter.bounds[1]!r})"
    unit = canonical_text(parameter.unit.dimension)
    # The number is canonical; the unit of the spec is kept beside it, since reports use it.
    reported = "" if parameter.unit.text == unit else f", reported in {parameter.unit}"
    return parameter.name, f"= {parameter.value!r}", f"[{unit}]", f"{parameter.kind}{allowed}{reported}"


def _of(entry: Input) -> str:
    if entry.kind != "held":
        return f"of {entry.target}"
    low, high = entry.bounds
    return f"of {entry.target}, {entry.hold} in ({low!r}, {high!r})"


def _arguments(arguments: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {arguments[name]!r}" for name in sorted(arguments))


def _unknown(unknown: UnknownTerm, written: Notation) -> str:
    arguments = ", ".join(
        f"{a} {unit} in ({low!r}, {high!r})"
        for a, unit, (low, high) in zip(
            unknown.arguments, unknown.argument_units, unknown.argument_ranges, strict=True
        )
    )
    parts = [f"{unknown.name}({arguments}) -> {unknown.unit}"]
    if unknown.range is not None:
        parts.append(f"range ({unknown.range[0]!r}, {unknown.range[1]!r})")
    parts += [f"{shape} in {argument}" for shape, argument in unknown.shapes]
    parts += [f"at ({', '.join(repr(x) for x in at)}) = {value!r}" for at, value in unknown.anchors]
    if unknown.default is not None:
        parts.append(f"default {written.text(sp.sympify(unknown.default))}")
    return "; ".join(parts)


def _output(output: Output, written: Notation) -> Iterator[str]:
    yield f"{output.name} = {written.text(output.expr)} in {output.unit}"
    if output.error is not None:
        yield (
            f"  error {output.error}: proportional {written.text(output.proportional)}, "
            f"additive {written.text(output.additive)}"
        )
    if output.lloq is not None:
        yield f"  lloq {written.text(output.lloq)}"


# ------------------------------------------------------------- AnalysedSystem


def _analysis_lines(analysed: AnalysedSystem) -> Iterator[str]:
    system, text = analysed.system, notation(analysed.system).text
    states = [s.name for s in system.states]
    yield f"linear and time-invariant: {'yes' if analysed.linear_time_invariant else 'no'}"
    yield f"  {analysed.reason}"
    yield from _block(
        "linear part A(p), by equation and state",
        _aligned((states[i], states[j], text(e)) for (i, j), e in analysed.linear.A.items()),
    )
    yield from _block(
        "linear part b(p, u), by equation",
        _aligned((states[i], text(e)) for i, e in analysed.linear.b.items()),
    )
    yield from _block(
        "other terms, by rate",
        _aligned((system.rates[t.rate].name, text(t.expr), f"({t.reason})") for t in analysed.linear.terms),
    )
    yield from _block("conserved totals", (t.text(system) for t in analysed.conservation.basis))
    yield from _block(
        "total of each species, open arrows not counted",
        _aligned((name, _species(total, system)) for name, total in analysed.conservation.by_species.items()),
    )
    yield from _block("open arrows", (system.rates[r].name for r in analysed.conservation.open_arrows))
    yield from _block(
        "arrows with a symbolic yield, not counted",
        (system.rates[r].name for r in analysed.conservation.symbolic_yields),
    )
    yield from _block(
        f"Jacobian: {len(analysed.sparsity)} of {len(states) ** 2} entries, sign and expression",
        _aligned(
            (states[i], states[j], analysed.signs[i, j], text(analysed.derivatives.jacobian[i, j]))
            for i, j in analysed.sparsity
        ),
    )
    yield from _block("time scales", _time_scales(analysed))
    yield from _block(
        "parameters that each observable can show",
        _aligned((name, ", ".join(seen)) for name, seen in analysed.depends.influence.items()),
    )


def _species(total: ConservedTotal | None, system: System) -> str:
    return "none" if total is None else total.text(system)


def _time_scales(analysed: AnalysedSystem) -> Iterator[str]:
    scales = analysed.time_scales
    if scales.outcome:
        yield scales.outcome
        return
    yield "hours, slowest first: " + ", ".join(f"{h:g}" for h in scales.hours)
    if scales.oscillating:
        yield "periods in hours: " + ", ".join(f"{h:g}" for h in scales.oscillating)
    yield f"{scales.at_rest} directions at rest, {scales.growing} growing"


# ------------------------------------------------------------- layout


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield ""
        yield title
        yield from (f"  {line}" for line in body)


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows as columns; the last column, and any after a very wide one, is not padded."""
    table = list(rows)
    if not table:
        return
    widths = [max(len(row[c]) for row in table) for c in range(len(table[0]) - 1)]
    for row in table:
        # A column wider than this would push the rest out of sight; its rows stand as they are.
        cells = [cell.ljust(w) if w <= 48 else cell for cell, w in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _quoted(title: str) -> str:
    return f'"{title}"' if title else ""
