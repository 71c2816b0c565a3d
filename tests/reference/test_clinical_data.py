"""The clinical data that ship with the specs are the published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, comment="#", na_values=".")


def test_theophylline_equals_the_reference(specs: Path, shared_data: Path) -> None:
    ours = _read(specs / "data" / "theophylline_boeckmann1994.csv")
    theirs = _read(shared_data / "clinical" / "theophylline_oral.csv")
    for column in ("ID", "TIME", "EVID", "MDV", "CMT", "DV", "WT"):
        np.testing.assert_array_equal(ours[column], theirs[column], err_msg=column)
    np.testing.assert_array_equal(ours["AMT"].fillna(0), theirs["AMT"])


def test_theophylline_is_twelve_subjects_of_eleven_samples(specs: Path) -> None:
    table = _read(specs / "data" / "theophylline_boeckmann1994.csv")
    assert table.groupby("ID")["EVID"].agg(["sum", "size"]).to_numpy().tolist() == [[1, 12]] * 12
    # Boeckmann 1994: doses of 3.1 to 5.86 mg/kg.
    doses = table[table["EVID"] == 1]
    assert (doses["AMT"] / doses["WT"]).round(2).agg(["min", "max"]).tolist() == [3.10, 5.86]


@pytest.mark.parametrize(("ours_id", "theirs_id"), [(1, 2), (2, 9), (3, 7), (4, 8)])
def test_paracetamol_equals_the_digitised_curves(
    specs: Path, shared_data: Path, ours_id: int, theirs_id: int
) -> None:
    ours = _read(specs / "data" / "paracetamol_rawlins1977.csv").query(f"ID == {ours_id}")
    theirs = _read(shared_data / "clinical" / "paracetamol_dev.csv").query(f"ID == {theirs_id}")
    np.testing.assert_array_equal(ours["TIME"], theirs["TIME"])
    np.testing.assert_array_equal(ours["AMT"].fillna(0), theirs["AMT"])
    np.testing.assert_array_equal(ours["RATE"].fillna(0), theirs["RATE"])
    # Ours are rounded to 0.01 mg/L.
    np.testing.assert_allclose(ours["DV"], theirs["DV"], atol=0.0051)
    if ours_id == 1:
        np.testing.assert_allclose(ours["SEM"], theirs["DVSD"], atol=0.0051)


def test_paracetamol_is_ten_intravenous_and_twenty_one_oral_means(specs: Path) -> None:
    table = _read(specs / "data" / "paracetamol_rawlins1977.csv")
    assert table.groupby("ID")["DV"].count().tolist() == [10, 7, 7, 7]
    # Rawlins 1977: 1 g over 15 min.
    infusion = table[(table["ID"] == 1) & (table["EVID"] == 1)].iloc[0]
    assert infusion["AMT"] / infusion["RATE"] * 60 == 15


def test_intravenous_theophylline_is_two_means_of_their_infusions(specs: Path) -> None:
    table = _read(specs / "data" / "theophylline_iv_means.csv")
    assert table.groupby("ID")["DV"].count().tolist() == [20, 11]
    infusions = table[table["EVID"] == 1]
    assert (infusions["AMT"] / infusions["RATE"]).tolist() == [8, 0.5]
    assert (infusions["AMT"] / infusions["WT"]).tolist()[1] == 4.5
