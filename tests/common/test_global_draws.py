"""Draws from the generators of a whole process are noticed."""

import random

import numpy as np
import pytest
import torch

from ddiv.common.global_draws import drawn, states


@pytest.mark.parametrize(
    "draw, name",
    [
        (random.random, "random"),
        (np.random.rand, "numpy.random"),
        (np.random.randn, "numpy.random"),
        (lambda: torch.rand(1), "torch"),
        (lambda: torch.manual_seed(torch.initial_seed() + 1), "torch"),
    ],
)
def test_a_draw_is_named(draw, name):
    before = states()
    draw()
    assert drawn(before) == name


def test_generators_of_ones_own_are_left_alone():
    before = states()
    random.Random(0).random()
    np.random.default_rng(0).random()
    torch.rand(1, generator=torch.Generator())
    assert drawn(before) == ""
