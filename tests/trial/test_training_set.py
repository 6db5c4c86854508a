"""The training set as a treatment shows it: shares of synthetic images, shuffled labels."""

import itertools

import numpy as np
import pytest

from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Dataset, Shown
from ddiv.treatment import Flow, Setting, ShuffledLabels, Synthetic, Treatment
from ddiv.trial.training_set import replaced, training_set

SHARES = (0.15, 0.25, 0.35, 0.5, 1.0)


def images(values) -> np.ndarray:
    """One image a value, that value in every pixel."""
    return np.broadcast_to(
        np.array(values, dtype=np.uint8)[:, None, None, None], (len(values), 3, 2, 2)
    ).copy()


LABELS = np.repeat(np.arange(5), 12)[np.random.default_rng(0).permutation(60)]
REAL = Shown(images(range(60)), LABELS)
FAKE = Shown(images(range(100, 160)), np.sort(LABELS))


def is_synthetic(shown: Shown) -> np.ndarray:
    return shown.inputs[:, 0, 0, 0] >= 100


@pytest.mark.parametrize("share", SHARES)
def test_the_share_is_replaced_in_every_class_and_the_rest_stays(share):
    shown = replaced(REAL, FAKE, share, seed=1000)
    synthetic = is_synthetic(shown)
    assert synthetic.sum() == round(share * 60) and np.array_equal(shown.labels, LABELS)
    assert np.array_equal(shown.inputs[~synthetic], REAL.inputs[~synthetic])
    for label in range(5):
        assert abs(synthetic[LABELS == label].sum() - 12 * share) < 1
    # Each comes from its own class, and none twice.
    used = shown.inputs[synthetic, 0, 0, 0] - 100
    assert np.array_equal(FAKE.labels[used], LABELS[synthetic]) and len(set(used)) == len(used)


def test_larger_shares_replace_what_smaller_ones_do_at_the_same_seed():
    masks = [is_synthetic(replaced(REAL, FAKE, share, seed=1000)) for share in SHARES]
    for label in range(5):
        own = [mask[LABELS == label] for mask in masks]
        assert all((more >= less).all() for less, more in itertools.pairwise(own))
    assert not np.array_equal(masks[0], is_synthetic(replaced(REAL, FAKE, SHARES[0], seed=1001)))


def test_the_whole_share_leaves_nothing_real_and_the_input_is_not_changed():
    before = REAL.inputs.copy()
    assert is_synthetic(replaced(REAL, FAKE, 1.0, seed=1000)).all() and np.array_equal(
        REAL.inputs, before
    )


def test_too_few_samples_of_a_class_is_an_error_that_says_what_to_do():
    few = Shown(FAKE.inputs[FAKE.labels != 3], FAKE.labels[FAKE.labels != 3])
    with pytest.raises(
        TrialFailed,
        match=r"synthetic examples of class 3 are needed,"
        r" and the generator gave 0: .*smaller share",
    ):
        replaced(REAL, few, 0.5, seed=1000)


def dataset() -> Dataset:
    return Dataset(REAL.inputs, REAL.labels, {"real": (REAL.inputs, REAL.labels)}, tuple("abcde"))


def test_a_training_set_without_a_treatment_is_the_data():
    shown = training_set(dataset(), Treatment(), 0)
    assert np.array_equal(shown.inputs, REAL.inputs) and np.array_equal(shown.labels, LABELS)


def test_treatments_compose():
    part = Synthetic(0.25, Flow(side=8, width=8, steps=1), Setting("good"))
    shown = training_set(dataset(), Treatment.of(part, ShuffledLabels()), 1000, FAKE)
    assert is_synthetic(shown).sum() == 15 and not np.array_equal(shown.labels, LABELS)
    assert np.array_equal(np.sort(shown.labels), np.sort(LABELS))
    plain = training_set(dataset(), Treatment.of(part), 1000, FAKE)
    assert np.array_equal(plain.inputs, shown.inputs)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
        Synthetic(share, Flow(side=8, width=8, steps=1), Setting("good"))
