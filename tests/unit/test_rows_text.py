"""Numbers as text: the shortest digits that read back to the same bits, from compiled code as from Python."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

import pbpkc.solve.rows_text as rows_text
from pbpkc.solve.rows_text import cells_text


def _both(
    monkeypatch: pytest.MonkeyPatch, leads: list[str], times: list[str], values: np.ndarray
) -> tuple[bytes, bytes]:
    if rows_text._compiled() is None:
        pytest.skip("there is no C compiler")
    monkeypatch.setattr(rows_text, "WORTH_COMPILING", 0)
    fast = rows_text.rows_text(leads, times, values)
    monkeypatch.setattr(rows_text, "WORTH_COMPILING", math.inf)
    return fast, rows_text.rows_text(leads, times, values)


def test_numbers_are_those_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any bits, powers of two and ten and their neighbours, short decimals, whole numbers, the smallest."""
    draw = np.random.default_rng(3)
    any_bits = draw.integers(0, 2**64, 60_000, dtype=np.uint64).view(np.float64)
    tens = np.array([float(f"1e{k}") for k in range(-323, 309)])
    twos = 2.0 ** np.arange(-1074, 1024)
    edges = np.concatenate([tens, twos])
    decimals = np.round(draw.lognormal(0, 6, 20_000), 3)
    whole = np.floor(draw.lognormal(20, 12, 20_000))
    special = np.array(
        [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 9.5e-5, 1e16]
    )
    parts = (
        any_bits,
        edges,
        np.nextafter(edges, 0.0),
        np.nextafter(edges, math.inf),
        decimals,
        whole,
        special,
    )
    values = np.concatenate([*parts, draw.lognormal(0, 4, 20_000)])
    fast, slow = _both(monkeypatch, ["x"], [str(i) for i in range(len(values))], values[None, :, None])
    assert fast == slow
    cells = [line.split(",")[2] for line in fast.decode().splitlines()]
    for cell, value in zip(cells, values.tolist(), strict=True):
        assert cell == ("" if not math.isfinite(value) else repr(value))


def test_rows_are_read_as_they_were_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Person by person, time by time, with names that need quotes."""
    values = np.random.default_rng(1).normal(size=(3, 4, 2))
    names = [("one", "a"), ("one", 'b,"c'), ("one", "ü d")]
    times = ["0.0", "0.5", "1.0", "24.0"]
    for text in _both(monkeypatch, [cells_text(n) for n in names], times, values):
        rows = list(csv.reader(io.StringIO(text.decode())))
        assert [tuple(row[:2]) for row in rows] == [name for name in names for _ in times]
        assert [row[2] for row in rows] == times * 3
        assert [[float(cell) for cell in row[3:]] for row in rows] == values.reshape(12, 2).tolist()
