"""How often intervals for alpha hold the truth, by simulation.

Run it by ``python -m tests.support.alpha_coverage [SAMPLES] [N ...]``.

Planted are power laws from x = 1 on: alone ("pure"); above a bulk whose density meets the tail's at
x = 1 ("smooth"); above a uniform bulk whose density jumps there ("step"). With a bulk, 30 % of the
values are in the tail.
"""

import sys

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from ddiv.spectra import powerlaw
from ddiv.spectra.bootstrap import alpha_interval, resampled_alphas

TAIL_SHARE = 0.3
PLANTS = ("pure", "smooth", "step")


def planted(plant: str, alpha: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n values whose power law sets in at 1, with exponent alpha."""
    tail = (1 - rng.random(n)) ** (-1 / (alpha - 1))
    if plant == "pure":
        return tail
    u = rng.random(n)
    if plant == "smooth":  # density ~ exp(-c x) on (0, 1), c such that it is continuous at 1
        mass = (1 - TAIL_SHARE) / TAIL_SHARE / (alpha - 1)
        c = brentq(lambda c: np.expm1(c) / c - mass, *((1e-9, 20) if mass > 1 else (-20, -1e-9)))
        bulk = 1 - np.log1p(u * np.expm1(c)) / c
    else:
        bulk = 0.02 + 0.98 * u
    return np.where(rng.random(n) < TAIL_SHARE, tail, bulk)


def coverage(
    plant: str,
    alpha: float,
    n: int,
    samples: int,
    replicates: int = 200,
    level: float = 0.95,
    bootstraps: bool = True,
) -> dict[str, tuple[float, float]]:
    """(share of samples whose interval holds alpha, median width), by interval.

    ours: alpha_interval; sigma: alpha +- z sigma; where asked for, the percentile and the basic
    bootstrap.
    """
    rng, quantiles = np.random.default_rng(n), [(1 - level) / 2, (1 + level) / 2]
    found = {
        name: [] for name in ("ours", "sigma", "percentile", "basic")[: 4 if bootstraps else 2]
    }
    for i in range(samples):
        x = planted(plant, alpha, n, rng)
        fit = powerlaw.fit(x)
        found["ours"].append(alpha_interval(x, level, replicates, seed=i))
        found["sigma"].append(fit.alpha + fit.sigma * ndtri(quantiles))
        if bootstraps:
            ends = np.quantile(resampled_alphas(x, replicates, i), quantiles)
            found["percentile"].append(ends)
            found["basic"].append(2 * fit.alpha - ends[::-1])
    result = {}
    for name, intervals in found.items():
        low, high = np.transpose(intervals)
        result[name] = (
            float(np.mean((low <= alpha) & (alpha <= high))),
            float(np.median(high - low)),
        )
    return result


def main(samples: int = 1000, *sizes: int) -> None:
    for n in sizes or (200, 1000):
        for plant in PLANTS:
            # pure ones differ in scale only
            for alpha in (3.0,) if plant == "pure" else (2.0, 3.0, 4.5):
                shares = coverage(plant, alpha, n, samples)
                text = "  ".join(
                    f"{name} {share:.3f} ({width:.2f})" for name, (share, width) in shares.items()
                )
                print(f"{plant:6} alpha {alpha:g} n {n}: {text}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
