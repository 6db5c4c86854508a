"""Verdicts on patterns: signs that agree or oppose, a peak inside a curve, the share where a curve
stops being positive.
"""

import numpy as np
import pytest

from ddiv import evidence
from ddiv.evidence import (
    alike,
    last_share,
    linear_correlations,
    opposed,
    peaked,
    rank_correlations,
    somewhere_opposed,
)

CLEAR = [1.0, 2.0, 1.5, 1.2, 0.8, 2.2, 1.1]
MIXED = [1.0, -1.0, 1.0, -2.0, 1.0, -1.0, 0.5]


def minus(values) -> list:
    return [-value for value in values]


def test_alike_is_opposed_to_the_mirror_image():
    assert (
        alike(CLEAR, CLEAR[::-1]).verdict
        == alike(minus(CLEAR), minus(CLEAR)).verdict
        == "supported"
    )
    assert (
        alike(CLEAR, minus(CLEAR)).verdict == "contradicted"
        and alike(CLEAR, MIXED).verdict == "inconclusive"
    )
    assert alike(CLEAR, CLEAR).effects == pytest.approx(CLEAR) and opposed(
        CLEAR, minus(CLEAR)
    ).effects == pytest.approx(CLEAR)
    assert alike(CLEAR, CLEAR).decided_at == 7


def test_somewhere_opposed_follows_the_pair_that_opposes():
    assert somewhere_opposed([CLEAR, CLEAR], [CLEAR, minus(CLEAR)]).verdict == "supported"
    assert somewhere_opposed([CLEAR, CLEAR], [CLEAR, CLEAR]).verdict == "contradicted"
    assert somewhere_opposed([CLEAR, CLEAR], [CLEAR, MIXED]).verdict == "inconclusive"
    with pytest.raises(ValueError, match="pairs of effects"):
        somewhere_opposed([CLEAR], [CLEAR, CLEAR])


def test_which_pair_is_followed_is_no_matter_of_units():
    """Both oppose at two seeds, the second more strongly, the first more steadily; then the first
    alone goes on.
    """
    second = np.array([1.0, 9.0, -1.0, -1.0, -1.0, -1.0, -1.0])
    for unit in (1e-6, 1, 1e6):
        found = somewhere_opposed([CLEAR, unit * second], [minus(CLEAR), minus(unit * second)])
        assert found.verdict == "supported" and found.effects == pytest.approx(CLEAR)


def curves(heights, n=7):
    """The same curve at n seeds, give or take a constant."""
    return np.array(heights, dtype=float)[:, None] + np.arange(n)


@pytest.mark.parametrize(
    "heights, verdict",
    [
        ([0, 1, 0], "supported"),
        ([0, 3, 5, 1], "supported"),
        ([0, 1, 2, 3], "contradicted"),
        ([3, 1, 2, 3.5], "contradicted"),
        ([1, 1, 1], "inconclusive"),
    ],
)
def test_a_peak_is_above_both_ends(heights, verdict):
    found = peaked(curves(heights))
    assert found.verdict == verdict and found.n == 7
    if verdict == "supported":
        assert (
            found.effect == max(heights[1:-1]) - max(heights[0], heights[-1])
            and found.decided_at == 7
        )
        assert found.interval[0] > 0


def test_a_peak_that_wanders_is_none():
    """Each seed has a peak inside, but another one each time: the seeds before never tell where."""
    table = np.zeros((6, 8))
    table[[1, 2, 3, 4, 1, 2, 3, 4], range(8)] = 1
    assert peaked(table).verdict == "inconclusive" and (table.max(axis=0) > table[-1]).all()


def test_the_seed_judged_does_not_choose_its_own_peak():
    """Curves of noise: with ten rungs each seed's own peak is above both ends at most seeds, and
    must decide nothing.
    """
    rng = np.random.default_rng(11)
    verdicts = [peaked(rng.normal(size=(12, 20))).verdict for _ in range(150)]
    own = [
        evidence.judge(c[1:-1].max(axis=0) - np.maximum(c[0], c[-1])).verdict
        for c in rng.normal(size=(20, 12, 60))
    ]
    # One rung of noise is above both ends at a third of the seeds, the highest of ten at five
    # sixths.
    assert verdicts.count("supported") <= 0.05 * 150 and own.count("supported") > 15


def test_false_verdicts_of_patterns_are_bounded():
    """Where nothing moves; noise that two groups share counts as agreement in no seed's favour."""
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(200):
        base, one, two = rng.normal(size=(3, 3, 25))
        false += somewhere_opposed(one - base, two - base).verdict == "supported"
        false += alike((one - base)[0], (two - base)[0]).verdict != "inconclusive"
    assert false <= 2 * 0.05 * 200


@pytest.mark.parametrize(
    "pattern",
    [
        lambda alpha: alike(CLEAR, CLEAR, alpha=alpha),
        lambda alpha: peaked(curves([0, 1, 0]), alpha=alpha),
        lambda alpha: somewhere_opposed([CLEAR], [CLEAR], alpha=alpha),
    ],
)
def test_impossible_levels_are_refused(pattern):
    for alpha in (0, 1, 2):
        with pytest.raises(ValueError, match="alpha must be between"):
            pattern(alpha)
    with pytest.raises(ValueError, match="3 rungs"):
        peaked(np.zeros((2, 5)))


def test_one_seed_says_nothing():
    for found in (
        peaked(curves([0, 1, 0], 1)),
        somewhere_opposed([[1.0]], [[-1.0]]),
        alike([1.0], [1.0]),
    ):
        assert found.verdict == "inconclusive" and found.n == 1


@pytest.mark.parametrize(
    "curve, expected",
    [
        ((0, 1, -1), 0.75),
        ((0, -1, -2), 0.0),
        ((0, 1, 2), 1.0),
        ((0, -1, 3), 1.0),
        ((0, 3, -1), 0.875),
        ((0, 0, -1), 0.5),
    ],
)
def test_last_share_is_where_the_mean_crosses_zero(curve, expected):
    value, low, high = last_share(
        np.array([0, 0.5, 1]), np.repeat(np.array(curve, dtype=float)[:, None], 4, axis=1)
    )
    assert (value, low, high) == pytest.approx((expected,) * 3)


def test_last_share_has_an_interval_that_covers_it():
    rng, covered = np.random.default_rng(4), 0
    for _ in range(40):  # the truth crosses 0 at .6
        _, low, high = last_share(
            np.array([0, 0.5, 1]),
            np.array([0, 0.1, -0.4])[:, None] + 0.1 * rng.normal(size=(3, 12)),
        )
        covered += low <= 0.6 <= high
    assert covered >= 32
    with pytest.raises(ValueError, match="rising shares"):
        last_share(np.array([0, 0]), np.zeros((2, 3)))


def test_linear_correlations_are_pearsons():
    first, second = np.random.default_rng(0).normal(size=(2, 3, 9))
    expected = [np.corrcoef(a, b)[0, 1] - 0.5 for a, b in zip(first, second)]
    assert linear_correlations(first, second, 0.5) == pytest.approx(expected, abs=1e-11)
    assert rank_correlations(np.exp(first), first, 0.5) == pytest.approx([0.5] * 3)
    with pytest.raises(ValueError, match="no correlation"):
        linear_correlations(first, np.full_like(second, 0.1))
