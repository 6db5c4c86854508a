"""Masks, tables and copies are no weights, in a state dict as in a model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ddiv.spectra.matrices import skipped, weight_matrices


def causal(n: int, value: float = 1.0) -> torch.Tensor:
    return value * torch.ones(n, n).tril()


def sines(n: int, d: int) -> torch.Tensor:
    """The table of Vaswani et al. (2017)."""
    angles = torch.arange(n)[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


TABLES = {
    "h.0.attn.bias": causal(32)[None, None],
    "h.0.attn.masked_bias_table": causal(32),
    "attn.tril": causal(32),
    "attn.causal_mask": torch.full((32, 32), -math.inf).triu(1),
    "attn.unknown_name": torch.full((32, 32), -1e9).triu(1),
    "pe": sines(40, 16),
    "pos_encoder.pe": sines(40, 16)[:, None],
    "some.other": sines(40, 16).half(),
    "turned": sines(40, 16).T,
    "freqs_cos": sines(40, 16)[:, 1::2],
    "freqs_sin": sines(40, 16)[:, ::2],
    "rope.cos_cached": sines(40, 16)[None, None, :, 1::2],
    "rotary_emb.sin": sines(40, 16)[:, ::2],
    "decoder_pos_embed": torch.randn(1, 40, 16),
    "encoder.embed_positions.weight": torch.randn(40, 16),
    "emb.x_position_embeddings.weight": torch.randn(40, 16),
    "row_embed.weight": torch.randn(40, 16),
    "attn.distance_embedding.weight": torch.randn(40, 16),
    "attn.relative_position_bias_table": torch.randn(49, 4),
    "attn.relative_coords_table": torch.randn(1, 13, 13, 2),
    "attn.relative_attention_bias.weight": torch.randn(32, 8),
    "attn.rel_pos_h": torch.randn(27, 16),
    "attn.height_rel": torch.randn(27, 16),
    "attn.attention_biases": torch.randn(4, 49),
    "attn.r_w_bias": torch.randn(4, 16),
    "alibi": torch.randn(8, 32),
    "experts.down_proj_bias": torch.randn(8, 32),
    "queue": torch.randn(16, 256),
    "image_queue": torch.randn(16, 256),
    "memory_bank": torch.randn(256, 16),
    "memory_l": torch.randn(256, 16),
    "norm.running_cov": torch.randn(16, 16),
    "vq.embed_avg": torch.randn(16, 16),
    "query.weight_integer": torch.randint(-128, 128, (16, 16)).float(),
    "noises.noise_12": torch.randn(1, 1, 16, 16),
    "vq.ema_w": torch.randn(16, 16),
    "state.0.exp_avg_sq": torch.randn(16, 16),
    "detect.anchor_grid": torch.randn(3, 3, 2),
    "grid": torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")),
    "mel.filterbank": torch.rand(20, 16),
    "stft.forward_basis": torch.randn(40, 1, 16),
    "counts": torch.arange(64.0).view(8, 8) ** 2,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_a_state_dict_are_left_out_with_a_reason(name):
    state = {name: TABLES[name], "head.weight": torch.randn(9, 8)}
    assert [m.name for m in weight_matrices(state)] == ["head"]
    assert [key for key, _ in skipped(state)] == [name]


def test_weights_of_these_names_and_values_stay():
    state = {
        "head.weight": torch.eye(12),  # two values, and a layer's weight
        "signs": torch.randn(12, 12).sign(),
        "text_projection": torch.randn(12, 12),
        "zero": torch.zeros(12, 12),
        "lora_B": torch.zeros(12, 4),
        "pos_embed_proj.weight": torch.randn(12, 10),
        "rel_pos.mlp.fc1.weight": torch.randn(12, 10),
        "linear_pos.weight": torch.randn(12, 10),
        "mask_decoder.out.weight": torch.randn(12, 10),
        "patch_embed.proj.weight": torch.randn(12, 3, 4, 4),
        "rnn.weight_hh_l0": torch.randn(12, 3),
        "experts.w1": torch.randn(2, 12, 10),
        "buffer_net.layer.weight": torch.randn(12, 10),
    }
    assert {m.parameter for m in weight_matrices(state)} == set(state)


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.grid = nn.Parameter(torch.eye(12))  # learned: neither its name nor its start counts
        self.table = nn.Parameter(sines(12, 8), requires_grad=False)
        self.pe = nn.Parameter(torch.randn(12, 8))
        self.register_buffer("queue", torch.randn(12, 8))


def test_a_model_says_what_it_learns():
    model = Learned()
    assert [m.name for m in weight_matrices(model)] == ["grid"]
    assert set(dict(skipped(model))) == {"table", "pe"}


@pytest.mark.parametrize("copy", ["model_ema.{}", "encoder_k.{}", "teacher.net.{}", "dotless"])
def test_running_averages_of_weights_beside_them_are_left_out(copy):
    own = {"net.a.weight": torch.randn(9, 8), "net.b.weight": torch.randn(7, 9)}
    copies = {copy.format(name[4:]): value + 1 for name, value in own.items()}
    if copy == "dotless":  # as Stable Diffusion has them
        copies = {f"model_ema.{name.replace('.', '')}": value + 1 for name, value in own.items()}
    state = {**own, **copies, "model_ema.decay": torch.tensor(0.9)}
    assert {m.parameter for m in weight_matrices(state)} == set(own)
    assert all("average" in dict(skipped(state))[name] for name in copies)
    # Alone, or of another size, they are weights of their own.
    assert {m.parameter for m in weight_matrices(copies)} == set(copies)
    other = {**own, **{name: value[:, :5] for name, value in copies.items()}}
    assert {m.parameter for m in weight_matrices(other)} == set(other)


def test_codes_that_are_running_averages_are_no_weights():
    torch.manual_seed(0)
    codes = torch.randn(32, 16)
    state = {"vq.embed": codes, "vq.embed_avg": codes * 3, "vq.cluster_size": torch.ones(32)}
    state["head.weight"] = torch.randn(9, 8)
    assert [matrix.name for matrix in weight_matrices(state)] == ["head"]
    learned = {name: value for name, value in state.items() if name != "vq.embed_avg"}
    assert [matrix.name for matrix in weight_matrices(learned)] == ["vq.embed", "head"]
