"""Adaptive replication: all stored seeds, and more only where they can still tell something."""

import datetime
import itertools
from dataclasses import replace

import msgspec
import pytest

from ddiv.claim import Claim, Contrast, Largest, Opposite, Trend
from ddiv.evidence import FALLS, RISES
from ddiv.finding import SURPRISE_SEEDS, Asked, Finding, replicate, standing, undecided, withheld
from ddiv.finding.ledger import Entry
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


def test_what_is_withheld_gets_the_seeds_that_it_would_get_otherwise():
    """Else its verdict would depend on whether others had trained these seeds before it."""
    for effects in ([1.0] * 4, [1.0] * 6, [1.0, -1.0, 1.0, -1.0]):
        as_ever = found(CONTRAST, effects)
        hidden = replace(as_ever, withheld=True, evidence=withheld(as_ever.evidence))
        assert hidden.judged.verdict == "inconclusive"
        assert undecided(hidden, 7) == undecided(as_ever, 7) == (effects == [1.0] * 4)


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


# --- seeds that are stored, and seeds for surprises -----------------------------------------------

KNOWN = Entry("smoke", "an-id", STUDY.name, "contradicted", datetime.date(2027, 1, 2), "why")


def replicated(effect_of, stored=3, most=7, in_time=lambda: True, guards="", **asked):
    """The finding of a question that falls at seed i where effect_of(i) < 0, of which the first
    `stored` seeds need no training, and the seeds that were trained for it.
    """
    claim = Claim("an-id", "a statement", "a source", "a family", guards)
    alpha = 0.05 / (50 if guards else 1)
    question = Asked(claim, STUDY, "", CONTRAST, (0, 1, 2), alpha, "t", **asked)
    trained = []

    def obtain(asked):
        trained.extend(seed for seed in asked.seeds if seed >= stored and seed not in trained)
        effects = tuple((effect_of(seed),) for seed in asked.seeds)
        return Finding(asked, asked.question.judge(effects, asked.alpha), effects)

    def is_stored(asked):
        return max(asked.seeds) < stored or max(asked.seeds) in trained

    return replicate(question, obtain, most, in_time, is_stored, SURPRISE_SEEDS), trained


@pytest.mark.parametrize("stored, spent", [(0, 6), (3, 6), (7, 7), (20, 7)])
def test_stored_seeds_are_looked_at_beyond_the_bar_up_to_the_most(stored, spent):
    finding, trained = replicated(lambda seed: -1.0, stored)
    assert finding.asked.seeds == tuple(range(spent)) == tuple(range(finding.evidence.n))
    assert (finding.evidence.verdict, finding.evidence.decided_at) == ("supported", 6)
    assert trained == [*range(stored, spent)]


def test_a_stored_seed_is_looked_at_whatever_it_says():
    finding, trained = replicated(lambda seed: 1.0 if seed in (1, 6) else -1.0, stored=7)
    assert finding.evidence.n == 7 and not trained
    finding, _ = replicated(lambda seed: 1.0 if seed == 6 else -1.0, stored=7)
    assert finding.evidence.verdict == "supported" and finding.evidence.effects[-1] == 1
    # A gap ends what is stored: seeds are taken in their order.
    finding, trained = replicated(lambda seed: 0.0, stored=4)
    assert finding.evidence.n == 4 and not trained


def test_seeds_that_others_train_meanwhile_are_looked_at_too():
    there = {0, 1, 2}

    def obtain(asked):
        there.update(asked.seeds)
        if len(asked.seeds) == 5:
            there.update(range(9))
        effects = ((-1.0,),) * len(asked.seeds)
        return Finding(asked, asked.question.judge(effects, asked.alpha), effects)

    asked = found(CONTRAST, [1.0] * 3).asked
    finding = replicate(asked, obtain, 8, stored=lambda asked: max(asked.seeds) in there)
    assert finding.evidence.n == 8 and finding.evidence.decided_at == 6


def test_a_control_looks_at_twelve_stored_seeds():
    assert replicated(lambda seed: 0.0, stored=20, guards="x")[0].evidence.n == 12


@pytest.mark.parametrize(
    "among, spent, stands",
    [(1, 6, "sure"), (8, 9, "sure"), (900, 15, "sure"), (2000, 6, "unexpected")],
)
def test_a_surprise_gets_seeds_one_by_one_until_it_is_sure(among, spent, stands):
    """Among 2000 questions even sixteen that agree are too few, so there is not even a seventh."""
    finding, trained = replicated(lambda seed: 1.0, among=among, ledger=True)
    assert finding.evidence.verdict == "contradicted" and finding.evidence.decided_at == 6
    assert (finding.evidence.n, trained) == (spent, [*range(3, spent)])
    assert standing(finding) == stands


def test_a_surprise_ends_where_it_cannot_be_sure_any_more():
    finding, _ = replicated(lambda seed: 1.0 if seed != 8 else -1.0, among=300, ledger=True)
    assert finding.evidence.n == 9 and standing(finding) == "unexpected"
    # What it has reached it does not lose, as no more seeds are looked at.
    finding, _ = replicated(lambda seed: 1.0 if seed != 10 else -1.0, among=20, ledger=True)
    assert finding.evidence.n == 10 and standing(finding) == "sure"


def test_no_time_no_further_seeds_for_a_surprise():
    finding, trained = replicated(lambda seed: 1.0, 7, 7, lambda: False, among=99, ledger=True)
    assert finding.evidence.n == 7 and not trained and standing(finding) == "unexpected"


@pytest.mark.parametrize(
    "effect, guards, asked",
    [(1.0, "", {}), (-1.0, "", {"ledger": True}), (1.0, "", {"ledger": True, "expected": KNOWN})],
    ids=["no ledger", "supported", "known"],
)
def test_what_is_no_surprise_gets_no_more_seeds(effect, guards, asked):
    finding, _ = replicated(lambda seed: effect, 7, guards=guards, among=99, **asked)
    assert finding.evidence.n == 7 and finding.evidence.verdict != "inconclusive"


def test_a_supported_control_and_an_entry_that_holds_now_are_surprises():
    control, _ = replicated(lambda seed: -1.0, 3, 7, guards="x", among=300)
    assert control.evidence.n == 14 and standing(control) == "sure"
    turned, _ = replicated(lambda seed: -1.0, 3, 7, among=300, expected=KNOWN, ledger=True)
    assert turned.evidence.n == 14 and standing(turned) == "sure"
    assert msgspec.structs.replace(control.asked, among=1).level == 0.05
