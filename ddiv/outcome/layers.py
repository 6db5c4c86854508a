"""Layer groups of a network: which of its weight matrices an outcome is read over.

A matrix is in several: "all", the "classifier" or the "encoder", the kind of layer that it belongs
to ("attention-q", ..., "feed-forward", "convolution"), and a group of its own, "layer:" and its
name. The linear layer after a BERT's last block is the "pooler" too: figures published with the
paper call it the classifier. "encoder-without-qkv" holds the encoder's matrices but for bare
parameters: the fused q, k, v of a vision transformer and its last projection. WeightWatcher knows
layers only and leaves these out, and so do the paper's published tables, whose mean over layers has
the classification layer in it: that is "all-without-qkv". A convolution has two matrices, one for
each matricisation
(`ddiv.spectra.matrices`); every group holds the one that the outcome chooses, so that no
convolution counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

# By the kind of a matrix; a matrix of any other kind (a projection, say) belongs to no part.
PARTS = {
    "q": "attention-q",
    "k": "attention-k",
    "v": "attention-v",
    "out": "attention-out",
    "mlp": "feed-forward",
    "conv-flat": "convolution",
    "conv-pooled": "convolution",
}

# The groups that are made of others.
_TOGETHER = {
    "all": ("classifier", "encoder"),
    "all-without-qkv": ("classifier", "encoder-without-qkv"),
}

# The linear layer on the first token's state, by its name in transformers' models.
POOLER = "pooler"

LAYER_GROUPS = (
    *("all", "classifier", "encoder", *dict.fromkeys(PARTS.values()), POOLER),
    *("encoder-without-qkv", "all-without-qkv"),
)

ONE_LAYER = "layer:"

# A stored question that names another group is not read.
Layers = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(LAYER_GROUPS)}|{ONE_LAYER}.+)$")]

# How a convolution becomes matrices (`ddiv.spectra.matrices`).
Convolution = Literal["pooled", "flat"]

_MATRICISATION = {"conv-flat": "/flat", "conv-pooled": "/pooled"}


class NoSuchLayer(ValueError):
    """A network has no weight matrix in this group; the message lists the groups that it has."""


def memberships(matrices: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The groups of a record's matrices (its fact "layers"), (n,) and (3, n).

    The first array holds "classifier" or "encoder"; the second "encoder-without-qkv" ("" for none),
    the part of the network ("" for none) and the layer itself. A convolution's groups end in its
    matricisation, "/flat" or "/pooled".
    """
    return _memberships(
        tuple((matrix["name"], matrix["kind"], matrix["view"]) for matrix in matrices)
    )


@cache
def _memberships(matrices: tuple[tuple[str, str, str], ...]) -> tuple[np.ndarray, np.ndarray]:
    """The same arrays for all records of one architecture, so that masks are shared.

    matrices: (name, kind, group) of each.
    """
    main, listed, parts, names = [], [], [], []
    for name, kind, group in matrices:
        end = _MATRICISATION.get(kind, "")
        layer = name.removesuffix(f".{end[1:]}") if end else name
        main.append(group + end)
        layer_of_encoder = group == "encoder" and not _bare(layer, kind)
        listed.append("encoder-without-qkv" + end if layer_of_encoder else "")
        part = _part(layer, kind) if group == "encoder" else ""
        parts.append(part and part + end)
        names.append(ONE_LAYER + layer + end)
    return np.array(main), np.array([listed, parts, names])


def _bare(name: str, kind: str) -> bool:
    """Whether a matrix is (a third of) a parameter that is no layer's weight.

    `ddiv.spectra.matrices` calls thirds of a fused weight by one letter.
    """
    return kind == "other" or (kind in ("q", "k", "v") and name.rpartition(".")[2] == kind)


def _part(layer: str, kind: str) -> str:
    """The part of an encoder that a layer of this name belongs to; "" for none."""
    return POOLER if POOLER in layer.split(".") else PARTS.get(kind, "")


# Masks that were asked for, since a report asks half a million times. The arrays of groups are kept
# with them, so that no other array gets the same id.
_masks: dict[tuple[str, str, int, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}


def chosen(layers: str, convolution: str, main: np.ndarray, further: np.ndarray) -> np.ndarray:
    """Which matrices are in a group, (n,) booleans. Raises NoSuchLayer where none is."""
    key = layers, convolution, id(main), id(further)
    if key not in _masks:
        _masks[key] = main, further, _mask(layers, convolution, main, further)
    return _masks[key][2]


def _mask(layers: str, convolution: str, main: np.ndarray, further: np.ndarray) -> np.ndarray:
    names = _TOGETHER.get(layers, (layers,))
    wanted = [name + end for name in names for end in ("", f"/{convolution}")]
    mask: np.ndarray = np.isin(main, wanted) | np.isin(further, wanted).any(axis=0)
    if not mask.any():
        raise NoSuchLayer(
            f"this network has no weight matrix in the layer group {layers!r}; it has: "
            f"{', '.join(available(main, further))}"
        )
    return mask


def available(main: np.ndarray, further: np.ndarray) -> list[str]:
    """The groups that hold a matrix: those of `LAYER_GROUPS` in their order, then the single
    layers.
    """
    groups = [str(group) for group in (*main, *further.ravel()) if group]
    there = dict.fromkeys(group.removesuffix("/flat").removesuffix("/pooled") for group in groups)
    single = [group for group in there if group.startswith(ONE_LAYER)]
    known = [
        group
        for group in LAYER_GROUPS
        if group == "all" or _TOGETHER.get(group, (group,))[-1] in there
    ]
    return known + single
