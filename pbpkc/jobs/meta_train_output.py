"""What a training writes beside the model: its record, and a picture of branches and errors."""

from __future__ import annotations

import json
from pathlib import Path

from pbpkc.experiment.whole_file import write_whole
from pbpkc.jobs.meta_train import MetaTrained
from pbpkc.report.branch_plot import branch_figure
from pbpkc.report.plot_style import picture


def write_record(made: MetaTrained, record: Path, plot: Path) -> None:
    """Write the record as JSON and the plot as SVG."""
    training = made.training
    content = {
        "fingerprint": training.model.fingerprint,
        "equations": training.model.equations,
        **training.model.record,
        "cpu_seconds": dict(training.cpu_seconds),
        "branches": {kind: [list(b) for b in found] for kind, found in training.branch_names.items()},
    }
    draw, size = branch_figure(training.tried, training.chosen, training.branch_names)
    write_whole(
        {
            record: json.dumps(content, indent=1, ensure_ascii=False) + "\n",
            plot: picture(draw, size, "svg", plot.name),
        }
    )
