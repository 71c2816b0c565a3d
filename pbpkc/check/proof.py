"""The result of a proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["held", "violated", "unproved"]


@dataclass(frozen=True)
class Proof:
    """What was found about one claim.

    Parameters
    ----------
    name : str
        Of what the claim is about: a species, an arrow, a state, a volume.
    claim : str
        What was to be shown, as a statement.
    status : {"held", "violated", "unproved"}
        ``violated`` comes with a counterexample; ``unproved`` means neither a proof nor a counterexample
        was found.
    explanation : str
        Why, as a sentence.
    point : mapping of str to float
        The counterexample: names of parameters and states with their values, in canonical units.
    opened : tuple of str
        Arrows that the claim leaves out because they lead to or from outside.
    """

    name: str
    claim: str
    status: Status
    explanation: str
    point: Mapping[str, float] = field(default_factory=dict)
    opened: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the claim is proved."""
        return self.status == "held"
