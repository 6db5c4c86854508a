"""Records in which a claim holds, is false, or is undecided: what to turn in each arm, seed by
seed, for a question to be answered so.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product

import numpy as np

from ddiv import outcome as outcomes
from ddiv.claim import (
    Agreement,
    Alike,
    All,
    AsFar,
    Asking,
    Bench,
    Change,
    Compared,
    Contrast,
    Correlation,
    Disagreement,
    Everywhere,
    Exhibited,
    Further,
    Graded,
    Largest,
    Measured,
    Mixing,
    MoreCorrelated,
    NoWorse,
    Opposite,
    Question,
    Resemblance,
    RiseThenFall,
    Separated,
    Slope,
    SomewhereOpposed,
    Threshold,
    TracksBetter,
    Trend,
    TwoStarts,
    data_view,
)
from ddiv.finding import Finding, answer
from ddiv.outcome import Trained
from ddiv.study import Number, Study
from ddiv.treatment import Treatment
from ddiv.trial import Job, performance, trial
from tests.support.claim_cases import Case
from tests.support.planted import OF_PHASES, SPECTRA, Levels, PlantedReader, lever, trained

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
            return {
                **{(arm, "exponent"): 1.0 for arm in question.like},
                **{(arm, "exponent"): -1.0 for arm in question.unlike},
                **{(arm, "exponent"): float(side) for arm in question.group},
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
        case MoreCorrelated():
            (first, up), (second, along) = (
                lever(outcome, study) for outcome in (question.first, question.second)
            )
            way = side * question.direction
            groups = ((question.others, -way), (question.treatments, way))
            return {
                (arm, knob): sign * 0.2 * i
                for arms, by in groups
                for i, arm in enumerate(arms)
                for knob, sign in ((first, up), (second, along * by))
            }
        case Disagreement():
            first, second = (lever(outcome, study) for outcome in question.outcomes())
            # On both draws the outcomes rank arms each the other way round, or each of them goes
            # with the other one's next draw and against its own.
            ways = ((1, -1), (1, -1)) if side > 0 else ((1, -1), (-1, 1))
            return {
                (arm, knob): sign * along * 0.2 * i
                for arms, way in zip((question.treatments, question.again), ways)
                for i, arm in enumerate(arms)
                for (knob, sign), along in zip((first, second), way)
            }
        case Exhibited():
            phases = zip((arm for _, arm in question.ladder), OF_PHASES)
            return {(arm, "order"): by for arm, by in phases} if side > 0 else {}
        case Slope():
            (along, up), (knob, sign) = (
                lever(outcome, study) for outcome in (question.along, question.outcome)
            )
            way = side * question.direction
            return {
                (arm, turned): 0.2 * by * i
                for i, arm in enumerate(question.gradient, 1)
                for turned, by in ((along, up), (knob, sign * way))
            }
        case TwoStarts(compared_in="size"):
            sizes = ((question.fine, 1.5), (question.scratch, 2.0 if side > 0 else 1.0))
            return {
                (arm, knob): by
                for arms, by in sizes
                for arm in arms
                for knob in ("scale", "exponent")
            }
        case TwoStarts():
            return {
                (arm, "exponent"): by
                for arms, by in ((question.fine, way), (question.scratch, side * way))
                for arm in arms
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


# --- questions about one arm: a state is looked for in which they are answered so ----------------

STATES = [
    Levels(spectrum=spectrum, exponent=exponent, truncation=truncation, start=(start, begin))
    for spectrum, exponent, start, begin in product(SPECTRA, (0.0, 15.0), SPECTRA, (0.0, 15.0))
    for truncation in (1.0, -1.0)
    if (exponent == 0 or spectrum == "power law") and (begin == 0 or start == "power law")
]


def bench_of(arm: Trained) -> Bench:
    """A bench on which every arm is this one, which is not compared with anything."""
    return Bench(lambda _: arm.after, lambda outcome, _: np.nan, lambda _: arm.before)


@cache
def state(question: Question, study: Study, side: int) -> Levels:
    """Levels of the question's one arm at which every part is answered as claimed, or one against
    it.
    """
    for levels in STATES:
        bench = bench_of(trained(study, True, levels))
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


# --- questions about experiments -----------------------------------------------------------------


def numbers_of(question: Asking, side: int, size: float) -> dict[Number, float]:
    """What numbers are for a question to be answered as claimed (side 1) or against it (-1)."""
    way = side * size * getattr(question, "direction", 1)
    match question:
        case Measured():
            shown = (number for place in question.plane for number in (place.x, place.y))
            return dict.fromkeys(shown, size) | {question.number: question.bound + way}
        case Compared():
            shifted = way - question.direction * question.margin
            planted = {question.reference: 0.0, question.number: shifted}
            return dict.fromkeys(question.beside, size) | planted
        case Graded():
            return {number: way * rung for rung, (_, number) in enumerate(question.doses)}
        case Everywhere():
            return {number: question.bound + way for _, number in question.doses}
        case All():
            bounds: dict[Number, list[float]] = defaultdict(list)
            for part in question.questions:
                if isinstance(part, Measured):
                    bounds[part.number].append(part.bound)
            if bounds and all(len(ends) == 2 for ends in bounds.values()):  # between two bounds
                return {
                    number: sum(ends) / 2 if side > 0 else max(ends) + size
                    for number, ends in bounds.items()
                }
            found: dict[Number, float] = {}
            for part in question.questions:
                own = numbers_of(part, side, size)
                if isinstance(part, Compared):  # beyond what another part compared with a third
                    base = found.get(part.reference, 0.0)
                    own = {number: base + by for number, by in own.items()}
                found |= own
            return found
    raise TypeError(f"nothing planted for {question!r}")


def performed(question: Question, study: Study, world: str) -> dict[Job, dict[str, float]]:
    """The numbers of the experiments that a question reads, in a world."""
    found: dict[Job, dict[str, float]] = defaultdict(dict)
    conditions = [each for part in question.parts() for each in getattr(part, "provided", ())]
    met = {each.number: each.bound for each in conditions}
    for seed, side in zip(SEEDS, WORLDS[world]):
        beside = {number: met.get(number, 0.0) for number in question.numbers()}
        told = numbers_of(question, side, SIZES[seed]) if beside else {}
        for number, by in (beside | told).items():
            found[performance(study, number.experiment, seed)][number.name] = by
    return found


def of_one_state(question: Question) -> bool:
    return all(isinstance(part, Threshold | Change) for part in question.parts())


def planted(question: Question, study: Study, world: str) -> PlantedReader:
    """The records of a world: at every seed, each arm of a question at its levels.

    Optimisers that are not asked about do what the baseline does.
    """
    if any(True for _ in question.numbers()):
        return PlantedReader(study, {}, performed(question, study, world))
    family = (arm for curve in study.family for arm in curve) if question.has_specific else ()
    arms, levels = [*dict.fromkeys((*question.arms(), *family))], {}
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
                **{data_view(study, arm, seed, i): at for i in range(len(study.embedders))},
            }
    return PlantedReader(study, levels)


def found(case: Case, world: str) -> Finding:
    return answer(case.asked(SEEDS), planted(case.question, case.study, world))


def untrue(cases: Iterable[Case]) -> dict[str, dict]:
    """What is found otherwise than it was planted, as claimed or, where there is such a verdict, as
    specific: planted arms fit as the planted optimisers do.
    """
    wrong = {}
    for case, world in product(cases, WORLDS):
        finding = found(case, world)
        told = {"verdict": finding.evidence.verdict, "withheld": bool(finding.withheld)}
        expected = {"verdict": world, "withheld": False}
        if case.question.has_specific:
            told["specific"] = finding.specific and finding.specific.verdict
            told["unmatched"] = finding.specific_unmatched
            expected |= {"specific": world, "unmatched": ()}
        if told != expected:
            wrong[f"{case}, planted as {world}"] = told
    return wrong


def one_study_each(cases: list[Case]) -> Iterator[Case]:
    """Every claim and variant on one study, each study in turn: between studies only the doses
    planted differ.
    """
    grouped: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        grouped.setdefault((case.claim.id, case.variant), []).append(case)
    for i, group in enumerate(grouped.values()):
        yield group[i % len(group)]
