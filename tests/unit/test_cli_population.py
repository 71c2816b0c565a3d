"""``pbpkc population``: files, summary, and specs that have nobody to draw."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from cli_case import TINY, call, write

import pbpkc
from pbpkc.experiment.people_file import read_people

#: A population of two quantities.
CROWD = TINY + "population adults { BW ~ normal(cv = 15 [%]); k ~ lognormal(cv = 30 [%]) }\n"


def test_the_files_and_the_summary(tmp_path: Path) -> None:
    spec, out = write(tmp_path, CROWD), tmp_path / "people.csv"
    ran = call("population", spec, "-n", "300", "--seed", "7", "-o", out)
    assert ran.code == 0
    assert "300 people of population 'adults', seed 7" in ran.out
    rows = list(csv.DictReader(out.open(newline="")))
    assert list(rows[0]) == ["id", "BW", "k"]
    assert [row["id"] for row in rows] == [str(i) for i in range(1, 301)]
    told = json.loads((tmp_path / "people.csv.json").read_text())
    assert told["columns"] == {"id": None, "BW": "kg", "k": "1/h"}
    assert (told["seed"], told["n"], told["population"], told["model"]) == (7, 300, "adults", "tiny")
    assert told["fingerprint"] == pbpkc.load(spec).generated.fingerprint
    assert set(told["versions"]) == {"python", "pbpkc", "numpy", "scipy"}


def test_same_seed_same_bytes_and_the_first_of_many_are_those_of_few(tmp_path: Path) -> None:
    spec = write(tmp_path, CROWD)
    for name, n in (("a.csv", 40), ("b.csv", 40), ("c.csv", 10)):
        assert call("population", spec, "-n", n, "--seed", "3", "-o", tmp_path / name).code == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.csv", "b.csv", "c.csv"))
    assert a == b
    assert a.startswith(c)
    assert (tmp_path / "a.csv.json").read_bytes() == (tmp_path / "b.csv.json").read_bytes()


def test_json_and_python_agree(tmp_path: Path) -> None:
    spec = write(tmp_path, CROWD)
    found = call(
        "population", spec, "-n", "50", "--seed", "2", "--set", "k = 0.3 1/h", "--format", "json"
    ).json()
    people = pbpkc.load(spec).with_settings(set="k = 0.3 1/h").population(50, seed=2)
    frame = people.to_frame()
    assert found["settings"] == {"set": ["k = 0.3 1/h"]}
    assert found["summary"]["k"]["mean"] == pytest.approx(frame["k"].mean(), rel=1e-12)
    assert found["summary"]["k"]["sd"] == pytest.approx(frame["k"].std(), rel=1e-12)
    assert found["summary"]["BW"]["percentiles"]["95"] == pytest.approx(frame["BW"].quantile(0.95))
    assert found["summary"]["k"]["percentiles"]["50"] == pytest.approx(0.3, rel=0.2)


def test_what_was_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    model = pbpkc.load(write(tmp_path, CROWD))
    people = model.population(20, seed=1)
    people.write(tmp_path / "people.csv")
    again = read_people(tmp_path / "people.csv", model.model)
    assert again.ids == people.ids
    assert again.values.tobytes() == people.values.tobytes()
    assert again.provenance["seed"] == 1


def test_a_spec_without_a_population_shows_the_lines_to_add(tmp_path: Path) -> None:
    spec = write(tmp_path, TINY)
    ran = call("population", spec)
    assert ran.code == 1
    assert "error[no-population]" in ran.err
    lines = ran.err[ran.err.index("population people {") :]
    block = lines[: lines.index("}") + 1]
    assert "BW ~ lognormal(cv = 30 [%])" in block
    assert call("population", write(tmp_path, TINY + block + "\n"), "-n", "3").code == 0


def test_a_name_is_asked_for_where_there_are_several(tmp_path: Path) -> None:
    spec = write(tmp_path, CROWD + "population children { BW ~ normal(40 [kg], cv = 10 [%]) }\n")
    ran = call("population", spec)
    assert (ran.code, "(adults, children)" in ran.err) == (2, True)
    ran = call("population", spec, "--population", "childre")
    assert (ran.code, "a similar name is 'children'" in ran.err) == (2, True)
    assert "population 'children'" in call("population", spec, "--population", "children", "-n", "5").out


def test_the_spec_is_never_overwritten(tmp_path: Path) -> None:
    spec = write(tmp_path, CROWD)
    assert call("population", spec, "-o", spec).code == 2
    assert spec.read_text() == CROWD


# ---- files of people that do not fit -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        ("id,BW\n1,70\n", None, "there is no"),
        ("id,BW\n1,70\n", '{"columns": {}}', "the unit of the column 'BW' is not told"),
        ("id,BW\n1,70\n", '{"columns": 3}', "has no 'columns'"),
        ("id,BW\n1,70\n", "BW is in kg", "is no JSON text"),
        ("id,BW\n1,70\n", '{"columns": {"BW": "L"}}', "the column 'BW' is in [L]"),
        ("id,BW\n1,70\n", '{"columns": {"BW": "stone"}}', "column 'BW'"),
        ("id,bw\n1,70\n", '{"columns": {"bw": "kg"}}', "one with a similar name exists: 'BW'"),
        ("id,plasma.D.C\n1,70\n", '{"columns": {}}', "is computed and cannot be given"),
        ("id,SEX\n1,0\n", '{"columns": {"SEX": "1"}}', "the column 'SEX' is nothing of the model"),
        ("id\n1\n", '{"columns": {}}', "no column beside 'id'"),
        ("BW\n70\n", '{"columns": {"BW": "kg"}}', "no column 'id'"),
        ("id,BW,BW\n1,70,71\n", '{"columns": {"BW": "kg"}}', "stands twice"),
        ("id,BW\n+cmd,70\n", '{"columns": {"BW": "kg"}}', "'+cmd' would be run as a formula"),
        ("id,BW\n1,70\n1,71\n", '{"columns": {"BW": "kg"}}', "two people have the id '1'"),
        ("id,BW\n,70\n", '{"columns": {"BW": "kg"}}', "a person has no id"),
        ("id,BW\n1,.\n", '{"columns": {"BW": "kg"}}', "'BW' of person '1' has no value"),
        ("id,BW\n1,heavy\n", '{"columns": {"BW": "kg"}}', "'BW' of person '1' is 'heavy'"),
        ("id,BW\n1,1e999\n", '{"columns": {"BW": "kg"}}', "is '1e999'"),
        ("id,BW\n", '{"columns": {"BW": "kg"}}', "a header and no rows"),
    ],
)
def test_a_file_that_does_not_fit_says_why(
    tmp_path: Path, content: str, columns: str | None, said: str
) -> None:
    model = pbpkc.load(write(tmp_path, CROWD)).model
    path = write(tmp_path, content, "people.csv")
    if columns is not None:
        write(tmp_path, columns, "people.csv.json")
    with pytest.raises(pbpkc.SpecError) as caught:
        read_people(path, model)
    assert said in str(caught.value)


def test_other_units_of_the_same_kind_are_converted(tmp_path: Path) -> None:
    model = pbpkc.load(write(tmp_path, CROWD)).model
    path = write(tmp_path, "k,id,BW\n0.01,me,70000\n", "people.csv")
    write(tmp_path, '{"columns": {"BW": "g", "k": "1/min"}}', "people.csv.json")
    found = read_people(path, model)
    assert found.ids == ("me",)
    columns = {name: column.tolist() for name, column in found.columns().items()}
    assert columns == {"k": [pytest.approx(0.6)], "BW": [pytest.approx(70.0)]}


@pytest.mark.parametrize(
    "text",
    [
        "BW,id,k\n70,a,0.1\n80.5,b,2e-1\n",
        "BW,id,k\n70, a ,0.1\n80.5,b,2e-1\n",
        '# people\nBW,id,k\n70,"a",0.1\n\n80.5,b,2e-1,\n',
    ],
)
def test_a_file_is_read_the_same_in_haste_and_with_care(tmp_path: Path, text: str) -> None:
    """Quotes, blanks and comments make no difference to the numbers."""
    model = pbpkc.load(write(tmp_path, CROWD)).model
    path = write(tmp_path, text, "people.csv")
    write(tmp_path, '{"columns": {"BW": "kg", "k": "1/h"}}', "people.csv.json")
    found = read_people(path, model)
    assert (found.ids, found.names) == (("a", "b"), ("BW", "k"))
    assert found.values.tolist() == [[70.0, 0.1], [80.5, 0.2]]
