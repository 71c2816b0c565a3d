"""Import a model of another tool: its file to the text of a spec that compiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pbpkc.body.usual_in_source import unusual_in_source
from pbpkc.language.foreign import Imported, import_model

if TYPE_CHECKING:
    from pbpkc.language.foreign.model import Tool


def import_file(path: str | Path, tool: Tool | None = None, *, name: str | None = None) -> Imported:
    """The spec of a model written for mrgsolve, rxode2 or nlmixr2, and what was found in it.

    Parameters
    ----------
    path : str or Path
        Read as text; nothing of it is run.
    tool : {"mrgsolve", "rxode2"}, optional
        Told by the text if left out.
    name : str, optional
        Of the model in the spec; that of the file if left out.

    Returns
    -------
    Imported
        `text` is the spec.

    Raises
    ------
    SpecError
        Where the file cannot be read, or is no system of differential equations.
    """
    from pbpkc.language.syntax.parse import read_source

    source = read_source(path)
    return import_model(source, tool, stem=name or Path(path).stem, look=unusual_in_source)
