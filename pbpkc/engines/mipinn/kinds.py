"""Kinds of segments: what begins one and what runs in it decide its features.

After every bolus into the stomach a body does the same thing, whichever bolus of a course it is and whatever
it holds already. So features belong to a kind, not to a place in a schedule, and a schedule that was never
seen is solved with what was learned as long as its kinds were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pbpkc.solve.timeline import Segment

Array = NDArray[np.float64]


def kind_of(segment: Segment, first: bool, inputs: Sequence[str], states: Sequence[str]) -> str:
    """The kind of a segment, in words.

    Parameters
    ----------
    segment : Segment
    first : bool
        Whether it begins the run.
    inputs : sequence of str
        Target of each input that is an infusion, an empty text for others.
    states : sequence of str
    """
    begun = {states[e.state] for e in segment.events if e.kind == "bolus" and e.value != 0.0}
    running = {inputs[k] for k in np.flatnonzero(segment.u).tolist() if inputs[k]}
    if segment.extra is not None:
        running |= {states[i] for i in np.flatnonzero(segment.extra).tolist()}
    switched = any(e.kind in ("start", "stop") for e in segment.events)
    # A reset brings everything back, so the run begins anew.
    first = first or any(e.kind == "reset" for e in segment.events)
    changed = {e.species for e in segment.events if e.kind == "set"}
    words = [f"bolus into {', '.join(sorted(begun))}"] if begun else []
    if running:
        words.append(f"infusion into {', '.join(sorted(running))}")
    elif switched:
        words.append("after an infusion")
    if changed:
        words.append(f"change of {', '.join(sorted(changed))}")
    if not words:
        words.append("start" if first else "continued")
    return "; ".join(words)


def infusion_targets(inputs: Sequence[dict[str, object]]) -> tuple[str, ...]:
    """Target of each of the manifest's inputs that is an infusion, an empty text for others."""
    return tuple(str(i["target"]) if i["kind"] == "infusion" else "" for i in inputs)


def unfollowed(segments: Sequence[Segment], inputs: Sequence[Mapping[str, object]]) -> str:
    """What of some segments a fast model cannot follow, empty if there is nothing of the kind.

    Features belong to what is held constant, so a value on a line is none of theirs; and the head has no
    derivatives by what is held.
    """
    held = [k for k, item in enumerate(inputs) if item["kind"] == "held"]
    for segment in segments:
        for k in held:
            if segment.slope[k]:
                return f"'{inputs[k]['target']}' changes on a line (hold linear)"
            if segment.d_u is not None and np.any(segment.d_u[:, k]):
                return f"what '{inputs[k]['target']}' is during the run depends on a masked parameter"
    return ""
