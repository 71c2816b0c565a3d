"""Where the files that ship with pbpkc stand.

The grammar, the templates and the specs are files a person opens, so they stand at the top level of
the repository. A wheel carries them inside the package, under ``_data``. This module is the one
place that knows both.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

#: The directory that holds ``grammar``, ``templates`` and ``specs``.
ROOT: Path = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parent


def resource(*parts: str) -> Path:
    """Path of a shipped file or directory.

    Parameters
    ----------
    *parts : str
        Path from the top level of the repository, one part each: ``resource("grammar", "pbpk.lark")``.

    Returns
    -------
    Path
        Absolute; it exists, in a wheel and in an editable installation alike.

    Raises
    ------
    FileNotFoundError
        If no such file ships with pbpkc, which means a broken installation or a wrong name.
    """
    path = ROOT.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"'{'/'.join(parts)}' does not ship with pbpkc (looked in {ROOT})")
    return path
