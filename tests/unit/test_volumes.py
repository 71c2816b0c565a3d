from __future__ import annotations

import pytest
from hand_systems import Draft, circulation

from pbpkc.check.volumes import prove_volumes


def remainder(share: float) -> Draft:
    d = Draft("m")
    d.parameter("BW", 70.0, kind="covariate", bounds=(40.0, 120.0))
    d.parameter("fixed", 50.0)
    d.state("rest.X")
    d.constant("known.volume", d["BW"] / 2)
    d.constant("rest.volume", share * d["BW"] - d["known.volume"])
    d.rate("out", d["rest.X"] / d["rest.volume"], {"rest.X": -1})
    return d


def test_volumes_of_a_circulation_are_positive_for_every_weight() -> None:
    proofs = prove_volumes(circulation())
    assert [p.name for p in proofs] == [
        f"{n}.volume" for n in ("arterial", "venous", "lung", "liver", "kidney", "rest")
    ]
    assert all(p.held for p in proofs)


def test_a_negative_remainder_is_found() -> None:
    held = {p.name: p.status for p in prove_volumes(remainder(0.75).system())}
    assert held == {"known.volume": "held", "rest.volume": "held"}
    (proof,) = [p for p in prove_volumes(remainder(0.25).system()) if p.name == "rest.volume"]
    assert proof.status == "violated"
    assert proof.explanation == "-17.5 L at the values of the spec"


def test_a_remainder_that_is_negative_only_for_light_people_comes_with_the_weight() -> None:
    d = remainder(0.75)
    d.constants.pop()
    d.symbols.pop("rest.volume")
    d.constant("rest.volume", d["BW"] - d["fixed"])
    (proof,) = prove_volumes(d.system(), ["rest.volume"])
    assert proof.status == "violated"
    assert proof.point == {"BW": 40.0}
    assert proof.explanation == "-10 L at BW = 40"


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'heart\.volume'"):
        prove_volumes(circulation(), ["heart.volume"])
