"""Rows of a table of curves as text: by compiled code, or without a compiler by Python, the same bytes."""

from __future__ import annotations

import csv
import ctypes
import io
import math
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from pbpkc.native.failure import NoKernel
from pbpkc.native.library import Function, compiled_library
from pbpkc.resources import resource

Array = NDArray[np.float64]

#: Numbers from which on compiled code is worth its loading.
WORTH_COMPILING = 20_000

#: Characters of a number and the comma before it, at most: -1.2345678901234567e-308.
_WIDEST = 25

_POINTER = ctypes.c_void_p


def cells_text(cells: Sequence[str]) -> str:
    """Cells as a row of CSV, quoted where they must be, without the end of a line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def rows_text(leads: Sequence[str], times: Sequence[str], values: Array) -> bytes:
    """Rows of CSV, person by person: lead, time, values.

    Parameters
    ----------
    leads : sequence of str
        What the rows of each person begin with, shape (B,), without the comma behind it.
    times : sequence of str
        Shape (T,).
    values : ndarray, shape (B, T, C)

    Returns
    -------
    bytes
        Numbers as Python prints them, so that they read back to the same bits; an empty cell for what is not
        finite.
    """
    write = _compiled() if values.size >= WORTH_COMPILING else None
    if write is not None:
        return write(leads, times, values)
    lines = []
    for lead, curves in zip(leads, values.tolist(), strict=True):
        for time, row in zip(times, curves, strict=True):
            lines.append(",".join((lead, time, *map(number_text, row))) + "\n")
    return "".join(lines).encode()


def number_text(value: float) -> str:
    """A number as a cell; empty for what is not finite."""
    return repr(value) if math.isfinite(value) else ""


@cache
def _compiled() -> Callable[[Sequence[str], Sequence[str], Array], bytes] | None:
    arguments = (*(_POINTER,) * 5, *(ctypes.c_int64,) * 3, *(_POINTER,) * 2)
    try:
        library = compiled_library(
            resource("templates", "number_text.c").read_text(encoding="utf-8"),
            name="text of numbers",
            functions=(Function("pbpkc_rows", arguments, ctypes.c_int64),),
            optimise=2,
        )
    except NoKernel:
        return None
    return partial(_by_library, library)


def _by_library(library: ctypes.CDLL, leads: Sequence[str], times: Sequence[str], values: Array) -> bytes:
    values = np.ascontiguousarray(values, dtype=np.float64)
    people, moments, columns = values.shape
    lead, lead_at = _joined(leads)
    time, time_at = _joined([f",{text}" for text in times])
    most = moments * len(lead) + people * len(time) + values.size * _WIDEST + people * moments
    out, powers = np.empty(most, dtype=np.uint8), _powers_of_ten()
    size = library.pbpkc_rows(
        lead, lead_at.ctypes.data, time, time_at.ctypes.data, values.ctypes.data, people, moments, columns,
        powers.ctypes.data, out.ctypes.data,
    )  # fmt: skip
    return out[:size].tobytes()


def _joined(texts: Sequence[str]) -> tuple[bytes, NDArray[np.int64]]:
    """Texts behind one another, and where each begins, the end included."""
    parts = [text.encode() for text in texts]
    return b"".join(parts), np.cumsum([0, *map(len, parts)], dtype=np.int64)


@cache
def _powers_of_ten() -> NDArray[np.uint64]:
    """10^k in 128 bits rounded up, for k from -292 to 324: the upper and the lower half of each."""
    found = []
    for k in range(-292, 325):
        top, bottom = (10**k, 1) if k >= 0 else (1, 10**-k)
        shift = 127 - (top.bit_length() - bottom.bit_length())
        if top << max(shift, 0) < bottom << (127 + max(-shift, 0)):
            shift += 1
        scaled = -((-top << max(shift, 0)) // (bottom << max(-shift, 0)))
        found += [scaled >> 64, scaled & (2**64 - 1)]
    return np.array(found, dtype=np.uint64)
