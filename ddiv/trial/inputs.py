"""Inputs of networks: images uint8 (n, 3, h, w) or texts (n,) of str, augmented, as tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddiv.common.texts import are_texts
from ddiv.data.dataset import Shown
from ddiv.study import Backbone, Bert, Gru
from ddiv.treatment.augment import as_tensor
from ddiv.treatment.mixing import Mixed
from ddiv.trial.hooks import Shows, batch_shown

# The most that the inputs of one trial, all its sets together, take of a GPU: bytes, and a share of
# its free memory. Other trials need theirs (`ddiv.trial.devices.TRIAL_BYTES`). 50,000 images of 224
# pixels are 7.5e9 bytes.
RESIDENT_BYTES, RESIDENT_SHARE = 8 << 30, 1 / 3

# A training set is gathered and augmented in portions of this size: a second, augmented copy of a
# large set would not fit.
PORTION_BYTES = 1 << 27


def tensor(inputs: np.ndarray, backbone: Backbone) -> Tensor:
    """What a network takes: images uint8 (n, 3, h, w), or the tokens of texts int64 (n, length)."""
    if isinstance(backbone, Bert | Gru) != are_texts(inputs):
        kind = "texts" if are_texts(inputs) else "images"
        raise ValueError(
            f"the backbone {type(backbone).__name__} does not read {kind}: give its study data "
            "that it reads"
        )
    if isinstance(backbone, Bert | Gru):
        from ddiv.models.bert import tokenise

        return tokenise(backbone.tokens if isinstance(backbone, Gru) else backbone, inputs)
    return as_tensor(inputs)


def placed(
    sets: Iterable[Tensor], device: torch.device, beside: Sequence[Tensor] = ()
) -> list[Tensor]:
    """Sets of inputs of a trial, on the device where they fit.

    `beside` are the sets of the trial that were placed before. They are placed one by one: a set
    that would exceed their limit on a GPU (`RESIDENT_BYTES`) stays where it is.
    """
    resident = list(beside)
    for inputs in sets:
        fits = device.type != "cuda" or _fits(inputs, resident, device)
        resident.append(inputs.to(device) if fits else inputs)
    return resident[len(beside) :]


def _fits(inputs: Tensor, beside: Sequence[Tensor], device: torch.device) -> bool:
    taken = sum(inputs.nbytes for inputs in beside if inputs.device.type == "cuda")
    # torch keeps this memory in reserve, so it is free to this process
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + kept
    return taken + inputs.nbytes <= min(RESIDENT_BYTES, RESIDENT_SHARE * (taken + free))


def brought(inputs: Tensor, device: torch.device) -> Tensor:
    """A part of a set that `placed` returned, on the device."""
    if device.type == "cuda" and inputs.device.type == "cpu":
        inputs = inputs.pin_memory()  # the copy of unpinned memory would hold up both sides
    return inputs.to(device, non_blocking=True)


@dataclass(frozen=True)
class Examples:
    """A training set.

    `raw` are the inputs as augmentations of texts take them, `inputs` the same as tensors
    (`placed`), `labels` (n,) lie on the device.
    """

    raw: np.ndarray
    inputs: Tensor
    labels: Tensor
    backbone: Backbone

    @classmethod
    def of(cls, shown: Shown, backbone: Backbone, device: torch.device) -> Examples:
        """A training set for a backbone; raises ValueError where that does not read such inputs."""
        (inputs,) = placed([tensor(shown.inputs, backbone)], device)
        return cls(shown.inputs, inputs, torch.from_numpy(shown.labels).long().to(device), backbone)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def drawn_on(self) -> torch.device:
        """The device on which `epoch` draws augmentations.

        Images take as many draws as they have pixels, so these are made where the pixels are.
        """
        return torch.device("cpu") if are_texts(self.raw) else self.labels.device

    def epoch(
        self, order: Tensor, batch: int, shows: Sequence[Shows] = ()
    ) -> Iterator[tuple[Tensor, ...]]:
        """The examples in this order (n,), as these parts show them, in batches on the device.

        A batch is (inputs, labels); under an augmentation that mixes labels it is (inputs, labels,
        the labels mixed in, the shares that its own labels keep).

        The order is cut into portions of whole batches. Each is gathered and shown in the order of
        the training set; images are mixed with others of the same portion.
        """
        device = self.labels.device
        batches = max(1, PORTION_BYTES // (self.inputs[0].nbytes * batch))
        for portion in torch.split(order, batches * batch):
            places = portion.sort().values
            labels = self.labels[places.to(device)]
            inputs, mixed = self._drawn(places, shows)
            numbers = torch.searchsorted(places, portion).to(device)
            for index in torch.split(numbers, batch):
                yield inputs[index], labels[index], *(mixed.targets(labels, index) if mixed else ())

    def _drawn(self, places: Tensor, shows: Sequence[Shows]) -> tuple[Tensor, Mixed | None]:
        device = self.labels.device
        if shows and are_texts(self.raw):
            texts, mixed = batch_shown(self.raw[places.numpy()], shows)
            if mixed:
                mixed = Mixed(mixed.partner.to(device), mixed.weight.to(device))
            return tensor(np.asarray(texts), self.backbone).to(device), mixed
        inputs = brought(self.inputs[places.to(self.inputs.device)], device)
        images, mixed = batch_shown(inputs, shows)
        return torch.as_tensor(images), mixed
