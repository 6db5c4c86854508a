"""Backbones as networks: an image encoder, a classification layer, and the places for dropout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from ddiv.common.own import absent
from ddiv.models.clip import clip_input, image_tower
from ddiv.models.network import IMAGENET, DropoutSites, ImageInput, Network
from ddiv.study import (
    Backbone,
    Bert,
    BertAsCoded,
    Clip,
    Embedder,
    Gru,
    MiniAlexNet,
    Mixer,
    OpenClip,
    OwnEmbedder,
    OwnModel,
    Policy,
    ResNet18,
    TorchvisionModel,
)


def build(backbone: Backbone, classes: Sequence[str]) -> tuple[Network, DropoutSites]:
    """A new network for classes of these names, and its places for dropout.

    Fresh weights are drawn from torch's global generator. Batch norm is as torch has it: in
    training it normalises by the batch, which also moves the running averages; in evaluation it
    normalises by these.

    - CLIP: the pre-trained image tower and a classification layer, random or (open_clip's models)
      zero-shot. The text tower is left out: in the paper it is frozen and takes no part in
      classification.
    - BERT: the pre-trained encoder and a random classification layer on its pooled output. Dropout
      is where its own configuration has it, and before the classification layer; as the published
      code runs it, see `BertAsCoded`.
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
        case Gru() | Mixer() | Policy():
            from ddiv.models.further import further_encoder

            encoder = further_encoder(backbone)
            images = ImageInput(deviation=(encoder.deviation,) * 3, side=encoder.side)
            network = Network(encoder, encoder.width, len(classes), images)
            return network, DropoutSites(encoder.dropout_sites, network.head)
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
    if isinstance(backbone, BertAsCoded):
        network.keep_modes(encoder=True, head=True)
        network.rectify()
        return network, DropoutSites((), network.head)
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


def absent_model(model: Backbone | Embedder) -> str | None:
    """In one line why a backbone or an embedder is not at hand and how to get it; None where it is.

    Also None where it can never be had: then the trial fails and says why. Reads no weights.
    """
    match model:
        case OpenClip():
            from ddiv.models import open_clip_models

            return open_clip_models.absent_open_clip(model)
        case Bert() | Gru():
            from ddiv.models import bert_files

            read = model if isinstance(model, Bert) else model.tokens
            return bert_files.absent_bert(read.weights)
        case OwnModel() | OwnEmbedder():
            return absent(model)
    return None
