"""The experiments behind claims/test_initialisation.py: stacked networks against single ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ddiv.study import Digits
from ddiv.trial.at_hand import Draws
from fixtures import initialisations as ours

DRAWS = Draws(1, Digits(train=60, side=8), torch.device("cpu"))
SIZE = ours.Size(
    40, 20, 8, 10, {"low": (0.05, 0, 2), "adam": (1e-2, 0, 2), "decayed": (0.1, 0.1, 2)}
)


def single(stacked: ours.Stacked, i: int) -> nn.Sequential:
    """The i-th network, as torch has it."""
    layers = []
    for weights, biases in stacked.layers:
        linear = nn.Linear(*weights.shape[1:])
        linear.weight.data = weights[i].detach().T.clone()
        linear.bias.data = biases[i, 0].detach().clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_networks_begin_as_one_draw_at_several_scales_and_others_at_scale_1():
    (first, _), *_ = ours.initial(DRAWS, 8, 2).layers
    assert len(first) == len(ours.SCALES) + 2
    one = first[ours.SCALES.index(1.0)]
    for weights, scale in zip(first, ours.SCALES):
        assert torch.allclose(weights, scale * one)
    assert not torch.allclose(first[-1], one) and first.std() > 0
    assert first[-2:].std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.1)


@pytest.mark.parametrize("regime", ["low", "adam", "decayed"])
def test_a_stacked_network_learns_as_a_single_one(regime):
    data = ours.digits(DRAWS, SIZE)
    stacked = ours.initial(DRAWS, SIZE.width, 1)
    alone = [single(stacked, i) for i in (0, 5)]
    ours.train(stacked, data, SIZE, regime, 1, DRAWS)
    (X, y), (rate, decay, epochs) = data.train, SIZE.regimes[regime]
    for i, network in zip((0, 5), alone):
        kind = torch.optim.Adam if regime == "adam" else torch.optim.SGD
        optimiser = kind(network.parameters(), lr=rate, weight_decay=decay)
        generator = DRAWS.torch("batches")
        for _ in range(epochs):
            for rows in torch.randperm(len(y), generator=generator).split(SIZE.batch):
                optimiser.zero_grad()
                functional.cross_entropy(network(X[rows]), y[rows]).backward()
                if regime == "decayed":
                    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
        assert torch.allclose(stacked(X)[i], network(X), atol=1e-3)


def test_what_is_selected_is_what_was_best_on_validation():
    data = ours.digits(DRAWS, SIZE)
    (found,) = ours.train(ours.initial(DRAWS, 8, 0), data, SIZE, "low", 1, DRAWS)
    assert found.test.shape == (5,) and (found.test > 0).all()
    numbers = ours.spread(torch.tensor([0.9, 0.85, 0.95]))
    assert numbers == pytest.approx(10)


def test_sets_do_not_overlap_and_are_standardised():
    data = ours.digits(DRAWS, SIZE)
    rows = [tuple(row.tolist()) for part in data for row in part[0]]
    assert len(rows) == 40 + 20 + 1797 - 60
    assert data.train[0].mean().abs() < 1e-6
    assert data.train[0].std().item() == pytest.approx(1, abs=1e-3)
