"""The training set as a treatment shows it, before augmentation: which examples, with which labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ddiv.datasets import Dataset, Shown, samples_of
from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.store import Record
from ddiv.treatment import ShuffledLabels, Synthetic, Treatment
from ddiv.trial import Job, Trial, View, requires


def synthetic_data(job: Trial | View, records: Mapping[Job, Record]) -> Shown | None:
    """The generated examples that a job reads, or None where its treatment has no synthetic share."""
    return next((samples_of(records[one]) for one in requires(job)), None)


def training_set(
    data: Dataset, treatment: Treatment, seed: int, synthetic: Shown | None = None
) -> Shown:
    """The training set under a treatment, its random draws from `seed`.

    Raises TrialFailed as `replaced` does.
    """
    shown = Shown(data.inputs, data.labels)
    if part := treatment.part(Synthetic):
        shown = replaced(shown, synthetic, part.share, seed)
    if treatment.part(ShuffledLabels):
        order = torch.randperm(len(shown.labels), generator=generator(seed, "labels")).numpy()
        shown = Shown(shown.inputs, shown.labels[order])
    return shown


def replaced(real: Shown, synthetic: Shown, share: float, seed: int) -> Shown:
    """`share` of the real examples replaced by synthetic ones of the same class; the rest and their
    order stay.

    Every class loses the same share, rounded so that the total is right. At one seed what a smaller
    share replaces, a larger one replaces too. Raises TrialFailed where a class has fewer synthetic
    examples than it would need.
    """
    base = stream(seed, "synthetic")
    inputs, classes = (
        real.inputs.copy(),
        np.random.default_rng(base).permutation(np.unique(real.labels)),
    )
    due = np.cumsum([share * np.count_nonzero(real.labels == label) for label in classes])
    for label, take in zip(classes, np.diff(np.rint(due).astype(int), prepend=0)):
        rng = np.random.default_rng([base, int(label)])
        places = rng.permutation(np.flatnonzero(real.labels == label))
        found = rng.permutation(np.flatnonzero(synthetic.labels == label))
        if len(found) < take:
            raise TrialFailed(
                f"{take} synthetic examples of class {label} are needed, and the generator gave {len(found)}: let it "
                "draw as many as the training set has, or ask for a smaller share"
            )
        inputs[places[:take]] = synthetic.inputs[found[:take]]
    return Shown(inputs, real.labels)
