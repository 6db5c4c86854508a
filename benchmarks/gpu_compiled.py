"""A step's forward pass through torch.compile, for the benchmarks to put beside ddiv's own.

torch's compiler joins casts, copies, norms and what is computed element by element, of which half a
ViT-B/32's step consists (results/gpu-arrangements.json). It takes up to a minute for each kind of
network and each shape of a batch, and needs Triton and a C compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ddiv.trial.layout import _cast, _InBf16


def in_bf16(network: nn.Module, inputs: Tensor) -> Tensor:
    """The same as `ddiv.trial.layout.in_bf16`; all but the casts of weights is compiled."""
    # As `Captured` lays out the places of its batches: of another layout torch would compile anew,
    # in the midst of the capture.
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    names = dict(_cast(network))
    copies = _InBf16.apply(*names.values())
    # Dropout is a hook, and by default torch would run what it compiled for a network without.
    with torch._dynamo.config.patch(skip_nnmodule_hook_guards=False):
        outputs: Tensor = _compiled()(network, dict(zip(names, copies)), inputs)
    return outputs


@cache
def _compiled() -> Any:
    return torch.compile(_outputs, dynamic=False, fullgraph=True)


def _outputs(network: nn.Module, weights: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    outputs: Tensor = functional_call(network, weights, (inputs,), tie_weights=False)
    return outputs
