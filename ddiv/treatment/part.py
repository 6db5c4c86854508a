"""What a treatment is made of: parts, each with hooks into training.

A part of one's own is a class in a study's or a claim's file:

    class LabelSmoothing(Part, frozen=True):
        amount: float

        def loss(self, outputs, labels):
            return F.cross_entropy(outputs, labels, label_smoothing=self.amount, reduction="none")

    ARM = Treatment.of(LabelSmoothing(0.1))
    LADDER = ladder(LabelSmoothing, (0.05, 0.1, 0.2))  # the baseline first

The parts of ddiv's own (`ddiv.treatment.parts`) are written in the same way: copy the nearest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Literal

from ddiv.common.own import OwnValue, made
from ddiv.common.values import Value

# The family of arms that nobody recommends.
CONTROL = "control"

if TYPE_CHECKING:  # a part is a value, which plans and reports use without torch
    import numpy as np
    import torch
    from torch import Tensor

    from ddiv.data.dataset import Shown
    from ddiv.models.network import DropoutSites, Network
    from ddiv.study import Recipe
    from ddiv.treatment.mixing import Mixed
    from ddiv.trial.schedule import Schedule

# Parts of a network that something is done to: all, only the classification layer, or the others.
Placement = Literal["all", "head", "encoder"]


class Part(Value, frozen=True):
    """One thing that is varied. Fields are its doses: numbers, texts, True or False.

    Training calls the hooks below in their order; a part overrides those that it needs. In a
    treatment of several parts each hook goes from part to part, in the order of their names. It is
    an error that a hook changes what it is given (other than `network` and `optimiser`, which are
    there to do so), or keeps something from call to call. On a GPU steps are captured as a CUDA
    graph: `loss`, `penalty` and `gradients` then run in Python a few times only, and should not
    wait for the device (`item()`, `if tensor:`).

    Only `batch` and `training_set` are given `draws`, and draw at random from these, which are the
    same for all arms of a seed. A draw from torch, numpy or random would move the draws of others,
    so it is an error (new weights in `network` aside). Noise in the network belongs into a module
    that `network` adds: its forward may draw from torch, as nn.Dropout does, whose generator every
    trial seeds.
    """

    def __post_init__(self) -> None:
        try:
            super().__post_init__()
        except (TypeError, NameError) as error:  # a type that no value has, or that is not there
            raise ValueError(
                f"the fields of the part {type(self).__name__} are doses, of the types float, int, "
                f"str and bool: {error}"
            ) from error

    @property
    def label(self) -> str:
        """The name of the class in words, and the doses."""
        doses = (getattr(self, name) for name in self.__struct_fields__)
        return " ".join([_words(self), *(_shown(dose) for dose in doses)])

    @property
    def family(self) -> str:
        """What plots and tables call arms of this part."""
        return _words(self)

    @property
    def does_nothing(self) -> bool:
        """Whether the arm is the baseline, as at a dose of 0."""
        return False

    @property
    def stream(self) -> str:
        """The random stream that `draws` come from; parts of other doses share it."""
        return _words(self)

    def seed(self, seed: int) -> int:
        """The seed of the random draws of this arm, in the replicate `seed`.

        Its data, and the checkpoint that it begins with, stay those of the replicate.
        """
        return seed

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe that the arm is trained by (`msgspec.structs.replace`)."""
        return recipe

    def training_set(self, shown: Shown, draws: torch.Generator) -> Shown:
        """The training set, `shown.inputs` and `shown.labels` as arrays (`shown._replace`).

        Clean accuracy and loss are not those on this set: they are measured on real examples with
        their own labels, half of each class, the same for all arms.
        """
        return shown

    def network(self, network: Network, sites: DropoutSites) -> None:
        """Change the network before its first step: add modules or hooks, freeze parameters.

        Trained is what belongs to `network.encoder` and `network.head`. New weights may be drawn
        from torch. What `penalty` needs later is kept in a buffer
        (`network.register_buffer(name, tensor, persistent=False)`).
        """

    def optimiser(self, optimiser: torch.optim.Optimizer, network: Network) -> None:
        """Change the optimiser: `optimiser.param_groups` are those of the encoder and the head.

        Their learning rates when this returns are those that the cosine begins with. What is done
        to weights beside the step is a hook of the optimiser's (`register_step_pre_hook`).
        """

    def schedule(self, schedule: Schedule) -> Schedule:
        """The steps (`schedule._replace`): how many are planned, and which is the last."""
        return schedule

    def order(self, stream: str) -> str:
        """The random stream that the order of examples comes from."""
        return stream

    def batch(
        self, inputs: Tensor | np.ndarray, draws: torch.Generator
    ) -> Tensor | np.ndarray | tuple[Tensor, Mixed]:
        """Some examples as they are shown: images uint8 (n, 3, h, w) on the device, or texts (n,).

        Drawn anew in each epoch, of one batch or of several at once; the same number is returned.
        Images may come with how their labels were mixed (`ddiv.treatment.mixing.Mixed`).
        """
        return inputs

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of each example (n,), in place of the cross-entropy.

        outputs: (n, classes), labels: (n,). At most one part of a treatment has this hook.
        """
        raise NotImplementedError

    def penalty(self, network: Network) -> Tensor:
        """A number, as a tensor of shape (), that is added to the mean loss of each batch."""
        raise NotImplementedError

    def gradients(self, network: Network, backward: Callable[[], Tensor]) -> Tensor:
        """Leave gradients in the parameters of the network, and return the loss of the batch.

        `backward()` does so: forward pass, loss, backward pass. It may be called several times,
        each of which replaces the gradients. At most one part of a treatment has this hook.
        """
        return backward()

    @property
    def hooks(self) -> frozenset[str]:
        """The names of the hooks that this part has of its own."""
        return _hooks(type(self))


HOOKS = (
    *("seed", "recipe", "training_set", "network", "optimiser", "schedule", "order", "batch"),
    *("loss", "penalty", "gradients"),
)

_DEFAULT = {name: getattr(Part, name) for name in HOOKS}


@cache
def _hooks(kind: type[Part]) -> frozenset[str]:
    return frozenset(name for name in HOOKS if getattr(kind, name) is not _DEFAULT[name])


class OwnPart(OwnValue, frozen=True, tag="own-part"):
    """The value that stands for a part of a user's own in keys and records.

    `options` are the doses by field. `title` is its label, `group` its family: reports show them
    without its code.
    """

    title: str = ""
    group: str = ""
    hooks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.title

    @property
    def family(self) -> str:
        return self.group

    def part(self) -> Part:
        """The part itself. Raises NoModel where no file of this run defines its class."""
        part: Part = made(self)
        return part


def _words(part: Part) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(part).__name__).lower()


def _shown(dose: object) -> str:
    return f"{dose:g}" if isinstance(dose, float) else str(dose)
