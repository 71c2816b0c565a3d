"""What is known of bodies: the composition of tissues, and how a drug distributes into them.

Nothing here needs sympy: the functions take numbers and symbolic objects alike.
"""

from pbpkc.body.composition import (
    BodyComposition,
    PlasmaComposition,
    RedCellComposition,
    TissueComposition,
    body_composition,
    organisms,
    tissue_composition,
    tissues,
)
from pbpkc.body.ionisation import Ionisation
from pbpkc.body.partition import (
    PartitionTerms,
    phospholipid_affinity,
    protein_affinity,
    rodgers_rowland,
    rodgers_rowland_terms,
    rodgers_rowland_unbound,
)

__all__ = [
    "BodyComposition",
    "Ionisation",
    "PartitionTerms",
    "PlasmaComposition",
    "RedCellComposition",
    "TissueComposition",
    "body_composition",
    "organisms",
    "phospholipid_affinity",
    "protein_affinity",
    "rodgers_rowland",
    "rodgers_rowland_terms",
    "rodgers_rowland_unbound",
    "tissue_composition",
    "tissues",
]
