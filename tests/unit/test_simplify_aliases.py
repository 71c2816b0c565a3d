from __future__ import annotations

from hand_systems import Draft

from pbpkc.compiler.simplify import read_through_aliases


def test_a_definition_that_only_renames_is_read_through() -> None:
    d = Draft("m")
    d.parameter("V", 2.0)
    d.parameter("Q", 3.0)
    d.state("A")
    d.constant("outflow", d["Q"])
    d.curve("C", d["A"] / d["V"])
    d.curve("Cout", d["C"])
    d.curve("Cagain", d["Cout"])
    d.rate("out", d["outflow"] * d["Cagain"], {"A": -1})
    d.output("y", d["Cout"])
    after = read_through_aliases(d.system())
    assert after.constants == ()
    assert [a.name for a in after.curves] == ["C"]
    assert after.rates[0].expr == d["Q"] * d["C"]
    assert after.outputs[0].expr == d["C"]


def test_nothing_to_do_gives_the_same_system() -> None:
    d = Draft("m")
    d.state("A")
    d.rate("out", 2 * d["A"], {"A": -1})
    system = d.system()
    assert read_through_aliases(system) is system
