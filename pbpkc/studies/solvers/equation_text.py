"""The equations of a compiled system as text for other programs: Python, C and Antimony.

All of it comes from the routines that the generated numpy module is made of, so every method solves the
same equations, term by term.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pbpkc.compiler.analysed import AnalysedSystem
from pbpkc.compiler.methods import methods
from pbpkc.compiler.routine import Routine

#: Functions of the written modules and the routines behind them.
_FUNCTIONS = {
    "prepare": "_prepare",
    "initial": "_initial_state",
    "rhs": "_rhs",
    "jacobian": "_jacobian",
    "observe": "_observe",
}


def routines_of(analysed: AnalysedSystem) -> dict[str, Routine]:
    """The routines that the texts are made of, by the name of the function.

    Raises
    ------
    ValueError
        If the system has unknown terms, which other programs do not have.
    """
    if analysed.system.unknowns:
        raise ValueError("the system has unknown terms, which no other program can solve")
    found = {r.name: r for r in methods(analysed.system, analysed.derivatives)[0]}
    return {name: found[routine] for name, routine in _FUNCTIONS.items()}


def python_text(routines: dict[str, Routine], in_place: bool) -> str:
    """Python functions; in place, the right-hand side and the Jacobian fill an array."""
    lines = ['"""Equations for a comparison of solvers; their words are given by who loads them."""']
    for name, routine in routines.items():
        filled = in_place and name in ("rhs", "jacobian")
        arguments = ", ".join((*routine.arguments, *(("out",) if filled else ())))
        lines += ["", "", f"def {name}({arguments}):"]
        lines += [f"    {line}" for line in (*routine.unpacked, *(one.text for one in routine.lines))]
        if filled:
            lines += [f"    out[{k}] = {one.text}" for k, one in enumerate(routine.results)]
            if not (routine.results or routine.lines):
                lines.append("    pass")
        else:
            lines += ["    return (", *(f"        {one.text}," for one in routine.results), "    )"]
    return "\n".join(lines) + "\n"


def c_text(routines: dict[str, Routine], jacobian_columns: Sequence[int], states: int) -> str:
    """C functions ``rhs`` and ``jacobian``; `p`, `u` and `c` are arrays.

    Values of the Jacobian stand in the order of the manifest; `jacobian_columns` says whose column each is.
    """
    lines = ["/* Equations for a comparison of solvers. */", "#include <math.h>", ""]
    lines.append(f"enum {{ STATES = {states}, ENTRIES = {len(jacobian_columns)} }};")
    for name in ("rhs", "jacobian"):
        routine = routines[name]
        lines += ["", f"static void {name}(double t, const double *y, const double *p, const double *u,"]
        lines += ["                const double *c, double *out)", "{"]
        lines += [f"    const double {n} = {_C.text(e)};" for n, e in _assigned(routine)]
        lines += [f"    out[{k}] = {_C.of(one.text)};" for k, one in enumerate(routine.results)]
        lines.append("}")
    return "\n".join(lines) + "\n"


def antimony_text(
    routines: dict[str, Routine], states: int, inputs: int, constants: int, parameters: int
) -> str:
    """An Antimony model: states ``y_0`` ..., with ``p_0``, ``u_0`` and ``c_0`` ... as its parameters."""
    rhs = routines["rhs"]
    names = {name: f"{name}_" for name, _ in _assigned(rhs)}
    spoken = _Antimony(names)
    lines = ["model equations()"]
    lines += [f"  var y_{k}; y_{k} = 0" for k in range(states)]
    for letter, count in (("p", parameters), ("u", inputs), ("c", constants)):
        lines += [f"  {letter}_{k} = 0" for k in range(count)]
    # What is only another name of an entry needs no line of its own.
    for name, tree in _assigned(rhs):
        if isinstance(tree, ast.Subscript):
            spoken.names[name] = spoken.text(tree)
    for name, tree in _assigned(rhs):
        if not isinstance(tree, ast.Subscript):
            lines.append(f"  {names[name]} := {spoken.text(tree)}")
    lines += [f"  y_{k}' = {spoken.of(one.text)}" for k, one in enumerate(rhs.results)]
    lines.append("end")
    return "\n".join(lines) + "\n"


def _assigned(routine: Routine) -> Iterator[tuple[str, ast.expr]]:
    """Names and what they are, in order."""
    for line in (*routine.unpacked, *(one.text for one in routine.lines)):
        statement = ast.parse(line).body[0]
        assert isinstance(statement, ast.Assign)
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Tuple):
            assert isinstance(value, ast.Tuple)
            for one, part in zip(target.elts, value.elts, strict=True):
                assert isinstance(one, ast.Name)
                yield one.id, part
        else:
            assert isinstance(target, ast.Name)
            yield target.id, value


@dataclass
class _Language:
    """Writes a Python expression in another language."""

    names: dict[str, str]

    #: Words of the generated code in this language.
    words: ClassVar = {"exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "tanh": "tanh"}
    comparisons: ClassVar = {
        ast.Lt: "<",
        ast.LtE: "<=",
        ast.Gt: ">",
        ast.GtE: ">=",
        ast.Eq: "==",
        ast.NotEq: "!=",
    }
    operators: ClassVar = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

    def of(self, text: str) -> str:
        """The text of an expression, translated."""
        return self.text(ast.parse(text, mode="eval").body)

    def text(self, tree: ast.expr) -> str:
        """An expression, translated; every operation stands in brackets."""
        if isinstance(tree, ast.Name):
            return self.names.get(tree.id, tree.id)
        if isinstance(tree, ast.Constant):
            return repr(float(tree.value))  # type: ignore[arg-type]
        if isinstance(tree, ast.Subscript):
            assert isinstance(tree.value, ast.Name) and isinstance(tree.slice, ast.Constant)
            return self.entry(tree.value.id, int(tree.slice.value))  # type: ignore[arg-type]
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            return f"(-{self.text(tree.operand)})"
        if isinstance(tree, ast.BinOp):
            if isinstance(tree.op, ast.Pow):
                return self.power(tree.left, tree.right)
            return f"({self.text(tree.left)} {self.operators[type(tree.op)]} {self.text(tree.right)})"
        if isinstance(tree, ast.Compare):
            sign = self.comparisons[type(tree.ops[0])]
            return f"({self.text(tree.left)} {sign} {self.text(tree.comparators[0])})"
        if isinstance(tree, ast.Call):
            assert isinstance(tree.func, ast.Name)
            return self.call(tree.func.id, tree.args)
        raise ValueError(f"{ast.unparse(tree)} has no form in this language")

    def entry(self, array: str, index: int) -> str:
        """An entry of one of the arrays."""
        return f"{array}[{index}]"

    def power(self, base: ast.expr, exponent: ast.expr) -> str:
        """A power; small whole ones are products."""
        if isinstance(exponent, ast.Constant) and exponent.value in (2, 3):
            return "(" + "*".join([self.text(base)] * (2 if exponent.value == 2 else 3)) + ")"
        return f"pow({self.text(base)}, {self.text(exponent)})"

    def call(self, word: str, arguments: list[ast.expr]) -> str:
        """A word of the generated code."""
        written = [self.text(a) for a in arguments]
        special: dict[str, Callable[[], str]] = {
            "where": lambda: self.choice(*written),
            "minimum": lambda: self.choice(f"{written[0]} <= {written[1]}", *written),
            "maximum": lambda: self.choice(f"{written[0]} >= {written[1]}", *written),
            "absolute": lambda: self.choice(f"{written[0]} >= 0.0", written[0], f"(-{written[0]})"),
            "sqrt": lambda: f"sqrt({self.choice(f'{written[0]} > 0.0', written[0], '0.0')})",
            "power": lambda: f"pow({self.choice(f'{written[0]} > 0.0', written[0], '0.0')}, {written[1]})",
        }
        if word in special:
            return special[word]()
        if word not in self.words:
            raise ValueError(f"'{word}' has no form in this language")
        return f"{self.words[word]}({', '.join(written)})"

    def choice(self, condition: str, yes: str, no: str) -> str:
        """One of two values."""
        return f"(({condition}) ? {yes} : {no})"


class _Antimony(_Language):
    """Antimony: entries are variables of their own."""

    words: ClassVar = {**_Language.words, "log": "ln"}

    def entry(self, array: str, index: int) -> str:
        """A variable."""
        return f"{array}_{index}"

    def choice(self, condition: str, yes: str, no: str) -> str:
        """One of two values."""
        return f"piecewise({yes}, {condition}, {no})"


_C = _Language({})
