"""Tissue:plasma partition coefficients from tissue composition, by Rodgers & Rowland.

With P the n-octanol:water partition coefficient of the neutral form (vegetable oil:water for adipose), X the
concentration of all forms of the drug over that of the neutral one in the water of cells, Y the same in
plasma and Z in red cells::

    Kpu = f_EW + X/Y f_IW + (P f_NL + (0.3 P + 0.7) f_NP)/Y + binding

    moderate-to-strong bases, zwitterions with such a group (one base with pKa >= 7), Rodgers 2005:
        binding = Ka_AP [AP-]_T (cations per neutral form in cells)/Y
        Ka_AP from Kpu of red cells = (hematocrit - 1 + bp)/(hematocrit fup), which obeys the same equation
        with Z for X, without f_EW
    all others, Rodgers 2006:
        binding = (1/fup - 1 - (P f_NL,P + (0.3 P + 0.7) f_NP,P)/Y) [PR]_T/[PR]_P
        PR is albumin for acids, weaker bases and other zwitterions, lipoprotein for neutral drugs

    Kp = fup Kpu

**Binding below zero.** Inputs that contradict each other, such as fup = 1 for a drug that plasma lipids
hold, make a binding constant negative. It is then taken as zero, as Rodgers and Rowland did. The functions
`protein_affinity` and `phospholipid_affinity` give it with its sign, so that a caller can say so.

**Against PBPKToolkit.** That R package (commit 9d9c66d) differs twice. It multiplies the protein term by
x/(1 + y), where x = X - 1 and y = Y - 1, as is right for acidic phospholipids but not for protein, which
binds in the extracellular space whatever the ionisation in cells. The factor is near 10^(7 - pKa) for a weak
acid and 0 for a neutral drug: the term is lost. And its Kpu of red cells is not divided by fup. The equations
here are those of the papers: 1 to 7 % above that package for paracetamol (acid, pKa 9.46, fup 0.82), 4 to
26 % for theophylline (acid, pKa 8.8, fup 0.58).

**Zwitterions with a strong base.** The affinity for acidic phospholipids is taken to belong to the cation,
its mechanism in the papers. An implementation that counts anions too, by X - 1 for the cations, differs for
these drugs only.

References
----------
Rodgers T, Leahy D, Rowland M (2005) J Pharm Sci 94:1259-1276, doi 10.1002/jps.20322.
Rodgers T, Rowland M (2006) J Pharm Sci 95:1238-1257, doi 10.1002/jps.20502.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from pbpkc.body.composition import body_composition, tissue_composition
from pbpkc.body.ionisation import Ionisation, Quantity, cations_per_neutral, total_per_neutral

#: pH of plasma and extracellular water, of intracellular water, of the water of red cells (Rodgers 2005), the
#: same in all tissues: the tissue pH that the unified composition set also has belongs to other methods.
PH_PLASMA = 7.4
PH_CELLS = 7.0
PH_RED_CELLS = 7.22

#: Tissues whose neutral lipid is mostly triglyceride, so that vegetable oil stands for it, not octanol.
OIL_TISSUES = frozenset({"adipose"})

#: Outside this range a logP is a typing error, and 10^logP leaves the range of a float in what follows.
LOGP_RANGE = (-20.0, 20.0)


@dataclass(frozen=True)
class PartitionTerms:
    """Where the drug in a tissue is: the parts of Kpu, each dimensionless, relative to unbound plasma.

    Parameters
    ----------
    extracellular_water, intracellular_water : number or symbolic object
    lipid : number or symbolic object
        Neutral lipid and neutral phospholipid.
    protein : number or symbolic object
        Extracellular albumin or lipoprotein; 0 for a drug that binds acidic phospholipids.
    acidic_phospholipid : number or symbolic object
        0 for any other drug.
    """

    extracellular_water: Quantity
    intracellular_water: Quantity
    lipid: Quantity
    protein: Quantity
    acidic_phospholipid: Quantity

    @property
    def total(self) -> Quantity:
        """Kpu, the sum of all parts."""
        return (
            self.extracellular_water
            + self.intracellular_water
            + self.lipid
            + self.protein
            + self.acidic_phospholipid
        )


def positive_part(x: Quantity) -> Quantity:
    """`x` where it is positive, else 0; of a symbolic object (x + (x^2)^0.5)/2, which has that value.

    The derivative of the symbolic form is undefined at x = 0 exactly.
    """
    if isinstance(x, Real):
        return x if float(x) > 0 else 0.0
    return (x + (x * x) ** 0.5) / 2


def protein_affinity(*, logp: Quantity, ionisation: Ionisation, fup: Quantity, organism: str) -> Quantity:
    """Bound to plasma protein over unbound in plasma: Ka_PR [PR]_P, dimensionless, with its sign.

    What `fup` counts as bound, less what the lipids of plasma hold. Negative where `fup` is larger than those
    lipids allow.

    Parameters
    ----------
    logp, ionisation, fup, organism
        As in `rodgers_rowland`.

    Raises
    ------
    TypeError, ValueError
        As `rodgers_rowland`.

    References
    ----------
    Rodgers & Rowland (2006) J Pharm Sci 95:1238-1257.
    """
    _check_drug(logp, fup)
    plasma = body_composition(organism).plasma
    y = total_per_neutral(ionisation, PH_PLASMA)
    return 1 / fup - 1 - _lipid(10**logp, plasma.neutral_lipid, plasma.neutral_phospholipid) / y


def phospholipid_affinity(
    *,
    logp: Quantity,
    ionisation: Ionisation,
    fup: Quantity,
    bp: Quantity,
    hematocrit: Quantity,
    organism: str,
) -> Quantity:
    """Affinity of a drug's cation for acidic phospholipids, Ka_AP in kg tissue per kg lipid, with its sign.

    Derived from red cells: what they hold according to `bp`, less what their water and neutral lipids hold.
    Negative where `bp` is smaller than those demand.

    Parameters
    ----------
    logp, ionisation, fup, bp, hematocrit, organism
        As in `rodgers_rowland`; `ionisation` has at least one base.

    Raises
    ------
    TypeError, ValueError
        As `rodgers_rowland`, and ValueError if `ionisation` has no base.

    References
    ----------
    Rodgers, Leahy & Rowland (2005) J Pharm Sci 94:1259-1276.
    """
    _check_drug(logp, fup)
    _check_blood(bp, hematocrit)
    if not ionisation.bases:
        raise ValueError(
            f"ionisation={ionisation!r} has no base; accepted: at least one, for there is no cation"
        )
    cells = body_composition(organism).red_cells
    y = total_per_neutral(ionisation, PH_PLASMA)
    z = total_per_neutral(ionisation, PH_RED_CELLS)
    kpu_cells = (hematocrit - 1 + bp) / (hematocrit * fup)
    lipid = _lipid(10**logp, cells.neutral_lipid, cells.neutral_phospholipid)
    sorbed = kpu_cells - z / y * cells.intracellular_water - lipid / y
    return sorbed * y / (cells.acidic_phospholipid * cations_per_neutral(ionisation, PH_RED_CELLS))


def rodgers_rowland_terms(
    tissue: str,
    *,
    logp: Quantity,
    ionisation: Ionisation,
    fup: Quantity,
    bp: Quantity,
    hematocrit: Quantity,
    organism: str,
    positive_part: Callable[[Quantity], Quantity] = positive_part,
) -> PartitionTerms:
    """What each constituent of a tissue contributes to its tissue:unbound plasma partition coefficient.

    Parameters, errors and sources are those of `rodgers_rowland`.
    """
    composition = tissue_composition(tissue, organism)
    _check_drug(logp, fup)
    partition = 10 ** (1.115 * logp - 1.35) if tissue in OIL_TISSUES else 10**logp
    binds_phospholipids = ionisation.binds_acidic_phospholipids
    x = total_per_neutral(ionisation, PH_CELLS)
    y = total_per_neutral(ionisation, PH_PLASMA)
    protein: Quantity = 0
    phospholipid: Quantity = 0
    if binds_phospholipids:
        affinity = phospholipid_affinity(
            logp=logp, ionisation=ionisation, fup=fup, bp=bp, hematocrit=hematocrit, organism=organism
        )
        cations = cations_per_neutral(ionisation, PH_CELLS)
        phospholipid = positive_part(affinity) * composition.acidic_phospholipid * cations / y
    else:
        affinity = protein_affinity(logp=logp, ionisation=ionisation, fup=fup, organism=organism)
        ratio = composition.lipoprotein_ratio if ionisation.is_neutral else composition.albumin_ratio
        protein = positive_part(affinity) * ratio
    return PartitionTerms(
        extracellular_water=composition.extracellular_water,
        intracellular_water=x / y * composition.intracellular_water,
        lipid=_lipid(partition, composition.neutral_lipid, composition.neutral_phospholipid) / y,
        protein=protein,
        acidic_phospholipid=phospholipid,
    )


def rodgers_rowland_unbound(
    tissue: str,
    *,
    logp: Quantity,
    ionisation: Ionisation,
    fup: Quantity,
    bp: Quantity,
    hematocrit: Quantity,
    organism: str,
    positive_part: Callable[[Quantity], Quantity] = positive_part,
) -> Quantity:
    """Tissue:unbound plasma partition coefficient Kpu at equilibrium, total in tissue over unbound in plasma.

    Parameters, errors and sources are those of `rodgers_rowland`.
    """
    return rodgers_rowland_terms(
        tissue,
        logp=logp,
        ionisation=ionisation,
        fup=fup,
        bp=bp,
        hematocrit=hematocrit,
        organism=organism,
        positive_part=positive_part,
    ).total


def rodgers_rowland(
    tissue: str,
    *,
    logp: Quantity,
    ionisation: Ionisation,
    fup: Quantity,
    bp: Quantity,
    hematocrit: Quantity,
    organism: str,
    positive_part: Callable[[Quantity], Quantity] = positive_part,
) -> Quantity:
    """Tissue:plasma partition coefficient Kp at equilibrium, total in tissue over total in plasma.

    A prediction for passive distribution without residual blood in the tissue; transporters, lysosomes and
    elimination within the tissue are not in it. The module's docstring has the equations.

    Parameters
    ----------
    tissue : str
        One of `tissues(organism)`.
    logp : number or symbolic object
        log10 of the n-octanol:water partition coefficient of the neutral form, -20 to 20. For adipose the
        vegetable oil:water coefficient is taken as 1.115 logp - 1.35 (Poulin & Theil 2002).
    ionisation : Ionisation
        Its class decides the equation: acidic phospholipids where at least one base has pKa >= 7, else
        lipoprotein for a neutral drug and albumin for the rest. The numeric value of a base is taken for this
        decision alone (and for the order of several pKa); in the equation it stays what it is.
    fup : number or symbolic object, dimensionless
        Fraction unbound in plasma, in (0, 1].
    bp : number, symbolic object or None, dimensionless
        Blood:plasma concentration ratio, > 0.
    hematocrit : number, symbolic object or None, L red cells per L blood
        In (0, 1).
    organism : str
        One of `organisms()`.
    positive_part : callable, optional
        max(x, 0) of a binding constant, for symbolic objects that have such a function of their own.

    Returns
    -------
    float or symbolic object
        A number from numbers. Symbolic objects need ``+ - * / **`` only and are compared with nothing; arrays
        work the same way. Numbers that are read are checked, symbolic objects are not.

    Raises
    ------
    TypeError
        If a quantity is a text, or None where it is read. `bp` and `hematocrit` are read only if
        ``ionisation.binds_acidic_phospholipids`` and may be None otherwise.
    ValueError
        If the organism or the tissue is unknown (the message names those that are known), a number is outside
        the range above, or a pKa whose value decides the equation has none.

    References
    ----------
    Rodgers T, Leahy D, Rowland M (2005) J Pharm Sci 94:1259-1276.
    Rodgers T, Rowland M (2006) J Pharm Sci 95:1238-1257.
    Poulin P, Theil FP (2002) J Pharm Sci 91:129-156, vegetable oil from octanol.

    Examples
    --------
    >>> acid = Ionisation(acids=(9.46,), bases=())
    >>> kp = rodgers_rowland(
    ...     "liver", logp=0.46, ionisation=acid, fup=0.82, bp=1.0, hematocrit=0.45, organism="human"
    ... )
    >>> round(kp, 3)
    0.715
    """
    return fup * rodgers_rowland_unbound(
        tissue,
        logp=logp,
        ionisation=ionisation,
        fup=fup,
        bp=bp,
        hematocrit=hematocrit,
        organism=organism,
        positive_part=positive_part,
    )


def _lipid(partition: Quantity, neutral_lipid: float, neutral_phospholipid: float) -> Quantity:
    """Neutral drug in lipids over neutral drug in water; phospholipid counts as 30 % octanol, 70 % water."""
    return partition * neutral_lipid + (0.3 * partition + 0.7) * neutral_phospholipid


def _check_drug(logp: Quantity, fup: Quantity) -> None:
    low, high = LOGP_RANGE
    if _is_number("logp", logp) and not low <= logp <= high:
        raise ValueError(f"logp={logp!r} is outside its range; accepted: {low:g} to {high:g}")
    if _is_number("fup", fup) and not 0 < fup <= 1:
        raise ValueError(f"fup={fup!r} is no fraction unbound; accepted: above 0, up to 1")


def _check_blood(bp: Quantity, hematocrit: Quantity) -> None:
    if _is_number("bp", bp) and not 0 < bp < math.inf:
        raise ValueError(f"bp={bp!r} is no blood:plasma ratio; accepted: above 0, finite")
    if _is_number("hematocrit", hematocrit) and not 0 < hematocrit < 1:
        raise ValueError(f"hematocrit={hematocrit!r} is no volume fraction; accepted: above 0, below 1")


def _is_number(name: str, value: Quantity) -> bool:
    if value is None or isinstance(value, (str, bytes)):
        raise TypeError(f"{name}={value!r} is no quantity; a number or a symbolic object is accepted")
    return isinstance(value, Real)
