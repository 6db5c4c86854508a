"""A network as training sees it: what it takes, its classification layer, its dropout sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddiv.common.errors import TrialFailed


class ImageInput(NamedTuple):
    """How a network takes images: mean and deviation of each channel, and the side of the images.

    Mean and deviation are those of pixels in [0, 1]; by default normalised pixels fill [-2, 2].
    `side` is the only side in pixels that the network takes, 0 if it takes any.
    """

    mean: Sequence[float] = (0.5, 0.5, 0.5)
    deviation: Sequence[float] = (0.25, 0.25, 0.25)
    side: int = 0


# The photographs of ImageNet, on which torchvision's models are trained.
IMAGENET = ImageInput((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Network(nn.Module):
    """An encoder to features (n, d), and a linear layer from features to outputs (n, classes).

    The encoder takes images (n, 3, h, w) or tokens (n, length). Images are uint8 and are normalised
    here, batch by batch, so that a training set takes a quarter of the memory on the device. Raises
    TrialFailed on images of another side than the encoder takes. `images` is `ImageInput()` by
    default.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, encoder: nn.Module, width: int, classes: int, images: ImageInput | None = None
    ) -> None:
        super().__init__()
        images = images or ImageInput()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)
        self.side = images.side
        self.register_buffer("mean", torch.tensor(images.mean).view(3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(images.deviation).view(3, 1, 1), persistent=False
        )
        self._kept_modes: dict[str, bool] = {}

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for part, training in self._kept_modes.items():
            self.get_submodule(part).train(training)
        return self

    def keep_modes(self, encoder: bool, head: bool) -> None:
        """From now on leave the encoder in evaluation mode, and the head in training mode, whatever
        mode the network is put in.
        """
        self._kept_modes |= {"encoder": False} if encoder else {}
        self._kept_modes |= {"head": True} if head else {}
        self.train(self.training)

    def rectify(self) -> None:
        """Pass the outputs through a ReLU, in training and in evaluation."""
        self.register_forward_hook(lambda network, inputs, outputs: F.relu(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.features(inputs))
        return outputs

    def features(self, inputs: Tensor) -> Tensor:
        """The input (n, d) of the classification layer."""
        if inputs.dtype == torch.uint8:
            height, width = inputs.shape[2:]
            if self.side and (height, width) != (self.side, self.side):
                raise TrialFailed(
                    f"the backbone takes images of {self.side} x {self.side} pixels, the data has "
                    f"{width} x {height}: give the study data with side={self.side}"
                )
            inputs = normalise(inputs, self.mean, self.deviation)
        features: Tensor = self.encoder(inputs)
        return features


@dataclass(frozen=True)
class DropoutSites:
    """Where v1 section 3.2 puts dropout: on the output of these modules, and before the head.

    `attention`: the modules that hold the rate at which the attention of a BERT drops its weights.
    """

    encoder: tuple[nn.Module, ...]
    head: nn.Module
    attention: tuple[nn.Dropout, ...] = ()

    def drop(self, rate: float, where: str = "all", *, only_evaluating: bool = False) -> None:
        """Drop activations at the sites in training; or in evaluation only.

        where: "all", "head" or "encoder". Hooks do it, so that parameters keep their names.
        Attention drops its weights in training only, because transformers' own code decides that.
        Raises TrialFailed on dropout within an encoder that has no place for it; the network raises
        it where the output of a site is no tensor.
        """
        if where == "encoder" and not self.encoder:
            raise TrialFailed(
                "the backbone has no places for dropout in its encoder: leave the study's "
                "single_placement_rates empty, or give the encoder `dropout_sites` if it is an own "
                "model"
            )

        def drop(module: nn.Module, values: object) -> Tensor:
            if not isinstance(values, Tensor) or not values.is_floating_point():
                raise TrialFailed(
                    f"dropout acts on a tensor of numbers, and the output of its site, "
                    f"{self._place(module)}, is a {type(values).__name__}: name another site, or "
                    "let a module of yours return the tensor and name that one"
                )
            return F.dropout(values, rate, module.training != only_evaluating)

        if where in ("all", "encoder"):
            for module in self.encoder:
                module.register_forward_hook(lambda module, _, output: drop(module, output))
            for module in () if only_evaluating else self.attention:
                module.p = rate
        if where in ("all", "head"):
            self.head.register_forward_pre_hook(lambda module, inputs: (drop(module, inputs[0]),))

    def _place(self, module: nn.Module) -> str:
        """A site in words: its place among the `dropout_sites`, and its class."""
        kind = type(module).__name__
        places = [number for number, site in enumerate(self.encoder) if site is module]
        return f"dropout_sites[{places[0]}] ({kind})" if places else f"the head ({kind})"


def normalise(
    images: Tensor, mean: Tensor | float = 0.5, deviation: Tensor | float = 0.25
) -> Tensor:
    """uint8 (n, 3, h, w) to float32, by mean and deviation of pixels in [0, 1].

    With the defaults the result fills [-2, 2].
    """
    # in place, because on a CPU new memory costs more than the arithmetic
    values = images.to(torch.float32, copy=True)
    return values.div_(255).sub_(mean).div_(deviation)
