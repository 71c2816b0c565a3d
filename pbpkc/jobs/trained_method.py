"""A fit on a trained model: `--method mi-pinn`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pbpkc.engines.mipinn import checkpoint
from pbpkc.engines.mipinn.fast import FastModel, Unseen
from pbpkc.engines.mipinn.heads import HEADS
from pbpkc.engines.mipinn.predictor import FastPredictor
from pbpkc.infer.compiled_predictor import CompiledPredictor
from pbpkc.infer.problem import FitProblem, FitSubject
from pbpkc.language.diagnostics import Diagnostic, SpecError


def with_trained(problem: FitProblem, path: Path | None, head: str) -> FitProblem:
    """The problem with a trained model in the place of the solver, which keeps the last word.

    Raises
    ------
    SpecError
        For a file that is no trained model, one of other equations, and subjects whose doses or times
        training never saw.
    ValueError
        Without a file, or for a head that does not exist.
    OSError
        If the file cannot be read.
    """
    if path is None:
        raise ValueError(
            "method is 'mi-pinn', which needs a trained model: --model FILE (see pbpkc meta-train)"
        )
    if head not in HEADS:
        raise ValueError(f"head is {head!r}; accepted are {', '.join(HEADS)}")
    trained = checkpoint.read(path)
    fast: FastModel | None = None
    subjects: list[FitSubject] = []
    refused: list[Diagnostic] = []
    seen = sorted({int(o) for s in problem.subjects for o in np.unique(s.observations.observable)})
    for subject in problem.subjects:
        exact = subject.predictor
        if not isinstance(exact, CompiledPredictor):
            raise ValueError("method is 'mi-pinn', which takes the place of the reference solver only")
        if fast is None:
            checkpoint.demand_fit(trained, exact.compiled, path)
            fast = FastModel(
                exact.compiled, trained, seen, exact.columns[exact.shapes_prediction].astype(np.intp), head
            )
        if what := exact.regimen.solved_for:
            refused.append(
                Diagnostic(
                    "not-learned",
                    f"ID {subject.id} has {what}, which a fast model does not solve for",
                    help="fit with --method least-squares",
                )
            )
            continue
        predictor = FastPredictor(exact, fast)
        try:
            predictor.demand_seen()
        except Unseen as error:
            refused.append(_outside(subject.id, exact, error))
        subjects.append(replace(subject, predictor=predictor, exact=exact, remarks=predictor.remarks))
    if refused:
        raise SpecError(refused)
    content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return replace(
        problem,
        subjects=tuple(replace(s, identity=f"{s.identity} {content} {head}") for s in subjects),
        provenance={
            **problem.provenance,
            "trained_model": str(path),
            "trained_model_sha256": content,
            "head": head,
        },
    )


def _outside(id: str, exact: CompiledPredictor, error: Unseen) -> Diagnostic:
    """Why a subject cannot be fitted on the trained model, and what to do."""
    if not exact.regimen.doses:
        return Diagnostic(
            "data-no-dose",
            f"ID {id} has no dose; a model trained on doses cannot follow it",
            help="look at its dose rows, or fit with --method least-squares",
        )
    return Diagnostic(
        "outside-training",
        f"ID {id}: {error}",
        help="train with a scenario whose `run` lasts as long as these data and whose doses are of the same "
        "kind (pbpkc meta-train --scenario NAME), or fit with --method least-squares",
    )
