"""Checks of every generator's output, before it is stored or trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddiv.common.errors import TrialFailed
from ddiv.common.texts import as_texts


class BadSamples(TrialFailed):
    """A generator's images cannot be used; the message names the cause and the remedy."""


def checked(images: object, count: int, side: int, width: int | None = None) -> np.ndarray:
    """The images as uint8 (count, 3, side, width), without a width of their own square.

    uint8 is left as it is, floating point in [0, 1] is rounded to 0..255. Raises BadSamples on
    another number, shape or type, on NaN or infinity, and on values out of range.
    """
    width = side if width is None else width
    try:
        images = np.asarray(images)
    except ValueError as error:
        raise BadSamples(
            f"the generator gave no array of images ({error}): let it give images of shape "
            f"({count}, 3, {side}, {width}), colours first"
        ) from error
    if images.ndim != 4 or images.shape[1] != 3:
        raise BadSamples(
            f"the generator gave an array of shape {images.shape}: let it give images of shape "
            f"({count}, 3, {side}, {width}), colours first"
        )
    if len(images) != count:
        raise BadSamples(
            f"{count} images were asked for and the generator gave {len(images)}: let it give one "
            "for each label"
        )
    if images.shape[2:] != (side, width):
        raise BadSamples(
            f"the generator gave images of {images.shape[2]} x {images.shape[3]} pixels where the "
            f"study's have {side} x {width}: resize them before they are handed over"
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


SHOWN = 60  # characters of a bad text that a message quotes


def checked_texts(texts: Sequence[str] | np.ndarray, count: int) -> np.ndarray:
    """The texts as an object array (count,) of str.

    Raises BadSamples on another number or shape, on elements that are no strings, on empty texts
    and those of white space alone, and on NUL and unpaired surrogates, which tokenisers and UTF-8
    refuse.
    """
    if isinstance(texts, str):
        raise BadSamples(
            f"the generator gave one string where {count} texts were asked for: let it give a list "
            "of strings"
        )
    if not hasattr(texts, "__len__"):
        raise BadSamples(
            f"the generator gave something of type {type(texts).__name__} where {count} texts were "
            "asked for: let it give a list of strings"
        )
    elements = as_texts(texts)
    if len(elements) != count:
        raise BadSamples(
            f"{count} texts were asked for and the generator gave {len(elements)}: let it give one "
            "for each label"
        )
    for number, text in enumerate(elements):
        if cause := _unusable(text):
            quoted = repr(text if len(repr(text)) <= SHOWN else f"{str(text)[:SHOWN]}...")
            raise BadSamples(
                f"generated text {number} of {count} {cause} ({quoted}): let the generator drop "
                "such texts and draw others in their place"
            )
    return elements


def _unusable(text: object) -> str:
    if not isinstance(text, str):
        return f"is of type {type(text).__name__}, not str"
    if not text.strip():
        return "is empty or white space alone"
    if "\0" in text:
        return "holds the character NUL"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds an unpaired surrogate, which is no character"
    return ""
