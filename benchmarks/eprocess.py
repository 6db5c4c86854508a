"""Error and power of ddiv's anytime-valid verdicts, beside other bets and tests with a fixed n.

    python benchmarks/eprocess.py [--sequences 10000] [--out benchmarks/results/eprocess.json]

Writes the rate of any false verdict, looking after each of 50 seeds, by null and bet; the coverage
of the intervals; and the seeds needed by standardised effect size: data for a table and a plot. A
few minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from ddiv.evidence import judge, log_capital
from ddiv.evidence.capital import SURE

ALPHA = 0.05
LOOKS = 50
HORIZONS = {0.25: 500, 0.5: 250, 0.75: 120, 1.0: 80, 1.5: 50, 2.0: 40, 3.0: 30}
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]

NULLS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t with 2 degrees of freedom": lambda rng, shape: rng.standard_t(2, shape),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "three values, a third ties": lambda rng, shape: rng.integers(-1, 2, shape).astype(float),
    "coin, -1 or 1": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "difference of two log-normal arms": lambda rng, shape: (
        -np.diff(rng.lognormal(0, 1.5, (2, *shape)), axis=0)[0]
    ),
    "exponential, median 0": lambda rng, shape: rng.exponential(size=shape) - math.log(2),
    "log-normal (sigma 1.5), median 0": lambda rng, shape: rng.lognormal(0, 1.5, shape) - 1,
    "exponential, mean 0": lambda rng, shape: rng.exponential(size=shape) - 1,
}
NOISES: dict[str, tuple[Draw, Callable[[float], float]]] = {  # of variance 1, with P(noise < x)
    "normal": (NULLS["normal"], stats.norm.cdf),
    "t with 3 degrees of freedom": (
        lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3),
        lambda x: stats.t.cdf(x * math.sqrt(3), 3),
    ),
}


def uniform_sign(effects: np.ndarray) -> np.ndarray:
    """The sign bet without the half at p = 1. It takes that half out of the library's mixture."""
    seeds = np.arange(1, effects.shape[1] + 1)
    sure = np.where((effects > 0).cumsum(axis=1) == seeds, SURE * 2.0**seeds, 0)
    return np.log((np.exp(log_capital(effects)) - sure) / (1 - SURE))


def magnitude(effects: np.ndarray) -> np.ndarray:
    """Betting on signs with stakes by |x_t| over the root mean square so far, in place of ranks."""
    tilt, stakes = _scaled(effects), (0.25, 0.5, 1.0, 2.0, 4.0)
    paths = [(math.log(2) - np.logaddexp(0, -2 * stake * tilt)).cumsum(axis=1) for stake in stakes]
    sure = np.where(
        (effects < 0).cumsum(axis=1) > 0, -np.inf, (effects > 0).cumsum(axis=1) * math.log(2)
    )
    return np.logaddexp(
        math.log(SURE) + sure, logsumexp(paths, axis=0) + math.log((1 - SURE) / len(stakes))
    )


def self_normalised(effects: np.ndarray) -> np.ndarray:
    """De la Pena's bet (Annals of Probability 1999): exp(ax - (ax)^2 / 2).

    It is never above `magnitude`'s exp(ax) / cosh(ax).
    """
    tilt, stakes = _scaled(effects), (0.125, 0.25, 0.5, 1.0, 1.4)
    paths = [(a * tilt - (a * tilt) ** 2 / 2).cumsum(axis=1) for a in stakes]
    return logsumexp(paths, axis=0) - math.log(len(stakes))


def _scaled(effects: np.ndarray) -> np.ndarray:
    size = np.sqrt((effects**2).cumsum(axis=1) / np.arange(1, effects.shape[1] + 1))
    return effects / np.where(size > 0, size, 1)


def peeking(effects: np.ndarray) -> np.ndarray:
    """No bet: 1/p of the exact sign test for a fixed n.

    It shows what looking at such a test after every seed does.
    """
    seeds = np.arange(1, effects.shape[1] + 1)
    return -stats.binom.logsf((effects > 0).cumsum(axis=1) - 1, seeds, 0.5)


DELTAS = (0.25, 0.5, 1.0, 2.0, 4.0)


def t_test(effects: np.ndarray) -> np.ndarray:
    """The Gaussian Bayes factor of the t-statistic, equal weights on standardised effects DELTAS.

    Perez-Ortiz, Lardy, de Heide and Grunwald (Annals of Statistics 2024, "E-statistics, group
    invariance and anytime-valid testing"): the likelihood ratio of x_1..x_n up to scale, a function
    of u = sum(x) / sqrt(n sum(x^2)), tabulated.
    """
    seeds = np.arange(1, effects.shape[1] + 1)
    size = np.sqrt(seeds * (effects**2).cumsum(axis=1))
    angle = np.arcsin(np.clip(effects.cumsum(axis=1) / np.where(size > 0, size, 1), -1, 1))
    return np.column_stack([np.interp(angle[:, n - 1], *_t_table(n)) for n in seeds])


@cache
def _t_table(n: int) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(-np.pi / 2, np.pi / 2, 401)
    # The scale is integrated out on a fine grid over the bulk of
    # s^(n-1) exp(-s^2/2 + delta sqrt(n) u s).
    s = np.linspace(1e-3, math.sqrt(n) * (1 + max(DELTAS)) + 9, 800)
    base = (n - 1) * np.log(s) - s**2 / 2
    ratios = [
        logsumexp(base + delta * math.sqrt(n) * np.sin(angle)[:, None] * s, axis=1)
        - n * delta**2 / 2
        for delta in DELTAS
    ]
    return angle, logsumexp(ratios, axis=0) - logsumexp(base) - math.log(len(DELTAS))


BETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sign": partial(log_capital, method="sign"),
    "signed-rank": partial(log_capital, method="signed-rank"),
    "sign, uniform only": uniform_sign,
    "magnitude": magnitude,
    "self-normalised": self_normalised,
    "t-test": t_test,
}


def decided(
    bet: Callable[[np.ndarray], np.ndarray], effects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The seeds after which each sequence (m, n) is supported, and contradicted.

    Infinity where it never is.
    """

    def first(values: np.ndarray) -> np.ndarray:
        reached = bet(values) >= math.log(2 / ALPHA)
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)

    return first(effects), first(-effects)


def batches(draw: Draw, sequences: int, looks: int) -> Iterator[np.ndarray]:
    """The same sequences for every bet, a thousand at a time."""
    rng = np.random.default_rng(20)
    for start in range(0, sequences, 1000):
        yield draw(rng, (min(1000, sequences - start), looks))


def over(bet: Callable, draw: Draw, sequences: int, looks: int) -> tuple[np.ndarray, np.ndarray]:
    right, wrong = zip(
        *(decided(bet, batch) for batch in batches(draw, sequences, looks)), strict=True
    )
    return np.concatenate(right), np.concatenate(wrong)


def rate(hits: np.ndarray) -> dict:
    interval = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95)
    return {
        "rate": float(hits.mean()),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
    }


def errors(sequences: int) -> dict:
    return {
        null: {
            name: rate(np.isfinite(np.minimum(*over(bet, draw, sequences, LOOKS))))
            for name, bet in {**BETS, "fixed-n sign test": peeking}.items()
        }
        for null, draw in NULLS.items()
    }


def coverage(sequences: int) -> dict:
    """How often `judge`'s interval after LOOKS seeds holds the truth.

    It lies within the intervals of all seeds before, so these hold it then too.
    """
    cases = {
        "sign": ("exponential, median 0", sequences),
        "signed-rank": ("t with 2 degrees of freedom", sequences // 2),
    }
    kept = {}
    for method, (name, number) in cases.items():
        rows = (row for batch in batches(NULLS[name], number, LOOKS) for row in batch + 3)
        ends = np.array([judge(row, alpha=ALPHA, method=method).interval for row in rows])
        kept[method] = {
            "null": name,
            "sequences": number,
            **rate((ends[:, 0] <= 3) & (3 <= ends[:, 1])),
            "median_width": round(float(np.median(ends[:, 1] - ends[:, 0])), 3),
        }
    return kept


def power(sequences: int) -> dict:
    return {
        noise: {
            str(size): {
                **{name: _seeds_needed(bet, draw, size, sequences) for name, bet in BETS.items()},
                "fixed n, 80 % power": {
                    "sign test": sign_test_n(below(size)),
                    "paired t-test": t_test_n(size) if noise == "normal" else None,
                },
            }
            for size in HORIZONS
        }
        for noise, (draw, below) in NOISES.items()
    }


def _seeds_needed(bet: Callable, draw: Draw, size: float, sequences: int) -> dict:
    horizon = HORIZONS[size]
    right, wrong = over(bet, lambda rng, shape: draw(rng, shape) + size, sequences, horizon)
    seeds = np.minimum(right, wrong)
    quantiles = {
        f"{q:.0%}": float(np.quantile(right, q, method="inverted_cdf")) for q in (0.5, 0.8)
    }
    return {
        "mean": round(float(np.minimum(seeds, horizon).mean()), 2),
        "horizon": horizon,
        **{q: n if math.isfinite(n) else None for q, n in quantiles.items()},
        "contradicted": float((wrong < right).mean()),
        "undecided": float(np.isinf(seeds).mean()),
    }


def sign_test_n(positive: float) -> int:
    """The fewest seeds with 80 % power for the exact sign test at ALPHA / 2 each way."""
    return next(
        n
        for n in range(1, 2000)
        if stats.binom.sf(stats.binom.isf(ALPHA / 2, n, 0.5), n, positive) >= 0.8
    )


def t_test_n(size: float) -> int:
    """The fewest seeds with 80 % power for the paired t-test of Gaussian effects, as above."""
    return next(
        n
        for n in range(2, 2000)
        if stats.nct.sf(stats.t.isf(ALPHA / 2, n - 1), n - 1, size * math.sqrt(n)) >= 0.8
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "eprocess.json"
    )
    options = parser.parse_args()
    result: dict = {
        "command": f"python benchmarks/eprocess.py --sequences {options.sequences}",
        "sequences": options.sequences,
        "alpha": ALPHA,
        "looks": LOOKS,
    }
    for part in (errors, coverage, power):
        started = time.perf_counter()
        result[part.__name__] = part(options.sequences)
        print(f"{part.__name__}: {time.perf_counter() - started:.0f} s", flush=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    for noise, sizes in result["power"].items():
        print(
            f"\nmean seeds to a verdict, {noise}\nsize    "
            + "".join(f"{name:>20}" for name in BETS)
        )
        for size, bets in sizes.items():
            print(
                f"{size:8}" + "".join(f"{bets[name]['mean']:20.1f}" for name in BETS),
                bets["fixed n, 80 % power"],
            )


if __name__ == "__main__":
    main()
