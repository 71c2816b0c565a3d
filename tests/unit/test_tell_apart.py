"""What `pbpkc check` says, before any data, of parameters that no data can tell apart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pbpkc.check.coverage import distinct_scenarios, like_scenarios
from pbpkc.infer.structural import structural_identifiability
from pbpkc.infer.transform import FittedParameter, ParameterSpace
from pbpkc.jobs.loaded import load
from pbpkc.language.units import ONE, Unit

HEAD = """pbpk 1
model depot "One compartment by mouth"
species D { mw = 300 [g/mol] }
lumen gut
pool plasma { volume = v }
sink gone
masked ka ~ lognormal(1.2 [1/h], cv = 50 [%]) in (0.05, 20) [1/h] scale log
masked cl ~ lognormal(5 [L/h], cv = 50 [%]) in (0.1, 100) [L/h] scale log
process absorption : gut -> plasma rate ka * gut.A
process elimination : plasma -> gone rate RATE
observe Cp = plasma.C in [mg/L] error prop(s)
masked s ~ lognormal(10 [%], cv = 50 [%]) in (1, 90) [%]
"""
ORAL = "scenario po { dose D 100 [mg] into gut at 0 [h] FRACTION; run 24 [h] }\n"
IV = "scenario iv { dose D 100 [mg] into plasma at 0 [h]; run 24 [h] }\n"
V = "masked v ~ lognormal(40 [L], cv = 30 [%]) in (5, 400) [L] scale log\n"
F = "masked f ~ lognormal(50 [%], cv = 30 [%]) in (1, 100) [%] scale log\n"
LINEAR, SATURABLE = "cl * plasma.C", "mm(cl * km, km, plasma.C)"
KM = "masked km ~ lognormal(30 [umol/L], cv = 50 [%]) in (0.1, 3000) [umol/L] scale log\n"


def _found(tmp_path: Path, text: str) -> dict[str, tuple[str, str]]:
    spec = tmp_path / "model.pbpk"
    spec.write_text(text)
    items = load(spec).check(torch=False).group("identifiable")
    return {item.name: (item.status, item.text) for item in items}


def _spec(*parts: str, rate: str = LINEAR, fraction: str = "") -> str:
    return "".join((HEAD, *parts)).replace("RATE", rate).replace("FRACTION", fraction)


def test_bioavailability_and_volume_by_mouth_alone(tmp_path: Path) -> None:
    # Textbook: by mouth CL/F and V/F, never F itself.
    status, text = _found(tmp_path, _spec(ORAL, V, F, fraction="fraction f"))["po"]
    assert status == "warning"
    assert text.startswith("cl, v and f cannot be told apart, whatever the data; what the data determine is ")
    ratios = set(text.split("determine is ")[1].split(" and "))
    assert len(ratios) == 2 and ratios <= {"cl / f", "v / f", "f / cl", "f / v", "cl / v", "v / cl"}


def test_scenarios_that_are_alike_are_no_second_experiment(tmp_path: Path) -> None:
    twice = ORAL + ORAL.replace("scenario po", "scenario again").replace("100 [mg]", "50 [mg]")
    found = _found(tmp_path, _spec(twice, V, F, fraction="fraction f"))
    assert {status for status, _ in found.values()} == {"warning"}


def test_a_second_way_of_giving_tells_them_apart(tmp_path: Path) -> None:
    found = _found(tmp_path, _spec(ORAL, IV, V, F, fraction="fraction f"))
    assert found["po"][0] == "note"
    # Each alone leaves something open; the two together do not, and nothing is said of them.
    assert found["iv"] == ("note", "no observable depends on ka and f")
    assert "" not in found


def test_saturation_is_seen_only_by_good_measurements_far_below_km(tmp_path: Path) -> None:
    # 100 mg in 40 L is 8 umol/L: a thousandth of this Km, so that only Vmax / Km shows.
    far = KM.replace("30 [umol/L]", "8000 [umol/L]").replace("(0.1, 3000)", "(100, 30000)")
    near = KM
    needed = []
    for km in (far, near):
        status, text = _found(tmp_path, _spec(ORAL, V, km, rate=SATURABLE))["po"]
        assert status == "held"
        found = re.search(r"; km only if measurements err by less than (\S+) %", text)
        needed.append(float(found[1]) if found else 5.0)
    assert 0.0 < 10.0 * needed[0] < needed[1]


def test_what_nothing_depends_on_is_a_warning(tmp_path: Path) -> None:
    more = "masked extra ~ lognormal(1 [1/h], cv = 50 [%]) in (0.1, 10) [1/h] scale log\n"
    lost = (
        "pool bin { volume = 1 [L] }\nstart bin.D = 1 [umol]\nprocess out : bin -> gone rate extra * bin.A\n"
    )
    found = _found(tmp_path, _spec(ORAL, V, more, lost))
    assert found["extra"] == ("warning", "masked, and no observable depends on it")
    assert found["po"][0] == "held"
    assert "s" not in found  # a residual error is no part of the curves


def test_scenarios_that_exercise_the_same_are_examined_once(tmp_path: Path) -> None:
    more = ORAL.replace("scenario po", "scenario po_again")
    spec = tmp_path / "model.pbpk"
    spec.write_text(_spec(ORAL, more, IV, V))
    assert distinct_scenarios(load(spec).model) == {"po": ("po_again",), "iv": ()}
    assert like_scenarios(load(spec).model) == {"po": ("po_again",), "iv": ()}
    # A dose by both ways runs through the terms of either; what it tells is another matter.
    both = "scenario both { dose D 1 [mg] into gut; dose D 1 [mg] into plasma; run 24 [h] }\n"
    spec.write_text(_spec(ORAL, IV, both, V))
    assert distinct_scenarios(load(spec).model) == {"both": ("po", "iv")}
    assert like_scenarios(load(spec).model) == {"po": (), "iv": (), "both": ()}


def test_the_spread_of_a_population_is_no_parameter_of_a_curve(tmp_path: Path) -> None:
    spread = "masked om ~ lognormal(30 [%], cv = 50 [%]) in (1, 90) [%]\n"
    spread += "population p { cl ~ lognormal(cv = om) }\n"
    assert "om" not in _found(tmp_path, _spec(ORAL, V, spread))


def _space(*names: str) -> ParameterSpace:
    unit = Unit("1", ONE.powers[0] + 1, ONE)
    return ParameterSpace(tuple(FittedParameter(n, unit, 1e-3, 1e3, 1.0) for n in names))


def test_a_rank_that_one_point_lacks_is_not_believed() -> None:
    # d/da of (a - 1)^2 t vanishes at a = 1 alone.
    t = np.linspace(0.0, 1.0, 20)

    def curves(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b = theta
        values = ((a - 1.0) ** 2 * t + b)[:, None]
        return values, np.stack((2.0 * (a - 1.0) * t, np.ones_like(t)), axis=-1)[:, None, :]

    each, together = structural_identifiability(_space("a", "b"), [curves])
    assert each[0].all and together.all


def test_the_error_at_which_a_parameter_is_lost() -> None:
    # y = a: n values with relative error e determine ln a to e / sqrt(n); half is the limit.
    def curves(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((25, 1), theta[0]), np.ones((25, 1, 1))

    each, _ = structural_identifiability(_space("a"), [curves])
    assert each[0].error == pytest.approx(0.5 * 5.0, rel=1e-9)


def test_curves_that_cannot_be_computed_are_said() -> None:
    def curves(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((5, 1), np.nan), np.full((5, 1, 1), np.nan)

    with pytest.raises(ValueError, match="cannot be computed"):
        structural_identifiability(_space("a"), [curves])
