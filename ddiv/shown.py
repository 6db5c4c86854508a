"""The training set as a treatment shows it, before augmentation: which images, with which labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from ddiv.datasets import Dataset
from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.store import Record
from ddiv.treatment import ShuffledLabels, Synthetic, Treatment
from ddiv.trial import Job, Trial, View, requires


class Shown(NamedTuple):
    """Images uint8 (n, 3, h, w) and labels (n,)."""

    images: np.ndarray
    labels: np.ndarray


def synthetic_images(job: Trial | View, records: Mapping[Job, Record]) -> Shown | None:
    """The generated images that a job reads, or None where its treatment has no synthetic share."""
    return next((Shown(records[one].arrays["images"], records[one].arrays["labels"]) for one in requires(job)), None)


def training_set(data: Dataset, treatment: Treatment, seed: int, synthetic: Shown | None = None) -> Shown:
    """The training set under a treatment, its random draws from `seed`. Raises TrialFailed as `replaced` does."""
    shown = Shown(data.images, data.labels)
    if part := treatment.part(Synthetic):
        shown = replaced(shown, synthetic, part.share, seed)
    if treatment.part(ShuffledLabels):
        order = torch.randperm(len(shown.labels), generator=generator(seed, "labels")).numpy()
        shown = Shown(shown.images, shown.labels[order])
    return shown


def replaced(real: Shown, synthetic: Shown, share: float, seed: int) -> Shown:
    """`share` of the real images replaced by synthetic ones of the same class; the rest and their order stay.

    Every class loses the same share, rounded so that the total is right. At one seed what a smaller share replaces, a
    larger one replaces too. Raises TrialFailed where a class has fewer synthetic images than it would need.
    """
    base = stream(seed, "synthetic")
    images, classes = real.images.copy(), np.random.default_rng(base).permutation(np.unique(real.labels))
    due = np.cumsum([share * np.count_nonzero(real.labels == label) for label in classes])
    for label, take in zip(classes, np.diff(np.rint(due).astype(int), prepend=0)):
        rng = np.random.default_rng([base, int(label)])
        places = rng.permutation(np.flatnonzero(real.labels == label))
        found = rng.permutation(np.flatnonzero(synthetic.labels == label))
        if len(found) < take:
            raise TrialFailed(f"{take} synthetic images of class {label} are needed, and the generator gave {len(found)}: let it "
                              "draw as many as the training set has, or ask for a smaller share")
        images[places[:take]] = synthetic.images[found[:take]]
    return Shown(images, real.labels)
