"""Every claim in claims/ is made to fail: on planted records in which it is false, beside those in
which it holds or nothing happens. A test that could not come out each way would say nothing.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pytest

from ddiv import outcome as outcomes
from ddiv.claim import (
    Agreement,
    Alike,
    All,
    AsFar,
    Asking,
    Bench,
    Change,
    Contrast,
    Correlation,
    Further,
    Largest,
    Mixing,
    NoWorse,
    Opposite,
    Question,
    Resemblance,
    RiseThenFall,
    Separated,
    SomewhereOpposed,
    Threshold,
    TracksBetter,
    Trend,
    view,
)
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Finding, answer
from ddiv.outcome import Score, Spectral, Vendi
from ddiv.span import Outside
from ddiv.study import Study
from ddiv.treatment import Treatment
from ddiv.trial import trial
from tests.claim_cases import APPLICABLE, CASES, DIGITS, WORLD, Case
from tests.planted import SPECTRA, Levels, PlantedReader, lever, trained

SEEDS = tuple(range(8))
# What each seed of a world says of the claim: that it holds (1) or that it is the other way round
# (-1).
WORLDS = {
    "supported": (1,) * 8,
    "contradicted": (-1,) * 8,
    "inconclusive": (1, -1, -1, 1, -1, 1, 1, -1),
}
# Where neither of two groups has a direction, this is the first one's, seed by seed: all four cases
# arise.
OTHERWISE = (1, 1, -1, -1) * 2
# No two seeds are the same, as no two replicates are.
SIZES = tuple(1 + 0.05 * seed for seed in SEEDS)

# How far an arm's knob is turned.
Turns = dict[tuple[Treatment, str], float]


def turns(question: Asking, study: Study, side: int, way: int) -> Turns:
    """What to turn for a question to be answered as claimed (side 1) or against it (-1); `way`:
    where either way will do.
    """
    match question:
        case Trend():
            knob, sign = lever(question.outcome, study)
            rungs = side * question.direction * np.linspace(-1, 1, len(question.ladder))
            return {(arm, knob): sign * float(by) for (_, arm), by in zip(question.ladder, rungs)}
        case Contrast() | NoWorse():
            return {
                (arm, knob): sign * side * question.direction
                for knob, sign in [lever(question.outcome, study)]
                for arm in question.treatments
            }
        case Further():
            knob, _ = lever(question.outcome, study)
            rest = {(arm, knob): way * (1.0 if side > 0 else 2.0) for arm in question.others}
            return rest | {(arm, knob): way * (2.0 if side > 0 else 1.0) for arm in question.group}
        case All():
            return several(question, study, side, way)
        case Opposite():
            first, second = (
                [arm for _, arm in ladder[1:]] for ladder in (question.first, question.second)
            )
            return pair(question, study, first, second, way, -side * way)
        case Alike():
            return pair(question, study, question.first, question.second, way, side * way)
        case SomewhereOpposed():
            return pair(question, study, question.first, question.second, way, -side * way)
        case Resemblance():
            like, unlike = ("exponent", "scale") if side > 0 else ("scale", "exponent")
            return {
                **{(arm, "exponent"): 1.0 for arm in question.like},
                **{(arm, "scale"): 1.0 for arm in question.unlike},
                **{(arm, "exponent" if side > 0 else "scale"): 1.0 for arm in question.group},
            }
        case Agreement():
            return {
                (arm, knob): by
                for knob in ("exponent", "scale")
                for arms, by in ((question.group, way), (question.like, side * way))
                for arm in arms
            }
        case AsFar():
            family = {
                (arm, "exponent"): 0.5 + i / len(question.family)
                for i, arm in enumerate(question.family)
            }
            return family | {(arm, "exponent"): 0.8 if side > 0 else 2.0 for arm in question.group}
        case Largest():
            knob, sign = lever(question.outcome, study)
            return {
                (arm, knob): sign * side * question.direction * (1 + (arm == question.treatment))
                for arm in (question.treatment, *question.others)
            }
        case RiseThenFall():
            knob, sign = lever(question.outcome, study)
            rungs, top = len(question.ladder), len(question.ladder) // 2
            heights = [2 / rungs * (top - abs(i - top) if side > 0 else i) for i in range(rungs)]
            return {(arm, knob): sign * by for (_, arm), by in zip(question.ladder, heights)}
        case Correlation():
            (first, up), (second, along) = (
                lever(outcome, study) for outcome in (question.first, question.second)
            )
            way = side * question.direction
            return {
                (arm, knob): sign * 0.2 * i
                for i, arm in enumerate(question.treatments)
                for knob, sign in ((first, up), (second, along * way))
            }
        case TracksBetter():
            levers = [lever(outcome, study) for outcome in question.outcomes()]
            # The weighted score is the plain one times alignment, so this has to move more.
            return {
                (arm, knob): sign * along * i
                for i, arm in enumerate(question.treatments)
                for (knob, sign), along in zip(levers, (0.3 * side, -0.1 * side, 0.1))
            }
        case Separated():
            knob, sign = lever(question.outcome, study)
            if side > 0:
                return {(arm, knob): float(sign * way) for arm in question.first}
            return {
                (arm, knob): float((-1) ** i)
                for group in (question.first, question.second)
                for i, arm in enumerate(group)
            }
        case Mixing():
            knob, sign = lever(question.outcome, study)
            return {
                (arm, knob): sign
                * (-side * 2 * max(0, share - question.half) if side > 0 else share)
                for share, arm in question.ladder
            }
    raise TypeError(f"nothing planted for {question!r}")


def pair(question: Asking, study: Study, first, second, one: int, other: int) -> Turns:
    """Two groups turned each its way on every knob that moves one of the question's outcomes."""
    levers = dict(lever(outcome, study) for outcome in question.outcomes())
    return {
        (arm, knob): sign * by
        for knob, sign in levers.items()
        for arms, by in ((first, one), (second, other))
        for arm in arms
    }


def several(question: All, study: Study, side: int, way: int) -> Turns:
    """Each part's turns; an arm that is compared with one of another part is turned beyond it."""
    found: Turns = {}
    for part in question.questions:
        for (arm, knob), by in turns(part, study, side, way).items():
            base = found.get((part.base, knob), 0.0) if isinstance(part, Contrast) else 0.0
            found[arm, knob] = base + by
    return found


# --- questions about one arm: a state is looked for in which they are answered so --------------------

STATES = [
    Levels(spectrum=spectrum, exponent=exponent, truncation=truncation, start=(start, begin))
    for spectrum, exponent, start, begin in product(SPECTRA, (0.0, 15.0), SPECTRA, (0.0, 15.0))
    for truncation in (1.0, -1.0)
    if (exponent == 0 or spectrum == "power law") and (begin == 0 or start == "power law")
]


@cache
def state(question: Question, study: Study, side: int) -> Levels:
    """Levels of the question's one arm at which every part is answered as claimed, or one against
    it.
    """
    for levels in STATES:
        read = trained(study, True, levels)
        bench = Bench(
            lambda arm: read.after,
            lambda arm: read.after,
            lambda outcome, arm: np.nan,
            lambda arm: read.before,
        )
        effects = question.answer(bench)
        told = all(
            outcomes.reliability(outcome, *compared) > 0.5
            for part in question.parts()
            for outcome in part.outcomes()
            for compared in part.compared(bench)
        )
        worst = min(by * (1 if isinstance(question, All) else question.direction) for by in effects)
        if told and side * worst > 0:
            return levels
    raise LookupError(
        f"no planted state answers {question!r} {'as' if side > 0 else 'otherwise than'} claimed"
    )


def of_one_state(question: Question) -> bool:
    return all(isinstance(part, Threshold | Change) for part in question.parts())


def planted(question: Question, study: Study, world: str) -> PlantedReader:
    """The records of a world: at every seed, each arm of a question at its levels."""
    arms, levels = [*dict.fromkeys(question.arms())], {}
    for seed, side in zip(SEEDS, WORLDS[world]):
        if of_one_state(question):
            turned = dict.fromkeys(arms, state(question, study, side))
        else:
            turned = dict.fromkeys(arms, Levels())
            way = OTHERWISE[seed] if world == "inconclusive" else 1
            for (arm, knob), by in turns(question, study, side, way).items():
                turned[arm] = turned[arm].turned(knob, SIZES[seed] * by)
        for arm, at in turned.items():
            levels |= {
                trial(study, arm, seed): at,
                **{view(study, arm, seed, i): at for i in range(len(study.embedders))},
            }
    return PlantedReader(study, levels)


def found(case: Case, world: str) -> Finding:
    return answer(case.asked(SEEDS), planted(case.question, case.study, world))


def one_study_each(cases: list[Case]) -> Iterator[Case]:
    """Every claim and variant on one study, each study in turn: between studies only the doses
    planted differ.
    """
    grouped: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        grouped.setdefault((case.claim.id, case.variant), []).append(case)
    for i, group in enumerate(grouped.values()):
        yield group[i % len(group)]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", list(one_study_each(APPLICABLE)), ids=str)
def test_every_claim_comes_out_as_its_records_say(case, world):
    finding = found(case, world)
    assert finding.evidence.verdict == world and not finding.withheld
    if case.question.fit_matters:
        assert finding.matched.verdict == world and finding.matched_seeds == SEEDS


def test_claims_are_left_out_only_where_a_study_has_no_domains_or_no_pixels():
    left_out = [case for case in CASES if case not in APPLICABLE]
    assert DIGITS in [case.study for case in left_out]
    for case in left_out:
        asked = [
            (getattr(outcome, "where", ""), getattr(outcome, "space", ""))
            for outcome in case.question.outcomes()
        ]
        assert any(
            where == "ood"
            and not case.study.ood_domains
            or space == "pixel"
            and "pixel" not in case.study.spaces
            for where, space in asked
        )
    assert {case.claim.id for case in CASES} == {case.claim.id for case in APPLICABLE}


def test_every_family_of_claims_has_a_control_that_guards_it():
    families = {case.claim.family for case in CASES if not case.claim.control} - {"controls"}
    assert families == {case.claim.guards for case in CASES if case.claim.control}


def test_no_two_tests_of_a_claim_on_a_study_share_a_name():
    """A name is what the ledger knows a finding by."""
    named = Counter(
        (case.claim.id, case.study.name, case.study.backbone, case.variant) for case in CASES
    )
    assert [name for name, count in named.items() if count > 1] == []


@pytest.mark.parametrize(
    "outcome, expected",
    [
        (Spectral("alpha", "classifier"), ("exponent", RISES)),
        (Spectral("frobenius_norm", "encoder"), ("scale", RISES)),
        (Spectral("spectral_norm", "classifier"), ("scale", RISES)),
        (Spectral("entropy_raw", "encoder"), ("scale", FALLS)),
        (Spectral("entropy_normalised", "encoder"), ("exponent", RISES)),
        (Spectral("stable_rank", "classifier"), ("exponent", RISES)),
        (Spectral("num_pl_spikes", "classifier"), ("tail", RISES)),
        (Score("ece", "ood"), ("confidence", RISES)),
        (Score("accuracy", "ood"), ("accuracy", RISES)),
        (Outside("pixel"), ("outside_pixel", RISES)),
        (Vendi("pixel"), ("pixel", RISES)),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_knobs_move_outcomes_as_theory_says(outcome, expected):
    """Eigenvalues above 1 / e: the raw entropy falls with their scale.

    Less heavy a tail: more entropy.
    """
    assert lever(outcome, WORLD) == expected
