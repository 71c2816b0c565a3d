"""The unit of each non-compartmental figure, from the units of what it was made of."""

from __future__ import annotations

import re
from collections.abc import Mapping


def units(time_unit: str, conc_unit: str, dose_unit: str) -> Mapping[str, str]:
    """The unit of each figure of a result, by name.

    Equal words cancel and nothing is converted: ``("h", "mg/L", "mg")`` gives a clearance in ``L/h``,
    ``("h", "ng/mL", "mg")`` one in ``mL*mg/ng/h``.

    Parameters
    ----------
    time_unit, conc_unit, dose_unit : str
        Units as written, without brackets: words joined by ``*`` and ``/``, with ``^`` and an integer for a
        power.

    Raises
    ------
    ValueError
        If a unit is not of that form.
    """
    time, conc, dose = (_powers(text) for text in (time_unit, conc_unit, dose_unit))
    auc = _text((conc, 1), (time, 1))
    aumc = _text((conc, 1), (time, 2))
    volume = _text((conc, -1), (dose, 1))
    c, t = _text((conc, 1)), _text((time, 1))
    return {
        "c0": c,
        "cmax": c,
        "tmax": t,
        "clast": c,
        "tlast": t,
        "auc_last": auc,
        "aumc_last": aumc,
        "lambda_z": _text((time, -1)),
        "n_points": "1",
        "lambda_z_from": t,
        "lambda_z_to": t,
        "r2_adj": "1",
        "half_life": t,
        "auc_inf_obs": auc,
        "aumc_inf_obs": aumc,
        "auc_extrap_pct": "%",
        "cl_obs": _text((conc, -1), (time, -1), (dose, 1)),
        "vz_obs": volume,
        "mrt_inf_obs": t,
        "vss_obs": volume,
    }


# A blank or a point multiplies as well, as in the language.
_FACTOR = re.compile(r"\s*([*/.]?)\s*((?:[^\W\d]|%)[^\s*/.^]*|1)(?:\^(-?\d+))?")


def _powers(text: str) -> dict[str, int]:
    powers: dict[str, int] = {}
    position = 0
    while position < len(text.rstrip()):
        match = _FACTOR.match(text, position)
        if match is None or (match[1] and not position):
            break
        power = int(match[3] or 1) * (-1 if match[1] == "/" else 1)
        if match[2] != "1":
            powers[match[2]] = powers.get(match[2], 0) + power
        position = match.end()
    if not text.strip() or position < len(text.rstrip()):
        raise ValueError(f"unit {text!r} is not words joined by * and /, with ^ and an integer for a power")
    return powers


def _text(*parts: tuple[Mapping[str, int], int]) -> str:
    powers: dict[str, int] = {}
    for part, exponent in parts:
        for word, power in part.items():
            powers[word] = powers.get(word, 0) + power * exponent
    above = [_word(word, power) for word, power in powers.items() if power > 0]
    below = [_word(word, -power) for word, power in powers.items() if power < 0]
    return "*".join(above or ["1"]) + "".join("/" + word for word in below)


def _word(word: str, power: int) -> str:
    return word if power == 1 else f"{word}^{power}"
