from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hand_systems import bimolecular, chemistry, circulation, oral, saturable
from matplotlib.mathtext import MathTextParser

from pbpkc.compiler.system import System
from pbpkc.report.equations import equations_latex, equations_table, equations_text

SYSTEMS = [oral, circulation, saturable, bimolecular, chemistry]


def test_text_has_processes_with_their_rates_and_equations_by_name() -> None:
    lines = equations_text(saturable()).splitlines()
    assert lines[0] == "saturable: saturable by hand (4 states, 6 parameters, 3 rates; time in h)"
    assert "  conjugation : liver.D -> f bile.G + (1 - f) blood.G" in lines
    assert "      rate BW^0.75 * vmax * liver.D.C / (km + liver.D.C)" in lines
    assert "  d blood.G/dt = (1 - f) * conjugation + reflux" in lines


def test_blood_flows_stand_in_the_equations_themselves() -> None:
    text = equations_text(circulation())
    assert "d lung.X/dt = CO * venous.X.Cout - CO * lung.X.Cout" in text
    assert "venous_lung" not in text
    assert "+ into venous.X" in text


@pytest.mark.parametrize("make", SYSTEMS)
def test_no_line_is_too_long_to_read(make: Callable[[], System]) -> None:
    assert max(len(line) for line in equations_text(make()).splitlines()) <= 110


@pytest.mark.parametrize("make", SYSTEMS)
def test_every_state_and_parameter_has_a_row(make: Callable[[], System]) -> None:
    system = make()
    tables = equations_table(system)
    assert [r.state for r in tables.equations] == [s.name for s in system.states]
    assert [r.name for r in tables.parameters] == [p.name for p in system.parameters]
    for index, row in enumerate(tables.equations):
        gains = [r for (i, r), e in system.N.items() if i == index and not e.is_negative]
        named = {system.rates[r].name for r in gains if system.rates[r].kind == "process"}
        assert named == {g for g in row.gains if g != "dose" and not g.startswith("from ")}
        assert len(row.gains) - ("dose" in row.gains) == len(gains)
    shown = str(tables)
    assert all(s.name in shown for s in system.states)


def test_blood_comes_from_and_goes_to_a_state() -> None:
    row = next(r for r in equations_table(circulation()).equations if r.state == "liver.X")
    assert row.gains == ("from arterial.X",)
    assert row.losses == ("to venous.X", "metabolism")


def test_a_parameter_is_shown_in_its_own_unit_with_its_source() -> None:
    row = next(r for r in equations_table(oral()).parameters if r.name == "cl")
    assert (row.value, row.unit, row.source) == ("0.04", "L/h/kg", "guess")
    assert row.allowed == "estimated in (0.005, 0.3)"


@pytest.mark.parametrize("make", SYSTEMS)
def test_latex_is_balanced_and_every_line_is_mathematics(make: Callable[[], System]) -> None:
    text = equations_latex(make())
    assert text.count("\\begin{") == text.count("\\end{")
    assert text.startswith("\\documentclass") and text.endswith("\\end{document}\n")
    parser = MathTextParser("path")
    blocks = re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", text, flags=re.S)
    assert blocks
    for line in (line for block in blocks for line in block.split("\\\\\n")):
        plain = re.sub(r"\\text\{.*\}|\\quad|&|\\[;,]", " ", line)
        assert plain.count("{") == plain.count("}")
        if plain.strip():
            parser.parse(f"${plain}$")  # raises on anything that is no mathematics


def test_the_body_alone_says_which_packages_it_needs() -> None:
    text = equations_latex(oral(), standalone=False)
    assert text.startswith("% needs \\usepackage{amsmath,longtable}\n")
    assert "\\documentclass" not in text
