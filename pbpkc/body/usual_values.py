"""What is usual of a body: published organ volumes, blood flows and what else is measured of one.

For each quantity the least and the largest value of the sources that are named; `Usual.margin` says how far
beyond them a value may lie before it is worth a word. Volumes take 1 kg as 1 L.

References
----------
ICRP: Valentin J (2002) Basic anatomical and physiological data, ICRP Publication 89, Ann ICRP 32(3-4): adults
    of 73 and 60 kg, children of 3.5, 10, 19 and 32 kg. Flows are those of the adult male.
ILSI: Physiological parameter values for PBPK models, International Life Sciences Institute and US EPA (1994);
    Davies B, Morris T (1993) Pharm Res 10:1093: both as tabulated in the R package httk 2.7.4 (Pearce et al.
    2017, J Stat Softw 79(4):1).
Brown: Brown RP et al. (1997) Toxicol Ind Health 13:407, as quoted in public model files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_ICRP = "ICRP Publication 89"
_ILSI = "ILSI 1994"
_DM = "Davies and Morris 1993"
_BROWN = "Brown et al. 1997"


@dataclass(frozen=True)
class Usual:
    """A range of published values.

    Parameters
    ----------
    low, high : float
        Least and largest value of the sources.
    source : str
    margin : float
        Between low / margin and high * margin a value raises no question: people differ.
    """

    low: float
    high: float
    source: str
    margin: float = 1.5

    @property
    def accepted(self) -> tuple[float, float]:
        """The range outside which a value is unusual."""
        return self.low / self.margin, self.high * self.margin

    def holds(self, value: float) -> bool:
        """Whether a value raises no question."""
        low, high = self.accepted
        return low <= value <= high


@dataclass(frozen=True)
class UsualBody:
    """What is usual of one kind of body.

    Parameters
    ----------
    called : str
        In a sentence: ``a human adult``.
    weight : Usual
        kg.
    volumes : mapping of organ to Usual
        L per kg of body weight; of ``arterial`` and ``venous`` blood, the ``large arteries`` and ``large
        veins`` alone, and ``blood`` (all) too.
    flows : mapping of organ to Usual
        Share of cardiac output that leaves the organ; of the liver all, ``hepatic artery`` its own supply.
    cardiac_output, filtration : Usual
        L/h/kg^0.75.
    hematocrit : Usual
        Fraction.
    """

    called: str
    weight: Usual
    volumes: Mapping[str, Usual]
    flows: Mapping[str, Usual]
    cardiac_output: Usual
    filtration: Usual
    hematocrit: Usual


_ADULT_VOLUMES = {
    "adipose": Usual(0.200, 0.375, f"{_ICRP}; {_ILSI}; {_BROWN}", 2.0),
    "bone": Usual(0.0723, 0.144, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "brain": Usual(0.0193, 0.0217, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "gonads": Usual(0.00018, 0.00048, _ICRP, 2.0),
    "heart": Usual(0.0042, 0.0047, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "kidney": Usual(0.0042, 0.0046, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "liver": Usual(0.0233, 0.0257, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "lung": Usual(0.0068, 0.0164, f"{_ICRP}, without and with blood; {_ILSI}; {_BROWN}"),
    "muscle": Usual(0.292, 0.400, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "skin": Usual(0.0332, 0.0452, f"{_ICRP}; {_ILSI}; {_BROWN}"),
    "spleen": Usual(0.0021, 0.0026, f"{_ICRP}; {_ILSI}; {_BROWN}", 2.0),
    "pancreas": Usual(0.0014, 0.0020, f"{_ICRP}; {_BROWN}", 2.0),
    "gut": Usual(0.0140, 0.0192, f"{_ICRP}, intestine without and with stomach; {_ILSI}; {_BROWN}"),
    "small gut": Usual(0.0089, 0.0100, _ICRP),
    "large gut": Usual(0.0051, 0.0060, _ICRP),
    "stomach": Usual(0.0021, 0.0023, f"{_ICRP}; {_BROWN}"),
    "thymus": Usual(0.00033, 0.00034, _ICRP, 3.0),
    "thyroid": Usual(0.0003, 0.0003, _ILSI, 3.0),
    "arterial": Usual(0.0226, 0.0383, f"{_ICRP}, 29.5 % of blood; {_BROWN}; httk 2.7.4"),
    "venous": Usual(0.0383, 0.0562, f"{_ICRP}, 70.5 % of blood; {_BROWN}; httk 2.7.4"),
    # Where the blood of the organs stands with them (`vascular`), the large vessels hold 10.5 and 22.5 %.
    "large arteries": Usual(0.0081, 0.0383, f"{_ICRP}, 10.5 % of blood and more"),
    "large veins": Usual(0.0173, 0.0562, f"{_ICRP}, 22.5 % of blood and more"),
    # Part of the blood may stand in the organs, so that there is less in the vessels.
    "blood": Usual(0.0225, 0.0790, f"{_ICRP}, the large vessels alone; {_BROWN}"),
}

HUMAN_ADULT = UsualBody(
    "a human adult",
    Usual(45.0, 150.0, _ICRP, 1.7),
    _ADULT_VOLUMES,
    {
        "adipose": Usual(0.0464, 0.052, f"{_ICRP}; {_DM}; {_BROWN}", 2.0),
        "bone": Usual(0.042, 0.050, f"{_ICRP}; {_DM}", 2.0),
        "brain": Usual(0.114, 0.125, f"{_ICRP}; {_DM}; {_BROWN}"),
        "gonads": Usual(0.0005, 0.0005, _ICRP, 3.0),
        "heart": Usual(0.040, 0.043, f"{_ICRP}; {_DM}; {_BROWN}"),
        "kidney": Usual(0.175, 0.221, f"{_ICRP}; {_DM}; {_BROWN}"),
        "liver": Usual(0.227, 0.259, f"{_ICRP}; {_DM}; {_BROWN}"),
        "hepatic artery": Usual(0.040, 0.065, f"{_ICRP}; {_DM}; {_BROWN}"),
        "muscle": Usual(0.134, 0.191, f"{_ICRP}; {_DM}; {_BROWN}"),
        "skin": Usual(0.050, 0.058, f"{_ICRP}; {_DM}; {_BROWN}", 2.0),
        "spleen": Usual(0.0138, 0.030, f"{_ICRP}; {_DM}"),
        "pancreas": Usual(0.010, 0.010, _ICRP, 2.0),
        "gut": Usual(
            0.140, 0.205, f"{_ICRP}, intestine; {_DM}, all of the portal vein but the spleen; {_BROWN}"
        ),
        "small gut": Usual(0.100, 0.100, _ICRP),
        "large gut": Usual(0.040, 0.040, _ICRP),
        "stomach": Usual(0.010, 0.010, _ICRP, 2.0),
        "thymus": Usual(0.0019, 0.0019, _ICRP, 3.0),
        "thyroid": Usual(0.016, 0.016, _DM, 2.0),
    },
    Usual(12.5, 17.0, f"{_ICRP}; {_DM}; {_BROWN}"),
    # A kidney may fail: a tenth is no slip.
    Usual(0.031, 0.310, f"{_DM}, and a tenth of it where kidneys fail"),
    Usual(0.36, 0.48, f"{_DM}, 0.44; with anaemia and at altitude"),
)

#: Children of 3.5 to 45 kg; organs that are not here are those of the adult.
HUMAN_CHILD = UsualBody(
    "a human child",
    Usual(0.5, 45.0, _ICRP, 1.0),
    _ADULT_VOLUMES
    | {
        "adipose": Usual(0.106, 0.250, f"{_ICRP}, newborn to 15 years", 2.0),
        "brain": Usual(0.025, 0.109, f"{_ICRP}, newborn to 15 years"),
        "gonads": Usual(0.00006, 0.00029, f"{_ICRP}, newborn to 15 years", 2.0),
        "heart": Usual(0.0041, 0.0057, f"{_ICRP}, newborn to 15 years"),
        "kidney": Usual(0.0045, 0.0071, f"{_ICRP}, newborn to 15 years"),
        "liver": Usual(0.0232, 0.0371, f"{_ICRP}, newborn to 15 years"),
        "lung": Usual(0.0055, 0.0164, f"{_ICRP}, newborn to 15 years"),
        "muscle": Usual(0.190, 0.430, f"{_ICRP}, newborn to 15 years"),
        "skin": Usual(0.0256, 0.0500, f"{_ICRP}, newborn to 15 years"),
        "gut": Usual(0.0134, 0.0192, f"{_ICRP}, newborn to 15 years"),
        "thymus": Usual(0.0005, 0.0037, f"{_ICRP}, newborn to 15 years", 3.0),
        "arterial": Usual(0.0156, 0.0383, f"{_ICRP}, 29.5 % of blood; httk 2.7.4"),
        "venous": Usual(0.0373, 0.0585, f"{_ICRP}, 70.5 % of blood; httk 2.7.4"),
        "large arteries": Usual(0.0056, 0.0383, f"{_ICRP}, 10.5 % of blood and more"),
        "large veins": Usual(0.0119, 0.0585, f"{_ICRP}, 22.5 % of blood and more"),
        "blood": Usual(0.0175, 0.0860, f"{_ICRP}, newborn to 15 years"),
    },
    # The source gives no flows of children by organ.
    {name: Usual(u.low, u.high, f"{u.source}, of adults", 3.0) for name, u in HUMAN_ADULT.flows.items()},
    Usual(12.8, 22.4, f"{_ICRP}, newborn to 15 years"),
    Usual(0.010, 0.310, f"{_DM}, of adults; less in newborns", 2.0),
    Usual(0.33, 0.55, "newborns above adults (0.44, Davies and Morris 1993), infants below"),
)

_RODENT = f"{_ILSI}; {_DM}; {_BROWN}"

RAT = UsualBody(
    "a rat",
    Usual(0.1, 0.6, "rats of the sources: 0.25 kg", 2.0),
    {
        "adipose": Usual(0.070, 0.0726, _RODENT, 2.0),
        "bone": Usual(0.0369, 0.0369, _ILSI, 2.0),
        "brain": Usual(0.0055, 0.0060, _RODENT),
        "gut": Usual(0.0259, 0.0259, _ILSI, 2.0),
        "heart": Usual(0.0032, 0.0032, _ILSI),
        "kidney": Usual(0.0070, 0.0084, _RODENT),
        "liver": Usual(0.0349, 0.0370, _RODENT),
        "lung": Usual(0.0048, 0.0050, _RODENT),
        "muscle": Usual(0.388, 0.388, _ILSI),
        "skin": Usual(0.170, 0.170, _ILSI),
        "spleen": Usual(0.0019, 0.0019, _ILSI, 2.0),
        "blood": Usual(0.0190, 0.0680, f"plasma {_DM} and hematocrit; the large vessels alone a third", 1.5),
    },
    {
        "adipose": Usual(0.0054, 0.070, _RODENT, 2.0),
        "bone": Usual(0.122, 0.122, _DM, 2.0),
        "brain": Usual(0.0176, 0.020, _RODENT, 2.0),
        "gut": Usual(0.132, 0.132, _DM, 2.0),
        "heart": Usual(0.0527, 0.0527, _DM, 2.0),
        "kidney": Usual(0.124, 0.141, _RODENT),
        "liver": Usual(0.159, 0.183, _RODENT),
        "hepatic artery": Usual(0.0132, 0.027, _DM, 2.0),
        "muscle": Usual(0.101, 0.101, _DM, 3.0),
        "skin": Usual(0.0784, 0.0784, _DM, 2.0),
        "spleen": Usual(0.0138, 0.0138, _DM, 2.0),
    },
    Usual(12.56, 14.1, f"{_DM}; {_BROWN}"),
    Usual(0.0222, 0.2223, f"{_DM}, and a tenth of it where kidneys fail"),
    Usual(0.40, 0.48, f"{_DM}, 0.46"),
)

#: Vein against artery: swapped blood volumes conserve mass, and nothing else would tell.
VENOUS_TO_ARTERIAL = Usual(1.0, 2.4, "httk 2.7.4, equal; ICRP Publication 89, 2.4", 1.2)

#: All blood and tissues, L per kg of body weight: no more than the body (densities are 0.9 to 2 kg/L).
ALL_VOLUMES = Usual(0.0, 1.0, "1 kg of body is about 1 L", 1.25)

#: Blood in a tissue, of the volume of the tissue.
VASCULAR = Usual(0.01, 0.40, "ICRP Publication 89: adipose 0.02, kidney 0.36, of tissue without blood", 3.0)

#: The least blood:plasma ratio where no hematocrit is given: plasma fills the rest of blood.
LEAST_BP = Usual(0.4, 200.0, "no less than 1 - hematocrit, since plasma is a part of blood", 1.0)

#: Mass of one dose by body weight, g/kg. More than the limit dose is not even given to test animals; with the
#: margin, what is given in grams for each kilogram stays below it (glucose for a tolerance test: 75 g).
DOSE = Usual(0.0, 1.0, "ICH M3(R2) 2009: 1000 mg/kg is the limit dose of toxicity studies in animals", 1.5)

#: Whose weight it is where a spec has none, kg: the reference adult of ICRP Publication 89.
USUAL_PERSON = 73.0

#: What a species may be, by attribute, with the sentence that says so: limits of sense. `mw` in kg/umol.
SPECIES = {
    "mw": Usual(1e-9, 1e-3, "molar masses lie between 1 g/mol and 1000 kg/mol", 1.0),
    "logp": Usual(-10.0, 15.0, "the logarithm of a partition coefficient lies between -10 and 15", 1.0),
    "kp": Usual(1e-4, 1e3, "partition coefficients lie between 0.0001 and 1000", 1.0),
    "kb": Usual(1e-4, 1e3, "partition coefficients lie between 0.0001 and 1000", 1.0),
    "kpu": Usual(1e-4, 1e5, "partition coefficients to unbound plasma lie between 0.0001 and 100000", 1.0),
}

#: With a logp, the molar mass of a molecule which partitions, not of a protein (kg/umol).
SMALL_MOLECULE = Usual(1e-8, 5e-6, "a molecule with a logp has some 10 to 5000 g/mol", 1.0)


def usual_body(organism: str | None, weight: float) -> UsualBody | None:
    """The body that values are compared with; None where no source is known for it.

    Parameters
    ----------
    organism : str or None
        As the head of the spec says. Without it, the weight tells a human adult.
    weight : float
        kg, above 0.
    """
    if organism == "human" or (organism is None and HUMAN_ADULT.weight.low <= weight <= 160):
        return HUMAN_CHILD if weight < HUMAN_CHILD.weight.high else HUMAN_ADULT
    return RAT if organism == "rat" else None
