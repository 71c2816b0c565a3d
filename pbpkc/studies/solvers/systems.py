"""The systems on which solvers are compared, as text, with what is measured of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pbpkc.resources import resource
from pbpkc.studies.solvers.bodies import body, body_text

#: Subjects differ in every parameter: log-normal, coefficient of variation.
SPREAD = 0.3

#: Genes of the dense system.
_GENES = 20


@dataclass(frozen=True)
class BenchSystem:
    """A system of the comparison.

    Parameters
    ----------
    name, title : str
    write : callable
        Gives the text of the spec.
    scenario : str
    fixed : tuple of str
        Parameters that all subjects share.
    observables : tuple of str
        Whose error is measured.
    sensitive : tuple of str
        Five parameters by which the first of `observables` is differentiated.
    times : int
        Output times, evenly spaced from the first behind the start to the end of the scenario.
    atol : float
        Absolute tolerance in the unit of the states, the same for every method.
    """

    name: str
    title: str
    write: Callable[[], str]
    scenario: str
    fixed: tuple[str, ...]
    observables: tuple[str, ...]
    sensitive: tuple[str, ...]
    times: int = 100
    atol: float = 1e-9


def _whole_body(states: int, saturable: bool) -> BenchSystem:
    kind = "nonlinear" if saturable else "linear"
    name = f"body_{states}_{kind}"
    first = "vmax1" if saturable else "clint1"
    return BenchSystem(
        name,
        f"Whole body, {states} states, {kind}",
        lambda: body_text(body(states, saturable), name),
        "doses",
        (),
        ("Cp",),
        (first, "ka", "D.kp.rest", "clr", "D.fup"),
    )


def dense_text() -> str:
    """Twenty genes, each product acting on all others with saturation: a dense and stiff Jacobian.

    Products live from a few seconds to hours, so that it is stiff; the strengths are drawn once, by a seed.
    """
    drawn = np.random.default_rng(20).lognormal(np.log(0.12), 0.6, (_GENES, _GENES)).round(4).tolist()
    genes = range(1, _GENES + 1)
    lines = ["pbpk 1", 'model dense_20 "Twenty genes, each acted on by all" { time [1] }', ""]
    lines += [f"state x{i} = {0.02 * i:.2f}" for i in genes]
    # From 0.2 to 500 per unit of time, evenly on the logarithm.
    lines += [f"param d{i} = {0.2 * 2500 ** ((i - 1) / (_GENES - 1)):.4g}" for i in genes]
    lines += [f"param c{i} = {0.05 + 0.01 * (i % 7):.2f}" for i in genes]
    lines += [f"param k{i}_{j} = {drawn[i - 1][j - 1]!r}" for i in genes for j in genes]
    lines += [f"let h{i} = x{i}^2 / (1 + x{i}^2)" for i in genes]
    for i in genes:
        acts = " + ".join(f"k{i}_{j} * h{j}" for j in genes)
        lines.append(f"process make{i} : outside -> x{i}  rate d{i} * (c{i} + {acts})")
        lines.append(f"process decay{i} : x{i} -> outside  rate d{i} * x{i}")
    lines += [f"observe e{i} = x{i} in [1]" for i in (1, 10, 20)]
    lines.append("scenario rest { run 20 }")
    return "\n".join(lines) + "\n"


SYSTEMS = (
    _whole_body(15, True),
    _whole_body(15, False),
    _whole_body(33, True),
    _whole_body(33, False),
    _whole_body(100, True),
    _whole_body(100, False),
    BenchSystem(
        "dense_20",
        "Gene network, 20 states, dense",
        dense_text,
        "rest",
        (),
        ("e1", "e10", "e20"),
        ("d1", "k1_1", "k1_20", "k20_1", "c1"),
    ),
    BenchSystem(
        "pollu",
        "Air pollution (POLLU), 20 states",
        lambda: resource("specs", "pollu.pbpk").read_text(encoding="utf-8"),
        "hour",
        (),
        ("ozone", "nitrogen_dioxide", "nitric_acid", "peroxyacetyl_nitrate"),
        ("k1", "k2", "k14", "k23", "k25"),
        # Concentrations are in ppm, and the radicals that drive the others lie far below 1e-9 of it.
        atol=1e-15,
    ),
)


def system_named(name: str) -> BenchSystem:
    """One of `SYSTEMS`.

    Raises
    ------
    ValueError
        For a name that none has.
    """
    for one in SYSTEMS:
        if one.name == name:
            return one
    raise ValueError(f"system is {name!r}; accepted are {', '.join(one.name for one in SYSTEMS)}")
