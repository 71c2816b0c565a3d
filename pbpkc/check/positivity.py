"""Positivity: no amount becomes negative, whatever the parameters within their bounds.

Shown for each arrow ``->``: its rate is never negative, and zero when a reactant is empty. Shown for each
state: its derivative is not negative when the state is 0 and the others are not negative, which keeps a
solution that starts there from leaving the non-negative orthant (Nagumo's condition). States run from 0
to infinity, masked parameters and covariates over their bounds, other parameters stand at their values,
and an unknown term may take any value of its range. Bounds come from interval arithmetic over the
expressions, so what is proved holds for all of these at once.

References
----------
Nagumo M (1942) Proc Phys Math Soc Japan 24:551-559.
Blanchini F (1999) Automatica 35:1747-1767.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pbpkc.check.counterexample import Counterexample, Trial, point_text
from pbpkc.check.proof import Proof
from pbpkc.compiler import intervals as iv
from pbpkc.compiler.enclosures import Enclosures
from pbpkc.compiler.rewrite import inlined
from pbpkc.compiler.system import Rate, System


def prove_positivity(system: System) -> tuple[Proof, ...]:
    """The promises of every arrow, then those of every state.

    Returns
    -------
    tuple of Proof
        First one for each ``->`` (`name` is the process), then one for each state (`name` is the state).
    """
    prover = _Prover(system)
    arrows = tuple(prover.arrow(r) for r in range(len(system.rates)) if prover.promises(r))
    return arrows + tuple(prover.state(i) for i in range(len(system.states)))


@dataclass(frozen=True)
class _Arrow:
    """What is known of one rate: never negative, and the states at whose zero it vanishes."""

    non_negative: bool
    vanishes_at: frozenset[int]


class _Prover:
    def __init__(self, system: System) -> None:
        self._system = system
        self._enclosures = Enclosures(system)
        self._trial = Trial(system)
        self._curves = {c.symbol: c.expr for c in system.curves}
        self._empty: dict[int, Enclosures] = {}
        self._entries: dict[int, dict[int, sp.Expr]] = {r: {} for r in range(len(system.rates))}
        for (i, r), coefficient in sorted(system.N.items()):
            self._entries[r][i] = sp.sympify(coefficient)
        self._arrows = {r: self._examined(r) for r in range(len(system.rates))}

    def promises(self, rate: int) -> bool:
        """Whether the rate is one of an arrow ``->``."""
        return not self._system.rates[rate].reversible and self._system.rates[rate].kind != "ode"

    # --------------------------------------------------------- arrows

    def arrow(self, index: int) -> Proof:
        """The proof of one arrow."""
        rate = self._system.rates[index]
        known = self._arrows[index]
        reactants = self._reactants(index)
        names = [self._system.states[i].name for i in reactants]
        claim = "its rate is never negative" + (f", and zero when {_any_of(names)} is empty" if names else "")
        if not known.non_negative:
            found = self._trial.negative(rate.expr)
            if found is not None:
                return _violated(rate.name, claim, "its rate", found)
            return Proof(
                rate.name,
                claim,
                "unproved",
                f"its rate could not be shown to be never negative{self._why(rate)}",
            )
        for i in reactants:
            if i in known.vanishes_at:
                continue
            state = self._system.states[i]
            found = self._trial.non_zero(rate.expr, {state.symbol: 0.0})
            if found is not None:
                return _violated(rate.name, claim, f"its rate does not vanish with {state.name}: it", found)
            text = f"its rate could not be shown to vanish when {state.name} is empty{self._why(rate)}"
            return Proof(rate.name, claim, "unproved", text)
        if not self._enclosures.plain(rate.expr).defined:
            found = self._trial.undefined(rate.expr)
            place = f" at {point_text(found.point)}" if found is not None else " everywhere"
            word = "has no finite value" if found is not None else "could not be shown to have a value"
            return Proof(
                rate.name, claim, "unproved", f"its rate {word}{place}", found.point if found else {}
            )
        return Proof(
            rate.name, claim, "held", "shown for all states, parameters and covariates within their bounds"
        )

    def _examined(self, index: int) -> _Arrow:
        expr = self._system.rates[index].expr
        non_negative = self._enclosures.refined(expr).non_negative
        vanishes = frozenset(i for i in self._losers(index) if self._vanishes(expr, i))
        return _Arrow(non_negative, vanishes)

    def _vanishes(self, expr: sp.Expr, state: int) -> bool:
        if self._without(state).refined(expr).is_zero:
            return True
        symbol = self._system.states[state].symbol
        return bool(inlined(expr, self._curves).xreplace({symbol: sp.Integer(0)}) == 0)

    def _losers(self, index: int) -> list[int]:
        return [i for i, e in self._entries[index].items() if not self._enclosures.plain(e).non_negative]

    def _reactants(self, index: int) -> list[int]:
        # A product whose share may turn negative is no reactant: its own state's proof deals with it.
        return [i for i in self._losers(index) if not sp.sympify(self._entries[index][i]).free_symbols]

    def _without(self, state: int) -> Enclosures:
        if state not in self._empty:
            self._empty[state] = self._enclosures.with_states({self._system.states[state].symbol: iv.ZERO})
        return self._empty[state]

    def _why(self, rate: Rate) -> str:
        called = {str(c.func) for c in inlined(rate.expr, self._curves).atoms(sp.core.function.AppliedUndef)}
        open_terms = [
            u
            for u in self._system.unknowns
            if str(u.function) in called and (u.range is None or u.range[0] < 0)
        ]
        if not open_terms:
            return ""
        names = ", ".join(u.name for u in open_terms)
        return f": the range of {names} does not exclude negative values"

    # --------------------------------------------------------- states

    def state(self, index: int) -> Proof:
        """The proof of one state."""
        state = self._system.states[index]
        claim = "its derivative is not negative when it is 0 and the others are not negative"
        terms = {r: entries[index] for r, entries in self._entries.items() if index in entries}
        rest = sp.Add(
            *(e * self._system.rates[r].expr for r, e in terms.items() if not self._harmless(r, e, index))
        )
        whole = sp.Add(*(e * self._system.rates[r].expr for r, e in terms.items()))
        empty = self._without(index)
        if rest == 0 or empty.refined(rest).non_negative or empty.refined(whole).non_negative:
            text = "what takes from it vanishes with it, or is outweighed by what it gains"
            return Proof(state.name, claim, "held", text)
        found = self._trial.negative(whole, {state.symbol: 0.0})
        if found is not None:
            return _violated(state.name, claim, "its derivative", found)
        takers = [self._system.rates[r].name for r, e in terms.items() if not self._harmless(r, e, index)]
        return Proof(state.name, claim, "unproved", f"neither shown nor refuted for {', '.join(takers)}")

    def _harmless(self, rate: int, coefficient: sp.Expr, state: int) -> bool:
        known = self._arrows[rate]
        if state in known.vanishes_at:
            return True
        return known.non_negative and self._enclosures.refined(coefficient).non_negative


def _violated(name: str, claim: str, subject: str, found: Counterexample) -> Proof:
    text = f"{subject} is {found.value:.4g} at {point_text(found.point)}"
    return Proof(name, claim, "violated", text, found.point)


def _any_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
