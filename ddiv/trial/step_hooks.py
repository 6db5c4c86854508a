"""The hooks of a treatment's parts that a step of training calls: loss, penalty, gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ddiv.common.errors import TrialFailed
from ddiv.treatment import Part
from ddiv.treatment.calls import called, called_twice, named, require_undrawn, watched, wrong


class StepHooks:
    """The hooks `loss`, `penalty` and `gradients` of a treatment's parts.

    watched: whether the results are looked at, and draws from a global generator looked for. A CUDA
    graph forbids both; what does not wait for the device is checked there too.
    """

    def __init__(self, parts: Iterable[Part], network: nn.Module, watched: bool) -> None:
        parts = list(parts)
        self.network, self.watched = network, watched
        self._loss = next((part for part in parts if "loss" in part.hooks), None)
        self._gradients = next((part for part in parts if "gradients" in part.hooks), None)
        self._penalties = [part for part in parts if "penalty" in part.hooks]

    @property
    def loss(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """The loss of each example, (n,), of outputs and labels; None for the cross-entropy."""
        part = self._loss
        return None if part is None else lambda outputs, labels: self._of(part, outputs, labels)

    def _of(self, part: Part, outputs: Tensor, labels: Tensor) -> Tensor:
        loss = self._called(part, "loss", [outputs, labels], outputs, labels)
        self._require_number(part, "loss", loss, labels.shape, "the loss of each example", outputs)
        return loss  # type: ignore[no-any-return]

    def penalised(self, loss: Tensor) -> Tensor:
        """The mean loss of a batch with all penalties."""
        for part in self._penalties:
            weights = list(self.network.parameters())
            penalty = self._called(part, "penalty", weights, self.network)
            self._require_number(part, "penalty", penalty, (), "one number", *weights)
            loss = loss + penalty
        return loss

    def _require_number(
        self, part: Part, hook: str, got: Any, shape: Iterable[int], what: str, *of: Tensor
    ) -> None:
        """Raise TrialFailed where a hook gave no tensor with a gradient, as finite as `of` is."""
        shape, device = tuple(shape), of[0].device
        if not is_numbers(got, shape) or got.device != device:
            raise wrong(part, hook, f"{what}, a tensor of floats of shape {shape} on {device}", got)
        if not got.requires_grad and torch.is_grad_enabled():
            raise TrialFailed(
                f"{named(part, hook)} returned a tensor without gradient, so nothing would be "
                "learned from it: compute it of what it is given, without detach(), item(), "
                "numpy() or no_grad()"
            )
        if self.watched and not finite(got) and all(map(finite, of)):
            raise TrialFailed(
                f"{named(part, hook)} returned {float(got.detach().sum())}, though what it is "
                "given is finite: look for a division by 0, a logarithm or a root"
            )

    def gradients(self, backward: Callable[[], Tensor]) -> Tensor:
        """The loss of a batch, when the gradients are left in the parameters."""
        part = self._gradients
        if part is None:
            return backward()
        before = watched("all" if self.watched else "none")

        def between() -> Tensor:
            require_undrawn(part, "gradients", before)
            loss = backward()
            if self.watched:  # dropout draws its masks in the forward pass
                before.update(watched("all"))
            return loss

        loss = called(part, "gradients", self.network, between, watch="none")
        require_undrawn(part, "gradients", before)
        if not is_numbers(loss, ()):
            raise wrong(part, "gradients", "the loss that `backward()` returned", loss)
        if all(parameter.grad is None for parameter in self.network.parameters()):
            raise TrialFailed(
                f"{named(part, 'gradients')} leaves no gradients: call `backward()`, or set "
                "`parameter.grad`"
            )
        return loss.detach()  # type: ignore[no-any-return]

    def _called(self, part: Part, hook: str, kept: Sequence[Tensor], *arguments: Any) -> Any:
        """What a hook returns. Raises TrialFailed where it changes a tensor that is `kept`."""

        def call() -> Any:
            versions = [each._version for each in kept]
            result = called(part, hook, *arguments, watch="all" if self.watched else "none")
            if [each._version for each in kept] != versions:
                raise TrialFailed(
                    f"{named(part, hook)} changes what it is given in place, and others read it "
                    "after it: work on a copy (outputs * 2, say, and not outputs.mul_(2))"
                )
            return result

        return called_twice(part, hook, call, same_numbers) if self.watched else call()


def finite(values: Tensor) -> bool:
    """Whether all of the numbers are finite."""
    return bool(torch.isfinite(values).all())


def same_numbers(first: object, second: object) -> bool:
    """Whether two results of a hook are the same; what is no tensor is for others to refuse."""
    if not (isinstance(first, Tensor) and isinstance(second, Tensor)) or first.is_meta:
        return True
    return first.shape == second.shape and torch.equal(
        first.detach().nan_to_num(), second.detach().nan_to_num()
    )


def is_numbers(value: object, shape: Iterable[int]) -> bool:
    """Whether a value is a tensor of floats of this shape."""
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and tuple(value.shape) == tuple(shape)
    )
