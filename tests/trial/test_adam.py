"""Adam with one count of steps does what torch's does, to the bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ddiv.trial.adam import Adam


def trained(kind: type[torch.optim.Adam], steps: int = 7, **change: object) -> list[Tensor]:
    """The parameters of a small network after some steps; `change` is made to the first group."""
    torch.manual_seed(1)
    layers = [nn.Linear(5, 4), nn.Linear(4, 3)]
    groups = [
        {"params": list(layer.parameters()), "lr": 0.1 / n} for n, layer in enumerate(layers, 1)
    ]
    optimiser = kind(groups, fused=True)
    optimiser.param_groups[0].update(change)
    inputs = torch.randn(6, 5)
    for step in range(steps):
        optimiser.zero_grad()
        layers[1](layers[0](inputs).tanh()).square().sum().backward()
        if step in change.get("without_bias_at", ()):
            layers[1].bias.grad = None
        optimiser.step()
        optimiser.param_groups[1]["lr"] *= 0.9
    return [parameter for layer in layers for parameter in layer.parameters()]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"weight_decay": 0.1},
        {"betas": (0.5, 0.9), "eps": 1e-3},
        {"amsgrad": True},
        {"maximize": True},
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
        {"without_bias_at": (0,)},
        {"without_bias_at": (3, 4)},
        {"without_bias_at": range(7)},
    ],
    ids=str,
)
def test_steps_are_torchs(change: dict[str, object]) -> None:
    for own, torchs in zip(trained(Adam, **change), trained(torch.optim.Adam, **change)):
        assert own.equal(torchs)


def test_its_state_can_be_saved_and_taken_up() -> None:
    weights = [torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)]
    first = Adam(weights, fused=True)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    first.step()
    state = first.state_dict()["state"]
    assert [float(each["step"]) for each in state.values()] == [1, 1]
    second = Adam(weights, fused=True)
    second.load_state_dict(first.state_dict())
    second.step()
    assert [float(second.state[weight]["step"]) for weight in weights] == [2, 2]
    first.step()
    assert [float(first.state[weight]["step"]) for weight in weights] == [2, 2]


def test_hooks_of_the_optimiser_are_called() -> None:
    weight = torch.ones(3, requires_grad=True)
    optimiser, calls = Adam([weight], fused=True), []
    optimiser.register_step_post_hook(lambda *_: calls.append(1))
    weight.grad = torch.ones(3)
    optimiser.step()
    assert calls == [1]
