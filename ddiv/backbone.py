"""Backbones as networks: an image encoder, a classification layer, and the places for dropout."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class ImageInput(NamedTuple):
    """How a network takes images: mean and deviation of each channel, of pixels in [0, 1], and the
    one side in pixels that it takes (0: any). By default pixels fill [-2, 2].
    """

    mean: Sequence[float] = (0.5, 0.5, 0.5)
    deviation: Sequence[float] = (0.25, 0.25, 0.25)
    side: int = 0


# Of the photographs of ImageNet, by which torchvision's models are trained.
IMAGENET = ImageInput((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Network(nn.Module):
    """An encoder of images (n, 3, h, w) or tokens (n, length) to (n, d), and a linear layer from
    there to (n, classes).

    Images are uint8 and are normalised here, batch by batch: a training set stays on the device in
    a quarter of the memory. Raises TrialFailed on images of another side than the encoder takes.
    """

    def __init__(
        self, encoder: nn.Module, width: int, classes: int, images: ImageInput = ImageInput()
    ):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)
        self.side = images.side
        self.register_buffer("mean", torch.tensor(images.mean).view(3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(images.deviation).view(3, 1, 1), persistent=False
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.features(inputs))

    def features(self, inputs: Tensor) -> Tensor:
        """What the classification layer is given, (n, d)."""
        if inputs.dtype != torch.uint8:
            return self.encoder(inputs)
        height, width = inputs.shape[2:]
        if self.side and (height, width) != (self.side, self.side):
            raise TrialFailed(
                f"the backbone takes images of {self.side} x {self.side} pixels, the data has {width} x "
                f"{height}: give the study data with side={self.side}"
            )
        return self.encoder(normalise(inputs, self.mean, self.deviation))


@dataclass(frozen=True)
class DropoutSites:
    """Where v1 section 3.2 puts dropout: on the output of these modules, and before the head.

    `attention`: the modules whose rate the attention of a BERT reads, for its weights.
    """

    encoder: tuple[nn.Module, ...]
    head: nn.Module
    attention: tuple[nn.Dropout, ...] = ()


def build(backbone: Backbone, classes: Sequence[str]) -> tuple[Network, DropoutSites]:
    """A new network for classes of these names, its fresh parts drawn from torch's global
    generator.

    CLIP: the pre-trained image tower and a classification layer, random or (open_clip's models)
    zero-shot; the text tower is frozen in the paper and takes no part in classification, so it is
    not here. BERT: the pre-trained encoder and a random classification layer on its pooled output,
    dropout where its own configuration has it and before the classification layer. A user's own:
    its function decides. The others: everything random. Batch norm is as torch has it, by the batch
    in training (where it moves the running averages) and by these in evaluation. Raises NoModel
    where weights are missing, TrialFailed where there is no such architecture.
    """
    match backbone:
        case Clip() | OpenClip():
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
        case ResNet18():
            from ddiv.models.from_scratch import ResNetEncoder

            encoder = ResNetEncoder(backbone.width, backbone.stem_stride)
            # Up to a sixth faster in training on a CPU; shapes and meaning stay.
            encoder.to(memory_format=torch.channels_last)
            network = Network(encoder, encoder.width, len(classes))
            return network, DropoutSites(_blocks(encoder), network.head)
        case MiniAlexNet():
            from ddiv.models.from_scratch import mini_alexnet

            encoder = mini_alexnet(backbone.width, backbone.hidden)
            network = Network(encoder, backbone.hidden, len(classes))
            # The last ReLU's output is the head's input, where the other kind of dropout acts.
            return network, DropoutSites(
                (encoder.pool1, encoder.pool2, encoder.relu3), network.head
            )
        case TorchvisionModel():
            from ddiv.models.from_scratch import torchvision_classifier

            encoder, head = torchvision_classifier(backbone.name, len(classes))
            encoder.to(memory_format=torch.channels_last)
            # vision transformers take one size
            images = IMAGENET._replace(side=getattr(encoder, "image_size", 0))
            network = Network(encoder, head.in_features, len(classes), images)
            network.head = head
            return network, DropoutSites(
                _blocks(encoder) if hasattr(encoder, "layer4") else (), head
            )
        case Bert():
            from ddiv.models.bert import load

            encoder = load(backbone).encoder
            network = Network(encoder, encoder.width, len(classes))
            return network, DropoutSites(
                encoder.hidden_dropouts, network.head, encoder.attention_dropouts
            )
        case OwnModel():
            from ddiv.models.own import build_own

            return build_own(backbone, len(classes))
    raise TypeError(f"no network for {backbone!r}")


def _blocks(resnet: nn.Module) -> tuple[nn.Module, ...]:
    # "For CLIP-ResNet50, we add dropout after each block."
    return (*resnet.layer1, *resnet.layer2, *resnet.layer3, *resnet.layer4)


def _start_zero_shot(network: Network, backbone: OpenClip, classes: tuple[str, ...]) -> None:
    from ddiv.models.open_clip_models import zero_shot_weights

    # CLIP compares directions: without this the logits would be larger by the features' length,
    # about ten times.
    network.encoder.register_forward_hook(
        lambda module, inputs, features: F.normalize(features, dim=1)
    )
    with torch.no_grad():
        network.head.weight.copy_(zero_shot_weights(backbone.model, backbone.pretrained, classes))
        network.head.bias.zero_()


def absent(model: Backbone | Embedder) -> str | None:
    """In one line why a backbone or an embedder is not at hand and how to get it; None where it is.

    Reads no weights.

    None too where it can never be had: the trial then fails and says why.
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


def clip_model(backbone: Clip | OpenClip) -> nn.Module:
    """The pre-trained open_clip model that a spec names, one's own copy, in evaluation mode on the
    CPU.

    Its `visual.image_mean` and `image_std` are those of pixels. Raises ValueError on other weights
    than the shipped ones of a Clip, NoModel where those of an OpenClip cannot be had.
    """
    from ddiv.models import embedded_weights
    from ddiv.models.clip import load_embedded_clip

    if isinstance(backbone, OpenClip):
        from ddiv.models.open_clip_models import load_open_clip

        return copy.deepcopy(load_open_clip(backbone.model, backbone.pretrained))
    shipped = embedded_weights(backbone.tower)
    if backbone.weights != shipped:
        raise ValueError(
            f"this ddiv ships the CLIP weights {shipped[:12]} ({backbone.tower}), the spec asks for "
            f"{backbone.weights[:12]}: install the ddiv that made it"
        )
    return load_embedded_clip(backbone.tower)


def image_tower(backbone: Clip | OpenClip) -> nn.Module:
    """The image tower alone, one's own copy; raises as `clip_model` does."""
    if isinstance(backbone, OpenClip):
        from ddiv.models.open_clip_models import load_open_clip

        # half of the whole, or less
        return copy.deepcopy(load_open_clip(backbone.model, backbone.pretrained).visual)
    return clip_model(backbone).visual


def clip_input(visual: nn.Module) -> ImageInput:
    """How an image tower of open_clip takes images; its transformer has (side, side) as image_size,
    its ResNet side.
    """
    return ImageInput(visual.image_mean, visual.image_std, int(np.ravel(visual.image_size)[0]))


# --- dropout and pixels -------------------------------------------------------------------------


def add_dropout(sites: DropoutSites, dropout: Dropout | EvaluationDropout | None) -> None:
    """Drop activations at the sites while training (or while not); by hooks, so that parameter
    names stay as they are.

    Attention drops its weights while training only, whatever is asked for: its own code decides
    that. Raises TrialFailed on dropout within an encoder that has no place for it.
    """
    if dropout is None:
        return
    only_evaluating = isinstance(dropout, EvaluationDropout)
    where = "all" if only_evaluating else dropout.where
    if where == "encoder" and not sites.encoder:
        raise TrialFailed(
            "the backbone has no places for dropout in its encoder: leave the study's single_placement_rates "
            "empty, or give the encoder `dropout_sites` if it is an own model"
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
    """uint8 (n, 3, h, w) to float32, by mean and deviation of pixels in [0, 1]; by default they
    fill [-2, 2].
    """
    return (images.float() / 255 - mean) / deviation
