"""Reading clinical data: what each column, row and line of a data block means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbpkc.compiler.driver import compile_model
from pbpkc.experiment.bind import bind
from pbpkc.experiment.data import Dataset, read_dataset
from pbpkc.experiment.scenario import parameter_vector
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.model import Model
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse
from pbpkc.runtime.load import load_numpy
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.reference import simulate

MODEL = """pbpk 1
model small "One compartment"
covariate BW "body weight" = 70 [kg] in (30, 150) [kg]
covariate SCR "creatinine" = 80 [umol/L] in (10, 2000) [umol/L]
masked tlag ~ lognormal(0.5 [h], cv = 50 [%]) in (0.01, 5) [h]
masked dur ~ lognormal(2 [h], cv = 50 [%]) in (0.1, 10) [h]
species X { mw = 200 [g/mol] }
lumen gut
pool plasma { volume = 0.5 [L/kg] * BW }
sink out
process absorption : gut -> plasma rate 1.5 [1/h] * gut.A
process elimination : plasma -> out rate 2 [L/h] * plasma.C
observe C = plasma.C in [mg/L] error add(0.5 [mg/L]) lloq 0.1 [mg/L]
observe E = out.A in [mg] error prop(10 [%])
"""

LINES = """
    column TIME [h]
    column AMT [mg]
    CMT 1 dose X into gut
    CMT 2 observe C
"""


def model_of(lines: str = LINES, more: str = "", place: str = "small.pbpk") -> Model:
    text = MODEL + more + 'scenario trial {\n  data "trial.csv" {' + lines + "  }\n}\n"
    return resolve(parse(SourceFile(place, text)))


def read(
    tmp_path: Path, content: str | bytes, lines: str = LINES, more: str = "", **options: bool
) -> Dataset:
    path = tmp_path / "trial.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_dataset(model_of(lines, more), path=path, **options)


def codes(data: Dataset) -> list[str]:
    return [note.code for note in data.notes]


PLAIN = "ID,TIME,AMT,CMT,DV\n1,0,100,1,.\n1,1,0,2,5\n1,2,0,2,4\n2,0,50,1,.\n2,3,0,2,1\n"


def test_rows_become_individuals(tmp_path: Path) -> None:
    data = read(tmp_path, PLAIN)
    first, second = data.subjects
    assert (first.id, second.id) == ("1", "2")
    np.testing.assert_array_equal(first.time, [1.0, 2.0])
    np.testing.assert_array_equal(first.dv, [5.0, 4.0])
    assert data.observable_names == ("C", "E")
    bound = bind(first.regimen, {})
    assert [(e.kind, e.time) for e in bound.events] == [("bolus", 0.0)]
    # 100 mg of 200 g/mol are 500 umol.
    assert bound.events[0].value == pytest.approx(500.0, rel=1e-15)
    assert (bound.begin, bound.end) == (0.0, 2.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: ("# exported by hand\n" + text).encode(),
        lambda text: text.replace(",.", ",").encode(),
        lambda text: text.replace(",", " , ").encode(),
        lambda text: text.replace("1,0,100", '"1","0","100"').encode(),
    ],
    ids=["byte-order mark", "Windows", "comment", "empty cells", "blanks", "quotes"],
)
def test_other_ways_to_write_the_same(tmp_path: Path, change: object) -> None:
    plain, other = read(tmp_path, PLAIN), read(tmp_path, change(PLAIN))  # type: ignore[operator]
    for a, b in zip(plain.subjects, other.subjects, strict=True):
        assert a.id == b.id
        np.testing.assert_array_equal(a.dv, b.dv)
        assert bind(a.regimen, {}).events == bind(b.regimen, {}).events


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "data-empty"),
        (b"\n\n", "data-empty"),
        (PLAIN.replace("5", "\xb5").encode("latin-1"), "data-encoding"),
        (PLAIN.encode("utf-16"), "data-encoding"),
        (b"\x00\x01\x02", "data-encoding"),
    ],
)
def test_no_text_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(SpecError) as error:
        read(tmp_path, content)
    assert [d.code for d in error.value.diagnostics] == [code]


def test_the_path_of_a_spec_is_relative_to_the_spec(tmp_path: Path) -> None:
    (tmp_path / "trial.csv").write_text(PLAIN)
    data = read_dataset(model_of(place=str(tmp_path / "small.pbpk")))
    assert len(data.subjects) == 2
    with pytest.raises(SpecError, match="does not exist"):
        read_dataset(model_of(place=str(tmp_path / "elsewhere" / "small.pbpk")))


def test_wrong_scenarios_are_named(tmp_path: Path) -> None:
    model = model_of()
    with pytest.raises(ValueError, match="similar name is 'trial'"):
        read_dataset(model, "trail")
    with pytest.raises(ValueError, match="none"):
        read_dataset(resolve(parse(SourceFile("m", MODEL + "scenario s { run 1 [h] }\n"))))


def test_units_headers_and_factors(tmp_path: Path) -> None:
    lines = """
    column TIME = MINUTES [min]
    column AMT [mg/kg] * BW
    column BW = WT [g]
    column SCR = CREAT [mg/dL] / 113.12 [g/mol]
    CMT 1 dose X into gut
    DVID 1 observe C [ng/mL]
    DVID 2 observe E
"""
    lines = lines.replace("/ 113.12 [g/mol]", "* (1 / 113.12 [g/mol])")
    text = "ID,MINUTES,AMT,CMT,DV,DVID,WT,CREAT\n7,0,2,1,.,.,80000,1\n"
    text += "7,90,0,.,250,1,80000,1\n7,90,0,.,3,2,80000,1\n"
    data = read(tmp_path, text, lines)
    subject = data.subjects[0]
    assert subject.covariates["BW"] == pytest.approx(80.0)
    assert subject.covariates["SCR"] == pytest.approx(1e4 / 113.12)
    np.testing.assert_allclose(subject.time, [1.5, 1.5])
    np.testing.assert_array_equal(subject.observable, [0, 1])
    np.testing.assert_allclose(subject.dv, [0.25, 3.0])
    # 2 mg/kg for 80 kg of 200 g/mol, evaluated with the individual's own weight.
    assert bind(subject.regimen, subject.covariates).events[0].value == pytest.approx(800.0)


def test_infusions_repeats_lag_and_fraction(tmp_path: Path) -> None:
    lines = LINES.replace("CMT 1 dose X into gut", "CMT 1 dose X into gut\n    CMT 3 dose X into plasma")
    text = "ID,TIME,AMT,CMT,DV,RATE,II,ADDL,LAG,F\n1,0,100,3,.,50,12,1,0.25,0.5\n1,30,0,2,5,.,.,.,.,.\n"
    events = bind(read(tmp_path, text, lines).subjects[0].regimen, {}).events
    # F shortens an infusion of given rate: 100 mg at half, 50 mg/h: 1 h, from 0.25 h, again 12 h later.
    assert [(e.kind, e.time) for e in events] == [
        ("start", 0.25),
        ("stop", 1.25),
        ("start", 12.25),
        ("stop", 13.25),
    ]
    assert events[0].value == pytest.approx(250.0)


def test_rate_minus_two_takes_the_duration_of_the_line(tmp_path: Path) -> None:
    lines = LINES.replace("into gut", "into plasma over dur lag tlag")
    text = "ID,TIME,AMT,CMT,DV,RATE\n1,0,100,1,.,-2\n1,4,100,1,.,0\n1,30,0,2,5,0\n"
    regimen = read(tmp_path, text, lines).subjects[0].regimen
    bound = bind(regimen, {"dur": 2.0, "tlag": 0.5}, ("dur", "tlag"))
    assert [(e.kind, e.time) for e in bound.events] == [("start", 0.5), ("stop", 2.5), ("bolus", 4.5)]
    assert bound.events[0].value == pytest.approx(250.0)
    np.testing.assert_allclose(bound.events[0].d_value, [-125.0, 0.0])
    np.testing.assert_allclose(bound.events[1].d_time, [1.0, 1.0])


def test_a_line_with_a_duration_needs_no_rate(tmp_path: Path) -> None:
    lines = LINES.replace("into gut", "into plasma over 2 [h]")
    for text in (
        "ID,TIME,AMT,CMT,DV,RATE\n1,0,100,1,.,.\n1,30,0,2,5,.\n",
        "ID,TIME,AMT,CMT,DV\n1,0,100,1,.\n1,30,0,2,5\n",
    ):
        data = read(tmp_path, text, lines)
        events = bind(data.subjects[0].regimen, {}).events
        assert [(e.kind, e.time) for e in events] == [("start", 0.0), ("stop", 2.0)]
        assert "data-bolus" not in codes(data)


@pytest.mark.parametrize(("clause", "word"), [("over 2 [h]", "over"), ("rate 50 [mg/h]", "rate")])
def test_rate_zero_is_a_bolus_whatever_the_line_says(tmp_path: Path, clause: str, word: str) -> None:
    lines = LINES.replace("into gut", f"into plasma {clause}")
    text = "ID,TIME,AMT,CMT,DV,RATE\n1,0,100,1,.,0\n1,4,100,1,.,0\n1,30,0,2,5,.\n2,0,100,1,.,0\n2,9,0,2,5,.\n"
    data = read(tmp_path, text, lines)
    events = bind(data.subjects[0].regimen, {}).events
    assert [(e.kind, e.time) for e in events] == [("bolus", 0.0), ("bolus", 4.0)]
    (note,) = [d for d in data.notes if d.code == "data-bolus"]
    assert note.severity == "note"
    assert note.message == f"RATE 0 is a bolus: the '{word}' of the line is not used for such rows"


def test_rows_of_one_time_keep_their_order(tmp_path: Path) -> None:
    lines = LINES.replace("into gut", "into plasma")
    text = "ID,TIME,AMT,CMT,DV\n1,0,100,1,.\n1,0,0,2,5\n1,4,0,2,5\n1,4,100,1,.\n1,4,0,2,5\n"
    model = model_of(lines)
    compiled = load_numpy(compile_model(model, torch=False).generated)
    (tmp_path / "trial.csv").write_text(text)
    subject = read_dataset(model, path=tmp_path / "trial.csv").subjects[0]
    p = parameter_vector(compiled, subject.covariates)
    found = simulate(compiled, p, bind(subject.regimen, {}), subject.time, order=subject.order)
    zero, before, after = found.observable("C")
    assert zero == pytest.approx(100.0 / 35.0)
    assert before == pytest.approx(zero * np.exp(-2.0 / 35.0 * 4.0), rel=1e-7)
    assert after == pytest.approx(before + zero, rel=1e-12)


def test_below_quantification(tmp_path: Path) -> None:
    text = (
        "ID,TIME,AMT,CMT,DV,CENS,LLOQ\n1,0,100,1,.,.,.\n1,1,0,2,.,1,.\n1,2,0,2,0.3,1,0.3\n1,3,0,2,0.05,0,.\n"
    )
    data = read(tmp_path, text)
    subject = data.subjects[0]
    np.testing.assert_array_equal(subject.censored, [True, True, False])
    # The row's own limit, else the model's.
    np.testing.assert_array_equal(subject.lloq, [0.1, 0.3, 0.1])
    assert codes(data).count("data-below-limit") == 1


def test_a_limit_told_in_dv(tmp_path: Path) -> None:
    lines = LINES.replace("observe C", "observe E")
    text = "ID,TIME,AMT,CMT,DV,CENS\n1,0,100,1,.,0\n1,1,0,2,0.2,1\n1,2,0,2,3,0\n"
    np.testing.assert_array_equal(read(tmp_path, text, lines).subjects[0].lloq, [0.2, np.nan])


def test_rows_left_out(tmp_path: Path) -> None:
    lines = LINES + "    keep ID in (2, 3)\n"
    text = PLAIN.replace("1,1,0,2,5", "1,1,0,2,oops") + "2,4,0,2,0.5\n4,0,0,2,1\n"
    assert [s.id for s in read(tmp_path, text, lines).subjects] == ["2"]
    missing = "ID,TIME,AMT,CMT,DV,MDV\n1,0,100,1,.,1\n1,1,0,2,5,0\n1,2,0,2,6,1\n1,3,0,2,.,1\n"
    data = read(tmp_path, missing)
    np.testing.assert_array_equal(data.subjects[0].time, [1.0])
    assert "data-not-scored" in codes(data)


def test_what_is_allowed_is_said(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT,DV,BW,SEX\n1,0,0,2,0,70,1\n1,1,100,1,.,70,1\n2,0,0,2,1,70,0\n1,2,0,2,5,70,1\n"
    data = read(tmp_path, text)
    found = {note.code: note for note in data.notes}
    assert {"data-before-dose", "data-no-dose", "data-id-again", "data-unused-column"} <= set(found)
    weight = next(n for n in data.notes if n.code == "data-no-covariate" and "'BW'" in n.message)
    assert weight.help == "add the line: column BW [kg]"
    assert all(note.severity in ("note", "warning") for note in data.notes)
    assert len(data.subjects[0].time) == 2


def test_a_missing_covariate_column_is_a_note(tmp_path: Path) -> None:
    data = read(tmp_path, PLAIN, LINES + "    column BW = WEIGHT [kg]\n")
    assert data.subjects[0].covariates == {}
    assert any("no column 'WEIGHT'" in note.message for note in data.notes)


def test_a_thousand_bad_rows_are_three_and_a_number(tmp_path: Path) -> None:
    rows = "".join(f"1,{i},0,2,bad\n" for i in range(1000))
    with pytest.raises(SpecError) as error:
        read(tmp_path, "ID,TIME,AMT,CMT,DV\n" + rows)
    shown = [d for d in error.value.diagnostics if d.code == "data-not-a-number"]
    assert len(shown) == 3
    assert shown[-1].notes == ("997 more rows like this",)


def test_problems_of_all_kinds_are_told_together(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT,DV\n1,0,-5,1,.\n1,1,0,9,5\n1,0.5,0,2,x\n1,0.2,0,2,4\n"
    with pytest.raises(SpecError) as error:
        read(tmp_path, text, LINES.replace(" [mg]", ""))
    found = {d.code for d in error.value.diagnostics}
    assert found >= {
        "data-no-unit",
        "data-negative",
        "data-unmapped",
        "data-not-a-number",
        "data-time-backwards",
    }


def test_doses_beside_data_go_to_everyone(tmp_path: Path) -> None:
    more = ""
    text = (
        MODEL
        + 'scenario trial {\n  dose X 10 [mg] into gut at 1 [h]\n  data "trial.csv" {\n'
        + ("    column TIME [h]\n    CMT 2 observe C\n  }\n  run 24 [h]\n}\n")
    )
    path = tmp_path / "trial.csv"
    path.write_text("ID,TIME,CMT,DV\n1,2,2,5\n2,3,2,4\n")
    data = read_dataset(resolve(parse(SourceFile("small.pbpk", text + more))), path=path)
    for subject in data.subjects:
        bound = bind(subject.regimen, {})
        assert [(e.time, round(e.value, 9)) for e in bound.events] == [(1.0, 50.0)]
        assert (bound.begin, bound.end) == (0.0, 24.0)


def test_without_scores_dv_may_be_absent(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT\n1,0,100,1\n1,1,0,2\n1,2,0,2\n"
    subject = read(tmp_path, text, scored=False).subjects[0]
    np.testing.assert_array_equal(subject.time, [1.0, 2.0])


def test_an_individual_travels_between_processes(tmp_path: Path) -> None:
    import pickle

    subject = read(tmp_path, PLAIN).subjects[0]
    again = pickle.loads(pickle.dumps(subject))
    assert bind(again.regimen, {}).events == bind(subject.regimen, {}).events


DOSING = """pbpk 1
model dosing "Absorption and elimination"
species X { mw = 200 [g/mol] }
lumen depot
pool central { volume = 20 [L] }
sink out
process absorption : depot -> central rate 1.5 [1/h] * depot.A
process elimination : central -> out rate 1.1 [L/h] * central.C
observe CP = central.C in [ng/mL]
scenario s {
  data "x.csv" {
    column TIME [h]
    column AMT [mg]
    column DV = CP_NONMEM
    column LAG = LAGT [h]
    column F = BIOAV
    CMT 1 dose X into depot
    CMT 2 dose X into central
    CMT 2 observe CP
    keep ID in (1, 20)
    keep ID in (LOW, HIGH)
  }
}
"""


@pytest.mark.reference
@pytest.mark.parametrize("identity", [1, 3, 4, 6, 7, 14, 16, 17, 20])
def test_dosing_as_in_nonmem(shared_data: Path, identity: int) -> None:
    text = DOSING.replace("LOW", str(identity)).replace("HIGH", str(identity))
    if identity == 20:
        text = text.replace("    column F = BIOAV\n", "")  # of that model it acts on compartment 2 alone
    model = resolve(parse(SourceFile("dosing.pbpk", text)))
    compiled = load_numpy(compile_model(model, torch=False).generated)
    subject = read_dataset(model, path=shared_data / "nonmem-dosing" / "nonmem_dosing_dev.csv").subjects[0]
    bound = bind(subject.regimen, {})
    options = SolverOptions(rtol=1e-10)
    found = simulate(compiled, compiled.parameters(), bound, subject.time, options, order=subject.order)
    # NONMEM's table has five digits.
    np.testing.assert_allclose(found.observable("CP"), subject.dv, rtol=6e-5, atol=1e-3)


def test_a_value_on_a_dose_row_without_evid_is_said(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT,DV\n1,0,100,1,0.7\n1,1,0,2,5\n"
    note = next(n for n in read(tmp_path, text).notes if n.code == "data-dose-with-value")
    assert note.severity == "note"
    assert "line 2" in note.message and note.span is not None
    assert (note.span.line, note.span.text) == (2, "0.7")
    for plain in (text.replace("0.7", "."), "ID,TIME,AMT,CMT,DV,EVID\n1,0,100,1,0.7,1\n1,1,0,2,5,0\n"):
        assert "data-dose-with-value" not in codes(read(tmp_path, plain))
    assert "data-dose-with-value" not in codes(read(tmp_path, text, scored=False))


def test_a_row_that_stands_there_twice_is_said_and_scored(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT,DV\n1,0,100,1,.\n1,1,0,2,5\n1,1,0,2,5\n1,2,0,2,5\n2,1,0,2,5\n"
    data = read(tmp_path, text)
    (note,) = (n for n in data.notes if n.code == "data-value-again")
    assert note.severity == "note"
    assert [label.span.line for label in note.labels] == [4, 3]
    assert data.subjects[0].time.size == 3
    # Another value at the same time is a replicate.
    assert "data-value-again" not in codes(read(tmp_path, text.replace("1,1,0,2,5\n1,1", "1,1,0,2,6\n1,1")))


def test_rows_before_zero_and_a_dose_there_are_accepted(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT,DV\n1,-2,100,1,.\n1,1,0,2,5\n"
    bound = bind(read(tmp_path, text).subjects[0].regimen, {})
    assert (bound.begin, bound.events[0].time) == (-2.0, -2.0)


def test_a_dose_of_nothing_is_said(tmp_path: Path) -> None:
    text = "ID,TIME,AMT,CMT,DV,EVID\n1,0,100,1,.,1\n1,4,0,1,.,1\n1,30,.,2,5,0\n"
    data = read(tmp_path, text, LINES)
    (note,) = [d for d in data.notes if d.code == "data-zero-dose"]
    assert (note.severity, note.message) == ("note", "the dose is 0: nothing is given")
    assert "data-zero-dose" not in codes(read(tmp_path, text.replace("1,4,0,", "1,4,50,"), LINES))
