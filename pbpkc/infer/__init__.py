"""Estimation and identifiability: what data say about the masked parameters of a model."""

from pbpkc.infer.assemble import assemble
from pbpkc.infer.fit import Progress, Store, fit
from pbpkc.infer.identifiability import Identifiability, Verdict
from pbpkc.infer.named_combinations import Combination
from pbpkc.infer.observations import Observations
from pbpkc.infer.optimise import SearchOptions
from pbpkc.infer.options import FitOptions
from pbpkc.infer.output import FitFolder
from pbpkc.infer.pooled import POOLED_ID, By, pool
from pbpkc.infer.posterior_result import BandRow, Posterior, PosteriorDraws, PosteriorOptions, PosteriorRow
from pbpkc.infer.predictor import Failure, Noise, Prediction, Predictor
from pbpkc.infer.problem import CurveGrid, FitObservable, FitProblem, FitSubject
from pbpkc.infer.profile_result import Profile, ProfilePoint
from pbpkc.infer.result import (
    EstimateRow,
    FitResult,
    PredictionRow,
    StartRecord,
    SubjectFit,
    SubjectRow,
    Timing,
)
from pbpkc.infer.summary_result import SummaryRow, TwoStage
from pbpkc.infer.synthetic import draw
from pbpkc.infer.transform import FittedParameter

__all__ = [
    "POOLED_ID",
    "BandRow",
    "By",
    "Combination",
    "CurveGrid",
    "EstimateRow",
    "Failure",
    "FitFolder",
    "FitObservable",
    "FitOptions",
    "FitProblem",
    "FitResult",
    "FitSubject",
    "FittedParameter",
    "Identifiability",
    "Noise",
    "Observations",
    "Posterior",
    "PosteriorDraws",
    "PosteriorOptions",
    "PosteriorRow",
    "Prediction",
    "PredictionRow",
    "Predictor",
    "Profile",
    "ProfilePoint",
    "Progress",
    "SearchOptions",
    "StartRecord",
    "Store",
    "SubjectFit",
    "SubjectRow",
    "SummaryRow",
    "Timing",
    "TwoStage",
    "Verdict",
    "assemble",
    "draw",
    "fit",
    "pool",
]
