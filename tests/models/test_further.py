"""The further architectures: what they compute, and that their matrices are large enough."""

import pytest
import torch

from ddiv.models.bert import tokenise
from ddiv.models.build import absent_model, build
from ddiv.models.shipped import embedded_weights
from ddiv.spectra.matrices import shapes, weight_matrices
from ddiv.study import Gru, Mixer, Policy

NAMES = tuple(f"class {i}" for i in range(64))
GRU = Gru(embedded_weights("bert"))
TEXTS = ["they charged me twice", "nobody answers the phone and my card is blocked"]


def inputs_of(backbone) -> torch.Tensor:
    if isinstance(backbone, Gru):
        return tokenise(backbone.tokens, TEXTS)
    shape = (2, 3, 32, 32) if isinstance(backbone, Mixer) else (2, 3, 16, 4)
    return torch.randint(0, 256, shape, dtype=torch.uint8)


@pytest.fixture(params=[GRU, Mixer(), Policy()], ids=["gru", "mixer", "policy"])
def backbone(request):
    torch.manual_seed(0)
    return request.param


def test_every_matrix_has_64_eigenvalues_or_more(backbone):
    network, _ = build(backbone, NAMES)
    matrices = weight_matrices(network)
    assert len(matrices) >= 3
    assert {name: shape for name, shape in shapes(matrices).items() if shape.M < 64} == {}
    assert absent_model(backbone) is None


def test_every_weight_is_trained_and_the_head_reads_all_features(backbone):
    network, _ = build(backbone, NAMES)
    outputs = network(inputs_of(backbone))
    assert outputs.shape == (2, 64)
    outputs.square().sum().backward()
    still = [name for name, weight in network.named_parameters() if not weight.grad.any()]
    assert still == []


@pytest.mark.parametrize("where", ["all", "head", "encoder"])
def test_dropout_acts_where_it_is_put_and_only_in_training(backbone, where):
    network, sites = build(backbone, NAMES)
    sites.drop(0.5, where)
    inputs = inputs_of(backbone)
    with torch.no_grad():
        network.eval()
        torch.testing.assert_close(network(inputs), network(inputs), rtol=0, atol=0)
        network.train()
        features = network.features(inputs), network.features(inputs)
        outputs = network(inputs), network(inputs)
    assert not torch.equal(*outputs) and torch.equal(*features) == (where == "head")


def test_padding_changes_nothing_of_what_a_gru_reads():
    network, _ = build(GRU, NAMES)
    ids = tokenise(GRU.tokens, TEXTS)
    short = int((ids[0] != 0).sum())
    assert short < ids.shape[1]
    alone, padded = network.features(ids[:1, :short]), network.features(ids)[:1]
    torch.testing.assert_close(alone, padded)


def test_a_policy_reads_the_first_channel_alone():
    network, _ = build(Policy(), NAMES)
    images = inputs_of(Policy())
    other = images.clone()
    other[:, 1:] = 0
    torch.testing.assert_close(network(images), network(other))
    other[:, 0, 0, 0] ^= 255
    assert not torch.equal(network(images), network(other))


def test_a_mixer_tells_where_something_is_but_for_no_patch_more_than_another():
    """Patches overlap by two pixels and cover the image."""
    network, _ = build(Mixer(), NAMES)
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    network.encoder(images).square().sum().backward()
    assert (images.grad.abs().sum(1) > 0).all()
