"""Questions about experiments: what they need and answer, and which studies they are put to."""

import pytest

from ddiv.claim import (
    All,
    Bench,
    Compared,
    Contrast,
    Everywhere,
    Graded,
    Measured,
    NotApplicable,
    claim,
    jobs,
)
from ddiv.claim.returned import BadQuestion, checked
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral
from ddiv.study import Digits, Recipe, ResNet18, Study, experiment
from ddiv.trial import performance
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
