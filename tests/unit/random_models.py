"""Specs made at random whose units are right: compartments, circulations, families, with every kind of curve.

An expression is drawn for a dimension, from what has that dimension and from what combines to it, so that a
spec is refused only where its numbers are (a division by nothing, a number too large).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

#: Dimensions, with units that each is written in.
UNITS = {
    "one": ("", " [1]", " [%]"),
    "amount": (" [umol]", " [nmol]", " [mmol]"),
    "volume": (" [L]", " [mL]", " [dL]"),
    "time": (" [h]", " [min]", " [d]"),
    "mass": (" [kg]", " [g]"),
    "concentration": (" [umol/L]", " [nmol/mL]", " [mmol/L]"),
    "rate": (" [umol/h]", " [nmol/min]"),
    "flow": (" [L/h]", " [mL/min]"),
    "constant": (" [1/h]", " [1/min]"),
}

#: Products and quotients that have a dimension.
_COMBINED = {
    "one": ("concentration / concentration", "amount / amount", "constant * time", "mass / mass"),
    "amount": ("concentration * volume", "rate * time", "one * amount"),
    "volume": ("amount / concentration", "flow * time", "one * volume"),
    "time": ("volume / flow", "one / constant", "one * time"),
    "mass": ("one * mass",),
    "concentration": ("amount / volume", "rate / flow", "one * concentration"),
    "rate": ("flow * concentration", "constant * amount", "amount / time", "one * rate"),
    "flow": ("volume / time", "volume * constant", "one * flow"),
    "constant": ("flow / volume", "one / time", "one * constant"),
}  # fmt: skip

_OF_ONE = (
    "exp(-{0})", "ln(1 + abs({0}))", "log10(2 + abs({0}))", "sqrt(abs({0}))", "sin({0})", "cos({0})",
    "abs({0})^0.75", "(1 + abs({0}))^({1})", "1 / (1 + ({0})^2)", "floor(0.37 + {0})", "ceil(0.41 + {0})",
    "shape({0})", "{0} + {1}", "{0} - {1}", "-({0})", "({0}) * ({1})",
)  # fmt: skip


@dataclass
class Draft:
    """A spec that is being written.

    Parameters
    ----------
    rng : Random
    values, curves : dict of dimension to names
        What may stand in a param, and what more may stand in a let, a rate and an observable.
    lines : list of str
    """

    rng: Random
    values: dict[str, list[str]] = field(default_factory=dict)
    curves: dict[str, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def number(self, dimension: str) -> str:
        """A positive number with a unit."""
        digits = self.rng.choice(("0.3", "1", "2", "7.5", "12", "1.25e-1", "40"))
        return digits + self.rng.choice(UNITS[dimension])

    def expression(self, dimension: str, curve: bool, depth: int = 3) -> str:
        """An expression of a dimension; of a curve it may read states and time."""
        names = self.values.get(dimension, []) + (self.curves.get(dimension, []) if curve else [])
        kind = self.rng.randrange(10)
        if depth == 0 or kind < 3:
            return self.rng.choice(names) if names and self.rng.random() < 0.8 else self.number(dimension)

        def again(of: str = dimension) -> str:
            return self.expression(of, curve, depth - 1)

        if kind < 6:
            left, sign, right = self.rng.choice(_COMBINED[dimension]).split()
            low = f"({again(right)})"
            # Nothing is divided by what may vanish.
            return f"({again(left)}) {sign} " + (self.whole(right, curve) if sign == "/" else low)
        if dimension == "one" and kind < 9:
            return self.rng.choice(_OF_ONE).format(again(), again())
        if kind == 6:
            return f"{self.rng.choice(('min', 'max'))}({again()}, {again()})"
        if kind == 7:
            compared = self.rng.choice(list(UNITS))
            sign = self.rng.choice(("<", "<=", ">", ">="))
            joined = self.rng.choice(("", f" and {again('one')} < 3", f" or {again('one')} > 2"))
            return f"if({again(compared)} {sign} {again(compared)}{joined}, {again()}, {again()})"
        if kind == 8 and dimension == "rate":
            return self.kinetics(curve)
        return f"({again()} {self.rng.choice('+-')} {again()})"

    def whole(self, dimension: str, curve: bool) -> str:
        """What is never zero: a value or a number, or one with something added that is not negative."""
        names = self.values.get(dimension, [])
        base = self.rng.choice(names) if names and self.rng.random() < 0.7 else self.number(dimension)
        if self.rng.random() < 0.3:
            return f"({base} + abs({self.expression(dimension, curve, 1)}))"
        return base

    def kinetics(self, curve: bool) -> str:
        """A rate law of the language."""
        c, k = self.expression("concentration", curve, 1), self.whole("concentration", False)
        kind = self.rng.randrange(4)
        v = self.whole("rate", False)
        if kind == 0:
            return f"{v} * hill(abs({c}), {k}, {self.rng.choice(('1', '1.5', '2'))})"
        modifier = self.rng.choice(("", f", competitive(abs({c}), {k})", f", uncompetitive(abs({c}), {k})",
                                    f", substrate({k})"))  # fmt: skip
        return f"mm({v}, {k}, abs({c}){modifier})"

    def declare(self, where: dict[str, list[str]], dimension: str, name: str, line: str) -> None:
        """Write a line, and let what follows read its name."""
        self.lines.append(line)
        where.setdefault(dimension, []).append(name)


def random_spec(rng: Random) -> str:
    """The text of a spec of a random kind."""
    draft = Draft(rng)
    draft.lines += ["pbpk 1", f'model random_{rng.randrange(10**6)} "Made at random"', ""]
    draft.declare(draft.values, "mass", "BW", "covariate BW = 70 [kg] in (30, 150) [kg]")
    draft.lines.append("function shape(x) = x^2 / (1 + x^2)")
    body: Callable[[Draft], tuple[list[str], list[str]]] = rng.choice((_compartments, _circulation))
    _values(draft)
    arrows, doses = body(draft)
    _curves(draft)
    for i, ends in enumerate(arrows):
        draft.lines.append(f"process p{i} : {ends} rate {draft.expression('rate', True)}")
    if rng.random() < 0.4:
        _family(draft)
    _observables(draft)
    events = "; ".join(f"dose {dose} at {rng.choice(('0', '2', '6'))} [h]" for dose in doses)
    draft.lines += ["", f"scenario s {{ {events}; run {rng.choice(('12', '24'))} [h] }}"]
    return "\n".join(draft.lines) + "\n"


def _values(draft: Draft) -> None:
    rng = draft.rng
    dimensions = list(UNITS)
    for i in range(rng.randint(1, 4)):
        dimension = rng.choice(dimensions)
        unit = rng.choice(UNITS[dimension])
        prior = rng.choice((f"lognormal(2{unit}, cv = 40 [%])", f"uniform(1{unit}, 4{unit})",
                            f"normal(2{unit}, cv = 10 [%])"))  # fmt: skip
        line = f"masked m{i} ~ {prior} in (0.5, 8){unit}"
        draft.declare(draft.values, dimension, f"m{i}", line)
    if rng.random() < 0.5:
        draft.declare(draft.curves, "one", "dark", "input dark = 0 in (0, 1)")
    for i in range(rng.randint(0, 4)):
        dimension = rng.choice(dimensions)
        # A value that may be zero is nothing to divide by, so it is kept away from zero.
        text = f"{draft.number(dimension)} + abs({draft.expression(dimension, False, 2)})"
        draft.declare(draft.values, dimension, f"v{i}", f"param v{i} = {text}")


def _curves(draft: Draft) -> None:
    draft.curves.setdefault("time", []).append("t")
    for i in range(draft.rng.randint(0, 3)):
        dimension = draft.rng.choice(list(UNITS))
        line = f"let c{i} = {draft.expression(dimension, True)}"
        draft.declare(draft.curves, dimension, f"c{i}", line)
    if draft.rng.random() < 0.4:
        argument = "(x [umol/L] in (0, 500) [umol/L])"
        default = draft.rng.choice(("exp(-x / 30 [umol/L])", "40 [umol/L] / (40 [umol/L] + x)"))
        draft.lines.append(f"unknown damping {argument} -> [1] {{ range (0, 1); default {default} }}")
        read = draft.curves.get("concentration", ["1 [umol/L]"])
        draft.curves.setdefault("one", []).append(f"damping({draft.rng.choice(read)})")


def _compartments(draft: Draft) -> tuple[list[str], list[str]]:
    rng = draft.rng
    species = ["X", "Y"][: rng.randint(1, 2)]
    draft.lines += [f"species {s} {{ mw = {rng.choice(('150', '300.5'))} [g/mol] }}" for s in species]
    pools = [f"a{i}" for i in range(rng.randint(1, 3))]
    for pool in pools:
        draft.lines.append(f"pool {pool} {{ volume = {draft.whole('volume', False)} }}")
    draft.lines += ["lumen gut", "sink gone"]
    named = [(node, s) for s in species for node in (*pools, "gut")]

    def end(node: str, s: str) -> str:
        return node if len(species) == 1 else f"{node}.{s}"

    for node, s in named:
        draft.curves.setdefault("amount", []).append(f"{end(node, s)}.A")
        if node != "gut":
            draft.curves.setdefault("concentration", []).append(f"{end(node, s)}.C")
    arrows = [f"{end('gut', s)} -> {end(pools[0], s)}" for s in species]
    arrows += [f"{end(pool, s)} -> {end('gone', s)}" for pool in pools for s in species]
    for _ in range(rng.randint(0, 2)):
        (a, s), (b, _) = rng.choice(named), rng.choice(named)
        # Every species has to be somewhere in each pool, and no arrow ends where it begins.
        if a != b:
            arrows.append(f"{end(a, s)} <-> {end(b, s)}")
    if len(species) == 2:
        arrows.append(f"2 {end(pools[0], 'X')} -> {rng.choice(('', '3 ', '0.5 '))}{end(pools[0], 'Y')}")
    if len(pools) > 1:
        arrow = rng.choice(("->", "<->"))
        for s in species:
            ends = f"{end(pools[0], s)} {arrow} {end(pools[1], s)}"
            draft.lines.append(f"flow f_{s} : {ends} at {draft.whole('flow', False)}")
    if rng.random() < 0.3:
        draft.lines.append(f"start {end(pools[0], 'X')} = {draft.whole('amount', False)}")
    return arrows, [f"{s} 100 [mg] into gut" for s in species]


def _circulation(draft: Draft) -> tuple[list[str], list[str]]:
    rng = draft.rng
    organs = [f"organ{i}" for i in range(rng.randint(2, 4))]
    shares = [1 / (len(organs) + 1)] * (len(organs) - 1)
    draft.declare(draft.values, "flow", "CO", "param CO = 390 [L/h]")
    draft.lines.append("species X carried by CO {")
    draft.lines.append(f"  mw = 250 [g/mol]; fup = {rng.choice(('0.2', '60 [%]'))}; bp = 1.1; kp = 1.5")
    if rng.random() < 0.5:
        draft.lines.append(f"  kp.{organs[0]} = {draft.whole('one', False)}")
    draft.lines.append("}")
    for vessel, volume in (("venous", "3.5"), ("arterial", "1.7"), ("lung", "0.5")):
        kind = "tissue" if vessel == "lung" else "blood"
        draft.lines.append(f"{kind} {vessel} {{ volume = {volume} [L] }}")
    for organ, share in zip(organs, [*shares, None], strict=True):
        flow = f"; flow = {share:.4f} * CO" if share is not None else ""
        volume = rng.choice(("1.8 [L]", "20 [mL/kg] * BW", draft.whole("volume", False)))
        draft.lines.append(f"tissue {organ} {{ volume = {volume}{flow} }}")
    draft.lines.append(
        "circulation CO { venous -> lung -> arterial; arterial -> {" + ", ".join(organs) + "} -> venous }"
    )
    draft.lines += ["lumen gut", "sink gone"]
    for node in ("venous", "arterial", "lung", *organs):
        draft.curves.setdefault("amount", []).append(f"{node}.A")
        draft.curves.setdefault("concentration", []).extend((f"{node}.C", f"{node}.Cout", f"{node}.Cu"))
    draft.curves["amount"].append("gut.A")
    if rng.random() < 0.4:
        draft.lines.append(f"site arm drains {organs[0]}, {organs[1]}")
        draft.curves["concentration"].append("arm.C")
    return [f"gut -> {organs[0]}", f"{rng.choice(organs)} -> gone"], ["X 1 [mg/kg] * BW into gut"]


def _family(draft: Draft) -> None:
    rng = draft.rng
    count = rng.randint(2, 4)
    draft.lines += [
        f"state y<{count}> = {rng.choice(('0.1', '1'))}",
        f"param w<{count},{count}> = 0.2",
        f"masked w<i,i> for i in 1..{count} ~ uniform(0, 1) in (0, 1)",
        f"process grow for i in 1..{count} : outside -> y<i> rate {draft.expression('constant', True)} "
        f"* sum(w<i,j> * shape(y<j>) for j in 1..{count})",
        f"process fade for i in 1..{count} : y<i> -> outside rate {draft.whole('constant', False)} * y<i>",
        f"observe sum_y = sum(y<i> for i in 1..{count}) in [1] error add(0.01)",
    ]


def _observables(draft: Draft) -> None:
    rng = draft.rng
    draft.declare(draft.values, "one", "sigma", "masked sigma ~ lognormal(0.1, cv = 50 [%]) in (0.01, 1)")
    read = rng.choice([c for c in draft.curves["concentration"] if "." in c])
    molar = "Y" if ".Y." in read else "X"
    draft.lines.append(f"observe mass_of = {read} in [mg/L] as {molar} error prop(sigma) lloq 0.01 [mg/L]")
    for i in range(rng.randint(0, 2)):
        dimension = rng.choice(list(UNITS))
        unit = UNITS[dimension][-1].strip() or "[1]"
        line = f"observe o{i} = {draft.expression(dimension, True)} in {unit}"
        error = rng.choice(("", f" error add({draft.whole(dimension, False)})", " error lognormal(sigma)"))
        draft.lines.append(line + error)
