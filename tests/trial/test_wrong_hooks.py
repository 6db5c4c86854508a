"""What is wrong with a hook of a user's own is told in one line, before anything is trained."""

import itertools
import random

import msgspec
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ddiv.common.errors import TrialFailed
from ddiv.data.load import load
from ddiv.models.own import own_model
from ddiv.study import Digits, Recipe, Study
from ddiv.treatment import Augmentation, Part, Treatment
from ddiv.treatment.mixing import Mixed
from ddiv.trial import trial
from ddiv.trial.dry_run import layers_of
from ddiv.trial.steps import Captured

DATA = Digits(41, side=8)


class Net(nn.Module):
    width = 4

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm1d(4)

    def forward(self, images):
        return self.norm(self.conv(images).mean((2, 3)))


RECIPE = Recipe(epochs=1, batch=21, lr=1e-3, checkpoints=(0, 1))
STUDY = Study("mine", "Mine", DATA, own_model(Net), RECIPE)
COUNT = itertools.count(1)


class Faulty(Part, frozen=True):
    """A hook that does what its dose says; which hook, a subclass says."""

    what: str

    def result(self, right):
        """The right result, or what else is returned for it."""
        drawn = {"torch": torch.rand, "numpy": np.random.rand, "random": random.random}
        if self.what in drawn:
            drawn[self.what](*([] if self.what == "random" else [1]))
        if self.what == "raises":
            raise KeyError("temperature\nof the day")
        return {"none": None, "text": "much"}.get(self.what, right)


class Loss(Faulty, frozen=True):
    def loss(self, outputs, labels):
        losses = F.cross_entropy(outputs, labels, reduction="none")
        match self.what:
            case "mean":
                return losses.mean()
            case "array":
                return losses.detach().numpy()
            case "whole":
                return losses.long()
            case "detached":
                return losses.detach()
            case "elsewhere":
                return losses.to("meta")
            case "nan":
                return losses * float("nan")
            case "infinite":
                return losses - (losses * 0).log()
            case "counts":
                return losses * next(COUNT)
            case "in place":
                return F.cross_entropy(outputs.mul_(2), labels, reduction="none")
            case "labels":
                return F.cross_entropy(outputs, labels.zero_(), reduction="none")
        return self.result(losses)


class Penalty(Faulty, frozen=True):
    def penalty(self, network):
        weight = network.head.weight
        match self.what:
            case "many":
                return weight.square()
            case "number":
                return weight.square().sum().item()
            case "nan":
                return (weight * 0).sum().log()
            case "detached":
                return weight.detach().sum()
            case "in place":
                with torch.no_grad():
                    weight.mul_(0.9)
        return self.result(weight.square().sum())


class Gradients(Faulty, frozen=True):
    def gradients(self, network, backward):
        match self.what:
            case "no backward":
                return network.head.weight.sum()
            case "number":
                return float(backward())
            case "infinite":
                loss = backward()
                network.head.weight.grad.fill_(torch.inf)
                return loss
        return self.result(backward())


class Batch(Faulty, frozen=True):
    def batch(self, inputs, draws):
        count = len(inputs)
        partner, weight = torch.arange(count), torch.ones(count)
        match self.what:
            case "fewer":
                return inputs[:-1]
            case "floats":
                return inputs / 255
            case "elsewhere":
                return inputs.to("meta")
            case "counts":
                return inputs + next(COUNT)
            case "alone":
                return inputs, partner
            case "partners":
                return inputs, Mixed(partner + 1, weight)
            case "weights":
                return inputs, Mixed(partner, weight * 2)
            case "mixed":
                return inputs, Mixed(partner, weight)
        return self.result(inputs)


class TrainingSet(Faulty, frozen=True):
    def training_set(self, shown, draws):
        inputs, labels = shown
        match self.what:
            case "in place":
                labels[:5] = 0
            case "inputs in place":
                inputs[0] = 0
            case "floats":
                labels = labels / 2
            case "outside":
                labels = labels + 1
            case "below":
                labels = labels - 1
            case "empty":
                inputs, labels = inputs[:0], labels[:0]
            case "one over":
                inputs, labels = inputs[:22], labels[:22]
            case "more labels":
                inputs = inputs[:-1]
            case "small":
                inputs = inputs[..., :4]
            case "counts":
                labels = (labels + next(COUNT)) % 10
            case "tuple":
                return inputs, labels
        return self.result(shown._replace(inputs=inputs, labels=labels))


class Network(Faulty, frozen=True):
    def network(self, network, sites):
        match self.what:
            case "head":
                network.head = nn.Linear(4, 3)
            case "another":
                return nn.Linear(4, 10)
            case "frozen":
                network.requires_grad_(False)
            case "nan":
                with torch.no_grad():
                    network.head.weight.fill_(torch.nan)
            case _:
                self.result(None)
        return None


class Optimiser(Faulty, frozen=True):
    def optimiser(self, optimiser, network):
        match self.what:
            case "another":
                return torch.optim.SGD(network.parameters(), lr=0.1)
            case "rate":
                optimiser.param_groups[0]["lr"] = float("nan")
            case "below":
                optimiser.param_groups[1]["lr"] *= -1
            case _:
                self.result(None)
        return None


class OfRecipe(Faulty, frozen=True):
    def recipe(self, recipe):
        match self.what:
            case "epochs":
                return msgspec.structs.replace(recipe, epochs=0)
            case "in place":
                recipe.lr = 0.1
            case "counts":
                return msgspec.structs.replace(recipe, lr=recipe.lr * next(COUNT))
        return self.result(recipe)


class OfSchedule(Faulty, frozen=True):
    def schedule(self, schedule):
        match self.what:
            case "never":
                return schedule._replace(last=0)
            case "half":
                return schedule._replace(last=0.5 * schedule.planned)
            case "longer":
                return schedule._replace(last=schedule.planned + 1)
            case "checkpoints":
                return schedule._replace(checkpoints=frozenset([1]))
        return self.result(schedule)


class Order(Faulty, frozen=True):
    def order(self, stream):
        return self.result(stream)


class Seed(Faulty, frozen=True):
    def seed(self, seed):
        return next(COUNT) if self.what == "counts" else self.result(seed)


RAISED = r"raised KeyError: 'temperature.*of the day' \(tests/trial/test_wrong_hooks\.py:\d+\)"
AGAIN = "returns something else when it is called again"

CASES = {
    Loss: {
        "none": r"has to return the loss of each example, .* returned None \(is a `return` missing",
        "text": "and returned a str",
        "mean": r"of shape \(\d+,\) on cpu, and returned a Tensor torch.float32 \(\)",
        "array": "and returned a ndarray",
        "whole": "and returned a Tensor torch.int64",
        "detached": r"without gradient, so nothing would be learned .* without detach\(\)",
        "elsewhere": r"on cpu, and returned a Tensor torch.float32 \(\d+,\) on meta",
        "nan": "returned nan, though what it is given is finite: look for a division by 0",
        "infinite": "returned inf, though what it is given is finite",
        "counts": AGAIN,
        "in place": "changes what it is given in place, .*: work on a copy",
        "labels": "changes what it is given in place",
        "raises": RAISED,
        "torch": "draws from torch, which .* a module that the hook `network` adds: its forward",
        "numpy": "draws from numpy.random, which breaks the pairing",
        "random": "draws from random, which breaks the pairing",
    },
    Penalty: {
        "none": r"has to return one number, a tensor of floats of shape \(\) .* returned None",
        "many": r"and returned a Tensor torch.float32 \(10, 4\)",
        "number": "and returned a float",
        "nan": "returned -inf, though what it is given is finite",
        "detached": "without gradient",
        "in place": "changes what it is given in place",
        "raises": RAISED,
        "numpy": "draws from numpy.random",
    },
    Gradients: {
        "none": r"has to return the loss that `backward\(\)` returned, and returned None",
        "number": "and returned a float",
        "no backward": r"leaves no gradients: call `backward\(\)`, or set",
        "infinite": "after one step the weight .* is not finite",
        "raises": RAISED,
        "torch": "draws from torch",
        "random": "draws from random",
    },
    Batch: {
        "none": "has to return examples as it is given them, Tensor torch.uint8 .* returned None",
        "fewer": r"\(\d+, 3, 8, 8\) on cpu, and returned a Tensor torch.uint8 \(\d+, 3, 8, 8\)",
        "floats": "and returned a Tensor torch.float32",
        "elsewhere": r"on cpu, and returned a Tensor torch.uint8 \(.*\) on meta",
        "counts": AGAIN,
        "alone": r"has to return inputs, or \(inputs, Mixed\), and returned a tuple",
        "partners": r"`Mixed` with partners int64 \(\d+,\), from 0 on",
        "weights": r"`Mixed` with weights \(\d+,\) from 0 to 1",
        "raises": RAISED,
        "torch": "draws from torch, .*: draw from the `draws` that it is given",
    },
    TrainingSet: {
        "none": r"has to return a training set \(shown._replace\), and returned None",
        "tuple": "and returned a tuple",
        "in place": "raised ValueError: .*read-only: .* work on a copy",
        "inputs in place": "raised ValueError: .*read-only: .* work on a copy",
        "floats": "whole-numbered labels .* returned a ndarray float64",
        "outside": "returned labels from 1 to 10, and those of the 10 classes are 0 to 9",
        "below": "returned labels from -1 to 8",
        "empty": "returned 0 inputs with 0 labels",
        "more labels": "returned 40 inputs with 41 labels",
        "one over": "the last batch of an epoch has 1 of the 22 training examples",
        "small": r"inputs uint8 \(n, 3, 8, 8\), and returned a ndarray uint8 \(41, 3, 8, 4\)",
        "counts": AGAIN,
        "raises": RAISED,
        "numpy": "draws from numpy.random",
    },
    Network: {
        "head": r"the network gives \(\d+, 3\) for \d+ inputs of 10 classes",
        "another": "returns nothing; it returned something of type Linear",
        "frozen": "leaves no weights to train .*: leave `requires_grad`",
        "nan": "the network's outputs are not finite",
        "raises": RAISED,
        "numpy": "draws from numpy.random",
        "random": "draws from random",
    },
    Optimiser: {
        "another": "returns nothing: steps of another kind are for the hook `gradients`",
        "rate": "leaves the learning rate nan, and one is a number of 0 or more",
        "below": "leaves the learning rate -0.001",
        "raises": RAISED,
        "torch": "draws from torch",
    },
    OfRecipe: {
        "none": "has to return the recipe that it is given, changed by msgspec.structs.replace, "
        "and returned None",
        "in place": r"raised AttributeError: .* return another \(msgspec.structs.replace\(recipe, ",
        "epochs": "raised ValueError: a recipe has 1 epoch or more",
        "same": "returns the recipe as it is, so the arm of recipe same is the baseline: .*"
        "let `does_nothing`",
        "counts": AGAIN,
        "raises": RAISED,
        "random": "draws from random",
    },
    OfSchedule: {
        "none": r"has to return the schedule that it is given \(schedule._replace\)",
        "never": "with 1 <= last <= planned, and returned last=0, planned=",
        "half": r"whole numbers of steps .* returned last=\d.\d",
        "longer": "with 1 <= last <= planned",
        "checkpoints": "changes `batches` or `checkpoints`",
        "raises": RAISED,
    },
    Order: {
        "none": "has to return the name of a random stream, such as the one given, .* None",
        "raises": RAISED,
        "torch": "draws from torch",
    },
    Seed: {
        "none": "has to return a whole number from 0 to .* returned None",
        "text": "and returned 'much'",
        "counts": AGAIN,
        "raises": RAISED,
        "numpy": "draws from numpy.random",
    },
}

# What the step finds, and no single hook: the arm is told, and no name of a hook.
OF_THE_STEP = {"infinite", "one over", "head", "nan"}


@pytest.mark.parametrize(
    "kind, what, said",
    [(kind, what, said) for kind, cases in CASES.items() for what, said in cases.items()],
)
def test_what_is_wrong_is_told_with_the_part_and_its_hook(kind, what, said):
    part = kind(what)
    (hook,) = part.hooks
    with pytest.raises(TrialFailed, match=said) as error:
        dry(part)
    told = str(error.value)
    named = f"the hook `{hook}` of the part {kind.__name__} " in told
    assert named or (what in OF_THE_STEP and f"under {part.label}: " in told)
    assert "\n" not in told and len(told) < 400


def dry(*parts):
    return layers_of([trial(STUDY, Treatment.of(*parts), 0)], load(DATA))


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind is not OfRecipe])
def test_what_is_right_passes(kind):
    """All hooks but that of the recipe, which has to change something."""
    assert dry(kind("right"))


def test_labels_are_mixed_once():
    with pytest.raises(TrialFailed, match="`batch` of the part Batch mixes labels that are mixed"):
        dry(Batch("mixed"), Augmentation("mixup"))
    assert dry(Batch("mixed"), Augmentation("auto"))


def test_the_data_of_other_trials_stay_as_they_are():
    before = load(DATA)
    copies = before.inputs.copy(), before.labels.copy()
    for what in ("in place", "inputs in place"):
        with pytest.raises(TrialFailed):
            dry(TrainingSet(what))
    assert np.array_equal(before.inputs, copies[0]) and np.array_equal(before.labels, copies[1])
    assert before.inputs.flags.writeable


def test_the_new_weights_of_a_network_may_be_drawn_from_torch():
    assert dry(Network("torch"))


class Deep(Part, frozen=True):
    def __post_init__(self):
        raise RuntimeError("no such dose")


def test_a_part_that_cannot_be_made_raises_as_it_does():
    with pytest.raises(RuntimeError, match="no such dose"):
        Treatment.of(Deep())


def test_a_hook_that_waits_for_the_device_is_stepped_without_a_graph():
    """What a hook raises within a capture is no fault of the trial's."""

    def capture(work):
        raise TrialFailed("the hook `loss` of the part Loss raised RuntimeError: not permitted")

    steps = []
    captured = Captured(lambda batch: steps.append(1) or batch.sum(), capture)
    for _ in range(3):
        captured(torch.ones(3))
    with pytest.warns(RuntimeWarning, match="could not be captured .*hook `loss` of the part Loss"):
        captured(torch.ones(3))
    assert len(steps) == 4
