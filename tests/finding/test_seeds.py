"""Adaptive replication: more seeds only for claims that they can still decide."""

import itertools

import pytest

from ddiv.claim import Claim, Contrast, Largest, Opposite, Trend
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked, Finding, undecided, withheld
from ddiv.outcome import Spectral, Vendi
from ddiv.profiles.choose import profile

PROFILE = profile("smoke")
(STUDY,) = PROFILE.studies
NORM, PIXELS = Spectral("frobenius_norm", "classifier"), Vendi("pixel")
ARM, OTHERS = STUDY.no_op, tuple(map(STUDY.augmentation, STUDY.augmentations[:3]))
CONTRAST = Contrast(NORM, (ARM,), FALLS)


def found(question, effects, alpha=0.05, **more) -> Finding:
    """The finding that these effects, a row a seed, lead to."""
    effects = tuple(tuple(row) if isinstance(row, tuple) else (row,) for row in effects)
    claim, seeds = Claim("an-id", "a statement", "a source", "a family"), tuple(range(len(effects)))
    asked = Asked(claim, STUDY, "", question, seeds, alpha, "claims/test_x.py::test_y")
    return Finding(asked, question.judge(effects, alpha), effects, **more)


def seeds_spent(question, effect_of, first=3, most=7, alpha=0.05) -> int:
    """How many seeds the fixture adds to a claim whose effect at seed i is effect_of(i)."""
    seeds = first
    while undecided(found(question, map(effect_of, range(seeds)), alpha), most):
        seeds += 1
    return seeds


# --- what more seeds can still decide ------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("direction", [RISES, FALLS])
def test_seeds_that_agree_go_on_to_the_sixth_and_stop_there(sign, direction):
    question = Trend(NORM, STUDY.dropout(), direction)
    for seeds in range(1, 6):
        assert undecided(found(question, [sign * 0.1 * (i + 1) for i in range(seeds)]), 7)
    decided = found(question, [sign * 0.1] * 6)
    assert (
        decided.evidence.verdict != "inconclusive"
        and not undecided(decided, 7)
        and not undecided(decided, 50)
    )
    assert seeds_spent(question, lambda seed: sign * 0.1) == 6


def test_seeds_that_disagree_stop_where_the_most_seeds_could_not_decide():
    assert seeds_spent(CONTRAST, [1.0, -1, 1, 1, 1, 1, 1].__getitem__) == 3
    assert seeds_spent(CONTRAST, [1.0, 1, 1, 1, -1, 1, 1].__getitem__) == 5
    # With more seeds at hand one that disagrees is not the end.
    assert seeds_spent(CONTRAST, lambda seed: -1.0 if seed == 1 else 1.0, most=30) > 7


def test_a_claim_stops_where_even_agreement_comes_too_late():
    three = found(CONTRAST, [1.0, 2, 3])
    assert [undecided(three, most) for most in (3, 4, 5, 6, 7)] == [False, False, False, True, True]
    assert not undecided(found(CONTRAST, [1.0] * 5), 5)
    # A smaller alpha asks for more seeds.
    careful = found(CONTRAST, [1.0] * 3, alpha=0.001)
    assert not undecided(careful, 7) and undecided(careful, 12)


def test_no_effect_at_all_stops():
    assert seeds_spent(CONTRAST, lambda seed: 0.0) == 3
    assert undecided(found(CONTRAST, [0.0] * 3), 30)


def test_what_is_withheld_gets_no_more_seeds():
    finding = found(CONTRAST, [1.0] * 4, withheld=True)
    assert withheld(finding.evidence).verdict == "inconclusive" and not undecided(finding, 7)
    assert undecided(found(CONTRAST, [1.0] * 4), 7)


def test_a_claim_of_several_comparisons_goes_on_while_they_can_decide():
    opposite, largest = (
        Opposite(NORM, STUDY.dropout(), STUDY.decay()),
        Largest(PIXELS, OTHERS[0], OTHERS[1:]),
    )
    for row in itertools.product((1.0, -1.0), repeat=2):
        assert seeds_spent(opposite, lambda seed, row=row: row) == 7
    assert seeds_spent(opposite, lambda seed: (1.0, (-1.0) ** seed)) == 3
    # Which of several goes against the claim has to be found out, at the cost of a seed.
    assert seeds_spent(largest, lambda seed: (1.0, 0.5)) == 6
    assert (
        seeds_spent(largest, lambda seed: (1.0, -0.5))
        == seeds_spent(largest, lambda seed: (-1.0, -0.5))
        == 7
    )
    assert seeds_spent(largest, lambda seed: ((-1.0) ** seed, (-1.0) ** seed)) == 3


def test_undecided_means_that_some_further_seeds_would_decide():
    """Against brute force over everything that up to eight seeds can say."""
    for seeds in range(1, 8):
        for past in itertools.product((1.0, 0.0, -1.0), repeat=seeds):
            if past != tuple(sorted(past)):  # for the sign bet all orders are one
                continue
            futures = itertools.product((1.0, -1.0), repeat=8 - seeds)
            expected = found(CONTRAST, past).evidence.verdict == "inconclusive" and any(
                found(CONTRAST, past + future).evidence.verdict != "inconclusive"
                for future in futures
            )
            assert undecided(found(CONTRAST, past), 8) == expected, past


@pytest.mark.parametrize(
    "question",
    [Opposite(NORM, STUDY.dropout(), STUDY.decay()), Largest(PIXELS, OTHERS[0], OTHERS[1:])],
    ids=["opposite", "largest"],
)
def test_undecided_of_two_comparisons_means_the_same(question):
    rows = list(itertools.product((1.0, -1.0), repeat=2))
    seen = set()
    for past in itertools.combinations_with_replacement(rows, 5):
        finding = found(question, past)
        expected = any(
            found(question, past + future).evidence.verdict != "inconclusive"
            for future in itertools.product(rows, repeat=2)
        )
        seen.add(undecided(finding, 7))
        assert undecided(finding, 7) == (expected and finding.evidence.verdict == "inconclusive"), (
            past
        )
    assert seen == {True, False}
