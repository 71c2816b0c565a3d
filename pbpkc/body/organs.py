"""Which organ a node is, by its name."""

from __future__ import annotations

import re

#: Organ to the names that people give it, in lower case without underscores. `like` is no such name: it says
#: whose composition a node has, and gonads are like muscle.
_NAMES = {
    "adipose": ("adipose", "fat", "adiposetissue", "adi"),
    "bone": ("bone", "bones", "skeleton"),
    "brain": ("brain", "bra"),
    "gonads": ("gonads", "gonad"),
    "heart": ("heart", "hea"),
    "kidney": ("kidney", "kidneys", "kid"),
    "liver": ("liver", "liv"),
    "lung": ("lung", "lungs", "lun"),
    "muscle": ("muscle", "muscles", "skeletalmuscle", "mus"),
    "skin": ("skin", "ski"),
    "spleen": ("spleen", "spl"),
    "pancreas": ("pancreas", "pan"),
    "gut": ("gut", "gutwall", "guttissue", "intestine", "intestines", "gi"),
    "small gut": ("smallgut", "smallintestine", "smallintestinewall", "smallgutwall"),
    "large gut": ("largegut", "largeintestine", "largeintestinewall", "largegutwall", "colonwall"),
    "stomach": ("stomach", "stomachwall"),
    "thymus": ("thymus",),
    "thyroid": ("thyroid",),
    "arterial": ("arterial", "artery", "arteries", "arterialblood", "art"),
    "venous": ("venous", "vein", "veins", "venousblood", "ven"),
}
_ORGANS = {name: organ for organ, names in _NAMES.items() for name in names}
_BLOOD = ("arterial", "venous")

#: Tissues that stand for all that is not named: with one of them the tissues make a whole body.
REST = ("rest", "restofbody", "remainder", "remaining", "other", "carcass", "slowlyperfused", "slow")


def split_name(name: str) -> tuple[str, str]:
    """``mother.liver`` to (``mother``, ``liver``): the body that a name belongs to, and the name in it."""
    body, _, own = name.rpartition(".")
    return body, own


def plain(name: str) -> str:
    """A name of a node without its body, its index and underscores, in lower case."""
    return re.sub(r"<[^<>]*>|_", "", split_name(name)[1]).lower()


def organ_of(name: str, kind: str) -> str | None:
    """The organ that a node is, None where its name says none.

    Parameters
    ----------
    name : str
    kind : str
        Of the node. Blood is known among `blood` nodes and organs among tissues alone: a lumen called
        stomach is what it holds, and a pool called liver may be anything.
    """
    organ = _ORGANS.get(plain(name))
    if organ is None or kind != ("blood" if organ in _BLOOD else "tissue"):
        return None
    return organ
