"""Whether a network takes the smallest batches of a trial, found out before it is trained.

Batch norm cannot normalise one example's features by their own spread, and group norm has the like
on maps of one pixel. torch says so at the last batch of the first epoch, or after all training at
the last batch of a test set.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ddiv.common.errors import TrialFailed
from ddiv.models.network import Network
from ddiv.trial.inputs import brought
from ddiv.trial.steps import computing, precision

# Inputs that are evaluated at once, and texts on a CPU.
EVALUATED = {"cpu": 250, "cuda": 1024}
TEXTS = 50


def in_batches(of: Callable[[Tensor], Tensor], inputs: Tensor, batch: int) -> Tensor:
    """What a function makes of inputs (n, ...), in batches; the rows in the inputs' order.

    On a CPU texts are put in batches of like length: padding up to a batch's longest text would be
    half of the work.
    """
    if inputs.device.type != "cpu" or inputs.ndim != 2 or inputs.dtype != torch.int64:
        return torch.cat([of(part) for part in torch.split(inputs, batch)])
    order = (inputs != 0).sum(1).argsort(stable=True)
    rows = torch.cat([of(inputs[places]) for places in torch.split(order, min(batch, TEXTS))])
    return rows[order.argsort()]


def last_batch(examples: int, batch: int) -> int:
    """The size of the last of the batches that an epoch is cut into."""
    return examples % batch or min(examples, batch)


def require_batches(
    network: Network,
    inputs: Tensor,
    batch: int,
    evaluated: Mapping[str, Tensor],
    device: torch.device,
) -> None:
    """Raise TrialFailed where a last batch has one input and the network takes only more.

    `inputs` (n, ...) are trained on in batches of `batch`. `evaluated` are the sets, by what
    messages call them, that the network is evaluated on. The network lies on the device, and stays
    as it is; nothing is drawn.
    """
    examples = len(inputs)
    if last_batch(examples, batch) == 1 and _needs_two(network, inputs, True, device):
        fitting = nearest_batch(examples, batch)
        remedy = f"take a batch of {fitting}, say, in place of {batch}" if fitting else "add some"
        raise TrialFailed(
            f"the last batch of an epoch has 1 of the {examples} training examples, and the "
            f"network's normalisation needs 2 or more to train on: {remedy}"
        )
    at_once = EVALUATED.get(device.type, EVALUATED["cpu"])
    for name, each in evaluated.items():
        single = last_batch(len(each), at_once) == 1
        if single and _needs_two(network, each, False, device):
            raise TrialFailed(
                f"the network cannot be evaluated on one input, and {name} has {len(each)}, "
                f"which leave one over in batches of {at_once}: let its normalisation keep running "
                "averages (track_running_stats), or change the number by one"
            )


def nearest_batch(examples: int, batch: int) -> int | None:
    """The batch size nearest to `batch` whose last batch has two examples or more, if any."""
    fitting = (size for size in range(2, examples + 1) if last_batch(examples, size) > 1)
    return min(fitting, key=lambda size: abs(size - batch), default=None)


def _needs_two(network: Network, inputs: Tensor, training: bool, device: torch.device) -> bool:
    """Whether a network fails on one input and takes two."""
    one = brought(inputs[-1:], device)
    return not _takes(network, one, training, device) and _takes(
        network, torch.cat([one, one]), training, device
    )


@torch.no_grad()
def _takes(network: Network, inputs: Tensor, training: bool, device: torch.device) -> bool:
    devices = [device] if device.type == "cuda" else []
    try:
        tried = copy.deepcopy(network).train(training)
        with torch.random.fork_rng(devices=devices), computing(device, precision(device)):
            tried(inputs)
    except torch.OutOfMemoryError:
        return True
    except Exception:  # a user's network raises anything
        return False
    return True
