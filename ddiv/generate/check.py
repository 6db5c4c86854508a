"""Checks of every generator's output, before it is stored or trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddiv.errors import TrialFailed


class BadSamples(TrialFailed):
    """A generator's images cannot be used; the message names the cause and the remedy."""


def checked(images: np.ndarray, count: int, side: int) -> np.ndarray:
    """The images as uint8 (count, 3, side, side).

    uint8 is left as it is, floating point in [0, 1] is rounded to 0..255. Raises BadSamples on
    another number, shape or type, on NaN or infinity, and on values out of range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] != 3:
        raise BadSamples(
            f"the generator gave an array of shape {images.shape}: let it give images of shape "
            f"({count}, 3, {side}, {side}), colours first"
        )
    if len(images) != count:
        raise BadSamples(
            f"{count} images were asked for and the generator gave {len(images)}: let it give one "
            "for each label"
        )
    if images.shape[2:] != (side, side):
        raise BadSamples(
            f"the generator gave images of {images.shape[2]} x {images.shape[3]} pixels where the "
            f"study's have {side} x {side}: resize them before they are handed over"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise BadSamples(
            f"the generator gave images of type {images.dtype}: let it give uint8, or floating "
            "point in [0, 1]"
        )
    if bad := np.count_nonzero(~np.isfinite(images).all(axis=(1, 2, 3))):
        raise BadSamples(
            f"{bad} of {count} generated images hold NaN or infinity: the generator's training has "
            "diverged or its arithmetic overflows; train it with a smaller learning rate, or "
            "compute in float32"
        )
    if images.size and not (0 <= images.min() and images.max() <= 1):
        raise BadSamples(
            f"generated images lie in [{images.min():.3g}, {images.max():.3g}]: floating-point "
            "images must lie in [0, 1]; scale or clip them before they are handed over"
        )
    levels: np.ndarray = np.rint(images * 255).astype(np.uint8)
    return levels


def require_every_class(labels: np.ndarray, classes: Sequence[str]) -> None:
    """Raise BadSamples, which names them, where classes have no image to learn from or to draw."""
    if missing := [name for number, name in enumerate(classes) if not np.any(labels == number)]:
        named = ", ".join(map(repr, missing[:5])) + (" ..." if len(missing) > 5 else "")
        raise BadSamples(
            f"{len(missing)} of {len(classes)} classes have no image ({named}), so a generator "
            "cannot learn or replace them: give every class at least one training image, or leave "
            "the class out of the study"
        )
