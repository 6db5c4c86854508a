"""Augmentations by name, of images or texts."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Generator, Tensor

from ddiv.common.own import absent
from ddiv.common.texts import are_texts
from ddiv.treatment.mixing import Mixed
from ddiv.treatment.mixing import augmented as augmented_images
from ddiv.treatment.names import KNOWN
from ddiv.treatment.own_augmentation import OwnAugmentation, augmented_texts


def augmented(
    name: str | OwnAugmentation, inputs: np.ndarray, draws: Generator
) -> tuple[np.ndarray, Mixed | None]:
    """Inputs under an augmentation, and how their labels were mixed (None where they were not).

    Raises ValueError on a name that is no augmentation of such inputs, and the errors of
    `own_augmentation.augmented_images`.
    """
    if are_texts(inputs):
        if not isinstance(name, str):
            return augmented_texts(name, inputs, draws), None
        from ddiv.treatment.texts import augment

        return augment(name, inputs, draws), None
    images, mixed = augmented_images(name, as_tensor(inputs), draws)
    return images.numpy(), mixed


def shown(
    name: str | OwnAugmentation, inputs: Tensor | np.ndarray, draws: Generator
) -> Tensor | np.ndarray | tuple[Tensor, Mixed]:
    """Examples under an augmentation, as `Part.batch` takes and returns them.

    Raises as `augmented`.
    """
    if not isinstance(inputs, Tensor):
        return augmented(name, inputs, draws)[0]
    images, mixed = augmented_images(name, inputs, draws)
    return images if mixed is None else (images, mixed)


def require_augmentation(name: str | OwnAugmentation, texts: bool) -> None:
    """Raise ValueError on a name that is no augmentation of texts (or of images).

    The message lists the known ones.
    """
    if not isinstance(name, str):
        if why := absent(name):
            raise ValueError(why)
    elif texts:
        from ddiv.treatment.texts import require

        require(name)
    elif name not in KNOWN:
        raise ValueError(f"unknown augmentation {name!r}; known: {', '.join(KNOWN)}")


def as_tensor(inputs: np.ndarray) -> Tensor:
    """The array's memory as a tensor; the pages of a memory-mapped file are read on use."""
    with warnings.catch_warnings():
        # A mapped file is read-only, and nothing here writes to inputs.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(inputs)
