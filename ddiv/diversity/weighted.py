"""The weighted Vendi score rho x VS of the paper's v2: rho tells how well new data fits the old.

rho lies in [0, 1]. The texts of v2 at hand say that it measures alignment in the embedding space
and lowers the score of a misaligned set; they do not say how it is computed. So there are several
named definitions, all on vectors scaled to length 1:

- "mmd": 1 - MMD^2 / MMD^2_max = 2 k(new, original) / (k(new, new) + k(original, original)), where
  k(A, B) is the mean RBF kernel over pairs of different samples: MMD^2 is the unbiased estimator of
  Gretton et al. (JMLR 2012, equation 3), and MMD^2_max what it would be were no new sample near an
  original one.
- "centroid": cosine of the class's mean vectors, new and original, 0 where negative; averaged over
  classes by their number of new samples. Without labels all samples are one class, and the
  definition's name says so.
- "precision", "recall" (Kynkäänniemi et al., NeurIPS 2019; k = 3): share of new samples within the
  distance of an original one to its k-th neighbour; the same with the roles exchanged.
- "density", "coverage" (Naeem et al., ICML 2020; k = 5): in how many such balls a new sample lies,
  over k, at most 1; share of original samples with a new one in their ball.

"mmd" is the default because, with a bandwidth of half the median distance, only it has all the
properties that were asked of rho. On digits, half of them as original
(`tests/diversity/test_weighted.py`), it is 1.00 for fresh samples of the same source, also for a
sixteenth as many (coverage: .96 and .27; precision: .90 and .84); it falls steadily with shift
(1.00 to .05), noise (1.00 to .36) and dropped classes (.99 to .50); and it is .03 for unrelated
vectors. Precision and density do not show dropped classes (.86 at one class of ten), a centroid
shows neither those (1.00) nor noise (.99), and recall rises with noise. With the median itself as
bandwidth unrelated vectors still have .50, because distances between unit vectors vary little.

v2's published code has another, which is no alignment of two sets but one of their orders:

- "paired": the cosine of the two matrices, row i with row i: the sum of the products of their
  entries over the product of their Frobenius norms, of vectors as they come. An edited copy that
  keeps the order of its rows is near to 1; the very same rows in another order are strangers. It is
  not among DEFINITIONS, under each of which a verdict is tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np

from ddiv.diversity.rbf import check_bandwidth, median_distance, rbf
from ddiv.diversity.rows import BLOCK_BYTES, Backend, backend, blocks, is_number, scaled_rows
from ddiv.diversity.vendi import VendiResult, measure

# The definitions of rho; the default comes first.
RhoDefinition = Literal["mmd", "centroid", "precision", "recall", "density", "coverage"]

DEFINITIONS: tuple[RhoDefinition, ...] = get_args(RhoDefinition)

PAIRED = "paired"

# The k of their authors, for the definitions that have one.
NEIGHBOURS = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}

# Distances of unit vectors are known to this much: equal vectors are in each other's ball.
_SLACK = 1e-7


@dataclass(frozen=True)
class Alignment:
    """The alignment rho with what it depends on.

    k: neighbours, and bandwidth, each None where the definition has none; n, n_original: numbers of
    samples.
    """

    rho: float
    definition: str
    k: int | None
    bandwidth: float | None
    n: int
    n_original: int


@dataclass(frozen=True)
class WeightedVendi(VendiResult):
    """A weighted score: `score` is rho x VS, `vendi` is VS, the rest is as in its two factors."""

    vendi: float
    rho: float
    definition: str
    k: int | None
    bandwidth: float | None
    n_original: int

    conditions: ClassVar[tuple[str, ...]] = (
        *VendiResult.conditions,
        "definition",
        "k",
        "bandwidth",
        "n_original",
    )

    def __str__(self) -> str:
        setting = f", bandwidth {self.bandwidth:.6g}" if self.bandwidth else ""
        if self.k:
            setting = f", k = {self.k}"
        return (
            f"weighted Vendi score {self.score:.6g} = rho {self.rho:.4f} ({self.definition}"
            f"{setting}, against {self.n_original} originals) x {self.vendi:.6g} (q = {self.q:g}, "
            f"{self.kernel}, n = {self.n}, {self.embedder}, {self.preprocessing})"
        )


def weighted_vendi(
    new: Any,
    original: Any,
    *,
    embedder: str,
    preprocessing: str,
    q: float = 1.0,
    definition: str = "mmd",
    labels: Any = None,
    original_labels: Any = None,
    k: int | None = None,
    bandwidth: float | str | None = None,
    device: Any = "auto",
) -> WeightedVendi:
    """The score rho x VS of new vectors (m, d) against original ones (n, d) of the same embedder.

    VS has the cosine kernel. The other arguments and the errors are those of `alignment` and of
    `ddiv.diversity.measure`. For another kernel or weights: `combine(measure(..), alignment(..))`.
    """
    new = _unit_rows(new, backend(device))
    aligned = alignment(
        new,
        original,
        definition,
        labels=labels,
        original_labels=original_labels,
        k=k,
        bandwidth=bandwidth,
        device=device,
    )
    vendi = measure(new, embedder=embedder, preprocessing=preprocessing, q=q, device=device)
    return combine(vendi, aligned)


def combine(vendi: VendiResult, aligned: Alignment) -> WeightedVendi:
    """The weighted score, from both factors of the same samples; ValueError if their n differ."""
    if vendi.n != aligned.n:
        raise ValueError(
            f"the Vendi score is of {vendi.n} samples and the alignment of {aligned.n}: measure "
            "one set"
        )
    return WeightedVendi(
        aligned.rho * vendi.score,
        vendi.n,
        vendi.q,
        vendi.kernel,
        vendi.embedder,
        vendi.preprocessing,
        vendi.score,
        aligned.rho,
        aligned.definition,
        aligned.k,
        aligned.bandwidth,
        aligned.n_original,
    )


def alignment(
    new: Any,
    original: Any,
    definition: str = "mmd",
    *,
    labels: Any = None,
    original_labels: Any = None,
    k: int | None = None,
    bandwidth: float | str | None = None,
    device: Any = "auto",
) -> Alignment:
    """The alignment rho of new vectors (m, d) with original ones (n, d), by one of DEFINITIONS or
    "paired".

    new, original: arrays, tensors or batches. labels (m,), original_labels (n,): for "centroid";
    every new class must be an original one. k: neighbours, by default as many as the authors take.
    bandwidth: of "mmd", for vectors of length 1: a number, "median" (distance between original
    samples) or "half-median", the default. Time m * n * d; memory: both sets in float64 and a few
    blocks of 64 MiB.

    ValueError on an unknown definition or an argument that does not belong to it, different d, NaN,
    zero vectors, fewer than 2 samples for "mmd" or k + 1 for neighbours, labels of other length or
    class, a class whose vectors cancel, sets of different size for "paired".
    """
    if definition not in (known := (*DEFINITIONS, PAIRED)):
        raise ValueError(f"unknown alignment {definition!r}: one of {', '.join(known)}")
    for name, value, owners in (
        ("labels", labels, ["centroid"]),
        ("original_labels", original_labels, ["centroid"]),
        ("bandwidth", bandwidth, ["mmd"]),
        ("k", k, list(NEIGHBOURS)),
    ):
        if value is not None and definition not in owners:
            raise ValueError(f"{name} belongs to {', '.join(owners)}, not to {definition}")
    where = backend(device)
    unit = definition != PAIRED
    a, b = _all_rows(new, where, unit), _all_rows(original, where, unit)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            "new and original vectors must be of one embedder: "
            f"they have {a.shape[1]} and {b.shape[1]} dimensions"
        )
    name, sigma = definition, None
    if definition == "mmd":
        rho, sigma = _mmd(a, b, "half-median" if bandwidth is None else bandwidth, where)
    elif definition == "centroid":
        rho = _centroid(where.numpy(a), where.numpy(b), labels, original_labels)
        name = "centroid" if labels is not None else "centroid (no labels: one class)"
    elif definition == PAIRED:
        rho = _paired(where.numpy(a), where.numpy(b))
    else:
        k = NEIGHBOURS[definition] if k is None else k
        rho = _neighbours(where.numpy(a), where.numpy(b), definition, k)
    return Alignment(float(np.clip(rho, 0.0, 1.0)), name, k, sigma, len(a), len(b))


def _unit_rows(X: Any, where: Backend) -> Any:
    """All rows in float64, of length 1."""
    return _all_rows(X, where, unit=True)


def _all_rows(X: Any, where: Backend, unit: bool) -> Any:
    """All rows in float64, of length 1 or as they come."""
    parts, n = [], 0
    for rows in blocks(X):
        parts.append(scaled_rows(where, rows, "cosine", n, None) if unit else where.float64(rows))
        n += len(rows)
    return parts[0] if len(parts) == 1 else where.xp.concatenate(parts)


def _mmd(new: Any, original: Any, bandwidth: float | str, where: Backend) -> tuple[float, float]:
    """The alignment and the bandwidth that it was computed with."""
    if min(len(new), len(original)) < 2:
        raise ValueError("mmd needs at least 2 new and 2 original samples")
    if isinstance(bandwidth, str) and bandwidth in ("median", "half-median"):
        sigma = median_distance(original, where) * (1.0 if bandwidth == "median" else 0.5)
    else:
        check_bandwidth(bandwidth, '"median", "half-median"')
        sigma = float(bandwidth)

    def mean(A: Any, B: Any, same: bool) -> float:
        step = max(1, BLOCK_BYTES // (8 * len(B)))
        total = sum(
            float(rbf(where, A[i : i + step], B, sigma).sum()) for i in range(0, len(A), step)
        )
        return (total - len(A)) / (len(A) * (len(A) - 1)) if same else total / (len(A) * len(B))

    own = mean(new, new, True) + mean(original, original, True)
    if not own > 1e-12:
        raise ValueError(
            f"bandwidth {sigma:.3g} is too small: no two samples of one set are near each other"
        )
    return 2 * mean(new, original, False) / own, sigma


def _centroid(new: np.ndarray, original: np.ndarray, labels: Any, original_labels: Any) -> float:
    if (labels is None) != (original_labels is None):
        raise ValueError("give labels and original_labels, or neither")
    if labels is None:
        labels, original_labels = np.zeros(len(new)), np.zeros(len(original))
    new_labels = _labels("labels", labels, len(new))
    old_labels = _labels("original_labels", original_labels, len(original))
    classes, counts = np.unique(new_labels, return_counts=True)
    if strange := sorted(set(classes.tolist()) - set(old_labels.tolist())):
        raise ValueError(f"classes of the new data that the original data lacks: {strange}")
    cosines = []
    for c in classes:
        a, b = new[new_labels == c].mean(axis=0), original[old_labels == c].mean(axis=0)
        lengths = np.linalg.norm(a), np.linalg.norm(b)
        if min(lengths) < 1e-12:
            raise ValueError(f"the vectors of class {c} cancel: their mean has no direction")
        cosines.append(max(0.0, a @ b / (lengths[0] * lengths[1])))
    return float(np.average(cosines, weights=counts))


def _paired(new: np.ndarray, original: np.ndarray) -> float:
    if new.shape != original.shape:
        raise ValueError(
            "paired compares row i with row i: give as many new as original samples, got "
            f"{len(new)} and {len(original)}"
        )
    lengths = np.linalg.norm(new) * np.linalg.norm(original)
    if not np.isfinite(lengths) or lengths == 0:
        raise ValueError("X holds NaN or infinity, or nothing but zero vectors: leave them out")
    return float((new * original).sum() / lengths)


def _labels(name: str, labels: Any, count: int) -> np.ndarray:
    """Labels (count,) that can be told apart and ordered; ValueError on others."""
    try:
        array = np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
        np.unique(array)  # raises on texts among numbers
        missing = np.ma.is_masked(labels) or bool((array != array).any())  # NaN is unlike itself
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be numbers or texts in an array (n,): {error}") from error
    if missing or array.shape != (count,):
        raise ValueError(
            f"{name} must be one a sample, got shape {array.shape}{', some missing' * missing} for "
            f"{count} samples"
        )
    return array


class Balls(NamedTuple):
    """Vectors (n, d) of length 1 and, by number k, the distance (n,) of each to its k-th neighbour
    among them.
    """

    centres: np.ndarray
    radii: Mapping[int, np.ndarray]


def balls(original: Any, counts: Sequence[int]) -> Balls:
    """The balls of original vectors (n, d) for these numbers k of neighbours, each below n.

    For `coverage` of many sets by the same originals.
    """
    return _balls(_rows(original), counts)


def coverage(new: Any, around: Balls) -> dict[int, float]:
    """The share of balls that hold one of the new vectors (m, d), by their number of neighbours:
    `alignment` by "coverage", for several k at once.
    """
    return _coverage(_rows(new), around)


def _rows(X: Any) -> np.ndarray:
    where = backend("numpy")
    rows: np.ndarray = where.numpy(_unit_rows(X, where))
    return rows


def _balls(centres: np.ndarray, counts: Sequence[int]) -> Balls:
    from sklearn.neighbors import NearestNeighbors

    away = NearestNeighbors(n_neighbors=max(counts)).fit(centres).kneighbors()[0]
    return Balls(centres, {k: away[:, k - 1] + _SLACK for k in counts})


def _coverage(new: np.ndarray, around: Balls) -> dict[int, float]:
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(new).kneighbors(around.centres)[0][:, 0]
    return {k: float((nearest <= radii).mean()) for k, radii in around.radii.items()}


def _neighbours(new: np.ndarray, original: np.ndarray, definition: str, k: int) -> float:
    from sklearn.metrics import pairwise_distances_chunked

    centres, points = (new, original) if definition == "recall" else (original, new)
    if not is_number(k, whole=True):
        raise ValueError(f"k must be a whole number, got {k!r:.80}")
    if k < 1 or len(centres) <= k:
        raise ValueError(
            f"{definition} needs k >= 1 and more than k samples to find neighbours among: "
            f"k = {k}, {len(centres)} samples"
        )
    around = _balls(centres, (k,))
    if definition == "coverage":
        return _coverage(points, around)[k]
    chunks = pairwise_distances_chunked(
        points,
        centres,
        reduce_func=lambda distances, start: (distances <= around.radii[k]).sum(axis=1),
        working_memory=64,
    )
    inside = np.concatenate(list(chunks))
    return float(inside.mean() / k if definition == "density" else (inside > 0).mean())
