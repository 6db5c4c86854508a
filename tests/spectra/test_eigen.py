"""Eigenvalues of weight matrices, against direct float64 SVDs."""

import dataclasses
import threading

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.spectra import eigen
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import WeightMatrix, shapes, weight_matrices
from tests.support.spectra_cases import svd_evals

SIZES = [(64, 64), (100, 60), (60, 100), (768, 256), (5, 1)]


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_eigenvalues_against_svd(dtype, threads, monkeypatch):
    for size in SIZES:
        torch.manual_seed(0)
        model = nn.ModuleList([nn.Linear(*size, bias=False) for _ in range(3)]).to(dtype)
        matrices = weight_matrices(model)
        # three in two calls
        monkeypatch.setattr("ddiv.spectra.eigen._CALL_BYTES", 2 * min(size) ** 2 * 8)
        evals = eigenvalues(matrices)
        assert list(evals) == [m.name for m in matrices]
        for m in matrices:
            values = svd_evals(m.tensor)
            assert evals[m.name].dtype == np.float64 and (np.diff(evals[m.name]) >= 0).all()
            np.testing.assert_allclose(
                evals[m.name], values, rtol=0, atol=1e-13 * values.max(), err_msg=str(size)
            )
            assert shapes(matrices)[m.name] == (max(size), min(size), 1)


def test_the_stated_accuracy_of_small_eigenvalues():
    """A condition number of 1e8 (1e16 for eigenvalues), planted: "gram" keeps to its bound, "svd"
    is exact throughout.
    """
    rng = np.random.default_rng(0)
    u, _ = np.linalg.qr(rng.normal(size=(200, 80)))
    v, _ = np.linalg.qr(rng.normal(size=(80, 80)))
    planted = np.logspace(-16, 0, 80)
    matrix = WeightMatrix("w", "other", torch.from_numpy(u * np.sqrt(planted) @ v.T), "w")
    gram, svd = eigenvalues([matrix])["w"], eigenvalues([matrix], method="svd")["w"]
    assert np.abs(gram - planted).max() < 1e-13
    np.testing.assert_allclose(svd, planted, rtol=1e-6)
    assert np.abs(gram / planted - 1).max() > 1e-2  # what "svd" is there for


def test_one_call_serves_all_matrices_of_one_size(monkeypatch):
    calls = []
    solve = np.linalg.eigvalsh
    monkeypatch.setattr(
        np.linalg, "eigvalsh", lambda stack: calls.append(stack.shape) or solve(stack)
    )
    evals = eigenvalues(weight_matrices(nn.ModuleList([nn.Linear(8, n) for n in (8, 30, 9, 4)])))
    assert sorted(calls) == [(1, 4, 4), (3, 8, 8)] and len(evals) == 4


# below and above the size from which products are made one by one
@pytest.mark.parametrize("in_channels", [3, 80])
def test_pooled_slices(in_channels):
    conv = nn.Conv2d(in_channels, 96, 3)
    pooled = next(m for m in weight_matrices(conv) if m.kind == "conv-pooled")
    slices = conv.weight.detach().double().numpy().reshape(96, in_channels, 9)
    expected = np.sort(
        np.concatenate([np.linalg.svd(slices[..., i], compute_uv=False) ** 2 for i in range(9)])
    )
    np.testing.assert_allclose(
        eigenvalues([pooled])[pooled.name], expected, rtol=0, atol=1e-13 * expected.max()
    )


def test_permuted_elements():
    """Permuting keeps the elements, so the sum of eigenvalues, and destroys rank one.

    The weights stay as they were.
    """
    matrices = [
        WeightMatrix(
            name, "other", torch.outer(torch.arange(1.0, 41), torch.arange(1.0, 31)).double(), name
        )
        for name in ("a", "b")
    ]
    before = matrices[0].tensor.clone()
    plain, permuted = eigenvalues(matrices), eigenvalues(matrices, permute=0)
    assert torch.equal(matrices[0].tensor, before)
    assert permuted["a"].sum() == pytest.approx(plain["a"].sum(), rel=1e-12)
    assert permuted["a"][0] > 1e-6 * permuted["a"][-1] and plain["a"][-2] < 1e-12 * plain["a"][-1]
    alone = eigenvalues(matrices[1:], permute=0)
    assert (alone["b"] == permuted["b"]).all() and (permuted["a"] != permuted["b"]).any()
    assert (eigenvalues(matrices, permute=1)["a"] != permuted["a"]).any()


def test_progress_counts_matrices():
    told = []
    eigenvalues(
        weight_matrices(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(4, 8))),
        progress=lambda *args: told.append(args),
    )
    assert [(done, total) for done, total, _ in told] == [(2, 3), (3, 3)] and {
        name for *_, name in told
    } == {"0", "2"}


def test_bad_weights_are_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        model[1].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"^1 holds NaN"):
        eigenvalues(weight_matrices(model))
    matrix = weight_matrices(nn.Linear(2, 2))[0]
    with pytest.raises(ValueError, match=r"names used twice.*weight"):
        eigenvalues([matrix, matrix])
    with pytest.raises(ValueError, match="hollow is empty"):
        eigenvalues([WeightMatrix("hollow", "other", torch.empty(0, 5), "hollow")])
    with pytest.raises(ValueError, match="unknown method 'qr'"):
        eigenvalues([matrix], method="qr")
    with pytest.raises(dataclasses.FrozenInstanceError):
        matrix.name = "x"
    rank_one = nn.Linear(30, 20)
    nn.init.ones_(rank_one.weight)
    evals = eigenvalues(weight_matrices(rank_one))["weight"]
    assert evals[-1] == pytest.approx(600, rel=1e-13) and 0 <= evals[0] <= evals[-2] < 1e-10


@pytest.fixture
def cpu_as_gpu(monkeypatch):
    """A CPU in a GPU's place."""
    to = torch.Tensor.to
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.Tensor,
        "to",
        lambda self, *rest, **how: (
            self if rest == (torch.device("cuda"),) else to(self, *rest, **how)
        ),
    )


def test_a_gpu_s_solvers_are_called_in_the_thread_that_asks(threads, monkeypatch, cpu_as_gpu):
    model, solved_in = nn.Sequential(*[nn.Linear(8 * side, 8 * side) for side in range(1, 6)]), []
    matrices = weight_matrices(model)
    expected, solve = eigenvalues(matrices), torch.linalg.svdvals
    monkeypatch.setattr(
        torch.linalg,
        "svdvals",
        lambda w, **how: solved_in.append(threading.get_ident()) or solve(w, **how),
    )
    found = eigenvalues(matrices, device="cuda")
    assert set(solved_in) == {threading.get_ident()} and len(solved_in) == 5
    for name, evals in found.items():
        np.testing.assert_allclose(evals, expected[name], rtol=0, atol=1e-13 * expected[name].max())


def test_a_gpu_s_spectra_come_in_their_order_whatever_is_solved_together(cpu_as_gpu):
    torch.manual_seed(0)
    shapes = [(12, 8), (8, 8), (8, 12), (8, 30), (8, 8), (40, 8)]
    matrices = weight_matrices(nn.Sequential(*[nn.Linear(*shape) for shape in shapes]))
    expected = eigenvalues(matrices)
    for name, evals in eigenvalues(matrices, device="cuda").items():
        np.testing.assert_allclose(evals, expected[name], rtol=0, atol=1e-13 * expected[name].max())


def failing(w, **how):
    raise RuntimeError("keyword argument `driver=` is only supported on CUDA")


def diverging(w, **how):
    raise torch.linalg.LinAlgError("the algorithm failed to converge")


SVDVALS = torch.linalg.svdvals


@pytest.mark.parametrize(
    "solver",
    [
        lambda w, **how: SVDVALS(w) * (1 + 1e-9),
        lambda w, **how: SVDVALS(w) * torch.nan,
        failing,
        diverging,
    ],
)
def test_what_a_gpu_solves_wrongly_is_solved_anew(solver, monkeypatch, cpu_as_gpu):
    matrices = weight_matrices(nn.Linear(30, 20))
    expected = eigenvalues(matrices)["weight"]
    monkeypatch.setattr(torch.linalg, "svdvals", solver)
    found = eigenvalues(matrices, device="cuda")["weight"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * expected.max())


def test_a_gpu_s_lack_of_memory_is_told(monkeypatch, cpu_as_gpu):
    def full(w, **how):
        raise torch.OutOfMemoryError("too little")

    monkeypatch.setattr(torch.linalg, "svdvals", full)
    with pytest.raises(torch.OutOfMemoryError):
        eigenvalues(weight_matrices(nn.Linear(30, 20)), device="cuda")


def test_matrices_of_a_gpu_that_the_cpu_solves_are_shared_among_its_threads():
    many = [
        WeightMatrix(str(i), "other", torch.empty(1536, 768, device="meta"), "") for i in range(6)
    ]
    assert [len(call) for _, call in eigen._calls(many, "cpu")] == [1] * 6
    assert [len(call) for _, call in eigen._calls(many, "cuda")] == [6]


@pytest.mark.cuda
@pytest.mark.parametrize("side", [64, 768, 1024])
@pytest.mark.parametrize("kind", ["nine decades", "half of the rank"])
def test_a_gpu_finds_ill_conditioned_spectra_too(kind, side):
    torch.manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(n, side).double()).Q for n in (2 * side, side))
    values = (
        torch.logspace(0, -9, side) if kind == "nine decades" else (torch.arange(side) < side / 2)
    )
    w = WeightMatrix("w", "other", (left * values.double()) @ right.mT, "")
    found = eigenvalues([w], device="cuda")["w"]
    expected = np.sort(values.double().square().numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.cuda
@pytest.mark.parametrize("home", ["cuda", "cpu"])
def test_devices_agree(home):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 200), nn.Linear(64, 64), nn.Conv2d(8, 16, 3))
    expected = eigenvalues(weight_matrices(model))
    permuted = eigenvalues(weight_matrices(model), permute=3)
    matrices = weight_matrices(model.to(home))
    for device in ("auto", "cuda", "cpu"):
        found = eigenvalues(matrices, device=device)
        again = eigenvalues(matrices, device=device, permute=3)
        for name, evals in expected.items():
            bound = {"rtol": 0, "atol": 1e-13 * evals.max(), "err_msg": f"{name} on {device}"}
            np.testing.assert_allclose(found[name], evals, **bound)
            np.testing.assert_allclose(again[name], permuted[name], **bound)
