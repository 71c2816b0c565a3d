"""A finished training as text for a terminal."""

from __future__ import annotations

from pbpkc.cli.fit_text import table
from pbpkc.jobs.meta_train import MetaTrained


def meta_train_text(made: MetaTrained) -> str:
    """The table of what was tried, the branches, and how good the model is."""
    training = made.training
    names = list(training.chosen.by_observable)
    rows = [
        [
            str(one.branches),
            str(one.features),
            *(f"{one.by_observable[name]:.1e}" for name in names),
            f"{one.high:.1e}",
            f"{one.states:.1e}",
            str(len(one.failed)),
            "chosen" if one is training.chosen else "",
        ]
        for one in training.tried
    ]
    lines = ["Held-out solves: median relative error of each observable over tasks and times", ""]
    lines += table(
        ["branches", "features", *names, "95 % of largest", "all states, MSE", "unsolved", ""], rows
    )
    lines.append("")
    for kind, branches in training.branch_names.items():
        if branches:
            lines.append(f"{kind}:")
            lines += [f"  branch {k + 1}: {', '.join(states)}" for k, states in enumerate(branches)]
    family = made.family
    lines += ["", "Training range"]
    for one in family.ranges:
        lines.append(f"  {one.name}: {_shown(made, one.name, one.low, one.high)} ({one.why})")
    lines.append(f"  doses: {family.dose[0]:g} to {family.dose[1]:g} of the scenario's")
    if family.infusion != (1.0, 1.0):
        lines.append(
            f"  infusions: {family.infusion[0]:g} to {family.infusion[1]:g} of the scenario's length"
        )
    record = training.model.record
    if not training.chosen.median <= training.target:
        lines += [
            "",
            f"No candidate reaches the tolerance of {training.target:g}: train on more tasks, or with more "
            "features. The reference solver mends what matters at the optimum of a fit.",
        ]
    if record.get("stagnates"):
        lines += ["", "The error does not fall with the number of features: do not trust this model."]
    failed = record.get("failed") or []
    if isinstance(failed, list) and failed:
        lines += ["", f"{len(failed)} tasks were left out because the reference solver did not finish them"]
    losses = record.get("loss")
    if isinstance(losses, dict) and any(losses.values()):
        lines += ["", "Training of the networks: mean logarithm of the loss over the tasks of a step"]
        for kind, points in losses.items():
            if points:
                (_, first), (step, last) = points[0], points[-1]
                lines.append(f"  {kind}: {first:.2f} at first, {last:.2f} after {step:g} steps")
    seconds = training.cpu_seconds
    reused = f" ({made.reused} taken over from an earlier run)" if made.reused else ""
    lines += [
        "",
        f"{seconds['all']:.1f} s of CPU without imports and compilation, {seconds['trajectories']:.1f} of "
        f"them for reference trajectories{reused}"
        + (f", {seconds['networks']:.1f} for networks" if "networks" in seconds else ""),
    ]
    return "\n".join(lines) + "\n"


def _shown(made: MetaTrained, name: str, low: float, high: float) -> str:
    entry = made.compiled.manifest["parameters"][made.compiled.parameter_index[name]]
    factor, unit = float(entry["factor"]), str(entry["unit"])
    return f"{low / factor:.4g} to {high / factor:.4g}" + ("" if unit == "1" else f" {unit}")
