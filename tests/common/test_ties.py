"""Equal numbers that differ in their last bits."""

import numpy as np
import pytest

from ddiv.common.ties import less, total
from ddiv.evidence import steps, trend


def test_equal_numbers_that_differ_in_their_last_bits_are_a_tie():
    assert 0.1 + 0.2 - 0.3 != 0
    assert less(0.1 + 0.2, 0.3) == 0
    assert less(np.array([0.1 + 0.2, 0.4]), np.array([0.3, 0.3])).tolist() == [0, 0.4 - 0.3]


def test_effects_of_equal_outcomes_have_no_sign():
    assert trend([1, 2, 3], [0.1 + 0.2, 0.3, 0.3]) == 0
    assert steps(np.array([[0.3], [0.1 + 0.2]])).tolist() == [[0.0]]


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_real_difference_stays_whatever_its_unit(scale):
    assert less(1.000001 * scale, scale) == pytest.approx(1e-6 * scale, rel=1e-6)
    assert less(scale, 0.0) == scale


def test_a_sum_of_what_cancels_is_a_tie():
    values = np.array([[0.1, 0.2, -0.3], [0.1, 0.2, 0.3]])
    assert values[0].sum() != 0
    assert total(values).tolist() == [0, pytest.approx(0.6)]


def test_what_is_not_known_stays_unknown():
    assert np.isnan(less(np.nan, 1.0)) and np.isnan(total(np.array([np.nan, 1.0])))
    assert less(np.inf, 1.0) == np.inf
