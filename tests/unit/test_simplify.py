from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import hand_systems
import numpy as np
import pytest

from pbpkc.compiler.numeric import Evaluation
from pbpkc.compiler.simplify import PASSES, simplify
from pbpkc.compiler.system import System
from pbpkc.compiler.trial_points import trial_points

SYSTEMS = [
    hand_systems.oral,
    hand_systems.circulation,
    hand_systems.saturable,
    hand_systems.bimolecular,
    hand_systems.chemistry,
]


def values(system: System) -> np.ndarray:
    """Right-hand sides without doses, observables and starts at the trial points."""
    at = Evaluation(system, trial_points(system))
    size = len(at.value(system.time))
    rates = [np.broadcast_to(at.value(r.expr), size) for r in system.rates]
    rows = [np.zeros(size) for _ in system.states]
    for (i, r), coefficient in system.N.items():
        rows[i] = rows[i] + at.value(coefficient) * rates[r]
    rows += [np.broadcast_to(at.value(e), size) for e in system.initial]
    rows += [np.broadcast_to(at.value(o.expr), size) for o in system.outputs]
    return np.array([*rates, *rows])


def scales(system: System) -> np.ndarray:
    """The sum of the absolute terms behind each of `values`, so that cancellation does not count."""
    at = Evaluation(system, trial_points(system))
    size = len(at.value(system.time))
    rates = [np.abs(np.broadcast_to(at.value(r.expr), size)) for r in system.rates]
    rows = [np.zeros(size) for _ in system.states]
    for (i, r), coefficient in system.N.items():
        rows[i] = rows[i] + np.abs(at.value(coefficient)) * rates[r]
    rest = values(system)[len(rates) + len(rows) :]
    return np.array([*rates, *rows, *np.abs(rest)])


@pytest.mark.parametrize("make", SYSTEMS)
def test_every_pass_leaves_all_values_as_they_are(make: Callable[[], System]) -> None:
    system = make()
    expected, scale = values(system), scales(system)
    for change in PASSES:
        system = change(system)
        assert np.all(np.abs(values(system) - expected) <= 1e-12 * scale), change.__name__


@pytest.mark.parametrize("make", SYSTEMS)
def test_what_the_user_knows_by_place_stays_in_place(make: Callable[[], System]) -> None:
    before, after = make(), simplify(make())
    assert after.states == before.states
    assert after.parameters == before.parameters
    assert after.inputs == before.inputs
    assert [r.name for r in after.rates] == [r.name for r in before.rates]
    assert [o.name for o in after.outputs] == [o.name for o in before.outputs]


@pytest.mark.parametrize("make", SYSTEMS)
def test_every_definition_reads_only_what_stands_before_it(make: Callable[[], System]) -> None:
    system = simplify(make())
    known = {p.symbol for p in system.parameters}
    for constant in system.constants:
        assert constant.expr.free_symbols <= known
        known.add(constant.symbol)
    known |= {s.symbol for s in system.states} | {u.symbol for u in system.inputs} | {system.time}
    for curve in system.curves:
        assert curve.expr.free_symbols <= known
        known.add(curve.symbol)
    assert all(r.expr.free_symbols <= known for r in system.rates)


@pytest.mark.parametrize("make", SYSTEMS)
def test_a_second_time_changes_nothing(make: Callable[[], System]) -> None:
    once = simplify(make())
    assert simplify(once) == once


@pytest.mark.long
def test_the_text_does_not_depend_on_the_seed_of_hashing() -> None:
    program = (
        "import hand_systems as h\n"
        "from pbpkc.compiler.simplify import simplify\n"
        "from pbpkc.compiler.analyse import analyse\n"
        "from pbpkc.compiler.emit import emit_analysed\n"
        "for make in (h.oral, h.circulation, h.saturable, h.bimolecular, h.chemistry):\n"
        "    print(emit_analysed(analyse(simplify(make()))))\n"
    )
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), str(Path(__file__).parent)])
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 5000


def test_the_circulation_is_simplified_in_a_moment(patience: float) -> None:
    system = hand_systems.circulation()
    start = time.process_time()
    simplify(system)
    assert time.process_time() - start < patience * 0.5
