"""Eigenvalues of weight matrices, many at once."""

from collections.abc import Sequence

import numpy as np
import torch

from ddiv.spectra.matrices import WeightMatrix, shape_of

_STACK_BYTES = 64 * 2**20


def eigenvalues(matrices: Sequence[WeightMatrix]) -> dict[str, np.ndarray]:
    """Name -> eigenvalues of W^T W, ascending float64, M = min(rows, columns) of them (count * M if pooled).

    Computed on the CPU in float64 from the Gram matrix of the shorter side, all of one size stacked into
    one call (in pieces of 64 MiB), and clipped at 0. Against the squared singular values of a float64 SVD the
    error is below 1e-13 times the largest eigenvalue: so eigenvalues below that are round-off.
    ValueError, with the name, on NaN or infinity and on two matrices of one name.
    """
    names = [m.name for m in matrices]
    if len(set(names)) < len(names):
        raise ValueError(f"names used twice: {sorted({n for n in names if names.count(n) > 1})}")
    by_size: dict[int, list[WeightMatrix]] = {}
    for m in matrices:
        by_size.setdefault(shape_of(m.tensor).M, []).append(m)
    spectra: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for size, group in by_size.items():
        pending: list[tuple[str, np.ndarray]] = []
        for m in group:
            pending.extend((m.name, gram) for gram in _grams(m))
            if len(pending) * size * size * 8 >= _STACK_BYTES:
                _solve(pending, spectra)
                pending = []
        _solve(pending, spectra)
    return {name: np.sort(np.concatenate(parts)) for name, parts in spectra.items()}


def _solve(pending: list[tuple[str, np.ndarray]], spectra: dict[str, list[np.ndarray]]) -> None:
    if pending:
        solved = np.linalg.eigvalsh(np.stack([gram for _, gram in pending]))
        for (name, _), evals in zip(pending, np.maximum(solved, 0.0)):
            spectra[name].append(evals)


def _grams(matrix: WeightMatrix) -> np.ndarray:
    """The Gram matrices of a matrix's slices on their shorter side, (count, M, M)."""
    w = matrix.tensor.detach().to("cpu", torch.float64).numpy()
    if not np.isfinite(w).all():
        raise ValueError(f"{matrix.name} holds NaN or infinity: it has no spectrum")
    w = w.reshape(-1, *w.shape[-2:])
    if w.shape[1] < w.shape[2]:
        w = w.transpose(0, 2, 1)
    return w.transpose(0, 2, 1) @ w
