"""What the paper's published code does where it differs from the text, as parts of treatments.

Each is a departure by itself, so that one can be told from another: augmentations piled up and
drawn once (`Piled`), made and not used (`Unused`), and training images normalised otherwise than
those of the tests (`Normalised`). Weaker noise and other chains are augmentations by name
(`ddiv.treatment.names.CODED`), dropout before the classification layer alone is `Dropout(rate,
"head")`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddiv.common.errors import TrialFailed
from ddiv.common.values import require_name
from ddiv.treatment.names import AS_CODED, MIXING
from ddiv.treatment.own_augmentation import OwnAugmentation, label_of
from ddiv.treatment.part import CONTROL, Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ddiv.data.dataset import Shown
    from ddiv.models.network import DropoutSites, Network

Names = tuple[str | OwnAugmentation, ...]

Channels = tuple[float, float, float]

# Mean and deviation of ImageNet's photographs, of pixels in [0, 1].
IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Channels = (0.229, 0.224, 0.225)


class Piled(Part, frozen=True, tag="piled"):
    """A training set that is made once, before training, by these augmentations one on top of the
    other, in their order; every epoch shows the same examples.

    All draws come from one stream, so at a seed a longer pile is a shorter one with more on top. A
    pile of one is an augmentation that is drawn once, where `Augmentation` draws anew.
    """

    names: Names

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.names)

    @property
    def label(self) -> str:
        return f"{_pile(self.names)}, drawn once" if len(self.names) == 1 else _pile(self.names)

    @property
    def family(self) -> str:
        return "augmentation"

    @property
    def stream(self) -> str:
        return "pile"

    def training_set(self, shown: Shown, draws: torch.Generator) -> Shown:
        from ddiv.treatment.augment import augmented  # imports torch

        inputs = shown.inputs
        for name in self.names:
            inputs, _ = augmented(name, inputs, draws)
        return shown._replace(inputs=inputs)


class Unused(Part, frozen=True, tag="unused"):
    """The baseline again, as code leaves it that makes an augmented set and trains on the plain.

    An A/A arm. Nothing reads such a set, so it is not made here. What is left of it, in code
    without seeds, is that the batches come in another order: each choice of `names` has its own.
    """

    names: Names

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.names)

    @property
    def label(self) -> str:
        return f"{_pile(self.names)}, made and not used"

    @property
    def family(self) -> str:
        return CONTROL

    def order(self, stream: str) -> str:
        return f"{self.label}: {stream}"


class Normalised(Part, frozen=True, tag="normalised"):
    """Training images normalised by this mean and deviation of pixels in [0, 1], a number a colour;
    all images that the network is measured on by the network's own.

    By default they are those of ImageNet. The published code trains augmented arms so, and tests
    them with CLIP's.
    """

    mean: Channels = IMAGENET_MEAN
    deviation: Channels = IMAGENET_DEVIATION

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.deviation) <= 0:
            raise ValueError(f"a deviation is above 0, got {self.deviation}")

    @property
    def label(self) -> str:
        if (self.mean, self.deviation) == (IMAGENET_MEAN, IMAGENET_DEVIATION):
            return "trained in ImageNet's normalisation"
        numbers = ("/".join(f"{one:g}" for one in each) for each in (self.mean, self.deviation))
        return "trained in the normalisation {} and {}".format(*numbers)

    @property
    def family(self) -> str:
        return "normalisation"

    def network(self, network: Network, sites: DropoutSites) -> None:
        """Scale and shift what goes into the encoder, in training only.

        Raises TrialFailed, at the first step, where that is no image.
        """
        mean, deviation = (
            network.mean.new_tensor(each).view(3, 1, 1) for each in (self.mean, self.deviation)
        )
        # Buffers, so that they go to the network's device and into copies of it.
        for name, tensor in (
            ("training_scale", network.deviation / deviation),
            ("training_shift", (network.mean - mean) / deviation),
        ):
            network.encoder.register_buffer(name, tensor, persistent=False)
        network.encoder.register_forward_pre_hook(_rescaled)


def _rescaled(encoder: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    """Normalised images as the training normalises them; None, so unchanged, in evaluation."""
    if not inputs[0].is_floating_point():
        raise TrialFailed(
            "texts have no pixels to normalise: leave the part Normalised out of the treatment"
        )
    if not encoder.training:
        return None
    scale, shift = encoder.get_buffer("training_scale"), encoder.get_buffer("training_shift")
    return (inputs[0] * scale + shift, *inputs[1:])


def _require(names: Names) -> None:
    """Raise ValueError on a pile that cannot be made."""
    if not names:
        raise ValueError("a pile has one augmentation or more: name some")
    for name in names:
        if isinstance(name, str):
            require_name("the name of an augmentation", name)
    if mixing := [name for name in names if name in MIXING]:
        raise ValueError(
            f"{mixing[0]} mixes labels, and a set that is made once has one label an example: "
            "leave it out, or let Augmentation draw it"
        )


def _pile(names: Names) -> str:
    """The names from the first applied on; a start of the published list by its last."""
    if 1 < len(names) and names == AS_CODED[: len(names)]:
        return f"pile up to {names[-1]}"
    return " > ".join(map(label_of, names))
