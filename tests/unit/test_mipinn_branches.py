"""Who shares a branch: states with the same shape, whatever their size; idle states take none."""

from __future__ import annotations

import numpy as np

from pbpkc.engines.mipinn.branches import dissimilarity, group
from pbpkc.engines.mipinn.snapshots import Snapshot
from pbpkc.solve.timeline import Segment

SEGMENT = Segment(0.0, 1.0, (), slice(0, 0), np.zeros(0), np.zeros(0))


def snapshots() -> list[Snapshot]:
    t = np.linspace(0.0, 1.0, 30)
    fast, slow = 1.0 - np.exp(-20.0 * t), t**2
    values = np.stack([fast, 50.0 * fast, 0.0 * t, slow, -3.0 * slow, 0.0 * t, np.sin(9.0 * t)], axis=1)
    return [Snapshot("start", k, SEGMENT, np.zeros(7), (1.0 + k) * values) for k in range(3)]


def test_states_of_one_shape_share_a_branch() -> None:
    distance = dissimilarity(snapshots())
    assert distance[0, 1] < 1e-12 and distance[3, 4] < 1e-12
    assert distance[0, 3] > 0.05 and distance[2, 0] == 1.0
    branch = group(distance, 3)
    assert len({branch[0], branch[3], branch[6]}) == 3
    assert branch[0] == branch[1] and branch[3] == branch[4]


def test_idle_states_use_up_no_branch() -> None:
    branch = group(dissimilarity(snapshots()), 3)
    assert branch.max() == 2
    assert branch[2] == branch[5] == branch[0]


def test_as_many_branches_as_states_are_one_each() -> None:
    assert group(dissimilarity(snapshots()), 7).tolist() == list(range(7))
