"""Images as vectors of their pixels; numpy and Pillow only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ddiv.diversity.embed import Embedder
from ddiv.diversity.rows import plain


def pixels(size: int | None = None, black: str = "error", batch: int = 256) -> Embedder:
    """Raw pixels, flattened, of images (n, 3, h, w) of uint8 or of PIL images.

    Their cosine is the paper's pixel-wise similarity. PIL images become RGB on white, and of 16-bit
    greys the high bits are taken.

    size: side that images are resized to first, bilinearly with antialiasing (None: as they are,
    all of one size). black: what black images are, whose cosine is undefined: an "error" when
    scored, or "apart", see `black_apart`. ValueError on another choice, and on images of other
    types or sizes when used.
    """
    if black not in ("error", "apart"):
        raise ValueError(f'black must be "error" or "apart", got {black!r}')
    if size is not None and size < 1:
        raise ValueError(f"the size must be 1 pixel or more, got {size}")
    steps = [
        "as they are" if size is None else f"bilinear (antialias) to {size} px",
        "scaled to [0, 1], flattened",
    ]
    if black == "apart":
        steps.append("black images equal to each other, unlike all others")

    def encode(images: Any) -> np.ndarray:
        if isinstance(images, list):
            parts = [_resized(_channels_first(image)[None], size) for image in images]
            if len(shapes := {part.shape[1:] for part in parts}) > 1:
                raise ValueError(
                    f"images of different shapes {sorted(shapes)}: choose a size to resize them to"
                )
            images = np.concatenate(parts)
        else:
            images = _resized(_array(images), size)
        vectors = pixel_vectors(images)
        return black_apart(vectors) if black == "apart" else vectors

    return Embedder("pixels", "; ".join(steps), encode, batch)


def pixel_vectors(images: np.ndarray) -> np.ndarray:
    """Images (n, 3, h, w) of uint8 as vectors (n, 3 * h * w) of float64 in [0, 1].

    images: an array or a CPU tensor.

    vendi-score's own pixel front end resizes to 32 x 32, keeps 0 to 255 and puts the channels last.
    Scale and order of pixels do not change a cosine. A resize does, so it is left to the caller,
    who names it in ``preprocessing``. ValueError on another type or shape, or no images.
    """
    images = _array(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 3 or images.size == 0:
        raise ValueError(
            f"images must be uint8 (n, 3, h, w) with n >= 1, got {images.dtype} {images.shape}"
        )
    return images.reshape(len(images), -1) / 255.0


def black_apart(X: np.ndarray) -> np.ndarray:
    """X (n, d) as (n, d + 1), in which zero vectors point along a direction of their own.

    A black image has no direction in pixel space, so its cosine is undefined. An augmentation that
    shifts an image out of sight makes some. By this convention black images are equal to each other
    and unlike all others.
    """
    X = _on_cpu(plain(X))
    if X.ndim != 2:
        raise ValueError(f"X must have shape (n, d), got {X.shape}")
    return np.column_stack([X, ~X.any(axis=1)])


def rgb(image: Any) -> Any:
    """A PIL image in RGB, of one or of uint8 (3, h, w); ValueError on anything else."""
    from PIL import Image

    from ddiv.common.pictures import in_rgb

    if isinstance(image, Image.Image):
        return in_rgb(image)
    array = _array(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] != 3:
        raise ValueError(
            f"an image must be a PIL image or uint8 (3, h, w), got {array.dtype} {array.shape}"
        )
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def _channels_first(image: Any) -> np.ndarray:
    if hasattr(image, "convert"):
        return np.asarray(rgb(image)).transpose(2, 0, 1)
    return _array(image)


def _array(images: Any) -> np.ndarray:
    """Images as an array on the CPU; ValueError where they are sparse, masked or no numbers."""
    try:
        return _on_cpu(plain(images, "it"))
    except ValueError as error:
        raise ValueError(f"images are PIL's or uint8 (n, 3, h, w): {error}") from error


def _on_cpu(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _resized(images: np.ndarray, size: int | None) -> np.ndarray:
    if size is None or images.ndim != 4 or images.shape[2:] == (size, size):
        return images
    from PIL import Image

    resized = [rgb(image).resize((size, size), Image.Resampling.BILINEAR) for image in images]
    return np.stack([np.asarray(image).transpose(2, 0, 1) for image in resized])
