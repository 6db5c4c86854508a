"""Outcomes: the numbers read off a record, and the state of a trial that they are read from.

A `Snapshot` is one state of a network: spectral metrics per weight matrix, and scores (accuracy,
calibration error, clean training loss). A trained record has one after training; a baseline's has
its whole trajectory besides, which is what other arms are matched against at equal clean training
loss (design, decision 8).

`kinds`: what can be measured, and its named definitions; `snapshot`: an outcome read off a state,
and the effect between two; `trained`: from a record to its states; `matching`: states at equal fit;
`calibration`: ECE and accuracy.
"""

from ddiv.layers import Layers
from ddiv.outcome.calibration import accuracy, ece
from ddiv.outcome.kinds import (
    DEFINITIONS,
    VENDI_ORDERS,
    Convolution,
    Metric,
    Outcome,
    Score,
    Spectral,
    Truncated,
    Vendi,
    Weighted,
    definitions,
)
from ddiv.outcome.matching import LOSS_TOLERANCE, Match, matched
from ddiv.outcome.snapshot import (
    FITTED,
    MEDIAN,
    SHARES,
    LayerValue,
    Snapshot,
    by_layer,
    effect,
    reliability,
    value,
)
from ddiv.outcome.trained import METRICS, Trained, read, spectral_table

__all__ = [
    "DEFINITIONS",
    "FITTED",
    "LOSS_TOLERANCE",
    "MEDIAN",
    "METRICS",
    "SHARES",
    "VENDI_ORDERS",
    "Convolution",
    "LayerValue",
    "Layers",
    "Match",
    "Metric",
    "Outcome",
    "Score",
    "Snapshot",
    "Spectral",
    "Trained",
    "Truncated",
    "Vendi",
    "Weighted",
    "accuracy",
    "by_layer",
    "definitions",
    "ece",
    "effect",
    "matched",
    "read",
    "reliability",
    "spectral_table",
    "value",
]
