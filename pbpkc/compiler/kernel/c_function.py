"""Programs as C functions: their lines, and names that are apart from all words of C."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pbpkc.compiler.kernel.c_printing import CPrinter
from pbpkc.compiler.kernel.program import Program


@dataclass(frozen=True)
class CFunction:
    """One generated function: its name, its arguments, what it is for, its lines."""

    name: str
    arguments: str
    doc: str
    lines: tuple[str, ...]
    gives: str = "void"


def comment(text: str) -> str:
    """Free text, such as a title, as it may stand in a comment of C, which it must not end."""
    return re.sub(r"[^\w .,:;()\[\]/%+=<>'-]", " ", " ".join(text.split()), flags=re.ASCII)


def body(
    program: Program, names: Mapping[sp.Symbol, str], target: str, labels: Sequence[str] = ()
) -> list[str]:
    """Lines of a program.

    Parameters
    ----------
    program : Program
    names : mapping of Symbol to str
        How what it reads is written: entries of the function's arguments.
    target : str
        The array that takes the results.
    labels : sequence of str
        What each entry of the target is, in words.
    """
    printer = CPrinter(names)
    taken: set[str] = set()
    lines = []
    for symbol, expr in program.lines:
        text = printer.text(expr)
        local = _local(symbol, taken)
        printer.name(symbol, local)
        lines.append(f"const V {local} = {text};")
    for i, e in program.results.items():
        label = f" /* {comment(labels[i])} */" if labels else ""
        lines.append(f"{target}[{i}] = {printer.text(e)};{label}")
    return lines


def _local(symbol: sp.Symbol, taken: set[str]) -> str:
    """A new name near the symbol's; the prefix keeps it apart from all words of C."""
    wanted = "m_" + re.sub(r"\W+", "_", symbol.name, flags=re.ASCII)
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
