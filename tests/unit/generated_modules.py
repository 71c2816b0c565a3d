"""Generated modules of hand-written systems, without the analysis that does not change their text."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import awkward_systems
import hand_systems

from pbpkc.compiler.differentiate import differentiate
from pbpkc.compiler.generate import from_manifest
from pbpkc.compiler.manifest import manifest
from pbpkc.compiler.module import GeneratedModule
from pbpkc.compiler.system import System

SYSTEMS = {
    "oral": hand_systems.oral,
    "circulation": hand_systems.circulation,
    "saturable": hand_systems.saturable,
    "bimolecular": hand_systems.bimolecular,
    "chemistry": hand_systems.chemistry,
    "edges": awkward_systems.edges,
    "names": awkward_systems.awkward_names,
    "scaled": awkward_systems.scaled_by_weight,
}


def generated(system: System, torch: bool = True) -> GeneratedModule:
    derivatives = differentiate(system)
    return from_manifest(system, derivatives, manifest(system, derivatives, {}), torch)


@lru_cache
def compiled_stages(name: str) -> tuple[SimpleNamespace, GeneratedModule]:
    """What agreement needs of an AnalysedSystem, and the generated module."""
    system = SYSTEMS[name]()
    return SimpleNamespace(system=system, derivatives=differentiate(system)), generated(system)


def pump(c: Any) -> Any:
    """Stands in for the one unknown term of `edges` that has no default."""
    return c / (40.0 + c)


pump.partials = lambda c: (40.0 / (40.0 + c) ** 2,)  # type: ignore[attr-defined]
