"""Experiments: a function of a user's own, its draws, its numbers, its record and its key."""

import random

import numpy as np
import pytest
import torch

from ddiv.common.errors import NoModel, TrialFailed
from ddiv.study import Digits, OwnExperiment, experiment
from ddiv.trial import Experiment, key
from ddiv.trial.experiment import perform
from ddiv.trial.store import Store

CPU = torch.device("cpu")


@experiment(mean="mean of the draws", scaled="mean of the draws, times the factor")
def drawn(draws, factor: float = 1.0):
    mean = draws.numpy("numbers").normal(size=10).mean()
    return {"mean": mean, "scaled": factor * mean}


@experiment(mean="mean of the draws", scaled="nothing")
def drawn_too(draws):
    return {"mean": draws.numpy("numbers").normal(size=10).mean(), "scaled": 0.0}


@experiment(layer="a weight", python="a number", numpy="a number")
def of_the_process(draws):
    return {
        "layer": torch.nn.Linear(2, 1).weight[0, 0],
        "python": random.random(),
        "numpy": np.random.rand(),
    }


@experiment(images="number of images")
def counted(draws):
    return {"images": len(draws.data.inputs)}


@experiment(error="an error")
def wrong(draws, returns: str):
    return {
        "nothing": None,
        "a number": 1.0,
        "another name": {"errors": 1.0},
        "two": {"error": 1.0, "other": 2.0},
        "no number": {"error": "1"},
        "nan": {"error": float("nan")},
    }[returns]


def job(number, seed=0, study="a", data=None) -> Experiment:
    return Experiment(number.experiment, data, seed, study)


def numbers(*given, **further) -> dict:
    return perform(job(*given, **further), CPU).facts["numbers"]


def test_calls_at_one_seed_draw_alike_whatever_their_options():
    one, three = numbers(drawn("mean")), numbers(drawn("mean", factor=3))
    assert one["mean"] == three["mean"] and three["scaled"] == 3 * one["mean"]
    assert numbers(drawn("mean")) == one


def test_seeds_studies_and_functions_share_no_draw():
    ways = [
        numbers(drawn("mean")),
        numbers(drawn("mean"), seed=1),
        numbers(drawn("mean"), study="b"),
        numbers(drawn_too("mean")),
    ]
    assert len({each["mean"] for each in ways}) == 4


def test_draws_of_the_whole_process_are_seeded_and_put_back():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    untouched = random.random(), np.random.rand(), float(torch.rand(()))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    one = numbers(of_the_process("layer"))
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == untouched
    assert numbers(of_the_process("layer")) == one != numbers(of_the_process("layer"), seed=1)


def test_a_record_is_read_as_it_was_written(tmp_path):
    store, made = Store(tmp_path), perform(job(drawn("mean", factor=2)), CPU)
    store.save(made)
    read = store.load(job(drawn("scaled", factor=2.0)))
    assert read.facts["numbers"] == made.facts["numbers"]
    assert read.job == made.job and "seconds" in read.facts["provenance"]


def test_a_key_is_of_source_options_data_seed_and_study_and_not_of_the_number():
    first = job(drawn("mean"))
    same = [job(drawn("scaled")), job(drawn("mean", factor=1))]
    others = [
        job(drawn("mean", factor=2)),
        job(drawn("mean"), seed=1),
        job(drawn("mean"), study="b"),
        job(drawn("mean"), data=Digits(train=10)),
        job(drawn_too("mean")),
    ]
    assert {*map(key, same)} == {key(first)}
    assert len({*map(key, [first, *others])}) == 6


def test_the_data_are_those_of_the_replicate():
    assert numbers(counted("images"), data=Digits(train=30)) == {"images": 30}
    with pytest.raises(TrialFailed, match="has no `data`: give it some"):
        numbers(counted("images"))


@pytest.mark.parametrize(
    "returns, told",
    [
        ("nothing", "returns nothing: return its numbers by name"),
        ("a number", "returns a float: return its numbers by name"),
        ("another name", "returns errors, and its decorator names error"),
        ("two", "returns error, other, .* agree on other"),
        ("no number", "the number error of .* is '1': return a finite number"),
        ("nan", "is nan: return a finite number"),
        ("anything else", r"raised KeyError: .*test_experiment\.py:\d+"),
    ],
)
def test_what_is_no_number_by_its_name_is_told(returns, told):
    with pytest.raises(TrialFailed, match=told):
        numbers(wrong("error", returns=returns))


def test_where_nothing_defines_the_function_that_is_told():
    gone = Experiment(OwnExperiment("gone", "0" * 64, (), ("error",)))
    with pytest.raises(NoModel, match="defines the own experiment 'gone'"):
        perform(gone, CPU)


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda: drawn("median"), "returns no number 'median'; it returns: mean, scaled"),
        (lambda: drawn("mean", facto=2), "the experiment drawn has no option 'facto'; it has: fac"),
        (lambda: drawn("mean", factor=[1]), "option factor of the experiment drawn is neither"),
        (lambda: wrong("error"), "the experiment wrong needs its option returns"),
        (lambda: experiment()(drawn.function), "names its numbers"),
        (lambda: experiment(drawn.function), "names its numbers"),
        (lambda: experiment(x="")(drawn.function), "what the number x of an experiment measures"),
    ],
)
def test_wrong_calls_and_decorators_are_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_an_experiment_takes_draws():
    with pytest.raises(ValueError, match="takes its draws and then its options"):
        experiment(x="a number")(nothing_taken)


def nothing_taken():
    return {"x": 1.0}
