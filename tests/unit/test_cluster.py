"""Work on a dask cluster that is started for real: the same bytes, workers that die, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_case import TINY, call, study, write

import pbpkc
from pbpkc.jobs.cluster_bench import cluster_bench
from pbpkc.scale.cluster import open_cluster
from pbpkc.scale.cluster_worker import ClusterError, about, demand_same, work
from pbpkc.scale.local_cluster import LocalCluster, local_cluster
from pbpkc.scale.pool import in_order

CROWD = TINY + "population adults { BW ~ normal(cv = 15 [%]); k ~ lognormal(cv = 30 [%]) }\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(2) as found:
        # Started is not yet there: a command looks at who has come when it begins.
        with open_cluster(found.address) as pool:
            pool.client.wait_for_workers(2, timeout=pool.wait)
        yield found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_population_has_the_bytes_of_one_machine(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbpkc.jobs.people_parts.TOGETHER", 40)
    spec, file = write(tmp_path, CROWD), tmp_path / "people.csv"
    call("population", spec, "-n", "100", "-o", file)
    found = []
    for name, options in (("here", ()), ("there", ("--cluster", cluster.address))):
        out = tmp_path / name / "out.csv"
        out.parent.mkdir()
        ran = call("simulate", spec, "--population", file, "--points", "4", "-o", out, *options)
        assert ran.code == 0, ran.err
        found.append(contents(out.parent))
    assert "2 workers, 2 threads" in ran.err
    assert set(found[0]) == {"out.csv", "out.csv.json", "out.csv.percentiles.csv"}
    assert found[0] == found[1]


def test_a_worker_that_dies_half_way_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbpkc.jobs.people_parts.TOGETHER", 30)
    model = pbpkc.load(write(tmp_path, CROWD))
    found = cluster_bench(model, "one", 1500, 4, 2, tmp_path)
    assert found.same_bytes and (found.people, found.parts, found.workers_left) == (1500, 50, 1)
    # Its work was not done yet, and was done again by the other.
    assert found.lost_with_the_worker >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["model.pbpk"]


@pytest.mark.long
def test_a_hundred_thousand_people_and_a_worker_that_dies() -> None:
    ran = call("bench", "cluster", "--format", "json")
    told = ran.json()
    assert ran.code == 0 and told["same_bytes"]
    assert (told["people"], told["parts"], told["workers_left"]) == (100_000, 100, 1)


def test_each_task_counts_once_whoever_dies_and_nobody_left_is_told() -> None:
    with local_cluster(2) as own, open_cluster(own.address) as pool:
        found = []
        for index, result in pool.each_done(time.sleep, [0.1] * 12):
            found.append((index, result))
            if len(found) == 2:
                own.add_worker()
                own.workers[0].kill()
            if len(found) == 8:
                own.workers[1].kill()
        assert sorted(found) == [(index, None) for index in range(12)]
        left = replace(pool, wait=1.0).each_done(time.sleep, [0.1] * 100)
        next(left)
        own.workers[2].kill()
        with pytest.raises(ClusterError, match=r"no worker has come .* for 1 s: start one with `dask worker"):
            list(left)


def test_a_task_that_ends_its_workers_and_a_scheduler_that_goes_away_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    monkeypatch.setattr("pbpkc.scale.cluster.ANSWER_SECONDS", 2.0)
    with local_cluster(3) as own, open_cluster(own.address) as pool:
        with pytest.raises(ClusterError, match="the workers that took up part 1 of 1 of the work died"):
            list(pool.each_done(os._exit, [1]))
        # Who is left goes on working.
        assert list(in_order(pool.each_done(abs, [-1, -2, -3]))) == [1, 2, 3]
        results = pool.each_done(time.sleep, [0.1] * 100)
        next(results)
        own.scheduler.kill()
        with pytest.raises(ClusterError, match="is gone: start it again"):
            list(results)


def test_a_fit_with_profiles_has_the_bytes_of_one_machine(cluster: LocalCluster, tmp_path: Path) -> None:
    study(tmp_path)
    found = []
    for name, options in (("here", ()), ("there", ("--cluster", cluster.address))):
        ran = call("fit", "model.pbpk", "-o", name, "--no-report", "--profile", *options, cwd=tmp_path)
        assert ran.code == 0, ran.err
        timing = json.loads((tmp_path / name / "timing.json").read_text())
        assert timing["notes"] == []
        (tmp_path / name / "timing.json").unlink()
        found.append(contents(tmp_path / name))
    assert timing["workers"] == 2
    assert "profiles.csv" in found[0] and found[0] == found[1]


def test_the_starts_of_one_fit_are_spread(cluster: LocalCluster, tmp_path: Path) -> None:
    study(tmp_path)
    found, asked = [], ("fit", "model.pbpk", "--no-report", "--by", "pooled", "--starts", "16")
    for name, options in (
        ("here", ()),
        ("two", ("--workers", "2")),
        ("there", ("--cluster", cluster.address)),
    ):
        ran = call(*asked, "-o", name, *options, cwd=tmp_path)
        assert ran.code == 0, ran.err
        timing = json.loads((tmp_path / name / "timing.json").read_text())
        assert timing["notes"] == [] and timing["workers"] == (2 if options else 1)
        (tmp_path / name / "timing.json").unlink()
        found.append(contents(tmp_path / name))
    assert found[0] == found[1] == found[2]


def test_python_takes_a_cluster_too(cluster: LocalCluster, tmp_path: Path) -> None:
    model = pbpkc.load(study(tmp_path))
    found = [[one.theta for one in model.fit(cluster=where).fits] for where in (None, cluster.address)]
    assert len(found[0]) == 2 and found[0] == found[1]
    crowd = pbpkc.load(write(tmp_path, CROWD, "crowd.pbpk"))
    people = crowd.population(3)
    here, there = (
        [run.trajectory.y.tobytes() for run in crowd.simulate("one", population=people, cluster=where).runs]
        for where in (None, cluster.address)
    )
    assert len(here) == 3 and here == there


def test_what_a_task_raises_is_raised(cluster: LocalCluster) -> None:
    with open_cluster(cluster.address) as pool, pytest.raises(TypeError, match="bad operand"):
        list(pool.each_done(abs, ["text"]))


def test_other_versions_are_named(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # This machine says something else of itself than its workers do.
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    said = r"the worker tcp.* has pbpkc .* where this machine has 9\.9, and numpy .*: install the same"
    with pytest.raises(ClusterError, match=said), open_cluster(cluster.address):
        pass


def test_a_worker_looks_at_versions_itself() -> None:
    task = pickle.dumps(-1)
    assert work(pickle.dumps(abs), task, about()) == 1
    with pytest.raises(ClusterError, match=r"has numpy .* where this machine has 0\.1"):
        work(pickle.dumps(abs), task, {**about(), "numpy": "0.1"})
    gone = pickle.dumps(abs).replace(b"abs", b"abc")
    with pytest.raises(ClusterError, match="cannot read what it was sent"):
        work(gone, task, about())


def test_versions_that_differ_are_told() -> None:
    here, there = {"Python": "3.11", "pbpkc": "1"}, {"Python": "3.12", "pbpkc": "1"}
    with pytest.raises(ClusterError, match=r"worker tcp://a:1 has Python 3\.12 where this machine has 3\.11"):
        demand_same(here, there, "the worker tcp://a:1")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--cluster", "tcp://127.0.0.1:9"], 2, "give --population FILE"),
        (["--cluster", "127.0.0.1", "--population", "people.csv"], 2, "the address of a scheduler"),
        (["--cluster", "tcp://127.0.0.1:9", "--workers", "2", "--population", "people.csv"], 2, "one of"),
        (["--cluster-wait", "3", "--population", "people.csv"], 2, "give --cluster ADDRESS"),
        (
            ["--cluster", "tcp://127.0.0.1:9", "--population", "people.csv", "-o", "out.csv"],
            1,
            "the scheduler tcp://127.0.0.1:9 cannot be reached",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, options: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbpkc.scale.cluster.ANSWER_SECONDS", 1.0)
    call("population", write(tmp_path, CROWD), "-n", "3", "-o", tmp_path / "people.csv")
    before = sorted(path.name for path in tmp_path.iterdir())
    ran = call("simulate", "model.pbpk", *options, cwd=tmp_path)
    assert ran.code == code
    assert said in " ".join(ran.err.split()), ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
