"""The spectra that a record holds, matrix by matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddiv.common.arrays import Array
from ddiv.trial.store import Record


def spectra_of_record(record: Record) -> list[tuple[Mapping[str, Any], Array]]:
    """Each matrix of a record (of its fact "layers") with its eigenvalues (states, M).

    The states are before and after training, then those of the trajectory.
    """
    arrays, matrices = record.arrays, record.facts["layers"]
    flat = np.stack(
        [
            arrays["eigenvalues/before"],
            arrays["eigenvalues/after"],
            *arrays.get("trajectory/eigenvalues", ()),
        ]
    )
    ends = np.cumsum([layer["eigenvalues"] for layer in matrices])
    return [
        (layer, flat[:, end - layer["eigenvalues"] : end]) for layer, end in zip(matrices, ends)
    ]
