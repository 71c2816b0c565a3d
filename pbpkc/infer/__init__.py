"""Estimation and identifiability."""
from pbpkc.infer.observations import Observations
from pbpkc.infer.predictor import Failure, Noise, Prediction
from pbpkc.infer.transform import FittedParameter
