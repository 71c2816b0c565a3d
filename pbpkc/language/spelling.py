"""Which of the known names a misspelt one can only mean."""

from __future__ import annotations

import re
from collections.abc import Collection

#: From this length on a part of a name may differ by one letter, and by two, and still be known. Short names
#: are near to each other without a slip: `CLh` and `CLr`.
ONE_LETTER, TWO_LETTERS = 5, 8


def only_meant(name: str, known: Collection[str]) -> str | None:
    """The one known name that a misspelt name is near to; None where there is none or more than one.

    Another case, or underscores elsewhere, are near at any length. Otherwise the parts between underscores
    are compared one by one, and a letter that is missing, too many, wrong, or swapped with its neighbour
    counts one. What tells members of a series apart must agree: digits (``k12`` is no slip for ``k13``),
    short parts (``vmax_ugt``, ``vmax_sult``), and a last letter against another (``Vmaxh``, ``Vmaxr``).
    """
    pool = set(known)
    folded = [c for c in pool if _folded(c) == _folded(name)]
    near = folded or [c for c in pool if _near(name, c)]
    return near[0] if len(near) == 1 else None


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _near(a: str, b: str) -> bool:
    parts = list(zip(a.lower().split("_"), b.lower().split("_"), strict=False))
    if a.count("_") != b.count("_") or re.findall(r"\d+", a) != re.findall(r"\d+", b):
        return False
    return all(x == y or _near_part(x, y) for x, y in parts)


def _near_part(a: str, b: str) -> bool:
    most = (len(a) >= ONE_LETTER) + (len(a) >= TWO_LETTERS)
    return letters_apart(a, b) <= most and not (len(a) == len(b) and a[:-1] == b[:-1])


def letters_apart(a: str, b: str) -> int:
    """How many letters are to be put in, left out, replaced or swapped with a neighbour to make b of a.

    References
    ----------
    Optimal string alignment, after Damerau FJ (1964) Commun ACM 7:171.
    """
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            least = min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]
