"""The experiments behind claims/test_guided_expansion.py and test_filtered_edits.py: what scores
and filters choose where the truth is planted.
"""

from functools import partial

import numpy as np
import pytest
import torch

from ddiv.data.dataset import Shown
from ddiv.study import Digits
from ddiv.trial.at_hand import Draws
from fixtures import edits, expansion, few_digits, side_by_side

DRAWS = Draws(5, Digits(60, side=8), torch.device("cpu"))


@pytest.fixture
def short(monkeypatch):
    recipe = side_by_side.Recipe(3, 50, 5e-3)
    kinds = {name: (kind, recipe) for name, (kind, _) in side_by_side.KINDS.items()}
    monkeypatch.setattr(side_by_side, "KINDS", kinds)
    for module in (expansion, edits):
        monkeypatch.setattr(module, "prior", partial(few_digits.prior, steps=20))
        monkeypatch.setattr(module, "INITS", 1)


def test_parts_share_no_image():
    few, outside, tests = few_digits.parted(DRAWS)
    assert [len(part.labels) for part in (few, outside, tests)] == [60, 750, 1797 - 810]


def test_arms_are_paired_and_tell_what_they_were_shown(short):
    few, _, tests = few_digits.parted(DRAWS)
    wrong = Shown(few.inputs, (few.labels + 1) % 10)
    here = np.arange(60)
    arms = {"right": here, "again": here, "wrong": here + 60}
    pool = few_digits.joined([few, wrong])
    found = few_digits.scored("perceptron", pool, arms, {"id": tests}, DRAWS, inits=2)
    assert found["id", "right"] == found["id", "again"] > 50
    assert found["id", "wrong"] < 20


def test_as_many_of_each_class_are_chosen_at_random():
    labels = np.array([0] * 6 + [1] * 6 + [2] * 6)
    counted = np.arange(18) < 8
    chosen = few_digits.of_each_class(labels, counted, np.random.default_rng(0))
    assert np.bincount(labels[chosen], minlength=3).tolist() == [6, 2, 0]


def test_the_few_are_judged_by_networks_that_have_not_seen_them(short):
    """Labels at random cannot be told then."""
    few, _, tests = few_digits.parted(DRAWS)
    rng = np.random.default_rng(0)
    told = few_digits.judged("perceptron", few, tests.inputs, DRAWS)
    assert (told.others.argmax(1) == tests.labels).mean() > 0.5
    assert np.allclose(told.few.sum(1), 1, atol=1e-4)
    assert (told.few.argmax(1) == few.labels).mean() > 0.5
    mixed = Shown(few.inputs, rng.permutation(few.labels))
    told = few_digits.judged("perceptron", mixed, few.inputs, DRAWS)
    assert (told.few.argmax(1) == mixed.labels).mean() < 0.3
    assert (told.others.argmax(1) == mixed.labels).mean() > 0.3


# --- guided expansion -----------------------------------------------------------------------------


def said(*rows):
    """What a judge says: the probabilities of the first three classes, nothing of the others."""
    p = np.zeros((len(rows), few_digits.CLASSES))
    p[:, :3] = rows
    return p


def test_criteria_are_what_they_are_called():
    few = said((1, 0, 0), (0, 1, 0))
    sure, spread, other = (1, 0, 0), (0.4, 0.3, 0.3), (0, 0, 1)
    candidates = said(sure, sure, spread, other, (0, 1, 0), (0, 1, 0), (0.5, 0.5, 0), (1, 0, 0))
    by = expansion.criteria(few, candidates, np.array([0, 1]))
    assert all(each.mean() == pytest.approx(0, abs=1e-9) for each in by.values())
    assert by["consistency"].argmin(axis=1).tolist() == [3, 3]
    assert by["entropy"].argmax(axis=1).tolist() == [2, 2]
    assert by["diversity"].argmax(axis=1).tolist() == [3, 3]


def test_the_best_of_each_image_are_taken():
    scores = np.zeros((2, 8))
    scores[0, 3:] = scores[1, :5] = 1
    assert expansion.taken(scores).tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]


# --- filtered edits -------------------------------------------------------------------------------


def test_the_filter_leaves_out_what_it_is_sure_of():
    few = said((0.9, 0.1, 0), (0.7, 0.3, 0), (0.5, 0.5, 0))
    bars = np.array([0, 0, 1])  # .8 for class 0, .5 for class 1; of class 2 there is none
    minimal, unsure, corrupted, unknown = (0.85, 0.15, 0), (0.7, 0.3, 0), (0.2, 0.6, 0.2), (0, 0, 1)
    passing = edits.kept(said(minimal, unsure, corrupted, unknown), bars, few)
    assert passing.tolist() == [False, True, False, True]


def test_styles():
    image = np.zeros((1, 3, 8, 8), np.uint8)
    image[..., 4] = 200  # an upright line
    assert np.array_equal(edits.styled(edits.styled(image, "inverted"), "inverted"), image)
    assert (edits.styled(image, "bold")[0, 0] > 0).sum(axis=1).tolist() == [3] * 8
    slanted = edits.styled(image, "slanted")
    assert slanted[0, 0].argmax(axis=1).tolist() == [6, 5, 5, 4, 4, 3, 3, 2]
    assert edits.styled(image, "plain") is image
    several = edits._in_styles(np.repeat(image, 4, axis=0), np.arange(4))
    for number, style in enumerate(edits.STYLES):
        assert np.array_equal(several[number], edits.styled(image, style)[0])


@pytest.mark.parametrize(
    "experiment", [expansion.expansion, edits.edits], ids=["expansion", "edits"]
)
def test_all_arms_are_scored(short, experiment):
    found = experiment.function(DRAWS)
    assert found.keys() == experiment.meanings.keys()
    shares = ("kept", "of_another", "right")
    assert all(0 <= by <= (1 if name.startswith(shares) else 100) for name, by in found.items())
