"""What every test may use: the reference data beside the checkout, and the count of tests it lacked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# No test opens a window, and none prints colours into what it compares; children inherit both.
os.environ["MPLBACKEND"] = "Agg"
os.environ["NO_COLOR"] = "1"

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests did not run for want of the shared reference data."""
    skipped = terminalreporter.stats.get("skipped", [])
    lacking = sum(NOT_FOUND in str(report.longrepr) for report in skipped)
    terminalreporter.write_line(
        f"{lacking} tests skipped for want of shared reference data ({SHARED_DATA}), "
        f"{len(skipped) - lacking} for other reasons"
    )
