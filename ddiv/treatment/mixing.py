"""Augmentations that mix images and labels: mixup (Zhang et al. 2018), CutMix (Yun et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ddiv.treatment.names import MIXING
from ddiv.treatment.own_augmentation import OwnAugmentation, augmented_images


@dataclass(frozen=True)
class Mixed:
    """How the labels of n images were mixed; tensors (n,) on the images' device.

    `partner` is the image that each was mixed with, `weight` the share of its own label that it
    keeps.
    """

    partner: Tensor
    weight: Tensor

    def targets(self, labels: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """The labels mixed into a batch (k,), and the shares (k,) that its own labels keep.

        `labels` (n,) are those of all images, `index` (k,) says which of them are in the batch.
        """
        return labels[self.partner[index]], self.weight[index]


def mean_loss(
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    outputs: Tensor,
    labels: Tensor,
    others: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """The mean loss of outputs (k, classes) against labels (k,).

    `loss` gives that of each example, (k,); None is the cross-entropy. Given `others` and `weight`
    as `Mixed.targets` returns them, it is the mixture of the losses against both labels. Both are
    given, or neither.
    """
    if others is None or weight is None:
        return F.cross_entropy(outputs, labels) if loss is None else loss(outputs, labels).mean()
    loss = loss or partial(F.cross_entropy, reduction="none")
    return (weight * loss(outputs, labels) + (1 - weight) * loss(outputs, others)).mean()


def augmented(
    name: str | OwnAugmentation, images: Tensor, generator: Generator
) -> tuple[Tensor, Mixed | None]:
    """Images uint8 (n, 3, h, w) under an augmentation, and how their labels were mixed.

    The second is None where labels were not mixed. Draws are made on the generator's device, the
    rest is computed on the images'. Raises ValueError as `augment` does, and the errors of
    `own_augmentation.augmented_images`.
    """
    if not isinstance(name, str):
        return augmented_images(name, images, generator), None
    if name not in MIXING:
        # Not at the top: torchvision takes a second, and a run of stored records never needs it.
        from ddiv.treatment.images import augment

        return augment(name, images, generator), None
    n, _, height, width = images.shape
    partner = torch.randperm(n, generator=generator, device=generator.device).to(images.device)
    # Beta(1, 1), as in both papers
    weight = torch.rand(n, generator=generator, device=generator.device).to(images.device)
    others = images[partner]
    if name == "mixup":
        share = weight[:, None, None, None]
        mixture = (share * images + (1 - share) * others).round_().to(torch.uint8)
        return mixture, Mixed(partner, weight)
    box = _boxes(weight, height, width, generator)
    kept = 1 - box.flatten(1).float().mean(1)
    return torch.where(box[:, None], others, images), Mixed(partner, kept)


def _boxes(weight: Tensor, height: int, width: int, generator: Generator) -> Tensor:
    """(n, h, w) bool: a box of area 1 - weight around a uniform centre, cut at the border."""
    side = (1 - weight).sqrt()
    inside = []
    for length in (height, width):
        half = (side * length / 2)[:, None]
        place = torch.rand((len(weight), 1), generator=generator, device=generator.device)
        centre = place.to(weight.device) * length
        pixel = torch.arange(length, device=weight.device) + 0.5
        inside.append((pixel - centre).abs() <= half)
    return inside[0][:, :, None] & inside[1][:, None, :]
