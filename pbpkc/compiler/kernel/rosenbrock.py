"""KernelProgram -> the C text of Rodas5P over lanes of subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.kernel.c_function import CFunction, body, comment
from pbpkc.compiler.kernel.program import KernelProgram, NoKernelForm, Program
from pbpkc.compiler.kernel.sparse_lu import SymbolicLU, symbolic_lu
from pbpkc.compiler.kernel.tangent import Direction, Tangent
from pbpkc.compiler.manifest import versions
from pbpkc.compiler.templates import code_templates

#: Part of the text, and so of the key under which it is cached: raise it when the template changes.
TEMPLATE_VERSION = 4

#: Multiplications of one factorisation from which on it is done by loops with pivots, one subject at a time:
#: straight-line code of more would be too long for the instruction cache, and for a compiler's patience.
MOST_STRAIGHT = 6_000

#: Operations of a text beyond which there is no kernel: compiling it would take minutes.
MOST_OPERATIONS = 60_000

_MOMENT = "V t, " + ", ".join(f"const V *restrict {name}" for name in ("y", "p", "u", "c"))


#: Rodas5P (Steinebach 2023, BIT Numerical Mathematics 63:27), in the form without products with the
#: Jacobian: stages 2 to 6 of A, and 2 to 8 of C; stages 7 and 8 and the result each add the stage before.
STAGES = (
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946),
)
COUPLING = (
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
     -28.087943162872662),
    (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
     -54.66780262877968, -9.48861652309627),
)  # fmt: skip

#: Of its dense output, order 4: coefficients of the three polynomials by stage.
DENSE_OUTPUT = (
    (25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204, 0.524948541321073,
     1.1241088310450404, 0.4272876194431874, -0.17202221070155493),
    (-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796, 20.176138334709044,
     15.98066361424651, -6.789040303419874, -6.710236069923372),
    (11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643, -52.072871366152654,
     -59.78993625266729, -0.15582684282751913, 4.883087185713722),
)  # fmt: skip


def rosenbrock_text(program: KernelProgram, fingerprint: str, tangent: Tangent | None = None) -> str:
    """The C text of a kernel.

    Parameters
    ----------
    program : KernelProgram
    fingerprint : str
        Of the system, for the header.
    tangent : Tangent, optional
        Parameters by which everything is differentiated too.

    Returns
    -------
    str
        The same input gives the same bytes.

    Raises
    ------
    NoKernelForm
        If derivatives are asked for of rates that read time.
    """
    if tangent is not None and program.time_slope.results:
        raise NoKernelForm("a rate reads time, of which the kernel has no derivatives")
    system = program.system
    lu = symbolic_lu(program.pattern, len(system.states))
    pivoted = needs_pivots(program)
    _demand_size(program)
    functions = (
        _coefficients(program),
        _function("rhs", "Right-hand side dy/dt, infusions included.", "f", program, program.rhs, _infusions),
        _function("jacobian", "Derivatives of dy/dt by states, by entry.", "jac", program, program.jacobian),
        *(_time_slope(program) if program.time_slope.results else ()),
        _function("observe", "Observables, each in its unit.", "o", program, program.observe),
        *(() if pivoted else (_factor(program, lu), _solve(lu))),
        _wrong(program),
        *(_differentiated(program, tangent) if tangent is not None else ()),
    )
    return (
        code_templates()
        .get_template("rosenbrock.c.j2")
        .render(
            title=comment(f"{system.name}: {system.title}"),
            version=versions()["pbpkc"],
            template_version=TEMPLATE_VERSION,
            fingerprint=comment(fingerprint),
            S=len(system.states),
            P=len(system.parameters),
            K=len(system.inputs),
            C=len(program.kept),
            O=len(system.outputs),
            NJ=len(program.pattern),
            NE=len(system.states) * (len(system.states) + 1) if pivoted else len(lu.entries),
            pivoted=pivoted,
            pattern=program.pattern,
            functions=functions,
            a=STAGES,
            g=COUPLING,
            dense=DENSE_OUTPUT,
            read=_read_by_observables(program),
            D=0 if tangent is None else len(tangent.directions),
            directions=() if tangent is None else [_entries(program, d) for d in tangent.directions],
            timed=bool(program.time_slope.results),
            coefficients_change=program.coefficients_change,
        )
    )


def needs_pivots(program: KernelProgram) -> bool:
    """Whether the factorisation fills in so much that loops with pivots, one subject a lane, are better."""
    return symbolic_lu(program.pattern, len(program.system.states)).operations > MOST_STRAIGHT


def _demand_size(program: KernelProgram) -> None:
    parts = (program.coefficients, program.rhs, program.jacobian, program.observe)
    expressions = [e for part in parts for e in (*(e for _, e in part.lines), *part.results.values())]
    count = int(sum(sp.count_ops(e) for e in expressions))
    if count > MOST_OPERATIONS:
        raise NoKernelForm(f"its equations have {count} operations, and compiling them would take minutes")


@dataclass(frozen=True)
class _Entries:
    """Rows and columns of the Jacobian's entries that move along a direction."""

    entries: tuple[tuple[int, int], ...]


def _entries(program: KernelProgram, direction: Direction) -> _Entries:
    return _Entries(tuple(program.pattern[n] for n in direction.jacobian.results))


def _read_by_observables(program: KernelProgram) -> list[int]:
    expressions = (*(e for _, e in program.observe.lines), *program.observe.results.values())
    reads = set().union(*(e.free_symbols for e in expressions), set())
    return [i for i, s in enumerate(program.system.states) if s.symbol in reads]


def _names(program: KernelProgram, kept: bool = True) -> dict[sp.Symbol, str]:
    """How symbols are written inside a function: entries of its arguments."""
    system = program.system
    groups: Iterable[tuple[str, Iterable[sp.Symbol]]] = (
        ("y", (s.symbol for s in system.states)),
        ("p", (s.symbol for s in system.parameters)),
        ("u", (s.symbol for s in system.inputs)),
        ("slope", program.slopes),
        ("c", program.kept if kept else ()),
    )
    names = {s: f"{group}[{k}]" for group, symbols in groups for k, s in enumerate(symbols)}
    return {**names, system.time: "t"}


def _coefficients(program: KernelProgram) -> CFunction:
    return CFunction(
        "coefficients",
        "const V *restrict p, const V *restrict u, V *restrict c",
        "What does not change between events, once for each subject.",
        tuple(body(program.coefficients, _names(program, kept=False), "c")),
    )


def _function(
    name: str,
    doc: str,
    target: str,
    program: KernelProgram,
    what: Program,
    more: Callable[[KernelProgram], Iterable[str]] = lambda program: (),
) -> CFunction:
    system = program.system
    labels: Mapping[str, list[str]] = {
        "f": [f"d {x.name} / dt" for x in system.states],
        "jac": [f"d {system.states[i].name} / dt by {system.states[j].name}" for i, j in program.pattern],
        "o": [f"{x.name} in {x.unit.text}" for x in system.outputs],
    }
    lines = [*body(what, _names(program), target, labels[target]), *more(program)]
    return CFunction(name, f"{_MOMENT}, V *restrict {target}", doc, tuple(lines))


def _infusions(program: KernelProgram) -> Iterable[str]:
    rows = {s.name: i for i, s in enumerate(program.system.states)}
    for k, u in enumerate(program.system.inputs):
        if u.kind == "infusion":
            yield f"f[{rows[u.target]}] += u[{k}];"


def _time_slope(program: KernelProgram) -> tuple[CFunction]:
    rows = program.time_slope.results
    lines = body(program.time_slope, _names(program), "ft")
    lines += [f"ft[{i}] = ALL(0.0);" for i in range(len(program.system.states)) if i not in rows]
    reads = ", ".join(f"const V *restrict {name}" for name in ("y", "p", "u", "slope", "c"))
    arguments = f"V t, {reads}, V *restrict ft"
    doc = "Derivatives of dy/dt by time at a fixed state."
    return (CFunction("time_slope", arguments, doc, tuple(lines)),)


def _differentiated(program: KernelProgram, tangent: Tangent) -> Iterable[CFunction]:
    """Four functions for each direction."""
    moment = f"{_MOMENT}, const V *restrict s, const V *restrict dc, V *restrict "
    for d, direction in enumerate(tangent.directions):
        by = program.system.parameters[direction.column].symbol.name
        yield CFunction(
            f"d_coefficients_{d}",
            "const V *restrict p, const V *restrict u, V *restrict dc",
            f"Derivatives by {by} of what does not change between events.",
            tuple(body(direction.coefficients, _names(program, kept=False), "dc")),
        )
        places = {"d_rhs": direction.rhs, "d_jacobian": direction.jacobian, "d_observe": direction.observe}
        for name, what in places.items():
            target = {"d_rhs": "df", "d_jacobian": "dj", "d_observe": "o"}[name]
            names = _names(program) | {symbol: f"s[{i}]" for i, symbol in enumerate(tangent.moved)}
            names |= {symbol: f"dc[{k}]" for k, symbol in direction.kept.items()}
            size = {"d_rhs": len(program.system.states), "d_observe": len(program.system.outputs)}.get(name)
            if size is None:  # the entries that move, one after the other
                what = Program(what.lines, dict(enumerate(what.results.values())))
            lines = body(what, names, target)
            lines += [f"{target}[{i}] = ALL(0.0);" for i in range(size or 0) if i not in what.results]
            yield CFunction(f"{name}_{d}", f"{moment}{target}", f"Derivatives along {by}.", tuple(lines))


def _factor(program: KernelProgram, lu: SymbolicLU) -> CFunction:
    """LU of ``d I - J`` in place; `d` is 1/(h gamma). Pivots are kept inverted."""
    at = {key: n for n, key in enumerate(program.pattern)}
    present: set[tuple[int, int]] = set()
    lines: list[str] = []
    for i in range(lu.size):
        lines.append(f"V w_{i}_{i} = d - jac[{at[i, i]}];" if (i, i) in at else f"V w_{i}_{i} = d;")
    for i, j in lu.entries:
        if (i, j) in at:
            lines.append(f"V w_{i}_{j} = -jac[{at[i, j]}];")
            present.add((i, j))
    for pivot in lu.order:
        lines.append(f"w_{pivot}_{pivot} = ALL(1.0)/w_{pivot}_{pivot};")
        right = lu.right(pivot)
        for i in lu.below(pivot):
            lines.append(f"w_{i}_{pivot} *= w_{pivot}_{pivot};")
            for j in right:
                product = f"w_{i}_{pivot}*w_{pivot}_{j}"
                if i == j or (i, j) in present:
                    lines.append(f"w_{i}_{j} -= {product};")
                else:
                    lines.append(f"V w_{i}_{j} = -({product});")
                    present.add((i, j))
    lines += [f"pivot[{i}] = w_{i}_{i};" for i in range(lu.size)]
    lines += [f"lu[{n}] = w_{i}_{j};" for n, (i, j) in enumerate(lu.entries)]
    doc = f"LU of d I - J: {len(lu.entries)} entries, {len(lu.fill)} of them filled in."
    return CFunction(
        "factor", "V d, const V *restrict jac, V *restrict lu, V *restrict pivot", doc, tuple(lines)
    )


def _solve(lu: SymbolicLU) -> CFunction:
    at = {key: n for n, key in enumerate(lu.entries)}
    # In locals, which the compiler keeps in registers; through the array every line would wait for a store.
    lines = [f"V x_{i} = f[{i}] + scale*more[{i}];" for i in range(lu.size)]
    for pivot in lu.order:
        lines += [f"x_{i} -= lu[{at[i, pivot]}]*x_{pivot};" for i in lu.below(pivot)]
    for pivot in reversed(lu.order):
        terms = "".join(f" - lu[{at[pivot, j]}]*x_{j}" for j in lu.right(pivot))
        lines.append(f"x_{pivot} = {f'(x_{pivot}{terms})' if terms else f'x_{pivot}'}*pivot[{pivot}];")
        lines.append(f"x[{pivot}] = x_{pivot};")
    reads = ", ".join(f"const V *restrict {name}" for name in ("lu", "pivot", "f"))
    arguments = f"{reads}, V scale, const V *restrict more, V *restrict x"
    return CFunction("solve", arguments, "What the matrix takes to f + scale more.", tuple(lines))


def _wrong(program: KernelProgram) -> CFunction:
    """Where ``(d I - J) k = f`` does not hold: a pivot was too small, and a smaller step will do."""
    rows: dict[int, list[tuple[int, int]]] = {}
    for n, (i, j) in enumerate(program.pattern):
        rows.setdefault(i, []).append((n, j))
    timed = bool(program.time_slope.results)
    lines = ["M bad = NOWHERE;", "V left, size, term;"]
    for i in range(len(program.system.states)):
        right = f"(f[{i}] + g*ft[{i}])" if timed else f"f[{i}]"
        lines.append(f"term = d*k[{i}]; left = term - {right}; size = v_abs(term) + v_abs({right});")
        lines += [f"term = jac[{n}]*k[{j}]; left -= term; size += v_abs(term);" for n, j in rows.get(i, ())]
        lines.append("bad |= GT(v_abs(left), ALL(ACCURACY)*size);")
    lines.append("return bad;")
    arguments = "V d, const V *restrict jac, const V *restrict k, const V *restrict f"
    if timed:
        arguments += ", V g, const V *restrict ft"
    doc = "Where the solution of a step's first equations is not accurate."
    return CFunction("wrong", arguments, doc, tuple(lines), gives="M")
