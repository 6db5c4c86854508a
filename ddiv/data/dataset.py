"""A dataset as arrays: what trials train on and are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ddiv.common.texts import are_texts


@dataclass(frozen=True)
class Dataset:
    """Inputs and their labels, to train on and to test on.

    Inputs are images uint8 (n, 3, h, w), or texts in an array (n,) of str (dtype object); labels
    are integers (n,), numbers into `classes`. `tests` maps a domain to its (inputs, labels); the
    first domain is the training domain.
    """

    inputs: np.ndarray
    labels: np.ndarray
    tests: Mapping[str, tuple[np.ndarray, np.ndarray]]
    classes: tuple[str, ...]

    def __str__(self) -> str:
        """What there is, in words: how many examples of what, in how many classes."""
        shape = " x ".join(map(str, self.inputs.shape[1:]))
        kind = "texts" if are_texts(self.inputs) else f"images of {shape}"
        names = ", ".join(self.classes[:5]) + ", ..." * (len(self.classes) > 5)
        tests = ", ".join(f"{len(labels)} of {name}" for name, (_, labels) in self.tests.items())
        return (
            f"{len(self.labels)} {kind} in {len(self.classes)} classes ({names}) to train on; "
            f"to test on {tests}"
        )


class Shown(NamedTuple):
    """Images uint8 (n, 3, h, w) or texts (n,), and labels (n,)."""

    inputs: np.ndarray
    labels: np.ndarray
