"""Views of a network: which of its weight matrices an outcome is read over.

A matrix is in several: "all", the "classifier" or the "encoder", the kind of layer that it belongs
to ("attention-q", ..., "feed-forward", "convolution"), and a view of its own, "layer:" and its
name. A convolution has two matrices, one for each matricisation (`ddiv.spectra.matrices`); every
view holds the one that the outcome chooses, so that no convolution counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

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

VIEWS = ("all", "classifier", "encoder", *dict.fromkeys(PARTS.values()))

ONE_LAYER = "layer:"

# A stored question that names another view is not read.
Layers = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(VIEWS)}|{ONE_LAYER}.+)$")]

_MATRICISATION = {"conv-flat": "/flat", "conv-pooled": "/pooled"}


class NoSuchLayer(ValueError):
    """A network has no weight matrix in this view; the message lists the views that it has."""


def memberships(matrices: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The views of a record's matrices (its fact "layers"), (n,) and (2, n).

    The first array holds "classifier" or "encoder"; the second the part of the network ("" for
    none) and the layer itself. A convolution's views end in its matricisation, "/flat" or
    "/pooled".
    """
    return _memberships(
        tuple((matrix["name"], matrix["kind"], matrix["view"]) for matrix in matrices)
    )


@cache
def _memberships(matrices: tuple[tuple[str, str, str], ...]) -> tuple[np.ndarray, np.ndarray]:
    """The same arrays for all records of one architecture, so that masks are shared.

    matrices: (name, kind, view) of each.
    """
    main, parts, names = [], [], []
    for name, kind, view in matrices:
        end = _MATRICISATION.get(kind, "")
        layer = name.removesuffix(f".{end[1:]}") if end else name
        main.append(view + end)
        parts.append(PARTS[kind] + end if kind in PARTS and view == "encoder" else "")
        names.append(ONE_LAYER + layer + end)
    return np.array(main), np.array([parts, names])


# Masks that were asked for, since a report asks half a million times. The arrays of views are kept
# with them, so that no other array gets the same id.
_masks: dict[tuple[str, str, int, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}


def chosen(layers: str, convolution: str, main: np.ndarray, further: np.ndarray) -> np.ndarray:
    """Which matrices are in a view, (n,) booleans. Raises NoSuchLayer where none is."""
    key = layers, convolution, id(main), id(further)
    if key not in _masks:
        _masks[key] = main, further, _mask(layers, convolution, main, further)
    return _masks[key][2]


def _mask(layers: str, convolution: str, main: np.ndarray, further: np.ndarray) -> np.ndarray:
    names = ("classifier", "encoder") if layers == "all" else (layers,)
    wanted = [name + end for name in names for end in ("", f"/{convolution}")]
    mask: np.ndarray = np.isin(main, wanted) | np.isin(further, wanted).any(axis=0)
    if not mask.any():
        raise NoSuchLayer(
            f"this network has no weight matrix in the view {layers!r}; it has: "
            f"{', '.join(available(main, further))}"
        )
    return mask


def available(main: np.ndarray, further: np.ndarray) -> list[str]:
    """The views that hold a matrix: those of `VIEWS` in their order, then the single layers."""
    views = [str(view) for view in (*main, *further.ravel()) if view]
    there = dict.fromkeys(view.removesuffix("/flat").removesuffix("/pooled") for view in views)
    single = [view for view in there if view.startswith(ONE_LAYER)]
    return [view for view in VIEWS if view == "all" or view in there] + single
