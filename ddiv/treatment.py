"""Treatments: what is varied between the arms of a study.

A treatment is a frozen tuple of parts; the empty tuple is the **baseline**. Parts compose with `+`:

    >>> (Treatment.of(Dropout(0.1)) + WeightDecay(1e-3)).label
    'dropout 0.1 + decay 0.001'

A part is pure data. What it does to a model, an optimiser or a batch is in `ddiv.train`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Placement = Literal["all", "head", "encoder"]


class Dropout(msgspec.Struct, frozen=True, tag="dropout"):
    """Dropout with `rate` in [0, 1), as v1 section 3.2 places it.

    `where="all"`: after the norm of the attention and of the feed-forward part of every transformer
    block (after every block of a ResNet), and before the classification layer. "head" keeps only the
    last of these, "encoder" only the others.
    """

    rate: float
    where: Placement = "all"

    def __post_init__(self):
        if not 0 <= self.rate < 1:
            raise ValueError(f"a dropout rate lies in [0, 1), got {self.rate}")

    @property
    def label(self) -> str:
        return f"dropout {self.rate:g}" + ("" if self.where == "all" else f" {self.where}")


class WeightDecay(msgspec.Struct, frozen=True, tag="decay"):
    """L2 regularisation: `value / 2 * |w|^2` is added to the loss of every trained parameter.

    The paper says "weight decay (L_2 regularization)" and describes a penalty in the loss, so its
    gradient `value * w` passes through Adam's normalisation (torch's `Adam(weight_decay=...)`). That is
    not the decoupled decay of AdamW, which would shrink all weights by the same factor.
    """

    value: float

    def __post_init__(self):
        if self.value < 0:
            raise ValueError(f"a weight decay is at least 0, got {self.value}")

    @property
    def label(self) -> str:
        return f"decay {self.value:g}"


class Augmentation(msgspec.Struct, frozen=True, tag="augmentation"):
    """One of the ten augmentations of v1 section 3.3, drawn anew per sample and epoch (`ddiv.augment`)."""

    name: str

    @property
    def label(self) -> str:
        return self.name


class EarlyStop(msgspec.Struct, frozen=True, tag="early-stop"):
    """Stop after this `fraction` of the epochs, the learning-rate schedule unchanged.

    The arm that tells regularisation from mere under-fitting (design, decision 8).
    """

    fraction: float

    def __post_init__(self):
        if not 0 < self.fraction <= 1:
            raise ValueError(f"the fraction of epochs lies in (0, 1], got {self.fraction}")

    @property
    def label(self) -> str:
        return f"stopped at {self.fraction:.0%}"


class NoOp(msgspec.Struct, frozen=True, tag="no-op"):
    """A treatment that does nothing: the baseline with its batches drawn in another random order.

    The negative control. Copying the baseline bit for bit would make every effect exactly zero and test
    nothing; another data order gives effects of the size of the training noise and of no direction.
    """

    @property
    def label(self) -> str:
        return "no-op"


class OtherSeed(msgspec.Struct, frozen=True, tag="other-seed"):
    """The same treatment with every random draw taken from a seed that no other arm uses: the pairing is broken.

    A negative control: an effect of this arm is the difference of two independent replicates.
    """

    @property
    def label(self) -> str:
        return "another seed"


class EvaluationDropout(msgspec.Struct, frozen=True, tag="evaluation-dropout"):
    """Dropout of this `rate` in evaluation only, at the places of `Dropout`: training never sees it.

    A negative control: outputs get worse, and weights cannot have been regularised by it.
    """

    rate: float

    def __post_init__(self):
        if not 0 < self.rate < 1:
            raise ValueError(f"a dropout rate that is to act lies in (0, 1), got {self.rate}")

    @property
    def label(self) -> str:
        return f"dropout {self.rate:g} at evaluation only"


class ShuffledLabels(msgspec.Struct, frozen=True, tag="shuffled-labels"):
    """The training labels in random order: there is nothing to learn but the training set by heart.

    A negative control: nothing can then improve accuracy beyond chance.
    """

    @property
    def label(self) -> str:
        return "shuffled labels"


Part = Dropout | WeightDecay | Augmentation | EarlyStop | NoOp | OtherSeed | EvaluationDropout | ShuffledLabels

OTHER_SEEDS_BEGIN = 1_000_000


class Treatment(msgspec.Struct, frozen=True):
    """A set of parts, at most one of each kind, kept in one canonical order. Empty: the baseline."""

    parts: tuple[Part, ...] = ()

    def __post_init__(self):
        kinds = [type(part) for part in self.parts]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"a treatment holds one part of a kind, got {self.label}")
        ordered = tuple(sorted(self.parts, key=lambda part: type(part).__name__))
        if ordered != self.parts:
            msgspec.structs.force_setattr(self, "parts", ordered)

    @classmethod
    def of(cls, *parts: Part) -> Treatment:
        """The treatment of these parts; those that do nothing (rate 0, decay 0) are left out."""
        return cls(tuple(part for part in parts if not _does_nothing(part)))

    def __add__(self, other: Part | Treatment) -> Treatment:
        return Treatment.of(*self.parts, *(other.parts if isinstance(other, Treatment) else (other,)))

    def part(self, kind: type) -> Part | None:
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
        if len(self.parts) == 1 and isinstance(self.parts[0], Dropout) and self.parts[0].where != "all":
            return "dropout in one place"
        names = {Dropout: "dropout", WeightDecay: "weight decay", Augmentation: "augmentation"}
        groups = {names.get(type(part), "control") for part in self.parts}
        return groups.pop() if len(groups) == 1 else "combination"


BASELINE = Treatment()


def _does_nothing(part: Part) -> bool:
    return part in (Dropout(0.0, getattr(part, "where", "all")), WeightDecay(0.0))
