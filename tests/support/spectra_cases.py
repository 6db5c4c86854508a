"""What the tests of the spectra share: spectra to compare on."""

import numpy as np
import torch
from torch import nn

SIZES = [(64, 64), (100, 60), (40, 20), (300, 120), (25, 200)]


def spectrum(size: tuple[int, int], kind: str, seed: int = 0) -> np.ndarray:
    """Eigenvalues of a matrix with Gaussian or Pareto-distributed entries (a heavy tail)."""
    rng = np.random.default_rng([seed, *size])
    w = (
        rng.normal(size=size)
        if kind == "gaussian"
        else rng.pareto(1.5, size) * rng.choice([-1, 1], size)
    )
    return np.sort(np.linalg.svd(w / 10, compute_uv=False) ** 2)


def spiked(rng, N, M, strengths):
    """Noise and a low-rank signal; strengths in units of the critical one, (N M)^(1/4)."""
    k = len(strengths)
    u, v = (np.linalg.qr(rng.normal(size=(side, k)))[0] for side in (N, M))
    return rng.normal(size=(N, M)) + (u * np.asarray(strengths) * (N * M) ** 0.25) @ v.T


def signed(rng, values):
    return values * rng.choice([-1, 1], values.shape)


def svd_evals(w: torch.Tensor) -> np.ndarray:
    return np.sort(np.linalg.svd(w.detach().double().numpy(), compute_uv=False).ravel() ** 2)


def heavy_tailed(model: nn.Module, seed: int) -> nn.Module:
    """The model with the rows of its weights scaled by Pareto draws: spectra with a power-law tail,
    as training makes.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                rows = torch.rand(parameter.shape[0], generator=generator).clamp(1e-3) ** (-1 / 3)
                parameter.mul_(rows.reshape(-1, *[1] * (parameter.ndim - 1)))
    return model
