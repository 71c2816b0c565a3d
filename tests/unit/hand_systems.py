"""Systems written by hand, so that the middle stages are tested without the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp

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
from pbpkc.language.model import Mask, Prior
from pbpkc.language.units import parse_unit

Number = sp.Expr | int | float


def identifier(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name).strip("_")


@dataclass
class Draft:
    """A System in the making; every name becomes a symbol, read with ``draft["name"]``."""

    name: str
    symbols: dict[str, sp.Symbol] = field(default_factory=dict)
    parameters: list[Parameter] = field(default_factory=list)
    states: list[StateVariable] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    constants: list[Assignment] = field(default_factory=list)
    curves: list[Assignment] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    N: dict[tuple[int, int], sp.Expr] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    unknowns: list[UnknownTerm] = field(default_factory=list)
    initial: dict[str, sp.Expr] = field(default_factory=dict)

    def __getitem__(self, name: str) -> sp.Symbol:
        return self.symbols[name]

    def symbol(self, name: str) -> sp.Symbol:
        self.symbols[name] = sp.Symbol(identifier(name), real=True)
        return self.symbols[name]

    def parameter(
        self,
        name: str,
        value: float,
        unit: str = "1",
        kind: str = "param",
        mask: tuple[float, float] | None = None,
        bounds: tuple[float, float] | None = None,
        source: str = "",
    ) -> None:
        low_high = (
            None if mask is None else Mask(Prior("lognormal", {"median": value, "sdlog": 0.5}), *mask, "log")
        )
        kind = "masked" if mask else kind
        self.parameters.append(
            Parameter(name, self.symbol(name), value, parse_unit(unit), kind, low_high, bounds, "", source)
        )

    def state(self, name: str, unit: str = "umol", sink: bool = False, start: Number = 0) -> None:
        node, _, species = name.partition(".")
        symbol = self.symbol(name)
        self.states.append(
            StateVariable(name, symbol, parse_unit(unit), node if species else None, species or None, sink)
        )
        self.initial[name] = sp.sympify(start)

    def infusion(self, state: str) -> None:
        self.inputs.append(Input(f"into {state}", self.symbol(f"u_{identifier(state)}"), "infusion", state))

    def constant(self, name: str, expr: Number) -> None:
        self.constants.append(Assignment(name, self.symbol(name), sp.sympify(expr)))

    def curve(self, name: str, expr: Number) -> None:
        self.curves.append(Assignment(name, self.symbol(name), sp.sympify(expr)))

    def rate(
        self,
        name: str,
        expr: Number,
        change: Mapping[str, Number],
        kind: str = "process",
        reversible: bool = False,
    ) -> None:
        index = len(self.rates)
        self.rates.append(Rate(name, self.symbol(f"r_{name}"), sp.sympify(expr), kind, reversible))
        places = {s.name: i for i, s in enumerate(self.states)}
        for state, coefficient in change.items():
            self.N[places[state], index] = sp.sympify(coefficient)

    def unknown(
        self,
        name: str,
        arguments: list[tuple[str, float, float]],
        range: tuple[float, float] | None = None,
        anchors: tuple[tuple[tuple[float, ...], float], ...] = (),
        default: Callable[..., sp.Expr] | None = None,
        shapes: tuple[tuple[str, str], ...] = (),
    ) -> sp.core.function.UndefinedFunction:
        symbols = tuple(sp.Symbol(a, real=True) for a, _, _ in arguments)
        one = parse_unit("1")
        self.unknowns.append(
            UnknownTerm(
                name=name,
                function=sp.Function(name),
                arguments=symbols,
                argument_ranges=tuple((low, high) for _, low, high in arguments),
                range=range,
                shapes=tuple(shapes),
                anchors=tuple(anchors),
                default=None if default is None else sp.sympify(default(*symbols)),
                unit=one,
                argument_units=(one,) * len(symbols),
            )
        )
        return sp.Function(name)

    def output(
        self, name: str, expr: Number, unit: str = "umol/L", proportional: Number = 0, additive: Number = 0
    ) -> None:
        self.outputs.append(
            Output(name, sp.sympify(expr), parse_unit(unit), "combined", sp.sympify(proportional),
                   sp.sympify(additive), None)
        )  # fmt: skip

    def system(self) -> System:
        return System(
            name=self.name,
            title=f"{self.name} by hand",
            time=sp.Symbol("t", real=True),
            time_unit=parse_unit("h"),
            parameters=tuple(self.parameters),
            states=tuple(self.states),
            inputs=tuple(self.inputs),
            constants=tuple(self.constants),
            curves=tuple(self.curves),
            rates=tuple(self.rates),
            N=dict(self.N),
            initial=tuple(self.initial[s.name] for s in self.states),
            outputs=tuple(self.outputs),
            unknowns=tuple(self.unknowns),
        )


def oral() -> System:
    """One compartment, first-order absorption: closed, linear."""
    d = Draft("oral")
    d.parameter("BW", 70.0, "kg", kind="covariate", bounds=(30.0, 150.0))
    d.parameter("ka", 1.5, "1/h", mask=(0.1, 10.0))
    d.parameter("cl", 0.04, "L/h/kg", mask=(0.005, 0.3), source="guess")
    d.parameter("v", 0.5, "L/kg", mask=(0.1, 2.0))
    for name in ("gut.THEO", "plasma.THEO"):
        d.state(name)
        d.infusion(name)
    d.state("eliminated.THEO", sink=True)
    d.constant("plasma.volume", d["v"] * d["BW"])
    d.curve("plasma.THEO.C", d["plasma.THEO"] / d["plasma.volume"])
    d.rate("absorption", d["ka"] * d["gut.THEO"], {"gut.THEO": -1, "plasma.THEO": 1})
    d.rate("elimination", d["cl"] * d["BW"] * d["plasma.THEO.C"], {"plasma.THEO": -1, "eliminated.THEO": 1})
    d.output("Cp", d["plasma.THEO.C"] * sp.Rational(18016, 100000), "mg/L", additive=sp.Rational(1, 2))
    return d.system()


def circulation() -> System:
    """Four organs in a perfusion-limited circulation; `rest` takes what flow and volume are left."""
    d = Draft("circulation")
    d.parameter("BW", 70.0, "kg", kind="covariate", bounds=(40.0, 120.0))
    d.parameter("X.bp", 0.9)
    for organ, kp in (("lung", 0.8), ("liver", 4.0), ("kidney", 2.0), ("rest", 1.5)):
        d.parameter(f"X.kp.{organ}", kp)
    d.parameter("cl_int", 30.0, "L/h", mask=(1.0, 500.0))
    nodes = ("arterial", "venous", "lung", "liver", "kidney", "rest")
    for node in nodes:
        d.state(f"{node}.X")
    d.state("urine.X", sink=True)
    d.infusion("venous.X")
    d.constant("size", d["BW"] / 73)
    d.constant("CO", 390 * d["size"] ** sp.Rational(3, 4))
    litres = {"arterial": "1.7", "venous": "3.9", "lung": "0.5", "liver": "1.8", "kidney": "0.31"}
    for node, volume in litres.items():
        d.constant(f"{node}.volume", sp.Rational(volume) * d["size"])
    d.constant("rest.volume", d["BW"] - sum(d[f"{n}.volume"] for n in litres))
    shares = {"liver": "0.255", "kidney": "0.19"}
    for organ, share in shares.items():
        d.constant(f"Q.arterial.{organ}", sp.Rational(share) * d["CO"])
    d.constant("Q.arterial.rest", d["CO"] - d["Q.arterial.liver"] - d["Q.arterial.kidney"])
    for organ in ("liver", "kidney", "rest"):
        d.constant(f"Q.{organ}.venous", d[f"Q.arterial.{organ}"])
    for node in nodes:
        d.curve(f"{node}.X.C", d[f"{node}.X"] / d[f"{node}.volume"])
    for node in ("arterial", "venous"):
        d.curve(f"{node}.X.Cout", d[f"{node}.X.C"])
    for organ in ("lung", "liver", "kidney", "rest"):
        d.curve(f"{organ}.X.Cout", d[f"{organ}.X.C"] * d["X.bp"] / d[f"X.kp.{organ}"])

    def vessel(source: str, target: str, flow: sp.Expr) -> None:
        d.rate(
            f"{source}_{target}",
            flow * d[f"{source}.X.Cout"],
            {f"{source}.X": -1, f"{target}.X": 1},
            "circulation",
        )

    vessel("venous", "lung", d["CO"])
    vessel("lung", "arterial", d["CO"])
    for organ in ("liver", "kidney", "rest"):
        vessel("arterial", organ, d[f"Q.arterial.{organ}"])
        vessel(organ, "venous", d[f"Q.{organ}.venous"])
    d.rate("metabolism", d["cl_int"] * d["liver.X.Cout"], {"liver.X": -1, "urine.X": 1})
    d.rate("filtration", 6 * d["kidney.X.Cout"], {"kidney.X": -1, "urine.X": 1})
    d.output("Cv", d["venous.X.C"])
    return d.system()


def saturable() -> System:
    """Michaelis-Menten to two products, of which one is split, and an unknown inhibition."""
    d = Draft("saturable")
    d.parameter("BW", 70.0, "kg", kind="covariate", bounds=(40.0, 120.0))
    d.parameter("vmax", 100.0, mask=(1.0, 1000.0))
    d.parameter("km", 20.0, mask=(0.1, 500.0))
    d.parameter("vmax2", 40.0)
    d.parameter("km2", 5.0)
    d.parameter("f", 0.3, mask=(0.0, 1.0))
    for name in ("liver.D", "bile.G", "blood.G", "urine.S"):
        d.state(name, sink=name.startswith("urine"))
    f = d.unknown("inhibition", [("c", 0.0, 600.0)], range=(0.0, 1.0), anchors=(((0.0,), 1.0),),
                  default=lambda c: 1 / (1 + c / 10), shapes=(("falling", "c"),))  # fmt: skip
    d.constant("liver.volume", sp.Rational(257, 10000) * d["BW"])
    d.curve("liver.D.C", d["liver.D"] / d["liver.volume"])
    scaled = d["BW"] ** sp.Rational(3, 4)
    c = d["liver.D.C"]
    d.rate(
        "conjugation", d["vmax"] * scaled * c / (d["km"] + c),
        {"liver.D": -1, "bile.G": d["f"], "blood.G": 1 - d["f"]},
    )  # fmt: skip
    d.rate("sulfation", d["vmax2"] * scaled * c / (d["km2"] + c) * f(c), {"liver.D": -1, "urine.S": 1})
    d.rate("reflux", 2 * d["bile.G"], {"bile.G": -1, "blood.G": 1})
    d.output("C", c)
    return d.system()


def bimolecular() -> System:
    """2 A + B -> C, and back."""
    d = Draft("bimolecular")
    d.parameter("kon", 2.0, mask=(0.01, 100.0))
    d.parameter("koff", 0.5)
    for name, start in (("A", 1), ("B", 2), ("C", 0)):
        d.state(name, start=start)
    d.rate("bind", d["kon"] * d["A"] ** 2 * d["B"], {"A": -2, "B": -1, "C": 1})
    d.rate("release", d["koff"] * d["C"], {"A": 2, "B": 1, "C": -1})
    d.output("y", d["A"] + d["C"])
    return d.system()


def chemistry() -> System:
    """A stiff network of steps taken from POLLU (Verwer 1994, SIAM J Sci Comput 15:1243-1250)."""
    d = Draft("chemistry")
    reactions = [
        ("r1", 21.0, "NO2", "NO + O3P"),
        ("r2", 1596.0, "NO + O3", "NO2"),
        ("r3", 738000.0, "HO2 + NO", "NO2 + OH"),
        ("r4", 0.0516, "HCHO", "2 HO2 + CO"),
        ("r5", 0.0492, "HCHO", "CO"),
        ("r6", 900000.0, "HCHO + OH", "HO2 + CO"),
        ("r15", 0.0013, "O3P", "O3"),
        ("r17", 4.0, "O3", "O1D"),
        ("r19", 4e6, "O1D", "2 OH"),
        ("r20", 1e5, "O1D", "O3P"),
        ("r14", 978.0, "NO2 + O3", "NO3"),
        ("r23", 4e6, "NO3 + NO", "2 NO2"),
    ]
    names = list(dict.fromkeys(n for _, _, a, b in reactions for side in (a, b) for n, _ in _side(side)))
    for name in names:
        d.state(name, unit="ppm", start={"NO": sp.Rational(1, 5), "O3": sp.Rational(1, 25)}.get(name, 0))
    for name, k, left, right in reactions:
        d.parameter(f"k_{name}", k)
        change: dict[str, int] = {}
        rate = d[f"k_{name}"]
        for state, n in _side(left):
            change[state] = change.get(state, 0) - n
            rate *= d[state] ** n
        for state, n in _side(right):
            change[state] = change.get(state, 0) + n
        d.rate(name, rate, change)
    d.output("ozone", d["O3"], "ppm")
    return d.system()


def _side(text: str) -> list[tuple[str, int]]:
    terms = [term.split() for term in text.split(" + ")]
    return [(t[-1], int(t[0]) if len(t) == 2 else 1) for t in terms]
