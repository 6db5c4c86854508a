"""Which matrices a model or a state dict has, their names and kinds, and what is left out."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import KINDS, shapes, skipped, weight_matrices
from tests.support.spectra_cases import svd_evals


class Everything(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(24, 2, add_bias_kv=True)
        self.other = nn.MultiheadAttention(24, 2, kdim=10, vdim=12)
        self.split = nn.ModuleDict(
            {n: nn.Linear(24, 24) for n in ("q_proj", "k_proj", "v_proj", "c_proj")}
        )
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
        "grouped_queries.qkv": "linear", "mlp.0": "mlp", "mlp.2": "mlp", "head": "linear",
        "proj": "other", "cube": "other",
        "conv.flat": "conv-flat", "conv.pooled": "conv-pooled", "up.flat": "conv-flat",
        "up.pooled": "conv-pooled",
        "grouped.flat": "conv-flat", "grouped.pooled": "conv-pooled",
        "tokens": "embedding", "normed": "linear",
    }  # fmt: skip
    reasons = dict(skipped(model))
    for name, part in {
        "attn.bias_k": "vector kept in several", "pos_embed": "positional",
        "position_embedding.weight": "positional",
        "class_token": "vector kept in several", "logit_scale": "scalar",
        "mlp.1.weight": "scalar or a vector",
        "tied.weight": "same tensor as tokens.weight", "lazy.weight": "not initialised",
        "none": "empty",
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
    q, k, v = (
        model.attn.in_proj_weight[:24],
        model.attn.in_proj_weight[24:48],
        model.attn.in_proj_weight[48:],
    )
    for name, expected in {
        "attn.q": q, "attn.k": k, "attn.v": v, "other.k": model.other.k_proj_weight,
        "fused.k": model.fused["qkv"].weight[16:32], "normed": model.normed.weight,
        "cube": model.cube[0].flatten(1),
    }.items():  # fmt: skip
        assert torch.equal(tensors[name], expected), name
    for root, names in [
        (nn.Linear(3, 4), ["weight"]),
        (nn.MultiheadAttention(8, 2), ["q", "k", "v", "out_proj"]),
        (nn.TransformerEncoderLayer(8, 2, 16),
        ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.out_proj",
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
        "conv.pooled": (
            svd_evals(torch.stack([w[:, :, i, j] for i in range(3) for j in range(3)])),
            (20, 6, 9),
        ),
        "up.flat": (svd_evals(up.reshape(9, 20)), (20, 9, 1)),
        "up.pooled": (
            svd_evals(torch.stack([up[:, :, i, j] for i in range(2) for j in range(2)])),
            (9, 5, 4),
        ),
        "grouped.flat": (svd_evals(grouped.reshape(12, 6)), (12, 6, 1)),
        "grouped.pooled": (
            svd_evals(torch.stack([grouped[:, :, i] for i in range(3)])),
            (12, 2, 3),
        ),
    }
    assert set(evals) == set(expected)
    for name, (values, shape) in expected.items():
        np.testing.assert_allclose(evals[name], values, rtol=0, atol=1e-13 * values.max())
        assert sides[name] == shape


# --- state dicts, and the architectures that people have ------------------------------------------


def seen(source):
    return {m.name: (m.kind, tuple(m.tensor.shape), m.parameter) for m in weight_matrices(source)}


def kinds_of(source):
    return Counter(m.kind for m in weight_matrices(source))


def vit_b_32():
    import open_clip

    return open_clip.create_model("ViT-B-32", pretrained=None).visual


def resnet18():
    from torchvision.models import resnet18

    return resnet18()


def bert_base():
    transformers = pytest.importorskip("transformers")
    return transformers.BertModel(transformers.BertConfig())


def timm_vit():
    import timm

    return timm.create_model("vit_tiny_patch16_224")


def gpt2():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_layer=2, n_embd=48, n_head=4, vocab_size=90, n_positions=16)
    return transformers.GPT2Model(config)


def hf_vit():
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        num_hidden_layers=2, hidden_size=48, intermediate_size=96, num_attention_heads=4
    )
    return transformers.ViTModel(config)


def t5():
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        num_layers=1, num_decoder_layers=1, d_model=32, d_kv=8, num_heads=4, d_ff=64, vocab_size=90
    )
    return transformers.T5Model(config)


@pytest.mark.parametrize(
    "build, expected",
    [
        (
            vit_b_32,
            {
                "conv-pooled": 1,
                "conv-flat": 1,
                "q": 12,
                "k": 12,
                "v": 12,
                "out": 12,
                "mlp": 24,
                "other": 1,
            },
        ),
        (resnet18, {"conv-pooled": 20, "conv-flat": 20, "linear": 1}),
        (bert_base, {"embedding": 2, "q": 12, "k": 12, "v": 12, "out": 12, "mlp": 24, "linear": 1}),
        (
            timm_vit,
            {
                "conv-pooled": 1,
                "conv-flat": 1,
                "q": 12,
                "k": 12,
                "v": 12,
                "out": 12,
                "mlp": 24,
                "linear": 1,
            },
        ),
        (gpt2, {"embedding": 1, "q": 2, "k": 2, "v": 2, "out": 2, "mlp": 4}),
        (
            hf_vit,
            {
                "conv-pooled": 1,
                "conv-flat": 1,
                "q": 2,
                "k": 2,
                "v": 2,
                "out": 2,
                "mlp": 4,
                "linear": 1,
            },
        ),
        (t5, {"embedding": 1, "q": 3, "k": 3, "v": 3, "out": 3, "mlp": 4}),
    ],
)
def test_a_state_dict_gives_the_matrices_of_its_model(build, expected):
    model = build()
    state = model.state_dict()
    assert kinds_of(model) == expected and set(expected) <= set(KINDS)
    assert seen(state) == seen(model)
    of_state = {m.name: m.tensor for m in weight_matrices(state)}
    assert all(torch.equal(m.tensor, of_state[m.name]) for m in weight_matrices(model))
    reasons = dict(skipped(state))
    assert {m.parameter for m in weight_matrices(state)} | set(reasons) == set(state)
    assert dict(skipped(model)).items() <= reasons.items()


def test_gpt2_is_split_by_columns():
    torch.manual_seed(0)
    model = gpt2()
    weight = model.h[1].attn.c_attn.weight.detach()  # (in, 3 * out)
    evals = eigenvalues(
        [m for m in weight_matrices(model.state_dict()) if m.name.startswith("h.1.attn")]
    )
    for i, name in enumerate("qkv"):
        part = svd_evals(weight[:, 48 * i : 48 * (i + 1)])
        np.testing.assert_allclose(evals[f"h.1.attn.{name}"], part, rtol=0, atol=1e-13 * part.max())


def test_what_only_the_model_knows_is_said_or_documented():
    torch.manual_seed(0)
    model = Everything()
    del model.lazy
    of_model, state = seen(model), model.state_dict()
    of_state, reasons = seen(state), dict(skipped(state))
    other = {name for name in of_model if of_state.get(name) != of_model[name]}
    assert other == {"up.flat", "up.pooled", "tokens"}
    assert of_state["up.flat"][1] == (5, 36) and of_state["tokens"][0] == "linear"
    assert reasons["tied.weight"] == "the same tensor as tokens.weight"
    # The slices of the transposed convolution are transposed, and their spectra the same.
    pooled = [
        next(m for m in weight_matrices(of) if m.name == "up.pooled") for of in (model, state)
    ]
    a, b = (eigenvalues([m])["up.pooled"] for m in pooled)
    np.testing.assert_allclose(a, b, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_without_a_spectrum_have_their_reason():
    state = {
        "norm.running_mean": torch.ones(4), "norm.num_batches_tracked": torch.tensor(3),
        "attn.attn_mask": torch.zeros(8, 8),
        "attn.relative_position_index": torch.zeros(4, 4, dtype=torch.long),
        "a.weight": torch.zeros(8, 8, dtype=torch.uint8),
        "b.weight": torch.zeros(8, 8, dtype=torch.bool),
        "c.weight": torch.zeros(8, 8).to(torch.float8_e4m3fn),
        "d.weight": torch.quantize_per_tensor(torch.randn(8, 8), 0.1, 0, torch.qint8),
        "e.weight": torch.zeros(8, 8, dtype=torch.complex64),
        "f.weight": torch.empty(8, 8, device="meta"),
        "g.weight_g": torch.ones(8, 1), "n.weight_v": torch.ones(8, 8), "h._extra_state": {"x": 1},
        "i.weight": torch.ones(0, 3),
        "embed_positions.weight": torch.ones(9, 8), "vector": torch.ones(1, 1, 8),
    }  # fmt: skip
    assert weight_matrices(state) == []
    reasons = dict(skipped(state))
    for name, part in {
        "norm.running_mean": "buffer", "norm.num_batches_tracked": "buffer",
        "attn.attn_mask": "buffer",
        "attn.relative_position_index": "int64", "a.weight": "uint8", "b.weight": "bool",
        "c.weight": "quantised",
        "d.weight": "quantised", "e.weight": "complex64", "f.weight": "meta",
        "g.weight_g": "only the model knows",
        "n.weight_v": "only the model knows", "h._extra_state": "not a tensor but dict",
        "i.weight": "empty",
        "embed_positions.weight": "positional", "vector": "vector kept",
    }.items():  # fmt: skip
        assert part in reasons[name], name
    assert set(reasons) == set(state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_measured_as_they_are(dtype):
    torch.manual_seed(0)
    weight = torch.randn(40, 24).to(dtype)
    evals = eigenvalues(weight_matrices({"a.weight": weight}))["a"]
    expected = svd_evals(weight.double())
    np.testing.assert_allclose(evals, expected, rtol=0, atol=1e-13 * expected.max())


def test_names_say_what_a_state_dict_does_not():
    def kind(name, *shape, **beside):
        return {m.name: m.kind for m in weight_matrices({name: torch.ones(*shape), **beside})}

    beside = {f"a.{n}.weight": torch.ones(8) for n in ("query", "key", "value")}
    assert kind("wte.weight", 9, 8) == {"wte": "embedding"}
    for name in (
        "token_embedding",
        "word_embeddings",
        "embed_tokens",
        "tok_embeddings",
        "embedding",
        "shared",
    ):
        assert kind(f"x.{name}.weight", 9, 8) == {f"x.{name}": "embedding"}
    assert kind("patch_embedding.weight", 9, 8) == {"patch_embedding": "linear"}
    assert kind("a.dense.weight", 8, 8, **beside) == {"a.dense": "out"}
    assert kind("b.dense.weight", 8, 8, **beside) == {"b.dense": "linear"}
    assert kind("x.attention.output.dense.weight", 8, 8) == {"x.attention.output.dense": "out"}
    assert kind("x.output.dense.weight", 8, 8) == {"x.output.dense": "mlp"}
    # mixed head by head
    assert kind("attn.query_key_value.weight", 24, 8) == {"attn.query_key_value": "linear"}
    assert kind("attn.qkv.weight", 20, 8) == {"attn.qkv": "linear"}  # grouped queries
    assert kind("moe.experts.down_proj", 2, 8, 4) == {
        f"moe.experts.down_proj.{i}": "mlp" for i in range(2)
    }
    assert set(kind("c.weight", 8, 3, 2, 2, 2)) == {"c.flat", "c.pooled"}
