"""Outcomes: the numbers read off a record, and the state of a trial that they are read from.

A `Snapshot` is one state of a network: spectral metrics per weight matrix, and scores (accuracy,
calibration error, clean training loss). A trained record has one after training, and a baseline's
record also those of its whole trajectory. Arms are also compared with networks of their own clean
training loss that the optimiser alone led there, because under-fitting alone moves spectra too.

- ``kinds``: what can be measured, and its named definitions;
- ``registry``: ddiv's own functions of outputs and of eigenvalues, which are in ``calibration``
  (accuracy, ECE) and in ``spectral``;
- ``own``: the decorators that make outcomes of a user's own functions; ``own_tables``: these, read
  off a record;
- ``snapshot``: an outcome read off a state, and the effect between two;
- ``trained``: from a record to its states; ``recorded``: its spectra;
- ``matching``: states at equal fit.
"""

from ddiv.outcome.calibration import accuracy, ece
from ddiv.outcome.kinds import (
    DEFINITIONS,
    Coverage,
    Metric,
    OfLayers,
    OfNetwork,
    Outcome,
    Outside,
    Rho,
    Score,
    Spectral,
    Truncated,
    Vendi,
    Weighted,
    definitions,
)
from ddiv.outcome.layers import Convolution, Layers
from ddiv.outcome.matching import LOSS, between, passes
from ddiv.outcome.own import OutputsOutcome, SpectrumOutcome, of_network, of_outputs, of_spectrum
from ddiv.outcome.recorded import spectra_of_record
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
from ddiv.outcome.tabled import spectral_columns, why_not
from ddiv.outcome.trained import METRICS, Trained, is_tabled, read, spectral_table
from ddiv.study import NetworkOutcome
from ddiv.study.measures import OutcomeFailed
from ddiv.trial.at_hand import TrainedNetwork
from ddiv.trial.facts import VENDI_ORDERS

__all__ = [
    "DEFINITIONS",
    "FITTED",
    "LOSS",
    "MEDIAN",
    "METRICS",
    "SHARES",
    "VENDI_ORDERS",
    "Convolution",
    "Coverage",
    "LayerValue",
    "Layers",
    "Metric",
    "NetworkOutcome",
    "OfLayers",
    "OfNetwork",
    "Outcome",
    "OutcomeFailed",
    "OutputsOutcome",
    "Outside",
    "Rho",
    "Score",
    "Snapshot",
    "Spectral",
    "SpectrumOutcome",
    "Trained",
    "TrainedNetwork",
    "Truncated",
    "Vendi",
    "Weighted",
    "accuracy",
    "between",
    "by_layer",
    "definitions",
    "ece",
    "effect",
    "is_tabled",
    "of_network",
    "of_outputs",
    "of_spectrum",
    "passes",
    "read",
    "reliability",
    "spectra_of_record",
    "spectral_columns",
    "spectral_table",
    "value",
    "why_not",
]
