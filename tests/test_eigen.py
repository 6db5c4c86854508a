"""Eigenvalues of weight matrices against direct SVDs, and a whole model against WeightWatcher on the CPU."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.spectra import metrics, powerlaw
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import shapes, weight_matrices
from tests.spectra_cases import svd_evals


@pytest.mark.parametrize("size", [(64, 64), (100, 60), (60, 100), (768, 256), (5, 1)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_eigenvalues_against_svd(size, dtype, monkeypatch):
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(*size, bias=False) for _ in range(3)]).to(dtype)
    matrices = weight_matrices(model)
    monkeypatch.setattr("ddiv.spectra.eigen._STACK_BYTES", 2 * min(size) ** 2 * 8)  # three in two pieces
    evals = eigenvalues(matrices)
    for m in matrices:
        values = svd_evals(m.tensor)
        assert evals[m.name].dtype == np.float64 and (np.diff(evals[m.name]) >= 0).all()
        np.testing.assert_allclose(evals[m.name], values, rtol=0, atol=1e-13 * values.max())
        assert shapes(matrices)[m.name] == (max(size), min(size), 1)


def test_one_call_serves_all_matrices_of_one_size(monkeypatch):
    calls = []
    solve = np.linalg.eigvalsh
    monkeypatch.setattr(np.linalg, "eigvalsh", lambda stack: calls.append(stack.shape) or solve(stack))
    evals = eigenvalues(weight_matrices(nn.ModuleList([nn.Linear(8, n) for n in (8, 30, 9, 4)])))
    assert sorted(calls) == [(1, 4, 4), (3, 8, 8)] and len(evals) == 4


def test_bad_weights_are_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        model[1].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="^1 holds NaN"):
        eigenvalues(weight_matrices(model))
    matrix = weight_matrices(nn.Linear(2, 2))[0]
    with pytest.raises(ValueError, match="names used twice.*weight"):
        eigenvalues([matrix, matrix])
    with pytest.raises(dataclasses.FrozenInstanceError):
        matrix.name = "x"
    rank_one = nn.Linear(30, 20)
    nn.init.ones_(rank_one.weight)
    evals = eigenvalues(weight_matrices(rank_one))["weight"]
    assert evals[-1] == pytest.approx(600, rel=1e-13) and 0 <= evals[0] <= evals[-2] < 1e-10


def test_whole_model_against_weightwatcher(ww, capsys):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(16, 32, 3), nn.Flatten(), nn.Linear(100, 60), nn.Linear(64, 64), nn.Embedding(200, 40),
        nn.MultiheadAttention(64, 4), nn.Linear(6, 60),
    )  # fmt: skip
    watcher = ww.main.WeightWatcher(model=model)
    theirs = watcher.analyze(randomize=False, plot=False, detX=False, vectors=False).set_index("longname")
    matrices = weight_matrices(model)
    evals, sides = eigenvalues(matrices), shapes(matrices)
    ours = {m.name: m for m in matrices}
    assert set(theirs.index) == {"0", "2", "3", "4", "5.out_proj"}  # 6 has too few, and q, k, v are not seen
    assert {"5.q", "5.k", "5.v", "6"} <= set(ours)
    for layer, row in theirs.iterrows():
        name = f"{layer}.pooled" if layer == "0" else layer
        # It halves a convolution's eigenvalues ("conv2d_norm"), which no other kind of layer suffers.
        values, shape = evals[name] * (0.5 if layer == "0" else 1.0), sides[name]
        fit, metric = powerlaw.fit(values), metrics.summarise(values, shape.N)
        assert (row.N, row.M, row.rf, row.num_evals) == (*shape, len(values))
        assert row.num_pl_spikes == fit.num_pl_spikes and row.matrix_rank == metric["numerical_rank"]
        pairs = {
            "alpha": fit.alpha, "xmin": fit.xmin, "D": fit.D, "sigma": fit.sigma, "xmax": values[-1],
            "norm": metric["frobenius_norm_squared"], "spectral_norm": metric["spectral_norm_squared"],
            "stable_rank": metric["stable_rank"], **metrics.log_norms(values, fit.alpha),
        }  # fmt: skip
        for column, value in pairs.items():
            assert value == pytest.approx(row[column], rel=1e-9), (layer, column)
        assert metric["entropy_normalised"] == pytest.approx(row.entropy, abs=1e-6)
