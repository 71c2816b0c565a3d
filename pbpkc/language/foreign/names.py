"""What names of the source are called in the spec: the same wherever the language allows it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pbpkc.language.binding.scope import RESERVED
from pbpkc.language.diagnostics import Diagnostic, Label
from pbpkc.language.source import Span


class Names:
    """Gives out names that are legal and taken once.

    Attributes
    ----------
    of : dict of str to str
        Source name to name in the spec.
    notes : list of Diagnostic
        One note with every name that had to change, if there is one.
    """

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.notes: list[Diagnostic] = []
        self._taken: set[str] = set()

    def keep(self, names: Iterable[tuple[str, Span | None]]) -> None:
        """Take over names of the source; those that are legal go first, so that they stay."""
        given = dict(names)
        for name in given:
            if legal(name):
                self._taken.add(name)
                self.of[name] = name
        changed = []
        for name, span in given.items():
            if name not in self.of:
                self.of[name] = self.new(name)
                changed.append((name, span))
        if changed:
            told = ", ".join(f"'{name}' is '{self.of[name]}'" for name, _ in changed)
            first = changed[0][1]
            message = f"names that the language cannot declare are changed: {told}"
            self.notes.append(
                Diagnostic("renamed", message, (Label(first),) if first else (), severity="note")
            )

    def new(self, wish: str) -> str:
        """A name that is not taken, as much like the wish as possible."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wish).strip("_") or "x"
        if base[0].isdigit():
            base = f"x{base}"
        if not legal(base):
            base = f"{base}_"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}" if not base.endswith("_") else f"{base}{number}", number + 1
        self._taken.add(name)
        return name


def legal(name: str) -> bool:
    """Whether the language can declare a name."""
    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)) and name not in RESERVED
