"""Mass balance: each dosed species belongs to a conserved total with non-negative weights.

The proof is about N alone, so it holds for every rate law and every parameter value. Arrows to and from
`outside` are not counted and listed; so are arrows with a symbolic yield.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from pbpkc.check.proof import Proof
from pbpkc.compiler.conservation import ConservedTotal, change, least_total
from pbpkc.compiler.notation import arrow_text, notation
from pbpkc.compiler.system import System
from pbpkc.compiler.totals import Stoichiometry, stoichiometry


def prove_mass(system: System, dosed: Sequence[str]) -> tuple[Proof, ...]:
    """Whether what is given of each dosed species can be accounted for at every time.

    Parameters
    ----------
    system : System
    dosed : sequence of str
        Species, or states where a system has no species.

    Returns
    -------
    tuple of Proof
        One for each entry of `dosed`. If it holds, the explanation gives the total as a sum of states; if it
        does not, it names the arrows that lose or create.

    Raises
    ------
    ValueError
        If a name is neither a species nor a state of the system.
    """
    arrows = stoichiometry(system)
    return tuple(_prove_one(system, arrows, name) for name in dosed)


def _prove_one(system: System, arrows: Stoichiometry, name: str) -> Proof:
    members = [i for i, s in enumerate(system.states) if name in (s.species, s.name)]
    if not members:
        known = ", ".join(dict.fromkeys(s.species or s.name for s in system.states))
        raise ValueError(f"dosed names '{name}', which is neither a species nor a state; there are {known}")
    claim = f"{name} belongs to a conserved total with non-negative weights"
    weights = least_total(arrows.closed(), members)
    if weights is None:
        return Proof(name, claim, "violated", _blame(system, arrows.closed(), members, name))
    total = ConservedTotal(weights, name)
    touching = {r for i, r in system.N if i in dict(weights)}
    opened = tuple(system.rates[r].name for r in arrows.open_arrows if r in touching)
    text = f"{total.text(system)} is constant{_not_counted(system, arrows, touching, opened)}"
    return Proof(name, claim, "held", text, opened=opened)


def _not_counted(system: System, arrows: Stoichiometry, touching: set[int], opened: tuple[str, ...]) -> str:
    symbolic = [system.rates[r].name for r in arrows.symbolic_yields if r in touching]
    text = f", apart from what {_listed(opened)} to or from outside" if opened else ""
    return text + (
        f"; not counted because the yield is not a number: {', '.join(symbolic)}" if symbolic else ""
    )


def _listed(names: tuple[str, ...]) -> str:
    verb = "moves" if len(names) == 1 else "move"
    return f"{', '.join(names)} {verb}"


def _blame(system: System, arrows: Stoichiometry, members: list[int], name: str) -> str:
    """Names the fewest arrows, by what they lose or create, that stand in the way of a total."""
    from scipy.optimize import linprog

    # The total nearest to being conserved: minimise the sum over the arrows of what each one changes it by,
    # split into created and lost. A small price on the weights themselves keeps the answer unique.
    size, count = arrows.size, len(arrows.columns)
    N = np.array([[float(c.get(i, 0)) for i in range(size)] for _, c in arrows.columns])
    result = linprog(
        np.concatenate([np.full(size, 1e-6), np.ones(2 * count)]),
        A_eq=np.hstack([N, -np.eye(count), np.eye(count)]),
        b_eq=np.zeros(count),
        bounds=[(1.0 if i in set(members) else 0.0, None) for i in range(size)] + [(0.0, None)] * (2 * count),
        method="highs-ds",
    )
    if result.status != 0:
        return f"no non-negative total counts all of {name}"
    weights = {i: Fraction(float(w)).limit_denominator(10_000) for i, w in enumerate(result.x[:size])}
    written = notation(system)
    parts: list[str] = []
    for r, column in arrows.columns:
        gain = change(weights, column)
        if gain:
            verb = "creates" if gain > 0 else "loses"
            unit = system.states[members[0]].unit.text
            size_text = f"{float(abs(gain)):.4g} {unit} of the total for each {unit} of its rate"
            parts.append(f"{system.rates[r].name} ({arrow_text(system, r, written)}) {verb} {size_text}")
    return "; ".join(parts) or f"no non-negative total counts all of {name}"
