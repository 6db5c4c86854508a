"""rho and the weighted Vendi score: against independent references, and what makes "mmd" the
default.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel

from ddiv.diversity import (
    WeightedVendi,
    alignment,
    combine,
    measure,
    require_comparable,
    vendi_score,
    weighted_vendi,
)
from ddiv.diversity import rows as rows_module
from ddiv.diversity.weighted import DEFINITIONS

NAMES = {"embedder": "pixels", "preprocessing": "8 px"}


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def pair(n: int = 60, m: int = 45, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(0.6, 1.0, (m, d)), rng.normal(0.4, 1.0, (n, d))


@pytest.fixture(scope="module")
def digits():
    """Vectors and labels of half the digits as the original, and of the other half as fresh
    samples.
    """
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    half = len(order) // 2
    return (
        data.data[order[:half]],
        data.target[order[:half]],
        data.data[order[half:]],
        data.target[order[half:]],
    )


# --- each definition against a plain reference --------------------------------------------------


def test_mmd_by_hand():
    new, original = (unit(X) for X in pair())
    distances = cdist(original, original)[np.triu_indices(len(original), 1)]
    for bandwidth, sigma in (
        ("median", np.median(distances)),
        (None, np.median(distances) / 2),
        (0.7, 0.7),
    ):
        gamma = 1 / (2 * sigma**2)
        xx, yy, xy = (
            rbf_kernel(new, gamma=gamma),
            rbf_kernel(original, gamma=gamma),
            rbf_kernel(new, original, gamma),
        )
        own = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
        squared = sum(own) - 2 * xy.mean()  # Gretton et al. 2012, equation 3
        found = alignment(*pair(), bandwidth=bandwidth)
        assert found.rho == pytest.approx(1 - squared / sum(own), rel=1e-9)
        assert found.bandwidth == pytest.approx(sigma) and found.k is None
        assert (found.definition, found.n, found.n_original) == ("mmd", 45, 60)


def test_the_estimator_has_no_bias():
    rng = np.random.default_rng(0)
    rhos = [alignment(*rng.normal(0.3, 1, (2, 12, 5)), bandwidth=0.8).rho for _ in range(400)]
    assert np.median(rhos) > 0.99  # were samples paired with themselves, it would be about .8


@pytest.mark.parametrize("k", [1, 3, 7])
def test_neighbour_definitions_by_hand(k):
    new, original = (unit(X) for X in pair())
    between = cdist(new, original)
    radii = np.sort(cdist(original, original), axis=1)[:, k]
    new_radii = np.sort(cdist(new, new), axis=1)[:, k]
    expected = {
        "precision": (between <= radii).any(axis=1).mean(),
        "recall": (between <= new_radii[:, None]).any(axis=0).mean(),
        "density": min(1, (between <= radii).sum() / k / len(new)),
        "coverage": (between.min(axis=0) <= radii).mean(),
    }
    for definition, rho in expected.items():
        found = alignment(*pair(), definition, k=k)
        assert (
            found.rho == pytest.approx(rho, abs=1e-12) and found.k == k and found.bandwidth is None
        )
        assert 0 < rho <= 1
    assert {name: alignment(*pair(), name).k for name in expected} == {
        "precision": 3,
        "recall": 3,
        "density": 5,
        "coverage": 5,
    }


def test_centroid_by_hand():
    new, original = pair()
    labels, original_labels = np.arange(45) % 3 % 2, np.array(["a", "b"])[np.arange(60) % 2]
    labels = np.array(["a", "b"])[labels]
    means = [
        (unit(new)[labels == c].mean(0), unit(original)[original_labels == c].mean(0)) for c in "ab"
    ]
    cosines = [cosine_similarity([a], [b]).item() for a, b in means]
    found = alignment(new, original, "centroid", labels=labels, original_labels=original_labels)
    assert (
        found.rho == pytest.approx(np.average(cosines, weights=[30, 15]))
        and found.definition == "centroid"
    )
    whole = alignment(new, original, "centroid")
    assert whole.rho == pytest.approx(
        cosine_similarity([unit(new).mean(0)], [unit(original).mean(0)]).item()
    )
    assert whole.definition == "centroid (no labels: one class)"
    assert alignment(-original, original, "centroid").rho == 0


def test_paired_by_hand():
    """v2's published code: one cosine of two matrices, of vectors as they come."""
    new, original = pair(45, 45)
    expected = np.vdot(new, original) / np.sqrt((new**2).sum() * (original**2).sum())
    found = alignment(new, original, "paired")
    assert found.rho == pytest.approx(expected, rel=1e-12)
    assert (found.definition, found.k, found.bandwidth) == ("paired", None, None)
    assert alignment(7 * original, original, "paired").rho == pytest.approx(1)
    assert alignment(-original, original, "paired").rho == 0
    # Long vectors count for more, which unit vectors would not show.
    longer = new * np.linspace(1, 9, 45)[:, None]
    assert alignment(longer, original, "paired").rho != pytest.approx(expected, rel=1e-3)
    batches = torch.from_numpy(new).split(4), [original[:9], original[9:]]
    for device in ("numpy", "cpu"):
        assert alignment(*batches, "paired", device=device).rho == pytest.approx(expected, rel=1e-9)


def test_paired_tells_the_order_of_rows_and_mmd_does_not():
    _, original = pair()
    shuffled = original[np.random.default_rng(1).permutation(len(original))]
    assert alignment(shuffled, original, "paired").rho < 0.5
    assert alignment(shuffled, original).rho == pytest.approx(alignment(original, original).rho)
    assert "paired" not in DEFINITIONS


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_batches_types_and_devices(definition, monkeypatch):
    new, original = pair()
    expected = alignment(new, original, definition).rho
    monkeypatch.setattr(rows_module, "BLOCK_BYTES", 8 * 8 * 5)
    tensors = torch.from_numpy(new).split(4), torch.from_numpy(original)
    for a, b in ((new * 100, [original[:9], original[9:]]), tensors):
        for device in ("numpy", "cpu"):
            assert alignment(a, b, definition, device=device).rho == pytest.approx(
                expected, rel=1e-9
            )


# --- why mmd is the default ---------------------------------------------------------------------


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_itself_is_aligned_and_strangers_are_less(definition, digits):
    original, labels, fresh, _ = digits
    given = {"labels": labels, "original_labels": labels} if definition == "centroid" else {}
    assert alignment(original, original, definition, **given).rho == pytest.approx(1, abs=1e-9)
    strangers = alignment(
        np.random.default_rng(0).standard_normal(fresh.shape), original, definition
    ).rho
    if definition == "recall":
        # wide balls around strangers hold every original: not a measure of alignment alone
        assert strangers > 0.9
    else:
        assert strangers < 0.1


def test_the_default_does_not_depend_on_n(digits):
    original, _, fresh, _ = digits
    rhos = {
        name: [alignment(fresh[: len(fresh) // part], original, name).rho for part in (1, 4, 16)]
        for name in DEFINITIONS
    }
    assert min(rhos["mmd"]) > 0.99
    assert rhos["coverage"][2] < 0.35 and rhos["coverage"][0] > 0.9
    assert rhos["precision"][0] < 0.95


def _falls(values: list[float]) -> bool:
    return (
        all(a >= b - 1e-3 for a, b in itertools.pairwise(values)) and values[0] - values[-1] > 0.2
    )


@pytest.mark.parametrize("damage", ["shift", "noise", "dropped classes"])
def test_the_default_falls_with_every_damage(damage, digits):
    original, _, fresh, labels = digits
    rng = np.random.default_rng(0)
    direction = unit(rng.standard_normal((1, 64))) * np.linalg.norm(fresh, axis=1).mean()
    noise = fresh.std() * rng.standard_normal(fresh.shape)
    damaged = {
        "shift": [fresh + t * direction for t in (0, 0.1, 0.2, 0.4, 0.8, 1.6)],
        "noise": [fresh + t * noise for t in (0, 0.1, 0.2, 0.4, 0.8, 1.6)],
        "dropped classes": [fresh[labels < c] for c in (10, 8, 5, 3, 1)],
    }[damage]
    rhos = {name: [alignment(new, original, name).rho for new in damaged] for name in DEFINITIONS}
    assert _falls(rhos["mmd"]) and rhos["mmd"][0] > 0.99
    if damage == "dropped classes":
        assert not _falls(rhos["precision"]) and not _falls(rhos["density"])
    if damage == "noise":
        assert not _falls(rhos["recall"]) and not _falls(rhos["centroid"])


# --- the weighted score -------------------------------------------------------------------------


def test_the_weighted_score_carries_everything(digits):
    original, labels, fresh, fresh_labels = digits
    found = weighted_vendi(fresh, original, q=2, **NAMES)
    aligned = alignment(fresh, original)
    assert found == combine(measure(unit(fresh), q=2, **NAMES), aligned)
    assert found.vendi == pytest.approx(vendi_score(fresh, 2), rel=1e-12)
    assert found.score == aligned.rho * found.vendi
    assert (found.n, found.q, found.kernel, found.embedder) == (len(fresh), 2.0, "cosine", "pixels")
    for text in (str(found), repr(found)):
        assert (
            "mmd" in text
            and f"{aligned.bandwidth:.4g}" in text
            and "pixels" in text
            and "8 px" in text
        )
    assert f"rho {aligned.rho:.4f} (mmd, bandwidth" in str(found)
    assert "rho" in str(weighted_vendi(fresh, original, definition="coverage", **NAMES))
    assert "(coverage, k = 5, against 898 originals)" in str(
        weighted_vendi(fresh, original, definition="coverage", **NAMES)
    )
    by_class = weighted_vendi(
        fresh, original, definition="centroid", labels=fresh_labels, original_labels=labels, **NAMES
    )
    assert "(centroid, against" in str(by_class)
    assert "(centroid (no labels: one class), against" in str(
        weighted_vendi(fresh, original, definition="centroid", **NAMES)
    )


def test_generators_are_read_once(digits):
    original, _, fresh, _ = digits
    found = weighted_vendi(
        (fresh[i : i + 100] for i in range(0, len(fresh), 100)), original, **NAMES
    )
    assert found.score == pytest.approx(weighted_vendi(fresh, original, **NAMES).score, rel=1e-10)


def test_noise_gains_diversity_and_loses_weight(digits):
    original, _, fresh, _ = digits
    noisy = fresh + fresh.std() * np.random.default_rng(0).standard_normal(fresh.shape)
    plain, loud = (weighted_vendi(X, original, **NAMES) for X in (fresh, noisy))
    assert loud.vendi > plain.vendi and loud.rho < plain.rho


def test_only_like_is_compared_with_like(digits):
    original, _, fresh, _ = digits
    mmd, coverage = (
        weighted_vendi(fresh, original, definition=name, **NAMES) for name in ("mmd", "coverage")
    )
    assert isinstance(mmd, WeightedVendi)
    require_comparable(mmd, mmd)
    with pytest.raises(ValueError, match="different definition "):
        require_comparable(mmd, coverage)
    with pytest.raises(ValueError, match="different kind "):
        require_comparable(mmd, measure(fresh, **NAMES))
    with pytest.raises(ValueError, match="the alignment of 898"):
        combine(measure(fresh[:100], **NAMES), alignment(original, original))


ONES = np.ones((6, 2))


@pytest.mark.parametrize(
    "new, original, options, message",
    [
        (ONES, ONES, {"definition": "cosine"}, "unknown alignment 'cosine': one of mmd, centroid"),
        (ONES, np.ones((6, 3)), {}, "they have 2 and 3 dimensions"),
        (ONES, ONES, {}, "median distance between samples is 0"),
        (ONES, ONES, {"bandwidth": -1}, "positive number"),
        (ONES, ONES, {"bandwidth": "mean"}, "positive number"),
        (np.eye(3), np.eye(3), {"bandwidth": 1e-3}, "bandwidth 0.001 is too small"),
        (ONES[:1], ONES, {"bandwidth": 1.0}, "at least 2 new and 2 original"),
        (
            ONES,
            ONES,
            {"definition": "centroid", "bandwidth": 1.0},
            "bandwidth belongs to mmd, not to centroid",
        ),
        (ONES, ONES, {"k": 3}, "k belongs to precision, recall, density, coverage, not to mmd"),
        (ONES, ONES, {"labels": [1] * 6}, "labels belongs to centroid"),
        (ONES, ONES, {"definition": "centroid", "labels": [1] * 6}, "or neither"),
        (
            ONES,
            ONES,
            {"definition": "centroid", "labels": [1], "original_labels": [1] * 6},
            "one a sample",
        ),
        (
            ONES,
            ONES,
            {"definition": "centroid", "labels": [7] * 6, "original_labels": [1] * 6},
            r"lacks: \[7\]",
        ),
        (np.array([[1.0, 0.0], [-1.0, 0.0]]), ONES, {"definition": "centroid"}, "cancel"),
        (ONES, ONES, {"definition": "coverage", "k": 6}, "more than k samples"),
        (ONES, ONES, {"definition": "coverage", "k": 0}, "k >= 1"),
        (np.zeros((3, 2)), ONES, {}, "zero vectors"),
        (ONES[:5], ONES, {"definition": "paired"}, "row i with row i: .* got 5 and 6"),
        (np.zeros((6, 2)), ONES, {"definition": "paired"}, "nothing but zero vectors"),
        (ONES, np.full((6, 2), np.nan), {"definition": "paired"}, "NaN"),
        (ONES, np.full((6, 2), np.nan), {}, "NaN"),
    ],
)
def test_bad_input_is_an_error(new, original, options, message):
    with pytest.raises(ValueError, match=message):
        alignment(new, original, **options)
