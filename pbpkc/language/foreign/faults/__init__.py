"""What is wrong or doubtful in a model of another tool, each with its place in the original text."""

from __future__ import annotations

from collections.abc import Sequence

from pbpkc.language.diagnostics import Diagnostic, Problems, in_reading_order
from pbpkc.language.foreign.arrows import Arrow
from pbpkc.language.foreign.faults.balance import balance
from pbpkc.language.foreign.faults.flows import flows
from pbpkc.language.foreign.faults.numbers import numbers
from pbpkc.language.foreign.faults.units import units
from pbpkc.language.foreign.faults.unused import unused
from pbpkc.language.foreign.faults.volumes import volumes
from pbpkc.language.foreign.model import OdeModel
from pbpkc.language.foreign.polynomial import Expander

__all__ = ["examine"]


def examine(model: OdeModel, arrows: Sequence[Arrow], expander: Expander) -> tuple[Diagnostic, ...]:
    """Everything that is found in a model.

    Returns
    -------
    tuple of Diagnostic
        Warnings for what is probably a mistake, notes for what a reader should know; in reading order.
    """
    found = Problems(model.findings)
    found.extend(balance(model, arrows, expander))
    found.extend(flows(model, arrows, expander))
    found.extend(volumes(model))
    found.extend(units(model))
    found.extend(numbers(model))
    found.extend(unused(model))
    return tuple(in_reading_order(found))
