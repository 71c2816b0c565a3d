"""`pbpkc check --fix`: what is repaired, what is left alone, and what is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_case import call

from pbpkc.jobs.mend import mend
from pbpkc.language.diagnostics import Fix, SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.spelling import letters_apart, only_meant
from pbpkc.language.syntax.parse import parse

SOUND = """\
pbpk 1
model sound "One pool"   # a comment

param ka = 0.5 [1/h]     # another
param cl = 3 [L/h]
species DRUG { mw = 250 [g/mol] }
lumen gut
pool  plasma { volume = 30 [L] }
sink  eliminated
process absorption  : gut -> plasma         rate ka^2 / 1 [1/h] * gut.A
process elimination : plasma -> eliminated  rate cl * plasma.C
observe Cp = plasma.C in [mg/L]
scenario oral { dose DRUG 100 [mg] into gut at 0 [h]; run 24 [h] }
check mass
check cmax(oral.Cp) / auc(oral.Cp) in (0, 100) [1/h]
"""


def write(folder: Path, text: str, name: str = "spec.pbpk") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fixes(text: str) -> list[Fix]:
    try:
        found = resolve(parse(SourceFile("x.pbpk", text))).warnings
    except SpecError as error:
        found = error.diagnostics
    return [fix for problem in found for fix in problem.fixes]


@pytest.mark.parametrize(
    ("sound", "slipped"),
    [
        ("0.5 [1/h]", ".5 [1/h]"),
        ("3 [L/h]", "3. [L/h]"),
        ("3 [L/h]", "3 [L/hr]"),
        ("30 [L]", "30 [l]"),
        ("30 [L]", "[30 L]"),
        ("ka^2", "ka**2"),
        ("gut -> plasma", "gut => plasma"),
        ("gut -> plasma", "gut → plasma"),
        ("gut\npool", "gut   // what it holds\npool"),
        ('"One pool"', "“One pool”"),
        ("param ka", "Param ka"),
        ("process elim", "proces elim"),
        ("species DRUG", "specise DRUG"),
        ("-> eliminated", "-> elimnated"),
        ("rate ka^2", "rate KA^2"),
        ("cl * plasma.C", "cl * plasma.c"),
        ("cl * plasma.C", "cl * plsama.C"),
        ("dose DRUG", "dose Drug"),
        ("{ volume =", "{ volum ="),
        ("{ mw", "{ MW"),
        ("into gut", "into Gut"),
        ("check mass", "check Mass"),
        ("cmax(oral", "Cmax(oral"),
        ("auc(oral", "AUC(oral"),
    ],
)
def test_a_slip_that_can_mean_one_thing_is_repaired(sound: str, slipped: str, tmp_path: Path) -> None:
    assert sound in SOUND
    path = write(tmp_path, SOUND.replace(sound, slipped, 1))
    made = mend(path)
    assert path.read_text(encoding="utf-8").replace("   # what it holds", "") == SOUND
    assert len(made) == 1
    assert mend(path) == ()


@pytest.mark.parametrize(
    ("sound", "slipped"),
    [
        ("3 [L/h]", "3"),  # a missing unit of a known quantity
        ("3 [L/h]", "3 L/h"),  # or a product whose sign was forgotten
        ("3 [L/h]", "3 [C]"),
        ("rate cl * plasma.C", "rate ck * plasma.C"),
        ("rate cl * plasma.C", "rate clearance * plasma.C"),
        ("-> eliminated", "-> urine"),
    ],
)
def test_what_may_mean_something_else_is_left_alone(sound: str, slipped: str, tmp_path: Path) -> None:
    text = SOUND.replace(sound, slipped, 1)
    path = write(tmp_path, text)
    assert mend(path) == ()
    assert path.read_text(encoding="utf-8") == text


def test_a_unit_without_brackets_is_a_fix_that_asks() -> None:
    (fix,) = fixes(SOUND.replace("3 [L/h]", "3 L/h"))
    assert (fix.title, fix.safe) == ("write [L/h]", False)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("plasmma", ["plasma", "gut"], "plasma"),
        ("bw", ["BW", "BX"], "BW"),
        ("bw", ["BW", "Bw"], None),
        ("k", ["ka"], None),
        ("k12", ["k13"], None),
        ("clint_h", ["clint_r"], None),
        ("Vmaxh", ["Vmaxr"], None),
        ("vmax_ugt", ["vmax_sult"], None),
        ("absorption", ["absoprtion", "absorptio"], None),
        ("elimnatoin", ["elimination"], "elimination"),
    ],
)
def test_only_one_name_can_be_meant(name: str, known: list[str], meant: str | None) -> None:
    assert only_meant(name, known) == meant


def test_distance_counts_letters() -> None:
    assert letters_apart("", "abc") == 3
    assert letters_apart("kitten", "sitting") == 3
    assert letters_apart("plsama", "plasma") == 1
    assert letters_apart("same", "same") == 0


def test_a_repair_uncovers_the_next_and_the_rest_is_told(tmp_path: Path) -> None:
    text = (
        SOUND.replace("0.5", ".5").replace("[1/h]     #", "[1/hr]     #").replace("rate cl", "rate clx * 2")
    )
    path = write(tmp_path, text)
    ran = call("check", str(path), "--no-torch", "--fix")
    assert ran.code == 1
    assert ran.out.splitlines()[:3] == [
        f"fixed   {path}:4:12: '0' put in (syntax: '.' cannot stand here)",
        f"fixed   {path}:4:19: 'hr' -> 'h' (bad-unit: 'hr' is not a unit of the language)",
        "2 repairs made",
    ]
    assert "'clx' is not declared" in ran.err
    assert path.read_text() == SOUND.replace("rate cl", "rate clx * 2")


def test_json_holds_what_was_changed(tmp_path: Path) -> None:
    path = write(tmp_path, SOUND.replace("[L/h]", "[L/hr]"))
    ran = call("check", str(path), "--no-torch", "--fix", "--format", "json")
    found = json.loads(ran.out)
    assert (ran.code, found["ok"]) == (0, True)
    (one,) = found["fixed"]
    assert (one["line"], one["before"], one["after"], one["code"]) == (5, "hr", "h", "bad-unit")
    wrong = write(tmp_path, SOUND.replace("[L/h]", "[L/hr]").replace("rate cl", "rate clx"))
    ran = call("check", str(wrong), "--no-torch", "--fix", "--format", "json")
    found = json.loads(ran.out)
    assert (ran.code, found["ok"], len(found["fixed"])) == (1, False, 1)
    assert found["problems"][0]["code"] == "unknown-name"
    # Without --fix the repair is in the problem, for a program that would offer it.
    ran = call("check", str(write(tmp_path, SOUND.replace("[L/h]", "[L/hr]"))), "--format", "json")
    (problem,) = json.loads(ran.out)["problems"]
    (fix,) = problem["fixes"]
    assert fix["safe"] and fix["replacements"][0]["text"] == "h"


def test_line_ends_and_byte_order_mark_stay(tmp_path: Path) -> None:
    path = tmp_path / "windows.pbpk"
    text = "\ufeff" + SOUND.replace("\n", "\r\n")
    path.write_bytes(text.replace("[L/h]", "[L/hr]").replace("0.5", ".5").encode("utf-8"))
    assert len(mend(path)) == 2
    assert path.read_bytes().decode("utf-8") == text


def test_a_used_file_beside_it_is_repaired_and_no_other(tmp_path: Path) -> None:
    body = 'pbpk 1\nmodel body "b"\nparam volume_of_all = 30 [l]\n'
    main = SOUND.replace("30 [L]", "volume_of_all").replace("\nparam ka", '\nuse "{}"\nparam ka')
    (tmp_path / "other").mkdir()
    beside = write(tmp_path, body, "body.pbpk")
    path = write(tmp_path, main.replace("{}", "body.pbpk"))
    (made,) = mend(path)
    assert made.file == str(beside)
    assert beside.read_text() == body.replace("[l]", "[L]")
    far = write(tmp_path / "other", body, "body.pbpk")
    path = write(tmp_path, main.replace("{}", "other/body.pbpk"))
    assert mend(path) == ()
    assert far.read_text() == body


def test_a_sound_spec_is_not_written(tmp_path: Path) -> None:
    path = write(tmp_path, SOUND)
    path.chmod(0o444)
    before = path.stat().st_mtime_ns
    ran = call("check", str(path), "--no-torch", "--fix")
    assert ran.code == 0
    assert "nothing to repair safely" in ran.out
    assert path.stat().st_mtime_ns == before


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    ran = call("check", str(tmp_path / "no.pbpk"), "--fix")
    assert ran.code == 1
    assert "there is no such file" in ran.err
