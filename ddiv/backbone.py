"""Backbones as networks: an image encoder, a classification layer, and the places for dropout."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from ddiv.study import Backbone, Clip, ResNet18
from ddiv.treatment import Dropout, EvaluationDropout


class Network(nn.Module):
    """An encoder (n, 3, h, w) -> (n, d) and a linear classification layer (n, d) -> (n, classes)."""

    def __init__(self, encoder: nn.Module, width: int, classes: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images))


@dataclass(frozen=True)
class DropoutSites:
    """Where v1 section 3.2 puts dropout: on the output of these modules, and before the head."""

    encoder: tuple[nn.Module, ...]
    head: nn.Module


def build(backbone: Backbone, classes: int) -> tuple[Network, DropoutSites]:
    """A new network, its fresh parts drawn from torch's global generator.

    CLIP: the pre-trained image tower and a random classification layer; the text tower is frozen in the
    paper and takes no part in classification, so it is not here. ResNet-18: everything random.
    """
    match backbone:
        case Clip():
            visual = clip_model(backbone).visual
            blocks = visual.transformer.resblocks
            network = Network(visual, visual.output_dim, classes)
            # "In the hidden layers, dropout is applied after the normalization layer."
            norms = tuple(norm for block in blocks for norm in (block.ln_1, block.ln_2))
            return network, DropoutSites(norms, network.head)
        case ResNet18():
            encoder = ResNetEncoder(backbone.width, backbone.stem_stride)
            network = Network(encoder, encoder.width, classes)
            # "For CLIP-ResNet50, we add dropout after each block."
            blocks = tuple(module for module in encoder.modules() if isinstance(module, BasicBlock))
            return network, DropoutSites(blocks, network.head)
    raise TypeError(f"no network for {backbone!r}")


def clip_model(backbone: Clip) -> nn.Module:
    """The pre-trained open_clip model that a spec names by its weights. Raises ValueError on other weights."""
    from ddiv.models.clip import load_embedded_clip
    from ddiv.profiles import embedded_weights

    if backbone.weights != embedded_weights():
        raise ValueError(f"this ddiv ships the CLIP weights {embedded_weights()[:12]}, the spec asks for "
                         f"{backbone.weights[:12]}: install the ddiv that made it")
    return load_embedded_clip()


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
    """Drop activations at the sites while training (or while not); by hooks, so that parameter names stay as they are."""
    if dropout is None:
        return
    only_evaluating = isinstance(dropout, EvaluationDropout)
    where = "all" if only_evaluating else dropout.where

    def drop(module: nn.Module, values: Tensor) -> Tensor:
        return F.dropout(values, dropout.rate, module.training != only_evaluating)

    if where in ("all", "encoder"):
        for module in sites.encoder:
            module.register_forward_hook(lambda module, _, output: drop(module, output))
    if where in ("all", "head"):
        sites.head.register_forward_pre_hook(lambda module, inputs: (drop(module, inputs[0]),))


def normalise(images: Tensor) -> Tensor:
    """uint8 (n, 3, h, w) to float32, mean .5 and deviation .25 a channel: the world's pixels fill [-2, 2]."""
    return (images.float() / 255 - 0.5) / 0.25
