"""The experiments behind claims/test_spectra.py and test_merged_weights.py, where the answer is
known.
"""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.models.build import build
from ddiv.models.shipped import embedded_weights
from ddiv.spectra.phase import HEAVY_TAILED, phase
from ddiv.study import Clip, Digits, World
from ddiv.trial.at_hand import Draws
from fixtures import merged_weights as soup
from fixtures import planted_spectra as planted
from fixtures import small_nets as nets

CPU = torch.device("cpu")
DRAWS = Draws(1, None, CPU)


def test_concentration_is_the_share_of_the_largest_tenth():
    assert planted.concentration(np.ones(20)) == pytest.approx(0.1)
    assert planted.concentration(np.array([0.0] * 9 + [1.0])) == 1


def test_planted_directions_are_beyond_the_edge_and_none_are_where_none_is():
    rng = np.random.default_rng(0)
    for count in (0, 1, 8):
        evals = planted.evals_of(planted.with_spikes(rng, np.full(count, 4.0)))
        assert planted.beyond_edge(evals, planted.N, planted.M) == count


@pytest.mark.parametrize("family", planted.FAMILIES)
def test_a_family_goes_from_little_concentrated_to_much_or_back(family):
    spectra = planted.drawn_family(np.random.default_rng(0), family)
    shares = np.array([planted.concentration(evals) for evals in spectra])
    along = planted.spearman(np.arange(len(shares)), shares)
    assert len(shares) == planted.SPECTRA and abs(along) > 0.7
    assert all(evals.shape == (planted.M,) for evals in spectra)


def test_another_family_is_refused():
    with pytest.raises(ValueError, match="the families are power law, more spikes, larger spikes"):
        planted.drawn_family(np.random.default_rng(0), "other")


def test_a_correlation_with_a_constant_is_none():
    assert planted.spearman(np.ones(4), np.arange(4)) == 0
    assert planted.spearman(np.arange(4), np.arange(4) ** 3) == pytest.approx(1)


def test_a_step_goes_down_the_gradient_of_the_cross_entropy():
    rng = np.random.default_rng(0)
    network = nets.begun(rng, 64, 10)
    x = rng.random((5, 64), dtype=np.float32)
    y = rng.integers(0, 10, 5)
    leaves = [torch.tensor(W, requires_grad=True) for W in (*network.weights, *network.biases)]
    hidden = torch.from_numpy(x)
    for W, b in zip(leaves[:2], leaves[3:5]):
        hidden = torch.relu(hidden @ W + b)
    loss = torch.nn.functional.cross_entropy(hidden @ leaves[2] + leaves[5], torch.from_numpy(y))
    expected = [
        (leaf - nets.RATE * gradient).detach().numpy()
        for leaf, gradient in zip(leaves, torch.autograd.grad(loss, leaves))
    ]
    nets.stepped(network, x, y)
    for ours, theirs in zip((*network.weights, *network.biases), expected):
        assert np.allclose(ours, theirs, atol=1e-5)


def test_smaller_batches_take_a_layer_further_from_its_start():
    """All begin with the same weights; one step in the whole set moves them least."""
    draws = Draws(1, Digits(train=60, side=8), CPU)
    start = nets.begun(draws.numpy("weights"), 64, 10).weights[1]
    ends = [nets.trained(draws, size) for size in (4, 60)]
    moved = [float(np.linalg.norm(network.weights[1] - start)) for network, _ in ends]
    assert moved[0] > moved[1] > 0 and ends[0][1] > ends[1][1]
    whole = phase(planted.evals_of(ends[1][0].weights[1].astype(np.float64)), *nets.HIDDEN)
    assert whole.name != HEAVY_TAILED


def test_an_average_of_weights_is_their_mean_and_leaves_counts_alone():
    one = {"w": torch.tensor([1.0, 3.0]), "steps": torch.tensor(7)}
    other = {"w": torch.tensor([3.0, 3.0]), "steps": torch.tensor(9)}
    found = soup.average([one, other])
    assert found["w"].tolist() == [2.0, 3.0] and found["steps"] == 7


def test_hidden_units_in_another_order_do_the_same():
    torch.manual_seed(0)
    network, _ = build(Clip(embedded_weights()), ("a", "b"))
    network.eval()
    state = {name: each.clone() for name, each in network.state_dict().items()}
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        before = network(images)
        other = soup.reordered(state, torch.Generator().manual_seed(0))
        network.load_state_dict(other)
        assert torch.allclose(network(images), before, atol=1e-4)
        network.load_state_dict(soup.average([state, other]))
        assert not torch.allclose(network(images), before, atol=1e-2)
    moved = {
        name.rpartition("mlp.")[2] for name in state if not torch.equal(state[name], other[name])
    }
    assert moved == {"c_fc.weight", "c_fc.bias", "c_proj.weight"}


def test_merging_tells_differences_of_accuracies(monkeypatch):
    monkeypatch.setattr(soup, "RECIPE", msgspec.structs.replace(soup.RECIPE, epochs=2))
    found = soup.merged.function(Draws(3, World(2, 2, 1), CPU))
    assert found["mean_id"] > found["reordered_id"] and 1 / 60 < found["member_id"] < 1
    assert all(-1 <= found[name] <= 1 for name in found)
