"""``pbpkc import``: what stands on the terminal and in files; the result is a spec like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_case import call, write
from foreign_models import BODY, ONE, RESPONSE

BLANK = """\
pbpk 1
model blank "Two pools of blood, written in the language"
param q = 330 [L/h]
species D { mw = 250 [g/mol] }
pool artery { volume = 1.7 [L] }
pool vein { volume = 3.9 [L] }
pool tissues { volume = 30 [L] }
flow out : artery -> tissues at q
flow back : tissues -> vein at q
flow through : vein -> artery at q
observe Cv = vein.C in [mg/L]
scenario iv { dose D 100 [mg] into vein; run 0.02 [h] }
check mass
check cmax(iv.Cv) in (24, 27) [mg/L]
"""


def test_a_spec_is_written_and_what_was_found_is_told(tmp_path: Path) -> None:
    write(tmp_path, ONE, "one.cpp")
    done = call("import", "one.cpp", "-o", "one.pbpk", cwd=tmp_path)
    assert done.code == 0
    assert done.out == "one.cpp (mrgsolve) -> one.pbpk: 2 compartments, 1 assumption, 0 warnings\n"
    assert "note[leaves-to-nowhere]: this term leaves 'CENT' and enters no compartment" in done.err
    assert "one.cpp:22:24" in done.err
    assert (
        (tmp_path / "one.pbpk").read_text().startswith('pbpk 1\nmodel one "One compartment with absorption"')
    )
    done = call("check", "one.pbpk", "--no-torch", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "GUT + CENT is constant" in done.out


def test_without_a_place_the_spec_is_what_is_printed(tmp_path: Path) -> None:
    write(tmp_path, ONE, "one.cpp")
    done = call("import", "one.cpp", cwd=tmp_path)
    assert done.code == 0
    assert done.out.startswith("pbpk 1\nmodel one ")
    assert "one.cpp (mrgsolve): 2 compartments" in done.err
    assert done.out == call("import", "one.cpp", cwd=tmp_path).out


def test_json_holds_spec_assumptions_and_findings(tmp_path: Path) -> None:
    write(tmp_path, RESPONSE, "turnover.R")
    done = call("import", "turnover.R", "--format", "json", "-o", "t.pbpk", cwd=tmp_path)
    data = done.json()
    assert data["ok"] and data["from"] == "rxode2" and data["output"] == "t.pbpk"
    assert data["spec"] == (tmp_path / "t.pbpk").read_text()
    assert {d["code"] for d in data["assumptions"]} == {"assumed", "left-out", "renamed"}
    assert all(d["line"] for d in data["findings"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ONE.replace("dxdt_GUT  = -KA", "for (;;) dxdt_GUT  = -KA"), "a loop is more than a model"),
        (ONE.replace("KE = CL / V", "KE = CL / VD"), "'VD' is not declared"),
        ("", "is empty"),
        ("plot(1)\n", "none of the tools"),
        ("pbpk 1\nmodel m\n", "none of the tools"),
    ],
)
def test_what_is_refused_writes_nothing(text: str, words: str, tmp_path: Path) -> None:
    write(tmp_path, text, "model.txt")
    done = call("import", "model.txt", "-o", "m.pbpk", cwd=tmp_path)
    assert done.code == 1
    assert words in done.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.txt"]


def test_a_refusal_is_data_with_json(tmp_path: Path) -> None:
    write(tmp_path, ONE.replace("KE = CL / V", "KE = CL / VD"), "one.cpp")
    done = call("import", "one.cpp", "--format", "json", cwd=tmp_path)
    assert done.code == 1
    (problem,) = done.json()["problems"]
    assert (problem["code"], problem["line"], problem["text"]) == ("unknown-name", 15, "VD")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "one.cpp").write_bytes(ONE.encode() + b"\xff\xfe")
    done = call("import", "one.cpp", "-o", "m.pbpk", cwd=tmp_path)
    assert done.code == 1
    assert "is not UTF-8 text: line 26" in done.err
    assert not (tmp_path / "m.pbpk").exists()


def test_a_model_of_another_tool_than_was_said(tmp_path: Path) -> None:
    write(tmp_path, ONE, "one.cpp")
    done = call("import", "one.cpp", "--from", "rxode2", cwd=tmp_path)
    assert done.code == 1
    assert done.err.count("error[") == 1
    done = call("import", "one.cpp", "--from", "monolix", cwd=tmp_path)
    assert done.code == 2


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path, ONE, "one.cpp")
    done = call("import", "one.cpp", "-o", "one.cpp", cwd=tmp_path)
    assert done.code == 2
    assert (tmp_path / "one.cpp").read_text() == ONE
    assert call("import", "one.cpp", "-o", "nowhere/x.pbpk", cwd=tmp_path).code == 2
    assert call("import", "none.cpp", cwd=tmp_path).code == 1


def test_swapped_blood_volumes_conserve_mass_and_are_caught_by_an_expectation(tmp_path: Path) -> None:
    text = BODY.replace("VART : 1.7", "VART : 3.9").replace("VVEN : 3.9", "VVEN : 1.7")
    checks = (
        "scenario iv { dose 100 into VEN; run 1 }\n"
        "observe Cv = VEN / VVEN in [1]\n"
        "check cmax(iv.Cv) in (24, 27)\n"
    )
    found = {}
    for name, source in (("right", BODY), ("swapped", text)):
        write(tmp_path, source, f"{name}.cpp")
        assert call("import", f"{name}.cpp", "-o", f"{name}.pbpk", cwd=tmp_path).code == 0
        spec = tmp_path / f"{name}.pbpk"
        spec.write_text(spec.read_text() + checks)
        done = call("check", f"{name}.pbpk", "--no-torch", "--format", "json", cwd=tmp_path)
        found[name] = {
            (i["group"], i["status"]) for i in done.json()["items"] if i["group"] in ("mass", "expectation")
        }
    assert found["right"] == {("mass", "held"), ("expectation", "held")}
    assert found["swapped"] == {("mass", "held"), ("expectation", "violated")}


def test_swapped_volumes_of_a_native_spec_are_caught_in_the_same_way(tmp_path: Path) -> None:
    swapped = BLANK.replace("1.7 [L]", "9 [L]").replace("3.9 [L]", "1.7 [L]").replace("9 [L]", "3.9 [L]", 1)
    for text, code in ((BLANK, 0), (swapped, 1)):
        done = call("check", write(tmp_path, text), "--no-torch")
        assert done.code == code, done.out
        assert "held    mass" in done.out
