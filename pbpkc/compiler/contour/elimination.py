"""Elimination of z I - A as lines of C, for a complex z and a real A.

A value is two vectors of lanes, its real and its imaginary part, or one where it is known to be real: an
entry of A stays real until a complex one is added to it, which leaves half of the products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pbpkc.compiler.kernel.sparse_lu import Entry, SymbolicLU


@dataclass(frozen=True)
class Value:
    """Text of a real part, and of an imaginary one, empty where there is none."""

    re: str
    im: str = ""

    @property
    def is_real(self) -> bool:
        """Whether it has no imaginary part."""
        return not self.im


class Elimination:
    """Writes the factors of a matrix and the solutions with them, as straight lines.

    Parameters
    ----------
    lu : SymbolicLU
        Of the pattern of A.
    entries : mapping of (int, int) to str
        Text of each entry of -A: signs cost as much as products.
    """

    def __init__(self, lu: SymbolicLU, entries: Mapping[Entry, str]) -> None:
        self.lu, self._entries = lu, entries
        self._place = lu.place
        self._below = {k: lu.below(k) for k in lu.order}
        self._right = {k: lu.right(k) for k in lu.order}
        self._values: dict[Entry, Value] = {}
        self.pivots: dict[int, Value] = {}

    def factor(self, z: Value) -> list[str]:
        """The lines that factorise ``z I - A``; pivots are kept inverted, and factors below them negative."""
        lines: list[str] = []
        for i in range(self.lu.size):
            own = self._entries.get((i, i))
            lines.append(f"V r_{i}_{i} = {z.re} + {own};" if own else f"V r_{i}_{i} = {z.re};")
            if not z.is_real:
                lines.append(f"V r_{i}_{i}_i = {z.im};")
            self._values[i, i] = Value(f"r_{i}_{i}", "" if z.is_real else f"r_{i}_{i}_i")
        for i, j in self.lu.entries:
            if (i, j) in self._entries:
                lines.append(f"V r_{i}_{j} = {self._entries[i, j]};")
                self._values[i, j] = Value(f"r_{i}_{j}")
        for pivot in self.lu.order:
            lines += self._eliminate(pivot)
        return lines

    def _eliminate(self, pivot: int) -> list[str]:
        lines = self._inverted(pivot)
        inverse = self.pivots[pivot]
        negative = Value(f"e_{pivot}", "" if inverse.is_real else f"e_{pivot}_i")
        for i in self._below[pivot]:
            scaled = self._values[i, pivot]
            lines += _multiplied(f"l_{i}_{pivot}", scaled, negative)
            factor = Value(f"l_{i}_{pivot}", "" if _both_real(scaled, inverse) else f"l_{i}_{pivot}_i")
            self._values[i, pivot] = factor
            for j in self._right[pivot]:
                other = self._values[pivot, j]
                target = self._values.get((i, j))
                new = f"f_{i}_{j}" if target is None else target.re
                lines += _added(new, target, factor, other, declared=target is not None)
                has = not _both_real(factor, other) or not (target is None or target.is_real)
                self._values[i, j] = Value(new, f"{new}_i" if has else "")
        return lines

    def _inverted(self, pivot: int) -> list[str]:
        value = self._values[pivot, pivot]
        name = f"d_{pivot}"
        if value.is_real:
            self.pivots[pivot] = Value(name)
            return [f"const V {name} = ALL(1.0)/{value.re};", f"const V e_{pivot} = ALL(-1.0)/{value.re};"]
        self.pivots[pivot] = Value(name, f"{name}_i")
        return [
            f"const V {name}_n = ALL(1.0)/({value.re}*{value.re} + {value.im}*{value.im});",
            f"const V e_{pivot}_i = {value.im}*{name}_n, {name}_i = -e_{pivot}_i;",
            f"const V {name} = {value.re}*{name}_n, e_{pivot} = -{name};",
        ]

    def stored(self, array: str) -> list[str]:
        """The lines that keep factors and inverted pivots in an array, where they are read from now on."""
        lines: list[str] = []

        def kept(value: Value) -> Value:
            names = []
            for part in (value.re, value.im):
                names.append(f"{array}[{len(lines)}]" if part else "")
                if part:
                    lines.append(f"{names[-1]} = {part};")
            return Value(*names)

        self._values = {(i, j): kept(self._values[i, j]) for i, j in self.lu.entries}
        self.pivots = {i: kept(self.pivots[i]) for i in range(self.lu.size)}
        return lines

    def needs(self, wanted: str) -> list[str]:
        """The lines that mark what `transposed` computes each marked entry from."""
        return [
            f"if ({wanted}[{pivot}]) {' = '.join(f'{wanted}[{i}]' for i in self._below[pivot])} = 1;"
            for pivot in self.lu.order
            if self._below[pivot]
        ]

    def transposed(
        self, name: str, right: Mapping[int, str], re: Sequence[str], im: Sequence[str] = (), wanted: str = ""
    ) -> list[str]:
        """The lines that solve the transposed equations.

        Parameters
        ----------
        name : str
            Prefix of the new names.
        right : mapping of int to str
            Right-hand side by row: real, zero where it is missing.
        re, im : sequence of str
            Where the solution goes; no imaginary part where `im` is empty.
        wanted : str
            An array of conditions, under which entries are computed that no later one is made of.
        """
        lines: list[str] = []
        x: dict[int, Value] = {i: Value(text) for i, text in right.items()}
        named: set[int] = set()
        for pivot in self.lu.order:
            if pivot not in x:
                continue
            self._rename(name, pivot, x, named, lines, self.pivots[pivot])
            for j in self._right[pivot]:
                self._add(name, j, -1, self._values[pivot, j], x[pivot], x, named, lines)
        for pivot in reversed(self.lu.order):
            own: list[str] = []
            for i in self._below[pivot]:
                if i in x:
                    self._add(name, pivot, 1, self._values[i, pivot], x[i], x, named, own)
            value = x.get(pivot, Value("ALL(0.0)"))
            own.append(f"{re[pivot]} = {value.re};")
            if im:
                own.append(f"{im[pivot]} = {value.im or 'ALL(0.0)'};")
            if wanted and self._below[pivot]:
                own = self._declared_before(own, lines)
                lines.append(f"if ({wanted}[{pivot}]) {{ {' '.join(own)} }}")
            else:
                lines += own
        return lines

    @staticmethod
    def _declared_before(own: list[str], lines: list[str]) -> list[str]:
        """Lines without declarations, which go before the condition: what follows reads their names."""
        plain: list[str] = []
        for line in own:
            if line.startswith("V "):
                name = line[2:].split(" ", 1)[0]
                lines.append(f"V {name} = ALL(0.0);")
                plain.append(line[2:])
            else:
                plain.append(line)
        return plain

    def solution(self, name: str, right: Sequence[Value]) -> tuple[list[str], dict[int, Value]]:
        """The lines that solve the equations for a full right-hand side, and the solution."""
        lines: list[str] = []
        x: dict[int, Value] = dict(enumerate(right))
        named: set[int] = set()
        for pivot in self.lu.order:
            for i in self._below[pivot]:
                self._add(name, i, 1, self._values[i, pivot], x[pivot], x, named, lines)
        for pivot in reversed(self.lu.order):
            for j in self._right[pivot]:
                self._add(name, pivot, -1, self._values[pivot, j], x[j], x, named, lines)
            self._rename(name, pivot, x, named, lines, self.pivots[pivot])
        return lines, x

    def _rename(
        self, name: str, i: int, x: dict[int, Value], named: set[int], lines: list[str], factor: Value
    ) -> None:
        """x_i times a factor, under a name of its own."""
        new = f"{name}_{i}"
        if i in named:
            # The product reads both parts of what it replaces.
            lines += _multiplied(f"{new}_t", x[i], factor)
            new = f"{new}_t"
        else:
            lines += _multiplied(new, x[i], factor)
            named.add(i)
        x[i] = Value(new, "" if _both_real(x[i], factor) else f"{new}_i")

    def _add(
        self, name: str, i: int, sign: int, one: Value, other: Value, x: dict[int, Value], named: set[int],
        lines: list[str],
    ) -> None:  # fmt: skip
        """Add a product to x_i, or subtract it."""
        old, new = x.get(i), f"{name}_{i}"
        if i in named and old is not None:
            new = old.re
        lines += _added(new, old, one, other, declared=i in named, sign=sign)
        named.add(i)
        has = not _both_real(one, other) or not (old is None or old.is_real)
        x[i] = Value(new, f"{new}_i" if has else "")


def _both_real(one: Value, other: Value) -> bool:
    return one.is_real and other.is_real


def _multiplied(name: str, one: Value, other: Value) -> list[str]:
    """A new name for a product."""
    re, im = _product(one, other)
    lines = [f"V {name} = {_sum(re)};"]
    if im:
        lines.append(f"V {name}_i = {_sum(im)};")
    return lines


def _added(
    name: str, old: Value | None, one: Value, other: Value, declared: bool, sign: int = 1
) -> list[str]:
    """`old` and a product, under `name`; term by term, so that each is one multiply-and-add."""
    re, im = _product(one, other)
    kind = "" if declared else "V "
    lines = [f"{kind}{name} = {old.re if old else ''}{_sum(re, sign, leads=old is None)};"]
    if im or (old is not None and not old.is_real and not declared):
        before = "" if old is None or old.is_real else old.im
        kind = "" if declared and before else "V "
        lines.append(f"{kind}{name}_i = {before}{_sum(im, sign, leads=not before)};")
    return lines


#: Products of a sum, each with its sign.
_Terms = list[tuple[int, str]]


def _product(one: Value, other: Value) -> tuple[_Terms, _Terms]:
    """Real and imaginary part of a product, the latter empty where it vanishes."""
    re, im = [(1, f"{one.re}*{other.re}")], []
    if one.im and other.im:
        re.append((-1, f"{one.im}*{other.im}"))
    if other.im:
        im.append((1, f"{one.re}*{other.im}"))
    if one.im:
        im.append((1, f"{one.im}*{other.re}"))
    return re, im


def _sum(terms: _Terms, sign: int = 1, leads: bool = True) -> str:
    text = "".join(f" {'+' if sign * own > 0 else '-'} {product}" for own, product in terms)
    if not leads:
        return text
    return text[3:] if text.startswith(" + ") else f"-{text[3:]}"
