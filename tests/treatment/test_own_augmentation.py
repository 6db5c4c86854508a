"""Augmentations of a user's own: what they may do, and what is wrong with them in one line."""

import itertools
import random

import msgspec
import numpy as np
import pytest
import torch

from ddiv.common.errors import NoModel, TrialFailed
from ddiv.treatment import Augmentation, Treatment
from ddiv.treatment.augment import augmented, require_augmentation
from ddiv.treatment.own_augmentation import OwnAugmentation, own_augmentation

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 9)).astype(np.uint8)
TEXTS = np.array(["one two", "three", "four five six"], dtype=object)


def darker(images, draws, most=0.5):
    share = 1 - most * torch.rand(len(images), 1, 1, 1, generator=draws, device=draws.device)
    images.mul_(0)  # what it is given is a copy
    return (torch.from_numpy(IMAGES) * share).to(torch.uint8)


class Flipped:
    def __init__(self, share=0.5):
        self.share = share

    def __call__(self, images, draws):
        drawn = torch.rand(len(images), 1, 1, 1, generator=draws, device=draws.device)
        return torch.where(drawn < self.share, images.flip(-1), images)


def louder(texts, draws):
    chosen = torch.rand(len(texts), generator=draws) < 0.5
    return [text.upper() if up else text for text, up in zip(texts, chosen)]


def run(function, inputs=IMAGES, seed=0, **options):
    spec = own_augmentation(function, **options)
    return augmented(spec, inputs, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("function", [darker, Flipped])
def test_images_are_changed_by_the_draws_and_nothing_else(function):
    before = IMAGES.copy()
    first, mixed = run(function)
    assert mixed is None and first.dtype == np.uint8 and first.shape == IMAGES.shape
    assert np.array_equal(first, run(function)[0]) and np.array_equal(IMAGES, before)
    assert not np.array_equal(first, run(function, seed=1)[0])


def test_options_reach_the_function_and_its_name():
    assert not np.array_equal(run(darker, most=0.0)[0], run(darker)[0])
    assert own_augmentation(Flipped, share=1).label == "Flipped(share=1)"
    assert np.array_equal(run(Flipped, share=1)[0], IMAGES[..., ::-1])


def test_texts_are_changed_too():
    first, _ = run(louder, TEXTS)
    assert first.dtype == object and [text.lower() for text in first] == TEXTS.tolist()
    assert any(run(louder, TEXTS, seed)[0].tolist() != first.tolist() for seed in range(1, 9))


def test_a_name_and_a_value_are_told_apart_in_keys():
    own = own_augmentation(darker)
    for name in ("auto", own):
        arm = Treatment.of(Augmentation(name))
        assert msgspec.json.decode(msgspec.json.encode(arm), type=Treatment) == arm
        assert arm.label == (name if isinstance(name, str) else "darker")
    assert Augmentation("darker") != Augmentation(own)
    require_augmentation(own, texts=False)
    with pytest.raises(ValueError, match="defines the own augmentation 'darker'"):
        require_augmentation(OwnAugmentation("darker", "0" * 64), texts=False)


# --- what is wrong --------------------------------------------------------------------------------


def floats(images, draws):
    return images / 255


def nan(images, draws):
    return images * float("nan")


def narrow(images, draws):
    return images[..., :-1]


def fewer(images, draws):
    return images[:-1]


def arrays(images, draws):
    return images.numpy()


def nothing(images, draws):
    images.flip(-1)


def elsewhere(images, draws):
    return images.to("meta")


def from_torch(images, draws):
    return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images, images.flip(-1))


def from_numpy(images, draws):
    return images.flip(-1) if np.random.rand() < 0.5 else images


def from_random(images, draws):
    return images.flip(-1) if random.random() < 0.5 else images


def unseeded(images, draws):
    return torch.from_numpy(np.random.default_rng().permutation(images.numpy()))


COUNT = itertools.count()


def counts(images, draws):
    return images + next(COUNT)


def fails(images, draws):
    return images @ images[0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "function, said",
    [
        (floats, r"and returned torch.float32 \(6, 3, 8, 9\): round, and .to\(torch.uint8\)"),
        (nan, r"and returned torch.float32"),
        (narrow, r"torch.uint8 \(6, 3, 8, 9\) on cpu, and returned torch.uint8 \(6, 3, 8, 8\)"),
        (fewer, r"and returned torch.uint8 \(5, 3, 8, 9\)"),
        (arrays, "and returned type ndarray"),
        (nothing, "and returned type NoneType"),
        (elsewhere, "and returned a tensor on meta"),
        (from_torch, "draws from torch, which breaks the pairing of seeds: .*generator=draws"),
        (from_numpy, r"draws from numpy\.random"),
        (from_random, "draws from random"),
        (unseeded, "returns something else when it is called again with the same inputs"),
        (counts, "keep nothing from call to call"),
        (fails, "the own augmentation fails raised IndexError"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(function, said):
    with pytest.raises(TrialFailed, match=said) as told:
        run(function)
    assert "\n" not in str(told.value) and f"own augmentation {function.__name__}" in str(
        told.value
    )


def one_text(texts, draws):
    return "text"


def no_texts(texts, draws):
    return None


def lost(texts, draws):
    return list(texts)[1:]


def numbers(texts, draws):
    return [*range(len(texts))]


@pytest.mark.parametrize(
    "function, said",
    [
        (one_text, "returned something of type str: it has to return one str for each text"),
        (no_texts, "something of type NoneType"),
        (lost, "was given 3 texts and returned 2"),
        (numbers, "returned one of type int"),
    ],
)
def test_wrong_texts_are_told(function, said):
    with pytest.raises(TrialFailed, match=said):
        run(function, TEXTS)


def cutout(images, draws):
    return images


def alone(images):
    return images


def test_what_cannot_be_an_augmentation_is_refused():
    with pytest.raises(ValueError, match="'cutout' is an augmentation of ddiv's"):
        own_augmentation(cutout)
    with pytest.raises(ValueError, match=r"called as alone\(inputs, draws\), and cannot be"):
        own_augmentation(alone)
    with pytest.raises(NoModel, match="no study or claim file"):
        augmented(OwnAugmentation("x", "0" * 64), IMAGES, torch.Generator())
