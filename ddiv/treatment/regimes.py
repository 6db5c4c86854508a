"""Parts by which training from a checkpoint and from random weights are compared, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddiv.treatment.part import CONTROL, Part

if TYPE_CHECKING:
    import torch

    from ddiv.models.network import DropoutSites, Network


class Again(Part, frozen=True, tag="again"):
    """As the no-op: one of several repeats, each with its batches in an order of its own."""

    number: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(0, "number")

    @property
    def label(self) -> str:
        return f"repeat {self.number}"

    @property
    def family(self) -> str:
        return CONTROL

    @property
    def does_nothing(self) -> bool:
        return self.number == 0

    def order(self, stream: str) -> str:
        return f"repeat {self.number} {stream}"


class Traced(Part, frozen=True, tag="traced"):
    """The arm is measured at the recipe's checkpoints too, as the baseline is; nothing else."""

    @property
    def label(self) -> str:
        return "traced"

    @property
    def family(self) -> str:
        return "traced"


class FromScratch(Part, frozen=True, tag="from-scratch"):
    """The pre-trained encoder begins at random weights (`ddiv.treatment.at_random`).

    Its learning rate is the recipe's times `rate`, since one that keeps what a checkpoint knows is
    too small to learn it.
    """

    rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1000:
            raise ValueError(f"a factor of the learning rate lies in (0, 1000], got {self.rate}")

    @property
    def label(self) -> str:
        return "from scratch"

    @property
    def family(self) -> str:
        return "from scratch"

    def network(self, network: Network, sites: DropoutSites) -> None:
        from ddiv.treatment.at_random import at_random

        at_random(network.encoder)

    def optimiser(self, optimiser: torch.optim.Optimizer, network: Network) -> None:
        trained = set(network.encoder.parameters())
        for group in optimiser.param_groups:
            if trained.issuperset(group["params"]):
                group["lr"] *= self.rate
