"""``--cluster``: the work of a command on other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from pbpkc.scale.cluster import Cluster

Command = TypeVar("Command", bound=Callable[..., object])


def cluster_options(command: Command) -> Command:
    """``--cluster`` and ``--cluster-wait``."""
    command = click.option(
        "--cluster-wait",
        type=click.FloatRange(0.1),
        metavar="SECONDS",
        help="How long to wait for a worker of the cluster, where there is none [default: 60].",
    )(command)
    return click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Work on a dask cluster: the address of its scheduler, such as tcp://10.0.0.5:8786. The result "
        "is the same for any number of workers.",
    )(command)


def demand_one_place(cluster: str | None, wait: float | None, workers: int) -> None:
    """Do nothing where the options go together.

    Raises
    ------
    click.UsageError
    """
    if cluster is not None and workers > 1:
        raise click.UsageError(
            "--workers is of this machine and --cluster has workers of its own; give one of them"
        )
    if cluster is None and wait is not None:
        raise click.UsageError("--cluster-wait is for a cluster: give --cluster ADDRESS with it")


@contextmanager
def pool_of(cluster: str | None, wait: float | None) -> Iterator[Cluster | None]:
    """The cluster that was named, while it is used; None for this machine."""
    if cluster is None:
        yield None
        return
    from pbpkc.scale.cluster import WAIT_SECONDS, open_cluster

    with open_cluster(cluster, WAIT_SECONDS if wait is None else wait) as pool:
        click.echo(pool.text, err=True)
        yield pool
