"""The 5+1 phases, against matrices built to be in each of them."""

from collections import Counter

import numpy as np
import pytest

from ddiv.spectra import mp, phase, powerlaw
from ddiv.spectra.phase import (
    BLEEDING_OUT,
    BULK_DECAY,
    BULK_SPIKES,
    HEAVY_TAILED,
    PHASES,
    RANDOM_LIKE,
    RANK_COLLAPSE,
)
from tests.support.spectra_cases import signed, spiked

SHAPES = [(128, 128), (256, 64), (512, 128), (256, 256)]


def scaled(rng, N, M, deviations):
    """Noise whose columns have these standard deviations."""
    return rng.normal(size=(N, M)) * deviations


def power_law(rng, N, M, alpha):
    """Random singular vectors, eigenvalues drawn from a density x^-alpha."""
    u, v = (np.linalg.qr(rng.normal(size=(side, M)))[0] for side in (N, M))
    return u * (1 - rng.random(M)) ** (-0.5 / (alpha - 1)) @ v


def product(rng, N, M, rank):
    return rng.normal(size=(N, rank)) @ rng.normal(size=(rank, M))


PLANTED = {
    RANDOM_LIKE: {
        "gaussian": lambda r, N, M: r.normal(size=(N, M)),
        "uniform": lambda r, N, M: r.uniform(-1, 1, (N, M)),
    },
    BLEEDING_OUT: {
        "one, 1.45 times critical": lambda r, N, M: spiked(r, N, M, [1.45]),
        "three, 1.35 to 1.45 times": lambda r, N, M: spiked(r, N, M, [1.35, 1.4, 1.45]),
    },
    BULK_SPIKES: {
        "one, 3 times critical": lambda r, N, M: spiked(r, N, M, [3]),
        "four, 2.5 to 6 times": lambda r, N, M: spiked(r, N, M, [2.5, 3, 4, 6]),
        "3 %, 2 to 6 times": lambda r, N, M: spiked(r, N, M, r.uniform(2, 6, max(1, M // 33))),
    },
    BULK_DECAY: {
        "linear": lambda r, N, M: scaled(r, N, M, np.linspace(1, 0.3, M)),
        "exponential": lambda r, N, M: scaled(r, N, M, np.exp(-np.arange(M) / M)),
        "slow power": lambda r, N, M: scaled(r, N, M, np.arange(1, M + 1) ** -0.25),
        "log-normal": lambda r, N, M: scaled(r, N, M, np.exp(0.3 * r.normal(size=M))),
        "gamma": lambda r, N, M: scaled(r, N, M, np.sqrt(r.gamma(3, 1 / 3, M))),
    },
    HEAVY_TAILED: {
        "Pareto entries, 1": lambda r, N, M: signed(r, r.pareto(1, (N, M))),
        "Pareto entries, 2": lambda r, N, M: signed(r, 1 + r.pareto(2, (N, M))),
        "Student entries, 2": lambda r, N, M: r.standard_t(2, (N, M)),
        "eigenvalues, alpha 2": lambda r, N, M: power_law(r, N, M, 2),
        "eigenvalues, alpha 3": lambda r, N, M: power_law(r, N, M, 3),
        "Zipf columns": lambda r, N, M: scaled(r, N, M, np.arange(1, M + 1) ** -0.5),
    },
    RANK_COLLAPSE: {
        "half": lambda r, N, M: product(r, N, M, M // 2),
        "nine tenths": lambda r, N, M: product(r, N, M, M * 9 // 10),
        "dead columns": lambda r, N, M: scaled(r, N, M, np.arange(M) >= M // 10),
        "half, float32": lambda r, N, M: product(r, N, M, M // 2).astype(np.float32),
    },
}


def of(w: np.ndarray) -> phase.Phase:
    N, M = w.shape
    return phase.phase(np.linalg.eigvalsh(w.astype(np.float64).T @ w.astype(np.float64)), N, M)


def confusion(shape, seeds: int) -> dict[str, Counter]:
    """From planted phase to how often each name was given."""
    found = {name: Counter() for name in PLANTED}
    for name, families in PLANTED.items():
        for family, draw in families.items():
            for seed in range(seeds):
                rng = np.random.default_rng([seed, *shape, *family.encode()])
                found[name][of(draw(rng, *shape)).name] += 1
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_planted_is_named(shape):
    seeds = 6
    found = confusion(shape, seeds)
    share = {name: counts[name] / counts.total() for name, counts in found.items()}
    # What the head of phase.py tells of these shapes, less three standard errors of this sample.
    least = dict(zip(PHASES, (0.9, 0.3, 0.95, 0.75, 0.7, 1.0)))
    assert {name: value for name, value in share.items() if value < least[name]} == {}
    assert not found[RANDOM_LIKE][HEAVY_TAILED] and not found[HEAVY_TAILED][RANDOM_LIKE]


def test_matrices_that_the_thresholds_were_not_set_on():
    distance = np.abs(np.subtract.outer(np.arange(128), np.arange(128)))
    others = {
        "laplace": (RANDOM_LIKE, lambda r: r.laplace(size=(512, 128))),
        "signs": (RANDOM_LIKE, lambda r: r.choice([-1.0, 1.0], (512, 128))),
        "one, 1.5 times critical": (BLEEDING_OUT, lambda r: spiked(r, 512, 128, [1.5])),
        "one, 30 times": (BULK_SPIKES, lambda r: spiked(r, 512, 128, [30])),
        "two, 2.2 times": (BULK_SPIKES, lambda r: spiked(r, 512, 128, [2.2, 2.2])),
        "correlated columns": (
            BULK_DECAY,
            lambda r: r.normal(size=(512, 128)) @ np.linalg.cholesky(0.5**distance).T,
        ),
        "chi-squared variances": (
            BULK_DECAY,
            lambda r: scaled(r, 512, 128, np.sqrt(r.chisquare(4, 128))),
        ),
        "Cauchy entries": (HEAVY_TAILED, lambda r: r.standard_cauchy((512, 128))),
        "eigenvalues, alpha 2.5": (HEAVY_TAILED, lambda r: power_law(r, 512, 128, 2.5)),
    }
    for name, (planted, draw) in others.items():
        found = Counter(
            of(draw(np.random.default_rng([seed, *name.encode()]))).name for seed in range(10)
        )
        assert found[planted] >= 6, (name, found)


def test_scale_and_order_do_not_matter():
    rng = np.random.default_rng(0)
    for families in PLANTED.values():
        w = next(iter(families.values()))(rng, 128, 128)
        evals = np.linalg.svd(w, compute_uv=False) ** 2
        plain = phase.phase(evals, 128, 128)
        for other in (
            phase.phase(evals * 1e-9, 128, 128),
            phase.phase(rng.permutation(evals), 128, 128),
        ):
            assert (other.name, other.rank, other.bulk.num_spikes) == (
                plain.name,
                plain.rank,
                plain.bulk.num_spikes,
            )
            assert other.gap == pytest.approx(plain.gap, rel=1e-6, nan_ok=True)


def test_gap_is_what_theory_says_of_a_signal():
    """(c - 1 / c)^2 / 4 widths of the bulk, whatever the shape (Baik, Ben Arous and Peche)."""
    for shape in ((400, 400), (900, 300)):
        for c in (1.5, 1.62, 2.0, 3.0):
            gaps = [of(spiked(np.random.default_rng(seed), *shape, [c])).gap for seed in range(6)]
            expected = (c - 1 / c) ** 2 / 4
            assert np.mean(gaps) == pytest.approx(expected, abs=0.04 + 0.08 * expected)


def test_what_was_measured_goes_with_the_name():
    w = PLANTED[BULK_SPIKES]["four, 2.5 to 6 times"](np.random.default_rng(0), 256, 128)
    spikes = of(w)
    assert (
        spikes.name == BULK_SPIKES
        and spikes.bulk.num_spikes == 4
        and spikes.rank == 128
        and spikes.tail is None
    )
    assert "4 of 128 eigenvalues" in spikes.reasons[1] and "follows the MP law" in spikes.reasons[0]
    evals = np.linalg.svd(w, compute_uv=False) ** 2
    fit = mp.fit(evals, 256, 128)
    assert spikes.gap == pytest.approx(
        (evals[0] - fit.bulk_max) / (fit.bulk_max - fit.bulk_min), rel=1e-9
    )
    heavy = of(power_law(np.random.default_rng(0), 256, 256, 2))
    assert heavy.name == HEAVY_TAILED and "A power law fits" in heavy.reasons[2]
    assert isinstance(heavy.tail, powerlaw.PowerLawFit) and heavy.tail.alpha == pytest.approx(
        2, abs=0.3
    )
    assert all(reason.endswith(".") for reason in spikes.reasons + heavy.reasons)


def test_thresholds_are_arguments():
    w = PLANTED[BLEEDING_OUT]["one, 1.45 times critical"](np.random.default_rng(1), 256, 256)
    evals = np.linalg.svd(w, compute_uv=False) ** 2
    assert phase.phase(evals, 256, 256).name == BLEEDING_OUT
    assert phase.phase(evals, 256, 256, criteria=phase.Criteria(near=0.01)).name == BULK_SPIKES


def test_pooled_slices():
    rng = np.random.default_rng(0)
    slices = rng.normal(size=(9, 64, 48))
    pooled = phase.phase((np.linalg.svd(slices, compute_uv=False) ** 2).ravel(), 64, 48, 9)
    assert pooled.name == RANDOM_LIKE
    slices[4] += 5 * np.outer(rng.normal(size=64), rng.normal(size=48)) / (64 * 48) ** 0.25
    pooled = phase.phase((np.linalg.svd(slices, compute_uv=False) ** 2).ravel(), 64, 48, 9)
    assert pooled.name == BULK_SPIKES and pooled.bulk.num_spikes == 1


def test_too_small_and_bad_input():
    for size in (1, 10, 49):
        few = of(np.random.default_rng(0).normal(size=(64, size)))
        assert (
            few.name == phase.UNDETERMINED
            and "Too small" in few.reasons[0]
            and few.name not in PHASES
        )
    assert of(np.random.default_rng(0).normal(size=(64, 50))).name == RANDOM_LIKE
    nothing = phase.phase(np.zeros(64), 64, 64)
    assert (
        nothing.name == RANK_COLLAPSE
        and nothing.rank == 0
        and nothing.reasons == ("64 of 64 eigenvalues are 0.",)
    )
    one = phase.phase(np.r_[np.zeros(63), 5.0], 64, 64)
    assert one.name == RANK_COLLAPSE and one.rank == 1
    # an orthogonal matrix: no phase of the paper, and no power law
    same = phase.phase(np.ones(64), 64, 64)
    assert same.name == BULK_DECAY and same.reasons[0].startswith("The bulk does not follow")
    for bad, message in (
        (np.r_[np.ones(63), np.nan], "NaN or infinity"),
        (np.ones(60), "have 64 eigenvalues, zeros included, got"),
        (-np.ones(64), "cannot be negative"),
    ):
        with pytest.raises(ValueError, match=message):
            phase.phase(bad, 64, 64)
