"""``pbpkc meta-train``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from pbpkc.cli.options import SPEC, as_format, print_json, settings, warn
from pbpkc.cli.places import demand_apart, files_read, in_folder

#: As `pbpkc.engines.mipinn.network.options.NetworkOptions` has them, which is not imported for a help page.
OBJECTIVE, STEPS = "physics", 300


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # not generic in older versions
    """A list of numbers, ``8, 12, 16``."""

    name = "LIST"

    def __init__(self, kind: type, count: int | None = None) -> None:
        self.kind, self.count = kind, count

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self.kind(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is no list of numbers; write them as 8, 12, 16", param, ctx)
        if self.count is not None and len(found) != self.count:
            self.fail(f"'{value}' has {len(found)} numbers; {self.count} are wanted, as 0.5, 2", param, ctx)
        return found


@click.command("meta-train")
@click.argument("spec", type=SPEC)
@click.option(
    "--scenario",
    "-s",
    multiple=True,
    metavar="NAME",
    help="Pattern of doses to train on; repeatable [default: all written ones]. One that reads data gives a "
    "pattern for every individual.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    required=True,
    help="The trained model; beside it FILE.json says how good it is, and FILE.svg shows it.",
)
@click.option(
    "--dose-range",
    type=_Numbers(float, 2),
    default="0.5, 2",
    show_default=True,
    help="Factors on the scenario's amounts.",
)
@click.option(
    "--infusion-range",
    type=_Numbers(float, 2),
    default="1, 1",
    show_default=True,
    help="Factors on the lengths of infusions.",
)
@click.option(
    "--basis",
    metavar="NAME",
    default="svd",
    show_default=True,
    help="Features: svd (of reference trajectories), network (sine networks trained with the physics "
    "residual), chebyshev or random (controls).",
)
@click.option(
    "--head",
    metavar="NAME",
    default="galerkin",
    show_default=True,
    help="What solves held-out tasks: galerkin, or least-squares (a physics-informed pseudo-inverse).",
)
@click.option(
    "--objective",
    metavar="NAME",
    help="What training makes small with --basis network: physics (the residual of the equations at the "
    "head's solution), projection (what the best fit leaves of reference trajectories), or both (the "
    f"residual, and the error of the head's solution) [default: {OBJECTIVE}].",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    help=f"Steps of training with --basis network, for each number of branches [default: {STEPS}].",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where networks are trained [default: cpu].",
)
@click.option(
    "--tasks", type=click.IntRange(2), default=240, show_default=True, help="Tasks that teach features."
)
@click.option(
    "--held-out", type=click.IntRange(1), default=20, show_default=True, help="Tasks that judge them."
)
@click.option(
    "--branches",
    type=_Numbers(int),
    help="Numbers of branches to try; 0 is one for every state [default: 1, 2, 4, 8, 16, 0; with --basis "
    "network, each of whose trainings takes minutes, 4].",
)
@click.option(
    "--features",
    type=_Numbers(int),
    default="8, 12, 16, 20, 24",
    show_default=True,
    help="Features of a branch to try.",
)
@click.option(
    "--tolerance",
    type=float,
    default=1e-5,
    show_default=True,
    help="Median relative error of held-out observables that is good enough.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the tasks.")
@click.option(
    "--mask",
    multiple=True,
    metavar="SPEC",
    help='Train for a further parameter, e.g. "APAP.kp.muscle in (0.1, 10) scale log".',
)
@click.option("--unmask", multiple=True, metavar="NAME", help="Hold a masked parameter at its median.")
@click.option(
    "--resume/--fresh",
    default=True,
    show_default=True,
    help="Take over what a stopped training of the same family kept.",
)
@settings
@as_format
@click.pass_context
def command(
    ctx: click.Context,
    spec: str,
    scenario: tuple[str, ...],
    output: Path,
    dose_range: tuple[float, float],
    infusion_range: tuple[float, float],
    basis: str,
    head: str,
    objective: str | None,
    steps: int | None,
    device: str | None,
    tasks: int,
    held_out: int,
    branches: tuple[int, ...] | None,
    features: tuple[int, ...],
    tolerance: float,
    seed: int,
    mask: tuple[str, ...],
    unmask: tuple[str, ...],
    resume: bool,
    set_: tuple[str, ...],
    unknown: tuple[str, ...],
    learn: tuple[str, ...],
    format_: str,
) -> None:
    """Train a fast model on the family of tasks that a spec describes (stage 1 of MI-PINN).

    Tasks are drawn from the spec: masked parameters, covariates, populations, doses. Their trajectories give
    features of time for groups of states (branches); tasks that training never saw decide how many. A fit
    uses the model with --method mi-pinn --model FILE.
    """
    from pbpkc.cli.meta_train_text import meta_train_text
    from pbpkc.cli.progress import bar
    from pbpkc.engines.mipinn.material import TrainingError
    from pbpkc.engines.mipinn.network.options import NetworkOptions
    from pbpkc.engines.mipinn.stage import Stage
    from pbpkc.engines.mipinn.training_options import TrainingOptions
    from pbpkc.jobs.loaded import load
    from pbpkc.jobs.meta_train import MetaTrainJob, meta_train
    from pbpkc.jobs.meta_train_output import write_record

    for name, value in {"objective": objective, "steps": steps, "device": device}.items():
        if value is not None and basis != "network":
            raise click.UsageError(f"--{name} is a choice of --basis network; the basis is {basis}")
    options = TrainingOptions(
        tasks=tasks,
        held_out=held_out,
        seed=seed,
        basis=basis,
        head=head,
        branches=branches or ((4,) if basis == "network" else TrainingOptions().branches),
        features=features,
        tolerance=tolerance,
        network=NetworkOptions(
            objective=objective or OBJECTIVE, steps=steps or STEPS, device=device or "cpu"
        ),
    )
    job = MetaTrainJob(scenario, dose_range, infusion_range, options)
    written = [output, output.with_name(output.name + ".json"), output.with_name(output.name + ".svg")]
    demand_apart(written, [spec])
    loaded = load(spec)
    demand_apart(written, files_read(loaded.model))
    loaded = loaded.with_settings(set=set_, mask=mask, unmask=unmask, unknown=unknown, learn=learn)
    warn(loaded.model.warnings)
    try:
        with bar("training") as tell:

            def hear(stage: Stage) -> None:
                tell(stage.done, stage.total, stage.what)

            made = meta_train(loaded, job, output, resume, hear)
    except TrainingError as error:
        click.echo(f"error: {error}", err=True)
        ctx.exit(3)
    except KeyboardInterrupt:
        click.echo("\nwhat is finished is kept: the same command goes on from there", err=True)
        raise
    write_record(made, written[1], written[2])
    if format_ == "json":
        print_json(dict(made.training.model.record))
    else:
        click.echo(meta_train_text(made), nl=False)
    click.echo("wrote " + ", ".join(str(path) for path in written), err=True)
