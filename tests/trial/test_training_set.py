"""The training set as a treatment shows it: shares of synthetic images, shuffled labels."""

import itertools

import numpy as np
import pytest

from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Dataset, Shown
from ddiv.generate.flow import through
from ddiv.treatment import (
    Added,
    Blurred,
    Filtered,
    Flow,
    Setting,
    ShuffledLabels,
    Synthetic,
    Treatment,
)
from ddiv.trial.filtering import passing
from ddiv.trial.training_set import added, blurred, filtered, reference, replaced, training_set

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
    shown = replaced(REAL, FAKE, share, draws=1000)
    synthetic = is_synthetic(shown)
    assert synthetic.sum() == round(share * 60) and np.array_equal(shown.labels, LABELS)
    assert np.array_equal(shown.inputs[~synthetic], REAL.inputs[~synthetic])
    for label in range(5):
        assert abs(synthetic[LABELS == label].sum() - 12 * share) < 1
    # Each comes from its own class, and none twice.
    used = shown.inputs[synthetic, 0, 0, 0] - 100
    assert np.array_equal(FAKE.labels[used], LABELS[synthetic]) and len(set(used)) == len(used)


def test_larger_shares_replace_what_smaller_ones_do_with_equal_draws():
    masks = [is_synthetic(replaced(REAL, FAKE, share, draws=1000)) for share in SHARES]
    for label in range(5):
        own = [mask[LABELS == label] for mask in masks]
        assert all((more >= less).all() for less, more in itertools.pairwise(own))
    assert not np.array_equal(masks[0], is_synthetic(replaced(REAL, FAKE, SHARES[0], draws=1001)))


def test_the_whole_share_leaves_nothing_real_and_the_input_is_not_changed():
    before = REAL.inputs.copy()
    assert is_synthetic(replaced(REAL, FAKE, 1.0, draws=1000)).all() and np.array_equal(
        REAL.inputs, before
    )


def test_too_few_samples_of_a_class_is_an_error_that_says_what_to_do():
    few = Shown(FAKE.inputs[FAKE.labels != 3], FAKE.labels[FAKE.labels != 3])
    with pytest.raises(
        TrialFailed,
        match=r"synthetic examples of class 3 are needed,"
        r" and the generator gave 0: .*smaller share",
    ):
        replaced(REAL, few, 0.5, draws=1000)


def test_the_reference_is_the_half_of_each_class_that_is_replaced_last():
    kept = reference(REAL, 1000)
    numbers = kept.inputs[:, 0, 0, 0]
    assert np.array_equal(LABELS[numbers], kept.labels) and (np.diff(numbers) > 0).all()
    assert np.bincount(kept.labels).tolist() == [6] * 5
    assert np.array_equal(kept.inputs, REAL.inputs[numbers])
    real = ~is_synthetic(replaced(REAL, FAKE, 0.5, 1000))
    assert np.array_equal(numbers, np.flatnonzero(real))
    assert not np.array_equal(numbers, reference(REAL, 1001).inputs[:, 0, 0, 0])


@pytest.mark.parametrize("sizes", [(1, 2, 3), (5, 1, 7)])
def test_the_reference_has_an_example_of_each_class_and_real_ones_of_every_share(sizes):
    labels = np.repeat(np.arange(3), sizes)
    real = Shown(images(range(len(labels))), labels)
    fake = Shown(images(range(100, 100 + len(labels))), labels)
    kept = reference(real, 3)
    assert np.bincount(kept.labels).tolist() == [max(1, size // 2) for size in sizes]
    shown = replaced(real, fake, 0.5, 3)
    inside = [
        number for number, label in zip(kept.inputs[:, 0, 0, 0], kept.labels) if sizes[label] > 1
    ]
    assert not is_synthetic(shown)[inside].any()


@pytest.mark.parametrize("share", SHARES)
def test_added_examples_come_after_all_real_ones_and_are_those_that_would_replace(share):
    shown = added(REAL, FAKE, share, draws=1000)
    count = round(share * 60)
    assert len(shown.inputs) == len(shown.labels) == 60 + count
    assert np.array_equal(shown.inputs[:60], REAL.inputs)
    assert np.array_equal(shown.labels[:60], LABELS) and shown.labels.dtype == LABELS.dtype
    instead = replaced(REAL, FAKE, share, draws=1000).inputs[:, 0, 0, 0]
    more = shown.inputs[60:, 0, 0, 0]
    assert sorted(more) == sorted(instead[instead >= 100])
    assert np.array_equal(FAKE.labels[more - 100], shown.labels[60:])


@pytest.mark.parametrize("share", SHARES)
def test_what_a_filter_rejects_is_left_out_with_the_real_example_in_its_place(share):
    whole, passed = replaced(REAL, FAKE, share, draws=1000), passing(REAL, FAKE, 0.75)
    shown = filtered(REAL, FAKE, share, 0.75, draws=1000)
    numbers = whole.inputs[:, 0, 0, 0].astype(int)
    kept = np.array([number < 100 or passed[number - 100] for number in numbers])
    assert np.array_equal(shown.inputs[:, 0, 0, 0], numbers[kept])
    assert np.array_equal(shown.labels, LABELS[kept]) and len(shown.labels) == kept.sum()
    assert abs(len(shown.labels) - 60 * (1 - 0.25 * share)) <= 4
    if share == 1:
        assert len(shown.labels) == 45


def test_a_filter_that_keeps_all_is_none_and_one_that_leaves_no_example_is_an_error():
    for share in SHARES:
        same, plain = filtered(REAL, FAKE, share, 1.0, 7), replaced(REAL, FAKE, share, 7)
        assert np.array_equal(same.inputs, plain.inputs)
        assert np.array_equal(same.labels, plain.labels)
    pool = Shown(images(range(100, 200)), np.repeat(np.arange(5), 20))
    with pytest.raises(TrialFailed, match=r"the filter leaves no example of \d classes"):
        filtered(REAL, pool, 1.0, 0.05, draws=1000)


def test_blurred_images_are_those_that_would_be_replaced_and_the_others_stay():
    rng = np.random.default_rng(0)
    sharp = Shown(rng.integers(0, 256, (60, 3, 8, 8)).astype(np.uint8), LABELS)
    black = Shown(np.zeros_like(sharp.inputs), LABELS)
    for share in (0.25, 1.0):
        shown = blurred(sharp, 4, share, draws=1000)
        places = (replaced(sharp, black, share, draws=1000).inputs == 0).all((1, 2, 3))
        assert places.sum() == share * 60 and np.array_equal(shown.labels, LABELS)
        assert np.array_equal(shown.inputs[~places], sharp.inputs[~places])
        assert np.array_equal(shown.inputs[places], through(sharp.inputs[places], 4))
        assert shown.inputs[places].std() < 0.8 * sharp.inputs[places].std()
        again = blurred(shown, 4, share, draws=1000)
        assert np.abs(again.inputs.astype(int) - shown.inputs).mean() < 3  # blurred as it is


@pytest.mark.parametrize(
    "inputs, side, said",
    [
        (np.array(["a"] * 60, dtype=object), 4, "texts have no pixels"),
        (np.zeros((60, 3, 8, 8), np.uint8), 8, "8 x 8 pixels cannot be brought down to 8 x 8"),
        (np.zeros((60, 3, 8, 6), np.uint8), 4, "blur square images"),
    ],
)
def test_what_has_no_finer_pixels_cannot_be_blurred(inputs, side, said):
    with pytest.raises(TrialFailed, match=said):
        blurred(Shown(inputs, LABELS), side, 1.0, draws=1000)


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


def test_the_parts_act_on_the_training_set():
    flow = Flow(side=1, width=8, steps=1)
    more = training_set(dataset(), Treatment.of(Added(0.25, flow, Setting("good"))), 1000, FAKE)
    assert len(more.inputs) == 75 and is_synthetic(more)[60:].all()
    with pytest.raises(ValueError, match="give those"):
        training_set(dataset(), Treatment.of(Added(0.25, flow, Setting("good"))), 1000)
    fewer = Filtered(1.0, flow, Setting("good"), kept=0.5)
    assert len(training_set(dataset(), Treatment.of(fewer), 1000, FAKE).inputs) == 30
    some = Shown(np.random.default_rng(0).integers(0, 256, (60, 3, 2, 2)).astype(np.uint8), LABELS)
    data = Dataset(*some, {"real": some}, tuple("abcde"))
    flat = training_set(data, Treatment.of(Blurred(side=1)), 1000).inputs
    assert (flat == flat[:, :, :1, :1]).all() and not np.array_equal(flat, some.inputs)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
        Synthetic(share, Flow(side=8, width=8, steps=1), Setting("good"))
