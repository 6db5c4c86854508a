"""Questions about experiments: what they need and answer, and which studies they are put to."""

import pytest

from ddiv.claim import (
    All,
    Bench,
    Claim,
    Compared,
    Condition,
    Contrast,
    Everywhere,
    Graded,
    Measured,
    NotApplicable,
    Panel,
    claim,
    jobs,
)
from ddiv.claim.returned import BadQuestion, checked
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked, answer
from ddiv.outcome import Spectral
from ddiv.study import Digits, Recipe, ResNet18, Study, experiment
from ddiv.trial import performance
from tests.support.planted import PlantedReader
from tests.support.smoke import STUDY

BENCH = Study(name="bench", title="A bench", experiments=("mine",))


@experiment(error="an error", norm="a norm")
def made(draws, dose: float = 0.0):
    return {"error": dose, "norm": 2 * dose}


def bench_of(values) -> Bench:
    return Bench(None, None, of_experiment=lambda number: values[number])


DOSES = tuple((dose, made("error", dose=dose)) for dose in (0.0, 0.1, 0.4))


@pytest.mark.parametrize(
    "question, effects",
    [
        (Measured(made("error"), FALLS, 0.25), (0.75,)),
        (Compared(made("norm"), made("error"), RISES), (1.0,)),
        (Compared(made("norm"), made("error"), RISES, margin=0.5), (1.5,)),
        (Compared(made("norm"), made("error"), FALLS, margin=0.5), (0.5,)),
        (Graded(DOSES, RISES), (1.5,)),
        (Everywhere(DOSES, RISES, 2.0), (-1.0, 0.0, 2.0)),
        (All((Measured(made("error"), FALLS), Measured(made("norm"), RISES))), (-1.0, 2.0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_effects_are_of_one_seeds_numbers(question, effects):
    values = {made("error"): 1.0, made("norm"): 2.0}
    values |= {made("error", dose=0.1): 2.0, made("error", dose=0.4): 4.0}
    assert question.answer(bench_of(values)) == pytest.approx(effects)
    assert checked(question) == question and question.unit and question.method


def test_a_question_needs_one_job_a_call_and_seed():
    question = Compared(made("norm", dose=0.1), made("error", dose=0.1), RISES)
    call = made("error", dose=0.1).experiment
    assert jobs(question, BENCH, (0, 3)) == [performance(BENCH, call, seed) for seed in (0, 3)]
    (job,) = jobs(Measured(made("error"), RISES), STUDY, (2,))
    assert (job.data, job.study) == (STUDY.data_of(2), STUDY.name)


def test_a_study_of_experiments_alone_is_asked_nothing_else():
    @claim("a", "It is so.", source="x")
    def test_a(study):
        return Contrast(Spectral("alpha", "all"), (study.no_op,), RISES)

    @claim("b", "It is so.", source="x", needs="experiments")
    def test_b(study):
        return Measured(made("error"), RISES)

    assert [test.applies(BENCH) for test in (test_a, test_b)] == [False, True]
    assert [test.applies(STUDY) for test in (test_a, test_b)] == [True, False]


# --- conditions and panels ------------------------------------------------------------------------

NORM, ERROR = made("norm"), made("error")


def found(errors):
    """The finding on "the norm is above 0, where the error is at most 1", which it is at norm 1."""
    question = Measured(NORM, RISES, provided=(Condition(ERROR, FALLS, 1.0),))
    asked = Asked(
        claim=Claim("c", "It is so.", "x", "f"),
        study=BENCH,
        variant="",
        question=checked(question),
        seeds=tuple(range(len(errors))),
        alpha=0.05,
        test="claims/test_x.py::test_c",
    )
    numbers = {
        performance(BENCH, NORM.experiment, seed): {"norm": 1.0, "error": error}
        for seed, error in enumerate(errors)
    }
    return answer(asked, PlantedReader(BENCH, {}, numbers))


@pytest.mark.parametrize(
    "errors, verdict, effects, caveats",
    [
        ([1.0] * 8, "supported", [1.0] * 8, ()),
        ([2.0, *[0.5] * 15], "supported", [0.0, *[1.0] * 15], ("at most 1, and 1 of 16", "ties")),
        ([2.0] * 3 + [0.5] * 8, "inconclusive", [0.0] * 3 + [1.0] * 8, ("3 of 11", "nothing")),
        ([2.0] * 8, "inconclusive", [0.0] * 8, ("8 of 8 seeds", "decides nothing here")),
    ],
)
def test_what_lacks_its_condition_decides_nothing(errors, verdict, effects, caveats):
    answered = found(errors)
    assert answered.evidence.verdict == verdict
    assert [effect for (effect,) in answered.effects] == effects
    assert answered.withheld == ("nothing" in "".join(answered.caveats))
    assert all(caveat in "".join(answered.caveats) for caveat in caveats)
    assert bool(answered.caveats) == bool(caveats)


def test_conditions_and_panels_ask_for_their_numbers():
    panel = Panel("dose", (0.1, 0.4), (("made", (DOSES[1][1], DOSES[2][1])),))
    question = Measured(NORM, RISES, provided=(Condition(ERROR, FALLS, 1.0),), shown=panel)
    assert [*question.numbers()] == [NORM, ERROR, DOSES[1][1], DOSES[2][1]]
    assert len(jobs(question, BENCH, (0,))) == 3
    assert checked(question) == question
    with pytest.raises(ValueError, match="has 3 numbers, one a place"):
        Panel("dose", (0.0, 0.1, 0.4), panel.curves)


@pytest.mark.parametrize(
    "fields, told",
    [
        ({}, "lacks `data`: .* one of experiments alone names these in `experiments`"),
        ({"data": Digits(train=10)}, "lacks `backbone`"),
        ({"data": Digits(train=10), "backbone": ResNet18()}, "lacks `recipe`"),
        ({"recipe": Recipe(1, 1, 1.0), "experiments": ("x",)}, "lacks `data`"),
    ],
)
def test_a_study_has_what_it_trains_or_experiments(fields, told):
    with pytest.raises(ValueError, match=told):
        Study(name="half", title="", **fields)


def test_what_is_no_number_is_told():
    with pytest.raises(BadQuestion, match=r"is <the experiment made, of which made\('error'\)"):
        Measured(made, RISES)
    with pytest.raises(BadQuestion, match="a Spectral, expected a number of an experiment"):
        Measured(Spectral("alpha", "all"), RISES)
    with pytest.raises(NotApplicable, match="a slope needs 2 doses or more"):
        Graded(DOSES[:1], RISES)
