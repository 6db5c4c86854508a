"""Power-law fits against WeightWatcher's, comparisons against the `powerlaw` package.

pytest benchmarks/bench_powerlaw.py        ratios, identical candidates checked
python -m benchmarks.bench_powerlaw        how often noise and true power laws are called reliable
"""

import warnings

import numpy as np
import pytest

from ddiv.spectra import powerlaw
from ddiv.spectra.alternatives import compare, flag_alternatives
from ddiv.spectra.bootstrap import alpha_interval

KINDS = ("gaussian", "marchenko-pastur", "pareto", "student", "trained")


def spectrum(kind: str, m: int) -> np.ndarray:
    """Draw m eigenvalues.

    "trained" is noise plus a product whose scales decay as a power of the index.
    """
    rng = np.random.default_rng(m)
    if kind == "pareto":
        return np.sort(rng.pareto(2.0, m) + 1)
    rows = 4 * m if kind == "marchenko-pastur" else m
    w = rng.standard_t(2.5, (rows, m)) if kind == "student" else rng.normal(size=(rows, m))
    if kind == "trained":
        w += rng.normal(size=(m, m)) * np.arange(1, m + 1) ** -0.6 @ rng.normal(size=(m, m))
    return np.linalg.eigvalsh(w.T @ w / rows)


@pytest.mark.parametrize("m", [768, 3072])
@pytest.mark.parametrize("kind", KINDS)
def test_fit(versus, ww, kind, m):
    from weightwatcher.WW_powerlaw import WWFit

    evals = spectrum(kind, m)

    def same(ours, theirs):
        assert ours.xmin == theirs.xmin
        reported = [theirs.alpha, theirs.D, theirs.sigma]
        np.testing.assert_allclose([ours.alpha, ours.D, ours.sigma], reported, rtol=1e-9)

    versus(
        lambda: powerlaw.fit(evals),
        lambda: WWFit(evals[evals > powerlaw.FLOOR]),
        peer_name="WeightWatcher WWFit",
        check=same,
        rounds=7,
        target=3.0,
    )


def test_fit_batch(versus):
    stack = np.random.default_rng(0).pareto(2.0, (2000, 64)) + 1
    versus(lambda: powerlaw.fit_batch(stack), None, peer_name="", note="2,000 spectra of 64")


def test_compare(versus):
    import powerlaw as package

    evals = spectrum("pareto", 768)
    fit = powerlaw.fit(evals)

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = package.Fit(evals, xmin=fit.xmin, verbose=0)
            return [
                peer.distribution_compare("power_law", name)[0]
                for name in ("exponential", "lognormal", "truncated_power_law")
            ]

    def same(ours, R):
        np.testing.assert_allclose(
            [ours.exponential.R, ours.log_normal.R, ours.truncated_power_law.R], R, atol=5e-3
        )

    versus(
        lambda: compare(evals, fit),
        theirs,
        peer_name="powerlaw distribution_compare",
        check=same,
        rounds=5,
        note="768 eigenvalues; under 20 ms",
    )


def test_alpha_interval(versus):
    evals = spectrum("student", 768)
    versus(lambda: alpha_interval(evals), None, peer_name="", note="768 eigenvalues, 400 resamples")


def passing(spectra: np.ndarray) -> tuple[float, float]:
    """Shares of B spectra (B, M) that are called reliable, before and after the comparison with
    the alternatives.
    """
    fits = [powerlaw.fit(x) for x in spectra]
    kept = [
        flag_alternatives(fit, compare(x, fit)).reliable
        for x, fit in zip(spectra, fits, strict=True)
    ]
    return float(np.mean([fit.reliable for fit in fits])), float(np.mean(kept))


def main() -> None:
    rng = np.random.default_rng(0)
    for rows, m, count in ((512, 10, 300), (64, 20, 300), (96, 64, 300), (768, 768, 24)):
        matrices = [rng.normal(size=(rows, m)) / np.sqrt(rows) for _ in range(count)]
        noise = np.stack([np.linalg.svd(w, compute_uv=False) ** 2 for w in matrices])
        print(
            f"Gaussian {rows} x {m}: reliable %.3f, and no alternative better %.3f"
            % passing(noise),
            flush=True,
        )
    for alpha in (2.0, 3.0, 4.5):
        for n in (100, 300, 1000):
            x = (1 - rng.random((300, n))) ** (-1 / (alpha - 1))
            print(
                f"power law alpha {alpha:g}, n {n}: reliable %.3f, and no alternative better %.3f"
                % passing(x)
            )


if __name__ == "__main__":
    main()
