"""The training set as a treatment shows it, before augmentation: its examples and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Dataset, Shown
from ddiv.treatment import Synthetic, Treatment
from ddiv.trial.facts import samples_of
from ddiv.trial.hooks import changed_set
from ddiv.trial.job import DataView, Job, Trial, requires
from ddiv.trial.store import Record


def synthetic_data(job: Trial | DataView, records: Mapping[Job, Record]) -> Shown | None:
    """The generated examples that a job reads; None where its treatment has no synthetic share."""
    return next((samples_of(records[required]) for required in requires(job)), None)


def training_set(
    data: Dataset, treatment: Treatment, seed: int, synthetic: Shown | None = None
) -> Shown:
    """The training set under a treatment, its random draws from `seed`.

    Raises ValueError where the treatment has a synthetic share and no examples for it are given,
    TrialFailed as `replaced` and `hooks.changed_set` do.
    """
    shown = Shown(data.inputs, data.labels)
    if part := treatment.part(Synthetic):
        if synthetic is None:
            raise ValueError(f"{part} replaces examples: give the synthetic ones that it takes")
        shown = replaced(shown, synthetic, part.share, seed)
    return changed_set(shown, treatment, partial(generator, seed), len(data.classes))


def replaced(real: Shown, synthetic: Shown, share: float, seed: int) -> Shown:
    """The real examples, `share` of them replaced by synthetic ones of the same class.

    The order and the other examples stay. Every class loses the same share, rounded so that the
    total is right. At one seed a larger share replaces all that a smaller one replaces. Raises
    TrialFailed where a class has fewer synthetic examples than it would need.
    """
    base = stream(seed, "synthetic")
    inputs = real.inputs.copy()
    classes = np.random.default_rng(base).permutation(np.unique(real.labels))
    due = np.cumsum([share * np.count_nonzero(real.labels == label) for label in classes])
    for label, take in zip(classes, np.diff(np.rint(due).astype(int), prepend=0)):
        rng = np.random.default_rng([base, int(label)])
        places = rng.permutation(np.flatnonzero(real.labels == label))
        substitutes = rng.permutation(np.flatnonzero(synthetic.labels == label))
        if len(substitutes) < take:
            raise TrialFailed(
                f"{take} synthetic examples of class {label} are needed, and the generator gave "
                f"{len(substitutes)}: let it draw as many as the training set has, or ask for a "
                "smaller share"
            )
        inputs[places[:take]] = synthetic.inputs[substitutes[:take]]
    return Shown(inputs, real.labels)
