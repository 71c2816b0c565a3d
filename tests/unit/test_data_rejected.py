"""One bad data file a diagnostic: each file says in its first lines what is expected of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pbpkc.experiment.data import read_dataset
from pbpkc.language.diagnostics import SpecError
from pbpkc.language.resolve import resolve
from pbpkc.language.source import SourceFile
from pbpkc.language.syntax.parse import parse

FILES = sorted((Path(__file__).resolve().parents[1] / "rejected" / "data").glob("*.csv"))

SPEC = """pbpk 1
model small "One compartment"
covariate BW "body weight" = 70 [kg] in (30, 150) [kg]
param tlag = 0.5 [h]
species X { mw = 180 [g/mol] }
lumen gut
pool plasma { volume = 0.5 [L/kg] * BW }
sink out
process absorption : gut -> plasma rate 1.5 [1/h] * gut.A
process elimination : plasma -> out rate 2 [L/h] * plasma.C
observe C = plasma.C in [mg/L] error add(0.5 [mg/L])
scenario trial {
  data "trial.csv" {
    column TIME [h]
    column AMT [mg]
    column BW = WT [kg]
    CMT 1 dose X into gut
    CMT 2 observe C
  }
}
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rejected_with_its_place(path: Path, tmp_path: Path) -> None:
    text, spec = path.read_text(), SPEC
    for old, new in re.findall(r"# replace: (.*?) ->(.*)\n", text):
        assert old in spec
        spec = spec.replace(old, new.strip())
    expected = re.search(r"# expects: (\S+)(?: (\d+):(\d+))?", text)
    assert expected is not None
    with pytest.raises(SpecError) as error:
        read_dataset(resolve(parse(SourceFile(str(tmp_path / "small.pbpk"), spec))), path=path)
    found = [(d.code, d.span) for d in error.value.diagnostics]
    codes = [code for code, _ in found]
    assert expected[1] in codes
    rendered = str(error.value)
    assert "Traceback" not in rendered
    if expected[2]:
        places = {(code, span.line, span.column) for code, span in found if span is not None}
        assert (expected[1], int(expected[2]), int(expected[3])) in places, rendered
