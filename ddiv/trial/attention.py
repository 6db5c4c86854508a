"""Attention of open_clip's small transformers on a CPU: what changes a step's speed, not its values.

At 17 tokens of 16 features a head torch's fused kernel for long sequences takes twice as long as
three products of matrices, and nn.MultiheadAttention copies queries, keys and values on the way
there: together a tenth of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Scores of all heads up to this many, 16 MiB of floats; beyond it the fused kernel, which never
# holds them all.
_SCORES = 1 << 22


def lay_out_for_cpu(network: nn.Module) -> None:
    """Lay out a network as a CPU computes it faster.

    Names, shapes and values of its parameters stay.
    """
    for module in network.modules():
        if type(module) is nn.MultiheadAttention and _is_plain(module):
            module.__class__ = _SelfAttention


def _is_plain(module: nn.MultiheadAttention) -> bool:
    """Whether an attention has nothing that only some have, such as biases of keys."""
    return (
        module.batch_first
        and module.in_proj_weight is not None
        and module.in_proj_bias is not None
        and module.bias_k is None
        and not module.add_zero_attn
        and module.dropout == 0
    )


class _SelfAttention(nn.MultiheadAttention):
    """Attention of a batch (n, tokens, width) to itself without a mask, as products of matrices."""

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, *further: Any, **named: Any
    ) -> tuple[Tensor, Tensor | None]:
        asked = {name: value for name, value in named.items() if value is not None}
        plain = query is key is value and query.ndim == 3 and not further
        heads, tokens = self.num_heads, query.shape[1]
        if (
            not plain
            or asked != {"need_weights": False}
            or len(query) * heads * tokens**2 > _SCORES
        ):
            return super().forward(query, key, value, *further, **named)
        projected = F.linear(query, self.in_proj_weight, self.in_proj_bias)
        # (n, tokens, 3 * width) to three of (n * heads, tokens, features)
        split = projected.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = split.flatten(1, 2).unbind(0)
        scores = torch.bmm(queries * self.head_dim**-0.5, keys.mT)
        mixed = torch.bmm(scores.softmax(-1), values)
        together = mixed.unflatten(0, (-1, heads)).transpose(1, 2).flatten(2)
        return self.out_proj(together), None
