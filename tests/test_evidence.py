"""Verdicts: against SciPy, against closed forms, and by simulation under the null."""

import numpy as np
import pytest
from scipy import stats

from ddiv.evidence import FALLS, RISES, judge, median_interval, sign_test, trend


@pytest.mark.parametrize("n, positive", [(1, 1), (5, 5), (5, 4), (9, 2), (20, 14)])
def test_sign_test_is_scipys_binomial_test(n, positive):
    signed = np.array([1.0] * positive + [-1.0] * (n - positive))
    assert sign_test(signed) == pytest.approx(stats.binomtest(positive, n, alternative="greater").pvalue, rel=1e-12)


def test_five_agreeing_seeds_decide_and_four_cannot():
    assert judge([1, 2, 3, 4, 5], RISES).verdict == "supported"
    assert judge([1, 2, 3, 4, 5], FALLS).verdict == "contradicted"
    assert judge([1, 2, 3, 4], RISES).verdict == "inconclusive"
    assert judge([1, 2, 3, 4, -5], RISES).verdict == "inconclusive"


def test_no_effect_at_all_is_inconclusive():
    evidence = judge([0.0] * 20, RISES)
    assert evidence.verdict == "inconclusive" and evidence.p_for == evidence.p_against == 1.0


def test_effect_interval_and_size():
    evidence = judge([3, 1, 2, 5, 4], RISES, seeds=[7, 8, 9, 10, 11])
    assert (evidence.effect, evidence.interval, evidence.level) == (3, (1, 5), 1 - 2 / 32)
    assert evidence.standardised == pytest.approx(3 / np.std([1, 2, 3, 4, 5], ddof=1))
    assert evidence.effects == (3, 1, 2, 5, 4) and evidence.seeds == (7, 8, 9, 10, 11)


@pytest.mark.parametrize("bad", [[], [1, np.nan], [np.inf], [[1, 2]]])
def test_bad_effects_are_refused(bad):
    with pytest.raises(ValueError):
        judge(bad, RISES)


def test_bad_direction_is_refused():
    with pytest.raises(ValueError, match="direction"):
        judge([1, 2], 0)


@pytest.mark.parametrize("draw", [
    lambda rng, shape: rng.standard_normal(shape),
    lambda rng, shape: rng.standard_cauchy(shape),
    lambda rng, shape: rng.exponential(size=shape) - np.log(2),  # skewed, median 0
    lambda rng, shape: rng.integers(-1, 2, shape).astype(float),  # many ties
], ids=["normal", "heavy-tailed", "skewed", "tied"])
@pytest.mark.parametrize("n", [5, 8])
def test_false_verdicts_under_the_null_stay_below_alpha(draw, n):
    verdicts = [judge(effects, RISES).verdict for effects in draw(np.random.default_rng(1), (4000, n))]
    for wrong in ("supported", "contradicted"):
        # Five standard errors above alpha: fails once in millions of seeds where the rate is at most alpha.
        assert verdicts.count(wrong) / 4000 <= 0.05 + 5 * np.sqrt(0.05 * 0.95 / 4000)


def test_interval_covers_the_median_at_its_level():
    effects = np.random.default_rng(2).exponential(size=(4000, 7))
    intervals = [median_interval(row, 0.9) for row in effects]
    level = intervals[0][2]
    covered = np.mean([low <= np.log(2) <= high for low, high, _ in intervals])
    assert level >= 0.9 and covered == pytest.approx(level, abs=5 * np.sqrt(level * (1 - level) / 4000))


def test_trend_is_the_regression_on_ranks():
    doses, values = [0, 0.1, 0.3, 0.7], [1.0, 2.0, 0.5, 4.0]
    assert trend(doses, values) == pytest.approx(stats.linregress([0, 1, 2, 3], values).slope, rel=1e-12)
    assert trend([0.7, 0, 0.3, 0.1], [4.0, 1.0, 0.5, 2.0]) == pytest.approx(trend(doses, values), rel=1e-12)
    with pytest.raises(ValueError):
        trend([1], [1])
