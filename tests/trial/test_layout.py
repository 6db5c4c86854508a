"""The layout of a network for a GPU: the same values, whatever the layout."""

import copy

import open_clip
import pytest
import torch
from torch import nn

from ddiv.models.clip import build_clip
from ddiv.models.network import Network
from ddiv.spectra.matrices import weight_matrices
from ddiv.trial.layout import _Patches, channels_last, in_bf16, lay_out


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def clip(classes=7):
    torch.manual_seed(0)
    visual = build_clip().visual
    return Network(visual, visual.output_dim, classes)


def images(n=4, side=32):
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=seeded())


def gradients(network, outputs):
    network.zero_grad()
    outputs.float().square().sum().backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def test_convolutions_are_laid_out_for_a_gpu_where_torch_can():
    flat, solid = (nn.Sequential(nn.Conv2d(3, 4, 3), *more) for more in ((), [nn.Conv3d(3, 4, 3)]))
    for made in (flat, solid):
        channels_last(made)
    assert flat[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert solid[0].weight.is_contiguous() and solid[1].weight.is_contiguous()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(12, 15), (13, 17), (3, 5)])
def test_a_convolution_that_cuts_patches_is_one_product(bias, size):
    plain = nn.Conv2d(3, 8, (3, 5), stride=(3, 5), bias=bias).double()
    laid = copy.deepcopy(plain)
    lay_out(laid)
    assert isinstance(laid, _Patches)
    given = [torch.randn(2, 3, *size, dtype=torch.float64, generator=seeded()) for _ in range(2)]
    outputs = []
    for module, x in zip((plain, laid), given):
        out = module(x.requires_grad_())
        out.square().sum().backward()
        outputs.append((out, x.grad, module.weight.grad))
    for one, other in zip(*outputs):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(laid(given[0][0]), plain(given[0][0]))  # one without a batch


def test_other_convolutions_and_subclasses_stay():
    class Own(nn.Conv2d):
        pass

    others = [
        nn.Conv2d(3, 4, 3, stride=2),
        nn.Conv2d(3, 4, 2, stride=2, padding=1),
        nn.Conv2d(4, 4, 2, stride=2, groups=2),
        nn.Conv2d(3, 4, 2, stride=2, dilation=2),
        nn.Conv2d(3, 4, 1),
        Own(3, 4, 2, stride=2),
    ]
    kinds = [type(module) for module in others]
    for module in others:
        lay_out(module)
    assert [type(module) for module in others] == kinds


def test_a_network_that_is_laid_out_is_measured_and_copied_as_before():
    network, plain = clip(), clip()
    lay_out(network)
    assert any(isinstance(module, _Patches) for module in network.modules())
    assert {m.name: m.kind for m in weight_matrices(network)} == {
        m.name: m.kind for m in weight_matrices(plain)
    }
    copied = copy.deepcopy(network)
    with torch.no_grad():
        torch.testing.assert_close(copied(images()), plain(images()), rtol=1e-4, atol=1e-5)
        for parameter in copied.parameters():
            parameter.zero_()
        assert network(images()).abs().sum() > 0


def test_casting_together_gives_what_autocast_gives_to_the_bit():
    network = clip()
    with torch.autocast("cpu", torch.bfloat16):
        expected = network(images())
        found = in_bf16(network, images())
    assert torch.equal(found, expected)
    ours, theirs = gradients(network, found), gradients(network, expected)
    assert ours.keys() == theirs.keys() and all(g.dtype == torch.float32 for g in ours.values())
    for name, gradient in theirs.items():
        assert torch.equal(ours[name], gradient), name


def test_frozen_and_unused_parameters_get_no_gradient():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused, self.frozen = (nn.Linear(4, 4) for _ in range(3))
            self.frozen.requires_grad_(False)
            self.tied = self.used

        def forward(self, x):
            return self.tied(self.frozen(self.used(x)))

    network = Two()
    with torch.autocast("cpu", torch.bfloat16):
        gradients(network, in_bf16(network, torch.randn(3, 4, generator=seeded())))
    assert network.used.weight.grad is not None
    assert network.unused.weight.grad is None and network.frozen.weight.grad is None


def test_an_open_clip_tower_is_cast_whole():
    tower = open_clip.create_model("RN50", pretrained=None).visual
    network = Network(tower, tower.output_dim, 5).eval()
    given = images(1, 224)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(in_bf16(network, given), network(given))
