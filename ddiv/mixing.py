"""Augmentations that mix two images and their labels: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ddiv.augment import augment

MIXING = ("cutmix", "mixup")


@dataclass(frozen=True)
class Mixed:
    """Whom each image was mixed with (n,), and the share (n,) of its own label that it keeps."""

    partner: Tensor
    weight: Tensor

    def loss(self, outputs: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The mean cross-entropy of a batch `index` against both labels, weighted by their shares."""
        own = F.cross_entropy(outputs, labels[index], reduction="none")
        other = F.cross_entropy(outputs, labels[self.partner.to(labels.device)[index]], reduction="none")
        weight = self.weight.to(labels.device)[index]
        return (weight * own + (1 - weight) * other).mean()


def augmented(name: str, images: Tensor, generator: Generator) -> tuple[Tensor, Mixed | None]:
    """Images uint8 (n, 3, h, w) under an augmentation, and how their labels were mixed (None where they were not).

    Raises ValueError as `augment` does.
    """
    if name not in MIXING:
        return augment(name, images, generator), None
    n, _, height, width = images.shape
    partner = torch.randperm(n, generator=generator)
    weight = torch.rand(n, generator=generator)  # Beta(1, 1), as in both papers
    others = images[partner]
    if name == "mixup":
        share = weight[:, None, None, None]
        return (share * images + (1 - share) * others).round_().to(torch.uint8), Mixed(partner, weight)
    box = _boxes(weight, height, width, generator)
    kept = 1 - box.flatten(1).float().mean(1)
    return torch.where(box[:, None], others, images), Mixed(partner, kept)


def _boxes(weight: Tensor, height: int, width: int, generator: Generator) -> Tensor:
    """(n, h, w) bool: a box of area 1 - weight around a uniform centre, cut at the border."""
    side = (1 - weight).sqrt()
    inside = []
    for length in (height, width):
        half = (side * length / 2)[:, None]
        centre = torch.rand((len(weight), 1), generator=generator) * length
        at = torch.arange(length) + 0.5
        inside.append((at - centre).abs() <= half)
    return inside[0][:, :, None] & inside[1][:, None, :]
