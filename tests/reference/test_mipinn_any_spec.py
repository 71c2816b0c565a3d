"""Whoever writes a spec has the engine for it: specs drawn at random, and POLLU, trained and inverted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pbpkc import load
from pbpkc.engines.mipinn.training_options import TrainingOptions

#: Fits of noise-free data must come back to the truth within this; the solver's own last word included.
CLOSE = 2e-3


def random_spec(seed: int) -> tuple[str, dict[str, float], list[float]]:
    """A body of tanks in a random tree with random flows, one saturable and one linear way out.

    Gives the text, the true values of its masked parameters, and the sampling times.
    """
    generator = np.random.default_rng(seed)
    n = int(generator.integers(3, 7))
    volumes = np.round(np.exp(generator.uniform(np.log(2.0), np.log(30.0), n)), 2)
    lines = ["pbpk 1", f'model drawn{seed} "Drawn at random, seed {seed}"', ""]
    lines += ["species X { mw = 250 [g/mol] }", "lumen gut", "sink gone, lost"]
    lines += [f"pool p{i} {{ volume = {v} [L] }}" for i, v in enumerate(volumes.tolist())]
    for i in range(1, n):
        other, flow = int(generator.integers(0, i)), float(np.round(generator.uniform(1.0, 40.0), 2))
        lines.append(f"flow f{i} : p{other} <-> p{i} at {flow} [L/h]")
    medians = {
        "ka": float(np.round(generator.uniform(0.4, 2.0), 3)),
        "vmax": float(np.round(generator.uniform(100.0, 800.0), 1)),
    }
    km = float(np.round(generator.uniform(5.0, 50.0), 2))
    last = n - 1
    lines += [
        f"masked ka   ~ lognormal({medians['ka']} [1/h], cv = 40 [%]) in (0.01, 50) [1/h] scale log",
        f"masked vmax ~ lognormal({medians['vmax']} [umol/h], cv = 40 [%]) in (1, 100000) [umol/h] scale log",
        "process absorption : gut -> p0 rate ka * gut.A",
        f"process saturable : p0 -> gone rate mm(vmax, {km} [umol/L], p0.C)",
        f"process linear : p{last} -> lost rate 0.8 [L/h] * p{last}.C",
        f"observe C = p{int(generator.integers(0, n))}.C in [umol/L] error prop(1 [%])",
        "scenario po { dose X 100 [mg] into gut at 0 [h]; run 24 [h] }",
        'scenario study { data "study.csv" { column TIME [h]; column AMT [mg]; CMT 1 dose X into gut; '
        "CMT 2 observe C } }",
        "check mass, positive",
    ]
    truth = {name: value * float(np.exp(generator.uniform(-0.5, 0.5))) for name, value in medians.items()}
    return "\n".join(lines) + "\n", truth, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 24.0]


@pytest.mark.parametrize("seed", range(3))
def test_a_spec_drawn_at_random_is_trained_and_inverted(tmp_path: Path, seed: int) -> None:
    text, truth, times = random_spec(seed)
    path = tmp_path / "drawn.pbpk"
    path.write_text(text)
    settings = [
        f"{name} = {value!r} [{unit}]"
        for (name, value), unit in zip(truth.items(), ("1/h", "umol/h"), strict=True)
    ]
    curve = load(path).simulate("po", times=times, set=settings, rtol=1e-10).observables["C"]
    rows = ["ID,TIME,AMT,DV,CMT,EVID", "1,0,100,.,1,1"]
    rows += [f"1,{t},.,{v!r},2,0" for t, v in zip(times, curve.tolist(), strict=True)]
    (tmp_path / "study.csv").write_text("\n".join(rows) + "\n")
    model = load(path)
    options = TrainingOptions(tasks=60, held_out=8, branches=(0,), features=(10, 16, 20))
    made = model.meta_train(tmp_path / "m", scenario="po", options=options)
    assert made.training.chosen.median < 1e-4 and not made.training.chosen.failed
    fit = model.fit(method="mi-pinn", model=tmp_path / "m").fits[0]
    assert fit.outcome == "converged"
    assert fit.theta == pytest.approx(tuple(truth.values()), rel=CLOSE)


def test_pollu_is_trained_and_two_rate_constants_are_recovered(tmp_path: Path) -> None:
    """Twenty stiff equations (Verwer 1994): photolysis of NO2 and of NO3, from two species."""
    truth = {"k1": 0.45, "k21": 1.6}
    text = (Path(__file__).parents[2] / "specs" / "pollu.pbpk").read_text()
    for name, low, high in (("k1", 0.01, 10), ("k21", 0.05, 80)):
        line = re.search(rf"^param {name} +=  ?(\S+) .*$", text, re.M)
        assert line is not None
        masked = f"masked {name} ~ lognormal({line[1]} [1/min], cv = 30 [%]) in ({low}, {high}) [1/min]"
        text = text.replace(line[0], f"{masked} scale log")
    text += "observe o3 = O3 in [ppm] error prop(1 [%])\nobserve no3 = NO3 in [ppm] error prop(1 [%])\n"
    columns = "column TIME [min]; DVID 1 observe o3; DVID 2 observe no3"
    text += f'scenario study {{ data "study.csv" {{ {columns} }} }}\n'
    path = tmp_path / "pollu.pbpk"
    path.write_text(text)
    model = load(path)
    minutes = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0]
    settings = [f"{name} = {value} [1/min]" for name, value in truth.items()]
    run = model.simulate("hour", times=np.array(minutes) / 60.0, set=settings, rtol=1e-10)
    rows = ["ID,TIME,DV,DVID,EVID"]
    for k, t in enumerate(minutes):
        rows += [f"1,{t},{float(run.observables[o][k])!r},{i},0" for i, o in ((1, "o3"), (2, "no3"))]
    (tmp_path / "study.csv").write_text("\n".join(rows) + "\n")
    options = TrainingOptions(tasks=40, held_out=6, branches=(0,), features=(8, 12))
    made = model.meta_train(tmp_path / "m", scenario="hour", options=options)
    assert made.training.chosen.median < 1e-4
    fit = model.fit(scenario="study", method="mi-pinn", model=tmp_path / "m").fits[0]
    assert fit.outcome == "converged"
    # Canonical units are per hour.
    assert fit.theta == pytest.approx([60.0 * value for value in truth.values()], rel=CLOSE)
