"""What networks are given: images uint8 (n, 3, h, w) or texts (n,) of str, augmented, and made tensors of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from ddiv.augment import AUGMENTATIONS
from ddiv.datasets import Shown, are_texts
from ddiv.mixing import MIXING, Mixed, augmented as augmented_images
from ddiv.study import Backbone, Bert

# A set of inputs lies on a GPU as a whole where it takes at most this share of what is free there: other trials need theirs.
RESIDENT_SHARE = 0.25

# So much of a training set is gathered and augmented at once: a second, augmented copy of a large set would be too much.
PORTION_BYTES = 1 << 27


def augmented(name: str, inputs: np.ndarray, draws: Generator) -> tuple[np.ndarray, Mixed | None]:
    """Inputs under an augmentation, and how their labels were mixed (None where they were not).

    Raises ValueError on an augmentation that is none of images, or of texts.
    """
    if are_texts(inputs):
        from ddiv.text.augment import augment

        return augment(name, inputs, draws), None
    images, mixed = augmented_images(name, _shared(inputs), draws)
    return images.numpy(), mixed


def require_augmentation(name: str, texts: bool) -> None:
    """Raise ValueError, naming those that there are, on an augmentation that is none of texts, or of images."""
    if texts:
        from ddiv.text.augment import require

        require(name)
    elif name not in (known := (*AUGMENTATIONS, *MIXING)):
        raise ValueError(f"unknown augmentation {name!r}; known: {', '.join(known)}")


def tensor(inputs: np.ndarray, backbone: Backbone) -> Tensor:
    """What a network takes: images uint8 (n, 3, h, w), or the tokens of texts int64 (n, length)."""
    if isinstance(backbone, Bert) != are_texts(inputs):
        kind = "texts" if are_texts(inputs) else "images"
        raise ValueError(f"the backbone {type(backbone).__name__} does not read {kind}: give its study data that it reads")
    if isinstance(backbone, Bert):
        from ddiv.models.bert import tokenise

        return tokenise(backbone, inputs)
    return _shared(inputs)


def _shared(inputs: np.ndarray) -> Tensor:
    """The array's memory as a tensor; of a memory-mapped file pages are read when they are used."""
    with warnings.catch_warnings():
        # A mapped file is read-only, and nothing here writes to inputs.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(inputs)


def placed(inputs: Tensor, device: torch.device) -> Tensor:
    """The inputs on the device, or where they are if they would take more than `RESIDENT_SHARE` of a GPU's free memory."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch: free to this process
        if inputs.nbytes > RESIDENT_SHARE * (torch.cuda.mem_get_info(device)[0] + kept):
            return inputs
    return inputs.to(device)


def brought(inputs: Tensor, device: torch.device) -> Tensor:
    """A part of what `placed` gave, on the device."""
    if device.type == "cuda" and inputs.device.type == "cpu":
        inputs = inputs.pin_memory()  # else the copy would hold up both sides
    return inputs.to(device, non_blocking=True)


@dataclass(frozen=True)
class Examples:
    """A training set: inputs as augmentations of texts take them and as tensors (`placed`), labels (n,) on the device."""

    raw: np.ndarray
    inputs: Tensor
    labels: Tensor
    backbone: Backbone

    @classmethod
    def of(cls, shown: Shown, backbone: Backbone, device: torch.device) -> Examples:
        """Raises ValueError where the backbone does not read such inputs."""
        inputs = placed(tensor(shown.inputs, backbone), device)
        return cls(shown.inputs, inputs, torch.from_numpy(shown.labels).long().to(device), backbone)

    def __len__(self) -> int:
        return len(self.labels)

    def epoch(self, order: Tensor, batch: int, augmentation: str | None, draws: Generator) -> Iterator[tuple[Tensor, ...]]:
        """The examples in this order (n,) as batches of tensors on the device: (inputs, labels), and with an augmentation
        that mixes labels (inputs, labels, the labels mixed in, the shares of the own labels).

        The order is cut into portions of whole batches. Each is gathered and augmented in the order of the training
        set; partners to mix with come from the same portion.
        """
        device = self.labels.device
        for portion in order.split(max(1, PORTION_BYTES // (self.inputs[0].nbytes * batch)) * batch):
            places = portion.sort().values
            labels = self.labels[places.to(device)]
            inputs, mixed = self._drawn(places, augmentation, draws)
            for index in torch.searchsorted(places, portion).to(device).split(batch):
                yield inputs[index], labels[index], *(mixed.targets(labels, index) if mixed else ())

    def _drawn(self, places: Tensor, augmentation: str | None, draws: Generator) -> tuple[Tensor, Mixed | None]:
        device = self.labels.device
        if augmentation is not None and are_texts(self.raw):
            texts, _ = augmented(augmentation, self.raw[places.numpy()], draws)
            return tensor(texts, self.backbone).to(device), None
        inputs = brought(self.inputs[places.to(self.inputs.device)], device)
        return (inputs, None) if augmentation is None else augmented_images(augmentation, inputs, draws)
