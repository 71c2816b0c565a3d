"""Populations in parts: the same bytes as all at once, on from where a run was stopped, in little memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_case import TINY, call, write

import pbpkc.jobs.people_parts as people_parts
import pbpkc.jobs.people_store as people_store
import pbpkc.solve.batch_solve as batch_solve
from pbpkc.experiment.people_file import read_people
from pbpkc.jobs.loaded import load
from pbpkc.jobs.nca import nca_of
from pbpkc.jobs.people_parts import Part
from pbpkc.jobs.people_store import PeopleStore
from pbpkc.jobs.simulate_people import simulate_people
from pbpkc.solve.options import SolverOptions
from pbpkc.solve.output import runs_csv
from pbpkc.solve.percentiles import percentiles_csv

#: The second state has no end where r is large, and its logarithm none where it is small.
HARD = """\
pbpk 1
model hard
param r = 0.1 [1/h]
state x = 1
ode x = r * x^2
observe level = x in [1]
observe logarithm = ln(1.3 - x) in [1]
scenario whole { run 3 [h] }
scenario short { run 1 [h] }
"""


def _crowd(folder: Path, count: int, name: str = "people.csv") -> Path:
    draw = np.random.default_rng(4)
    rows = [f"p{i},{x!r},{y!r}" for i, (x, y) in enumerate(np.exp(draw.normal(0, 0.1, (count, 2))).tolist())]
    rows = [f"{a},{70 * float(b)!r},{0.1 * float(c)!r}" for a, b, c in (row.split(",") for row in rows)]
    write(folder, json.dumps({"columns": {"BW": "kg", "k": "1/h"}}), f"{name}.json")
    return write(folder, "\n".join(["id,BW,k", *rows]) + "\n", name)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven people in a part."""
    monkeypatch.setattr(people_parts, "TOGETHER", 7)
    monkeypatch.setattr(people_parts, "TOGETHER_SLOW", 7)


def _stop_before(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """Ctrl-C where a part is to be kept."""
    add, count = PeopleStore.add, iter(range(100))

    def stopped(self: PeopleStore, one: Part) -> None:
        if next(count) == part:
            raise KeyboardInterrupt
        add(self, one)

    monkeypatch.setattr(PeopleStore, "add", stopped)


def _files(folder: Path, out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith(out.name)}


@pytest.mark.parametrize("options", [(), ("--solver", "reference"), ("--states",)])
def test_parts_give_the_bytes_of_all_at_once(
    tmp_path: Path, small_parts: None, options: tuple[str, ...]
) -> None:
    """Rows, percentiles and figures are those of the runs that Python gives."""
    spec, file, out = write(tmp_path, TINY), _crowd(tmp_path, 30), tmp_path / "out.csv"
    ran = call("simulate", spec, "--population", file, "--points", "9", "--nca", "-o", out, *options)
    assert ran.code == 0, ran.err
    assert not (tmp_path / "out.csv.partial").exists()
    model = load(spec)
    solver = "reference" if "reference" in options else "auto"
    solver_options = SolverOptions(method=solver)  # type: ignore[arg-type]
    people, times = read_people(file, model.model), np.linspace(0, 12, 9)
    found = simulate_people(model, people, None, times, solver_options, states="--states" in options)
    hour = model.model.time_unit
    assert out.read_text() == runs_csv(found.runs, hour, "--states" in options)
    assert (tmp_path / "out.csv.percentiles.csv").read_text() == percentiles_csv(found.percentiles(), hour)
    assert (tmp_path / "out.csv.nca.Cp.csv").read_text() == nca_of(found)["Cp"].to_csv()
    used = json.loads((tmp_path / "out.csv.json").read_text())["solver"]["scenarios"]
    assert list(used) == ["one", "light", "slow"]
    if solver == "reference":
        assert used["one"]["reason"] == "the method reference was asked for"
    elif used["one"]["method"] != "reference":
        assert used["one"]["method"] == ("kernel" if "--states" in options else "linear")
        assert used["one"]["verified"]["ids"] == ["p0", "p14", "p29"]
        assert used["one"]["verified"]["worst_difference_in_rtol"] < 30.0
        assert "one: the people are solved by the " in ran.err


def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the last line and the last rows are cut short."""
    spec, file, out = write(tmp_path, TINY), _crowd(tmp_path, 30), tmp_path / "out.csv"
    command = ["simulate", spec, "-s", "one", "-s", "slow", "--population", file, "--points", "9", "-o", out]
    assert call(*command).code == 0
    whole = _files(tmp_path, out)
    for path in whole:
        (tmp_path / path).unlink()
    folder = tmp_path / "out.csv.partial"
    for part in (3, 2):
        with monkeypatch.context() as patch:
            _stop_before(patch, part)
            ran = call(*command)
        assert ran.code == 130
        assert "runs are kept in" in ran.err
        assert not out.exists()
    with (folder / "finished.jsonl").open("a") as journal:
        journal.write("[0, 35, 7")
    with (folder / "rows.csv").open("a") as rows:
        rows.write("one,p30,0.0,1")
    seen: list[int] = []
    add = PeopleStore.add
    monkeypatch.setattr(PeopleStore, "add", lambda self, part: (seen.append(part.first), add(self, part))[1])
    ran = call(*command)
    assert ran.code == 0
    # 30 people of the first scenario in five parts, then those of the second.
    assert f"goes on behind 30 of 60 runs that '{folder}' holds" in ran.err
    assert seen == [0, 7, 14, 21, 28]
    assert _files(tmp_path, out) == whole
    assert not folder.exists()


def test_the_beginning_of_another_run_is_left_alone(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other options are refused with what to do; --fresh begins anew; foreign files stay."""
    spec, file, out = write(tmp_path, TINY), _crowd(tmp_path, 30), tmp_path / "out.csv"
    command = ["simulate", spec, "-s", "one", "--population", file, "--points", "9", "-o", out]
    with monkeypatch.context() as patch:
        _stop_before(patch, 2)
        assert call(*command).code == 130
    folder = tmp_path / "out.csv.partial"
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    ran = call(*command, "--rtol", "1e-7")
    assert ran.code == 2
    assert "holds 14 finished runs of a command with other options or inputs" in " ".join(ran.err.split())
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    (folder / "mine.txt").write_text("a note")
    ran = call(*command, "--rtol", "1e-7", "--fresh")
    assert ran.code == 2
    assert "holds files that no stopped run left there" in " ".join(ran.err.split())
    assert [p.name for p in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    assert call(*command, "--rtol", "1e-7", "--fresh").code == 0
    assert not folder.exists()


def test_two_runs_do_not_write_the_same_rows(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is refused, also where it would begin anew."""
    if sys.platform == "win32":
        pytest.skip("there are no locks of files")
    spec, file, out = write(tmp_path, TINY), _crowd(tmp_path, 30), tmp_path / "out.csv"
    command = ["simulate", spec, "-s", "one", "--population", file, "--points", "9", "-o", out]
    add, said = PeopleStore.add, []

    def other(self: PeopleStore, one: Part) -> None:
        if one.first == 14 and not said:
            said.append("")
            for option in ("--resume", "--fresh"):
                ran = call(*command, option)
                said.append(f"{ran.code} {' '.join(ran.err.split())}")
        add(self, one)

    monkeypatch.setattr(PeopleStore, "add", other)
    assert call(*command).code == 0
    assert len(said) == 3
    for text in said[1:]:
        assert text.startswith("2 ")
        assert "another run is writing" in text
    assert len(out.read_text().splitlines()) == 1 + 30 * 9


def test_a_kernel_that_cannot_do_it_is_refused(tmp_path: Path) -> None:
    """Asked for by name; nothing is left."""
    spec, file, out = write(tmp_path, HARD), tmp_path / "people.csv", tmp_path / "out.csv"
    write(tmp_path, json.dumps({"columns": {"r": "1/h"}}), "people.csv.json")
    write(tmp_path, "id,r\n1,0.1\n2,0.2\n", "people.csv")
    command = ["simulate", spec, "-s", "short", "--population", file, "-o", out]
    ran = call(*command, "--solver", "linear")
    assert ran.code == 2
    assert "error: no compiled kernel does this: " in ran.err
    assert not list(tmp_path.glob("out.csv*"))
    assert call(*command).code == 0


def test_a_run_that_is_stopped_at_once_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No part is finished, so there is nothing to go on from."""
    spec, file, out = write(tmp_path, TINY), _crowd(tmp_path, 5), tmp_path / "out.csv"
    _stop_before(monkeypatch, 0)
    assert call("simulate", spec, "--population", file, "-o", out).code == 130
    assert not list(tmp_path.glob("out.csv*"))


def test_failures_and_missing_numbers_are_told_in_parts_as_at_once(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who fails is no part of the percentiles, wherever the numbers are kept."""
    spec = write(tmp_path, HARD)
    write(tmp_path, json.dumps({"columns": {"r": "1/h"}}), "people.csv.json")
    rates = [0.05 + 0.009 * i for i in range(26)] + [0.5, 0.6, 0.1, 0.2]  # with 0.5 and 0.6 x has no end
    rows = [f"{i},{r!r}" for i, r in enumerate(rates)]
    file = write(tmp_path, "\n".join(["id,r", *rows]) + "\n", "people.csv")
    options = ["simulate", spec, "--population", file, "--points", "7"]
    ran = call(*options, "-o", tmp_path / "out.csv")
    assert ran.code == 4
    failed = [str(i) for i, r in enumerate(rates) if 1 / r < 3]
    told = json.loads((tmp_path / "out.csv.json").read_text())
    assert [(one["scenario"], one["id"]) for one in told["failures"]] == [("whole", id) for id in failed]
    assert told["runs"] == {"whole": 60 - len(failed), "failed": len(failed)}
    assert "'logarithm' of 'whole " in ran.err
    found = load(spec).simulate("whole", population=file, times=np.linspace(0, 3, 7))
    text = (tmp_path / "out.csv.percentiles.csv").read_text()
    assert [run.id for run in found.failures] == failed
    expected = percentiles_csv(found.percentiles(), found.model.time_unit).split("\n", 1)[1]
    assert expected in text
    monkeypatch.setattr(people_store, "MOST_IN_MEMORY", 0)
    assert call(*options).out == text


def test_a_kernel_that_is_not_believed_leaves_nothing(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everyone is solved by the reference then, those too whom the kernel had solved."""
    spec, file = write(tmp_path, TINY), _crowd(tmp_path, 30)
    command = ["simulate", spec, "-s", "one", "--population", file, "--points", "9", "-o"]
    assert call(*command, tmp_path / "slow.csv", "--solver", "reference").code == 0
    assert call(*command, tmp_path / "fast.csv").code == 0
    used = json.loads((tmp_path / "fast.csv.json").read_text())["solver"]["scenarios"]["one"]
    if used["method"] == "reference":
        pytest.skip(used["reason"])
    monkeypatch.setattr(batch_solve, "CHECKED_FACTOR", 1e-9)
    assert call(*command, tmp_path / "out.csv").code == 0
    used = json.loads((tmp_path / "out.csv.json").read_text())["solver"]["scenarios"]["one"]
    assert used["method"] == "reference"
    assert "differs from the reference" in used["reason"]
    assert used["verified"]["worst_difference_in_rtol"] > 0.0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "slow.csv").read_bytes()
    assert (tmp_path / "out.csv").read_bytes() != (tmp_path / "fast.csv").read_bytes()


@pytest.mark.long
def test_ctrl_c_and_the_same_command_again(tmp_path: Path) -> None:
    """A real process, stopped by a signal."""
    spec, file = write(tmp_path, TINY), _crowd(tmp_path, 30_000)
    arguments = ["simulate", spec, "-s", "one", "--population", file, "--points", "100"]
    journal = tmp_path / "out.csv.partial" / "finished.jsonl"
    # What is started in the background by a shell does not hear Ctrl-C.
    hears = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = hears + "from pbpkc.cli import main\nmain()\n"
    command = [sys.executable, "-c", code, *map(str, arguments), "-o", str(tmp_path / "out.csv")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while process.poll() is None and not (journal.exists() and len(journal.read_bytes().splitlines()) > 1):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "runs are kept in" in said
    assert not (tmp_path / "out.csv").exists()
    ran = call(*arguments, "-o", tmp_path / "out.csv")
    assert ran.code == 0
    assert "goes on behind" in ran.err
    assert call(*arguments, "-o", tmp_path / "whole.csv").code == 0
    for end in ("", ".json", ".percentiles.csv"):
        assert (tmp_path / f"out.csv{end}").read_bytes() == (tmp_path / f"whole.csv{end}").read_bytes()


@pytest.mark.long
def test_ten_million_rows_need_less_than_two_gigabytes(tmp_path: Path) -> None:
    """Of a process of its own, with the rows on disk and percentiles of all."""
    spec, file = write(tmp_path, TINY), _crowd(tmp_path, 50_000)
    code = (
        "import resource, sys\nfrom pbpkc.cli import main\nsys.argv = ['pbpkc', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 0, stop.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    arguments = ["simulate", spec, "-s", "one", "--population", file, "--points", "200", "--workers", "2"]
    out = tmp_path / "out.csv"
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments), "-o", str(out)], capture_output=True, check=True
    )
    with out.open("rb") as rows:
        assert sum(1 for _ in rows) == 10_000_001
    assert int(ran.stdout.split()[-1]) * 1024 < 2e9
