"""``pbpkc bench cluster``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import rich_click as click

from pbpkc.cli.options import as_format, print_json


@click.command("cluster")
@click.option(
    "--people", type=click.IntRange(2), default=100_000, show_default=True, help="How many are simulated."
)
@click.option("--points", type=click.IntRange(2), default=25, show_default=True, help="Times of each person.")
@click.option("--workers", type=click.IntRange(2), default=2, show_default=True, help="Of the cluster.")
@as_format
@click.pass_context
def command(ctx: click.Context, people: int, points: int, workers: int, format_: str) -> None:
    """Run a population on a dask cluster and kill one of its workers half-way.

    A scheduler and workers are started on this machine; virtual people take paracetamol by mouth
    (specs/paracetamol.pbpk). The table of all curves and the percentiles must have the bytes of a run
    without a cluster; the exit status is 1 if they have not.
    """
    from dataclasses import asdict

    from pbpkc.cli.progress import bar
    from pbpkc.jobs.cluster_bench import cluster_bench
    from pbpkc.jobs.loaded import load
    from pbpkc.resources import resource

    loaded = load(Path(str(resource("specs"))) / "paracetamol.pbpk")
    with tempfile.TemporaryDirectory(prefix="pbpkc-bench-") as folder, bar("people") as tell:
        found = cluster_bench(loaded, "po_1g", people, points, workers, Path(folder), tell)
    if format_ == "json":
        print_json({**asdict(found), "same_bytes": found.same_bytes})
    else:
        click.echo(
            f"{found.people} people, {found.times} times, {found.bytes / 1e6:.0f} MB, "
            f"{found.parts} parts by the method {found.method}\n"
            f"one thread of this machine  {found.seconds_here:.1f} s  sha256 {found.sha256_here[:16]}\n"
            f"cluster of {found.workers} workers        {found.seconds_there:.1f} s  "
            f"sha256 {found.sha256_there[:16]}\n"
            f"one worker killed half-way with {found.lost_with_the_worker} parts in hand, "
            f"{found.workers_left} left: complete, " + ("same bytes" if found.same_bytes else "OTHER BYTES")
        )
    ctx.exit(0 if found.same_bytes else 1)
