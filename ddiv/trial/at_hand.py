"""What a user's own outcome of a trained network is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor, device, nn


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and the data on which it is measured.

    - `network`: from inputs to logits (n, classes), float32; in evaluation mode, on `device`;
    - `inputs`, `labels`: the training set without augmentation. Inputs are images uint8
      (n, 3, h, w) or tokens int64 (n, length), labels are int64 (n,). On a GPU a large set may lie
      in main memory: `batches` brings it;
    - `tests`: the same of each test domain, by name: (inputs, labels);
    - `draws`: a generator on the CPU, seeded anew for every call by the trial's seed and the
      outcome's name, so that all arms of a seed draw alike.
    """

    network: nn.Module
    inputs: Tensor
    labels: Tensor
    tests: Mapping[str, tuple[Tensor, Tensor]]
    device: device
    draws: Generator

    def batches(
        self, size: int = 256, domain: str | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) on the device, `size` at a time: of the training set, or of a domain."""
        inputs, labels = self.tests[domain] if domain else (self.inputs, self.labels)
        for at in range(0, len(labels), size):
            part = slice(at, at + size)
            yield inputs[part].to(self.device), labels[part].to(self.device)
