"""R: deSolve's LSODA with a compiled model and its Jacobian, as MCSim and httk use it.

R is started once and told which subjects to solve through its standard input; numbers go through files.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from pbpkc.studies.solvers.peers.problem import Array, Built, Problem
from pbpkc.studies.solvers.peers.subjects import preparation

_MODEL = """
#include EQUATIONS
enum {{ WIDE = {wide}, INPUTS = {inputs}, HELD = {held} }};
static double parms[WIDE + INPUTS + HELD + 1];

void initmod(void (*odeparms)(int *, double *))
{{
    int count = WIDE + INPUTS + HELD;
    odeparms(&count, parms);
}}

void derivs(int *n, double *t, double *y, double *dy, double *out, int *ip)
{{
    rhs(*t, y, parms, parms + WIDE, parms + WIDE + INPUTS, dy);
}}

void jac(int *n, double *t, double *y, int *lower, int *upper, double *matrix, int *rows, double *out,
         int *ip)
{{
    static const int row[] = {{{rows}}}, column[] = {{{columns}}};
    double values[ENTRIES];
    jacobian(*t, y, parms, parms + WIDE, parms + WIDE + INPUTS, values);
    for (int k = 0; k < *n * *rows; k++)
        matrix[k] = 0.0;
    for (int k = 0; k < ENTRIES; k++)
        matrix[column[k] * *rows + row[k]] = values[k];
}}
"""

_SCRIPT = """
library(deSolve)
at <- commandArgs(TRUE)
dyn.load(at[1])
told <- scan(at[2], quiet = TRUE)
states <- told[1]; wide <- told[2]; held <- told[3]; inputs <- told[4]; times <- told[5]
rtol <- told[6]; atol <- told[7]; stretches <- told[8]
place <- 9
grids <- list(); jumps <- list(); given <- list(); wanted <- integer(0)
take <- function(count) {
  found <- if (count > 0) told[place:(place + count - 1)] else numeric(0)
  place <<- place + count
  found
}
for (g in seq_len(stretches)) {
  lengths <- take(2)
  wanted[g] <- lengths[2]
  grids[[g]] <- take(lengths[1])
  jumps[[g]] <- take(states)
  given[[g]] <- take(inputs)
}
input <- file("stdin", "r")
repeat {
  line <- readLines(input, 1)
  if (length(line) == 0) break
  subjects <- as.integer(line)
  width <- wide + held + states
  values <- matrix(readBin(at[3], "double", subjects * width), nrow = width)
  found <- matrix(NaN, states * times, subjects)
  for (i in seq_len(subjects)) {
    p <- values[seq_len(wide), i]
    constants <- values[wide + seq_len(held), i]
    y <- values[wide + held + seq_len(states), i]
    first <- 0
    for (g in seq_len(stretches)) {
      run <- lsoda(y + jumps[[g]], grids[[g]], "derivs", c(p, given[[g]], constants), rtol = rtol,
                   atol = atol, jacfunc = "jac", jactype = "fullusr", dllname = "model", initfunc = "initmod",
                   maxsteps = 100000)
      curve <- t(run[, -1, drop = FALSE])
      y <- curve[, ncol(curve)]
      if (wanted[g] > 0) {
        found[first * states + seq_len(wanted[g] * states), i] <- curve[, 1 + seq_len(wanted[g])]
      }
      first <- first + wanted[g]
    }
  }
  writeBin(as.vector(found), at[4])
  cat("done\\n")
  flush(stdout())
}
"""


def build(problem: Problem) -> Built:
    """Ready to solve.

    Raises
    ------
    ValueError
        If the model cannot be compiled, or R ends.
    """
    prepare = preparation(problem)
    size = len(problem.states)
    kept = tempfile.TemporaryDirectory()
    folder = Path(kept.name)
    model = compiled_model(problem, folder)
    (folder / "run.R").write_text(_SCRIPT)
    (folder / "told").write_text(" ".join(repr(float(x)) for x in _told(problem)))
    numbers, found_at = folder / "numbers", folder / "found"
    r = subprocess.Popen(
        ["Rscript", "--vanilla", str(folder / "run.R"), str(model), str(folder / "told"),
         str(numbers), str(found_at)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def solve(p: Array) -> Array:
        assert r.stdin is not None and r.stdout is not None
        np.concatenate((p, *prepare(p)), axis=1).tofile(numbers)
        r.stdin.write(f"{len(p)}\n")
        r.stdin.flush()
        if r.stdout.readline().strip() != "done":
            raise ValueError("R ended before it had solved them")
        return np.fromfile(found_at).reshape(len(p), len(problem.times), size)

    def clock() -> float:
        # Nanoseconds on a processor; /proc/PID/stat counts in hundredths of a second, longer than a solve.
        return int(Path(f"/proc/{r.pid}/schedstat").read_text().split()[0]) * 1e-9

    # The folder lives as long as the function that reads it.
    solve.folder = kept  # type: ignore[attr-defined]
    return Built(solve, clock=clock)


def compiled_model(problem: Problem, folder: Path) -> Path:
    """The model as R calls it (``initmod``, ``derivs``, ``jac``), compiled into a folder.

    Raises
    ------
    ValueError
        If it cannot be compiled.
    """
    (folder / "model.c").write_text(
        _MODEL.format(
            wide=len(problem.parameters), inputs=len(problem.inputs), held=problem.constants,
            rows=", ".join(map(str, problem.rows)), columns=", ".join(map(str, problem.columns)),
        )
    )  # fmt: skip
    command = [os.environ.get("CC", "cc"), "-O3", "-shared", "-fPIC", "-o", str(folder / "model.so"),
               f'-DEQUATIONS="{problem.folder / "equations.c"}"', str(folder / "model.c"), "-lm"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"the C compiler says: {done.stderr[:200]}")
    return folder / "model.so"


def _told(problem: Problem) -> list[float]:
    """What R reads of the problem, one number after the other."""
    told = [
        len(problem.states), len(problem.parameters), problem.constants, len(problem.inputs),
        len(problem.times), problem.rtol, problem.atol, len(problem.stretches),
    ]  # fmt: skip
    for part in problem.stretches:
        told += [len(part.grid), part.times.size, *part.grid.tolist(), *part.jump.tolist(), *part.u.tolist()]
    return told
