"""Steps about the choices of stage 1, and about the paper's missing term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pbpkc.jobs.bench_folder import key_of
from pbpkc.jobs.bench_missing import liver_term, missing_term
from pbpkc.jobs.bench_steps import Bench, Gathered, Heard, Step
from pbpkc.jobs.meta_train import MetaTrainJob, family_of
from pbpkc.studies.ablation import BRANCHES, FEATURES, Choices, ablate
from pbpkc.studies.missing import LIVER, NOISES, PAPER, Missings

#: Data sets of the missing term for each noise and choice of channels.
MISSING_REPLICATES = 5

#: Tasks of the liver's term for each noise and channel.
LIVER_TASKS = 10


def ablation_steps(bench: Bench, gathered: Gathered) -> list[Step]:
    """Steps about the choices of stage 1."""
    return [
        (
            10.0 if bench.options.short else 120.0,
            f"choices of stage 1: {scenario}",
            _ablated(bench, scenario, gathered),
        )
        for scenario in (("po_1g",) if bench.options.short else ("po_1g", "iv_1g"))
    ]


def _ablated(bench: Bench, scenario: str, gathered: Gathered) -> Callable[[Heard], None]:
    options = bench.options
    training = options.training
    training = (
        replace(training, branches=(1, 0), features=(12, 16))
        if options.short
        else replace(training, branches=BRANCHES, features=FEATURES)
    )

    def make(heard: Heard) -> None:
        loaded = bench.paracetamol
        key = key_of("ablation", scenario, training, loaded.generated.fingerprint)

        def choices() -> Choices:
            compiled, family = family_of(loaded, MetaTrainJob((scenario,), options=training))
            return ablate(compiled, family, scenario, training, heard)

        gathered.setdefault("choices", []).append(
            bench.folder.part(f"ablation_{scenario}", key, Choices, choices)
        )

    return make


def missing_steps(bench: Bench, gathered: Gathered) -> list[Step]:
    """Steps of missing terms."""
    if bench.options.short:
        return []  # a form after the other is tried on exact solves: too long for a short form
    steps: list[Step] = []
    for noise in NOISES:
        told = f"{100 * noise:g} % noise"
        steps.append(
            (15.0 * 2 * MISSING_REPLICATES, f"missing term: {PAPER}, {told}", _paper(bench, noise, gathered))
        )
        steps.append(
            (25.0 * 2 * LIVER_TASKS, f"missing term: {LIVER}, {told}", _liver(bench, noise, gathered))
        )
    return steps


def _paper(bench: Bench, noise: float, gathered: Gathered) -> Callable[[Heard], None]:
    options = bench.options

    def make(heard: Heard) -> None:
        key = key_of("missing", noise, MISSING_REPLICATES, options.seed, options.solver)

        def found() -> Missings:
            return missing_term(noise, MISSING_REPLICATES, options.seed, options.solver, heard)

        part = bench.folder.part(f"missing_paper_{100 * noise:g}", key, Missings, found)
        gathered.setdefault("missing", []).append(part)

    return make


def _liver(bench: Bench, noise: float, gathered: Gathered) -> Callable[[Heard], None]:
    def make(heard: Heard) -> None:
        key = key_of("missing liver", noise, LIVER_TASKS)
        part = bench.folder.part(
            f"missing_liver_{100 * noise:g}", key, Missings, lambda: liver_term(noise, LIVER_TASKS, heard)
        )
        gathered.setdefault("missing", []).append(part)

    return make
