"""``pbpkc nca``: what it reads, what it writes, and what it says of files that are wrong."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pbpkc.cli.nca import command
from pbpkc.experiment.nca import NCAOptions, nca

TIMES = (0.5, 1, 2, 4, 8, 12)
CURVES = {"1": (2.0, 5.0, 4.0, 2.5, 1.0, 0.4), "2": (3.0, 7.0, 6.0, 4.0, 2.0, 1.0)}


def rows(dose: float = 100, rate: float = 0, header: str = "ID,TIME,AMT,RATE,EVID,MDV,DV") -> list[str]:
    lines = [header]
    for subject, curve in CURVES.items():
        lines.append(f"{subject},0,{dose},{rate},1,1,.")
        lines += [f"{subject},{t},.,.,0,0,{c}" for t, c in zip(TIMES, curve, strict=True)]
    return lines


def write(tmp_path: Path, content: list[str] | str | bytes) -> Path:
    path = tmp_path / "study.csv"
    if isinstance(content, list):
        content = "\n".join(content) + "\n"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def run(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(command, [str(path), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def figures(path: Path, *options: str, code: int = 0) -> list[dict[str, float]]:
    result = run(path, *options, "--format", "json")
    assert result.exit_code == code, result.stderr
    return [curve["figures"] for curve in json.loads(result.stdout)["curves"]]


# ---- what it computes ---------------------------------------------------------------------------------


def test_figures_are_those_of_the_function(tmp_path: Path) -> None:
    found = figures(write(tmp_path, rows()), "--dose", "100 mg")
    for got, curve in zip(found, CURVES.values(), strict=True):
        for name, value in nca(TIMES, curve, dose=100).figures().items():
            assert got[name] == (None if math.isnan(value) else value), name


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        (("--dose", "100 mg"), 1),
        (("--dose", "0.1 [g]"), 1),
        (("--dose", "2 mg/kg"), 0.02),
        ((), 1),
        (("--amt-unit", "g"), 1000),
        (("--conc-unit", "ng/mL"), 1000),
        (("--conc-unit", "umol/L", "--amt-unit", "mmol"), 1000),
        (("--conc-unit", "IU/L"), 1),
    ],
)
def test_volumes_are_litres_whatever_the_units(
    tmp_path: Path, options: tuple[str, ...], factor: float
) -> None:
    found = figures(write(tmp_path, rows()), *options)[0]
    expected = nca(TIMES, CURVES["1"], dose=100 * factor)
    assert found["cl_obs"] == pytest.approx(expected.cl_obs, rel=1e-14)
    assert found["vz_obs"] == pytest.approx(expected.vz_obs, rel=1e-14)
    content = json.loads(run(write(tmp_path, rows()), *options, "--format", "json").stdout)
    assert content["units"]["vz_obs"] == ("L/kg" if "2 mg/kg" in options else "L")


def test_each_subject_has_its_own_dose(tmp_path: Path) -> None:
    lines = rows()
    lines[8] = "2,0,300,0,1,1,."
    result = run(write(tmp_path, lines), "--format", "json")
    content = json.loads(result.stdout)
    assert [curve["dose"] for curve in content["curves"]] == ["100 mg", "300 mg"]
    assert "dose: AMT of each curve, in [mg]" in content["remarks"]
    assert content["curves"][1]["figures"]["cl_obs"] == nca(TIMES, CURVES["2"], dose=300).cl_obs


def test_infusion_from_the_file_and_from_the_option(tmp_path: Path) -> None:
    options = NCAOptions(route="infusion", infusion_duration=2.0)
    expected = nca(TIMES, CURVES["1"], dose=100, options=options)
    assert not math.isnan(expected.vss_obs)
    by_rate = figures(write(tmp_path, rows(rate=50)))[0]
    assert by_rate["vss_obs"] == expected.vss_obs
    by_option = figures(write(tmp_path, rows()), "--infusion", "120 min")[0]
    assert by_option == by_rate
    assert figures(write(tmp_path, rows(rate=50)), "--route", "extravascular")[0]["vss_obs"] is None


def test_time_zero_is_the_dose(tmp_path: Path) -> None:
    later = rows()[:1]
    for subject, curve in CURVES.items():
        later.append(f"{subject},24,100,0,1,1,.")
        later += [f"{subject},{24 + t},.,.,0,0,{c}" for t, c in zip(TIMES, curve, strict=True)]
    assert figures(write(tmp_path, later)) == figures(write(tmp_path, rows()))


def test_rows_that_do_not_count(tmp_path: Path) -> None:
    lines = rows()
    lines[4:4] = [
        "1,1.5,.,.,0,1,99",
        "1,1.6,.,.,2,1,99",
        "1,1.7,.,.,0,0,.",
        "1,1.8,.,.,0,0,",
        "",
        "# remark, of, 3",
    ]
    result = run(write(tmp_path, lines), "--format", "json")
    content = json.loads(result.stdout)
    assert [c["figures"] for c in content["curves"]] == figures(write(tmp_path, rows()))
    assert "2 observation rows without a value left out" in content["curves"][0]["notes"]


def test_plain_file_of_one_curve(tmp_path: Path) -> None:
    lines = ["time,x", *(f"{t},{c}" for t, c in zip(TIMES, CURVES["1"], strict=True))]
    result = run(write(tmp_path, lines), "--time", "time", "--conc", "x", "--format", "json")
    content = json.loads(result.stdout)
    assert content["curves"][0]["curve"] == {}
    assert content["curves"][0]["figures"]["cl_obs"] is None
    assert "dose: none given and none in the file, so no clearance and no volume" in content["remarks"]


def test_analytes_share_the_dose_of_their_subject(tmp_path: Path) -> None:
    lines = ["ID,DVID,TIME,AMT,DV", "1,0,0,100,."]
    for analyte, curve in CURVES.items():
        lines += [f"1,{analyte},{t},0,{c}" for t, c in zip(TIMES, curve, strict=True)]
    found = figures(write(tmp_path, lines), "--by", "ID,DVID")
    assert [f["cl_obs"] for f in found] == [nca(TIMES, c, dose=100).cl_obs for c in CURVES.values()]


def test_occasions_do_not_share_a_dose(tmp_path: Path) -> None:
    lines = ["ID,OCC,TIME,AMT,DV", "1,1,0,100,."]
    for occasion, curve in CURVES.items():
        lines += [f"1,{occasion},{t},0,{c}" for t, c in zip(TIMES, curve, strict=True)]
    found = figures(write(tmp_path, lines), "--by", "ID,OCC")
    assert found[0]["cl_obs"] == nca(TIMES, CURVES["1"], dose=100).cl_obs
    assert found[1]["cl_obs"] is None


def test_occasions_by_reset(tmp_path: Path) -> None:
    lines = ["ID,OCC,TIME,AMT,EVID,DV"]
    for occasion, curve in CURVES.items():
        lines.append(f"1,{occasion},0,100,4,.")
        lines += [f"1,{occasion},{t},0,0,{c}" for t, c in zip(TIMES, curve, strict=True)]
    assert figures(write(tmp_path, lines), "--by", "ID,OCC") == figures(write(tmp_path, rows()))


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (("1.0", "0.4"), ("--lloq", "1.5")),
        (("<1.5", "<1.5"), ()),
        (("BLQ", "blq"), ("--lloq", "1.5")),
        (("1.5,1", "1.5,1"), ()),
    ],
)
def test_values_below_quantification(
    tmp_path: Path, cells: tuple[str, str], options: tuple[str, ...]
) -> None:
    lines = ["ID,TIME,DV,CENS"]
    given = [str(c) for c in CURVES["1"][:4]] + list(cells)
    lines += [f"1,{t},{c}" + ("" if "," in c else ",0") for t, c in zip(TIMES, given, strict=True)]
    path = write(tmp_path, lines)
    assert figures(path, *options)[0]["tlast"] == 4
    half = figures(path, *options, "--blq", "half")[0]
    assert (half["clast"], half["tlast"]) == (0.75, 12)


# ---- what it writes -----------------------------------------------------------------------------------


def test_text_has_units_means_and_rules(tmp_path: Path) -> None:
    result = run(write(tmp_path, rows()), "--dose", "100 mg", "--method", "linear", "--lambda-z", "last:3")
    lines = result.stdout.splitlines()
    assert (
        "rules: AUC linear; terminal line last 3 points; below quantification zero_before_first_then_drop"
        in lines
    )
    head = next(i for i, line in enumerate(lines) if "cl_obs" in line)
    assert lines[head].split() == ["ID", "cl_obs", "vz_obs"]
    assert lines[head + 1].split() == ["[L/h]", "[L]"]
    options = NCAOptions(auc_method="linear", terminal=3)
    cls = [nca(TIMES, c, dose=100, options=options).cl_obs for c in CURVES.values()]
    assert lines[head + 2].split()[:2] == ["1", f"{cls[0]:.4g}"]
    assert lines[head + 5].split()[:3] == ["geometric", "mean", f"{math.sqrt(cls[0] * cls[1]):.4g}"]
    assert "note: assumed TIME in h (--time-unit) and DV in mg/L (--conc-unit)" in result.stderr
    assert max(map(len, lines)) <= 110


def test_csv_reads_back(tmp_path: Path) -> None:
    result = run(write(tmp_path, rows()), "--dose", "100 mg", "--format", "csv", "--time-unit", "min")
    table = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["ID"] for row in table] == ["1", "2", "geometric mean"]
    expected = nca(TIMES, CURVES["1"], dose=100)
    assert float(table[0]["auc_inf_obs [mg*min/L]"]) == expected.auc_inf_obs
    assert float(table[0]["cl_obs [L/min]"]) == expected.cl_obs
    assert table[0]["vss_obs [L]"] == ""
    assert table[0]["n_points"] == str(expected.n_points)
    assert table[0]["notes"].startswith("no sample at time 0")


def test_summary_counts_what_it_used(tmp_path: Path) -> None:
    lines = rows()
    # The second subject then rises to the end and has no terminal line.
    lines[-3:] = ["2,4,.,.,0,0,7.5", "2,8,.,.,0,0,8", "2,12,.,.,0,0,9"]
    content = json.loads(run(write(tmp_path, lines), "--format", "json").stdout)
    assert content["summary"]["cmax"]["n"] == 2
    assert content["summary"]["half_life"]["n"] == 1
    first = content["curves"][0]["figures"]["half_life"]
    assert content["summary"]["half_life"]["geometric_mean"] == pytest.approx(first, rel=1e-15)
    assert content["summary"]["half_life"]["geometric_cv_pct"] is None
    spread = math.log(9 / 5) / math.sqrt(2)
    assert content["summary"]["cmax"]["geometric_cv_pct"] == pytest.approx(
        100 * math.sqrt(math.exp(spread**2) - 1)
    )


def test_output_file_is_whole_or_not_there(tmp_path: Path) -> None:
    out = tmp_path / "nca.json"
    result = run(write(tmp_path, rows()), "--format", "json", "-o", str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(json.loads(out.read_text())["curves"]) == 2
    out.unlink()
    assert run(write(tmp_path, [*rows()[:3], "x"]), "-o", str(out)).exit_code == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study.csv"]
    assert run(write(tmp_path, rows()), "-o", str(tmp_path / "absent" / "nca.txt")).exit_code == 2


def test_partial_result_has_its_own_status(tmp_path: Path) -> None:
    lines = rows()
    lines.insert(9, "2,0.2,100,0,1,1,.")
    result = run(write(tmp_path, lines), "--format", "json")
    assert result.exit_code == 4
    content = json.loads(result.stdout)
    assert [c["curve"]["ID"] for c in content["curves"]] == ["1"]
    assert content["refused"][0]["code"] == "nca-several-doses"
    assert (content["refused"][0]["line"], content["refused"][0]["column"]) == (10, 7)
    # Counted as one dose it is analysed.
    assert len(figures(write(tmp_path, lines), "--dose", "200 mg")) == 2


def test_same_reason_is_said_once(tmp_path: Path) -> None:
    lines = [line.replace("MDV", "SS").replace(",1,1,.", ",1,1,.") for line in rows()]
    result = run(write(tmp_path, lines))
    assert result.exit_code == 1
    assert result.stderr.count("error[nca-repeated-dose]") == 1
    assert "the same holds for 1 more: 2" in result.stderr


# ---- files that are wrong -----------------------------------------------------------------------------

GOOD = rows()


def changed(line: int, text: str) -> list[str]:
    """The good file with one line (from 1) replaced."""
    return [*GOOD[: line - 1], text, *GOOD[line:]]


@pytest.mark.parametrize(
    ("content", "options", "code", "place"),
    [
        ("", (), "data-empty", "1:1"),
        ("\n \n", (), "data-empty", "1:1"),
        (GOOD[:1], (), "data-empty", "1:29"),
        ([line.replace(",", ";") for line in GOOD], (), "data-delimiter", "1:1"),
        ([line.replace(",", "\t") for line in GOOD], (), "data-delimiter", "1:1"),
        ([line.replace(",", " ") for line in GOOD], (), "data-delimiter", "1:1"),
        ([GOOD[0].replace(",DV", ",conc"), *GOOD[1:]], (), "data-missing-column", "1:31"),
        (GOOD, ("--by", "SUBJ"), "data-missing-column", "1:29"),
        (["ID,ID,TIME,DV", "1,1,0,1"], (), "data-duplicate-column", "1:4"),
        (changed(4, "@SUM(A1),1,.,.,0,0,5"), (), "data-formula", "4:1"),
        (changed(4, "-2+3,1,.,.,0,0,5"), (), "data-formula", "4:1"),
        (["=ID,TIME,DV", "1,0,5", "1,1,5"], ("--by", "=ID"), "data-formula", "1:1"),
        (changed(4, "1,1,.,.,0,0,5.0x"), (), "data-not-a-number", "4:13"),
        (changed(4, "1,one,.,.,0,0,5"), (), "data-not-a-number", "4:3"),
        (changed(4, "1,1,.,.,0,0,nan"), (), "data-not-a-number", "4:13"),
        (changed(4, "1,1,.,.,0,0,1_0"), (), "data-not-a-number", "4:13"),
        (changed(4, "1,1,.,.,0,0,<x"), (), "data-not-a-number", "4:13"),
        (changed(4, "1,1,.,.,0,0,-5"), (), "data-negative", "4:13"),
        (changed(4, "1,.,.,.,0,0,5"), (), "data-missing-time", "4:3"),
        (changed(4, "1,1,.,.,7,0,5"), (), "data-evid", "4:9"),
        (changed(4, "1,1,.,.,3,0,5"), (), "data-reset", "4:9"),
        (changed(4, "1,1,9,0,4,1,."), (), "data-reset", "4:9"),
        (changed(4, "1,1,.,.,0,0,5,0"), (), "data-row-length", "4:1"),
        (changed(4, "1,1,.,.,0"), (), "data-row-length", "4:1"),
        (changed(4, '1,1,.,.,0,0,"5'), (), "data-quotes", "4:1"),
        (changed(4, "1,0.1,.,.,0,0,5"), (), "data-time-backwards", "4:3"),
        (changed(4, "1,1,.,.,0,0,BLQ"), ("--blq", "half"), "data-no-limit", "4:13"),
        (GOOD[:2], (), "data-no-samples", "2:16"),
        (["ID,TIME,DVID,DV", "1,0,1,5", "1,0,2,6"], (), "data-mixed", "3:5"),
        (["ID,TIME,DV", "1,0,5", "1,0,6"], (), "nca-time-twice", "3:3"),
        (["ID,TIME,AMT,DV", "1,0,.,5", "1,1,100,.", "1,2,100,."], (), "nca-several-doses", "4:5"),
        (["ID,TIME,AMT,EVID,DV", "1,0,.,1,.", "1,1,.,0,5"], (), "nca-no-amount", "2:5"),
        (["ID,TIME,AMT,RATE,DV", "1,0,5,-2,.", "1,1,.,.,5"], (), "nca-no-duration", "2:5"),
        (["ID,TIME,AMT,DV", "1,0,5,.", "1,1,.,5"], ("--route", "infusion"), "nca-no-duration", "2:5"),
        ("\n".join([*GOOD, "1,9,.,.,0,0,é"]).encode("latin-1"), (), "data-encoding", "16:13"),
    ],
)
def test_wrong_files(
    tmp_path: Path, content: list[str], options: tuple[str, ...], code: str, place: str
) -> None:
    path = write(tmp_path, content)
    result = run(path, *options)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"error[{code}]" in result.stderr
    assert f"{path}:{place}" in result.stderr


@pytest.mark.parametrize("content", ["ID,TIME,DV".encode("utf-16"), b"PK\x03\x04\0\0\0"])
def test_files_that_are_not_text(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    result = run(path)
    assert result.exit_code == 1
    assert "error[data-encoding]" in result.stderr
    assert str(path) in result.stderr


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    lines = [GOOD[0], "1,x,.,.,0,0,y", *("1,1,.,.,0,0,z" for _ in range(30))]
    stderr = run(write(tmp_path, lines)).stderr
    assert "'x' is not a number" in stderr
    assert stderr.count("error[data-not-a-number]") == 20
    assert "11 more problems of the data file not shown" in stderr


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path, mark: bytes, ends: str) -> None:
    expected = figures(write(tmp_path, GOOD))
    assert figures(write(tmp_path, mark + ends.join(GOOD).encode())) == expected
    bad = run(write(tmp_path, mark + ends.join(changed(4, "1,1,.,.,0,0,5.0x")).encode()))
    assert "study.csv:4:13" in bad.stderr


def test_quoted_cells_and_trailing_commas(tmp_path: Path) -> None:
    quoted = [",".join(f'"{cell}"' for cell in line.split(",")) + ",," for line in GOOD]
    assert figures(write(tmp_path, quoted)) == figures(write(tmp_path, GOOD))


# ---- wrong usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dose", "320"), "number with a unit"),
        (("--dose", "320 mgg"), "not a unit"),
        (("--dose", "-1 mg"), "positive"),
        (("--dose", "0 mg"), "positive"),
        (("--dose", "320 umol"), "both in moles"),
        (("--dose", "320 h"), "not a volume"),
        (("--dose", "320 mg", "--amt-unit", "mg"), "--amt-unit"),
        (("--time-unit", "mg"), "not a unit of time"),
        (("--time-unit", "hours"), "--time-unit"),
        (("--conc-unit", "1"), "not a unit of concentration"),
        (("--infusion", "1 mg"), "not a unit of time"),
        (("--infusion", "1 h", "--route", "bolus"), "infusion"),
        (("--lambda-z", "last:1"), "terminal"),
        (("--lambda-z", "last:x"), "--lambda-z"),
        (("--lambda-z", "5"), "--lambda-z"),
        (("--lambda-z", "12:8"), "terminal"),
        (("--lloq", "-1"), "lloq"),
        (("--lloq", "nan"), "lloq"),
        (("--method", "log"), "--method"),
        (("--route", "oral"), "--route"),
        (("--blq", "M3"), "--blq"),
        (("--format", "xml"), "--format"),
    ],
)
def test_wrong_usage(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = run(write(tmp_path, GOOD), *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    # The message stands in a box whose width may break it.
    assert said.replace(" ", "") in "".join(result.stderr.replace("│", "").split())


def test_absent_file_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path / "absent.csv").exit_code == 2
    assert run(tmp_path).exit_code == 2


@pytest.mark.parametrize("unit", ["h", "mg", "L", "%", "ppm", "1/h", "mg/h", "mg/kg", "K"])
def test_a_concentration_is_a_mass_or_an_amount_per_volume(tmp_path: Path, unit: str) -> None:
    result = run(write(tmp_path, rows()), "--conc-unit", unit)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a unit of concentration" in result.stderr


@pytest.mark.parametrize("unit", ["nM", "IU/mL", "ug/dL"])
def test_concentrations_of_each_kind(tmp_path: Path, unit: str) -> None:
    assert run(write(tmp_path, rows()), "--conc-unit", unit).exit_code == 0


def test_the_data_are_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, rows())
    before = path.read_bytes()
    result = run(path, "-o", str(tmp_path / "." / "study.csv"))
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert path.read_bytes() == before


def test_one_curve_is_not_several(tmp_path: Path) -> None:
    assert "1 curve by ID;" in run(write(tmp_path, rows()[:8])).stdout


def test_a_spread_beyond_all_numbers_is_not_determined() -> None:
    from pbpkc.experiment.nca_table import _summarise

    found = _summarise([1e-200, 1e200])
    assert found.geometric_mean == pytest.approx(1)
    assert math.isnan(found.geometric_cv_pct)


def test_areas_beyond_all_numbers_are_not_determined() -> None:
    found = nca([0, 1, 2, 3, 4], [0, 1.5e308, 1.2e308, 1e308, 0.7e308], dose=1)
    assert math.isnan(found.auc_last)
    assert found.cmax == 1.5e308
    assert any("beyond all numbers" in note and "auc_last" in note for note in found.notes)
