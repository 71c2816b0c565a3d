"""What tissues are made of: the table from which partition coefficients are predicted.

One set so far, the unified human tissue composition of Utsey et al. 2020. It was assembled so that several
prediction methods can be compared on equal data. Its water spaces and its albumin and lipoprotein ratios are
those of Rodgers, Leahy & Rowland 2005 and Rodgers & Rowland 2006 for the rat (the lipoprotein ratio of
adipose is 0.069 here and 0.068 there); its lipids differ from theirs. The set has no pancreas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class TissueComposition:
    """What one tissue is made of, as far as it takes up a drug.

    Parameters
    ----------
    extracellular_water, intracellular_water : float, L per L tissue
        f_EW and f_IW of Rodgers & Rowland. The drug is ionised at plasma pH in the first, at cell pH in the
        second.
    neutral_lipid, neutral_phospholipid : float, L per L tissue
        f_NL and f_NP.
    acidic_phospholipid : float, kg per kg tissue
        [AP-]_T. Only its ratio to that of red cells enters a prediction, so its unit cancels; Rodgers et al.
        print it in mg/g.
    albumin_ratio, lipoprotein_ratio : float, dimensionless
        Concentration of albumin, and of lipoprotein, in the tissue over that in plasma.

    Notes
    -----
    Fractions are of wet tissue with its density taken as 1 kg/L, and of tissue without residual blood.

    References
    ----------
    Utsey K, Gastonguay MS, Russell S, Freling R, Riggs MM, Elmokadem A (2020) Drug Metab Dispos 48:903-916,
    the unified tissue composition; all fields.
    """

    extracellular_water: float
    intracellular_water: float
    neutral_lipid: float
    neutral_phospholipid: float
    acidic_phospholipid: float
    albumin_ratio: float
    lipoprotein_ratio: float


@dataclass(frozen=True)
class RedCellComposition:
    """What red cells are made of, from which a base's affinity for acidic phospholipids is derived.

    Parameters
    ----------
    intracellular_water, neutral_lipid, neutral_phospholipid : float, L per L red cells
    acidic_phospholipid : float, kg per kg red cells

    References
    ----------
    Utsey et al. (2020) Drug Metab Dispos 48:903-916, row "RBCs"; all fields.
    """

    intracellular_water: float
    neutral_lipid: float
    neutral_phospholipid: float
    acidic_phospholipid: float


@dataclass(frozen=True)
class PlasmaComposition:
    """The lipids of plasma, which hold part of what `fup` counts as bound.

    Parameters
    ----------
    neutral_lipid, neutral_phospholipid : float, L per L plasma

    References
    ----------
    Utsey et al. (2020) Drug Metab Dispos 48:903-916, row "Plasma"; all fields.
    """

    neutral_lipid: float
    neutral_phospholipid: float


@dataclass(frozen=True)
class BodyComposition:
    """All tissues of one organism, its red cells and its plasma.

    Parameters
    ----------
    organism : str
    source : str
        Citation of the whole set, for reports.
    tissues : mapping of str to TissueComposition
        In alphabetical order.
    red_cells : RedCellComposition
    plasma : PlasmaComposition
    """

    organism: str
    source: str
    tissues: Mapping[str, TissueComposition]
    red_cells: RedCellComposition
    plasma: PlasmaComposition


_UTSEY_2020_HUMAN = BodyComposition(
    organism="human",
    source="unified human tissue composition, Utsey et al. 2020, Drug Metab Dispos 48:903-916",
    # Columns: f_EW, f_IW, f_NL, f_NP, [AP-], albumin ratio, lipoprotein ratio.
    tissues=MappingProxyType(
        {
            "adipose": TissueComposition(0.135, 0.017, 0.798, 0.0478, 0.0067, 0.049, 0.069),
            "bone": TissueComposition(0.100, 0.346, 0.074, 0.0016, 0.0008, 0.100, 0.050),
            "brain": TissueComposition(0.162, 0.620, 0.045, 0.0553, 0.02022, 0.048, 0.041),
            "gut": TissueComposition(0.282, 0.475, 0.0487, 0.0124, 0.0035, 0.158, 0.141),
            "heart": TissueComposition(0.320, 0.456, 0.089, 0.0079, 0.00309, 0.157, 0.160),
            "kidney": TissueComposition(0.273, 0.483, 0.036, 0.0166, 0.00387, 0.130, 0.137),
            "liver": TissueComposition(0.161, 0.573, 0.037, 0.0115, 0.00258, 0.086, 0.161),
            "lung": TissueComposition(0.336, 0.446, 0.003, 0.0056, 0.0014, 0.212, 0.168),
            "muscle": TissueComposition(0.118, 0.630, 0.013, 0.0092, 0.0019, 0.064, 0.059),
            "skin": TissueComposition(0.382, 0.291, 0.036, 0.0502, 0.01382, 0.277, 0.096),
            "spleen": TissueComposition(0.207, 0.579, 0.014, 0.0103, 0.00191, 0.097, 0.207),
        }
    ),
    red_cells=RedCellComposition(0.603, 0.002, 0.0025, 0.0005),
    plasma=PlasmaComposition(0.003, 0.0050),
)

_BODIES: Mapping[str, BodyComposition] = MappingProxyType({"human": _UTSEY_2020_HUMAN})


def organisms() -> tuple[str, ...]:
    """Names of the organisms with a tissue composition: ``("human",)``, the unified set of Utsey 2020."""
    return tuple(_BODIES)


def body_composition(organism: str) -> BodyComposition:
    """Composition of all tissues, red cells and plasma of an organism.

    Raises
    ------
    ValueError
        If no composition of this organism is known; the message names those that are.
    """
    try:
        return _BODIES[organism]
    except KeyError:
        known = ", ".join(_BODIES)
        raise ValueError(f"organism={organism!r} has no tissue composition; accepted: {known}") from None


def tissues(organism: str) -> tuple[str, ...]:
    """Names of the tissues of an organism whose composition is known, in alphabetical order.

    Raises
    ------
    ValueError
        If no composition of this organism is known.
    """
    return tuple(body_composition(organism).tissues)


def tissue_composition(tissue: str, organism: str) -> TissueComposition:
    """Composition of one tissue.

    Raises
    ------
    ValueError
        If the organism, or this tissue of it, is not in the table; the message names what is.
    """
    body = body_composition(organism)
    try:
        return body.tissues[tissue]
    except KeyError:
        known = ", ".join(body.tissues)
        message = f"tissue={tissue!r} has no composition for organism={organism!r}; accepted: {known}"
        raise ValueError(message) from None
