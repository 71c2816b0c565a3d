from __future__ import annotations

import sympy as sp
from hand_systems import Draft

from pbpkc.compiler.simplify import drop_dead_definitions


def test_what_nobody_reads_is_dropped_and_what_is_read_at_the_end_of_a_chain_stays() -> None:
    d = Draft("m")
    for name in ("k", "f", "s"):
        d.parameter(name, 1.0)
    d.state("A")
    d.state("B")
    d.constant("read_by_dead", d["k"] * 2)
    d.constant("dead", d["read_by_dead"] + 1)
    d.constant("read_by_constant", d["k"] * 3)
    d.constant("read_by_rate", d["read_by_constant"] + 1)
    d.constant("read_by_N", d["f"] / 2)
    d.constant("read_by_error", d["s"] / 3)
    d.constant("read_by_start", d["s"] * 7)
    d.curve("dead_curve", d["A"] ** 2)
    d.curve("seen", d["A"] / 3)
    d.rate("move", d["read_by_rate"] * d["A"], {"A": -1, "B": d["read_by_N"]})
    d.output("y", d["seen"], additive=d["read_by_error"])
    d.initial["A"] = sp.sympify(d["read_by_start"])
    after = drop_dead_definitions(d.system())
    kept = ["read_by_constant", "read_by_rate", "read_by_N", "read_by_error", "read_by_start"]
    assert [a.name for a in after.constants] == kept
    assert [a.name for a in after.curves] == ["seen"]


def test_parameters_and_states_that_nobody_reads_stay() -> None:
    d = Draft("m")
    d.parameter("unused", 1.0)
    d.state("A")
    d.state("sink", sink=True)
    d.rate("out", d["A"], {"A": -1})
    after = drop_dead_definitions(d.system())
    assert [p.name for p in after.parameters] == ["unused"]
    assert [s.name for s in after.states] == ["A", "sink"]
