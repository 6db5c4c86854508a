"""A user's own outcomes of a network in training: guests that leave all as it was."""

import copy
import random

import msgspec
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ddiv.common.errors import TrialFailed
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.outcome import of_network
from ddiv.treatment import BASELINE
from ddiv.trial import trial
from ddiv.trial.inputs import Examples, tensor
from ddiv.trial.own_outcomes import OwnOutcomes
from ddiv.trial.train import train
from ddiv.trial.training_set import training_set
from tests.support.smoke import STUDY

CPU = torch.device("cpu")


@of_network()
def told(trained, what: str):
    """What a careless function returns."""
    returned = {
        "nan": float("nan"),
        "infinite": torch.tensor(torch.inf),
        "nothing": None,
        "text": "0.3",
        "truth": True,
        "two": torch.ones(2),
        "complex": 1j,
        "numpy": np.float32(0.5),
        "tensor": torch.tensor(0.5, requires_grad=True),
        "whole": 1,
    }
    return returned[what]


@of_network()
def careless(trained, what: str):
    """What a careless function does."""
    network = trained.network
    match what:
        case "steps":
            with torch.no_grad():
                for weight in network.parameters():
                    weight += 0.1
                    weight -= 0.1
        case "behind torch's back":
            next(network.parameters()).data.mul_(2)
        case "trains":
            network.train()
            network(trained.inputs)
        case "replaces":
            network.head.weight = torch.nn.Parameter(network.head.weight.detach())
        case "freezes":
            network.head.weight.requires_grad_(False)
        case "inputs":
            trained.inputs[0] = 0
        case "inputs as numpy has them":
            trained.inputs.numpy()[0] = 0
        case "torch":
            torch.rand(1)
        case "numpy":
            np.random.rand()
        case "random":
            random.random()
        case "raises":
            raise RuntimeError("no gradient\nhere")
        case "own draws":
            return torch.rand((), generator=trained.draws)
        case "gradients":
            F.cross_entropy(network(trained.inputs), trained.labels).backward()
        case "a copy":
            copied = copy.deepcopy(network).train()
            torch.optim.SGD(copied.parameters(), lr=1.0).step()
        case "in parts":
            losses = [len(labels) for _, labels in trained.batches(50)]
            return losses == [50, 50, 20] and 3 + sum(
                len(y) for _, y in trained.batches(7, "digits")
            )
    return 1.0


def own(outcome, treatment=BASELINE) -> OwnOutcomes:
    """The outcome of a network of the smoke study's as it starts."""
    spec = trial(msgspec.structs.replace(STUDY, outcomes=(outcome,)), treatment, 0)
    data = load(spec.data)
    network, sites = build(spec.backbone, data.classes)
    for part in treatment.acting:
        part.network(network, sites)
    examples = Examples.of(training_set(data, spec.treatment, spec.draws, None), spec.backbone, CPU)
    tests = {name: tensor(inputs, spec.backbone) for name, (inputs, _) in data.tests.items()}
    return OwnOutcomes.of(spec, network, examples, tests, data)


@pytest.mark.parametrize(
    "what, words",
    [
        ("nan", "is nan: return a finite number"),
        ("infinite", "is inf: return a finite number"),
        ("nothing", "is no number but nothing: return one number"),
        ("text", "is no number but str: return one number"),
        ("truth", "is no number but bool"),
        ("two", r"is no number but Tensor of shape \(2,\)"),
        ("complex", "is no number but complex"),
    ],
)
def test_what_is_no_finite_number_fails_the_trial_in_one_line(what, words):
    with pytest.raises(TrialFailed, match=rf"^the outcome told\(what='{what}'\) {words}") as failed:
        own(told(what=what)).measured(1.0)
    assert str(failed.value).endswith("(of the trial baseline, seed 0, at epoch 1)")


@pytest.mark.parametrize("what", ["numpy", "tensor", "whole"])
def test_numbers_of_other_libraries_are_numbers(what):
    (number,) = own(told(what=what)).measured(0.0).values()
    assert type(number) is float and number in (0.5, 1.0)


@pytest.mark.parametrize(
    "what, words",
    [
        ("steps", "changed the network's weights"),
        ("behind torch's back", "changed the network's weights"),
        ("trains", r"weights .*running_mean.*; a forward pass after `\.train\(\)` changes them"),
        ("replaces", r"changed the network's weights \(head.weight\)"),
        ("freezes", "which of them have gradients"),
        ("inputs", "changed the inputs or labels in place"),
        ("inputs as numpy has them", "changed the inputs or labels in place"),
        ("torch", "draws from the global generator of torch, which breaks the pairing"),
        ("numpy", "draws from the global generator of numpy.random"),
        ("random", "draws from the global generator of random"),
        (
            "raises",
            r"raised RuntimeError: no gradient here \(tests/trial/test_own_outcomes\.py:\d+\)",
        ),
    ],
)
def test_a_function_that_leaves_traces_fails_the_trial(what, words):
    with pytest.raises(TrialFailed, match=words):
        own(careless(what=what)).measured(1.0)


def test_data_that_a_function_has_changed_are_loaded_anew_for_the_next_trial():
    before = load(STUDY.data_of(0)).inputs.copy()
    with pytest.raises(TrialFailed, match="in place"):
        own(careless(what="inputs")).measured(0.0)
    assert np.array_equal(load(STUDY.data_of(0)).inputs, before)


@pytest.mark.parametrize("what", ["own draws", "gradients", "a copy", "in parts"])
def test_what_leaves_no_traces_is_allowed(what):
    outcomes = own(careless(what=what))
    network = outcomes.network.train()
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    gradients, generator = [weight.grad for weight in network.parameters()], torch.get_rng_state()
    first = outcomes.measured(0.0)
    assert first == outcomes.measured(1.0) and all(first.values())
    assert all(module.training for module in network.modules())
    assert all(weight.grad is kept for weight, kept in zip(network.parameters(), gradients))
    assert all(bool((kept == 1).all()) for kept in gradients)
    assert torch.equal(torch.get_rng_state(), generator)


def test_dropout_in_evaluation_is_the_networks_own_draw_and_the_same_each_time():
    without, outcomes = own(losses()), own(losses(), STUDY.evaluation_dropout)
    generator = torch.get_rng_state()
    assert outcomes.measured(0.0) == outcomes.measured(0.0) != without.measured(0.0)
    assert torch.equal(torch.get_rng_state(), generator)
    with pytest.raises(TrialFailed, match=r"numpy\.random"):
        own(careless(what="numpy"), STUDY.evaluation_dropout).measured(0.0)


@of_network()
def losses(trained):
    with torch.no_grad():
        return F.cross_entropy(trained.network(trained.inputs), trained.labels)


def test_a_trial_fails_before_its_first_step_where_an_outcome_does():
    shares = []
    spec = trial(msgspec.structs.replace(STUDY, outcomes=(told(what="nan"),)), BASELINE, 0)
    with pytest.raises(TrialFailed, match=r"told\(what='nan'\) is nan.*at epoch 0\)"):
        train(spec, CPU, shares.append)
    assert shares == []


def test_an_outcome_that_no_file_of_this_process_defines_is_named():
    gone = msgspec.structs.replace(losses(), source="0" * 64)
    with pytest.raises(TrialFailed, match=r"defines the outcome losses .*run pytest with"):
        own(gone).measured(0.0)
