"""What `pbpkc check` found, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Status = Literal["held", "violated", "warning", "note"]


@dataclass(frozen=True)
class CheckItem:
    """One thing that was checked.

    Parameters
    ----------
    group : str
        ``units``, ``flow``, ``volume``, ``mass``, ``positive``, ``unknown``, ``code``, ``residual``,
        ``identifiable`` or ``expectation``.
    name : str
        Of what: a species, an arrow, a scenario.
    status : {"held", "violated", "warning", "note"}
        ``violated`` fails the check; ``warning`` is a proof that nobody demanded and that did not succeed.
    text : str
        What was found, as a sentence.
    value : float, optional
        Of an expectation: the value that was compared, in its unit.
    """

    group: str
    name: str
    status: Status
    text: str
    value: float | None = None


@dataclass(frozen=True)
class CheckReport:
    """All items, in the order in which they were checked.

    Parameters
    ----------
    items : tuple of CheckItem
    seconds : mapping of group to float
    fingerprint : str
    """

    items: tuple[CheckItem, ...]
    seconds: Mapping[str, float]
    fingerprint: str

    @property
    def ok(self) -> bool:
        """Whether everything that is demanded holds."""
        return not self.violations

    @property
    def violations(self) -> tuple[CheckItem, ...]:
        """The items that fail the check."""
        return tuple(i for i in self.items if i.status == "violated")

    @property
    def warnings(self) -> tuple[CheckItem, ...]:
        """What was not demanded and did not hold."""
        return tuple(i for i in self.items if i.status == "warning")

    def group(self, name: str) -> tuple[CheckItem, ...]:
        """The items of one group."""
        return tuple(i for i in self.items if i.group == name)

    def to_json(self) -> Mapping[str, object]:
        """As plain data."""
        return {
            "ok": self.ok,
            "fingerprint": self.fingerprint,
            "items": [
                {"group": i.group, "name": i.name, "status": i.status, "text": i.text} for i in self.items
            ],
            "seconds": dict(self.seconds),
        }
