"""Marchenko-Pastur fits against WeightWatcher's, and the time of the default definition.

    OMP_NUM_THREADS=2 python -m pytest benchmarks/bench_mp.py

Both fit the same eigenvalues in WeightWatcher's definition; its function is called as its `analyze`
calls it. A ViT-B/32 image tower has 74 matrices, hence 74 spectra of 768.
"""

import warnings

import numpy as np
import pytest

from ddiv.spectra import mp
from ddiv.spectra.phase import phase


def spectrum(N: int, M: int, kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, N, M])
    w = rng.normal(size=(N, M)) if kind == "gaussian" else rng.standard_t(3, (N, M))
    return np.linalg.eigvalsh(w.T @ w / 1000)


@pytest.mark.parametrize("kind", ["gaussian", "heavy-tailed"])
@pytest.mark.parametrize("N, M", [(768, 768), (3072, 768)])
def test_fit_of_one_spectrum(versus, ww, N, M, kind):
    evals = spectrum(N, M, kind)

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ww.WeightWatcher().mp_fit(
                evals, N, M, 1, "", 0, 0, False, False, "", "", 1, True, evals
            )

    def check(ours, peer):
        names = ("num_spikes", "sigma_mp", "soft_rank", "bulk_min", "bulk_max", "w_scale")
        np.testing.assert_allclose([getattr(ours, name) for name in names], peer, rtol=1e-9)

    versus(
        lambda: mp.fit(evals, N, M, 1, "weightwatcher"),
        theirs,
        peer_name="WeightWatcher.mp_fit",
        check=check,
        rounds=5,
    )


@pytest.mark.parametrize("definition", mp.DEFINITIONS)
def test_fit_of_74_spectra(versus, definition):
    spectra = [
        spectrum(768, 768, "gaussian" if i % 2 else "heavy-tailed", i % 8) for i in range(74)
    ]
    versus(lambda: [mp.fit(evals, 768, 768, 1, definition) for evals in spectra], None, rounds=5)


def test_phase_of_74_spectra(versus):
    spectra = [
        spectrum(768, 768, "gaussian" if i % 2 else "heavy-tailed", i % 8) for i in range(74)
    ]
    versus(
        lambda: [phase(evals, 768, 768) for evals in spectra],
        None,
        note="MP fits; power-law fits where they do not decide",
    )
