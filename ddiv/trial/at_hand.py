"""What functions of a user's own are given: an outcome a trained network, an experiment draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.study import Data

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator, Tensor, device, nn

    from ddiv.data.dataset import Dataset


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


@dataclass(frozen=True)
class Draws:
    """All that one replicate of an experiment draws: streams of random numbers, and data.

    A stream is named by its purpose, and begins anew whenever it is asked for: calls of one
    function at one seed with different options draw alike from streams of one name, so that they
    are paired. `device` is where networks may be trained.
    """

    number: int
    spec: Data | None
    device: device

    def numpy(self, purpose: str) -> np.random.Generator:
        """NumPy's generator for this purpose."""
        import numpy as np

        return np.random.default_rng(stream(self.number, purpose))

    def torch(self, purpose: str) -> Generator:
        """Torch's generator for this purpose, on the CPU, so that devices agree on draws."""
        return generator(self.number, purpose)

    @property
    def data(self) -> Dataset:
        """The study's data, drawn anew for this replicate. Raises TrialFailed where it has none."""
        if self.spec is None:
            raise TrialFailed("the study of this experiment has no `data`: give it some")
        from ddiv.data.load import load

        return load(self.spec)
