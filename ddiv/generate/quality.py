"""How good generated images are: accuracy on them, their diversity, and whether they copy.

They are compared with the study's real images. A record keeps these numbers beside the samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ddiv.data.dataset import Dataset
from ddiv.diversity import black_apart, pixel_vectors, vendi_score
from ddiv.models.clip import resized

if TYPE_CHECKING:
    from open_clip import CLIP

FOLDS = 5

COPY_QUANTILE = 0.01


def quality(
    samples: np.ndarray, labels: np.ndarray, data: Dataset, clip: CLIP, device: Any = "auto"
) -> dict[str, dict[str, float]]:
    """The quality of samples uint8 (m, 3, h, w) with labels (m,), by pixels and `clip` embeddings.

    Pixels lie in [0, 1], embeddings are scaled to length 1 for distances, which are Euclidean.

    - "accuracy": of a linear classifier (linear discriminant analysis with Ledoit-Wolf shrinkage)
      trained on embeddings of in-domain test images. No generator has seen these; a classifier that
      knew the training images would take copies for skill. There are `FOLDS` classifiers. Each
      judges the real images that it was not trained on ("real"), and all samples ("samples").
    - "vendi/SPACE": the Vendi Score (order 1, cosine kernel) of samples and of real training
      images, at equal n, computed on `device` (`diversity.vendi_score`).
    - "nearest/SPACE": "samples" and "real" are medians of the distance to the nearest training
      image, from samples and from held-out test images. "copies" is the share of samples that are
      nearer to a training image than all but COPY_QUANTILE of the test images. "singled_out" is the
      same for the ratio of the distances to the nearest and the second nearest training image.
      "nearer_training" is the share of samples that are nearer to the training images than to as
      many test images; it is .5 for fresh real images (Meehan et al. 2020). Samples are often
      smoother than real images and so nearer to all of them; "singled_out" and "nearer_training"
      allow for that, "copies" does not.
    """
    from ddiv.models.clip import encode_images

    tests, truth = next(iter(data.tests.values()))
    images = {"samples": samples, "training": data.inputs, "test": tests}
    side = clip.visual.image_size[0]
    embedded = {name: encode_images(clip, resized(part, side)) for name, part in images.items()}
    pixels = {name: pixel_vectors(part) for name, part in images.items()}
    unit = {
        name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in embedded.items()
    }
    rng = np.random.default_rng(0)
    n = min(len(samples), len(data.inputs))
    chosen = {
        "samples": rng.permutation(len(samples))[:n],
        "training": rng.permutation(len(data.inputs))[:n],
    }

    def vendi(vectors: dict[str, np.ndarray], part: str) -> float:
        return float(vendi_score(black_apart(vectors[part][chosen[part]]), device=device))

    scores = {"accuracy": accuracies(embedded["samples"], labels, embedded["test"], truth)}
    for space, scored, measured in (("pixel", pixels, pixels), ("embedding", embedded, unit)):
        scores[f"vendi/{space}"] = {
            "samples": vendi(scored, "samples"),
            "real": vendi(scored, "training"),
        }
        scores[f"nearest/{space}"] = copying(**measured)
    return scores


def accuracies(
    samples: np.ndarray, labels: np.ndarray, real: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """Mean accuracy over the folds, on samples (m, d) and on held-out real rows (n, d).

    Raises ValueError where there are fewer than two real examples a class, on average.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if len(real) < 2 * len(np.unique(truth)):
        raise ValueError(
            f"{len(real)} test examples of {len(np.unique(truth))} classes are too few to train a "
            "classifier that judges samples: give the study at least two test examples a class"
        )
    fold = np.random.default_rng(0).permutation(len(real)) % FOLDS
    right: dict[str, list[np.floating[Any]]] = {"samples": [], "real": []}
    for held_out in (fold == number for number in range(FOLDS)):
        probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(
            real[~held_out], truth[~held_out]
        )
        right["samples"].append(np.mean(probe.predict(samples) == labels))
        right["real"].append(np.mean(probe.predict(real[held_out]) == truth[held_out]))
    return {name: float(np.mean(shares)) for name, shares in right.items()}


def copying(samples: np.ndarray, training: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Distances from samples (m, d) and test rows (k, d) to training rows (n, d), n >= 2.

    `quality` describes them.
    """
    (near, second), (usual, usual_second) = (nearest(rows, training, 2) for rows in (samples, test))
    ratio, usual_ratio = near / np.maximum(second, 1e-12), usual / np.maximum(usual_second, 1e-12)
    equal = min(len(training), len(test))
    rng = np.random.default_rng(0)
    to_training, to_test = (
        nearest(samples, rows[rng.permutation(len(rows))[:equal]])[0] for rows in (training, test)
    )
    nearer = np.mean(to_training < to_test) + np.mean(to_training == to_test) / 2
    return {
        "samples": float(np.median(near)),
        "real": float(np.median(usual)),
        "copies": float(np.mean(near < np.quantile(usual, COPY_QUANTILE))),
        "singled_out": float(np.mean(ratio < np.quantile(usual_ratio, COPY_QUANTILE))),
        "nearer_training": float(nearer),
    }


def nearest(rows: np.ndarray, others: np.ndarray, count: int = 1) -> np.ndarray:
    """Euclidean distances (count, m), ascending, of rows (m, d) to the nearest of others (n, d)."""
    rows, others = rows.astype(np.float32), others.astype(np.float32)
    squares = (rows**2).sum(1)[:, None] + (others**2).sum(1) - 2 * rows @ others.T
    smallest = np.sort(np.partition(squares, count - 1)[:, :count])
    distances: np.ndarray = np.sqrt(np.maximum(smallest, 0)).T
    return distances
