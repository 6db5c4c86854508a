"""Adam on a CPU, where its bookkeeping costs a small model as much as its arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Options under which another step is taken.
_OTHERS = ("amsgrad", "maximize", "capturable", "differentiable", "decoupled_weight_decay")


class _Group(NamedTuple):
    """A group's options, its parameters with gradients, and their state."""

    options: dict[str, Any]
    parameters: list[Tensor]
    first: list[Tensor]  # running means of gradients
    second: list[Tensor]  # running means of their squares
    steps: list[Tensor]  # the one count, as often as there are parameters


class Adam(torch.optim.Adam):
    """torch's fused Adam, with one count of steps for all parameters.

    torch counts the steps of each parameter in a tensor of its own, by a kernel each: with its
    other preparations a fifteenth of a small model's step. Results are torch's to the bit. From
    the first step on that this is not made for, torch's own is taken: where gradients reach other
    parameters than before, or a group has an option that is not read here.
    """

    _groups: list[_Group] | None = None
    _one_count = True

    def zero_grad(self, set_to_none: bool = True) -> None:
        if not set_to_none:
            super().zero_grad(set_to_none=False)
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if self._one_count and closure is None and self._ready():
            return self._step()
        self._part_counts()
        return super().step(closure)

    def state_dict(self) -> dict[str, Any]:
        self._part_counts()
        return super().state_dict()

    def _part_counts(self) -> None:
        """Give every parameter a count of its own, as torch's step takes them."""
        if self._one_count:
            self._one_count = False
            for state in self.state.values():
                state["step"] = state["step"].clone()

    def _ready(self) -> bool:
        """Whether all is as it was at the first step, and plain; at that step makes the state."""
        if any(map(_special, self.param_groups)):
            return False
        now = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        if self._groups is None:
            if self.state or not all(_on_cpu(parameter) for group in now for parameter in group):
                return False
            self._groups = self._begun(now)
        return len(now) == len(self._groups) and all(
            len(group) == len(known.parameters) and all(map(is_, group, known.parameters))
            for group, known in zip(now, self._groups)
        )

    def _begun(self, groups: list[list[Tensor]]) -> list[_Group]:
        count = torch.zeros(())
        begun = []
        for options, parameters in zip(self.param_groups, groups):
            first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
            for parameter, mean, square in zip(parameters, first, second):
                self.state[parameter] = {"step": count, "exp_avg": mean, "exp_avg_sq": square}
            begun.append(_Group(options, parameters, first, second, [count] * len(parameters)))
        return begun

    def _step(self) -> None:
        groups = [group for group in self._groups or () if group.parameters]
        for group in groups[:1]:
            group.steps[0].add_(1)
        for group in groups:
            beta1, beta2 = group.options["betas"]
            torch._fused_adam_(
                group.parameters,
                [parameter.grad for parameter in group.parameters],
                group.first,
                group.second,
                [],
                group.steps,
                lr=group.options["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group.options["weight_decay"],
                eps=group.options["eps"],
                amsgrad=False,
                maximize=False,
            )


def _special(options: dict[str, Any]) -> bool:
    numbers = (options["lr"], *options["betas"], options["weight_decay"])
    return any(map(options.get, _OTHERS)) or any(isinstance(each, Tensor) for each in numbers)


def _on_cpu(parameter: Tensor) -> bool:
    return parameter.device.type == "cpu" and parameter.is_floating_point()
