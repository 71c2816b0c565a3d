"""A problem as every method reads it from its folder: equations as text, subjects and doses as numbers."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """Time between two events.

    Parameters
    ----------
    t0, t1 : float
    jump : ndarray, shape (S,)
        Added to the states at `t0`.
    u : ndarray, shape (K,)
        Inputs, constant until `t1`.
    times : ndarray, shape (m,)
        The wanted times within it, none at `t0`.
    samples : slice
        Which of all wanted times these are.
    """

    t0: float
    t1: float
    jump: Array
    u: Array
    times: Array
    samples: slice

    @property
    def grid(self) -> Array:
        """Its begin, the wanted times, and its end unless that is the last of them; strictly rising."""
        end = [] if self.times.size and self.times[-1] >= self.t1 else [self.t1]
        return np.concatenate(([self.t0], self.times, end))


@dataclass(frozen=True)
class Problem:
    """What a method has to solve.

    Parameters
    ----------
    folder : Path
        With ``model.pbpk``, ``equations.py``, ``equations_in_place.py``, ``equations.c``, ``model.ant``.
    name, scenario : str
    states, parameters, inputs, observables : tuple of str
    constants : int
        Number of values that `equations.prepare` gives.
    rows, columns : tuple of int
        Structure of the Jacobian, in the order of the values of `equations.jacobian`.
    times : ndarray, shape (T,)
    stretches : tuple of Stretch
    p : ndarray, shape (N, P)
        Parameters of the subjects.
    rtol, atol : float
    watched : tuple of int
        Observables whose error is measured.
    sensitive : tuple of int
        Parameters that the first watched observable is differentiated by.
    """

    folder: Path
    name: str
    scenario: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    observables: tuple[str, ...]
    constants: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    times: Array
    stretches: tuple[Stretch, ...]
    p: Array
    rtol: float
    atol: float
    watched: tuple[int, ...]
    sensitive: tuple[int, ...]

    def equations(self, words: Mapping[str, Any], in_place: bool = False) -> ModuleType:
        """The equations as a module of functions that use these words (``exp``, ``where``, ``minimum``...).

        ``prepare(p)``, ``initial(p, c)``, ``rhs(t, y, p, u, c)``, ``jacobian(...)`` and ``observe(...)`` give
        tuples; in place, ``rhs`` and ``jacobian`` take an array ``out`` behind the others and fill it.
        """
        name = "equations_in_place" if in_place else "equations"
        spec = importlib.util.spec_from_file_location(name, self.folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        vars(module).update(words)
        return module


@dataclass(frozen=True)
class Built:
    """A method that is ready to solve a problem.

    Parameters
    ----------
    solve : callable
        ``solve(p (N, P))`` gives the states (N, T, S) or the watched observables (N, T, W).
    gives : {"states", "watched"}
    sensitivities : callable, optional
        ``sensitivities(p (N, P))`` gives derivatives of the first watched observable, (N, T, k).
    note : str
        What a reader of the figures should know.
    clock : callable, optional
        Processor seconds of the process that does the work, where it is another one.
    """

    solve: Callable[[Array], Array]
    gives: Literal["states", "watched"] = "states"
    sensitivities: Callable[[Array], Array] | None = None
    note: str = ""
    clock: Callable[[], float] | None = None


def read_problem(folder: Path) -> Problem:
    """The problem of a folder."""
    told: dict[str, Any] = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
    with np.load(folder / "problem.npz") as held:
        data = {name: held[name] for name in held.files}
    times = data["times"]
    stretches = tuple(
        Stretch(
            float(t0),
            float(t1),
            data["jump"][g],
            data["u"][g],
            times[first:last],
            slice(int(first), int(last)),
        )
        for g, (t0, t1, first, last) in enumerate(
            zip(data["t0"], data["t1"], data["first"], data["last"], strict=True)
        )
    )
    return Problem(
        folder=folder,
        name=told["name"],
        scenario=told["scenario"],
        states=tuple(told["states"]),
        parameters=tuple(told["parameters"]),
        inputs=tuple(told["inputs"]),
        observables=tuple(told["observables"]),
        constants=told["constants"],
        rows=tuple(told["rows"]),
        columns=tuple(told["columns"]),
        times=times,
        stretches=stretches,
        p=data["p"],
        rtol=told["rtol"],
        atol=told["atol"],
        watched=tuple(told["watched"]),
        sensitive=tuple(told["sensitive"]),
    )
