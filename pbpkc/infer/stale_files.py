"""Files of an earlier fit in the same folder, which a new one makes untrue.

A profile, a posterior, a picture or a page of the last fit beside the estimates of this one contradicts them.
Only files that a fit writes itself go, known by their names; whatever else lies in the folder stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from pbpkc.infer.posterior_files import POSTERIOR_FILES

#: Written where profiles were asked for.
PROFILES = "profiles.csv"

#: Tables that some fits have.
TABLES = (PROFILES, *POSTERIOR_FILES)

#: The page and the pictures that a report adds (`pbpkc.report.plots.write_fit_plots`).
REPORT = re.compile(
    r"report\.html|(time|time_log|goodness|goodness_log|estimates|profiles|posterior|posterior_pairs_\d+)\.svg"
)

#: What a report adds for a learned term.
_TERM = ("unknown_{name}.csv", "unknown_{name}.svg")


def remove_stale(folder: Path, names: Collection[str], document: str) -> None:
    """Remove what an earlier fit left in a folder and this one does not write.

    A report stays where ``fit.json`` says the same as before, since it is then that of this fit.

    Parameters
    ----------
    folder : Path
        Of the fit. Without a ``fit.json`` nothing in it is from a fit.
    names : collection of str
        Tables of this fit.
    document : str
        The text of its ``fit.json``.

    Raises
    ------
    OSError
        If a file cannot be removed.
    """
    try:
        before = (folder / "fit.json").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    gone = [name for name in TABLES if name not in names]
    if before != document:
        gone += [file.name for file in folder.iterdir() if REPORT.fullmatch(file.name)]
        gone += [part.format(name=name) for name in _learned(before) for part in _TERM]
    for name in gone:
        (folder / name).unlink(missing_ok=True)


def _learned(document: str) -> list[str]:
    """Terms that a fit learned."""
    try:
        texts = json.loads(document)["provenance"]["learn"]
        return re.findall(r"^\s*(\w+)", "\n".join(map(str, texts)), re.MULTILINE)
    except (ValueError, KeyError, TypeError):
        return []
