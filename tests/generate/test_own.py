"""Generators of a user's own: the same seed gives the same samples, whatever they draw from."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.common.errors import TrialFailed
from ddiv.data.dataset import Dataset
from ddiv.generate.own import sample
from ddiv.treatment import Setting, Synthetic, own_generator

LABELS = np.arange(8) % 2
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 3, 4, 6)).astype(np.uint8)
DATA = Dataset(IMAGES, LABELS, {"test": (IMAGES, LABELS)}, ("a", "b"))


def trained(inputs, labels, classes, setting, draws):
    assert classes == ("a", "b") and labels.dtype == np.int64 and setting.name == "plain"
    network = nn.Linear(1, 3 * 4 * 6)
    noise = np.random.rand() + random.random() + torch.rand(1, generator=draws)
    inputs[:] = 0  # a copy
    return (network(torch.full((len(labels), 1), float(noise))) > 0).float().view(-1, 3, 4, 6)


def fails(inputs, labels, classes, setting, draws):
    raise OSError("no weights")


def test_samples_are_those_of_the_seed_and_nothing_global_is_moved():
    spec = own_generator(trained)
    torch.manual_seed(7)
    expected = torch.rand(2), np.random.RandomState(3).rand()
    torch.manual_seed(7)
    np.random.seed(3)
    first = sample(spec, Setting("plain"), DATA, 0)
    assert torch.equal(torch.rand(2), expected[0]) and np.random.rand() == expected[1]
    assert isinstance(first, np.ndarray) and first.shape == IMAGES.shape and DATA.inputs.any()
    random.seed(9)
    assert np.array_equal(first, sample(spec, Setting("plain"), DATA, 0))
    others = [sample(spec, Setting("plain"), DATA, seed) for seed in range(1, 4)]
    assert any(not np.array_equal(first, other) for other in others)


def test_what_is_wrong_is_told():
    with pytest.raises(TrialFailed, match="the own generator fails raised OSError: no weights"):
        sample(own_generator(fails), Setting("plain"), DATA, 0)
    with pytest.raises(ValueError, match="trained is not retrained on its own samples"):
        Synthetic(0.5, own_generator(trained), Setting("plain"), round=2)
