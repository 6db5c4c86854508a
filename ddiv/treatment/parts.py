"""The parts of treatments that are ddiv's own.

A part is a frozen value; its hooks (`ddiv.treatment.part.Part`) say what it does in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_args

import msgspec

from ddiv.common.values import require_name
from ddiv.treatment.as_coded import Normalised, Piled, Unused
from ddiv.treatment.as_coded_texts import Once, Rectified, Unswitched
from ddiv.treatment.own_augmentation import OwnAugmentation, label_of
from ddiv.treatment.part import CONTROL, OwnPart, Part, Placement
from ddiv.treatment.regimes import Again, FromScratch, Traced
from ddiv.treatment.synthetic import Added, Anchored, Blurred, Filtered, Synthetic

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from ddiv.data.dataset import Shown
    from ddiv.models.network import DropoutSites, Network
    from ddiv.study import Recipe
    from ddiv.treatment.mixing import Mixed
    from ddiv.trial.schedule import Schedule


# The family of arms in which the optimiser alone is another.
OPTIMISATION = "optimisation"

OTHER_SEEDS_BEGIN = 1_000_000


class Dropout(Part, frozen=True, tag="dropout"):
    """Dropout with `rate` in [0, 1), as v1 section 3.2 places it.

    `where="all"`: after the norm of the attention and of the feed-forward part of every transformer
    block (after every block of a ResNet), and before the classification layer. "head" keeps only
    the last of these, "encoder" only the others.
    """

    rate: float
    where: Placement = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rate < 1:
            raise ValueError(f"a dropout rate lies in [0, 1), got {self.rate}")

    @property
    def label(self) -> str:
        return f"dropout {self.rate:g}" + ("" if self.where == "all" else f" {self.where}")

    @property
    def family(self) -> str:
        return "dropout" if self.where == "all" else "dropout in one place"

    @property
    def does_nothing(self) -> bool:
        return self.rate == 0

    def network(self, network: Network, sites: DropoutSites) -> None:
        sites.drop(self.rate, self.where)


class WeightDecay(Part, frozen=True, tag="decay"):
    """L2 regularisation: `value / 2 * |w|^2` is added to the loss of every trained parameter.

    The paper says "weight decay (L_2 regularization)" and describes a penalty in the loss, so its
    gradient `value * w` passes through Adam's normalisation (torch's `Adam(weight_decay=...)`).
    That is not the decoupled decay of AdamW, which would shrink all weights by the same factor.
    """

    value: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value < 0:
            raise ValueError(f"a weight decay is at least 0, got {self.value}")

    @property
    def label(self) -> str:
        return f"decay {self.value:g}"

    @property
    def family(self) -> str:
        return "weight decay"

    @property
    def does_nothing(self) -> bool:
        return self.value == 0

    def optimiser(self, optimiser: torch.optim.Optimizer, network: Network) -> None:
        for group in optimiser.param_groups:
            group["weight_decay"] = self.value


class Augmentation(Part, frozen=True, tag="augmentation"):
    """An augmentation by name, drawn anew for each sample and epoch.

    Images have the ten of v1 section 3.3 and further ones (`ddiv.treatment.images`), texts those of
    Wei and Zou (2019) by strength (`ddiv.treatment.texts`). One of a user's own is given as
    `ddiv.treatment.own_augmentation` returns it.
    """

    name: str | OwnAugmentation

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.name, str):
            require_name("the name of an augmentation", self.name)

    @property
    def label(self) -> str:
        return label_of(self.name)

    @property
    def family(self) -> str:
        return "augmentation"

    def batch(
        self, inputs: Tensor | np.ndarray, draws: torch.Generator
    ) -> Tensor | np.ndarray | tuple[Tensor, Mixed]:
        from ddiv.treatment.augment import shown  # imports torch

        return shown(self.name, inputs, draws)


class BatchSize(Part, frozen=True, tag="batch-size"):
    """Batches of this many examples in place of the recipe's; the learning rate stays."""

    size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise ValueError(f"a batch holds at least 1 image, got {self.size}")

    @property
    def label(self) -> str:
        return f"batch {self.size}"

    @property
    def family(self) -> str:
        return "batch size"

    def recipe(self, recipe: Recipe) -> Recipe:
        return msgspec.structs.replace(recipe, batch=self.size)


class Classes(Part, frozen=True, tag="classes"):
    """Only `count` of the classes, drawn by the seed, at an unchanged number of examples.

    For the diversity of data: nothing is trained on it.
    """

    count: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise ValueError(f"a training set has at least 1 class, got {self.count}")

    @property
    def label(self) -> str:
        return f"{self.count} class{'es' * (self.count > 1)}"

    @property
    def family(self) -> str:
        return "classes"


class Optimisation(Part, frozen=True):
    """An optimisation control: the recipe's optimiser with a number times `factor`, and nothing
    that regularises.
    """

    factor: float

    scaled: ClassVar[tuple[str, str]]  # what is scaled, in labels and in errors

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.factor <= 100:
            raise ValueError(f"a factor {self.scaled[1]} lies in (0, 100], got {self.factor}")

    @property
    def label(self) -> str:
        return f"{self.scaled[0]} x {self.factor:g}"

    @property
    def family(self) -> str:
        return OPTIMISATION

    @property
    def does_nothing(self) -> bool:
        return self.factor == 1


class Rate(Optimisation, frozen=True, tag="rate"):
    """The recipe's learning rates, of encoder and classification layer alike, times `factor`."""

    scaled: ClassVar[tuple[str, str]] = "rate", "of the learning rates"

    def recipe(self, recipe: Recipe) -> Recipe:
        head = recipe.head_lr
        return msgspec.structs.replace(
            recipe, lr=recipe.lr * self.factor, head_lr=None if head is None else head * self.factor
        )


class Length(Optimisation, frozen=True, tag="length"):
    """The recipe's steps times `factor`, the learning rate falling to 0 at their end: a shorter or
    longer training, finished.
    """

    scaled: ClassVar[tuple[str, str]] = "length", "of the steps"

    def schedule(self, schedule: Schedule) -> Schedule:
        steps = max(1, round(self.factor * schedule.planned))
        return schedule._replace(planned=steps, last=steps)


class NoOp(Part, frozen=True, tag="no-op"):
    """A treatment that does nothing: the baseline with its batches drawn in another random order.

    The negative control. Copying the baseline bit for bit would make every effect exactly zero and
    test nothing; another data order gives effects of the size of the training noise and of no
    direction.
    """

    @property
    def label(self) -> str:
        return "no-op"

    @property
    def family(self) -> str:
        return CONTROL

    def order(self, stream: str) -> str:
        return f"no-op {stream}"


class OtherSeed(Part, frozen=True, tag="other-seed"):
    """The same treatment with all draws, data and checkpoint of another seed: no pairing is left.

    A negative control: an effect of this arm is the difference of two independent replicates.
    """

    @property
    def label(self) -> str:
        return "another seed"

    @property
    def family(self) -> str:
        return CONTROL

    def seed(self, seed: int) -> int:
        return seed + OTHER_SEEDS_BEGIN


class EvaluationDropout(Part, frozen=True, tag="evaluation-dropout"):
    """Dropout of this `rate` in evaluation only, at the places of `Dropout`.

    Training never sees it.

    A negative control: outputs get worse, and weights cannot have been regularised by it.
    """

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate < 1:
            raise ValueError(f"a dropout rate that is to act lies in (0, 1), got {self.rate}")

    @property
    def label(self) -> str:
        return f"dropout {self.rate:g} at evaluation only"

    @property
    def family(self) -> str:
        return CONTROL

    def network(self, network: Network, sites: DropoutSites) -> None:
        sites.drop(self.rate, only_evaluating=True)


class ShuffledLabels(Part, frozen=True, tag="shuffled-labels"):
    """The training labels in random order, so a network can only learn its training set by heart.

    A negative control: nothing can then improve accuracy beyond chance.
    """

    @property
    def label(self) -> str:
        return "shuffled labels"

    @property
    def family(self) -> str:
        return CONTROL

    @property
    def stream(self) -> str:
        return "labels"

    def training_set(self, shown: Shown, draws: torch.Generator) -> Shown:
        from ddiv.common.draws import permutation

        order = permutation(len(shown.labels), draws)
        return shown._replace(labels=shown.labels[order])


BuiltIn = (
    Dropout
    | WeightDecay
    | Augmentation
    | Synthetic
    | Anchored
    | Added
    | Filtered
    | Blurred
    | Once
    | BatchSize
    | Classes
    | Rate
    | Length
    | NoOp
    | Again
    | Traced
    | FromScratch
    | OtherSeed
    | EvaluationDropout
    | Unswitched
    | Rectified
    | ShuffledLabels
    | Piled
    | Unused
    | Normalised
)

# What keys and records hold.
Stored = BuiltIn | OwnPart

BUILT_IN: tuple[type[Part], ...] = get_args(BuiltIn)


def is_built_in(part: object) -> bool:
    """Whether a part is of ddiv's own."""
    return type(part) in BUILT_IN
