"""The training set as a treatment shows it, before augmentation: its examples and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset, Shown
from ddiv.treatment import Added, Blurred, Filtered, Treatment
from ddiv.trial.facts import samples_of
from ddiv.trial.filtering import passing
from ddiv.trial.hooks import changed_set
from ddiv.trial.job import DataView, Job, Trial, requires
from ddiv.trial.store import Record


def synthetic_data(job: Trial | DataView, records: Mapping[Job, Record]) -> Shown | None:
    """The generated examples that a job reads; None where its treatment has no synthetic share."""
    return next((samples_of(records[required]) for required in requires(job)), None)


def training_set(
    data: Dataset, treatment: Treatment, draws: int, synthetic: Shown | None = None
) -> Shown:
    """The training set under a treatment, its random draws from the number `draws` (`Trial.draws`).

    Raises ValueError where the treatment has a synthetic share and no examples for it are given,
    TrialFailed as `replaced`, `blurred` and `hooks.changed_set` do.
    """
    shown = Shown(data.inputs, data.labels)
    if part := treatment.mixes:
        if synthetic is None:
            raise ValueError(f"{part} takes synthetic examples: give those")
        match part:
            case Added():
                shown = added(shown, synthetic, part.share, draws)
            case Filtered():
                shown = filtered(shown, synthetic, part.share, part.kept, draws)
            case _:
                shown = replaced(shown, synthetic, part.share, draws)
    if blur := treatment.part(Blurred):
        shown = blurred(shown, blur.side, blur.share, draws)
    return changed_set(shown, treatment, partial(generator, draws), len(data.classes))


def replaced(real: Shown, synthetic: Shown, share: float, draws: int) -> Shown:
    """The real examples, `share` of them replaced by synthetic ones of the same class.

    The order and the other examples stay. Every class loses the same share, rounded so that the
    total is right. With equal draws a larger share replaces all that a smaller one replaces. Raises
    TrialFailed where a class has fewer synthetic examples than it would need.
    """
    inputs = real.inputs.copy()
    for places, substitutes in _taken(real, synthetic, share, draws):
        inputs[places] = synthetic.inputs[substitutes]
    return Shown(inputs, real.labels)


def added(real: Shown, synthetic: Shown, share: float, draws: int) -> Shown:
    """The real examples and then synthetic ones, `share` of their number.

    They are those by which `replaced` would replace real ones. Raises TrialFailed as that does.
    """
    taken = [substitutes for _, substitutes in _taken(real, synthetic, share, draws)]
    more = np.concatenate(taken)
    labels = synthetic.labels[more].astype(real.labels.dtype)
    return Shown(
        np.concatenate([real.inputs, synthetic.inputs[more]]), np.concatenate([real.labels, labels])
    )


def filtered(real: Shown, synthetic: Shown, share: float, kept: float, draws: int) -> Shown:
    """As `replaced`, without the substitutes that the filter rejects, in whose place nothing comes.

    It keeps the share `kept` of each class's synthetic examples (`filtering.passing`). Raises
    TrialFailed as `replaced` does, and where nothing would be left of a class.
    """
    inputs, passed = real.inputs.copy(), passing(real, synthetic, kept)
    there = np.ones(len(real.labels), dtype=bool)
    for places, substitutes in _taken(real, synthetic, share, draws):
        inputs[places] = synthetic.inputs[substitutes]
        there[places] = passed[substitutes]
    if lost := sorted({*real.labels.tolist()} - {*real.labels[there].tolist()}):
        raise TrialFailed(
            f"the filter leaves no example of {len(lost)} classes (the first: {lost[0]}): keep "
            "more of the pool, or ask for a smaller share"
        )
    return Shown(inputs[there], real.labels[there])


def blurred(real: Shown, side: int, share: float, draws: int) -> Shown:
    """The real images, those that `replaced` would replace brought down to `side` pixels and up.

    That is done as a generator's training and sampling do it. Raises TrialFailed on texts, and on
    images that are not square or no larger than that.
    """
    from ddiv.generate.flow import through

    if are_texts(real.inputs):
        raise TrialFailed("texts have no pixels to blur: leave the blurred arm out of the study")
    height, width = real.inputs.shape[2:]
    if height != width or side >= height:
        raise TrialFailed(
            f"images of {height} x {width} pixels cannot be brought down to {side} x {side} and up "
            "again: blur square images, to fewer pixels than they have"
        )
    inputs = real.inputs.copy()
    places = np.concatenate([places for places, _ in _taken(real, real, share, draws)])
    inputs[places] = through(inputs[places], side)
    return Shown(inputs, real.labels)


def _taken(
    real: Shown, synthetic: Shown, share: float, draws: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each class the places of the real examples to replace, and those of their substitutes."""
    classes = np.random.default_rng(_base(draws)).permutation(np.unique(real.labels))
    due = np.cumsum([share * np.count_nonzero(real.labels == label) for label in classes])
    for label, take in zip(classes, np.diff(np.rint(due).astype(int), prepend=0)):
        rng = _of_class(label, draws)
        places = rng.permutation(np.flatnonzero(real.labels == label))
        substitutes = rng.permutation(np.flatnonzero(synthetic.labels == label))
        if len(substitutes) < take:
            raise TrialFailed(
                f"{take} synthetic examples of class {label} are needed, and the generator gave "
                f"{len(substitutes)}: let it draw as many as the training set has, or ask for a "
                "smaller share"
            )
        yield places[:take], substitutes[:take]


def reference(real: Shown, draws: int) -> Shown:
    """The real training examples on which the loss and accuracy of all arms are measured.

    They are the half of each class, one example at least, that `replaced` replaces last: every arm
    with a synthetic share of up to a half is trained on them, as the baseline is. They are in the
    order of the training set.
    """
    kept = []
    for label in np.unique(real.labels):
        places = _of_class(label, draws).permutation(np.flatnonzero(real.labels == label))
        kept.append(places[-max(1, len(places) // 2) :])
    places = np.sort(np.concatenate(kept))
    return Shown(real.inputs[places], real.labels[places])


def _base(draws: int) -> int:
    return stream(draws, "synthetic")


def _of_class(label: int, draws: int) -> np.random.Generator:
    """What draws the order in which examples of a class are replaced."""
    return np.random.default_rng([_base(draws), int(label)])
