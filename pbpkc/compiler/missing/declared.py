"""What is declared of an unknown term, as the forms need it: where it starts, which way it goes, how far."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pbpkc.compiler.missing.form import FormError, default_values
from pbpkc.language.model import Unknown

#: Reference point of a form, as a fraction of an argument's range: within what is usually visited.
REFERENCE = 0.1

#: A learned form takes no more arguments than this.
MOST_ARGUMENTS = 3


@dataclass(frozen=True)
class Declared:
    """An unknown term whose arguments have both ends.

    Parameters
    ----------
    unknown : Unknown
    low, high : float
        The range; infinite where it is not declared.
    signs : tuple of int
        For each argument +1 (rising), -1 (falling), 0 (not said).
    """

    unknown: Unknown
    low: float
    high: float
    signs: tuple[int, ...]

    @property
    def vanishing(self) -> int | None:
        """The argument at whose lower end every anchor lies, all of one value; None if there is none."""
        anchors = self.unknown.anchors
        if not anchors or len({value for _, value in anchors}) > 1:
            return None
        for k, argument in enumerate(self.unknown.arguments):
            if all(at[k] == argument.low for at, _ in anchors):
                return k
        return None

    def reach(self, value: float, sign: int) -> float:
        """How far the term can go from a value, upwards (+1) or downwards (-1)."""
        return self.high - value if sign > 0 else value - self.low

    def reference(self, index: int) -> float:
        """The reference point of one argument."""
        argument = self.unknown.arguments[index]
        return argument.low + REFERENCE * (argument.high - argument.low)

    def default_along(self, index: int, points: np.ndarray) -> np.ndarray | None:
        """The default along one argument, the others at their reference points."""
        places = [
            points if k == index else np.asarray(self.reference(k))
            for k in range(len(self.unknown.arguments))
        ]
        found = default_values(self.unknown, places)
        return None if found is None or not np.all(np.isfinite(found)) else np.asarray(found)


def declared(unknown: Unknown) -> Declared:
    """The declaration of a term.

    Raises
    ------
    FormError
        For an argument without two finite ends, contradictory shapes, or an anchor outside the range.
    """
    for argument in unknown.arguments:
        if not (math.isfinite(argument.low) and math.isfinite(argument.high)):
            raise FormError(
                f"the argument '{argument.name}' of '{unknown.name}' has no finite range; "
                "a learned form needs both ends"
            )
    if len(unknown.arguments) > MOST_ARGUMENTS:
        raise FormError(f"'{unknown.name}' has more than {MOST_ARGUMENTS} arguments")
    low, high = unknown.range if unknown.range is not None else (-math.inf, math.inf)
    signs = []
    for argument in unknown.arguments:
        said = {shape for shape, name in unknown.shapes if name == argument.name}
        if len(said) > 1:
            raise FormError(f"'{unknown.name}' is declared rising and falling in '{argument.name}'")
        signs.append({"rising": 1, "falling": -1}.get(next(iter(said), ""), 0))
    for _, value in unknown.anchors:
        if not low <= value <= high:
            raise FormError(f"an anchor of '{unknown.name}' lies outside its range")
    return Declared(unknown, low, high, tuple(signs))
