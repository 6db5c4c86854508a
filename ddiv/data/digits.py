"""Handwritten digits (Alpaydin and Kaynak 1998) from scikit-learn: 1,797 images of 8 x 8 pixels."""

from __future__ import annotations

import numpy as np

from ddiv.data.dataset import Dataset
from ddiv.study import Digits


def load_digits(spec: Digits) -> Dataset:
    """The digits enlarged bilinearly to (n, 3, side, side) uint8.

    `train` of them are for training, the rest for testing; the split is drawn once with
    `split_seed`.
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits as from_sklearn

    images, labels = from_sklearn(return_X_y=True)
    grey = images.reshape(-1, 1, 8, 8) * (255 / 16)
    # Pixels are areas, not points (grid_mode), as in torch's bilinear interpolation without aligned
    # corners.
    large = zoom(
        grey, (1, 1, spec.side / 8, spec.side / 8), order=1, mode="nearest", grid_mode=True
    )
    pixels = np.repeat(large.round().astype(np.uint8), 3, axis=1)
    order = np.random.default_rng(spec.split_seed).permutation(len(labels))
    train, test = order[: spec.train], order[spec.train :]
    return Dataset(
        inputs=pixels[train],
        labels=labels[train],
        tests={"digits": (pixels[test], labels[test])},
        classes=tuple(map(str, range(10))),
    )
