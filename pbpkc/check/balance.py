"""Mass balance: each dosed species belongs to a conserved total with non-negative weights.

All states of one species have one weight: what is one unit of it in one place is one unit in another.
The proof is about N alone, so it holds for every rate law and every parameter value. Arrows to and from
`outside` are not counted and listed; so are arrows with a symbolic yield.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from pbpkc.check.proof import Proof
from pbpkc.compiler.conservation import ConservedTotal, alike, change, least_species_total
from pbpkc.compiler.notation import arrow_text, notation
from pbpkc.compiler.system import System
from pbpkc.compiler.totals import Column, Stoichiometry, stoichiometry


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
    weights = least_species_total(system, arrows.closed(), members)
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
    groups = alike(system)
    lumped = arrows.lumped(groups)
    size, count = lumped.size, len(lumped.columns)
    N = np.array([[float(c.get(g, 0)) for g in range(size)] for _, c in lumped.columns])
    wanted = {g for g, states in enumerate(groups) if set(states) & set(members)}
    result = linprog(
        np.concatenate([np.full(size, 1e-6), np.ones(2 * count)]),
        A_eq=np.hstack([N, -np.eye(count), np.eye(count)]),
        b_eq=np.zeros(count),
        bounds=[(1.0 if g in wanted else 0.0, None) for g in range(size)] + [(0.0, None)] * (2 * count),
        method="highs-ds",
    )
    if result.status != 0:
        return f"no non-negative total counts all of {name}"
    by_group = [Fraction(float(w)).limit_denominator(10_000) for w in result.x[:size]]
    weights = {i: by_group[g] for g, states in enumerate(groups) for i in states}
    written = notation(system)
    parts: list[str] = []
    for r, column in arrows.columns:
        gain = change(weights, column)
        if gain:
            arrow = f"{system.rates[r].name} ({arrow_text(system, r, written)})"
            parts.append(f"{arrow} {_what_changes(system, column, gain, members[0])}")
    return "; ".join(parts) or f"no non-negative total counts all of {name}"


def _what_changes(system: System, column: Column, gain: Fraction, member: int) -> str:
    """What an arrow makes or loses; of one species alone, for each unit that leaves its place."""
    species = {system.states[i].species for i in column}
    left = [i for i, c in column.items() if c < 0]
    unit = system.states[member].unit.text
    if len(species) == 1 and None not in species and len(left) == 1:
        (source,), (name,) = left, species
        size = float(abs(sum(column.values(), Fraction(0)) / column[source]))
        verb = "creates" if gain > 0 else "loses"
        place = system.states[source].name.removesuffix(f".{name}")
        return f"{verb} {size:.4g} {unit} of {name} for each {unit} that leaves {place}"
    verb = "creates" if gain > 0 else "loses"
    return f"{verb} {float(abs(gain)):.4g} {unit} of the total for each {unit} of its rate"
