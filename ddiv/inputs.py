"""What networks are given: images uint8 (n, 3, h, w) or texts (n,) of str, augmented, and made tensors of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ddiv.backbone import normalise
from ddiv.datasets import are_texts
from ddiv.mixing import Mixed, augmented as augmented_images
from ddiv.study import Backbone, Bert


def augmented(name: str, inputs: np.ndarray, draws: torch.Generator) -> tuple[np.ndarray, Mixed | None]:
    """Inputs under an augmentation, and how their labels were mixed (None where they were not).

    Raises ValueError on an augmentation that is none of images, or of texts.
    """
    if are_texts(inputs):
        from ddiv.text.augment import augment

        return augment(name, inputs, draws), None
    images, mixed = augmented_images(name, torch.from_numpy(inputs), draws)
    return images.numpy(), mixed


def tensor(inputs: np.ndarray, backbone: Backbone) -> Tensor:
    """What a backbone takes: normalised images float32 (n, 3, h, w), or the tokens of texts int64 (n, length)."""
    if isinstance(backbone, Bert) != are_texts(inputs):
        kind = "texts" if are_texts(inputs) else "images"
        raise ValueError(f"the backbone {type(backbone).__name__} does not read {kind}: give its study data that it reads")
    if isinstance(backbone, Bert):
        from ddiv.models.bert import tokenise

        return tokenise(backbone, inputs)
    return normalise(torch.from_numpy(inputs))
