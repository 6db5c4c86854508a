"""Studies: which dataset, backbone and hyper-parameters a claim is tested on.

Everything here is frozen data without torch; `ddiv.data.load` and `ddiv.models.build` give it life.
"""

from __future__ import annotations

import msgspec

from ddiv.treatment import (BASELINE, Augmentation, Dropout, EarlyStop, EvaluationDropout, NoOp, OtherSeed, Placement,
                            ShuffledLabels, Treatment, WeightDecay)

# --- datasets -----------------------------------------------------------------------------------


class World(msgspec.Struct, frozen=True, tag="world"):
    """The embedded image world (`ddiv.data.world`): 60 classes at 32 x 32, five rendering domains."""

    train_per_class: int
    test_per_class: int
    version: int
    seed: int = 0


class Digits(msgspec.Struct, frozen=True, tag="digits"):
    """scikit-learn's handwritten digits, enlarged from 8 x 8 to `side` x `side`; 10 classes, no domains."""

    train: int
    side: int = 16
    split_seed: int = 0


Data = World | Digits

# --- backbones ----------------------------------------------------------------------------------


class Clip(msgspec.Struct, frozen=True, tag="clip"):
    """The small open_clip model that ddiv ships, named by the SHA-256 of its pre-trained weights."""

    weights: str


class ResNet18(msgspec.Struct, frozen=True, tag="resnet18"):
    """torchvision's ResNet-18 from scratch with a stem for small images.

    `width` is that of the first stage (the full model has 64); `stem_stride` 1 keeps the full resolution.
    """

    width: int = 64
    stem_stride: int = 1


Backbone = Clip | ResNet18

# --- hyper-parameters ---------------------------------------------------------------------------


class Recipe(msgspec.Struct, frozen=True):
    """How a trial is trained: Adam, cosine learning rate to 0, cross-entropy.

    `head_lr` is the learning rate of the classification layer where it is not `lr`: a random layer on a small
    pre-trained encoder needs a larger one, or the encoder forgets before the layer has learned. `checkpoints` are the epochs (fractions allowed) at which the baseline's trajectory is measured.
    """

    epochs: int
    batch: int
    lr: float
    checkpoints: tuple[float, ...] = ()
    head_lr: float | None = None


class Study(msgspec.Struct, frozen=True):
    """The population of a claim, and the doses and augmentations that its arms use.

    `early_stop` is the fraction of the epochs that the early-stopped arm runs; `view_size` the number of
    training images on which diversity is scored; `single_placement_rates` the dropout rates of the
    head-only and encoder-only ladders.
    """

    name: str
    title: str
    data: Data
    backbone: Backbone
    recipe: Recipe
    domains: tuple[str, ...]
    dropout_rates: tuple[float, ...]
    decays: tuple[float, ...]
    augmentations: tuple[str, ...]
    early_stop: float
    view_size: int
    single_placement_rates: tuple[float, ...] = ()

    @property
    def ood_domains(self) -> tuple[str, ...]:
        """All domains but the first, which is the training domain."""
        return self.domains[1:]

    def dropout(self, where: Placement = "all") -> tuple[tuple[float, Treatment], ...]:
        """The ladder of (rate, treatment) from 0 (the baseline) to the largest rate."""
        rates = self.dropout_rates if where == "all" else self.single_placement_rates
        return ((0.0, BASELINE), *((rate, Treatment.of(Dropout(rate, where))) for rate in rates))

    def decay(self) -> tuple[tuple[float, Treatment], ...]:
        """The ladder of (weight decay, treatment) from 0 (the baseline) to the largest."""
        return ((0.0, BASELINE), *((value, Treatment.of(WeightDecay(value))) for value in self.decays))

    def augmentation(self, name: str) -> Treatment:
        return Treatment.of(Augmentation(name))

    @property
    def no_op(self) -> Treatment:
        return Treatment.of(NoOp())

    @property
    def other_seed(self) -> Treatment:
        return Treatment.of(OtherSeed())

    @property
    def evaluation_dropout(self) -> Treatment:
        """The largest dropout rate at evaluation only, with another batch order, lest the weights be the baseline's."""
        return Treatment.of(EvaluationDropout(max(self.dropout_rates)), NoOp())

    @property
    def shuffled_labels(self) -> Treatment:
        return Treatment.of(ShuffledLabels())

    @property
    def early_stopped(self) -> Treatment:
        return Treatment.of(EarlyStop(self.early_stop))

    @property
    def controls(self) -> tuple[Treatment, ...]:
        return (self.no_op, self.other_seed, self.evaluation_dropout, self.shuffled_labels, self.early_stopped)

    @property
    def arms(self) -> tuple[Treatment, ...]:
        """Every arm of the study, the baseline first, in the order in which tables show them."""
        ladders = [self.dropout(), self.decay(), self.dropout("head"), self.dropout("encoder")]
        doses = [treatment for ladder in ladders for _, treatment in ladder[1:]]
        return (BASELINE, *self.controls, *doses, *map(self.augmentation, self.augmentations))
