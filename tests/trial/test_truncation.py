"""Truncation of networks whose signal and noise were planted, and what is read off it."""

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.models.network import Network
from ddiv.outcome import Snapshot, Truncated, reliability, value
from ddiv.trial import truncation

CLASSES, WIDTH, RANK = 60, 128, 12


class Planted(Network):
    """An encoder that leaves its input as it is, and a head of a strong signal of rank 12 in weak
    noise.
    """

    def __init__(self, seed: int = 0, noise: float = 0.05):
        super().__init__(nn.Identity(), WIDTH, CLASSES)
        rng = np.random.default_rng(seed)
        basis = np.linalg.qr(rng.normal(size=(WIDTH, RANK)))[0]
        self.prototypes = rng.normal(size=(CLASSES, RANK))
        self.prototypes /= np.linalg.norm(self.prototypes, axis=1, keepdims=True)
        self.prototypes = self.prototypes @ basis.T
        with torch.no_grad():
            self.head.weight.copy_(
                torch.from_numpy(5 * self.prototypes + noise * rng.normal(size=(CLASSES, WIDTH)))
            )
            self.head.bias.zero_()

    def domain(self, n: int = 600):
        labels = np.arange(n) % CLASSES
        spread = np.random.default_rng(1).normal(size=(n, WIDTH)) * 0.03
        return torch.tensor(self.prototypes[labels] + spread, dtype=torch.float32), torch.tensor(
            labels
        )


@pytest.fixture(scope="module")
def planted() -> dict:
    network = Planted()
    return truncation.measure(
        network,
        {"train": network.domain(), "id": network.domain()},
        torch.Generator().manual_seed(0),
    )


def cut(facts: dict, tail: str, removed: str, part: str = "classifier") -> dict:
    return next(
        one
        for one in facts["cut"]
        if (one["tail"], one["removed"], one["part"]) == (tail, removed, part)
    )


def test_the_tail_of_a_planted_signal_is_the_signal(planted):
    assert planted["whole"]["id"] > 0.95 and planted["chance"] == 1 / CLASSES
    tail, bulk = cut(planted, "mp-edge", "tail"), cut(planted, "mp-edge", "bulk")
    assert (
        tail["directions"] == RANK
        and bulk["directions"] == CLASSES - RANK
        and tail["of"] == CLASSES
    )
    assert tail["accuracy"]["id"] < 0.2 and bulk["accuracy"]["id"] > planted["whole"]["id"] - 0.02


def test_as_many_random_directions_cost_less_than_the_tail(planted):
    random = cut(planted, "mp-edge", "random")
    assert random["directions"] == RANK
    assert (
        cut(planted, "mp-edge", "tail")["accuracy"]["id"] < 0.2 and random["accuracy"]["id"] > 0.5
    )


def test_of_noise_there_is_nothing_to_remove():
    network = Planted()
    with torch.no_grad():
        network.head.weight.normal_(generator=torch.Generator().manual_seed(1))
    facts = truncation.measure(network, {"id": network.domain()}, torch.Generator())
    one = cut(facts, "mp-edge", "tail")
    assert one["with_tail"] == one["directions"] == 0 and one["accuracy"] == facts["whole"]


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30)])
def test_removing_the_bulk_gives_the_best_approximation_of_a_rank(shape):
    """Eckart and Young: the truncated singular value decomposition."""
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    u, s, v = torch.linalg.svd(weight, full_matrices=False)
    gram = weight @ weight.T if shape[0] <= shape[1] else weight.T @ weight
    vectors = torch.linalg.eigh(gram)[1]
    torch.testing.assert_close(
        truncation.without(weight, vectors[:, :-4]), u[:, :4] * s[:4] @ v[:4]
    )
    torch.testing.assert_close(
        truncation.without(weight, vectors[:, -4:]), u[:, 4:] * s[4:] @ v[4:]
    )
    torch.testing.assert_close(truncation.without(weight, vectors[:, :0]), weight)


def test_a_convolution_is_cut_as_its_flat_matrix_and_the_network_is_left_alone():
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(8, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    network = Network(nn.Sequential(*layers), 16, 10)
    with torch.no_grad():  # one direction far above the rest, which carries what the filters see
        network.encoder[0].weight += 3 * torch.randn(16, 1, 1, 1) * torch.randn(1, 8, 3, 3)
    network = network.to(memory_format=torch.channels_last)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images, labels = torch.randn(40, 8, 6, 6), torch.arange(40) % 10
    facts = truncation.measure(network, {"id": (images, labels)}, torch.Generator())
    one = cut(facts, "mp-edge", "tail", "all")
    assert (
        one["matrices"] == 2
        and one["with_tail"] == 1
        and one["directions"] == 1
        and one["of"] == 16
    )
    # The same cut by hand: filters without their first singular direction.
    weight = before["encoder.0.weight"].flatten(1).double().numpy()
    u, s, v = np.linalg.svd(weight, full_matrices=False)
    network.encoder[0].weight.data = torch.tensor(
        u[:, 1:] * s[1:] @ v[1:], dtype=torch.float32
    ).reshape(16, 8, 3, 3)
    with torch.no_grad():
        network.eval()
        expected = float((network.head(network.encoder(images)).argmax(1) == labels).float().mean())
    assert one["accuracy"]["id"] == pytest.approx(expected) and expected != facts["whole"]["id"]
    del before["encoder.0.weight"]
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_network_is_not_changed_by_being_measured():
    network = Planted()
    before = network.head.weight.clone()
    truncation.measure(network, {"id": network.domain()}, torch.Generator())
    assert torch.equal(network.head.weight, before) and network.training


def test_tails_by_both_definitions():
    shares = (np.arange(100) + 0.5) / 100
    pareto = (1 - shares) ** (-1 / 1.5)
    assert truncation.tail_size(pareto, 150, 100, "power-law") > 50
    assert truncation.tail_size(pareto[:40], 150, 40, "power-law") == 0  # too few to rely on
    # too few to tell from noise
    assert truncation.tail_size(np.array([1.0, 1.0, 900.0]), 9, 3, "mp-edge") == 0
    with pytest.raises(ValueError, match="unknown tail 'edge': one of power-law, mp-edge"):
        truncation.tail_size(pareto, 150, 100, "edge")


def state(facts) -> Snapshot:
    return Snapshot({}, np.array(["encoder"]), {}, truncated=truncation.scores(facts))


def facts(whole: float, tail: float, random: float, with_tail: int) -> dict:
    def row(removed, accuracy):
        return {
            "tail": "mp-edge",
            "part": "all",
            "removed": removed,
            "matrices": 8,
            "with_tail": with_tail,
            "directions": 5 * with_tail,
            "of": 20 * with_tail,
            "accuracy": {"id": accuracy},
        }

    return {
        "chance": 0.1,
        "whole": {"id": whole},
        "cut": [row("tail", tail), row("random", random)],
    }


def test_what_is_kept_is_a_share_of_the_accuracy_above_chance():
    found = state(facts(whole=0.9, tail=0.3, random=0.7, with_tail=6))
    assert value(Truncated("tail", "all", tail="mp-edge"), found) == pytest.approx(0.25)
    assert value(
        Truncated("tail rather than random", "all", tail="mp-edge"), found
    ) == pytest.approx(0.25 - 0.75)
    assert reliability(Truncated("tail", "all", tail="mp-edge"), found, found) == 6 / 8
    assert truncation.size(found.truncated, "all", "mp-edge") == 1 / 4


def test_without_a_tail_nothing_was_removed_so_nothing_was_kept():
    found = state(facts(0.9, 0.9, 0.9, with_tail=0))
    assert np.isnan(value(Truncated("tail", "all", tail="mp-edge"), found))
    assert reliability(Truncated("tail", "all", tail="mp-edge"), found, found) == 0
    assert np.isnan(truncation.size(found.truncated, "all", "mp-edge"))


def test_a_network_at_chance_has_nothing_to_keep():
    found = state(facts(0.12, 0.1, 0.1, 6))
    assert np.isnan(value(Truncated("tail", "all", tail="mp-edge"), found))
    assert reliability(Truncated("tail", "all", tail="mp-edge"), found, found) == 0


def test_another_arm_than_the_baseline_was_not_measured():
    with pytest.raises(ValueError, match="of the baseline only"):
        value(Truncated("tail", "all"), state(None))
