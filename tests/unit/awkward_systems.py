"""Systems written by hand that hold what generated code most easily gets wrong."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from hand_systems import Draft

from pbpkc.compiler.system import System


def edges() -> System:
    """`if`, min, max, abs, floor, powers with a parameter above, t, an input `tad`, two unknown terms."""
    d = Draft("edges")
    d.parameter("vmax", 50.0, "umol/h", mask=(1.0, 500.0))
    d.parameter("km", 8.0, "umol/L", mask=(0.1, 100.0))
    d.parameter("gamma", 1.7, mask=(0.5, 4.0))
    d.parameter("delta", 0.0, "1/h")
    d.parameter("volume", 4.0, "L", bounds=(1.0, 20.0))
    d.parameter("share", 0.25, mask=(0.0, 1.0))
    d.parameter("sigma", 0.12, mask=(0.02, 0.8))
    d.parameter("y0", 30.0)
    for name in ("gut.X", "blood.X", "store.X", "urine.X"):
        d.state(name, sink=name.startswith("urine"), start=d["y0"] / d["volume"] if name == "store.X" else 0)
        d.infusion(name)
    system_time = sp.Symbol("t", real=True)
    tad = d.symbol("tad_X")
    f = d.unknown("absorbed", [("c", 0.0, 200.0), ("exp", 0.0, 24.0)],
                  default=lambda c, e: sp.exp(-e / 20) / (1 + c / 90))  # fmt: skip
    g = d.unknown("pump", [("c", 0.0, 100.0)])
    d.constant("blood.volume", d["volume"] * sp.Rational(7, 3))
    d.constant("rate.constant", d["vmax"] / (d["km"] * d["blood.volume"]))
    d.curve("C", d["blood.X"] / d["blood.volume"])
    c = d["C"]
    late = sp.Piecewise((sp.Float(0.3), sp.And(system_time < 6, c > 2)), (sp.Float(0.9) - d["delta"], True))
    d.rate("emptying", late * d["gut.X"], {"gut.X": -1, "blood.X": 1})
    hill = c ** d["gamma"] / (d["km"] ** d["gamma"] + c ** d["gamma"])
    d.rate(
        "saturable",
        d["vmax"] * hill * f(c, tad),
        {"blood.X": -1, "store.X": d["share"], "urine.X": 1 - d["share"]},
    )
    d.rate("capped", sp.Min(d["rate.constant"] * d["store.X"], 12, sp.sqrt(d["store.X"]) + 3),
           {"store.X": -1, "urine.X": 1})  # fmt: skip
    d.rate("leak", sp.Max(0, c - 5) * sp.Abs(d["gut.X"] - d["blood.X"]) / 100, {"blood.X": -1, "gut.X": 1})
    d.rate(
        "steps",
        sp.floor(system_time / 12) * sp.sin(system_time) ** 2 * d["blood.X"],
        {"blood.X": -1, "urine.X": 1},
    )
    d.rate("active", g(g(c)) * d["blood.X"], {"blood.X": -1, "gut.X": 1}, reversible=True)
    d.rate("slow", d["blood.X"] / (1 + sp.log(1 + c) / sp.log(10)), {"blood.X": -1, "store.X": 1})
    d.output(
        "Cp", c * sp.Rational(18016, 100000), "mg/L", proportional=d["sigma"], additive=sp.Rational(1, 20)
    )
    d.output("ratio", d["store.X"] / (d["store.X"] + d["blood.X"]), "1", additive=d["sigma"] * d["share"])
    system = d.system()
    outputs = (replace(system.outputs[0], lloq=sp.Rational(1, 10)), system.outputs[1])
    inputs = (*system.inputs, replace(system.inputs[0], name="tad(X)", symbol=tad, kind="tad", target="X"))
    return replace(system, outputs=outputs, inputs=inputs)


def awkward_names() -> System:
    """Names that Python or the generated module uses for something else."""
    d = Draft("names")
    for name in ("p", "c", "exp", "lambda", "self", "where"):
        d.parameter(name, 2.0)
    for name in ("y", "u", "dc", "Module"):
        d.state(name, start=d["p"])
    d.constant("build", d["c"] * d["lambda"])
    d.curve("shared", d["y"] / d["build"])
    d.rate("def", d["p"] * d["shared"] / (d["exp"] + d["shared"]), {"y": -1, "u": 1})
    d.rate("t", d["self"] * d["u"], {"u": -1, "dc": 1})
    d.rate("rhs", d["where"] * d["dc"] * sp.exp(-d["dc"] / 9), {"dc": -1, "Module": 1})
    d.output("nan", d["Module"])
    return d.system()


def scaled_by_weight() -> System:
    """Clearance and volume proportional to weight: weight does not change the rate constant."""
    d = Draft("scaled")
    d.parameter("BW", 70.0, "kg", kind="covariate", bounds=(30.0, 150.0))
    d.parameter("cl", 0.04)
    d.parameter("v", 0.5)
    d.state("plasma.X")
    d.state("gone.X", sink=True)
    d.constant("CL", d["cl"] * d["BW"])
    d.constant("V", d["v"] * d["BW"])
    d.constant("k", d["CL"] / d["V"])
    d.rate("elimination", d["k"] * d["plasma.X"], {"plasma.X": -1, "gone.X": 1})
    d.rate("second", d["CL"] * d["plasma.X"] / d["V"], {"plasma.X": -1, "gone.X": 1})
    d.output("C", d["plasma.X"] / d["V"])
    return d.system()
