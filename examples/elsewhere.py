"""The study, the treatments and the outcomes that the claims beside this file are about.

Written with nothing but what ddiv gives everyone; see README.md.
"""

import msgspec
import torch
from torch import nn
from torch.nn import functional as F

from ddiv import (
    BASELINE,
    Digits,
    Part,
    Recipe,
    Study,
    Treatment,
    of_network,
    of_spectrum,
    own_model,
)

# --- treatments: a frozen class each; its fields are doses, its methods hooks ---------------------


class LabelSmoothing(Part, frozen=True):
    """A share `amount` of each label is spread evenly over all classes (Szegedy et al. 2016)."""

    amount: float

    def loss(self, outputs, labels):
        amount = self.amount
        return F.cross_entropy(outputs, labels, label_smoothing=amount, reduction="none")


class SharpnessAware(Part, frozen=True):
    """SAM (Foret et al. 2021): each step takes the gradient at `radius` uphill from the weights."""

    radius: float

    def gradients(self, network, backward):
        loss = backward()
        weights = [weight for weight in network.parameters() if weight.grad is not None]
        here = [weight.detach().clone() for weight in weights]
        put(weights, uphill(here, [weight.grad for weight in weights], self.radius))
        backward()
        put(weights, here)
        return loss


class LearningRate(Part, frozen=True):
    """The recipe's learning rate times `factor`."""

    factor: float

    def recipe(self, recipe):
        return msgspec.structs.replace(recipe, lr=self.factor * recipe.lr)


def ladder(part, *doses, without=0.0):
    """(dose, treatment) from the smallest dose on; `without` is the dose that the baseline has."""
    arms = {without: BASELINE, **{dose: Treatment.of(part(dose)) for dose in doses}}
    return tuple((dose, arms[dose]) for dose in sorted(arms))


# --- outcomes: a function each --------------------------------------------------------------------


@of_network(unit="nats", better="lower")  # computed of each network when it is trained
def sharpness(trained, radius=0.05):
    """The rise of the training loss from the weights to `radius` uphill (Foret et al. 2021)."""
    weights = {name: w for name, w in trained.network.named_parameters() if w.requires_grad}
    here = training_loss(trained, weights)
    gradients = torch.autograd.grad(here, [*weights.values()])
    moved = uphill(weights.values(), gradients, radius)
    return training_loss(trained, dict(zip(weights, moved))) - here


@of_spectrum(unit="share of the mean", better="lower")  # read off stored records
def unevenness(evals, N, M):
    """The spread of a layer's eigenvalues, the smallest left out: 0 for a regular simplex."""
    return evals[1:].std() / evals[1:].mean()


def training_loss(trained, weights):
    """The mean cross-entropy, with these weights in place of the network's own."""
    outputs = [
        torch.func.functional_call(trained.network, weights, inputs)
        for inputs, _ in trained.batches()
    ]
    return F.cross_entropy(torch.cat(outputs), trained.labels.to(trained.device))


def uphill(weights, gradients, radius):
    """The weights after a step of this length along the gradient."""
    length = torch.stack([gradient.norm() for gradient in gradients]).norm()
    scale = radius / (length + 1e-12)
    return [weight + scale * gradient for weight, gradient in zip(weights, gradients)]


@torch.no_grad()
def put(weights, values):
    """Give the weights these values."""
    for weight, value in zip(weights, values):
        weight.copy_(value)


# --- the study ------------------------------------------------------------------------------------


class SmallNet(nn.Module):
    """Two hidden layers, each with the 50 eigenvalues or more that a power-law fit needs."""

    def __init__(self, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 2 * hidden), nn.Linear(2 * hidden, hidden)
        self.width = hidden

    def forward(self, images):  # (n, 3, 8, 8), grey: one channel says all
        return self.fc2(self.fc1(images[:, 0].flatten(1)).relu()).relu()


STUDY = Study(
    name="small-net-digits",
    title="A small network by SGD on scikit-learn's digits",
    data=Digits(train=300, side=8),
    backbone=own_model(SmallNet, hidden=64),
    recipe=Recipe(epochs=30, batch=16, lr=0.01, momentum=0.9),
    batches=(4, 16, 64),
    outcomes=(sharpness(),),
)
