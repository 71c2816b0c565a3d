"""What every test may use: reference data, and figures that are printed at the end of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that others use may take long over a line; the same examples are tried on every machine.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# No test opens a window, and none prints colours into what it compares; children inherit both.
os.environ["MPLBACKEND"] = "Agg"
os.environ["NO_COLOR"] = "1"
# Every test compiles what it reads, as the first run of a user does.
os.environ["PBPKC_KEEP"] = "off"

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

# Skips are counted by this sentence, so that other skips do not enter the count.
NOT_FOUND = "shared reference data not found beside the checkout"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Directory of reference data that is not part of the repository; the test is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{NOT_FOUND}: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def specs() -> Path:
    """Directory of the specs that ship with pbpkc."""
    return ROOT / "specs"


@pytest.fixture(scope="session")
def references() -> Path:
    """Directory of published and independently calculated numbers that ship with the tests."""
    return ROOT / "tests" / "reference"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """A function that prints a measured figure, with what it should be below, at the end of the run.

    ``figure("mass lost, relative", value, "", below=1e-9)``. It asserts nothing: that is the test's part.
    """

    def note(what: str, value: float, unit: str = "", *, below: float) -> None:
        verdict = "below" if value < below else "NOT below"
        record_property("figure", f"{what}: {float(value):.3g} {unit}".rstrip() + f" ({verdict} {below:g})")

    return note


@pytest.fixture
def measuring(request: pytest.FixtureRequest) -> bool:
    """Whether figures are measured, or long tests asked for: then some tests try everything, else a part."""
    return bool(request.config.getoption("--figures") or request.config.getoption("--long"))


@pytest.fixture
def patience(measuring: bool) -> float:
    """How many times a limit of time may be exceeded.

    1 where figures are measured (`make figures`, one test at a time). The suite runs several tests at once on
    a machine that others may use; there a limit is for what grew out of proportion.
    """
    return 1.0 if measuring else 5.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--figures`` runs only the tests that measure a figure."""
    parser.addoption("--figures", action="store_true", help="only the tests that print a measured figure")
    parser.addoption("--long", action="store_true", help="also the tests that take longer than the suite may")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop what measures nothing, where only figures are asked for."""
    if config.getoption("--figures"):
        chosen = [item for item in items if "figure" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    elif not config.getoption("--long"):
        wait = pytest.mark.skip(reason="takes long: `make test-long` runs it")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(wait)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the measured figures, and how many tests lacked the shared reference data."""
    reports = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    figures = sorted(
        str(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figure" and report.when == "call"
    )
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
    skipped = terminalreporter.stats.get("skipped", [])
    lacking = sum(NOT_FOUND in str(report.longrepr) for report in skipped)
    terminalreporter.write_line(
        f"{lacking} tests skipped for want of shared reference data ({SHARED_DATA}), "
        f"{len(skipped) - lacking} for other reasons"
    )
