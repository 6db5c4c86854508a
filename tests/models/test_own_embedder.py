"""Embedders of a user's own: vectors of their data, and what is wrong with them in one line."""

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.common.errors import TrialFailed
from ddiv.models.embedders import vectors
from ddiv.models.own_embedder import embed, own_embedder
from ddiv.study import Digits

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4)).astype(np.uint8)
TEXTS = np.array(["one two", "three", ""], dtype=object)


def means(images):
    images[0] = 0  # a copy
    return torch.from_numpy(images.mean((2, 3))).requires_grad_()


class Hashed:
    def __init__(self, size):
        self.size = size

    def __call__(self, texts):
        return [[text.count(letter) for letter in "aeiou"[: self.size]] for text in texts]


def test_vectors_of_images_and_of_texts_bear_the_function_s_name():
    spec = own_embedder(means)
    found = vectors(IMAGES, "embedding", spec, Digits(train=40), torch.device("cpu"))
    assert found.rows.shape == (5, 4)  # one more, in which the black image lies
    assert found.embedder == f"means {spec.source[:12]}" and IMAGES[0].any()
    spec = own_embedder(Hashed, size=5)
    found = vectors(TEXTS, "embedding", spec, Digits(train=40), torch.device("cpu"))
    assert found.rows[:2, :5].tolist() == [[0, 1, 0, 2, 0], [0, 2, 0, 0, 0]]
    assert found.embedder.startswith("Hashed(size=5) ")


def one(images):
    return np.zeros(3)


def few(images):
    return np.ones((3, 2))


def words(images):
    return [["a"]] * len(images)


def ragged(images):
    return [[1.0] * (1 + n % 2) for n in range(len(images))]


def endless(images):
    return np.full((len(images), 2), np.inf)


def empty(images):
    return np.ones((len(images), 0))


def dropping(images):
    return nn.functional.dropout(torch.ones(len(images), 3))


def fails(images):
    return images.encode()


@pytest.mark.parametrize(
    "function, said",
    [
        (one, r"for each of 5 inputs, \(5, d\), and returned float64 \(3,\)"),
        (few, r"returned float64 \(3, 2\)"),
        (words, "returned <U1"),
        (ragged, "returned no array"),
        (endless, "returned 5 vectors with NaN, infinity"),
        (empty, "or nothing"),
        (dropping, r"draws from torch, .*\.eval\(\)"),
        (fails, "the own embedder fails raised AttributeError"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(function, said):
    with pytest.raises(TrialFailed, match=said) as told:
        embed(own_embedder(function), IMAGES)
    assert "\n" not in str(told.value)
