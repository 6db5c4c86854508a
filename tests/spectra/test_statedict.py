"""Where the weights lie in what training scripts save."""

from __future__ import annotations

import pytest
import torch

from ddiv.spectra.statedict import unwrapped, weights_in

WEIGHTS = {"a.weight": torch.randn(9, 8), "a.bias": torch.randn(9), "b.weight": torch.randn(7, 9)}
MEANS = {name: value + 1 for name, value in WEIGHTS.items()}
OPTIMISER = {"state": {0: {"exp_avg": torch.randn(99, 98)}}, "param_groups": [{"lr": 0.1}]}


def holding_itself():
    content = {"epoch": 3}
    content["model"] = {"state_dict": dict(WEIGHTS), "parent": content}
    return content


@pytest.mark.parametrize(
    "content, beside",
    [
        ({"state_dict": WEIGHTS, "best_acc1": torch.tensor(76.1)}, {"best_acc1"}),
        ({"model": WEIGHTS, "rng_state": torch.get_rng_state()}, {"rng_state"}),
        ({"model": WEIGHTS, "queue": torch.randn(16, 999)}, {"queue"}),
        ({"params_ema": WEIGHTS}, set()),
        ({"params": WEIGHTS, "params_ema": MEANS}, {"params_ema"}),
        ({"teacher": MEANS, "student": WEIGHTS, "optimizer": OPTIMISER}, {"teacher", "optimizer"}),
        ({"student": {f"module.{k}": WEIGHTS[k] for k in WEIGHTS}, "teacher": MEANS}, {"teacher"}),
        ({"g_ema": WEIGHTS, "g_optim": OPTIMISER, "latent_avg": torch.randn(9)},
         {"g_optim", "latent_avg"}),
        ({"weights": WEIGHTS, "opt": OPTIMISER, "epoch": 3}, {"opt", "epoch"}),
        ({"ckpt": {"inner": {"params": WEIGHTS}}}, set()),
        ({**WEIGHTS, "net._extra_state": {"x": torch.ones(2)}}, {"net._extra_state"}),
        (holding_itself(), {"epoch", "model.parent"}),
    ],
)  # fmt: skip
def test_the_weights_are_found_and_the_rest_is_named(content, beside):
    weights, others = weights_in(content)
    weights = unwrapped(weights)
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)
    assert {name for name, _ in others} == beside


def test_two_networks_are_both_taken_under_their_names():
    other = {"module.c.weight": torch.randn(6, 5)}
    weights, others = weights_in({"g": WEIGHTS, "d": other, "g_ema": MEANS, "d_optim": OPTIMISER})
    assert set(weights) == {*(f"g.{name}" for name in WEIGHTS), "d.c.weight"}
    assert dict(others)["g_ema"] == "an average of g"


def test_an_optimiser_alone_is_no_network():
    assert weights_in(OPTIMISER)[0] == {} == weights_in({"optimizer": OPTIMISER})[0]


def test_keys_that_only_look_equal():
    weights, _ = weights_in({0: torch.ones(2, 2), "0": torch.zeros(2, 2)})
    assert len(weights) == 2


@pytest.mark.parametrize(
    "front",
    ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "module.module.",
     "_forward_module.module."],
)  # fmt: skip
def test_wrappers_leave_no_trace_in_names(front):
    wrapped = {front + name: value for name, value in WEIGHTS.items()}
    assert unwrapped(wrapped).keys() == WEIGHTS.keys()
    counted = unwrapped({**wrapped, "n_averaged": torch.tensor(3)})
    assert counted.keys() == {*WEIGHTS, "n_averaged"}
    inside = {f"net.{name}": WEIGHTS[name] for name in WEIGHTS}
    deep = {f"net._orig_mod._fsdp_wrapped_module.{name}": WEIGHTS[name] for name in WEIGHTS}
    assert unwrapped(deep).keys() == inside.keys()
    half = {"module.a.weight": 1, "b.weight": 2}
    assert unwrapped(half) == half
