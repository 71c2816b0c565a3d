from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp
from hand_systems import Draft, bimolecular, chemistry, circulation, oral, saturable

from pbpkc.check.positivity import prove_positivity
from pbpkc.check.proof import Proof
from pbpkc.compiler.simplify import simplify
from pbpkc.compiler.system import System


def by_name(system: System) -> dict[str, Proof]:
    return {p.name: p for p in prove_positivity(system)}


@pytest.mark.parametrize("make", [oral, circulation, saturable, bimolecular, chemistry])
def test_the_promises_of_sound_systems_are_proved(make: Callable[[], System]) -> None:
    for system in (make(), simplify(make())):
        proofs = prove_positivity(system)
        assert len(proofs) == len(system.rates) + len(system.states)
        assert [p for p in proofs if not p.held] == []


def two_states() -> Draft:
    d = Draft("m")
    d.parameter("k", 1.0, mask=(0.1, 10.0))
    d.state("arterial.X")
    d.state("kidney.X")
    d.state("urine.X", sink=True)
    return d


def test_a_rate_that_drains_an_empty_state_is_found_with_the_point() -> None:
    d = two_states()
    d.rate("excretion", d["k"] * d["arterial.X"], {"kidney.X": -1, "urine.X": 1})
    proofs = by_name(d.system())
    found = proofs["excretion"]
    assert found.status == "violated"
    assert found.point == {"kidney.X": 0.0, "arterial.X": 1.0}
    assert found.explanation == (
        "its rate does not vanish with kidney.X: it is 1 at kidney.X = 0, arterial.X = 1"
    )
    assert proofs["kidney.X"].status == "violated"
    assert proofs["urine.X"].held


def test_what_a_supply_outweighs_keeps_the_state_but_not_the_arrows_promise() -> None:
    d = two_states()
    d.rate("supply", 5 * d["arterial.X"], {"arterial.X": -1, "kidney.X": 1})
    d.rate("filtration", 2 * d["arterial.X"], {"kidney.X": -1, "urine.X": 1})
    proofs = by_name(d.system())
    assert proofs["filtration"].status == "violated"
    assert proofs["kidney.X"].held


def test_a_rate_that_turns_negative_is_found() -> None:
    d = two_states()
    d.rate("exchange", d["k"] * (d["arterial.X"] - d["kidney.X"]), {"arterial.X": -1, "kidney.X": 1})
    found = by_name(d.system())["exchange"]
    assert found.status == "violated"
    assert found.point["arterial.X"] < found.point["kidney.X"]


def test_the_same_rate_as_a_net_exchange_keeps_both_states() -> None:
    d = two_states()
    net = d["k"] * (d["arterial.X"] - d["kidney.X"])
    d.rate("exchange", net, {"arterial.X": -1, "kidney.X": 1}, kind="flow", reversible=True)
    proofs = by_name(d.system())
    assert "exchange" not in proofs
    assert all(p.held for p in proofs.values())


def test_a_net_exchange_that_drains_an_empty_state_is_found() -> None:
    d = two_states()
    net = d["k"] * (d["arterial.X"] - 1)
    d.rate("exchange", net, {"arterial.X": -1, "kidney.X": 1}, reversible=True)
    assert by_name(d.system())["kidney.X"].status == "violated"


def test_a_bound_of_a_mask_decides() -> None:
    for low, status in ((0.0, "held"), (-0.1, "violated")):
        d = Draft("m")
        d.parameter("shift", 1.0, mask=(low, 2.0))
        d.state("a")
        d.rate("out", d["shift"] * d["a"], {"a": -1})
        assert by_name(d.system())["out"].status == status


def test_a_share_beyond_one_drains_a_product() -> None:
    for high, status in ((1.0, "held"), (1.5, "violated")):
        d = Draft("m")
        d.parameter("f", 0.5, mask=(0.0, high))
        for name in ("a", "b", "c"):
            d.state(name)
        d.rate("divide", d["a"], {"a": -1, "b": d["f"], "c": 1 - d["f"]})
        assert by_name(d.system())["c"].status == status


def test_an_unknown_term_needs_a_range_or_an_anchor() -> None:
    d = two_states()
    f = d.unknown("f", [("c", 0.0, 10.0)], default=lambda c: 2 * c)
    d.rate("out", f(d["kidney.X"]), {"kidney.X": -1, "urine.X": 1})
    found = by_name(d.system())["out"]
    assert found.status == "unproved"
    assert "the range of f does not exclude negative values" in found.explanation

    d = two_states()
    f = d.unknown("f", [("c", 0.0, 10.0)], range=(0.0, 9.0), anchors=(((0.0,), 0.0),), default=lambda c: c)
    d.rate("out", f(d["kidney.X"]), {"kidney.X": -1, "urine.X": 1})
    assert by_name(d.system())["out"].held

    d = two_states()
    f = d.unknown("f", [("c", 0.0, 10.0)], range=(0.0, 9.0), default=lambda c: c)
    d.rate("out", f(d["kidney.X"]), {"kidney.X": -1, "urine.X": 1})
    assert by_name(d.system())["out"].status == "unproved"


def test_a_feeding_window_is_proved_through_its_condition() -> None:
    d = two_states()
    t = sp.Symbol("t", real=True)
    speed = sp.Piecewise((t - 2, t > 2), (0, True))
    d.rate("out", speed * d["kidney.X"], {"kidney.X": -1, "urine.X": 1})
    assert by_name(d.system())["out"].held


def test_a_rate_without_a_value_when_all_is_empty_is_not_proved() -> None:
    d = two_states()
    a, b = d["arterial.X"], d["kidney.X"]
    d.rate("bind", a * b / (a + b), {"arterial.X": -1, "kidney.X": -1, "urine.X": 1})
    found = by_name(d.system())["bind"]
    assert found.status == "unproved"
    assert found.explanation == "its rate has no finite value at arterial.X = 0, kidney.X = 0"


def test_an_equation_written_as_ode_makes_no_promise_but_its_state_is_looked_at() -> None:
    d = Draft("m")
    d.state("angle")
    d.state("speed")
    d.rate("turn", d["speed"], {"angle": 1}, kind="ode", reversible=False)
    d.rate("pull", -d["angle"], {"speed": 1}, kind="ode", reversible=False)
    proofs = by_name(d.system())
    assert set(proofs) == {"angle", "speed"}
    assert proofs["angle"].held
    assert proofs["speed"].status == "violated"
