"""The experiments behind claims/test_cutmix.py: what they descend against the loss written out."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from fixtures import feature_noise as ours

SIZE = ours.Size(n=5, d=20, steps=8)


def loss(method: str, parts: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean logistic loss over all that a method may draw, one draw at a time."""
    n, patches = parts.shape
    everything = set(range(patches))
    if method == "vanilla":
        return -logsigmoid(y * parts.sum(dim=1)).mean()
    if method == "cutout":
        kept = [parts[:, [*(everything - {blank})]].sum(dim=1) for blank in range(patches)]
        return torch.stack([-logsigmoid(y * f).mean() for f in kept]).mean()
    total = torch.zeros(())
    for i in range(n):
        for j in range(n):
            for count in range(patches + 1):
                choices = list(combinations(range(patches), count))
                for own in choices:
                    other = [*(everything - {*own})]
                    f = parts[i, list(own)].sum() + parts[j, other].sum()
                    share = count / patches
                    mixed = -share * logsigmoid(y[i] * f) - (1 - share) * logsigmoid(y[j] * f)
                    total = total + mixed / len(choices)
    return total / (n * n * (patches + 1))


@pytest.mark.parametrize("method", ours.METHODS)
def test_descent_is_that_of_the_mean_loss(method):
    torch.manual_seed(0)
    parts = (2 * torch.randn(5, 3)).requires_grad_()
    y = torch.tensor([1.0, -1, -1, 1, 1])
    loss(method, parts, y).backward()
    found = ours.descent(method, parts.detach(), (y > 0).float())
    assert torch.allclose(found, -parts.grad, atol=1e-6)


def test_phi_is_smooth_and_its_slope_its_derivative():
    z = torch.linspace(-2, 3, 101, dtype=torch.float64).requires_grad_()
    ours.phi(z).sum().backward()
    assert torch.allclose(z.grad, ours.slope(z.detach()), atol=1e-12)
    assert ours.phi(torch.tensor([-1.0, 0.0])).tolist() == pytest.approx([-0.1, 0.0])


def test_steps_in_inner_products_are_steps_of_weights(monkeypatch):
    rng = np.random.default_rng(0)
    data = ours.examples(rng, SIZE, 1.0)
    start = 0.1 * rng.normal(size=(SIZE.d, 2))
    weights = torch.from_numpy(start.astype(np.float32))
    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y).float()
    for _ in range(SIZE.steps):
        weights.requires_grad_()
        loss("cutout", ours.contributions(X @ weights), y).backward()
        weights = (weights - weights.grad).detach()
    seen = []
    monkeypatch.setattr(ours, "seen", lambda _, weights, *rest: seen.append(weights))
    ours.learn("cutout", data, SIZE, start, 1.0, rng)
    assert torch.allclose(seen[-1], weights, atol=1e-5)


def test_tests_are_those_of_patches_with_noise():
    rng = np.random.default_rng(0)
    size = ours.Size(6000, 30, 1)
    w = torch.from_numpy(rng.normal(size=(30, 2))) * 0.7
    data = ours.examples(rng, size, 2.0)
    assert np.bincount(data.kind) / 6000 == pytest.approx(ours.FREQUENCIES, abs=0.02)
    inner = torch.from_numpy(data.X).double() @ w
    right = (ours.contributions(inner).sum(dim=1).numpy() * data.y) > 0
    found = ours.seen(data, w, inner.flatten(0, 1), 2.0, rng).accuracies
    for kind, name in enumerate(ours.KINDS[:3]):
        halves = [right[(data.kind == kind) & (data.y == y)].mean() for y in (1, -1)]
        assert found[name] == pytest.approx(np.mean(halves), abs=0.08)


def test_a_network_that_sees_features_alone_learns_unevenly():
    rng = np.random.default_rng(0)
    data = ours.examples(rng, SIZE, 1.0)
    w = torch.zeros(SIZE.d, 2, dtype=torch.float64)
    w[:3, 0] = w[3:6, 1] = 2.0
    found = ours.seen(data, w, torch.from_numpy(data.X).double().flatten(0, 1) @ w, 1.0, rng)
    assert found.accuracies == pytest.approx(dict.fromkeys(ours.KINDS, 1.0))
    assert abs(found.evenness) < 0.02
