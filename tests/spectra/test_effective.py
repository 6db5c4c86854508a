"""Pruned and reparametrised layers are measured as the weight that they use."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize, prune

from ddiv.spectra.matrices import skipped, weight_matrices


def pruned(layer, name="weight"):
    return prune.random_unstructured(layer, name, 0.4)


def ran(layer, inputs):
    """A layer of spectral_norm after some steps of its power iteration, in evaluation mode."""
    for _ in range(3):
        layer(inputs)
    layer.eval()(inputs)
    return layer


VECTORS, IMAGES = torch.randn(4, 6), torch.randn(2, 5, 7, 7)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(
    "build, name",
    [
        (lambda: pruned(nn.Linear(6, 5)), "weight"),
        (lambda: pruned(pruned(nn.Conv2d(6, 5, 3))), "weight"),
        (lambda: utils.weight_norm(nn.Linear(6, 5)), "weight"),
        (lambda: utils.weight_norm(nn.Conv1d(6, 5, 3), dim=2), "weight"),
        (lambda: utils.weight_norm(nn.Linear(6, 5), dim=None), "weight"),
        (lambda: utils.weight_norm(nn.Linear(6, 5).half()), "weight"),
        (lambda: parametrizations.weight_norm(nn.ConvTranspose2d(6, 5, 3), dim=1), "weight"),
        (lambda: ran(utils.spectral_norm(nn.Linear(6, 5)), VECTORS), "weight"),
        (lambda: ran(utils.spectral_norm(nn.ConvTranspose2d(5, 5, 3)), IMAGES), "weight"),
        (lambda: ran(parametrizations.spectral_norm(nn.Linear(6, 5)), VECTORS), "weight"),
        (lambda: ran(parametrizations.spectral_norm(nn.Conv2d(5, 5, 3)), IMAGES), "weight"),
        (lambda: pruned(nn.MultiheadAttention(8, 2), "in_proj_weight"), "in_proj_weight"),
        (lambda: pruned(nn.LSTM(4, 3), "weight_ih_l0"), "weight_ih_l0"),
    ],
)  # fmt: skip
def test_the_weight_of_a_layer_in_parts_is_the_one_it_uses(build, name):
    torch.manual_seed(0)
    layer = build()
    model = nn.Sequential(nn.Identity(), layer)
    used = getattr(layer, name).detach().float()
    for source in (model, model.state_dict()):
        found = weight_matrices(source)
        of_weight = [m for m in found if m.parameter.startswith((f"1.{name}", "1.param"))]
        plain = [m for m in of_weight if m.kind != "conv-pooled"]
        turned = isinstance(layer, nn.ConvTranspose2d) and source is model
        expected = (used.transpose(0, 1) if turned else used).flatten(1)
        # q, k and v of a fused weight are thirds of it
        values = torch.cat([m.tensor for m in plain]).float()
        torch.testing.assert_close(values, expected, rtol=2e-3, atol=1e-6)
        names = {m.name.removesuffix(".flat") for m in plain}
        assert names <= {"1", "1.q", "1.k", "1.v", f"1.{name}"}
        assert len({m.parameter for m in plain}) == 1
        assert {m.parameter for m in found} | {key for key, _ in skipped(source)} == set(
            model.state_dict() if source is not model else dict(model.named_parameters())
        )


def test_looking_at_a_model_leaves_it_as_it_is():
    torch.manual_seed(0)
    model = parametrizations.spectral_norm(nn.Linear(9, 8))  # its u and v move while it trains
    model.parametrizations.weight[0].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    weight_matrices(model.train())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    model.parametrizations.weight[0].eval()
    weight_matrices(model)
    assert [module.training for module in model.modules()] == modes


def test_an_optimiser_s_step_shows_before_the_next_run_of_the_layer():
    layer = pruned(nn.Linear(6, 5))
    with torch.no_grad():
        layer.weight_orig.mul_(2)
    (matrix,) = weight_matrices(layer)
    assert torch.equal(matrix.tensor, layer.weight_orig * layer.weight_mask)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def test_a_parametrization_that_only_the_model_knows():
    layer = nn.Linear(6, 5)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    (matrix,) = weight_matrices(layer)
    assert torch.equal(matrix.tensor, 2 * before)
    assert weight_matrices(layer.state_dict()) == []
    reasons = dict(skipped(layer.state_dict()))
    assert "only the model knows" in reasons["parametrizations.weight.original"]


def test_names_that_only_look_like_parts():
    state = {
        "gate.w_g": torch.randn(6, 6),
        "gate.w_v": torch.randn(6, 6),
        "a.x_v": torch.randn(5, 4),
    }
    assert {m.name for m in weight_matrices(state)} == set(state)
