"""Treatments: what is varied between the arms of a study.

A treatment is a frozen tuple of parts; the empty tuple is the **baseline**. Parts compose with `+`:

    >>> (Treatment.of(Dropout(0.1)) + WeightDecay(1e-3)).label
    'dropout 0.1 + decay 0.001'

A part is pure data. Its effect on a model, an optimiser or a batch is in `ddiv.trial.train`.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from ddiv.common.values import Value, require_name
from ddiv.treatment.generators import Flow, Generator, NGram, Setting

Placement = Literal["all", "head", "encoder"]


class Dropout(Value, frozen=True, tag="dropout"):
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


class WeightDecay(Value, frozen=True, tag="decay"):
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


class Augmentation(Value, frozen=True, tag="augmentation"):
    """An augmentation by name, drawn anew for each sample and epoch.

    Images have the ten of v1 section 3.3 and further ones (`ddiv.treatment.images`), texts those of
    Wei and Zou (2019) by strength (`ddiv.treatment.texts`).
    """

    name: str

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("the name of an augmentation", self.name)

    @property
    def label(self) -> str:
        return self.name


class Synthetic(Value, frozen=True, tag="synthetic"):
    """A `share` in (0, 1] of the training examples, the same in every class, replaced by a
    generator's (v1 section 3.4).

    The number of examples stays. `round` above 1: the generator was retrained on its own samples
    round after round (Alemohammad et al. 2023), the first being trained on the real images.
    """

    share: float
    generator: Generator
    setting: Setting
    round: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share of synthetic examples lies in [0, 1], got {self.share}")
        if self.round < 1:
            raise ValueError(f"rounds of a generator count from 1, got {self.round}")
        if self.round > 1 and not isinstance(self.generator, Flow | NGram):
            raise ValueError(
                f"{self.generator.label} is not retrained on its own samples, so it has no round "
                f"{self.round}: take a Flow or an NGram, or leave the study's `rounds` out"
            )

    @property
    def label(self) -> str:
        later = f", round {self.round}" if self.round > 1 else ""
        return f"synthetic {self.share:.0%} ({self.setting.name}{later})"


class BatchSize(Value, frozen=True, tag="batch-size"):
    """Batches of this many examples in place of the recipe's; the learning rate stays."""

    size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise ValueError(f"a batch holds at least 1 image, got {self.size}")

    @property
    def label(self) -> str:
        return f"batch {self.size}"


class Classes(Value, frozen=True, tag="classes"):
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


class EarlyStop(Value, frozen=True, tag="early-stop"):
    """Stop after this `fraction` of the epochs, the learning-rate schedule unchanged.

    This arm tells regularisation from mere under-fitting: it fits less, and nothing regularises it.
    """

    fraction: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.fraction <= 1:
            raise ValueError(f"the fraction of epochs lies in (0, 1], got {self.fraction}")

    @property
    def label(self) -> str:
        return f"stopped at {self.fraction:.0%}"


class NoOp(Value, frozen=True, tag="no-op"):
    """A treatment that does nothing: the baseline with its batches drawn in another random order.

    The negative control. Copying the baseline bit for bit would make every effect exactly zero and
    test nothing; another data order gives effects of the size of the training noise and of no
    direction.
    """

    @property
    def label(self) -> str:
        return "no-op"


class OtherSeed(Value, frozen=True, tag="other-seed"):
    """The same treatment with every random draw from a seed of its own, so the pairing is broken.

    A negative control: an effect of this arm is the difference of two independent replicates.
    """

    @property
    def label(self) -> str:
        return "another seed"


class EvaluationDropout(Value, frozen=True, tag="evaluation-dropout"):
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


class ShuffledLabels(Value, frozen=True, tag="shuffled-labels"):
    """The training labels in random order, so a network can only learn its training set by heart.

    A negative control: nothing can then improve accuracy beyond chance.
    """

    @property
    def label(self) -> str:
        return "shuffled labels"


Part = (
    Dropout
    | WeightDecay
    | Augmentation
    | Synthetic
    | BatchSize
    | Classes
    | EarlyStop
    | NoOp
    | OtherSeed
    | EvaluationDropout
    | ShuffledLabels
)

PartT = TypeVar("PartT")

# The family that plots and tables put the arms of one part in; other parts make controls.
_GROUPS: dict[type, str] = {
    Dropout: "dropout",
    WeightDecay: "weight decay",
    Augmentation: "augmentation",
    Synthetic: "synthetic",
    BatchSize: "batch size",
    Classes: "classes",
}

OTHER_SEEDS_BEGIN = 1_000_000


class Treatment(Value, frozen=True):
    """A set of parts, at most one of each kind, kept in one canonical order.

    Empty: the baseline.
    """

    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = [type(part) for part in self.parts]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"a treatment holds one part of a kind, got {self.label}")
        ordered = tuple(sorted(self.parts, key=lambda part: type(part).__name__))
        if ordered != self.parts:
            msgspec.structs.force_setattr(self, "parts", ordered)

    @classmethod
    def of(cls, *parts: Part) -> Treatment:
        """The treatment of these parts, without those that do nothing (rate, decay or share 0)."""
        return cls(tuple(part for part in parts if not _does_nothing(part)))

    def __add__(self, other: Part | Treatment) -> Treatment:
        added = other.parts if isinstance(other, Treatment) else (other,)
        return Treatment.of(*self.parts, *added)

    def part(self, kind: type[PartT]) -> PartT | None:
        """The part of this kind, or None."""
        return next((part for part in self.parts if isinstance(part, kind)), None)

    def seed(self, seed: int) -> int:
        """The seed that this arm's random draws come from in the replicate `seed`."""
        return seed + OTHER_SEEDS_BEGIN if self.part(OtherSeed) else seed

    @property
    def is_baseline(self) -> bool:
        return not self.parts

    @property
    def label(self) -> str:
        return " + ".join(part.label for part in self.parts) or "baseline"

    @property
    def group(self) -> str:
        """The family that plots and tables put this arm in."""
        if self.is_baseline:
            return "baseline"
        match self.parts:
            case (Dropout(where=where),) if where != "all":
                return "dropout in one place"
        groups = {_GROUPS.get(type(part), "control") for part in self.parts}
        return groups.pop() if len(groups) == 1 else "combination"


BASELINE = Treatment()


def _does_nothing(part: Part) -> bool:
    match part:
        case Dropout(rate=0) | WeightDecay(value=0) | Synthetic(share=0):
            return True
    return False
