"""The hooks of a treatment's parts as training calls them, and what they may return."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from ddiv.common.errors import TrialFailed
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Shown
from ddiv.models.network import DropoutSites, Network
from ddiv.treatment import Part, Treatment, is_built_in
from ddiv.treatment.augment import as_tensor
from ddiv.treatment.calls import called, called_twice, named, wrong
from ddiv.treatment.mixing import Mixed
from ddiv.trial.step_hooks import is_numbers, same_numbers

Examples = Tensor | np.ndarray


class Shows(NamedTuple):
    """A part that shows examples, and the generator that it draws from."""

    part: Part
    draws: Generator


def stream_of(part: Part, hook: str) -> str:
    """The random stream that a hook draws from; no part of a user's own shares one of ddiv's."""
    return part.stream if is_built_in(part) else f"part {part.stream}, {hook}"


def changed_set(
    shown: Shown, treatment: Treatment, draws: Callable[[str], Generator], classes: int
) -> Shown:
    """The training set as the parts of a treatment change it; `draws` gives a stream's generator.

    Raises TrialFailed where one of a user's own returns no training set of so many classes.
    """
    for part in treatment.with_hook("training_set"):
        hook_draws = draws(stream_of(part, "training_set"))
        if is_built_in(part):
            shown = part.training_set(shown, hook_draws)
        else:
            shown = _own_set(part, shown, hook_draws, classes)
    return shown


def _own_set(part: Part, shown: Shown, draws: Generator, classes: int) -> Shown:
    # The arrays are those that other trials of this process train on.
    given = Shown(_read_only(shown.inputs), _read_only(shown.labels))

    def call() -> Any:
        return called(part, "training_set", given, draws)

    result = called_twice(part, "training_set", _from(draws, call), _alike)
    if not isinstance(result, Shown) or not all(isinstance(each, np.ndarray) for each in result):
        raise wrong(part, "training_set", "a training set (shown._replace)", result)
    inputs, labels = result
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise wrong(part, "training_set", "whole-numbered labels (n,)", labels)
    if not len(inputs) == len(labels) > 0:
        raise TrialFailed(
            f"{named(part, 'training_set')} returned {len(inputs)} inputs with {len(labels)} "
            "labels, and a training set has one label for each input, and one input at least"
        )
    if (inputs.dtype, inputs.shape[1:]) != (given.inputs.dtype, given.inputs.shape[1:]):
        kind = f"inputs {given.inputs.dtype} (n, {str(given.inputs.shape[1:])[1:]}"
        raise wrong(part, "training_set", kind, inputs)
    if labels.min() < 0 or labels.max() >= classes:
        raise TrialFailed(
            f"{named(part, 'training_set')} returned labels from {labels.min()} to {labels.max()}, "
            f"and those of the {classes} classes are 0 to {classes - 1}"
        )
    inputs = shown.inputs if inputs is given.inputs else inputs
    return Shown(inputs, labels.astype(shown.labels.dtype))  # a copy: torch takes no read-only ones


def changed_network(network: Network, sites: DropoutSites, treatment: Treatment) -> None:
    """Let the parts of a treatment change a network that is not trained yet.

    New layers may draw their weights from torch, whose generator is seeded anew afterwards. Raises
    TrialFailed where a hook of a user's own raises, returns something else than it was given, or
    leaves nothing to train.
    """
    for part in treatment.with_hook("network"):
        result = called(part, "network", network, sites, watch="but torch")
        if result is not None and result is not network:
            raise TrialFailed(
                f"{named(part, 'network')} changes the network that it is given and returns "
                f"nothing; it returned something of type {type(result).__name__}"
            )
        trained = (*network.encoder.parameters(), *network.head.parameters())
        if not any(weights.requires_grad for weights in trained):
            raise TrialFailed(
                f"{named(part, 'network')} leaves no weights to train in the encoder and the head: "
                "leave `requires_grad` of some of them True"
            )


def changed_optimiser(
    optimiser: torch.optim.Optimizer, network: Network, parts: Iterable[Part]
) -> None:
    """Let parts change the optimiser.

    Raises TrialFailed where one returns another, or leaves no learning rate.
    """
    for part in parts:
        result = called(part, "optimiser", optimiser, network)
        if result is not None and result is not optimiser:
            raise TrialFailed(
                f"{named(part, 'optimiser')} changes the optimiser that it is given and returns "
                "nothing: steps of another kind are for the hook `gradients`, or for "
                "`optimiser.register_step_pre_hook`"
            )
        for group in optimiser.param_groups:
            if not (math.isfinite(rate := float(group["lr"])) and rate >= 0):
                raise TrialFailed(
                    f"{named(part, 'optimiser')} leaves the learning rate {rate:g}, and one is a "
                    "number of 0 or more"
                )


def batch_shown(inputs: Examples, shows: Iterable[Shows]) -> tuple[Examples, Mixed | None]:
    """Examples as the parts show them, and how their labels were mixed.

    Raises TrialFailed where one of a user's own returns anything but such examples, and where two
    mix labels.
    """
    mixed: Mixed | None = None
    for part, draws in shows:
        result, of_part = _own_batch(part, inputs, draws), None
        if isinstance(result, tuple):
            if mixed is not None:
                raise TrialFailed(
                    f"{named(part, 'batch')} mixes labels that are mixed already: leave one of the "
                    "two parts out"
                )
            result, of_part = result
        inputs, mixed = result, of_part or mixed
    return inputs, mixed


def _own_batch(part: Part, inputs: Examples, draws: Generator) -> Any:
    """What the hook `batch` of a part returns."""
    if is_built_in(part):
        return part.batch(inputs, draws)

    def call() -> Any:
        copy = inputs.clone() if isinstance(inputs, Tensor) else inputs.copy()
        return called(part, "batch", copy, draws)

    # On a GPU sums in another order give something else, too.
    once = draws.device.type != "cpu"
    result = call() if once else called_twice(part, "batch", _from(draws, call), _alike)
    shown, mixed = result, None
    if isinstance(result, tuple):
        if len(result) != 2 or not isinstance(result[1], Mixed):
            raise wrong(part, "batch", "inputs, or (inputs, Mixed)", result)
        shown, mixed = result
    alike = type(shown) is type(inputs) and (shown.dtype, shown.shape) == (
        inputs.dtype,
        inputs.shape,
    )
    if not alike or getattr(shown, "device", None) != getattr(inputs, "device", None):
        on = f" on {inputs.device}" if isinstance(inputs, Tensor) else ""
        wanted = f"{type(inputs).__name__} {inputs.dtype} {tuple(inputs.shape)}{on}"
        raise wrong(part, "batch", f"examples as it is given them, {wanted}", shown)
    if isinstance(shown, np.ndarray) and not all(isinstance(text, str) for text in shown):
        other = next(text for text in shown if not isinstance(text, str))
        raise wrong(part, "batch", "an array of texts, each a str", other)
    if mixed is not None:
        _require_mixed(part, mixed, len(inputs), draws.device)
    return result


def _require_mixed(part: Part, mixed: Mixed, count: int, device: torch.device) -> None:
    partner, weight = mixed.partner, mixed.weight
    if not is_numbers(weight, (count,)) or not bool(((weight >= 0) & (weight <= 1)).all()):
        raise wrong(part, "batch", f"`Mixed` with weights ({count},) from 0 to 1", weight)
    whole = isinstance(partner, Tensor) and partner.dtype == torch.int64
    if (
        not whole
        or partner.shape != (count,)
        or not bool(((partner >= 0) & (partner < count)).all())
    ):
        raise wrong(part, "batch", f"`Mixed` with partners int64 ({count},), from 0 on", partner)
    if {partner.device, weight.device} != {device}:
        raise TrialFailed(f"{named(part, 'batch')} returned a `Mixed` that is not on {device}")


def as_given(inputs: np.ndarray) -> Examples:
    """Images as the tensor, or texts as the array, that the hook `batch` is given."""
    return inputs if are_texts(inputs) else as_tensor(inputs)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _from(draws: Generator, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, each time with the same draws."""
    begun = draws.get_state()

    def repeatable() -> Any:
        draws.set_state(begun)
        return call()

    return repeatable


def _alike(first: Any, second: Any) -> bool:
    """Whether two results of a hook are the same to the bit."""
    if type(first) is not type(second):
        return False
    if isinstance(first, Tensor):
        return same_numbers(first, second)
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second)
    if isinstance(first, Mixed):
        return _alike((first.partner, first.weight), (second.partner, second.weight))
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(_alike, first, second))
    return True  # of a type that is refused
