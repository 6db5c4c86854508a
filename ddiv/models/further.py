"""Encoders of further architectures, all weights random: recurrent, MLP-Mixer, policy network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddiv.models.bert_files import load_tokenizer
from ddiv.study import Gru, Mixer, Policy


def further_encoder(backbone: Gru | Mixer | Policy) -> GruEncoder | MixerEncoder | PolicyEncoder:
    """The encoder of a spec. Raises NoModel where the tokenizer of a `Gru` is not at hand."""
    match backbone:
        case Gru():
            return GruEncoder(backbone, len(load_tokenizer(backbone.tokenizer)))
        case Mixer():
            return MixerEncoder(backbone)
        case Policy():
            return PolicyEncoder(backbone)


class GruEncoder(nn.Module):
    """From ids int64 (n, L), 0 for padding on the right, to a text's last state (n, width).

    The weights are torch's own, the matrices of the three gates on top of each other.
    """

    side, deviation = 0, 0.25  # it takes no images

    def __init__(self, spec: Gru, vocabulary: int) -> None:
        super().__init__()
        self.width = spec.width
        self.embedding = nn.Embedding(vocabulary, spec.size, padding_idx=0)
        sizes = (spec.size, *[spec.width] * (spec.layers - 1))
        self.layers = nn.ModuleList(nn.GRU(size, spec.width, batch_first=True) for size in sizes)
        # What goes into each layer: dropout needs modules that return one tensor.
        self.inputs = nn.ModuleList(nn.Identity() for _ in sizes)
        self.dropout_sites: tuple[nn.Module, ...] = tuple(self.inputs)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = (ids != 0).sum(1)
        states = self.embedding(ids[:, : int(lengths.max())])
        for layer, site in zip(self.layers, self.inputs):
            states, _ = layer(site(states))
        # The padding comes after the last word piece, whose state does not know of it.
        last: Tensor = states[torch.arange(len(ids), device=ids.device), lengths - 1]
        return last


class MixerEncoder(nn.Module):
    """From images (n, 3, 32, 32) to the mean of the patches' last channels (n, width)."""

    side, deviation = 32, 0.25
    PATCH, APART, BORDER = 6, 4, 1

    def __init__(self, spec: Mixer) -> None:
        super().__init__()
        self.width = spec.width
        patches = (self.side // self.APART) ** 2
        self.patches = nn.Linear(3 * self.PATCH**2, spec.width)
        self.blocks = nn.ModuleList(
            MixerBlock(patches, spec.width, spec.across) for _ in range(spec.blocks)
        )
        self.norm = nn.LayerNorm(spec.width)
        self.dropout_sites: tuple[nn.Module, ...] = tuple(
            block.get_submodule(part) for block in self.blocks for part in ("across", "along")
        )

    def forward(self, images: Tensor) -> Tensor:
        pixels = F.unfold(images, self.PATCH, padding=self.BORDER, stride=self.APART)
        x = self.patches(pixels.transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.norm(x).mean(1)
        return features


class MixerBlock(nn.Module):
    """Patches are mixed, channel by channel, then channels, patch by patch; both with a bypass."""

    def __init__(self, patches: int, width: int, across: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across = _perceptron(patches, across)
        self.along = _perceptron(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.across(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = x + self.along(self.norm2(x))
        return mixed


def _perceptron(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class PolicyEncoder(nn.Module):
    """From images (n, 3, history, 4), of which it reads the first channel, to (n, width)."""

    # Any side. Readings stay near the middle of their ranges; so they become about 1 in size.
    side, deviation = 0, 0.1

    def __init__(self, spec: Policy) -> None:
        super().__init__()
        self.width = spec.width
        self.first = nn.Linear(4 * spec.history, spec.width)
        self.hidden = nn.Tanh()
        self.second = nn.Linear(spec.width, spec.width)
        self.dropout_sites: tuple[nn.Module, ...] = (self.hidden,)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.hidden(self.first(images[:, 0].flatten(1)))
        return torch.tanh(self.second(hidden))
