"""The command line: one file a command. Each parses arguments, calls one job, and shows the result.

Exit status: 0 done and every check held; 1 a problem in a spec, a data file or a check; 2 wrong usage;
3 a numerical failure (no result at all); 4 partial (some subjects or starts failed); 130 interrupted.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point."""
    # Imported here, so that an interrupt in the first moments is told like any other.
    try:
        from pbpkc.cli.group import run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
