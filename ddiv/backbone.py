"""Backbones as networks: an image encoder, a classification layer, and the places for dropout."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddiv.errors import TrialFailed
from ddiv.study import (
    Backbone,
    Bert,
    Clip,
    Embedder,
    MiniAlexNet,
    OpenClip,
    OwnModel,
    ResNet18,
    TorchvisionModel,
)
from ddiv.treatment import Dropout, EvaluationDropout

if TYPE_CHECKING:
    from open_clip import CLIP
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.transformer import VisionTransformer


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


def build(backbone: Backbone, classes: Sequence[str]) -> tuple[Network, DropoutSites]:
    """A new network for classes of these names, and its places for dropout.

    Fresh weights are drawn from torch's global generator. Batch norm is as torch has it: in
    training it normalises by the batch, which also moves the running averages; in evaluation it
    normalises by these.

    - CLIP: the pre-trained image tower and a classification layer, random or (open_clip's models)
      zero-shot. The text tower is left out: in the paper it is frozen and takes no part in
      classification.
    - BERT: the pre-trained encoder and a random classification layer on its pooled output. Dropout
      is where its own configuration has it, and before the classification layer.
    - A user's own encoder: the function that makes it decides.
    - The others: all weights are random.

    Raises NoModel where weights are missing, TrialFailed where there is no such architecture.
    """
    match backbone:
        case Clip() | OpenClip():
            return _clip_network(backbone, classes)
        case ResNet18():
            return _resnet18(backbone, len(classes))
        case MiniAlexNet():
            return _mini_alexnet(backbone, len(classes))
        case TorchvisionModel():
            return _torchvision(backbone, len(classes))
        case Bert():
            return _bert(backbone, len(classes))
        case OwnModel():
            from ddiv.models.own import build_own

            return build_own(backbone, len(classes))
    raise TypeError(f"no network for {backbone!r}")


def _clip_network(
    backbone: Clip | OpenClip, classes: Sequence[str]
) -> tuple[Network, DropoutSites]:
    visual = image_tower(backbone)
    network = Network(visual, visual.output_dim, len(classes), clip_input(visual))
    if isinstance(backbone, OpenClip) and backbone.head == "zero-shot":
        _start_zero_shot(network, backbone, tuple(classes))
    if hasattr(visual, "layer4"):
        return network, DropoutSites(_blocks(visual), network.head)
    # "In the hidden layers, dropout is applied after the normalization layer."
    norms = tuple(
        norm for block in visual.transformer.resblocks for norm in (block.ln_1, block.ln_2)
    )
    return network, DropoutSites(norms, network.head)


def _resnet18(backbone: ResNet18, classes: int) -> tuple[Network, DropoutSites]:
    from ddiv.models.from_scratch import ResNetEncoder

    encoder = ResNetEncoder(backbone.width, backbone.stem_stride)
    # Up to a sixth faster in training on a CPU; shapes and meaning stay.
    encoder.to(memory_format=torch.channels_last)
    network = Network(encoder, encoder.width, classes)
    return network, DropoutSites(_blocks(encoder), network.head)


def _mini_alexnet(backbone: MiniAlexNet, classes: int) -> tuple[Network, DropoutSites]:
    from ddiv.models.from_scratch import mini_alexnet

    encoder = mini_alexnet(backbone.width, backbone.hidden)
    network = Network(encoder, backbone.hidden, classes)
    # The output of the last ReLU is left out: it is the input of the head, which has its own place.
    sites = tuple(encoder.get_submodule(name) for name in ("pool1", "pool2", "relu3"))
    return network, DropoutSites(sites, network.head)


def _torchvision(backbone: TorchvisionModel, classes: int) -> tuple[Network, DropoutSites]:
    from ddiv.models.from_scratch import torchvision_classifier

    encoder, head = torchvision_classifier(backbone.name, classes)
    encoder.to(memory_format=torch.channels_last)
    # vision transformers take one size
    images = IMAGENET._replace(side=getattr(encoder, "image_size", 0))
    network = Network(encoder, head.in_features, classes, images)
    network.head = head
    sites = _blocks(encoder) if hasattr(encoder, "layer4") else ()
    return network, DropoutSites(sites, head)


def _bert(backbone: Bert, classes: int) -> tuple[Network, DropoutSites]:
    from ddiv.models.bert import load

    encoder = load(backbone).encoder
    network = Network(encoder, encoder.width, classes)
    sites = DropoutSites(encoder.hidden_dropouts, network.head, encoder.attention_dropouts)
    return network, sites


def _blocks(resnet: nn.Module) -> tuple[nn.Module, ...]:
    # "For CLIP-ResNet50, we add dropout after each block."
    stages = [resnet.get_submodule(f"layer{number}") for number in range(1, 5)]
    return tuple(block for stage in stages for block in stage.children())


def _start_zero_shot(network: Network, backbone: OpenClip, classes: tuple[str, ...]) -> None:
    from ddiv.models.open_clip_models import zero_shot_weights

    # CLIP compares directions, so features are scaled to length 1. Unscaled ones would make logits
    # about ten times as large.
    network.encoder.register_forward_hook(
        lambda module, inputs, features: F.normalize(features, dim=1)
    )
    with torch.no_grad():
        network.head.weight.copy_(zero_shot_weights(backbone.model, backbone.pretrained, classes))
        network.head.bias.zero_()


def absent(model: Backbone | Embedder) -> str | None:
    """In one line why a backbone or an embedder is not at hand and how to get it; None where it is.

    Also None where it can never be had: then the trial fails and says why. Reads no weights.
    """
    match model:
        case OpenClip():
            from ddiv.models import open_clip_models

            return open_clip_models.absent(model)
        case Bert():
            from ddiv.models import bert_files

            return bert_files.absent(model.weights)
        case OwnModel():
            from ddiv.models import own

            return own.absent(model)
    return None


# --- CLIP ---------------------------------------------------------------------------------------


def clip_model(backbone: Clip | OpenClip) -> CLIP:
    """The pre-trained open_clip model that a spec names, in evaluation mode, on the CPU.

    The caller gets a copy of its own. Its `visual.image_mean` and `image_std` are those of pixels.
    Raises ValueError on other weights than the shipped ones of a Clip, NoModel where those of an
    OpenClip cannot be had.
    """
    from ddiv.models import embedded_weights
    from ddiv.models.clip import load_embedded_clip

    if isinstance(backbone, OpenClip):
        from ddiv.models.open_clip_models import load_open_clip

        return copy.deepcopy(load_open_clip(backbone.model, backbone.pretrained))
    shipped = embedded_weights(backbone.tower)
    if backbone.weights != shipped:
        raise ValueError(
            f"this ddiv ships the CLIP weights {shipped[:12]} ({backbone.tower}), the spec asks "
            f"for {backbone.weights[:12]}: install the ddiv that made it"
        )
    return load_embedded_clip(backbone.tower)


def image_tower(backbone: Clip | OpenClip) -> VisionTransformer | ModifiedResNet:
    """The image tower of `clip_model`, a copy of the caller's own. Raises as that does."""
    if isinstance(backbone, OpenClip):
        from ddiv.models.open_clip_models import load_open_clip

        # Copying the tower alone copies half of the model, or less.
        return copy.deepcopy(load_open_clip(backbone.model, backbone.pretrained).visual)
    return clip_model(backbone).visual


def clip_input(visual: VisionTransformer | ModifiedResNet) -> ImageInput:
    """How an image tower of open_clip takes images."""
    # image_size is (side, side) of a transformer, side of a ResNet
    side = int(np.ravel(visual.image_size)[0])
    return ImageInput(visual.image_mean, visual.image_std, side)


# --- dropout and pixels -------------------------------------------------------------------------


def add_dropout(sites: DropoutSites, dropout: Dropout | EvaluationDropout | None) -> None:
    """Drop activations at the sites in training; EvaluationDropout drops them in evaluation only.

    Hooks do it, so that parameters keep their names. Attention drops its weights in training only,
    because transformers' own code decides that. Raises TrialFailed on dropout within an encoder
    that has no place for it.
    """
    if dropout is None:
        return
    only_evaluating = isinstance(dropout, EvaluationDropout)
    where = "all" if isinstance(dropout, EvaluationDropout) else dropout.where
    if where == "encoder" and not sites.encoder:
        raise TrialFailed(
            "the backbone has no places for dropout in its encoder: leave the study's "
            "single_placement_rates empty, or give the encoder `dropout_sites` if it is an own "
            "model"
        )

    def drop(module: nn.Module, values: Tensor) -> Tensor:
        return F.dropout(values, dropout.rate, module.training != only_evaluating)

    if where in ("all", "encoder"):
        for module in sites.encoder:
            module.register_forward_hook(lambda module, _, output: drop(module, output))
        for module in () if only_evaluating else sites.attention:
            module.p = dropout.rate
    if where in ("all", "head"):
        sites.head.register_forward_pre_hook(lambda module, inputs: (drop(module, inputs[0]),))


def normalise(
    images: Tensor, mean: Tensor | float = 0.5, deviation: Tensor | float = 0.25
) -> Tensor:
    """uint8 (n, 3, h, w) to float32, by mean and deviation of pixels in [0, 1].

    With the defaults the result fills [-2, 2].
    """
    return (images.float() / 255 - mean) / deviation
