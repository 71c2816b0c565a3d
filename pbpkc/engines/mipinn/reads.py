"""Which entries of the generated d rhs / d p a head has to project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbpkc.engines.mipinn.structure import Structure
from pbpkc.runtime.compiled import CompiledModel

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Reads:
    """Which entries of d rhs / d p belong to some parameters, and which states they read.

    Parameters
    ----------
    entries : array of int, shape (e,)
        Positions among the generated values.
    rows : array of int, shape (e,)
        Equations, among the states of the structure.
    places : array of int, shape (e,)
        Places among the parameters asked for.
    states : array of int
        States, among those of the structure, whose curves the entries need.
    """

    entries: Index
    rows: Index
    places: Index
    states: Index


def reads_of(compiled: CompiledModel, structure: Structure, columns: Index) -> Reads:
    """The entries of d rhs / d p for the parameters in `columns`."""
    rows, cols = compiled.sparsity("d_rhs_dp")
    place = np.full(len(compiled.state_names), -1)
    place[structure.states] = np.arange(structure.size)
    wanted = {int(c): k for k, c in enumerate(columns)}
    entries = [e for e in range(len(rows)) if int(cols[e]) in wanted and place[rows[e]] >= 0]
    picked = np.array(entries, dtype=np.intp)
    states = _read(compiled, structure, picked) if len(picked) else np.zeros(0, dtype=np.intp)
    return Reads(
        picked,
        place[rows[picked]].astype(np.intp),
        np.array([wanted[int(cols[e])] for e in entries], dtype=np.intp),
        states,
    )


def _read(compiled: CompiledModel, structure: Structure, entries: Index) -> Index:
    """States whose change moves any of these entries, seen at trial points."""
    generator = np.random.default_rng(0)
    p = compiled.parameters()
    y = 10.0 ** generator.uniform(-2.0, 2.0, (3, len(compiled.state_names)))
    u = 10.0 ** generator.uniform(-1.0, 1.0, len(compiled.input_names))
    found = []
    base = compiled.d_rhs_dp(1.0, y, p, u)[:, entries]
    for place, state in enumerate(structure.states.tolist()):
        other = y.copy()
        other[:, state] *= 1.7
        if np.any(compiled.d_rhs_dp(1.0, other, p, u)[:, entries] != base):
            found.append(place)
    return np.array(found, dtype=np.intp)
