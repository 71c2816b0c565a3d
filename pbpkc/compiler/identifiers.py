"""Names of the spec as identifiers of generated code."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

#: The symbol of time. Words of the generated code itself are avoided where it is written (`routine`).
TAKEN = frozenset({"t"})


class Identifiers:
    """Gives each name one identifier, always the same for the same order of requests.

    ``liver.APAP.Cout`` becomes ``liver_APAP_Cout``, ``K<1,2>`` becomes ``K_1_2``; a clash with another
    name, a keyword or a name of the generated code itself gets a number behind it.
    """

    def __init__(self, taken: Iterable[str] = TAKEN) -> None:
        self._used = set(taken)
        self._given: dict[str, str] = {}

    def __call__(self, name: str, prefix: str = "") -> str:
        """The identifier of a name; `prefix` keeps two meanings of one name apart."""
        key = prefix + name
        if key not in self._given:
            text = prefix + re.sub(r"_+", "_", re.sub(r"\W", "_", name)).strip("_")
            if not text or text[0].isdigit():
                text = "n" + text
            candidate, number = text, 1
            while candidate in self._used or keyword.iskeyword(candidate):
                number += 1
                candidate = f"{text}_{number}"
            self._used.add(candidate)
            self._given[key] = candidate
        return self._given[key]
