"""Vendi scores: ours against vendi-score's at equal results, and approximate against exact."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vendi_score import vendi

from ddiv.diversity import approximate, measure, vendi_score

pytestmark = pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")

NAMES = {"embedder": "given", "preprocessing": "none"}
IMAGES, SIDES = 50_000, 3_072


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    """5,000 vectors of 512 dimensions as an encoder gives: a common mean, a falling spectrum."""
    rng = np.random.default_rng(0)
    spread = rng.standard_normal((5000, 512)) / np.sqrt(np.arange(1, 513))
    return spread + 0.2 * rng.standard_normal(512)


@pytest.fixture(scope="module")
def wide() -> np.ndarray:
    """8,000 float32 vectors of 2,500 dimensions."""
    vectors = np.random.default_rng(0).standard_normal((8000, 2500), dtype=np.float32)
    return vectors / np.arange(1, 2501, dtype=np.float32)


def _same(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_score_of_5000_x_512(versus, embeddings):
    versus(
        lambda: vendi_score(embeddings),
        lambda: vendi.score_X(embeddings),
        peer_name="vendi_score.score_X",
        check=_same,
        rounds=1,
        target=50,
    )


def test_score_of_5000_x_512_against_the_dual(versus, embeddings):
    versus(
        lambda: vendi_score(embeddings),
        lambda: vendi.score_dual(embeddings),
        peer_name="vendi_score.score_dual",
        check=_same,
        rounds=5,
        note="the peer's own d x d form: a fair comparison",
    )


def test_weighted_samples(versus, embeddings):
    few = embeddings[:2000]
    weights = np.random.default_rng(1).uniform(size=2000)
    p = weights / weights.sum()
    versus(
        lambda: vendi_score(few, weights=weights),
        lambda: vendi.score_X(few, p=p),
        peer_name="vendi_score.score_X",
        check=_same,
        rounds=1,
        note="n = 2,000, d = 512; the peer's dual takes no weights",
    )


def image_batches(size: int = 500):
    """Random images as flat uint8 vectors, a batch at a time."""
    rng = np.random.default_rng(0)
    for _ in range(0, IMAGES, size):
        yield rng.integers(0, 256, (size, SIDES), dtype=np.uint8)


def _pixels() -> float:
    return vendi_score(image_batches())


def test_pixel_score_of_50000_x_3072(versus):
    """In a process of its own first, for its peak memory as a whole; then here."""
    code = (
        "import json, resource, bench_diversity as b; s = b._pixels();"
        "print(json.dumps([s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
    score, peak = json.loads(output.splitlines()[-1])
    versus(
        _pixels,
        None,
        check=lambda ours, _: _same(ours, score),
        rounds=1,
        note=(
            f"uint8 in batches of 500; a process of its own peaks at {peak:,.0f} MB "
            "(target: under 2,000)"
        ),
    )


def _error(versus, approximated, exact, what: str) -> None:
    """Time both; the note tells the errors of the estimate and of its bounds, in per cent."""
    ours, score = approximated(), exact().score
    errors = [f"{100 * (value / score - 1):+.2g}" for value in (ours.score, ours.lower, ours.upper)]

    def within(ours, theirs):
        assert ours.lower <= theirs.score <= ours.upper

    versus(
        approximated,
        exact,
        peer_name="our exact score",
        check=within,
        rounds=1,
        note="{}: estimate {} % off, bounds {} to {} %".format(what, *errors),
    )


@pytest.mark.parametrize("rank", [100, 400])
def test_sketch(versus, wide, rank):
    _error(
        versus,
        lambda: approximate(wide, rank=rank, **NAMES),
        lambda: measure(wide, **NAMES),
        "n = 8,000, d = 2,500",
    )


@pytest.mark.parametrize("rank", [100, 400])
def test_landmarks(versus, embeddings, rank):
    rbf, few = {"kernel": "rbf", "bandwidth": "median", **NAMES}, embeddings[:4000]
    _error(
        versus,
        lambda: approximate(few, rank=rank, **rbf),
        lambda: measure(few, **rbf),
        "RBF, n = 4,000, d = 512",
    )
