"""One method on one problem, measured in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbpkc.studies.solvers.environment import Environment
from pbpkc.studies.solvers.methods import Method
from pbpkc.studies.solvers.peers.measure import Plan

Array = NDArray[np.float64]

#: Everything on one core: what is compared is the work.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def run_method(
    method: Method, problem: Path, plan: Plan, environment: Environment | None, patience: float
) -> tuple[dict[str, Any], dict[str, Array]]:
    """What `measure` says of a method, and the curves that it found.

    Parameters
    ----------
    method : Method
    problem : Path
        Its folder.
    plan : Plan
    environment : Environment, optional
        Of the peers; not needed for pbpkc's own methods.
    patience : float, s
        A process that takes longer is stopped, which is a reason too.

    Returns
    -------
    dict
        As of `measure`, or with ``reason`` alone. For pbpkc's own methods also ``warm``, the time to the
        first solution with what an earlier process has left in the user's cache.
    dict of str to ndarray
    """
    with tempfile.TemporaryDirectory() as cache:
        if not method.product:
            return _measured(method, problem, plan, environment, patience, cache)
        cold, _ = _measured(
            method, problem, replace(plan, sizes=(), slope_sizes=()), environment, patience, cache
        )
        if "reason" in cold:
            return cold, {}
        figures, arrays = _measured(method, problem, plan, environment, patience, cache)
        if "reason" in figures:
            return figures, {}
        return {**figures, "warm": figures["first"], "first": cold["first"]}, arrays


def _measured(
    method: Method, problem: Path, plan: Plan, environment: Environment | None, patience: float, cache: str
) -> tuple[dict[str, Any], dict[str, Array]]:
    """What one process says, with a folder of its own in the place of the user's cache."""
    if method.product:
        python, code = sys.executable, Path(__file__).parents[3]
    else:
        assert environment is not None
        python, code = str(environment.python), environment.code
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found"
        command = [python, "-m", "pbpkc.studies.solvers.peers.measure", method.module, str(problem.resolve()),
                   str(out), json.dumps(asdict(plan))]  # fmt: skip
        reason = _finished(command, code.resolve(), Path(folder), cache, patience)
        try:
            figures = json.loads(out.with_name("found.json").read_text(encoding="utf-8"))
            with np.load(out.with_name("found.npz")) as held:
                arrays = {name: held[name] for name in held.files}
        except (OSError, ValueError):
            return {"reason": reason or "it wrote no result"}, {}
    return figures, arrays


def _finished(command: list[str], code: Path, folder: Path, cache: str, patience: float) -> str:
    """Run a program to its end; why it did not get there, empty if it did."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    surroundings = {**kept, **_ONE_THREAD, "PYTHONPATH": str(code), "XDG_CACHE_HOME": cache}
    with (folder / "said").open("w+b") as said:
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=surroundings, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        except OSError as error:
            return str(error)
        try:
            status = process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"it took longer than {patience:.0f} s"
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status == 0:
            return ""
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    last = lines[-1][:200] if lines else ""
    how = (
        f"it was ended by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"
    )
    return f"{how}: {last}" if last else how
