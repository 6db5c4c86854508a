"""How a network is laid out for a GPU: what changes the speed of a step and not what it computes.

Measured on an H200 (torch 2.11): of a step of a ViT-B/32 at batch 32 a quarter went into casts and
copies, and a tenth into the convolution that cuts images into patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

# What autocast computes in bf16 with parameters of its own; norms and embeddings stay in fp32.
_CAST = (
    *(nn.Linear, nn.modules.linear.NonDynamicallyQuantizableLinear, nn.MultiheadAttention),
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
)


def lay_out(network: nn.Module) -> None:
    """Lay out a network, on whatever device, as a GPU computes it fastest.

    Names, shapes and values of its parameters stay.
    """
    channels_last(network)
    for module in network.modules():
        if type(module) is nn.Conv2d and _cuts_patches(module):
            module.__class__ = _Patches


def channels_last(network: nn.Module) -> None:
    """Lay convolutions out as a GPU's tensor cores read them; shapes and meaning stay."""
    # torch refuses tensors of five dimensions, such as weights of 3-d convolutions.
    if all(tensor.ndim != 5 for tensor in (*network.parameters(), *network.buffers())):
        network.to(memory_format=torch.channels_last)


def _cuts_patches(module: nn.Conv2d) -> bool:
    """Whether a convolution reads each pixel once, as the first layer of a vision transformer."""
    return (
        module.kernel_size == module.stride
        and module.kernel_size != (1, 1)
        and module.padding in ((0, 0), "valid")
        and (module.dilation, module.groups) == ((1, 1), 1)
    )


class _Patches(nn.Conv2d):
    """A convolution whose stride is its kernel, as one product of matrices.

    cuDNN has no fast kernel for it: forward and backward took 0.70 of a ViT-B/32's 6.9 ms a step.
    """

    def forward(self, input: Tensor) -> Tensor:
        # Of an unbatched image (c, h, w) torch's own has a form of its own.
        if input.ndim != 4:
            return super().forward(input)
        (high, wide), (count, channels, height, width) = self.kernel_size, input.shape
        rows, columns = height // high, width // wide
        cut = input[:, :, : rows * high, : columns * wide]
        cut = cut.reshape(count, channels, rows, high, columns, wide).permute(0, 2, 4, 3, 5, 1)
        # In this order of axes the weight, which is channels-last, is read without a copy.
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        outputs = F.linear(cut.reshape(count, rows, columns, -1), weight, self.bias)
        return outputs.permute(0, 3, 1, 2)


class _InBf16(torch.autograd.Function):
    """Copies of parameters in bf16, made together, and their gradients in fp32 likewise.

    Autocast makes the same values by a kernel each.
    """

    @staticmethod
    def forward(ctx: Any, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        copies = [torch.empty_like(each, dtype=torch.bfloat16) for each in parameters]
        torch._foreach_copy_(copies, parameters)
        return tuple(copies)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        given = [each for each in gradients if each is not None]
        wide = [torch.empty_like(each, dtype=torch.float32) for each in given]
        if given:
            torch._foreach_copy_(wide, given)
        left = iter(wide)
        return tuple(None if each is None else next(left) for each in gradients)


def in_bf16(network: nn.Module, inputs: Tensor) -> Tensor:
    """What the network makes of the inputs under torch's autocast in bf16.

    The weights of its products and convolutions are cast beforehand, all together.
    """
    names = dict(_cast(network))
    copies = _InBf16.apply(*names.values())
    # Tied weights are left to autocast: torch puts a module that is in two places back wrongly.
    outputs: Tensor = functional_call(
        network, dict(zip(names, copies)), (inputs,), tie_weights=False
    )
    return outputs


def _cast(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that autocast casts, by name, each once."""
    seen: set[int] = set()
    for path, module in network.named_modules():
        # of a subclass nobody knows what it computes with its parameters
        if type(module) in (*_CAST, _Patches):
            for name, parameter in module.named_parameters(prefix=path, recurse=False):
                wanted = parameter.requires_grad and parameter.dtype == torch.float32
                if wanted and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield name, parameter
