"""The filter of synthetic examples: it keeps those that look like their class."""

import numpy as np
import pytest

from ddiv.data.dataset import Shown
from ddiv.trial.filtering import passing

WORDS = ("loan payment bank", "card fraud charge", "credit report error")


def texts(*rows: str) -> np.ndarray:
    return np.array(rows, dtype=object)


REAL_TEXTS = Shown(
    texts(*(f"{words} case {n}" for words in WORDS for n in range(6))), np.repeat(np.arange(3), 6)
)


def test_texts_of_another_class_are_the_first_to_go():
    right = [f"the {words} again" for words in WORDS for _ in range(3)]
    wrong = [f"the {words} again" for words in (*WORDS[1:], WORDS[0])]  # of the next class
    pool = Shown(texts(*right, *wrong), np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2]))
    assert passing(REAL_TEXTS, pool, 0.75).tolist() == [True] * 9 + [False] * 3
    assert passing(REAL_TEXTS, pool, 1.0).all()


def test_images_of_another_class_are_the_first_to_go():
    rng = np.random.default_rng(0)
    bright = np.zeros((2, 3, 4, 4))
    bright[0, :, :2], bright[1, :, 2:] = 200, 200

    def drawn(labels):
        return (bright[labels] + rng.integers(0, 50, (len(labels), 3, 4, 4))).astype(np.uint8)

    labels = np.repeat([0, 1], 8)
    shown, claimed = labels.copy(), labels.copy()
    shown[[0, 8]] = 1, 0
    passed = passing(Shown(drawn(labels), labels), Shown(drawn(shown), claimed), 7 / 8)
    assert np.flatnonzero(~passed).tolist() == [0, 8]


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5, 0.83])
def test_the_share_is_right_and_every_class_keeps_one(kept):
    labels = np.repeat(np.arange(20), 6)
    rng = np.random.default_rng(1)
    real, pool = (
        Shown(rng.integers(0, 256, (120, 3, 4, 4)).astype(np.uint8), labels) for _ in range(2)
    )
    passed = passing(real, pool, kept)
    by_class = np.bincount(labels[passed], minlength=20)
    assert by_class.min() >= 1 and by_class.max() <= np.ceil(6 * kept)
    assert passed.sum() == round(120 * kept) or kept < 1 / 6
    assert np.array_equal(passed, passing(real, pool, kept))


def test_texts_without_a_known_word_and_a_single_class_are_ranked_too():
    pool = Shown(texts("zzz", "loan payment", "yyy", "bank"), np.zeros(4, dtype=int))
    one = Shown(REAL_TEXTS.inputs[:6], REAL_TEXTS.labels[:6])
    assert passing(one, pool, 0.5).tolist() == [False, True, False, True]
