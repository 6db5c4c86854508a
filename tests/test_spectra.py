"""Eigenvalues, metrics and power-law fits, against direct SVDs, closed forms and WeightWatcher on the CPU."""

import dataclasses
import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.spectra import metrics, powerlaw
from ddiv.spectra.matrices import eigenvalues, shapes, skipped, weight_matrices

SIZES = [(64, 64), (100, 60), (40, 20), (300, 120), (25, 200)]


@pytest.fixture(scope="module")
def ww():
    """WeightWatcher, imported without leaving its logging set-up behind."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import weightwatcher
    from weightwatcher import RMT_Util, WW_powerlaw

    root.handlers[:], root.level = handlers, level
    logging.getLogger("weightwatcher").setLevel(logging.CRITICAL)
    if torch.cuda.is_available():
        pytest.skip("WeightWatcher computes in half precision where it sees CUDA: no reference")
    return type("WW", (), {"main": weightwatcher, "rmt": RMT_Util, "fit": WW_powerlaw.WWFit})


def spectrum(size: tuple[int, int], kind: str, seed: int = 0) -> np.ndarray:
    """Eigenvalues of a Gaussian matrix, or of one with Pareto-distributed entries (a heavy tail)."""
    rng = np.random.default_rng([seed, *size])
    w = rng.normal(size=size) if kind == "gaussian" else rng.pareto(1.5, size) * rng.choice([-1, 1], size)
    return np.sort(np.linalg.svd(w / 10, compute_uv=False) ** 2)


def svd_evals(w: torch.Tensor) -> np.ndarray:
    return np.sort(np.linalg.svd(w.detach().double().numpy(), compute_uv=False).ravel() ** 2)


# --- power law ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian", "pareto"])
@pytest.mark.parametrize("size", SIZES)
def test_fit_is_weightwatchers(ww, size, kind):
    for seed in range(5):
        evals = spectrum(size, kind, seed)
        ours, theirs = powerlaw.fit(evals), ww.fit(evals[evals > 1e-5])
        assert ours.xmin == theirs.xmin  # the identical candidate, not one nearby
        np.testing.assert_allclose(
            [ours.alpha, ours.D, ours.sigma], [theirs.alpha, theirs.D, theirs.sigma], rtol=1e-9, atol=0
        )
        assert ours.num_pl_spikes == ours.tail_size == len(evals[evals >= theirs.xmin])
        assert ours.num_pl_spikes == metrics.num_pl_spikes(evals, theirs.xmin)


def test_every_candidate_has_weightwatchers_distance(ww):
    evals = spectrum((300, 120), "pareto")
    reference = ww.fit(evals)
    logs = np.log(evals[None])
    ours = powerlaw._ks_distances(logs, np.append(reference.alphas - 1, 0.0)[None])
    np.testing.assert_allclose(ours[0], reference.Ds, rtol=0, atol=1e-12)


def test_batch_equals_single_fits_and_ignores_order():
    rng = np.random.default_rng(1)
    stack = rng.pareto(2.0, (300, 70)) + 0.1  # 300 spectra: several blocks of spectra and of candidates
    batch = powerlaw.fit_batch(stack)
    assert len(batch) == 300
    shuffled = powerlaw.fit_batch(rng.permuted(stack, axis=1))
    for i in range(300):
        assert batch[i] == powerlaw.fit(stack[i]) == shuffled[i]
    assert len(set(batch.tail_size)) > 20  # the fits do differ


def test_floor_and_padding(ww):
    evals = spectrum((100, 60), "pareto")
    tiny = np.concatenate([np.full(30, 1e-6), evals])
    assert powerlaw.fit(np.concatenate([np.zeros(30), evals])) == powerlaw.fit(evals)
    assert powerlaw.fit(tiny) == powerlaw.fit(evals)
    assert powerlaw.fit(tiny, floor=0.0).num_evals == 90
    noise = spectrum((64, 64), "gaussian") * 1e-4  # the floor cuts into this one
    cut = noise[noise > 1e-5]
    assert 20 <= len(cut) < 64 and powerlaw.fit(noise).num_evals == len(cut)
    assert powerlaw.fit(noise).xmin == ww.fit(cut).xmin
    with pytest.raises(ValueError, match="floor"):
        powerlaw.fit(evals, floor=-1.0)


@pytest.mark.parametrize("alpha", [2.0, 3.0, 4.5])
def test_planted_power_law_is_recovered(alpha):
    rng = np.random.default_rng(7)
    x = (1 - rng.random((40, 1000))) ** (-1 / (alpha - 1))  # density ~ x^-alpha from 1 on
    fits = powerlaw.fit_batch(x)
    assert fits.reliable.mean() >= 0.9
    good = fits.reliable
    assert np.mean(np.abs(fits.alpha - alpha)[good] < 3 * fits.sigma[good]) >= 0.9  # xmin is chosen: not 99.7 %
    assert abs(np.median(fits.alpha) - alpha) < 3 * np.median(fits.sigma) / np.sqrt(40) * 2
    hill = powerlaw.hill_alpha(x, k=500)
    assert (np.abs(hill - alpha) < 3 * (alpha - 1) / np.sqrt(500)).mean() >= 0.95
    assert abs(hill.mean() - alpha) < 3 * (alpha - 1) / np.sqrt(500 * 40)


def test_hill_by_hand_and_default_tail():
    x = np.exp([0.0, 1.0, 2.0, 4.0])
    assert powerlaw.hill_alpha(x, k=2) == pytest.approx(1 + 2 / (1 + 3), rel=1e-12)
    y = np.random.default_rng(0).pareto(2, (3, 5, 40))
    np.testing.assert_array_equal(powerlaw.hill_alpha(y), powerlaw.hill_alpha(y, k=10))
    np.testing.assert_array_equal(powerlaw.hill_alpha(y[..., :8]), powerlaw.hill_alpha(y[..., :8], k=5))
    y[0, 0, 0], y[1, 1] = np.nan, 0.0
    assert np.isnan(powerlaw.hill_alpha(y))[[0, 1], [0, 1]].all() and np.isnan(powerlaw.hill_alpha(y)).sum() == 2
    for k in (0, 40):
        with pytest.raises(ValueError, match="1 <= k < M"):
            powerlaw.hill_alpha(y, k=k)


@pytest.mark.parametrize(
    "evals, reason",
    [
        (np.full(60, 2.0), "all eigenvalues are equal"),
        (np.zeros(60), "above the floor"),
        (np.r_[np.zeros(59), 3.0], "above the floor"),
        (np.r_[np.ones(59), np.nan], "NaN"),
        (np.r_[np.ones(59), np.inf], "NaN"),
        (np.r_[-1.0, np.arange(1.0, 60.0)], "negative"),
        (np.array([3.0]), "above the floor"),
    ],
)
def test_what_cannot_be_fitted_is_nan_with_a_reason(evals, reason):
    fit = powerlaw.fit(evals)
    assert not fit.reliable and any(reason in r and "not fitted" in r for r in fit.reasons)
    assert np.isnan([fit.alpha, fit.xmin, fit.D, fit.sigma]).all() and fit.tail_size == fit.num_pl_spikes == 0
    if len(evals) == 60:  # and it does not spoil its neighbours
        good = np.random.default_rng(0).pareto(2, 60) + 1
        assert powerlaw.fit_batch(np.stack([evals, good]))[1] == powerlaw.fit(good)


def test_wrong_shapes_are_errors():
    for wrong in (np.array([]), np.ones((2, 3)), np.float64(1)):
        with pytest.raises(ValueError, match="shape"):
            powerlaw.fit(wrong)
    for wrong in (np.ones(5), np.ones((3, 0))):
        with pytest.raises(ValueError, match="shape"):
            powerlaw.fit_batch(wrong)
    assert len(powerlaw.fit_batch(np.ones((0, 5)))) == 0


def test_reliability_rules():
    x = np.sort(np.random.default_rng(3).pareto(2.0, 400) + 1)
    good = powerlaw.fit(x)
    assert good.reliable and good.reasons == ()
    for m, expected in [(5, 3), (8, 2), (19, 2), (20, 1), (49, 1), (50, 0)]:
        few = powerlaw.fit(x[:: 400 // m][:m])
        assert np.isfinite(few.alpha) and few.num_evals == m
        assert sum("fewer than" in r and "tail" not in r for r in few.reasons) == expected
        assert not (few.reliable and expected)
    steep = powerlaw.fit(x**0.1)
    assert not steep.reliable and "alpha outside 1.5 to 8" in steep.reasons
    flat = powerlaw.fit(x**5)
    assert flat.alpha < 1.5 and flat.reasons == ("alpha outside 1.5 to 8",)
    short = powerlaw.fit(np.r_[np.linspace(1, 1.1, 200), 10.0 ** np.arange(1, 6)])
    tail = 2 * (1 - np.arange(11) / 11) ** (-1 / 5)  # quantiles of alpha = 6
    loose = powerlaw.fit(np.r_[np.linspace(1, 1.01, 60), tail])
    assert 10 <= loose.tail_size <= 11 and loose.reasons == ("sigma / alpha not below 0.25",)
    assert short.tail_size < 10 and "tail of fewer than 10 eigenvalues" in short.reasons


def test_noise_of_20_eigenvalues_is_not_called_reliable():
    fits = powerlaw.fit_batch(np.stack([spectrum((64, 20), "gaussian", s) for s in range(100)]))
    assert ((fits.alpha > 2) & (fits.alpha < 6)).mean() > 0.5  # it looks good ..
    assert not fits.reliable.any()  # .. and is not


# --- metrics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian", "pareto"])
@pytest.mark.parametrize("size", SIZES)
def test_metrics_are_weightwatchers(ww, size, kind):
    evals = spectrum(size, kind)
    N = max(size)
    assert metrics.stable_rank(evals) == pytest.approx(ww.rmt.stable_rank(evals), rel=1e-12)
    assert metrics.numerical_rank(evals, N) == ww.rmt.matrix_rank(np.sqrt(evals), N)
    ours = metrics.matrix_entropy(evals, "normalised", N)
    assert ours == pytest.approx(ww.rmt.matrix_entropy(np.sqrt(evals), N), abs=1e-6)  # it adds 1e-10 to p
    p = evals / evals.sum()
    assert ours == pytest.approx(-(p * np.log(p)).sum() / np.log(min(size)), rel=1e-12)


def test_closed_forms():
    identity = metrics.summarise(np.ones(64))
    assert identity == pytest.approx({
        "frobenius_norm": 8, "frobenius_norm_squared": 64, "spectral_norm": 1, "spectral_norm_squared": 1,
        "stable_rank": 64, "numerical_rank": 64, "entropy_raw": 0, "entropy_normalised": 1,
        "log_norm": np.log10(64), "log_spectral_norm": 0,
    }, rel=1e-12)  # fmt: skip
    one = metrics.summarise(np.r_[np.zeros(63), 4.0])
    assert one["frobenius_norm"] == one["spectral_norm"] == 2 and one["stable_rank"] == 1
    assert one["entropy_normalised"] == 0 and one["entropy_raw"] == pytest.approx(-4 * np.log(4), rel=1e-12)
    zero = metrics.summarise(np.zeros(64))
    assert zero["frobenius_norm"] == zero["spectral_norm"] == zero["entropy_raw"] == zero["numerical_rank"] == 0
    assert np.isnan(zero["stable_rank"]) and np.isnan(zero["entropy_normalised"])
    assert zero["log_norm"] == zero["log_spectral_norm"] == -np.inf


def test_rank_of_a_deficient_matrix_survives_the_gram_matrix():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(90, 7)) @ rng.normal(size=(7, 50))
    evals = np.maximum(np.linalg.eigvalsh(w.T @ w), 0)
    assert metrics.numerical_rank(evals, 90) == np.linalg.matrix_rank(w) == 7
    top = evals[-7:] / evals[-7:].sum()
    expected = -(top * np.log(top)).sum() / np.log(7)
    assert metrics.matrix_entropy(evals, "normalised", 90) == pytest.approx(expected, rel=1e-9) and expected <= 1


def test_summarise_stacks_like_single_calls():
    stack = np.random.default_rng(0).pareto(2, (3, 4, 30))
    rows = np.array([[30], [40], [10**14]])
    together = metrics.summarise(stack, n_rows=rows)
    for i in np.ndindex(3, 4):
        alone = metrics.summarise(stack[i], n_rows=int(rows[i[0], 0]))
        assert {k: v[i] for k, v in together.items()} == pytest.approx(alone, rel=1e-12)
    assert (together["numerical_rank"][2] < 30).any()  # the number of rows does matter


def test_log_norms_and_entropy_scale():
    evals = spectrum((64, 64), "pareto")
    logs = metrics.log_norms(evals, alpha=2.5)
    assert logs["log_alpha_norm"] == pytest.approx(np.log10((evals**2.5).sum()), rel=1e-12)
    assert logs["alpha_weighted"] == pytest.approx(2.5 * np.log10(evals.max()), rel=1e-12)
    assert np.isfinite(metrics.log_norms(evals * 1e10, alpha=50.0)["log_alpha_norm"])  # 1e500 would overflow
    normalised = [metrics.matrix_entropy(c * evals, "normalised") for c in (1, 9)]
    assert normalised[0] == pytest.approx(normalised[1], rel=1e-12)
    raw = [metrics.matrix_entropy(c * evals) for c in (1, 9)]
    assert raw[1] == pytest.approx(9 * raw[0] - 9 * np.log(9) * evals.sum(), rel=1e-12)


def test_metrics_refuse_bad_input():
    for bad in ([], [1.0, np.nan], [1.0, np.inf], [1.0, -0.1]):
        with pytest.raises(ValueError):
            metrics.frobenius_norm(np.array(bad))
    assert metrics.frobenius_norm(np.array([-1e-16, 1.0])) == 1  # round-off is none
    with pytest.raises(ValueError, match="unknown entropy 'normalized'"):
        metrics.matrix_entropy(np.ones(3), "normalized")


def test_no_torch_needed():
    code = "import sys, ddiv.spectra.metrics, ddiv.spectra.powerlaw; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- matrices ----------------------------------------------------------------------------------------------


class Everything(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(24, 2, add_bias_kv=True)
        self.other = nn.MultiheadAttention(24, 2, kdim=10, vdim=12)
        self.split = nn.ModuleDict({n: nn.Linear(24, 24) for n in ("q_proj", "k_proj", "v_proj", "c_proj")})
        self.fused = nn.ModuleDict({"qkv": nn.Linear(16, 48), "proj": nn.Linear(16, 16)})
        self.grouped_queries = nn.ModuleDict({"qkv": nn.Linear(16, 24)})
        self.mlp = nn.Sequential(nn.Linear(24, 96), nn.LayerNorm(96), nn.Linear(96, 24))
        self.proj = nn.Parameter(torch.randn(24, 10))
        self.head = nn.Linear(10, 7)
        self.conv = nn.Conv2d(6, 20, 3)
        self.up = nn.ConvTranspose2d(5, 9, 2)
        self.grouped = nn.Conv1d(8, 12, 3, groups=4)
        self.tokens = nn.Embedding(50, 24)
        self.position_embedding = nn.Embedding(9, 24)
        self.pos_embed = nn.Parameter(torch.randn(1, 9, 24))
        self.class_token = nn.Parameter(torch.randn(1, 1, 24))
        self.cube = nn.Parameter(torch.randn(1, 4, 3, 5))
        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(11, 13))
        self.tied = nn.Linear(24, 50)
        self.tied.weight = self.tokens.weight
        self.lazy = nn.LazyLinear(3)
        self.none = nn.Parameter(torch.empty(0, 4))


def test_kinds_names_and_reasons():
    torch.manual_seed(0)
    model = Everything()
    kinds = {m.name: m.kind for m in weight_matrices(model)}
    assert kinds == {
        "attn.q": "q", "attn.k": "k", "attn.v": "v", "attn.out_proj": "out",
        "other.q": "q", "other.k": "k", "other.v": "v", "other.out_proj": "out",
        "split.q_proj": "q", "split.k_proj": "k", "split.v_proj": "v", "split.c_proj": "out",
        "fused.q": "q", "fused.k": "k", "fused.v": "v", "fused.proj": "out",
        "grouped_queries.qkv": "linear", "mlp.0": "mlp", "mlp.2": "mlp", "head": "linear", "proj": "other", "cube": "other",
        "conv.flat": "conv-flat", "conv.pooled": "conv-pooled", "up.flat": "conv-flat", "up.pooled": "conv-pooled",
        "grouped.flat": "conv-flat", "grouped.pooled": "conv-pooled",
        "tokens": "embedding", "normed": "linear",
    }  # fmt: skip
    reasons = dict(skipped(model))
    for name, part in {
        "attn.bias_k": "vector kept in several", "pos_embed": "positional", "position_embedding.weight": "positional",
        "class_token": "vector kept in several", "logit_scale": "scalar", "mlp.1.weight": "scalar or a vector",
        "tied.weight": "same tensor as tokens.weight", "lazy.weight": "not initialised", "none": "empty",
        "normed.parametrizations.weight.original1": "part of normed.weight",
    }.items():  # fmt: skip
        assert part in reasons[name]


def test_nothing_is_skipped_in_silence():
    model = Everything()
    used = {m.parameter for m in weight_matrices(model)}
    left = {name for name, _ in skipped(model)}
    assert used | left == {name for name, _ in model.named_parameters(remove_duplicate=False)}
    assert not used & left
    del model.lazy
    matrices = weight_matrices(model)
    assert set(eigenvalues(matrices)) == set(shapes(matrices)) == {m.name for m in matrices}


def test_attention_is_split_and_reparametrised_weight_is_the_used_one():
    torch.manual_seed(0)
    model = Everything()
    tensors = {m.name: m.tensor for m in weight_matrices(model)}
    q, k, v = model.attn.in_proj_weight[:24], model.attn.in_proj_weight[24:48], model.attn.in_proj_weight[48:]
    for name, expected in {
        "attn.q": q, "attn.k": k, "attn.v": v, "other.k": model.other.k_proj_weight,
        "fused.k": model.fused["qkv"].weight[16:32], "normed": model.normed.weight, "cube": model.cube[0].flatten(1),
    }.items():  # fmt: skip
        assert torch.equal(tensors[name], expected), name
    for root, names in [
        (nn.Linear(3, 4), ["weight"]),
        (nn.MultiheadAttention(8, 2), ["q", "k", "v", "out_proj"]),
        (nn.TransformerEncoderLayer(8, 2, 16), ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.out_proj",
                                                "linear1", "linear2"]),
    ]:  # fmt: skip
        assert [m.name for m in weight_matrices(root)] == names


def test_convolutions_against_direct_svd():
    torch.manual_seed(0)
    model = Everything()
    matrices = [m for m in weight_matrices(model) if m.kind.startswith("conv")]
    evals, sides = eigenvalues(matrices), shapes(matrices)
    w, up, grouped = model.conv.weight, model.up.weight.transpose(0, 1), model.grouped.weight
    expected = {
        "conv.flat": (svd_evals(w.reshape(20, 54)), (54, 20, 1)),
        "conv.pooled": (svd_evals(torch.stack([w[:, :, i, j] for i in range(3) for j in range(3)])), (20, 6, 9)),
        "up.flat": (svd_evals(up.reshape(9, 20)), (20, 9, 1)),
        "up.pooled": (svd_evals(torch.stack([up[:, :, i, j] for i in range(2) for j in range(2)])), (9, 5, 4)),
        "grouped.flat": (svd_evals(grouped.reshape(12, 6)), (12, 6, 1)),
        "grouped.pooled": (svd_evals(torch.stack([grouped[:, :, i] for i in range(3)])), (12, 2, 3)),
    }
    assert set(evals) == set(expected)
    for name, (values, shape) in expected.items():
        np.testing.assert_allclose(evals[name], values, rtol=0, atol=1e-13 * values.max())
        assert sides[name] == shape


@pytest.mark.parametrize("size", [(64, 64), (100, 60), (60, 100), (768, 256), (5, 1)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_eigenvalues_against_svd(size, dtype, monkeypatch):
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(*size, bias=False) for _ in range(3)]).to(dtype)
    matrices = weight_matrices(model)
    monkeypatch.setattr("ddiv.spectra.matrices._STACK_BYTES", 2 * min(size) ** 2 * 8)  # three in two pieces
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
