"""A small model with a saturable clearance, trained in seconds, and data drawn from it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from pbpkc import load
from pbpkc.engines.mipinn.family import Family
from pbpkc.engines.mipinn.training import Training, train
from pbpkc.engines.mipinn.training_options import TrainingOptions
from pbpkc.jobs.loaded import LoadedModel
from pbpkc.jobs.meta_train import MetaTrainJob, family_of

SPEC = """pbpk 1
model saturable "Two compartments, saturable clearance, oral and intravenous"

covariate BW "body weight" = 70 [kg] in (50, 100) [kg]
species X "drug" { mw = 200 [g/mol] }
lumen gut
pool central { volume = 0.3 [L/kg] * BW }
pool deep { volume = 0.5 [L/kg] * BW }
sink gone

masked ka   ~ lognormal(1.2 [1/h], cv = 50 [%])        in (0.05, 20) [1/h]      scale log
masked vmax ~ lognormal(300 [umol/h], cv = 50 [%])     in (10, 10000) [umol/h]  scale log
masked s    ~ lognormal(5 [%], cv = 50 [%])            in (0.5, 50) [%]
param km = 40 [umol/L]

process absorption : gut -> central  rate ka * gut.A
process clearance : central -> gone  rate mm(vmax, km, central.C)
flow exchange : central <-> deep at 8 [L/h]

observe C = central.C in [umol/L]  error prop(s)  lloq 0.01 [umol/L]

scenario po { dose X 200 [mg] into gut at 0 [h] lag 0.2 [h]; run 24 [h] }
scenario iv { dose X 100 [mg] into central at 0 [h] over 1 [h]; run 24 [h] }
scenario qid { dose X 200 [mg] into gut at 0 [h] every 6 [h] count 3; run 24 [h] }
scenario study {
  data "study.csv" { column TIME [h]; column AMT [mg]; CMT 1 dose X into gut lag 0.2 [h]; CMT 2 observe C }
}
check mass, positive
"""

OPTIONS = TrainingOptions(tasks=60, held_out=6, branches=(0,), features=(12, 20), tolerance=1e-9)


def write(folder: Path, rows: str = "") -> Path:
    """The spec with its data file in a folder."""
    path = folder / "saturable.pbpk"
    path.write_text(SPEC)
    (folder / "study.csv").write_text("ID,TIME,AMT,DV,CMT,EVID\n" + rows)
    return path


@lru_cache(maxsize=1)
def loaded() -> LoadedModel:
    """The model; nothing of it is changed by use."""
    import tempfile

    return load(write(Path(tempfile.mkdtemp())))


@lru_cache(maxsize=8)
def trained(*scenarios: str, infusion: tuple[float, float] = (1.0, 1.0)) -> tuple[Family, Training]:
    """The family of some scenarios and a model trained on it."""
    compiled, family = family_of(loaded(), MetaTrainJob(scenarios, infusion_range=infusion))
    return family, train(compiled, family, OPTIONS)


def rows(dose: float, times: list[float], values: np.ndarray, id: int = 1) -> str:
    """Lines of the data file: one oral dose, one sample a time."""
    lines = [f"{id},0,{dose},.,1,1"]
    lines += [f"{id},{t},.,{v!r},2,0" for t, v in zip(times, values.tolist(), strict=True)]
    return "\n".join(lines) + "\n"
