"""What questions and reports ask of the evidence: opposed directions, claims over studies, slopes
over doses.

The e-processes themselves are tested in `test_eprocess.py`.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ddiv.evidence import FALLS, RISES, average, judge, opposed, over_studies, trend

SIZES = np.array([1.0, 3, 0.5, 2, 8, 0.1, 4, 1])


# --- opposed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first, second, verdict",
    [(1, -1, "supported"), (-1, 1, "supported"), (1, 1, "contradicted"), (-1, -1, "contradicted")],
)
def test_opposed_is_about_two_signs_and_not_about_which_is_which(first, second, verdict):
    # The capital is shared by two orientations, so it is a seed later than one direction, which
    # falls at the sixth.
    result = opposed(first * SIZES[:7], second * SIZES[:7][::-1])
    assert (result.verdict, result.decided_at, result.n) == (verdict, 7, 7)
    assert opposed(first * SIZES[:6], second * SIZES[:6]).verdict == "inconclusive"
    assert opposed(second * SIZES[:7][::-1], first * SIZES[:7]) == result
    strong = (result.e_for, result.e_against)[verdict == "contradicted"]
    assert strong == pytest.approx(20) and result.e_for + result.e_against - strong < 0.05


def test_opposed_needs_a_direction_of_both():
    clear, none = SIZES, SIZES * [1, -1, -1, 1, -1, 1, 1, -1]
    for first, second in ((clear, none), (none, -clear), (none, none), (none, -none)):
        assert opposed(first, second).verdict == "inconclusive"
    # The products of the last pair are all negative: two effects that differ in sign at every seed,
    # and have none.
    assert (
        opposed(none, -none).effect > 0
        and opposed([0.0] * 30, [1.0] * 30).verdict == "inconclusive"
    )


def test_opposed_effects_are_signed_roots_of_products():
    result = opposed([4.0, -9, 1, 0], [-1.0, 4, 4, 5])
    assert result.effects == pytest.approx((2, 6, -2, 0)) and result.effect == pytest.approx(1)
    assert (result.n, result.decided_at, result.level) == (4, None, 0.95)
    # In the unit of the effects: both ten times as large, the root ten times as large.
    assert opposed([40.0, -90, 10, 0], [-10.0, 40, 40, 50]).effect == pytest.approx(10)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_capital_of_opposed_is_fair_where_neither_has_a_direction(n):
    """Exact, over all 4^n pairs of sign patterns, by their numbers of positive signs: each half is
    worth no more on average than at the start.
    """
    coin = stats.binom(n, 0.5).pmf(range(n + 1))
    rows = [np.repeat([1.0, -1.0], [wins, n - wins]) for wins in range(n + 1)]
    results = [[opposed(first, second) for second in rows] for first in rows]
    for half in ("e_for", "e_against"):
        worth = np.array([[getattr(result, half) for result in row] for row in results])
        assert 0 < coin @ worth @ coin <= 0.5 + 1e-12


def test_the_capital_of_opposed_does_not_depend_on_the_order_of_seeds():
    first, second = np.array([1.0, 1, -1, 1]), np.array([-1.0, 1, -1, -1])
    expected = opposed(first, second)
    for one, two in itertools.product(
        itertools.permutations(first), itertools.permutations(second)
    ):
        result = opposed(one, two)
        assert (result.e_for, result.e_against) == (expected.e_for, expected.e_against)


@pytest.mark.parametrize("n", range(1, 9))
def test_opposed_does_not_gain_from_one_that_has_a_direction(n):
    """Exact, over all 2^n patterns of the second, a fair coin; the first always rises."""
    results = [opposed(np.ones(n), row) for row in itertools.product((1.0, -1.0), repeat=n)]
    assert np.mean([result.e_for for result in results]) <= 0.5 + 1e-12
    assert np.mean([result.e_against for result in results]) <= 0.5 + 1e-12
    # No more than one of 2^n patterns decides each way, and from the seventh seed on one does.
    verdicts = [result.verdict for result in results]
    assert (
        verdicts.count("supported")
        == verdicts.count("contradicted")
        == (0 if n < 7 else 2 ** (n - 7))
    )


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.9])
def test_false_verdicts_of_opposed_at_any_look_are_at_most_alpha(rate):
    """Two effects without a direction that depend on each other, and one with and one without."""
    rng = np.random.default_rng(20)
    first = rng.standard_normal((300, 40))
    second = rate * first + math.sqrt(1 - rate**2) * rng.standard_normal((300, 40))
    for pair in ((first, second), (first + 3, second)):
        wrong = sum(opposed(*rows).decided_at is not None for rows in zip(*pair))
        assert stats.binomtest(wrong, 300, 0.05, alternative="greater").pvalue > 1e-6


@pytest.mark.parametrize(
    "first, second, match",
    [
        ([], [], "at least one seed"),
        ([1, 2], [1], "same seeds"),
        ([1, np.nan], [1, 2], "finite"),
        ([[1]], [[2]], "effect"),
    ],
)
def test_bad_pairs_are_refused(first, second, match):
    with pytest.raises(ValueError, match=match):
        opposed(first, second)
    with pytest.raises(ValueError, match="alpha"):
        opposed([1.0], [2.0], alpha=1.5)


# --- over studies ---------------------------------------------------------------------------------

YES, NO, OPEN = judge([1.0] * 8), judge([-1.0] * 8), judge([1.0, -1.0] * 4)


def test_a_claim_over_studies_is_supported_where_every_study_supports_it():
    longer = judge([1.0] * 9)
    assert over_studies([YES, longer]) == (
        "supported",
        YES.e_for,
        average([YES.e_against, longer.e_against]),
    )
    assert (
        over_studies([YES, OPEN])[0] == "inconclusive"
        and over_studies([YES, OPEN])[1] == OPEN.e_for
    )
    assert over_studies([OPEN])[0] == "inconclusive"


def test_a_claim_over_studies_is_contradicted_by_one_that_outweighs_the_rest():
    assert over_studies([NO])[0] == "contradicted"
    verdict, e_for, e_against = over_studies([YES, NO])
    assert (verdict, e_for, e_against) == (
        "contradicted",
        NO.e_for,
        (YES.e_against + NO.e_against) / 2,
    )
    # The capital against it is shared: one study among many has to be clearer.
    assert over_studies([NO, *[OPEN] * 4])[0] == "inconclusive"
    assert over_studies([judge([-1.0] * 12), *[OPEN] * 4])[0] == "contradicted"


def test_a_claim_over_one_study_has_the_verdict_of_that_study():
    alike = opposed([1.0] * 7, [2.0] * 7)  # reaches the bar exactly, but for rounding
    for one in (YES, NO, OPEN, alike, judge([1.0] * 6), judge([-1.0] * 6)):
        assert over_studies([one])[0] == one.verdict


def test_what_is_said_to_be_so_somewhere_needs_one_study():
    assert over_studies([YES, NO, NO, NO, NO], somewhere=True)[0] == "inconclusive"
    assert over_studies([judge([1.0] * 12), *[OPEN] * 4, NO], somewhere=True)[0] == "supported"
    verdict, e_for, e_against = over_studies([NO, NO], somewhere=True)
    assert (verdict, e_for, e_against) == ("contradicted", NO.e_for, NO.e_against)


def test_a_verdict_over_studies_keeps_alpha():
    """No effect in any of three studies, 20 seeds each, whose noise is partly the same."""
    rng, wrong = np.random.default_rng(21), 0
    for _ in range(400):
        effects = rng.standard_normal((1, 20)) + rng.standard_normal((3, 20))
        wrong += over_studies([judge(row) for row in effects])[0] != "inconclusive"
    assert stats.binomtest(wrong, 400, 0.05, alternative="greater").pvalue > 1e-6


def test_no_studies_are_refused():
    with pytest.raises(ValueError, match="no study"):
        over_studies([])


# --- directions and slopes ------------------------------------------------------------------------


def test_directions_are_one_up_and_minus_one_down():
    assert (RISES, FALLS) == (1, -1)
    assert judge([2.0] * 6, RISES).verdict == judge([-2.0] * 6, FALLS).verdict == "supported"
    with pytest.raises(ValueError, match="RISES or FALLS"):
        judge([1.0, 2.0], 0)


def test_trend_is_the_regression_on_ranks():
    doses, values = [0, 0.1, 0.3, 0.7], [1.0, 2.0, 0.5, 4.0]
    assert trend(doses, values) == pytest.approx(
        stats.linregress([0, 1, 2, 3], values).slope, rel=1e-12
    )
    assert trend([0.7, 0, 0.3, 0.1], [4.0, 1.0, 0.5, 2.0]) == pytest.approx(
        trend(doses, values), rel=1e-12
    )
    assert trend([0, 1], [5.0, 3.5]) == -1.5


@pytest.mark.parametrize("doses, values", [([1], [1]), ([], []), ([1, 2, 3], [1, 2])])
def test_a_trend_needs_two_doses_with_a_value_each(doses, values):
    with pytest.raises(ValueError, match="two or more doses"):
        trend(doses, values)
