"""Attention as a CPU computes it faster gives what nn.MultiheadAttention gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ddiv.trial import attention
from ddiv.trial.attention import lay_out_for_cpu


def both(**options: object) -> tuple[nn.MultiheadAttention, nn.MultiheadAttention]:
    torch.manual_seed(2)
    plain = nn.MultiheadAttention(24, 3, batch_first=True, **options)
    laid_out = nn.MultiheadAttention(24, 3, batch_first=True, **options)
    laid_out.load_state_dict(plain.state_dict())
    for module in (plain, laid_out):
        nn.init.normal_(module.in_proj_bias, generator=torch.Generator().manual_seed(3))
    lay_out_for_cpu(laid_out)
    return plain, laid_out


def test_values_and_gradients_are_the_same() -> None:
    plain, laid_out = both()
    assert type(laid_out) is not nn.MultiheadAttention
    results = []
    for module in (plain, laid_out):
        inputs = torch.randn(5, 7, 24, generator=torch.Generator().manual_seed(4)).requires_grad_()
        outputs, weights = module(inputs, inputs, inputs, need_weights=False, attn_mask=None)
        assert weights is None
        outputs.square().sum().backward()
        results.append([outputs, inputs.grad, *(p.grad for p in module.parameters())])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_names_of_parameters_stay() -> None:
    plain, laid_out = both()
    assert list(plain.state_dict()) == list(laid_out.state_dict())


@pytest.mark.parametrize("case", ["weights", "mask", "cross", "large", "padding"])
def test_everything_else_is_torchs(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, laid_out = both()
    inputs, others = torch.randn(2, 5, 7, 24)
    key = others if case == "cross" else inputs
    named: dict[str, object] = {"need_weights": case == "weights"}
    if case == "mask":
        named["attn_mask"] = torch.full((7, 7), -torch.inf).triu(1)
    if case == "padding":
        named["key_padding_mask"] = torch.arange(7).expand(5, 7) > 4
    if case == "large":
        monkeypatch.setattr(attention, "_SCORES", 5 * 3 * 7 * 7 - 1)
    for one, other in zip(
        plain(inputs, key, key, **named), laid_out(inputs, key, key, **named), strict=True
    ):
        assert (one is None) == (other is None)
        assert one is None or one.equal(other)


@pytest.mark.parametrize(
    "options", [{"dropout": 0.1}, {"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 8}]
)
def test_unusual_attention_is_left_alone(options: dict[str, object]) -> None:
    assert type(both(**options)[1]) is nn.MultiheadAttention
