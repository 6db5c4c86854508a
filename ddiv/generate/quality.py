"""How good generated images are: a classifier's accuracy on them, their diversity, and whether they
copy.

All against the study's real images; a record keeps these numbers beside the samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ddiv.datasets import Dataset
from ddiv.diversity import black_apart, pixel_vectors, vendi_score

FOLDS = 5
COPY_QUANTILE = 0.01
BATCH = 512  # images that are resized at once: as floats they take four times the memory


def quality(
    samples: np.ndarray, labels: np.ndarray, data: Dataset, clip, device: Any = "auto"
) -> dict[str, dict[str, float]]:
    """Accuracy, Vendi Scores and distances of samples uint8 (m, 3, h, w) with labels (m,), by
    pixels and `clip` embeddings.

    "accuracy": of a linear classifier (linear discriminant analysis with Ledoit-Wolf shrinkage)
    trained on embeddings of in-domain test images, which no generator has seen: one that knew the
    training images would take copies for skill. `FOLDS`-fold: each classifier judges the real
    images that it was not trained on ("real") and all samples ("samples"). "vendi": order 1, cosine
    kernel, of samples and of real training images, at equal n, on `device`
    (`diversity.vendi_score`). "nearest": per space, medians of the distance to the nearest training
    image, from samples and from held-out test images; "copies", the share of samples nearer to one
    than all but COPY_QUANTILE of the test images are; "singled_out", the same for the ratio of the
    distances to the nearest and the second nearest training image; and "nearer_training", the share
    of samples nearer to the training images than to as many test images, .5 for fresh real ones
    (Meehan et al. 2020). Samples are often smoother than real images and so nearer to all of them:
    the last two allow for that, "copies" does not. Pixels in [0, 1], Euclidean; embeddings scaled
    to length 1.
    """
    from ddiv.models.clip import encode_images

    tests, truth = next(iter(data.tests.values()))
    images = {"samples": samples, "training": data.inputs, "test": tests}
    embedded = {
        name: encode_images(clip, resized(some, clip.visual.image_size[0]))
        for name, some in images.items()
    }
    pixels = {name: pixel_vectors(some) for name, some in images.items()}
    rng = np.random.default_rng(0)
    n = min(len(samples), len(data.inputs))
    chosen = {
        "samples": rng.permutation(len(samples))[:n],
        "real": rng.permutation(len(data.inputs))[:n],
    }
    out = {"accuracy": accuracies(embedded["samples"], labels, embedded["test"], truth)}
    for space, vectors in {"pixel": pixels, "embedding": embedded}.items():
        scored = {
            "samples": vectors["samples"][chosen["samples"]],
            "real": vectors["training"][chosen["real"]],
        }
        out[f"vendi/{space}"] = {
            name: float(vendi_score(black_apart(rows), device=device))
            for name, rows in scored.items()
        }
        if space == "embedding":
            vectors = {
                name: rows / np.linalg.norm(rows, axis=1, keepdims=True)
                for name, rows in vectors.items()
            }
        out[f"nearest/{space}"] = copying(**vectors)
    return out


def accuracies(
    samples: np.ndarray, labels: np.ndarray, real: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """Mean accuracy over the folds, on samples (m, d) and on held-out real rows (n, d).

    Raises ValueError where there are fewer than two real examples a class, on average.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if len(real) < 2 * len(np.unique(truth)):
        raise ValueError(
            f"{len(real)} test examples of {len(np.unique(truth))} classes are too few to train a classifier "
            "that judges samples: give the study at least two test examples a class"
        )
    fold = np.random.default_rng(0).permutation(len(real)) % FOLDS
    found = {"samples": [], "real": []}
    for held_out in (fold == number for number in range(FOLDS)):
        probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(
            real[~held_out], truth[~held_out]
        )
        found["samples"].append(np.mean(probe.predict(samples) == labels))
        found["real"].append(np.mean(probe.predict(real[held_out]) == truth[held_out]))
    return {name: float(np.mean(each)) for name, each in found.items()}


def copying(samples: np.ndarray, training: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Distances from rows (m, d) and (k, d) to training rows (n, d), n >= 2, as `quality` describes
    them.
    """
    (near, second), (usual, usual_second) = (nearest(rows, training, 2) for rows in (samples, test))
    equal = min(len(training), len(test))
    rng = np.random.default_rng(0)
    to_training, to_test = (
        nearest(samples, rows[rng.permutation(len(rows))[:equal]])[0] for rows in (training, test)
    )
    nearer = np.mean(to_training < to_test) + np.mean(to_training == to_test) / 2
    ratio, usual_ratio = (
        one / np.maximum(two, 1e-12) for one, two in ((near, second), (usual, usual_second))
    )
    return {
        "samples": float(np.median(near)),
        "real": float(np.median(usual)),
        "copies": float(np.mean(near < np.quantile(usual, COPY_QUANTILE))),
        "singled_out": float(np.mean(ratio < np.quantile(usual_ratio, COPY_QUANTILE))),
        "nearer_training": float(nearer),
    }


def nearest(rows: np.ndarray, others: np.ndarray, count: int = 1) -> np.ndarray:
    """Euclidean distances (count, m), ascending, from each of rows (m, d) to its nearest among
    others (n, d).
    """
    rows, others = rows.astype(np.float32), others.astype(np.float32)
    squares = (rows**2).sum(1)[:, None] + (others**2).sum(1) - 2 * rows @ others.T
    return np.sqrt(np.maximum(np.sort(np.partition(squares, count - 1)[:, :count]), 0)).T


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """uint8 (n, 3, h, w) brought to (n, 3, side, side) bilinearly, as `ddiv.views` does before
    embedding.
    """
    import torch
    from torch.nn import functional as F

    if images.shape[2:] == (side, side):
        return images
    out = np.empty((len(images), 3, side, side), np.uint8)
    for start in range(0, len(images), BATCH):
        part = torch.from_numpy(images[start : start + BATCH]).float()
        out[start : start + BATCH] = (
            F.interpolate(part, (side, side), mode="bilinear").round().to(torch.uint8).numpy()
        )
    return out
