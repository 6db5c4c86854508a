"""ddiv's metrics from WeightWatcher's columns, for records of published tables.

WeightWatcher calls the squares of norms norms, and halves the squares of a convolution's (its
scaling of kernels); here both are undone. Its exponent, its count of the tail and its entropy are
its own, as they stand: ddiv's are the same (`ddiv.spectra`), but not from eigenvalues that the
tables do not have, so a fit by another method, v1's raw entropy, effective ranks, distances from
the Marchenko-Pastur law and phases cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddiv.common.arrays import Array
from ddiv.outcome.kinds import Outcome, Score, Spectral, Vendi
from ddiv.spectra.powerlaw import ALPHA_RANGE, MAX_RELATIVE_SIGMA, MIN_EVALS, MIN_TAIL

# The metrics of `spectral_columns`.
METRICS = (
    *("alpha", "num_pl_spikes", "entropy_normalised", "stable_rank", "mp_soft_rank"),
    *("frobenius_norm", "frobenius_norm_squared", "log_norm"),
    *("spectral_norm", "spectral_norm_squared", "log_spectral_norm"),
)


def spectral_columns(
    matrices: Sequence[Mapping[str, Any]], theirs: Mapping[str, Array]
) -> dict[str, Array]:
    """Ddiv's metrics by name, each (states, matrices), from WeightWatcher's columns of that shape.

    "reliable" is by the rule of `ddiv.spectra.powerlaw`, from the numbers of the table.
    """
    halved = np.array([2.0 if matrix["kind"] == "conv-pooled" else 1.0 for matrix in matrices])
    frobenius, spectral = theirs["norm"] * halved, theirs["spectral_norm"] * halved
    alpha, tail = theirs["alpha"], theirs["num_pl_spikes"]
    with np.errstate(divide="ignore", invalid="ignore"):
        reliable = (
            (theirs["num_evals"] >= MIN_EVALS)
            & (tail >= MIN_TAIL)
            & (alpha > ALPHA_RANGE[0])
            & (alpha < ALPHA_RANGE[1])
            & (theirs["sigma"] / alpha < MAX_RELATIVE_SIGMA)
        )
        columns = {
            "alpha": alpha,
            "num_pl_spikes": tail,
            "reliable": reliable,
            "entropy_normalised": theirs["entropy"],
            "stable_rank": frobenius / spectral,
            "mp_soft_rank": theirs["mp_softrank"],
            "frobenius_norm": np.sqrt(frobenius),
            "frobenius_norm_squared": frobenius,
            "log_norm": np.log10(frobenius),
            "spectral_norm": np.sqrt(spectral),
            "spectral_norm_squared": spectral,
            "log_spectral_norm": np.log10(spectral),
        }
    return {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}


def why_not(outcome: Outcome) -> str:
    """Why an outcome cannot be read off published tables; "" where it can."""
    match outcome:
        case Spectral(metric=metric, convolution="pooled") if metric in METRICS:
            return ""
        case Score(kind="accuracy" | "ece", where="id") | Vendi(order=1.0, embedder=0):
            return ""
        case Spectral(convolution="flat"):
            return "WeightWatcher's tables have one matricisation of convolutions"
        case Spectral():
            return f"{outcome.label} takes eigenvalues, and the tables have none"
        case Score():
            return f"no {outcome.label} is published with the tables"
    return f"{outcome.label} is not in published tables"
