"""The comparison of solvers: the texts that peers read, what is measured, and the command."""

from __future__ import annotations

import csv
import ctypes
import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_case import Ran, call

from pbpkc.jobs.bench_folder import BenchFolder
from pbpkc.jobs.solver_bench import SolverBenchOptions, solver_bench
from pbpkc.studies.solvers import environment
from pbpkc.studies.solvers.bodies import SIZES, body
from pbpkc.studies.solvers.environment import Environment
from pbpkc.studies.solvers.equation_text import antimony_text, c_text, python_text, routines_of
from pbpkc.studies.solvers.methods import PEERS, PRODUCT, Method
from pbpkc.studies.solvers.peers.desolve import compiled_model
from pbpkc.studies.solvers.peers.measure import Plan, measure
from pbpkc.studies.solvers.peers.problem import Built, Problem, read_problem
from pbpkc.studies.solvers.peers.scipy_lsoda import build as scipy_build
from pbpkc.studies.solvers.peers.subjects import observer, preparation
from pbpkc.studies.solvers.peers.words import FLOATS
from pbpkc.studies.solvers.problem_folder import Case, compiled_case, write_problem
from pbpkc.studies.solvers.scores import (
    Cost,
    Score,
    fastest_peer,
    score,
    slope_ratio,
    slope_times_faster,
    times_faster,
)
from pbpkc.studies.solvers.systems import SYSTEMS, system_named
from pbpkc.studies.solvers.truth import Truth, truth_of, worst

_SMALL = ("body_15_nonlinear", "pollu")


@pytest.fixture(scope="module", params=_SMALL)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Problem]:
    case = compiled_case(system_named(request.param), 3, 1)
    folder = tmp_path_factory.mktemp("problem")
    write_problem(case, folder, 1e-6)
    return case, read_problem(folder)


def _points(problem: Problem, case: Case) -> list[tuple[Any, ...]]:
    """States, inputs and constants near those of a run."""
    rng = np.random.default_rng(3)
    constants, _ = preparation(problem)(problem.p)
    return [
        (rng.uniform(0.0, 3.0, len(problem.states)), problem.p[k], rng.uniform(0.0, 5.0, len(problem.inputs)),
         constants[k], case.compiled.prepare(problem.p[k]))
        for k in range(3)
    ]  # fmt: skip


@pytest.mark.parametrize("states", SIZES)
@pytest.mark.parametrize("saturable", [True, False])
def test_bodies_have_the_states_that_they_say(states: int, saturable: bool) -> None:
    assert body(states, saturable).states == states
    kind = "nonlinear" if saturable else "linear"
    analysed = compiled_case(system_named(f"body_{states}_{kind}"), 1, 0).stages.analysed
    assert len(analysed.system.states) == states
    assert analysed.linear_time_invariant is not saturable
    # Organs hang on blood: a row of the Jacobian holds three entries or so.
    assert len(analysed.sparsity) < 4 * states


def test_subjects_are_the_same_for_any_number_of_them() -> None:
    few, many = (compiled_case(system_named("pollu"), n, 5).p for n in (2, 6))
    assert np.array_equal(few, many[:2]) and not np.array_equal(many[1], many[2])
    assert few[0, 0] == pytest.approx(60 * 0.35)  # per hour, the value of the spec
    spread = np.log(compiled_case(system_named("pollu"), 400, 5).p[1:]).std()
    assert spread > 0.25


def test_python_text_agrees_with_the_numpy_module(made: tuple[Case, Problem]) -> None:
    case, problem = made
    plain, filled = problem.equations(FLOATS), problem.equations(FLOATS, in_place=True)
    compiled = case.compiled
    for y, p, u, mine, theirs in _points(problem, case):
        lists = [a.tolist() for a in (y, p, u, mine)]
        right = compiled.rhs(0.0, y, p, u, theirs)
        assert plain.rhs(0.0, *lists) == pytest.approx(right.tolist(), rel=1e-12)
        out = np.empty(len(problem.states))
        filled.rhs(0.0, *lists, out)
        assert out == pytest.approx(right, rel=1e-12)
        slopes = compiled.jacobian(0.0, y, p, u, theirs)
        out = np.empty(len(problem.rows))
        filled.jacobian(0.0, *lists, out)
        assert out == pytest.approx(slopes, rel=1e-12)
        assert plain.jacobian(0.0, *lists) == pytest.approx(slopes.tolist(), rel=1e-12)
        assert plain.observe(0.0, *lists) == pytest.approx(
            compiled.observe(0.0, y, p, u, theirs).tolist(), rel=1e-12
        )
    dense = compiled.jacobian_dense(0.0, y, p, u, theirs)
    assert dense[list(problem.rows), list(problem.columns)] == pytest.approx(slopes)
    assert np.count_nonzero(dense) <= len(problem.rows)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_text_agrees_with_the_numpy_module(made: tuple[Case, Problem], tmp_path: Path) -> None:
    case, problem = made
    source = tmp_path / "equations.c"
    # The functions are static: they are made to be included.
    source.write_text((problem.folder / "equations.c").read_text().replace("static void", "void"))
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", tmp_path / "e.so", source, "-lm"], check=True)
    library = ctypes.CDLL(str(tmp_path / "e.so"))

    def called(name: str, size: int, *arrays: np.ndarray) -> np.ndarray:
        out = np.empty(size)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*arrays, out)]
        getattr(library, name)(ctypes.c_double(0.0), *pointers)
        return out

    for y, p, u, mine, theirs in _points(problem, case):
        right = case.compiled.rhs(0.0, y, p, u, theirs)
        assert called("rhs", len(problem.states), y, p, u, mine) == pytest.approx(right, rel=1e-12)
        slopes = case.compiled.jacobian(0.0, y, p, u, theirs)
        assert called("jacobian", len(problem.rows), y, p, u, mine) == pytest.approx(slopes, rel=1e-12)


def test_antimony_text_agrees_with_the_numpy_module(made: tuple[Case, Problem]) -> None:
    """Read as Python, line by line: only names and ``:=`` differ where a model has no choices."""
    case, problem = made
    text = (problem.folder / "model.ant").read_text()
    for y, p, u, mine, theirs in _points(problem, case):
        arrays = {"y": y, "p": p, "u": u, "c": mine}
        known = {f"{name}_{k}": float(v) for name, array in arrays.items() for k, v in enumerate(array)}
        rates = {}
        for line in text.splitlines():
            name, sign, formula = (part.strip() for part in line.replace("'", "' ").partition("="))
            if name.endswith(":"):
                known[name[:-1].strip()] = eval(formula, {}, known)
            elif name.endswith("'") and sign:
                rates[name[:-1].strip()] = eval(formula, {}, known)
        right = case.compiled.rhs(0.0, y, p, u, theirs)
        assert [rates[f"y_{k}"] for k in range(len(y))] == pytest.approx(right.tolist(), rel=1e-12)


def test_choices_and_powers_have_a_form_in_every_language() -> None:
    from pbpkc.compiler.routine import Line, Routine

    line = "x = where(y[0] < 2, power(y[0], 1.5), maximum(y[1], 3*y[0]**2)) - absolute(y[1]) + y[1]**(-2)"
    rhs = Routine("_rhs", ("t", "y", "p", "u", "c"), "", (), (Line(line),), (Line("x + t"),))
    routines = {"rhs": rhs, "jacobian": rhs}
    c = c_text(routines, [0], 1)
    assert "pow(((y[0] > 0.0) ? y[0] : 0.0), 1.5)" in c and "((y[0] < 2.0)) ? " in c
    assert "pow(y[1], (-2.0))" in c and "(y[0]*y[0])" in c
    antimony = antimony_text(routines, 2, 0, 0, 0)
    assert "piecewise(pow(piecewise(y_0, y_0 > 0.0, 0.0), 1.5), (y_0 < 2.0), piecewise(" in antimony
    assert "    out[0] = x + t" in python_text(routines, in_place=True)


def test_systems_with_unknown_terms_are_refused() -> None:
    import pbpkc
    from pbpkc.resources import resource

    analysed = pbpkc.load(resource("specs", "paracetamol.pbpk")).stages.analysed
    with pytest.raises(ValueError, match="unknown terms"):
        routines_of(analysed)


def test_a_peer_and_the_reference_find_the_same_curves(made: tuple[Case, Problem]) -> None:
    case, problem = made
    truth = truth_of(case, 2, 0)
    built = scipy_build(problem)
    curves = observer(problem)(problem.p[:2], built.solve(problem.p[:2]))
    largest, median, lost = worst(curves, truth.curves)
    assert lost == 0 and 0.0 < median < 1e-5 and largest < 1e-3


@pytest.mark.reference
def test_the_truth_of_pollu_is_the_published_one() -> None:
    """Test Set for IVP Solvers (Mazzia and Magherini): the concentrations after 60 min."""
    told = Path(__file__).parents[1] / "reference" / "ivp" / "pollu.json"
    published = list(json.loads(told.read_text())["reference_at_t_end"].values())
    case = compiled_case(system_named("pollu"), 1, 0)
    found = truth_of(case, 1, 0).curves[0, -1]
    # O3, NO2, HNO3 and PAN are the species 4, 1, 15 and 13.
    assert found == pytest.approx([published[k - 1] for k in (4, 1, 15, 13)], rel=1e-9)


def test_measure_counts_what_is_done(made: tuple[Case, Problem]) -> None:
    _, problem = made
    asked: list[int] = []

    def build(problem: Problem) -> Built:
        def solve(p: np.ndarray) -> np.ndarray:
            asked.append(len(p))
            return np.ones((len(p), len(problem.times), len(problem.watched)))

        return Built(solve, "watched")

    def differentiated(problem: Problem) -> Built:
        def slopes(p: np.ndarray) -> np.ndarray:
            return np.ones((len(p), len(problem.times), 5))

        return replace(build(problem), sensitivities=slopes)

    figures, arrays = measure(build, problem, Plan((1, 2, 3), (1, 3), 5.0, 2, 2))
    assert [n for n, _, _ in figures["cells"]] == [1, 2, 3] and all(s > 0.0 for _, s, _ in figures["cells"])
    assert asked[0] == 1 and asked[-1] == 2 and arrays["curves"].shape[0] == 2
    assert figures["slope_cells"] == [] and figures["gives"] == "watched"
    figures, arrays = measure(differentiated, problem, Plan((1,), (1, 3), 5.0, 2, 2))
    assert [n for n, _, _ in figures["slope_cells"]] == [1, 3]
    assert arrays["sensitivities"].shape == (len(problem.times), 5)


def test_what_takes_too_long_is_in_proportion() -> None:
    truth = Truth(np.ones((2, 3, 1)), np.ones((3, 5)), math.nan)
    figures = {"first": 0.1, "cells": [[1, 0.5, 3], [10, 4.0, 2]], "slope_cells": [], "rss": 10.0,
               "gives": "watched", "note": ""}  # fmt: skip
    curves = np.ones((2, 3, 1))
    curves[0, 1] = 1.001
    found = score(Score("s", "m", "M", False), figures, {"curves": curves}, truth, (1, 10, 100), (1,))
    assert found.cost(100) == Cost(100, 40.0, 0) and found.cost(10) == Cost(10, 4.0, 2)
    assert found.max_error == pytest.approx(1e-3) and found.median_error == 0.0
    quick = Score("s", "own", "Own", True, costs=(Cost(1, 0.05, 5), Cost(100, 0.4, 5)))
    assert fastest_peer((found, quick), 100) is found
    assert times_faster(quick, (found, quick), 100) == pytest.approx(100.0)
    assert times_faster(found, (found, quick), 100) == 1.0
    assert math.isnan(times_faster(quick, (quick,), 1)) and found.slope_costs == ()
    figures["slope_cells"] = [[1, 2.0, 3]]
    slopes = {"curves": curves, "sensitivities": np.ones((3, 5))}
    along = score(Score("s", "n", "N", False), figures, slopes, truth, (1, 10, 100), (1, 100))
    assert along.slope_cost(100) == Cost(100, 200.0, 0) and slope_ratio(along, 100) == pytest.approx(5.0)
    own = replace(quick, slope_costs=(Cost(1, 0.1, 5), Cost(100, 1.0, 5)))
    assert slope_times_faster(own, (along, own), 100) == pytest.approx(200.0)
    assert math.isnan(slope_ratio(quick, 1))


def test_small_values_and_lost_subjects_do_not_count() -> None:
    truth = np.array([[[1.0], [1e-7], [0.5]], [[1.0], [1.0], [1.0]]])
    given = truth.copy()
    given[0, 1] = 5.0
    given[1, 2] = np.nan
    assert worst(given, truth) == (0.0, 0.0, 1)
    assert math.isnan(worst(given[1:], truth[1:])[0])


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    out = tmp_path_factory.mktemp("bench") / "out"
    ran = call("bench", "solvers", "--short", "--no-peers", "--system", "body_15_linear", "-o", out)
    assert ran.code == 0, ran.err
    return out, ran


@pytest.mark.long
def test_the_short_form_end_to_end(short: tuple[Path, Ran]) -> None:
    out, ran = short
    assert "Whole body, 15 states, linear" in ran.out and "pbpkc reference" in ran.out
    with (out / "solvers.csv").open() as file:
        rows = list(csv.DictReader(file))
    mine = [r for r in rows if r["method"] == "reference"]
    assert [r["subjects"] for r in mine] == ["1", "10"]
    assert all(float(r["cpu_ms"]) > 0.0 and float(r["max_error"]) < 1e-3 for r in mine)
    assert all(0.0 < float(r["sensitivity_error"]) < 1e-4 for r in mine)
    told = json.loads((out / "solvers.json").read_text())
    assert told["systems"][0]["name"] == "body_15_linear" and told["options"]["short"] is True
    assert (out / "solvers.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.long
def test_the_short_form_goes_on_where_it_was(short: tuple[Path, Ran]) -> None:
    out, _ = short
    before = {p.name: p.read_bytes() for p in (out / "parts").iterdir()}
    again = call("bench", "solvers", "--short", "--no-peers", "--system", "body_15_linear", "-o", out,
                 "--format", "json")  # fmt: skip
    assert again.code == 0, again.err
    assert {p.name: p.read_bytes() for p in (out / "parts").iterdir()} == before
    kept = json.loads((out / "solvers.json").read_text())["figures"]
    assert again.json()["figures"] == kept and len(kept) >= 2


def _environment(tmp_path: Path, refused: dict[str, str]) -> Environment:
    """This Python in the place of the peers' one, with the code it has."""
    return Environment(Path(sys.executable), {}, refused, Path(__file__).parents[2], {})


def test_peers_that_fail_are_listed_with_their_reason(tmp_path: Path) -> None:
    working = Method("works", "Works", "pbpkc.studies.solvers.peers.scipy_lsoda")
    known = (
        working,
        Method("gone", "Gone", "pbpkc.studies.solvers.peers.no_such_file"),
        Method("refused", "Refused", "x", packages=("refused_package",)),
        Method("lacking", "Lacking", "x", missing=lambda: "this machine has no such program"),
    )
    options = SolverBenchOptions(
        ("pollu",), tuple(m.name for m in known), (1, 2), 2, 0, 0.2, 2, 1e-6, 0, True
    )
    told: list[str] = []
    found = solver_bench(
        options, BenchFolder(tmp_path), lambda done, total, word: told.append(word), known,
        _environment(tmp_path, {"refused_package": "no wheel"}),
    )  # fmt: skip
    by_name = {s.method: s for s in found.scores}
    assert by_name["works"].max_error < 1e-3 and len(by_name["works"].costs) == 2
    assert "ModuleNotFoundError" in by_name["gone"].reason
    assert by_name["refused"].reason == "refused_package: no wheel"
    assert by_name["lacking"].reason == "this machine has no such program"
    assert any("Works" in word for word in told)


def test_an_environment_that_cannot_be_made_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_run", lambda command, cwd=None: "no room on the disk")
    made = environment.peer_environment(tmp_path, ["numba"])
    assert made.refused == {"numba": "no room on the disk"} and not made.versions
    known = [m for m in PEERS if m.name == "numba_scipy"]
    options = SolverBenchOptions(("pollu",), ("numba_scipy",), (1,), 1, 0, 0.2, 2, 1e-6, 0, True)
    found = solver_bench(options, BenchFolder(tmp_path), lambda *told: None, known)
    assert found.scores[0].reason == "numba: no room on the disk" and not found.scores[0].costs


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "x"
    ran = call("bench", "solvers", "--system", "body_16", "-o", out)
    assert ran.code == 2 and "'body_16' is not among body_15_nonlinear" in " ".join(ran.err.split())
    assert call("bench", "solvers", "--peer", "matlab", "-o", out).code == 2
    assert call("bench", "solvers", "--peer", "scipy", "--no-peers", "-o", out).code == 2
    assert not out.exists()


def test_names_are_unique() -> None:
    names = [m.name for m in (*PRODUCT, *PEERS)]
    assert len(set(names)) == len(names) and len({s.name for s in SYSTEMS}) == len(SYSTEMS)
    for method in (*PRODUCT, *PEERS):
        path = Path(__file__).parents[2].joinpath(*method.module.split("."))
        assert path.with_suffix(".py").exists(), method.module


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_model_for_r_agrees_with_the_numpy_module(made: tuple[Case, Problem], tmp_path: Path) -> None:
    case, problem = made
    library = ctypes.CDLL(str(compiled_model(problem, tmp_path)))
    size = len(problem.states)
    n = ctypes.byref(ctypes.c_int(size))
    for y, p, u, mine, theirs in _points(problem, case):
        given = np.concatenate((p, u, mine))

        def fill(count: Any, array: Any, given: np.ndarray = given) -> None:
            assert count[0] == given.size
            ctypes.memmove(array, given.ctypes.data, given.nbytes)

        pointers = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_double)
        library.initmod(ctypes.CFUNCTYPE(None, *pointers)(fill))
        t, out, matrix = np.zeros(1), np.empty(size), np.full((size, size), 7.0)
        at = [ctypes.c_void_p(a.ctypes.data) for a in (t, y, out, matrix)]
        library.derivs(n, at[0], at[1], at[2], None, None)
        assert out == pytest.approx(case.compiled.rhs(0.0, y, p, u, theirs), rel=1e-12)
        library.jac(n, at[0], at[1], None, None, at[3], n, None, None)
        # R holds a matrix by columns.
        dense = case.compiled.jacobian_dense(0.0, y, p, u, theirs)
        assert np.allclose(matrix.T, dense, rtol=1e-12, atol=0.0)
