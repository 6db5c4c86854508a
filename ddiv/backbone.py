"""Backbones as networks: an image encoder, a classification layer, and the places for dropout."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from ddiv.study import Backbone, Bert, Clip, MiniAlexNet, ResNet18
from ddiv.treatment import Dropout, EvaluationDropout


class Network(nn.Module):
    """An encoder of images (n, 3, h, w) or tokens (n, length) to (n, d), and a linear layer from there to (n, classes)."""

    def __init__(self, encoder: nn.Module, width: int, classes: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.encoder(inputs))


@dataclass(frozen=True)
class DropoutSites:
    """Where v1 section 3.2 puts dropout: on the output of these modules, and before the head.

    `attention`: the modules whose rate the attention of a BERT reads, for its weights.
    """

    encoder: tuple[nn.Module, ...]
    head: nn.Module
    attention: tuple[nn.Dropout, ...] = ()


def build(backbone: Backbone, classes: int) -> tuple[Network, DropoutSites]:
    """A new network, its fresh parts drawn from torch's global generator.

    CLIP: the pre-trained image tower and a random classification layer; the text tower is frozen in the paper and takes no
    part in classification, so it is not here. BERT: the pre-trained encoder and a random classification layer on its pooled
    output, dropout where its own configuration has it and before the classification layer. The others: everything random.
    Batch norm is as torch has it, by the batch in training (where it moves the running averages) and by these in evaluation.
    """
    match backbone:
        case Clip():
            visual = clip_model(backbone).visual
            network = Network(visual, visual.output_dim, classes)
            if backbone.tower == "resnet":
                return network, DropoutSites(_blocks(visual), network.head)
            # "In the hidden layers, dropout is applied after the normalization layer."
            norms = tuple(norm for block in visual.transformer.resblocks for norm in (block.ln_1, block.ln_2))
            return network, DropoutSites(norms, network.head)
        case ResNet18():
            encoder = ResNetEncoder(backbone.width, backbone.stem_stride)
            # Up to a sixth faster in training on a CPU; shapes and meaning stay.
            encoder.to(memory_format=torch.channels_last)
            network = Network(encoder, encoder.width, classes)
            return network, DropoutSites(_blocks(encoder), network.head)
        case MiniAlexNet():
            encoder = mini_alexnet(backbone.width, backbone.hidden)
            network = Network(encoder, backbone.hidden, classes)
            # The last ReLU's output is the head's input, where the other kind of dropout acts.
            return network, DropoutSites((encoder.pool1, encoder.pool2, encoder.relu3), network.head)
        case Bert():
            from ddiv.models.bert import load

            encoder = load(backbone).encoder
            network = Network(encoder, encoder.width, classes)
            return network, DropoutSites(encoder.hidden_dropouts, network.head, encoder.attention_dropouts)
    raise TypeError(f"no network for {backbone!r}")


def _blocks(resnet: nn.Module) -> tuple[nn.Module, ...]:
    # "For CLIP-ResNet50, we add dropout after each block."
    return (*resnet.layer1, *resnet.layer2, *resnet.layer3, *resnet.layer4)


def clip_model(backbone: Clip) -> nn.Module:
    """The pre-trained open_clip model that a spec names by its weights. Raises ValueError on other weights."""
    from ddiv.models import embedded_weights
    from ddiv.models.clip import load_embedded_clip

    shipped = embedded_weights(backbone.tower)
    if backbone.weights != shipped:
        raise ValueError(f"this ddiv ships the CLIP weights {shipped[:12]} ({backbone.tower}), the spec asks for "
                         f"{backbone.weights[:12]}: install the ddiv that made it")
    return load_embedded_clip(backbone.tower)


def mini_alexnet(width: int, hidden: int) -> nn.Sequential:
    """The small AlexNet of Zhang et al. (2017, arXiv 1611.03530), as Martin and Mahoney train it: images to (n, hidden).

    Two 5x5 convolutions (to `width`, then 2 * width channels), each with 3x3 max-pooling, and two fully connected layers,
    fc1 (32 * width, hidden) and fc2 (hidden, hidden), without normalisation. The second pooling leaves 4 x 4 positions
    whatever the image's side (at least 8). Weights start Glorot-normal: independent and Gaussian, hence Marchenko-Pastur.
    """
    encoder = nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(3, width, 5, padding=2), relu1=nn.ReLU(inplace=True), pool1=nn.MaxPool2d(3, stride=2, padding=1),
        conv2=nn.Conv2d(width, 2 * width, 5, padding=2), relu2=nn.ReLU(inplace=True), pool2=nn.AdaptiveMaxPool2d(4),
        flatten=nn.Flatten(), fc1=nn.Linear(32 * width, hidden), relu3=nn.ReLU(inplace=True),
        fc2=nn.Linear(hidden, hidden), relu4=nn.ReLU(inplace=True)))
    for layer in (encoder.conv1, encoder.conv2, encoder.fc1, encoder.fc2):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    return encoder


class ResNetEncoder(nn.Module):
    """ResNet-18 (He et al. 2016) of torchvision's BasicBlocks, without its classification layer.

    The stem is one 3x3 convolution without pooling, as is usual for images of 16 to 64 pixels; layer
    names, block counts and initialisation are torchvision's. Output: (n, 8 * width).
    """

    def __init__(self, width: int = 64, stem_stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        for i, (before, after) in enumerate(zip(widths, widths[1:]), start=1):
            setattr(self, f"layer{i}", _stage(before, after, stride=1 if i == 1 else 2))
        self.width = widths[-1]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False),
                                 nn.BatchNorm2d(after))
    return nn.Sequential(BasicBlock(before, after, stride, shortcut), BasicBlock(after, after))


def add_dropout(sites: DropoutSites, dropout: Dropout | EvaluationDropout | None) -> None:
    """Drop activations at the sites while training (or while not); by hooks, so that parameter names stay as they are.

    Attention drops its weights while training only, whatever is asked for: its own code decides that.
    """
    if dropout is None:
        return
    only_evaluating = isinstance(dropout, EvaluationDropout)
    where = "all" if only_evaluating else dropout.where

    def drop(module: nn.Module, values: Tensor) -> Tensor:
        return F.dropout(values, dropout.rate, module.training != only_evaluating)

    if where in ("all", "encoder"):
        for module in sites.encoder:
            module.register_forward_hook(lambda module, _, output: drop(module, output))
        for module in () if only_evaluating else sites.attention:
            module.p = dropout.rate
    if where in ("all", "head"):
        sites.head.register_forward_pre_hook(lambda module, inputs: (drop(module, inputs[0]),))


def normalise(images: Tensor) -> Tensor:
    """uint8 (n, 3, h, w) to float32, mean .5 and deviation .25 a channel: the world's pixels fill [-2, 2]."""
    return (images.float() / 255 - 0.5) / 0.25
