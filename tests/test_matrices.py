"""Weight matrices and their eigenvalues, against direct SVDs and WeightWatcher on the CPU."""


import numpy as np
import torch
from torch import nn

from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import shapes, skipped, weight_matrices
from tests.spectra_cases import svd_evals


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
