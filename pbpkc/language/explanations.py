"""What diagnostic codes mean, with a bad and a good example of each: ``grammar/diagnostics.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pbpkc.resources import resource

#: Sections of the file that are no codes.
_SHARED = ("base", "data")


@dataclass(frozen=True)
class Example:
    """An example as it is tried.

    Parameters
    ----------
    shown : str
        What a reader sees.
    spec : str
        The whole spec; empty for an import.
    rows : str
        Of ``trial.csv``, for kind ``data``.
    source, name : str
        For kind ``import``: the text of the model, and of what file.
    command : str
        For kind ``run``.
    """

    shown: str
    spec: str = ""
    rows: str = ""
    source: str = ""
    name: str = "model.cpp"
    command: str = ""


@dataclass(frozen=True)
class CodeExplanation:
    """What a code means.

    Parameters
    ----------
    code, means : str
    kind : {"spec", "data", "import", "run", "none"}
        What the examples are.
    bad, good : Example or None
        None where no example can be printed.
    why : str
        Why there is none.
    files : mapping of str to str
        Further files of a command.
    base : str
        Name of the spec that the examples are added to, if any.
    """

    code: str
    means: str
    kind: str
    bad: Example | None
    good: Example | None
    why: str
    files: Mapping[str, str]
    base: str


@lru_cache(maxsize=1)
def code_explanations() -> Mapping[str, CodeExplanation]:
    """All of them, by code."""
    text = resource("grammar", "diagnostics.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)
    return {code: _read(code, entry, found) for code, entry in found.items() if code not in _SHARED}


def _read(code: str, entry: Mapping[str, Any], whole: Mapping[str, Any]) -> CodeExplanation:
    kind = entry.get("kind", "spec")
    examples = [None if kind == "none" else _example(kind, entry, word, whole) for word in ("bad", "good")]
    return CodeExplanation(
        code,
        entry["means"],
        kind,
        examples[0],
        examples[1],
        entry.get("why", ""),
        entry.get("files", {}),
        entry.get("base", ""),
    )


def _example(kind: str, entry: Mapping[str, Any], word: str, whole: Mapping[str, Any]) -> Example:
    base = whole["base"][entry["base"]].lstrip("\n") if "base" in entry else ""
    text = entry.get(word, "").strip("\n")
    if kind == "spec":
        return Example(text, f"{base}{text}\n")
    if kind == "import":
        return _foreign(text, whole["data"]["source"].lstrip("\n"), entry.get("name", "model.cpp"))
    if kind == "run":
        return Example(f"pbpkc {text}", base, command=text)
    block = entry.get(f"{word}_block", whole["data"]["block"]).strip("\n")
    rows = (text or whole["data"]["rows"]).strip("\n") + "\n"
    spec = whole["base"]["trial"].lstrip("\n").replace("BLOCK", block)
    parts = [block] if f"{word}_block" in entry else []
    return Example("\n".join([*parts, *([text] if text else [])]) or rows.strip("\n"), spec, rows)


def _foreign(text: str, base: str, name: str) -> Example:
    """A model of another tool: as it stands, or the base with texts replaced, ``old => new`` a line."""
    if "=>" not in text:
        return Example(text or base.strip("\n"), source=f"{text or base}\n", name=name)
    shown: list[str] = []
    for line in text.split("\n"):
        old, new = (part.replace("\\n", "\n") for part in line.split(" => "))
        base = base.replace(old, new, 1)
        shown.append(new)
    lines = base.split("\n")
    marked = [line for line in lines if any(part in line for new in shown for part in new.split("\n"))]
    return Example("\n".join(marked), source=base, name=name)
