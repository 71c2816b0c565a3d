"""Calls the command line as a user does, inside this process, and holds the specs it is called with."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: One pool, one written scenario; its expectation holds.
TINY = """\
pbpk 1
model tiny "One pool"
covariate BW = 70 [kg] in (30, 150) [kg]
species D { mw = 100 [g/mol] }
pool plasma { volume = 10 [L] }
sink gone
param k = 0.1 [1/h]
process out : plasma -> gone rate k * BW / 70 [kg] * plasma.A
observe Cp = plasma.C in [mg/L]
scenario one { dose D 100 [mg] into plasma at 0 [h]; run 12 [h] }
scenario light from one { set BW = 35 [kg] }
scenario slow from one { set k = 0.5 * k }
check mass, positive
check cmax(one.Cp) in (9, 11) [mg/L]
"""

#: Two subjects, plain least squares.
STUDY = """\
pbpk 1
model study "Two subjects"
species D { mw = 100 [g/mol] }
pool plasma { volume = v }
sink gone
masked k "elimination" ~ lognormal(0.1 [1/h], cv = 50 [%]) in (0.001, 10) [1/h]
masked v ~ lognormal(10 [L], cv = 50 [%]) in (1, 100) [L]
masked s ~ lognormal(0.5 [mg/L], cv = 50 [%]) in (0.001, 5) [mg/L]
process out : plasma -> gone rate k * plasma.A
observe Cp = plasma.C in [mg/L] error add(s)
scenario one { dose D 100 [mg] into plasma at 0 [h]; run 12 [h] }
scenario data {
  data "study.csv" { column TIME [h]; column AMT [mg]; CMT 1 dose D into plasma; CMT 2 observe Cp }
}
"""

#: Concentrations after 100 mg: about k = 0.1 /h, V = 10 L in the first, k = 0.26 /h, V = 11 L in the second.
STUDY_DATA = """\
ID,TIME,AMT,DV,CMT,EVID,MDV
1,0,100,.,1,1,1
1,1,.,8.9,2,0,0
1,2,.,8.4,2,0,0
1,4,.,6.5,2,0,0
1,8,.,4.6,2,0,0
1,12,.,2.9,2,0,0
2,0,100,.,1,1,1
2,1,.,7.0,2,0,0
2,2,.,5.1,2,0,0
2,4,.,3.3,2,0,0
2,8,.,0.9,2,0,0
2,12,.,0.6,2,0,0
"""

#: The second solution ends at 1 h: dx/dt = x^2.
BLOW_UP = """\
pbpk 1
model explosion "A rate that explodes"
state x = 1
ode x = x^2 / 1 [h]
observe level = x in [1]
scenario whole { run 3 [h] }
scenario part { run 0.5 [h] }
"""

#: A body with an organ that takes what the others leave.
BODY = """\
pbpk 1
model body "Three organs" { organism human }
covariate BW = 70 [kg] in (50, 150) [kg]
param CO = 300 [L/h]
blood arterial { volume = 2 [L] }
blood venous { volume = 4 [L] }
tissue lung { volume = 1 [L] }
tissue liver { volume = 0.025 [L/kg] * BW; flow = 25 [%] * CO }
tissue muscle { volume = 30 [L]; flow = 30 [%] * CO }
tissue rest { volume = remainder(BW / 1 [kg/L]); flow = remainder(CO) }
circulation CO { venous -> lung -> arterial; arterial -> {liver, muscle, rest} -> venous }
species D carried by CO {
  mw = 100 [g/mol]; logp = 1; pka = neutral(); fup = 0.5; bp = 1
  kp = auto(rodgers_rowland)
  kp.rest = 1
}
sink gone
param cl = 20 [L/h]
process metabolism : liver.D -> gone.D rate cl * liver.D.Cout
observe Cp = venous.D.Cp in [mg/L]
scenario iv { dose D 100 [mg] into venous at 0 [h]; run 2 [h] }
scenario small from iv { set liver.volume = 1 [L] }
scenario large from iv { set liver.volume = 3 [L] }
"""

#: An unknown term without a default.
UNKNOWN = """\
pbpk 1
model guess "A capacity that nobody knows"
species D { mw = 100 [g/mol] }
pool plasma { volume = 10 [L] }
sink gone
param k = 0.1 [1/h]
unknown cap (c [umol/L] in (0, 100) [umol/L]) -> [1] { range (0, 1) }
process out : plasma -> gone rate k * plasma.A * cap(plasma.C)
observe Cp = plasma.C in [mg/L]
scenario one { dose D 100 [mg] into plasma at 0 [h]; run 12 [h] }
"""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out, parse_constant=_no_constant)


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def call(*arguments: object, cwd: Path | None = None) -> Ran:
    """Run ``pbpkc ARGUMENTS`` in this process."""
    from pbpkc.cli import main

    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["pbpkc", *map(str, arguments)]
    code: object = None
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            contextlib.chdir(cwd or Path.cwd()),
        ):
            main()
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv = before
    assert isinstance(code, int), f"left with {code!r}"
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Ran(code, out.getvalue(), err.getvalue())


def write(folder: Path, text: str, name: str = "model.pbpk") -> Path:
    """A spec as a file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def study(folder: Path) -> Path:
    """The spec of two subjects with its data beside it."""
    write(folder, STUDY_DATA, "study.csv")
    return write(folder, STUDY)
