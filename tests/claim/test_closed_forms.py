"""The experiments behind claims/test_mechanism.py: their formulas against simulation, and what they
find where the truth is known.
"""

import numpy as np
import pytest
import torch

from ddiv.study import World
from ddiv.trial.at_hand import Draws
from fixtures import linear_models as linear
from fixtures import random_features as features

# Never read: each experiment here draws its own data.
DRAWS = Draws(1, None, torch.device("cpu"))


@pytest.fixture
def replicate():
    """Draws with pictures of the image world, more than they have pixels."""
    return Draws(2, World(5, 1, 1), torch.device("cpu"))


def test_grey_averages_blocks_and_channels():
    images = np.zeros((2, 3, 4, 4), dtype=np.uint8)
    images[0, :, :2, :2] = 255
    assert linear.grey(images, 2).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]


def test_contrast_keeps_means_and_duplicates_keep_all():
    images = np.random.default_rng(0).integers(100, 156, (5, 3, 8, 8)).astype(np.uint8)
    moved = linear.shown("contrast", images, torch.Generator().manual_seed(0))
    assert np.allclose(moved.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), atol=0.5)
    assert (moved != images).any()
    assert linear.shown("duplicates", images, torch.Generator()) is images


def test_duplicates_inflate_and_shrink_nothing(replicate):
    inflated = linear.inflation.function(replicate, "duplicates")
    assert inflated == pytest.approx(dict.fromkeys(inflated, 0.0), abs=1e-6)
    shrunk = linear.shrinkage.function(replicate, "duplicates")
    assert shrunk == pytest.approx(dict.fromkeys(shrunk, 0.0), abs=1e-6)


def test_the_second_moment_of_random_features_is_that_of_many_inputs():
    data, rng = features.drawn(DRAWS, 20), np.random.default_rng(0)
    X = rng.normal(size=(100_000, features.INPUTS))
    phi = data.of(X)
    assert np.allclose(data.second, phi.T @ phi / len(X), atol=0.01)
    assert np.allclose(data.crossed, phi.T @ (X @ data.theta) / len(X), atol=0.01)
    w = rng.normal(size=20) / 5
    fresh = np.mean((X @ data.theta - phi @ w) ** 2) + features.NOISE**2
    assert data.error(w) == pytest.approx(fresh, rel=0.01)


def test_noise_drawn_at_once_has_the_moments_of_noise():
    rng, p, degrees = np.random.default_rng(0), 3, 50
    drawn = np.mean([features.of_noise(rng, p, degrees) for _ in range(4000)], axis=0)
    assert np.allclose(drawn, degrees * np.eye(p), atol=0.7)
    plain = [np.linalg.eigvalsh(e.T @ e) for e in rng.normal(size=(4000, degrees, p))]
    ours = [np.linalg.eigvalsh(features.of_noise(rng, p, degrees)) for _ in range(4000)]
    assert np.allclose(np.mean(ours, axis=0), np.mean(plain, axis=0), rtol=0.02)


def test_the_deterministic_equivalent_without_penalty_is_the_classical_one():
    """Least squares of fewer features than examples: noise / (1 - p / n)."""
    data = features.drawn(DRAWS, 50)
    unexplained = features.NOISE**2 + 1 - data.crossed @ np.linalg.solve(data.second, data.crossed)
    expected = unexplained / (1 - 50 / features.EXAMPLES)
    assert features.equivalent(data, 1e-6) == pytest.approx(expected, rel=1e-3)


def test_many_copies_are_needed_for_noise_to_be_ridge():
    few = features.noisy_features.function(DRAWS, p=100, copies=2)
    many = features.noisy_features.function(DRAWS, p=100, copies=1000)
    assert many["ridge"] < 0.01 and many["ridge"] < few["ridge"]
