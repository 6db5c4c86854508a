"""Parts for what the published code does: modes never switched, a ReLU, examples changed once."""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.common.draws import generator
from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Shown
from ddiv.profiles.checks import checked
from ddiv.profiles.studies import bert_complaints, bert_two_complaints, clip_world
from ddiv.treatment import (
    AS_CODED,
    BASELINE,
    Augmentation,
    Dropout,
    Once,
    Rectified,
    Treatment,
    Unswitched,
    once,
)

TEXTS = np.array([f"text number {n} of the set has quite a few words" for n in range(40)], object)
LABELS = np.arange(40) % 4


def changed(part: Once, inputs=TEXTS, seed=0) -> np.ndarray:
    shown = part.training_set(Shown(inputs, LABELS), generator(seed, part.stream))
    assert np.array_equal(shown.labels, LABELS) and len(shown.inputs) == len(inputs)
    return shown.inputs


def test_a_share_of_the_examples_is_changed_in_place_and_the_rest_stays():
    before = TEXTS.copy()
    edited = changed(Once("swap50", 0.3))
    moved = edited != TEXTS
    assert moved.sum() == 12 and np.array_equal(TEXTS, before)
    words = [sorted(text.split()) for text in edited]
    assert words == [sorted(text.split()) for text in TEXTS]  # a swap keeps a text's words
    assert np.array_equal(edited, changed(Once("swap50", 0.3)))
    assert not np.array_equal(edited, changed(Once("swap50", 0.3), seed=1))


def test_a_larger_share_changes_all_that_a_smaller_one_changes():
    few, more, all_of_them = (changed(Once("swap50", share)) != TEXTS for share in (0.3, 0.5, 1))
    assert (few.sum(), more.sum(), all_of_them.sum()) == (12, 20, 40)
    assert (more >= few).all()


def test_images_are_changed_once_too_and_none_that_would_mix_labels():
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8)).astype(np.uint8)
    edited = changed(Once("noise50", 0.25), images)
    assert (edited != images).any((1, 2, 3)).sum() == 10 and edited.dtype == np.uint8
    with pytest.raises(TrialFailed, match="mixup mixes labels"):
        changed(Once("mixup", 0.5), images)


def test_a_name_stands_for_examples_changed_once():
    assert once("synonym30-once50") == Once("synonym30", 0.5)
    assert once("synonym30-wordnet-once100") == Once("synonym30-wordnet", 1.0)
    for other in ("synonym30", "once50", "auto-v3", "swap30-once0", "swap30-once101"):
        assert once(other) is None
    study = bert_complaints()
    assert study.augmentation("swap30-once30") == Treatment.of(Once("swap30", 0.3))
    assert study.augmentation("swap30") == Treatment.of(Augmentation("swap30"))


def test_a_study_is_told_of_an_unknown_augmentation_that_changes_once():
    checked(msgspec.structs.replace(bert_complaints(), augmentations=("swap30-once30",)))
    of_images = {"augmentations": ("auto-once100",), "extreme_augmentations": ()}
    checked(msgspec.structs.replace(clip_world(), **of_images))
    with pytest.raises(ValueError, match="unknown text augmentation 'swop30'"):
        checked(msgspec.structs.replace(bert_complaints(), augmentations=("swop30-once30",)))
    with pytest.raises(ValueError, match="'auto-once30' is an augmentation of images"):
        checked(msgspec.structs.replace(bert_complaints(), augmentations=("auto-once30",)))


def test_parts_say_what_they_are():
    assert Treatment.of(Once("swap30", 0.3)).label == "swap30 once, in 30% of the examples"
    assert Treatment.of(Once("swap30", 0.3)).group == "augmentation"
    assert Treatment.of(Once("swap30", 0)) == BASELINE
    coded = Treatment.of(Rectified(), Unswitched())
    assert coded.label == "ReLU on the outputs + modes never switched" and coded.group == AS_CODED
    for where, label in (("encoder", "encoder never in training"), ("head", "head never in eval")):
        assert Unswitched(where).label.startswith(label)
    for wrong, said in (
        (lambda: Once("swap30", 1.5), "a share of changed examples lies in"),
        (lambda: Once(" swap30", 0.5), "the name of an augmentation"),
        (lambda: Unswitched("tail"), "`where` of Unswitched"),
    ):
        with pytest.raises(ValueError, match=said):
            wrong()


def test_the_ladders_as_coded_begin_with_the_departures_alone():
    study = bert_two_complaints()
    for ladder, doses in (
        (study.coded_dropout(), study.coded_rates),
        (study.coded_decay(), study.decays),
    ):
        assert [dose for dose, _ in ladder] == [0, *doses]
        assert ladder[0][1] == study.as_coded == Treatment.of(Rectified(), Unswitched())
    assert study.coded_dropout()[1][1] == study.as_coded + Dropout(study.coded_rates[0], "head")
    assert {arm for pair in study.at_test for arm in pair} <= {*study.arms}
    assert {arm for _, arm in (*study.coded_dropout(), *study.coded_decay())} <= {*study.arms}
    assert not msgspec.structs.replace(study, coded_rates=(), kept=0).arms[-1].part(Unswitched)


def test_the_generator_that_draws_is_the_one_given():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    changed(Once("synonym50", 0.5))
    assert torch.equal(torch.get_rng_state(), before)
