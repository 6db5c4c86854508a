"""Dropout at the sites of a network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ddiv.common.errors import TrialFailed
from ddiv.models.network import DropoutSites
from ddiv.treatment import Dropout, EvaluationDropout

# --- dropout and pixels -------------------------------------------------------------------------


def add_dropout(sites: DropoutSites, dropout: Dropout | EvaluationDropout | None) -> None:
    """Drop activations at the sites in training; EvaluationDropout drops them in evaluation only.

    Hooks do it, so that parameters keep their names. Attention drops its weights in training only,
    because transformers' own code decides that. Raises TrialFailed on dropout within an encoder
    that has no place for it.
    """
    if dropout is None:
        return
    only_evaluating = isinstance(dropout, EvaluationDropout)
    where = "all" if isinstance(dropout, EvaluationDropout) else dropout.where
    if where == "encoder" and not sites.encoder:
        raise TrialFailed(
            "the backbone has no places for dropout in its encoder: leave the study's "
            "single_placement_rates empty, or give the encoder `dropout_sites` if it is an own "
            "model"
        )

    def drop(module: nn.Module, values: Tensor) -> Tensor:
        return F.dropout(values, dropout.rate, module.training != only_evaluating)

    if where in ("all", "encoder"):
        for module in sites.encoder:
            module.register_forward_hook(lambda module, _, output: drop(module, output))
        for module in () if only_evaluating else sites.attention:
            module.p = dropout.rate
    if where in ("all", "head"):
        sites.head.register_forward_pre_hook(lambda module, inputs: (drop(module, inputs[0]),))
