"""Parts for what the paper's published code does and its text does not say, one departure each.

Source: the repository of the authors, commit 5949497, script `bert.py` and the sets of texts, read
and counted. The network there calls neither `train()` nor `eval()`, and its forward pass ends in a
ReLU, whose result goes to the cross-entropy. Its edited texts were made once, and stand in the
places of the originals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ddiv.common.errors import TrialFailed
from ddiv.common.values import require_name
from ddiv.treatment.own_augmentation import OwnAugmentation
from ddiv.treatment.part import Part, Placement

if TYPE_CHECKING:
    import torch

    from ddiv.data.dataset import Shown
    from ddiv.models.network import DropoutSites, Network

# The family of arms that differ from the baseline only in how the published code departs from the
# paper's text.
AS_CODED = "as coded"

# "synonym30-once50": half of the examples changed once by synonym30.
_ONCE = re.compile("(?P<name>.+)-once(?P<percent>100|[1-9][0-9]?)")


class Unswitched(Part, frozen=True, tag="unswitched"):
    """Training and evaluation modes are never switched, as where neither is ever called.

    A pre-trained encoder comes in evaluation mode and stays there: dropout within it never acts, as
    at a rate of 0, and batch norm keeps its statistics. What was added after it comes in training
    mode and stays there: dropout before the classification layer acts in evaluation too, with masks
    drawn from the trial's own stream, so that predictions are random, and the same in every run.
    `where`: "encoder" or "head" keeps the mode of that part only.
    """

    where: Placement = "all"

    @property
    def label(self) -> str:
        return {
            "all": "modes never switched",
            "encoder": "encoder never in training mode",
            "head": "head never in evaluation mode",
        }[self.where]

    @property
    def family(self) -> str:
        return AS_CODED

    def network(self, network: Network, sites: DropoutSites) -> None:
        network.keep_modes(encoder=self.where != "head", head=self.where != "encoder")


class Rectified(Part, frozen=True, tag="rectified"):
    """A ReLU on the outputs, in training before the loss and in evaluation alike.

    Classes whose output is negative share the output 0, and have no gradient through it.
    """

    @property
    def label(self) -> str:
        return "ReLU on the outputs"

    @property
    def family(self) -> str:
        return AS_CODED

    def network(self, network: Network, sites: DropoutSites) -> None:
        network.rectify()


class Once(Part, frozen=True, tag="once"):
    """A `share` in (0, 1] of the training examples changed by an augmentation, once, before
    training.

    They take the places of the originals, and stay as they are in all epochs. With equal draws a
    larger share changes all examples that a smaller one changes.
    """

    name: str
    share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name("the name of an augmentation", self.name)
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share of changed examples lies in [0, 1], got {self.share}")

    @property
    def label(self) -> str:
        return f"{self.name} once, in {self.share:.0%} of the examples"

    @property
    def family(self) -> str:
        return "augmentation"

    @property
    def does_nothing(self) -> bool:
        return self.share == 0

    def training_set(self, shown: Shown, draws: torch.Generator) -> Shown:
        from ddiv.common.draws import permutation
        from ddiv.treatment.augment import augmented  # imports torch

        count = len(shown.inputs)
        places = permutation(count, draws)[: round(self.share * count)]
        inputs = shown.inputs.copy()
        changed, mixed = augmented(self.name, inputs[places], draws)
        if mixed is not None:
            raise TrialFailed(
                f"{self.name} mixes labels, which an example changed once does not have: take "
                "another augmentation"
            )
        inputs[places] = changed
        return shown._replace(inputs=inputs)


def once(name: str | OwnAugmentation) -> Once | None:
    """The part that a name like "synonym30-once50" stands for; None for any other name."""
    found = _ONCE.fullmatch(name) if isinstance(name, str) else None
    return Once(found["name"], int(found["percent"]) / 100) if found else None
