"""Random weights in place of a pre-trained encoder's, as its architecture draws them."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def at_random(encoder: nn.Module) -> None:
    """Draw all weights of an encoder anew, in place, from torch's global generator.

    A layer of torch's draws its weights as when it was made, and norms forget what they averaged. A
    parameter of a module that is none, such as a vision transformer's class embedding, table of
    positions and last projection, is drawn as open_clip draws these: normal, with a deviation of
    one over the square root of the transformer's width, its longest side.
    """
    for module in encoder.modules():
        # nn.MultiheadAttention has the underscore
        reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
        if reset is not None:
            reset()
            continue
        for parameter in module.parameters(recurse=False):
            parameter.normal_(std=max(parameter.shape) ** -0.5)
    # open_clip's towers then change some of it
    begin = getattr(encoder, "init_parameters", None)
    if begin is not None:
        begin()
