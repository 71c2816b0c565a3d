"""What a reader would ask about a spec that compiles: all warnings and notes in one place."""

from __future__ import annotations

from pbpkc.body.usual import unusual_values
from pbpkc.body.usual_doses import unusual_doses
from pbpkc.check.extraction import clearance_above_flow, extraction_above_flow
from pbpkc.language.diagnostics import Diagnostic, in_reading_order
from pbpkc.language.model import Model
from pbpkc.language.remarks.odd_ones import odd_ones
from pbpkc.language.remarks.percent import odd_shares


def remarks(model: Model) -> tuple[Diagnostic, ...]:
    """The warnings of a model and those that compare it with what is usual, in reading order.

    Nothing is compiled or run for them, so an editor can ask as somebody types.

    Parameters
    ----------
    model : Model

    Returns
    -------
    tuple of Diagnostic
        None of them an error.
    """
    found = (
        *model.warnings,
        *odd_ones(model),
        *odd_shares(model),
        *unusual_values(model),
        *unusual_doses(model),
        *extraction_above_flow(model),
        *clearance_above_flow(model),
    )
    return tuple(in_reading_order(dict.fromkeys(found)))
