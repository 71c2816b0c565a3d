"""Tissue composition and the partition coefficients of Rodgers & Rowland 2005 and 2006."""

from __future__ import annotations

import dataclasses
import doctest
import math
import subprocess
import sys
from typing import Any

import pytest

from pbpkc.body import (
    Ionisation,
    body_composition,
    ionisation,
    organisms,
    partition,
    phospholipid_affinity,
    protein_affinity,
    rodgers_rowland,
    rodgers_rowland_terms,
    rodgers_rowland_unbound,
    tissue_composition,
    tissues,
)

PARACETAMOL: dict[str, Any] = {
    "logp": 0.46,
    "ionisation": Ionisation((9.46,), ()),
    "fup": 0.82,
    "bp": 1.0,
    "hematocrit": 0.45,
    "organism": "human",
}
THEOPHYLLINE: dict[str, Any] = {
    "logp": -0.02,
    "ionisation": Ionisation((8.8,), ()),
    "fup": 0.58,
    "bp": 0.815,
    "hematocrit": 0.45,
    "organism": "human",
}
BASE: dict[str, Any] = {
    "logp": 1.0,
    "ionisation": Ionisation((), (9.0,)),
    "fup": 0.5,
    "bp": 1.2,
    "hematocrit": 0.45,
    "organism": "human",
}

# Computed once by the R package PBPKToolkit (commit 9d9c66d, method "RR", monoprotic acid) from the unified
# composition of Utsey 2020 and the drugs above; printed to three decimals.
PBPKTOOLKIT = {
    "adipose": (0.248, 0.126),
    "bone": (0.540, 0.295),
    "brain": (0.814, 0.500),
    "gut": (0.749, 0.466),
    "heart": (0.853, 0.497),
    "kidney": (0.723, 0.461),
    "liver": (0.701, 0.445),
    "lung": (0.654, 0.454),
    "muscle": (0.653, 0.438),
    "skin": (0.699, 0.435),
    "spleen": (0.688, 0.462),
}
# In the order of `tissues`. Water and acidic phospholipid: Utsey 2020, columns f_water and f_a_pl. Ratios
# tissue:plasma in the rat: Rodgers, Leahy & Rowland 2005, Rodgers & Rowland 2006.
WATER = (0.152, 0.446, 0.782, 0.757, 0.776, 0.756, 0.734, 0.782, 0.748, 0.673, 0.786)
ACIDIC = (0.0067, 8e-4, 0.02022, 3.5e-3, 0.00309, 0.00387, 0.00258, 0.0014, 0.0019, 0.01382, 0.00191)
ALBUMIN = (0.049, 0.1, 0.048, 0.158, 0.157, 0.13, 0.086, 0.212, 0.064, 0.277, 0.097)
LIPOPROTEIN = (0.068, 0.05, 0.041, 0.141, 0.16, 0.137, 0.161, 0.168, 0.059, 0.096, 0.207)
COLUMNS = [("paracetamol", PARACETAMOL, 0), ("theophylline", THEOPHYLLINE, 1)]


# ------------------------------------------------------------------------------------------ composition


def test_organisms_and_tissues() -> None:
    assert organisms() == ("human",)
    assert tissues("human") == tuple(sorted(PBPKTOOLKIT))
    assert "Utsey" in body_composition("human").source


def test_composition_is_of_fractions() -> None:
    for tissue in tissues("human"):
        composition = tissue_composition(tissue, "human")
        assert all(0 < value < 1 for value in dataclasses.astuple(composition))
        contents = dataclasses.astuple(composition)[:5]
        # Adipose adds to 1.0045: its water, neutral lipid and phospholipid come from three measurements.
        assert 0.5 < sum(contents) < 1.01


def test_water_of_a_tissue_adds_up() -> None:
    """Total water as printed beside its two parts in the unified set."""
    printed = dict(zip(tissues("human"), WATER, strict=True))
    for tissue, water in printed.items():
        composition = tissue_composition(tissue, "human")
        parts = composition.extracellular_water + composition.intracellular_water
        assert parts == pytest.approx(water, abs=1e-12), tissue


def test_acidic_phospholipid_as_printed() -> None:
    """Through a base whose Kp it dominates, so that a value in the wrong column shows too."""
    drug = BASE | {"bp": 20.0}
    per_unit = phospholipid_affinity(**drug) * 100 / (1 + 10**1.6)
    for tissue, acidic in zip(tissues("human"), ACIDIC, strict=True):
        terms = rodgers_rowland_terms(tissue, **drug)
        assert terms.acidic_phospholipid == pytest.approx(per_unit * acidic, rel=1e-12), tissue
        assert terms.acidic_phospholipid > 0.5 * terms.total


def test_protein_ratios_are_those_of_rodgers_and_rowland() -> None:
    """The unified set took them over, but for the lipoprotein of adipose (0.069 for 0.068)."""
    for tissue, albumin, lipoprotein in zip(tissues("human"), ALBUMIN, LIPOPROTEIN, strict=True):
        composition = tissue_composition(tissue, "human")
        assert composition.albumin_ratio == albumin, tissue
        assert composition.lipoprotein_ratio == (0.069 if tissue == "adipose" else lipoprotein), tissue


def test_composition_cannot_be_changed() -> None:
    body = body_composition("human")
    with pytest.raises(TypeError):
        body.tissues["liver"] = body.tissues["lung"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        body.tissues["liver"].albumin_ratio = 0.0  # type: ignore[misc]


# ------------------------------------------------------------------------------------------ ionisation


def test_one_proton() -> None:
    assert ionisation.total_per_neutral(Ionisation((6.0,), ()), 7.0) == pytest.approx(11.0, rel=1e-14)
    assert ionisation.total_per_neutral(Ionisation((), (9.0,)), 7.0) == pytest.approx(101.0, rel=1e-14)
    assert ionisation.total_per_neutral(Ionisation(), 7.0) == 1


@pytest.mark.parametrize("order", [(9.0, 6.0), (6.0, 9.0)])
def test_two_protons_in_any_order(order: tuple[float, float]) -> None:
    # Base: 10^(9-7) + 10^(9+6-14); acid: 10^(7-6) + 10^(14-15).
    base, acid = Ionisation((), order), Ionisation(order, ())
    assert ionisation.cations_per_neutral(base, 7.0) == pytest.approx(110.0, rel=1e-14)
    assert ionisation.anions_per_neutral(base, 7.0) == 0
    assert ionisation.anions_per_neutral(acid, 7.0) == pytest.approx(10.1, rel=1e-14)
    assert ionisation.cations_per_neutral(acid, 7.0) == 0


def test_two_protons_agree_with_the_dissociation_constants() -> None:
    # H2A <-> HA- <-> A2-: solved from K1, K2 without powers of differences.
    k1, k2, h = 10**-4.2, 10**-6.9, 10**-7.4
    expected = 1 + k1 / h + k1 * k2 / h**2
    assert ionisation.total_per_neutral(Ionisation((4.2, 6.9), ()), 7.4) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("groups", "strong"),
    [
        (Ionisation(), False),
        (Ionisation((3.0,), ()), False),
        (Ionisation((), (6.999,)), False),
        (Ionisation((), (7.0,)), True),
        (Ionisation((), (3.0, 8.0)), True),
        (Ionisation((3.0,), (8.0,)), True),
        (Ionisation((9.0,), (2.0,)), False),
    ],
)
def test_class_of_a_drug(groups: Ionisation, strong: bool) -> None:
    assert groups.binds_acidic_phospholipids is strong
    assert groups.is_neutral is (groups == Ionisation())


# ------------------------------------------------------------------------------------ hand calculations


def test_weak_acid_by_hand() -> None:
    """Paracetamol in liver, each step from the printed composition."""
    p = 10**0.46  # 2.88403
    x, y = 1 + 10 ** (7 - 9.46), 1 + 10 ** (7.4 - 9.46)  # 1.003467, 1.008710
    plasma = (p * 0.003 + (0.3 * p + 0.7) * 0.005) / y
    protein = (1 / 0.82 - 1 - plasma) * 0.086
    lipid = (p * 0.037 + (0.3 * p + 0.7) * 0.0115) / y
    kpu = 0.161 + x / y * 0.573 + lipid + protein
    assert rodgers_rowland_unbound("liver", **PARACETAMOL) == pytest.approx(kpu, rel=1e-13)
    assert rodgers_rowland("liver", **PARACETAMOL) == pytest.approx(0.82 * kpu, rel=1e-13)
    assert 0.82 * kpu == pytest.approx(0.7151, abs=5e-5)


def test_neutral_drug_by_hand() -> None:
    """P = 10 by logP 1: no pH anywhere, lipoprotein instead of albumin."""
    # Plasma lipids hold 10*0.003 + 3.7*0.005 = 0.0485 of one unbound; protein 1/0.5 - 1 - 0.0485 = 0.9515.
    # Heart: 0.320 + 0.456 + 10*0.089 + 3.7*0.0079 + 0.9515*0.160.
    expected = 0.5 * (0.320 + 0.456 + 0.89 + 0.02923 + 0.15224)
    drug: dict[str, Any] = {
        "logp": 1.0,
        "ionisation": Ionisation(),
        "fup": 0.5,
        "bp": None,
        "hematocrit": None,
        "organism": "human",
    }
    assert rodgers_rowland("heart", **drug) == pytest.approx(expected, rel=1e-13)


def test_adipose_takes_vegetable_oil() -> None:
    # logP 1 in octanol is 1.115 - 1.35 = -0.235 in oil; plasma lipids stay with octanol.
    oil = 10**-0.235
    expected = 0.5 * (0.135 + 0.017 + oil * 0.798 + (0.3 * oil + 0.7) * 0.0478 + 0.9515 * 0.069)
    drug: dict[str, Any] = {
        "logp": 1.0,
        "ionisation": Ionisation(),
        "fup": 0.5,
        "bp": None,
        "hematocrit": None,
        "organism": "human",
    }
    assert rodgers_rowland("adipose", **drug) == pytest.approx(expected, rel=1e-13)


def test_weak_base_binds_albumin() -> None:
    weak = BASE | {"ionisation": Ionisation((), (5.0,)), "bp": None, "hematocrit": None}
    x, y = 1 + 10 ** (5 - 7.0), 1 + 10 ** (5 - 7.4)
    lipid = (10 * 0.037 + 3.7 * 0.0115) / y
    protein = (1 / 0.5 - 1 - 0.0485 / y) * 0.086
    expected = 0.5 * (0.161 + x / y * 0.573 + lipid + protein)
    assert rodgers_rowland("liver", **weak) == pytest.approx(expected, rel=1e-13)


def test_strong_base_by_hand() -> None:
    """Muscle, pKa 9: the affinity from red cells, then the tissue."""
    x, y, z = 101.0, 1 + 10**1.6, 1 + 10**1.78
    kpu_cells = (0.45 - 1 + 1.2) / (0.45 * 0.5)  # 2.8889
    held = z / y * 0.603 + (10 * 0.002 + 3.7 * 0.0025) / y
    affinity = (kpu_cells - held) * y / (0.0005 * (z - 1))
    assert phospholipid_affinity(**BASE) == pytest.approx(affinity, rel=1e-13)
    lipid = (10 * 0.013 + 3.7 * 0.0092) / y
    expected = 0.5 * (0.118 + x / y * 0.630 + lipid + affinity * 0.0019 * 100.0 / y)
    assert rodgers_rowland("muscle", **BASE) == pytest.approx(expected, rel=1e-13)
    terms = rodgers_rowland_terms("muscle", **BASE)
    assert terms.protein == 0
    assert terms.acidic_phospholipid == pytest.approx(affinity * 0.19 / y, rel=1e-13)


def test_red_cells_predict_themselves() -> None:
    """The affinity, put back into the red cell, gives the blood:plasma ratio it came from."""
    for groups in (Ionisation((), (9.0,)), Ionisation((), (6.5, 8.8)), Ionisation((5.0,), (8.5,))):
        drug = BASE | {"ionisation": groups}
        y = ionisation.total_per_neutral(groups, 7.4)
        z = ionisation.total_per_neutral(groups, 7.22)
        bound = phospholipid_affinity(**drug) * 0.0005 * ionisation.cations_per_neutral(groups, 7.22)
        kpu_cells = z / y * 0.603 + (10 * 0.002 + 3.7 * 0.0025 + bound) / y
        assert 1 - 0.45 + 0.45 * 0.5 * kpu_cells == pytest.approx(1.2, rel=1e-13)


def test_ampholyte_with_weak_base_by_hand() -> None:
    """Acid 9, base 4: albumin, and three species on each side of the membrane."""
    drug = BASE | {"ionisation": Ionisation((9.0,), (4.0,)), "bp": None, "hematocrit": None}
    x = 1 + 10 ** (4 - 7.0) + 10 ** (7.0 - 9)
    y = 1 + 10 ** (4 - 7.4) + 10 ** (7.4 - 9)
    lipid = (10 * 0.036 + 3.7 * 0.0502) / y
    protein = (1 / 0.5 - 1 - 0.0485 / y) * 0.277
    expected = 0.5 * (0.382 + x / y * 0.291 + lipid + protein)
    assert rodgers_rowland("skin", **drug) == pytest.approx(expected, rel=1e-13)


def test_zwitterion_with_strong_base_by_hand() -> None:
    """Acid 6, base 9: the cation alone binds acidic phospholipid, anions only change the totals."""
    drug = BASE | {"ionisation": Ionisation((6.0,), (9.0,))}
    x, y, z = 1 + 100 + 10, 1 + 10**1.6 + 10**1.4, 1 + 10**1.78 + 10**1.22
    kpu_cells = 0.65 / 0.225
    affinity = (kpu_cells - z / y * 0.603 - (10 * 0.002 + 3.7 * 0.0025) / y) * y / (0.0005 * 10**1.78)
    lipid = (10 * 0.003 + 3.7 * 0.0056) / y
    expected = 0.5 * (0.336 + x / y * 0.446 + lipid + affinity * 0.0014 * 100.0 / y)
    assert rodgers_rowland("lung", **drug) == pytest.approx(expected, rel=1e-13)


def test_kp_is_the_sum_of_its_terms() -> None:
    for tissue in tissues("human"):
        for drug in (PARACETAMOL, THEOPHYLLINE, BASE):
            parts = dataclasses.astuple(rodgers_rowland_terms(tissue, **drug))
            assert all(part >= 0 for part in parts)
            assert drug["fup"] * math.fsum(parts) == pytest.approx(rodgers_rowland(tissue, **drug), rel=1e-14)


# ------------------------------------------------------------------------------- against PBPKToolkit


@pytest.mark.parametrize(("name", "drug", "column"), COLUMNS)
def test_without_albumin_the_columns_of_pbpktoolkit(name: str, drug: dict[str, Any], column: int) -> None:
    # 0.002: half a unit of the printed digit, and what is left of the albumin term there (0.0017 in skin).
    for tissue, printed in PBPKTOOLKIT.items():
        terms = rodgers_rowland_terms(tissue, **drug)
        without = drug["fup"] * (terms.total - terms.protein)
        assert without == pytest.approx(printed[column], abs=0.002), (name, tissue)


@pytest.mark.parametrize(("name", "drug", "column"), COLUMNS)
def test_with_its_factor_the_columns_to_the_printed_digit(
    name: str, drug: dict[str, Any], column: int
) -> None:
    """The factor x/(1 + y) on the albumin term is the whole difference."""
    (pka,) = drug["ionisation"].acids
    factor = 10 ** (7 - pka) / (1 + 10 ** (7.4 - pka))
    for tissue, printed in PBPKTOOLKIT.items():
        terms = rodgers_rowland_terms(tissue, **drug)
        theirs = drug["fup"] * (terms.total - terms.protein + factor * terms.protein)
        assert theirs == pytest.approx(printed[column], abs=0.0005 + 1e-6), (name, tissue)


@pytest.mark.parametrize(
    ("drug", "column", "low", "high"), [(PARACETAMOL, 0, 0.01, 0.07), (THEOPHYLLINE, 1, 0.039, 0.265)]
)
def test_as_published_albumin_makes_it_higher(
    drug: dict[str, Any], column: int, low: float, high: float
) -> None:
    for tissue, printed in PBPKTOOLKIT.items():
        assert low < rodgers_rowland(tissue, **drug) / printed[column] - 1 < high, tissue


def test_theophylline_in_skin_as_published() -> None:
    assert rodgers_rowland("skin", **THEOPHYLLINE) == pytest.approx(0.548, abs=0.0005)


# --------------------------------------------------------------------------- inputs that contradict


def test_no_binding_below_zero() -> None:
    """fup = 1 leaves nothing for protein, and plasma lipids would make it negative."""
    drug = PARACETAMOL | {"fup": 1.0}
    affinity = protein_affinity(logp=0.46, ionisation=PARACETAMOL["ionisation"], fup=1.0, organism="human")
    assert affinity < 0
    terms = rodgers_rowland_terms("skin", **drug)
    assert terms.protein == 0
    assert terms.lipid > 0


def test_no_affinity_below_zero() -> None:
    """A blood:plasma ratio of 1 - hematocrit says that red cells hold nothing, not even in their water."""
    drug = BASE | {"bp": 0.55}
    assert phospholipid_affinity(**drug) < 0
    assert rodgers_rowland_terms("lung", **drug).acidic_phospholipid == 0
    assert rodgers_rowland("lung", **drug) > 0


def test_unread_blood_ratio_makes_no_difference() -> None:
    given = rodgers_rowland("liver", **PARACETAMOL)
    assert rodgers_rowland("liver", **(PARACETAMOL | {"bp": None, "hematocrit": None})) == given


# -------------------------------------------------------------------------------- symbolic objects


class Recorded:
    """A symbol: arithmetic makes a longer one, anything else fails. `evaluate` puts numbers in."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self.text = text

    def _binary(self, operator: str, other: Any, *, swap: bool = False) -> Recorded:
        mine, theirs = self.text, other.text if isinstance(other, Recorded) else repr(other)
        left, right = (theirs, mine) if swap else (mine, theirs)
        return Recorded(f"({left} {operator} {right})")

    def __add__(self, other: Any) -> Recorded:
        return self._binary("+", other)

    def __radd__(self, other: Any) -> Recorded:
        return self._binary("+", other, swap=True)

    def __sub__(self, other: Any) -> Recorded:
        return self._binary("-", other)

    def __rsub__(self, other: Any) -> Recorded:
        return self._binary("-", other, swap=True)

    def __mul__(self, other: Any) -> Recorded:
        return self._binary("*", other)

    def __rmul__(self, other: Any) -> Recorded:
        return self._binary("*", other, swap=True)

    def __truediv__(self, other: Any) -> Recorded:
        return self._binary("/", other)

    def __rtruediv__(self, other: Any) -> Recorded:
        return self._binary("/", other, swap=True)

    def __pow__(self, other: Any) -> Recorded:
        return self._binary("**", other)

    def __rpow__(self, other: Any) -> Recorded:
        return self._binary("**", other, swap=True)

    def _refuse(self, *_: Any) -> Any:
        raise AssertionError(f"{self.text} was compared or turned into a number")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = __float__ = __int__ = _refuse
    __neg__ = __abs__ = __array__ = _refuse

    def evaluate(self, values: dict[str, float]) -> float:
        return float(eval(self.text, {"__builtins__": {}}, values))


class RecordedPka(Recorded):
    """A symbol that knows its current value, for the choice of equation."""

    def __init__(self, text: str, value: float) -> None:
        super().__init__(text)
        self.value = value

    def __float__(self) -> float:
        return self.value


SYMBOLS = {name: Recorded(name) for name in ("logp", "fup", "bp", "hematocrit")}


def compare(symbolic: dict[str, Any], numeric: dict[str, Any], values: dict[str, float]) -> None:
    for tissue in tissues("human"):
        expression = rodgers_rowland(tissue, **symbolic, organism="human")
        assert isinstance(expression, Recorded)
        expected = rodgers_rowland(tissue, **numeric, organism="human")
        # 1e-12: the same arithmetic but for the positive part, whose square root rounds once more.
        assert expression.evaluate(values) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "groups",
    [
        Ionisation(),
        Ionisation((4.5,), ()),
        Ionisation((3.0, 6.5), ()),
        Ionisation((), (5.0,)),
        Ionisation((), (8.2,)),
        Ionisation((9.4,), (3.1,)),
        Ionisation((3.1,), (9.4,)),
    ],
)
@pytest.mark.parametrize(("fup", "bp"), [(0.3, 1.4), (1.0, 0.55)])
def test_symbolic_drug_gives_the_numeric_value(groups: Ionisation, fup: float, bp: float) -> None:
    """Also where a binding constant is cut off at zero (fup 1, bp 1 - hematocrit)."""
    values = {"logp": 1.3, "fup": fup, "bp": bp, "hematocrit": 0.45}
    compare({**SYMBOLS, "ionisation": groups}, {**values, "ionisation": groups}, values)


def test_symbolic_pka_stays_in_the_expression() -> None:
    values = {"logp": 1.3, "fup": 0.3, "bp": 1.4, "hematocrit": 0.45, "pk": 8.2}
    numeric = {name: values[name] for name in SYMBOLS}
    base = Ionisation((), (RecordedPka("pk", 8.2),))
    compare({**SYMBOLS, "ionisation": base}, {**numeric, "ionisation": Ionisation((), (8.2,))}, values)
    expression = rodgers_rowland("liver", **SYMBOLS, ionisation=base, organism="human")
    assert "pk" in expression.text
    # The equation was chosen at 8.2 and keeps its form when pk moves.
    moved = rodgers_rowland("liver", **numeric, ionisation=Ionisation((), (9.0,)), organism="human")
    assert expression.evaluate(values | {"pk": 9.0}) == pytest.approx(moved, rel=1e-12)


def test_single_symbolic_acid_needs_no_value() -> None:
    values = {"logp": 1.3, "fup": 0.3, "bp": 1.4, "hematocrit": 0.45, "pk": 4.5}
    numeric = {name: values[name] for name in SYMBOLS}
    acid = Ionisation((Recorded("pk"),), ())
    compare({**SYMBOLS, "ionisation": acid}, {**numeric, "ionisation": Ionisation((4.5,), ())}, values)


def test_own_positive_part_is_used() -> None:
    def at_least_zero(x: Any) -> Recorded:
        return Recorded(f"max({x.text}, 0)")

    drug: dict[str, Any] = {**SYMBOLS, "ionisation": Ionisation((4.5,), ()), "organism": "human"}
    text = rodgers_rowland("liver", **drug, positive_part=at_least_zero).text
    assert "max(" in text
    assert "0.5" not in text


def test_sympy_expression_can_be_differentiated() -> None:
    sympy = pytest.importorskip("sympy")
    symbols = {name: sympy.Symbol(name, positive=True) for name in SYMBOLS}
    groups = Ionisation((), (sympy.Float(8.2),))
    expression = rodgers_rowland(
        "liver", **symbols, ionisation=groups, organism="human", positive_part=lambda x: sympy.Max(x, 0)
    )
    values = {"logp": 1.3, "fup": 0.3, "bp": 1.4, "hematocrit": 0.45}
    at = {symbols[name]: value for name, value in values.items()}

    def kp(bp: float) -> float:
        drug = values | {"bp": bp}
        return rodgers_rowland("liver", **drug, ionisation=Ionisation((), (8.2,)), organism="human")

    assert float(expression.subs(at)) == pytest.approx(kp(1.4), rel=1e-12)
    slope = (kp(1.5) - kp(1.3)) / 0.2  # Kp is linear in bp
    assert float(sympy.diff(expression, symbols["bp"]).subs(at)) == pytest.approx(slope, rel=1e-9)


def test_the_room_loads_no_sympy() -> None:
    code = "import sys, pbpkc.body; print([m for m in ('sympy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ----------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("tissue", ["pancreas", "Liver", ""])
def test_unknown_tissue_names_the_known(tissue: str) -> None:
    with pytest.raises(ValueError, match=r"adipose, bone, .*, spleen") as problem:
        rodgers_rowland(tissue, **PARACETAMOL)
    assert repr(tissue) in str(problem.value)


def test_unknown_organism_names_the_known() -> None:
    for call in (
        lambda: rodgers_rowland("liver", **(PARACETAMOL | {"organism": "rat"})),
        lambda: tissues("rat"),
        lambda: tissue_composition("liver", "rat"),
    ):
        with pytest.raises(ValueError, match=r"organism='rat'.*accepted: human"):
            call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fup": 0.0}, "fup=0.0"),
        ({"fup": 1.01}, "fup=1.01"),
        ({"fup": math.nan}, "fup=nan"),
        ({"fup": 82}, "fup=82"),
        ({"logp": 300.0}, "logp=300.0"),
        ({"logp": -math.inf}, "logp=-inf"),
        ({"bp": 0.0}, "bp=0.0"),
        ({"bp": math.inf}, "bp=inf"),
        ({"hematocrit": 0}, "hematocrit=0"),
        ({"hematocrit": 45.0}, "hematocrit=45.0"),
    ],
)
def test_number_out_of_range(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rodgers_rowland("liver", **(BASE | change))


@pytest.mark.parametrize("name", ["logp", "fup", "bp", "hematocrit"])
@pytest.mark.parametrize("value", [None, "0.5"])
def test_no_quantity_at_all(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name}="):
        rodgers_rowland("liver", **(BASE | {name: value}))


@pytest.mark.parametrize(
    ("acids", "bases", "error", "message"),
    [
        ([9.4], (), TypeError, r"acids=.*list.*tuple"),
        (9.4, (), TypeError, "acids=9.4"),
        ((), ("8",), TypeError, r"bases\[0\]='8'"),
        ((3.0, None), (), TypeError, r"acids\[1\]=None"),
        ((math.nan,), (), ValueError, r"acids\[0\]=nan"),
        ((), (7.0, 400.0), ValueError, r"bases\[1\]=400.0"),
    ],
)
def test_bad_pka(acids: Any, bases: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Ionisation(acids, bases)


@pytest.mark.parametrize("groups", [Ionisation((), (object(),)), Ionisation((4.0, object()), ())])
def test_pka_without_the_value_that_decides(groups: Ionisation) -> None:
    with pytest.raises(ValueError, match="has no numeric value"):
        rodgers_rowland("liver", **(BASE | {"ionisation": groups}))


def test_affinity_without_a_base() -> None:
    with pytest.raises(ValueError, match="has no base"):
        phospholipid_affinity(**PARACETAMOL)


def test_examples_in_docstrings() -> None:
    for module in (partition, ionisation):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0
