"""Evidence-valid verdicts: exact expectations, closed forms, brute force, and simulations that look
at every seed.
"""

import itertools
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from ddiv.evidence import (
    FALLS,
    METHODS,
    MOST_SEEDS,
    RISES,
    equivalent,
    every,
    judge,
    log_capital,
    rank_correlations,
    some,
    steps,
)
from ddiv.evidence.bounds import lower_bound, upper_bound
from ddiv.evidence.capital import STAKES, sign_log_capital

LOOKS = 50
NULLS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t2": lambda rng, shape: rng.standard_t(2, shape),
    "cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "tied": lambda rng, shape: rng.integers(-1, 2, shape).astype(float),
    "coin": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "rounded": lambda rng, shape: rng.standard_normal(shape).round(),
    "skewed arms": lambda rng, shape: rng.lognormal(0, 1.5, shape) - rng.lognormal(0, 1.5, shape),
}
SKEWED = {  # of median 0, or of a median below 0 with ties at 0
    "exponential": lambda rng, shape: rng.exponential(size=shape) - math.log(2),
    "log-normal": lambda rng, shape: rng.lognormal(0, 1.5, shape) - 1,
    "half ties": lambda rng, shape: rng.choice([0.0, 1.0], shape),
}


def false_verdicts(effects, method, alpha=0.05):
    """Sequences (m, n) that are ever decided, either way, if looked at after every seed."""
    bar = math.log(2 / alpha)
    return ((log_capital(effects, method) >= bar) | (log_capital(-effects, method) >= bar)).any(
        axis=1
    )


def assert_rate_at_most(hits, limit):
    """The binomial bound: fails once in a million where the true rate is at most the limit."""
    p = stats.binomtest(int(np.sum(hits)), len(hits), limit, alternative="greater").pvalue
    assert p > 1e-6, f"{np.mean(hits):.4f} of {len(hits)} against a limit of {limit}"


# The capital.


@pytest.mark.parametrize(
    "wins, seeds", [(0, 1), (1, 1), (0, 7), (4, 7), (7, 7), (31, 50), (50, 50)]
)
def test_sign_capital_is_the_integral_of_its_bets(wins, seeds):
    def at(p):
        return 2 * (2 * p) ** wins * (2 * (1 - p)) ** (seeds - wins)

    integral = integrate.quad(at, 0.5, 1, epsrel=1e-11)[0]
    expected = (integral + (2.0**seeds if wins == seeds else 0)) / 2
    assert math.exp(sign_log_capital(wins, seeds)) == pytest.approx(expected, rel=1e-9)


def test_signed_rank_capital_is_the_product_of_its_bets():
    effects = np.array([2, -1, 2, 0, -3, 2.5, 1, -1, 7])
    shares = [stats.rankdata(np.abs(effects[:t]))[-1] / t for t in range(1, 10)]
    for signed in (effects, np.abs(effects)):
        factors = 1 + np.sign(signed) * np.tanh(np.outer([*STAKES, np.inf], shares))
        capital = np.cumprod(factors, axis=1)
        expected = (capital[:-1].mean(axis=0) + capital[-1]) / 2
        assert np.exp(log_capital(signed, "signed-rank")) == pytest.approx(expected, rel=1e-12)


PATTERNS = np.array(list(itertools.product([-1.0, 1.0], repeat=12)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sizes",
    [
        np.ones(12),
        np.arange(1.0, 13),
        1 / np.arange(1.0, 13),
        np.array([3, 0, 1, 1, 5, 0.2, 5, 3, 9, 0.1, 1, 2]),
    ],
)
def test_no_signs_are_a_fair_game(method, sizes):
    """Over all 2^12 sign patterns of given sizes the capital is 1 on average after every seed (less
    with ties).
    """
    capital = np.exp(log_capital(PATTERNS * sizes, method)).mean(axis=0)
    if method == "sign" and (sizes == 0).any():
        assert (capital <= 1 + 1e-12).all() and capital[-1] < 1
    else:
        assert capital == pytest.approx(np.ones(12), rel=1e-12)


@pytest.mark.parametrize(
    "positive, tied", [(0.5, 0.0), (0.5, 0.5), (0.5, 0.2), (0.3, 0.0), (0.3, 0.6), (0.0, 0.5)]
)
def test_sign_capital_does_not_grow_under_any_null(positive, tied):
    """Exact, over all 3^8 outcomes, where P(effect > 0) <= 1/2; at 1/2 ties cost no more than they
    must.
    """
    outcomes = np.array(list(itertools.product([1.0, 0.0, -1.0], repeat=8)))
    chance = np.array([positive, tied, 1 - positive - tied])
    weights = np.prod(chance[1 - outcomes.astype(int)], axis=1)
    expected = weights @ np.exp(log_capital(outcomes, "sign"))
    assert (expected <= 1 + 1e-12).all() and (
        positive < 0.5 or expected == pytest.approx(np.ones(8))
    )


@pytest.mark.parametrize("method", METHODS)
def test_rows_are_sequences_of_their_own(method):
    rows = np.random.default_rng(0).standard_normal((3, 2, 9))
    assert log_capital(rows, method)[1, 1] == pytest.approx(log_capital(rows[1, 1], method))
    assert log_capital(rows, method)[..., :5] == pytest.approx(log_capital(rows[..., :5], method))


@pytest.mark.parametrize("method", METHODS)
def test_capital_is_a_finite_number_to_the_last_seed(method):
    assert math.isfinite(judge(np.ones(MOST_SEEDS), method=method).e_for)
    assert np.isfinite(log_capital(-np.arange(1.0, MOST_SEEDS + 1), method)).all()
    with pytest.raises(ValueError, match="at most"):
        log_capital(np.ones(MOST_SEEDS + 1), method)


# Errors under the null, and power.


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NULLS)
def test_false_verdicts_at_any_look_are_at_most_alpha(method, name):
    hits = false_verdicts(NULLS[name](np.random.default_rng(1), (3000, LOOKS)), method)
    assert_rate_at_most(hits, 0.05)
    if name == "normal":
        assert hits.mean() > 0.02  # the simulation sees false verdicts at all


@pytest.mark.parametrize("name", SKEWED)
def test_sign_holds_for_any_distribution_of_median_zero(name):
    assert_rate_at_most(
        false_verdicts(SKEWED[name](np.random.default_rng(2), (3000, LOOKS)), "sign"), 0.05
    )


def test_signed_rank_needs_symmetry():
    """Its stated assumption is not decoration: strong skew with median 0, and one-sided ties,
    exceed alpha.
    """
    for name in ("log-normal", "half ties"):
        hits = false_verdicts(SKEWED[name](np.random.default_rng(3), (3000, LOOKS)), "signed-rank")
        assert (
            stats.binomtest(int(hits.sum()), len(hits), 0.05, alternative="greater").pvalue < 1e-6
        )


@pytest.mark.parametrize("method", METHODS)
def test_one_wrong_direction_is_claimed_with_half_of_alpha(method):
    """Where the claim is false outright only one verdict can be wrong."""
    effects = np.random.default_rng(4).standard_normal((3000, LOOKS)) - 0.02
    assert_rate_at_most((log_capital(effects, method) >= math.log(40)).any(axis=1), 0.025)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sizes", [np.ones(7), np.arange(1.0, 8), 1 / np.arange(1.0, 8), 10.0 ** np.arange(7)]
)
@pytest.mark.parametrize("direction", [RISES, FALLS])
def test_six_seeds_that_agree_decide_and_five_cannot(method, sizes, direction):
    result = judge(sizes * direction, direction, method=method)
    assert (result.verdict, result.decided_at) == ("supported", 6)
    assert judge(sizes[:5] * direction, direction, method=method).verdict == "inconclusive"
    assert judge(sizes[:6] * direction, -direction, method=method).verdict == "contradicted"


def test_signed_rank_spends_fewer_seeds_where_effects_are_moderate():
    effects = np.random.default_rng(5).standard_normal((400, 150)) + 0.5
    undecided = {
        method: (np.maximum.accumulate(log_capital(effects, method), axis=1) < math.log(40)).sum(
            axis=1
        )
        for method in METHODS
    }
    assert undecided["signed-rank"].mean() < 0.9 * undecided["sign"].mean() < 0.9 * 90


# Intervals.


def brute_force(effects, threshold, method, side):
    """The closure of the centres never ruled out from one side, by trying every stretch and every
    point of change.
    """
    pairs = np.unique([(a + b) / 2 for a in effects for b in effects])
    pieces = [(low, high, (low + high) / 2) for low, high in itertools.pairwise(pairs)] + [
        (m, m, m) for m in pairs
    ]
    pieces += [(-np.inf, pairs[0], pairs[0] - 1), (pairs[-1], np.inf, pairs[-1] + 1)]
    held = [
        (low, high)
        for low, high, m in pieces
        if (log_capital(side * (effects - m), method) < threshold).all()
    ]
    return min(low for low, _ in held) if side == 1 else max(high for _, high in held)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("threshold", [math.log(4), math.log(40)])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_those_of_brute_force(method, threshold, seed):
    rng = np.random.default_rng(seed)
    # a scan in two stages; ties
    for effects in (rng.standard_normal(29), rng.integers(-4, 5, 14) / 4):
        assert lower_bound(effects, threshold, method) == brute_force(effects, threshold, method, 1)
        assert upper_bound(effects, threshold, method) == brute_force(
            effects, threshold, method, -1
        )


@pytest.mark.parametrize(
    "method, draw, sequences",
    [
        ("sign", lambda rng, shape: rng.exponential(size=shape) / math.log(2) + 2, 400),
        ("signed-rank", lambda rng, shape: rng.standard_t(2, shape) + 3, 200),
    ],
)
def test_intervals_cover_the_centre_at_all_looks(method, draw, sequences):
    """The interval after the last look lies within those of all looks before it, so it is the one
    to fail first.
    """
    missed = []
    for row in draw(np.random.default_rng(6), (sequences, LOOKS)):
        low, high = judge(row, method=method).interval
        missed.append(not low <= 3 <= high)
    assert_rate_at_most(missed, 0.05)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_only_shrink_and_follow_the_verdict(method):
    effects = np.random.default_rng(7).standard_normal(40) + 0.9
    results = [judge(effects[:n], method=method) for n in range(1, 41)]
    lows, highs = zip(*(result.interval for result in results), strict=True)
    assert sorted(lows) == list(lows) and sorted(highs, reverse=True) == list(highs)
    assert results[0].interval == (-math.inf, math.inf) and results[0].level == 0.95
    decided = next(result for result in results if result.decided_at)
    assert decided.n == decided.decided_at
    assert [r.interval[0] > 0 for r in results] == [r.verdict == "supported" for r in results]


# Results.


def test_a_verdict_stays_but_the_capital_may_shrink():
    result = judge([1.0] * 6 + [-2.0] * 60)
    assert (result.verdict, result.decided_at, result.n) == (
        "supported",
        6,
        66,
    ) and result.e_for < 0.01
    # no centre is left: the ends have changed places
    assert result.interval[0] < result.interval[1]


def test_effect_sizes():
    result = judge([3, 1, 2, 5, 4], method="signed-rank")
    assert (result.effect, result.n, result.effects, result.method) == (
        3,
        5,
        (3, 1, 2, 5, 4),
        "signed-rank",
    )
    assert result.standardised == pytest.approx(3 / np.std([1, 2, 3, 4, 5], ddof=1))
    assert result.evalue == 2 * result.e_for
    # The mean of three times 0.1 is not 0.1 in floating point, and their deviation not 0.
    assert judge([0.1] * 3).standardised is None and judge([2.0]).standardised is None
    assert msgspec.json.decode(msgspec.json.encode(judge(range(1, 9))), type=type(result)) == judge(
        range(1, 9)
    )


def test_no_effect_at_all_is_inconclusive():
    for method in METHODS:
        assert judge([0.0] * 50, method=method).verdict == "inconclusive"


EFFECTS = st.lists(st.integers(-40, 40).map(lambda x: x / 8), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(EFFECTS, st.sampled_from(METHODS), st.sampled_from([-1, 1]), st.integers(-20, 20))
def test_direction_and_unit_do_not_matter(effects, method, direction, power):
    result = judge(effects, direction, method=method)
    against = judge(effects, -direction, method=method)
    assert (result.e_for, result.e_against, result.interval) == (
        against.e_against,
        against.e_for,
        against.interval,
    )
    swapped = {
        "supported": "contradicted",
        "contradicted": "supported",
        "inconclusive": "inconclusive",
    }
    assert (swapped[result.verdict], result.decided_at) == (against.verdict, against.decided_at)
    scaled = judge([x * 2.0**power for x in effects], direction, method=method)
    assert (scaled.e_for, scaled.verdict, scaled.decided_at) == (
        result.e_for,
        result.verdict,
        result.decided_at,
    )
    assert scaled.interval == tuple(end * 2.0**power for end in result.interval)


@settings(max_examples=60, deadline=None)
@given(EFFECTS, EFFECTS, st.sampled_from(METHODS))
def test_decisions_are_final(first, more, method):
    before, after = (
        judge(first, method=method, alpha=0.3),
        judge(first + more, method=method, alpha=0.3),
    )
    if before.verdict != "inconclusive":
        assert (after.verdict, after.decided_at) == (before.verdict, before.decided_at)
    elif after.decided_at:
        assert after.decided_at > before.n
    assert before.e_for + before.e_against >= 0 and judge(first, method=method, alpha=0.3) == before


@settings(max_examples=30, deadline=None)
@given(EFFECTS, st.randoms())
def test_the_sign_capital_does_not_depend_on_the_order_of_seeds(effects, random):
    assert judge(random.sample(effects, len(effects))).e_for == judge(effects).e_for


# Several comparisons, and equivalence.


@pytest.mark.parametrize("method", METHODS)
def test_one_comparison_is_a_direction(method):
    effects = np.random.default_rng(8).standard_normal(30) + 0.7
    assert (
        every([effects], method=method)
        == some([effects], method=method)
        == judge(effects, method=method)
    )


def test_every_waits_for_the_weakest_and_some_for_the_strongest():
    seeds = np.arange(1.0, 15)
    weak = np.where(seeds == 1, -0.5, seeds / 10)
    table = np.array([seeds, weak])
    assert (
        every(table).decided_at == judge(weak).decided_at > 6
        and every(table).verdict == "supported"
    )
    assert every(table).e_for == judge(weak).e_for and every(table).effect == np.median(weak)
    assert some(table[:, :7]).verdict == "supported" and some(table[:, :7]).effect == 4
    assert some(table).e_for == pytest.approx((judge(seeds).e_for + judge(weak).e_for) / 2)
    assert (
        every([seeds, -seeds]).verdict == "contradicted" and every([seeds, -seeds]).effect == -7.5
    )
    assert some([seeds, -seeds]).verdict == "supported"
    assert (
        some([seeds, seeds], FALLS).verdict
        == every([seeds, seeds], FALLS).verdict
        == "contradicted"
    )


def simulate(ask, tables):
    verdicts = [ask(table).verdict for table in tables]
    return {
        verdict: np.array([v == verdict for v in verdicts])
        for verdict in ("supported", "contradicted")
    }


def test_false_verdicts_on_several_comparisons_are_bounded():
    rng = np.random.default_rng(9)
    shared = rng.standard_normal((400, 1, 30))
    # no effect, comparisons that depend on each other
    nothing = shared + rng.standard_normal((400, 3, 30))
    one_false = nothing + np.array([3.0, 3, 0])[:, None]
    for ask, tables in ((every, nothing), (some, nothing), (every, one_false), (some, -one_false)):
        verdicts = simulate(ask, tables)
        assert_rate_at_most(verdicts["supported"] | verdicts["contradicted"], 0.05)
    assert (
        simulate(every, nothing + 3)["supported"].all()
        and simulate(some, one_false)["supported"].all()
    )
    assert simulate(every, one_false - [[0], [0], [3]])["contradicted"].all()


@pytest.mark.parametrize("ask, extreme", [(every, min), (some, max)])
def test_interval_of_several_comparisons_covers_their_extreme_centre(ask, extreme):
    # ten ties for the extreme: the hardest case
    centres = np.array([0.0] * 10 + [1.0 if ask is every else -1.0])
    missed = []
    for noise in np.random.default_rng(10).standard_normal((400, 11, 30)):
        low, high = ask(noise + centres[:, None]).interval
        missed.append(not low <= extreme(centres) <= high)
    assert_rate_at_most(missed, 0.05)
    _, high = ask(np.array([np.arange(1.0, 20), np.arange(2.0, 21)])).interval
    assert math.isfinite(high)


def test_equivalence():
    near = np.linspace(-0.4, 0.4, 8)
    result = equivalent(near, 0.5)
    assert (result.verdict, result.decided_at) == ("supported", 6)
    assert result.e_for == every([0.5 + near, 0.5 - near]).e_for == judge(near + 0.5).e_for
    assert (result.effect, result.effects, result.interval) == (
        np.median(near),
        tuple(near),
        judge(near).interval,
    )
    assert equivalent(near + 2, 0.5).verdict == equivalent(near - 2, 0.5).verdict == "contradicted"
    assert equivalent(near, 0.1).verdict == "inconclusive"
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="margin"):
            equivalent(near, bad)


@pytest.mark.parametrize("margin", [0.3, 1.0])
def test_false_verdicts_on_the_edge_of_equivalence_are_at_most_alpha(margin):
    effects = np.random.default_rng(11).standard_normal((600, LOOKS)) + margin
    assert_rate_at_most(
        np.array([equivalent(row, margin).verdict != "inconclusive" for row in effects]), 0.05
    )


@pytest.mark.parametrize("shared", [0.0, 0.9], ids=["independent", "correlated"])
def test_following_the_worst_comparison_keeps_the_level_where_none_goes_wrong(shared):
    """All of nine comparisons without effect: the claim that every one of them rises is on its
    edge.
    """
    rng = np.random.default_rng(12)
    common = rng.standard_normal((600, 1, LOOKS))
    effects = shared * common + (1 - shared**2) ** 0.5 * rng.standard_normal((600, 9, LOOKS))
    assert_rate_at_most(
        np.array([every(rows).verdict == "contradicted" for rows in effects]), 0.025
    )


def test_one_wrong_comparison_of_nine_contradicts_with_the_seventh_seed():
    effects = np.abs(np.random.default_rng(13).standard_normal((9, 7)))
    effects[4] *= -1
    result = every(effects)
    assert (result.verdict, result.decided_at) == ("contradicted", 7) and max(result.effects) < 0
    assert every(effects[:, :6]).verdict == "inconclusive"
    # the eight others rise
    assert every(effects, alpha=0.05, direction=FALLS).verdict == "contradicted"


# Effects and combinations.


def test_steps():
    arms = np.array([[1.0, 5], [2, 4], [4, 8]])
    assert steps(arms).tolist() == [[1, -1], [2, 4]]
    for bad in (lambda: steps(arms[:1]), lambda: steps(arms[0])):
        with pytest.raises(ValueError, match=r"needed|needs"):
            bad()


def test_rank_correlations_are_scipys():
    first, second = np.random.default_rng(12).integers(0, 4, (2, 9, 7))
    expected = [stats.spearmanr(a, b).statistic - 0.2 for a, b in zip(first, second, strict=True)]
    assert rank_correlations(first, second, bar=0.2) == pytest.approx(expected, abs=1e-12)
    # 4 arms, one pair of neighbours in place: 0.2 or 0.8 but for round-off, so against such a bar a
    # tie.
    assert rank_correlations(
        [[1, 2, 3, 4]] * 2, [[2, 4, 1, 3], [1, 2, 4, 3]], bar=0.8
    ).tolist() == [-0.8, 0]
    first = first.astype(float)
    for bad, message in (
        ((first[:, :2], second[:, :2]), "of three or more arms are needed"),
        ((first, second[:8]), "of three or more arms are needed"),
        ((np.where(first > 2, np.nan, first), second), "is not finite"),
        ((np.ones((9, 7)), second), "equal in all arms of a seed"),
        ((first, second, 1.0), "bar is between -1 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            rank_correlations(*bad)


@pytest.mark.parametrize(
    "n, rank, level",
    [(3, 1, 3 / 4), (4, 1, 7 / 8), (5, 1, 15 / 16), (6, 2, 25 / 32), (9, 3, 105 / 128)],
)
def test_the_spread_is_of_order_statistics_at_their_exact_level(n, rank, level):
    """Exact, over all 2^n ways in which effects can lie about the median."""
    values = np.arange(n) + 1.0
    result = judge(values[::-1])
    assert (result.spread, result.spread_level) == ((rank, n + 1 - rank), level)
    above = np.array(list(itertools.product((0, 1), repeat=n))).sum(axis=1)
    assert np.mean((above >= rank) & (n - above >= rank)) == level


def test_the_spread_covers_the_median_at_its_level_and_exists_from_three_seeds_on():
    assert judge([1.0, 2.0]).spread == (-math.inf, math.inf) and judge([1.0]).spread_level == 1
    rng = np.random.default_rng(23)
    results = [judge(row) for row in rng.exponential(size=(2000, 7)) - math.log(2)]
    covered = [low <= 0 <= high for low, high in (result.spread for result in results)]
    test = stats.binomtest(sum(covered), len(covered), results[0].spread_level)
    assert test.pvalue > 1e-6 and results[0].spread_level == 7 / 8
    # Of the effects that are shown, in their own unit and sign; it decides nothing.
    falling = judge([-1.0, -2.0, -3.0, 4.0], FALLS)
    assert falling.spread == (-3, 4) and falling.verdict == "inconclusive"
    assert equivalent([0.1, 0.2, 0.3], 1.0).spread == (0.1, 0.3)
    assert every([[1.0, 2, 3], [9.0, 9, 9]]).spread == (1, 3)


@pytest.mark.parametrize("bad", [[], [1, np.nan], [np.inf], [[1, 2]], [[]]])
@pytest.mark.parametrize("ask", [judge, lambda effects: equivalent(effects, 1.0)])
def test_bad_effects_are_refused(ask, bad):
    with pytest.raises(ValueError, match="effect"):
        ask(bad)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"direction": 0}, "direction"),
        ({"method": "t"}, "method"),
        ({"alpha": 0}, "alpha"),
        ({"alpha": 1}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
    ],
)
def test_bad_options_are_refused(options, match):
    for ask, effects in ((judge, [1.0, 2.0]), (every, [[1.0, 2.0]]), (some, [[1.0, 2.0]])):
        with pytest.raises(ValueError, match=match):
            ask(effects, **options)


def test_comparisons_must_share_their_seeds():
    with pytest.raises(ValueError, match="same seeds"):
        every([[1, 2], [1]])
