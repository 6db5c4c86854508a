"""The exact sign test on a fixed sample, for every kind of comparison."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ddiv.evidence import alike, decided_exactly, every, judge, opposed, peaked, somewhere_opposed


def both(test, *given, **more):
    return decided_exactly(test(*given, **more), test(*given, **more, method="exact"))


@pytest.mark.parametrize("wins, n", [(10, 10), (9, 10), (8, 10), (5, 10), (1, 10), (6, 6), (5, 5)])
def test_p_is_that_of_scipys_two_sided_binomial_test(wins, n):
    found = both(judge, [1.0] * wins + [-1.0] * (n - wins))
    assert found.p == pytest.approx(binomtest(wins, n).pvalue)
    decided = found.p <= 0.05
    assert (found.verdict != "inconclusive") == decided
    assert found.decided_at == (n if decided else None)
    if decided:
        assert found.verdict == ("supported" if wins > n / 2 else "contradicted")
        assert np.prod(np.sign(found.interval)) > 0


def test_ties_are_in_neither_direction():
    found = both(judge, [1.0] * 9 + [0.0])
    assert found.p == pytest.approx(binomtest(9, 10).pvalue)
    assert both(judge, [0.0] * 10).p == 1.0


def test_the_order_of_replicates_does_not_matter():
    rng = np.random.default_rng(0)
    effects = rng.normal(0.5, 1, 12)
    first = both(judge, effects)
    for _ in range(5):
        again = both(judge, rng.permutation(effects))
        assert (again.verdict, again.p, again.interval) == (first.verdict, first.p, first.interval)


def test_all_of_several_must_hold_and_any_may_contradict_at_its_share_of_alpha():
    up, mixed, down = [1.0] * 8, [1.0] * 5 + [-1.0] * 3, [-1.0] * 8
    assert both(every, [up, up]).verdict == "supported"
    assert both(every, [up, mixed]).verdict == "inconclusive"
    assert both(every, [up, down]).verdict == "contradicted"
    six = [-1.0] * 6
    assert both(every, [six]).verdict == "contradicted"
    assert both(every, [[1.0] * 6, six]).verdict == "inconclusive"  # 2 x 2 / 64 is above .05


def test_patterns():
    up, down = [1.0] * 8, [-1.0] * 8
    half = [1.0] * 4 + [-1.0] * 4
    assert both(opposed, up, down).verdict == both(opposed, down, up).verdict == "supported"
    assert both(opposed, up, up).verdict == "contradicted"
    assert both(opposed, up, half).verdict == "inconclusive"
    assert both(alike, up, up).verdict == "supported"
    assert both(somewhere_opposed, [up, up], [up, down]).verdict == "supported"
    assert both(somewhere_opposed, [up, up], [up, up]).verdict == "contradicted"
    peak = np.array([[0.0] * 8, [1.0] * 8, [0.5] * 8])
    assert both(peaked, peak).verdict == "supported"
    assert both(peaked, -peak).verdict == "contradicted"


def test_under_the_null_it_errs_at_most_at_alpha():
    rng = np.random.default_rng(1)
    signs = rng.choice([-1.0, 1.0], (3000, 2, 10))
    one = np.mean([judge(row[0], method="exact").verdict != "inconclusive" for row in signs])
    two = np.mean([every(row, method="exact").verdict == "contradicted" for row in signs])
    assert one <= 0.05 and two <= 0.05


def test_capitals_stay_those_of_bets():
    effects = [1.0] * 7 + [-1.0]
    found = both(judge, effects)
    assert (found.e_for, found.e_against) == (judge(effects).e_for, judge(effects).e_against)
    assert found.method == "exact" and judge(effects).p is None
