"""Every claim in claims/ is made to fail: on planted records in which it is false, beside those in which it holds or
nothing happens. A test that could not come out each way would say nothing.
"""

from collections.abc import Hashable
from functools import cache
from itertools import product

import pytest

from ddiv.claim import Contrast, Largest, NotApplicable, Opposite, Question, Resemblance, Trend, depends_on_fit, view
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Finding, Reader, answer
from ddiv.outcome import Score, Spectral, Vendi
from ddiv.store import Store
from ddiv.study import Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import trial
from tests.claim_cases import CASES, DIGITS, PROFILE, WORLD, Case
from tests.planted import Levels, lever, record

SEEDS = tuple(range(8))
# What each seed of a world says of the claim: that it holds (1) or that it is the other way round (-1).
WORLDS = {"supported": (1,) * 8, "contradicted": (-1,) * 8, "inconclusive": (1, -1, -1, 1, -1, 1, 1, -1)}
# Where neither of two ladders has a direction, this is the first one's, seed by seed: all four cases arise.
OTHERWISE = (1, 1, -1, -1) * 2
# No two seeds are the same, as no two replicates are.
SIZES = tuple(1 + 0.05 * seed for seed in SEEDS)


def dose(arm: Treatment) -> float:
    """0 for the baseline, more for a larger dose, most where treatments are combined."""
    return sum(1 + getattr(part, "rate", getattr(part, "value", 0.0)) for part in arm.parts)


def plant(question: Question, study: Study, arm: Treatment, seed: int, world: str) -> Levels:
    """The levels at which an arm shows at this seed what the world says of the question."""
    side, size = WORLDS[world][seed] * question.direction, SIZES[seed]
    if isinstance(question, Resemblance):
        like = arm in question.like or arm in question.group and side > 0
        return Levels() if arm == BASELINE else Levels().turned("exponent" if like else "scale", size)
    knob, sign = lever(question.outcome, study)
    if isinstance(question, Opposite):
        first = OTHERWISE[seed] if world == "inconclusive" else 1
        side = first if arm in [treatment for _, treatment in question.first] else -first * side
    strength = (1 + (arm == question.treatment)) if isinstance(question, Largest) else dose(arm)
    return Levels().turned(knob, sign * side * size * strength)


def same_records(question: Question, study: Study, world: str) -> Hashable:
    """What the records of a question's world depend on: trends and contrasts that turn a knob alike share theirs."""
    if not isinstance(question, Trend | Contrast):
        return question, study, world
    knob, sign = lever(question.outcome, study)
    return study, knob, tuple(sign * question.direction * side for side in WORLDS[world])


@pytest.fixture(scope="module")
def reader_of(tmp_path_factory):
    """A reader for each set of records, so that what questions share is read once."""
    return cache(lambda records: Reader(Store(tmp_path_factory.mktemp("store"))))


def found(case: Case, world: str, reader_of) -> Finding:
    question, study = case.question, case.study
    diversity = any(isinstance(outcome, Vendi) for outcome in question.outcomes())
    reader = reader_of(same_records(question, study, world))
    for arm, seed in product(dict.fromkeys(question.arms()), SEEDS):
        job = view(study, arm, PROFILE.embedder, seed) if diversity else trial(study, arm, seed)
        reader.add({job: record(job, study, plant(question, study, arm, seed, world))})
    return answer(case.asked(SEEDS), reader)


def applies(case: Case) -> bool:
    try:
        return bool(case.asked(SEEDS).jobs())
    except NotApplicable:
        return False


APPLICABLE = [case for case in CASES if applies(case)]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", APPLICABLE, ids=str)
def test_every_claim_comes_out_as_its_records_say(case, world, reader_of):
    finding = found(case, world, reader_of)
    assert finding.evidence.verdict == world and not finding.withheld
    if depends_on_fit(case.question):
        assert finding.matched.verdict == world and finding.matched_seeds == SEEDS


def test_claims_are_left_out_only_where_a_study_has_no_domains():
    left_out = [case for case in CASES if case not in APPLICABLE]
    assert left_out and all(case.study is DIGITS and case.question.outcome.where == "ood" for case in left_out)
    assert {case.claim.id for case in CASES} == {case.claim.id for case in APPLICABLE}


def test_every_family_of_claims_has_a_control_that_guards_it():
    families = {case.claim.family for case in CASES if not case.claim.control} - {"controls"}
    assert families == {case.claim.guards for case in CASES if case.claim.control}


@pytest.mark.parametrize("outcome, expected", [
    (Spectral("alpha", "classifier"), ("exponent", RISES)),
    (Spectral("frobenius_norm", "encoder"), ("scale", RISES)),
    (Spectral("spectral_norm", "classifier"), ("scale", RISES)),
    (Spectral("entropy_raw", "encoder"), ("scale", FALLS)),
    (Spectral("entropy_normalised", "encoder"), ("exponent", RISES)),
    (Score("ece", "ood"), ("confidence", RISES)),
    (Score("accuracy", "ood"), ("accuracy", RISES)),
    (Vendi("pixel"), ("diversity", RISES))], ids=lambda value: getattr(value, "label", ""))
def test_knobs_move_outcomes_as_theory_says(outcome, expected):
    """Eigenvalues above 1 / e: the raw entropy falls with their scale. Less heavy a tail: more entropy."""
    assert lever(outcome, WORLD) == expected
