"""What a machine may have besides Python: a C compiler, SUNDIALS with KLU, R with deSolve."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from pbpkc.studies.solvers.peers.cvode_klu import KLU_HEADERS

_PATIENCE = 60.0

_PROBE = """#include <cvode/cvode.h>
#include <nvector/nvector_serial.h>
#include <sunlinsol/sunlinsol_klu.h>
int main(void) { return 0; }
"""


def compiler_missing() -> str:
    """Why no C can be compiled; empty if it can."""
    found = shutil.which(os.environ.get("CC", "cc"))
    return "" if found is not None else "there is no C compiler (`cc`, or what CC names)"


@lru_cache(maxsize=1)
def sundials_missing() -> str:
    """Why generated C cannot be linked with CVODE and KLU; empty if it can.

    Headers and libraries are looked for where the compiler looks (`CPATH`, `LIBRARY_PATH`).
    """
    without = compiler_missing()
    if without:
        return without
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(_PROBE)
        command = [os.environ.get("CC", "cc"), *KLU_HEADERS, str(source), "-o", str(Path(folder) / "probe"),
                   "-lsundials_cvode", "-lsundials_nvecserial", "-lsundials_sunlinsolklu", "-lklu",
                   "-lm"]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"the C compiler does not run: {error}"
    return "" if done.returncode == 0 else "SUNDIALS with KLU is not installed (Debian: libsundials-dev)"


@lru_cache(maxsize=1)
def desolve_missing() -> str:
    """Why R cannot run a compiled model in deSolve; empty if it can."""
    without = compiler_missing()
    if without:
        return without
    program = shutil.which("Rscript")
    if program is None:
        return "R is not installed (Debian: r-base-core and r-cran-desolve)"
    try:
        done = subprocess.run(
            [program, "-e", "library(deSolve)"], capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"R does not run: {error}"
    return "" if done.returncode == 0 else "R has no deSolve (Debian: r-cran-desolve)"
