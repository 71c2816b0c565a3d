from __future__ import annotations

from hand_systems import Draft, bimolecular, chemistry, circulation

from pbpkc.compiler.differentiate import differentiate
from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.signs import jacobian_signs
from pbpkc.compiler.trial_points import trial_points


def test_a_circulation_feeds_forward_and_drains_itself() -> None:
    system = circulation()
    signs = jacobian_signs(system, differentiate(system).jacobian)
    assert all(sign == ("-" if i == j else "+") for (i, j), sign in signs.items())


def test_signs_agree_with_values_everywhere_they_are_claimed() -> None:
    for system in (bimolecular(), chemistry(), circulation()):
        jacobian = differentiate(system).jacobian
        at = Evaluation(system, trial_points(system))
        for key, sign in jacobian_signs(system, jacobian).items():
            values = at.value(jacobian[key])
            assert sign != "+" or values.min() >= 0
            assert sign != "-" or values.max() <= 0


def test_two_opposed_reactions_are_left_open() -> None:
    system = chemistry()
    places = {s.name: k for k, s in enumerate(system.states)}
    signs = jacobian_signs(system, differentiate(system).jacobian)
    # O3 makes NO2 of NO and destroys NO2.
    assert signs[places["NO2"], places["O3"]] == "?"
    assert signs[places["NO"], places["O3"]] == "-"


def test_saturation_and_hill_rise_everywhere() -> None:
    d = Draft("m")
    for name in ("vmax", "km", "e", "n"):
        d.parameter(name, 2.0, mask=(1.0, 4.0))
    d.state("a")
    d.rate("mm", d["vmax"] * d["a"] / (d["km"] + d["a"]), {"a": -1})
    system = d.system()
    assert jacobian_signs(system, differentiate(system).jacobian) == {(0, 0): "-"}
    d = Draft("m")
    for name in ("e", "n"):
        d.parameter(name, 2.0, mask=(1.0, 4.0))
    d.state("a")
    d.rate("hill", d["a"] ** d["n"] / (d["e"] ** d["n"] + d["a"] ** d["n"]), {"a": -1})
    system = d.system()
    assert jacobian_signs(system, differentiate(system).jacobian) == {(0, 0): "-"}
