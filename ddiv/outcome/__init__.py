"""Outcomes: the numbers read off a record, and the state of a trial that they are read from.

A `Snapshot` is one state of a network: spectral metrics per weight matrix, and scores (accuracy,
calibration error, clean training loss). A trained record has one after training. A baseline's
record also has its whole trajectory: other arms are compared with the state of it that has their
clean training loss, because under-fitting alone moves spectra too.

- ``kinds``: what can be measured, and its named definitions;
- ``snapshot``: an outcome read off a state, and the effect between two;
- ``trained``: from a record to its states;
- ``matching``: states at equal fit;
- ``calibration``: ECE and accuracy.
"""

from ddiv.outcome.calibration import accuracy, ece
from ddiv.outcome.kinds import (
    DEFINITIONS,
    Convolution,
    Metric,
    OfNetwork,
    Outcome,
    Outside,
    Score,
    Spectral,
    Truncated,
    Vendi,
    Weighted,
    definitions,
)
from ddiv.outcome.layers import Layers
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
from ddiv.outcome.trained import METRICS, Trained, read, spectra_of_record, spectral_table
from ddiv.trial.facts import VENDI_ORDERS

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
    "OfNetwork",
    "Outcome",
    "Outside",
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
    "spectra_of_record",
    "spectral_table",
    "value",
]
