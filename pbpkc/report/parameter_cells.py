"""A parameter as the cells of a table, in the unit of the spec."""

from __future__ import annotations

from pbpkc.compiler.system import Parameter


def parameter_cells(parameter: Parameter) -> tuple[str, str, str, str, str]:
    """Name, value, unit, range, source; numbers in the unit of the spec."""
    allowed = ""
    if parameter.mask is not None:
        low, high = parameter.mask.low, parameter.mask.high
        allowed = f"estimated in ({_shown(parameter, low)}, {_shown(parameter, high)})"
    elif parameter.bounds is not None:
        allowed = f"in ({_shown(parameter, parameter.bounds[0])}, {_shown(parameter, parameter.bounds[1])})"
    return parameter.name, _shown(parameter, parameter.value), parameter.unit.text, allowed, parameter.source


def _shown(parameter: Parameter, canonical: float) -> str:
    # Back to the spec's unit, without the digits that the conversion left behind.
    value = (canonical - float(parameter.unit.offset)) / float(parameter.unit.factor)
    return f"{value:.10g}"
