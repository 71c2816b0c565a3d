"""Which states an output sees, and how long the circuits of a graph are."""

from __future__ import annotations

import numpy as np

from pbpkc.compiler.contour.cycles import longest_circuit, seen_by


def test_only_what_reaches_an_output_is_seen() -> None:
    # 0 -> 1 -> 2, 1 -> 3, and 4 that stands alone.
    entries = [(1, 0), (2, 1), (3, 1), (0, 0), (4, 4)]
    assert seen_by(iter([2]), entries) == (0, 1, 2)
    assert seen_by([3], entries) == (0, 1, 3)
    assert seen_by([4], entries) == (4,)


def test_circuits() -> None:
    assert longest_circuit([(1, 0), (2, 1), (2, 2)], range(3)) == 1
    assert longest_circuit([(1, 0), (0, 1), (2, 1)], range(3)) == 2
    # Two organs between the same vessels: the circuit goes through one of them at a time.
    body = [(1, 0), (2, 1), (3, 1), (0, 2), (0, 3)]
    assert longest_circuit(body, range(4)) == 3
    # A portal vein makes it longer.
    assert longest_circuit([*body, (3, 2)], range(4)) == 4
    # What is left out does not count.
    assert longest_circuit([*body, (3, 2)], (0, 1, 3)) == 3


def test_a_search_that_grows_too_long_ends_with_an_upper_bound() -> None:
    size = 14
    entries = [(i, j) for i in range(size) for j in range(size) if i != j]
    assert longest_circuit(entries, range(size)) == size


def test_the_sector_of_circuits_holds_the_spectrum() -> None:
    """Kellogg and Stephens (1978), on random flows round circuits with short cuts."""
    draw = np.random.default_rng(5)
    for size in (3, 4, 6, 9):
        for _ in range(200):
            entries = [((k + 1) % size, k) for k in range(size)]
            entries += [(0, int(k)) for k in draw.integers(0, size, 2) if k]
            A = np.zeros((size, size))
            for i, j in entries:
                A[i, j] = np.exp(draw.normal(0.0, 2.0))
            np.fill_diagonal(A, -A.sum(axis=0) * (1.0 + 0.1 * draw.random(size)))
            found = np.linalg.eigvals(A)
            bound = np.pi / 2 - np.pi / longest_circuit(entries, range(size))
            turned = np.pi - np.abs(np.angle(found[np.abs(found) > 1e-12 * np.abs(found).max()]))
            assert np.max(turned) < bound + 1e-6
