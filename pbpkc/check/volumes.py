"""Volumes: every one positive over the bounds of covariates and masked parameters."""

from __future__ import annotations

from collections.abc import Sequence

from pbpkc.check.counterexample import Trial, point_text
from pbpkc.check.proof import Proof
from pbpkc.compiler.enclosures import Enclosures
from pbpkc.compiler.system import System

_ENDINGS = (".volume", ".vascular")


def prove_volumes(system: System, names: Sequence[str] | None = None) -> tuple[Proof, ...]:
    """Whether each volume is positive.

    Parameters
    ----------
    system : System
        As lowered: simplification may drop a volume that nobody reads.
    names : sequence of str, optional
        Names of parameters, constants and curves; if left out, all that end in ``.volume`` or ``.vascular``:
        also the spaces of permeability-limited tissues.

    Returns
    -------
    tuple of Proof
        One for each name; a violation says at which covariates or masked parameters (canonical units).

    Raises
    ------
    ValueError
        If a name is no parameter, constant or curve of the system.
    """
    known = {p.name: p.symbol for p in system.parameters}
    known |= {a.name: a.symbol for a in (*system.constants, *system.curves)}
    wanted = [n for n in known if n.endswith(_ENDINGS)] if names is None else list(names)
    missing = [n for n in wanted if n not in known]
    if missing:
        raise ValueError(f"names contains '{missing[0]}', which is no parameter, constant or curve")
    enclosures, trial = Enclosures(system), Trial(system)
    claim = "it is positive"
    proofs: list[Proof] = []
    for name in wanted:
        symbol = known[name]
        bounds = enclosures.symbol(symbol)
        if bounds.low > 0:
            text = (
                f"{bounds.low:.4g} L"
                if bounds.is_point
                else f"between {bounds.low:.4g} and {bounds.high:.4g} L"
            )
            proofs.append(Proof(name, claim, "held", text))
            continue
        found = trial.not_positive(symbol)
        if found is not None:
            text = f"{found.value:.4g} L at {point_text(found.point)}"
            proofs.append(Proof(name, claim, "violated", text, found.point))
        else:
            proofs.append(
                Proof(name, claim, "unproved", "its bounds do not exclude zero, and no such point was found")
            )
    return tuple(proofs)
