"""Networks: the classes they are built of, and where dropout acts."""

import pytest
import torch
import torchvision
from torch.nn import functional as F

from ddiv.backbone import ResNetEncoder, add_dropout, build, normalise
from ddiv.models import embedded_weights
from ddiv.spectra.matrices import shapes, skipped, weight_matrices
from ddiv.study import Clip, MiniAlexNet, ResNet18
from ddiv.treatment import Dropout

CLIP, CLIP_RN = Clip(embedded_weights()), Clip(embedded_weights("resnet"), "resnet")


def test_full_resnet18_is_torchvisions_but_for_the_stem():
    ours = {name: value.shape for name, value in ResNetEncoder(64).state_dict().items()}
    theirs = {name: value.shape for name, value in torchvision.models.resnet18().state_dict().items()
              if not name.startswith("fc.")}
    assert {n: s for n, s in ours.items() if n != "conv1.weight"} == {n: s for n, s in theirs.items() if n != "conv1.weight"}


def test_full_resnet18_computes_what_torchvisions_does():
    theirs = torchvision.models.resnet18()
    theirs.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = theirs.fc = torch.nn.Identity()
    ours = ResNetEncoder(64)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize("backbone, side, encoder_sites", [
    (CLIP, 32, 6), (CLIP_RN, 32, 4), (ResNet18(8, 2), 16, 8), (MiniAlexNet(8, 24), 16, 3)],
    ids=["clip", "clip-resnet", "resnet18", "mini-alexnet"])
@pytest.mark.parametrize("where", ["all", "head", "encoder"])
def test_dropout_acts_where_it_is_put_and_only_in_training(backbone, side, encoder_sites, where):
    torch.manual_seed(0)
    network, sites = build(backbone, 60)
    assert len(sites.encoder) == encoder_sites
    add_dropout(sites, Dropout(0.5, where))
    images = normalise(torch.randint(0, 256, (4, 3, side, side), dtype=torch.uint8))
    features = []
    network.head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].detach()))
    with torch.no_grad():
        network.eval()
        torch.testing.assert_close(network(images), network(images), rtol=0, atol=0)
        network.encoder.train()
        for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.eval()  # so that only dropout can make two passes differ
        varied_encoder = not torch.equal(network.encoder(images), network.encoder(images))
        network.encoder.eval()
        network.head.train()
        varied_head = not torch.equal(network(images), network(images))
    assert (varied_encoder, varied_head) == (where != "head", where != "encoder")


@pytest.mark.parametrize("backbone", [CLIP, CLIP_RN, MiniAlexNet(4, 16)], ids=["clip", "clip-resnet", "mini-alexnet"])
def test_dropout_keeps_the_parameters_names(backbone):
    plain, _ = build(backbone, 10)
    dropped, sites = build(backbone, 10)
    add_dropout(sites, Dropout(0.1))
    assert list(plain.state_dict()) == list(dropped.state_dict())


def test_dropout_follows_every_block_of_the_resnet_tower():
    """At a rate near 1 the output of each block is nearly all zeros, which no ReLU would leave."""
    network, sites = build(CLIP_RN, 10)
    encoder = network.encoder
    assert sites.encoder == (encoder.layer1[0], encoder.layer2[0], encoder.layer3[0], encoder.layer4[0])
    add_dropout(sites, Dropout(0.99, "encoder"))
    shares = []
    for block in sites.encoder:
        block.register_forward_hook(lambda module, _, output: shares.append(float((output == 0).float().mean())))
    with torch.no_grad():
        network.train()(torch.randn(16, 3, 32, 32))
    assert len(shares) == 4 and min(shares) > 0.97


def test_resnet_tower_is_open_clips_with_the_pre_trained_weights():
    from open_clip.modified_resnet import ModifiedResNet

    from ddiv.models.clip import load_embedded_clip

    network, _ = build(CLIP_RN, 60)
    theirs = ModifiedResNet([1, 1, 1, 1], output_dim=64, heads=4, image_size=32, width=8).eval()
    theirs.load_state_dict(network.encoder.state_dict())
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.encoder.eval()(images), theirs(images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(theirs(images), load_embedded_clip("resnet").encode_image(images), rtol=1e-4, atol=1e-5)


def test_every_layer_of_the_resnet_tower_has_a_spectrum():
    """By hand: a stem of 3 convolutions, 3 a block and its shortcut's, attention pooling's projections, the head."""
    network, _ = build(CLIP_RN, 60)
    convolutions = [f"encoder.conv{i}" for i in (1, 2, 3)]
    for stage in (1, 2, 3, 4):
        convolutions += [f"encoder.layer{stage}.0.{name}" for name in ("conv1", "conv2", "conv3", "downsample.0")]
    found = {matrix.name: matrix.kind for matrix in weight_matrices(network)}
    kinds = {"encoder.attnpool.q_proj": "q", "encoder.attnpool.k_proj": "k", "encoder.attnpool.v_proj": "v",
             "encoder.attnpool.c_proj": "out", "head": "linear"}
    assert found == {f"{name}.{view}": f"conv-{view}" for name in convolutions for view in ("flat", "pooled")} | kinds
    sizes = shapes(weight_matrices(network))
    assert sizes["encoder.attnpool.q_proj"] == (256, 256, 1) and sizes["encoder.layer4.0.conv2.pooled"] == (64, 64, 9)
    left_out = [name for name, reason in skipped(network) if reason != "a scalar or a vector, not a matrix"]
    assert left_out == ["encoder.attnpool.positional_embedding"]


@pytest.mark.parametrize("side", [16, 32])
def test_mini_alexnet_computes_what_its_description_says(side):
    """An independent forward pass from the parameters alone, in torch's functions."""
    torch.manual_seed(0)
    network, _ = build(MiniAlexNet(width=6, hidden=40), 10)
    p = dict(network.named_parameters())
    images = torch.randn(3, 3, side, side)
    with torch.no_grad():
        x = F.conv2d(images, p["encoder.conv1.weight"], p["encoder.conv1.bias"], padding=2)
        x = F.max_pool2d(x.relu(), 3, 2, 1)
        x = F.conv2d(x, p["encoder.conv2.weight"], p["encoder.conv2.bias"], padding=2).relu()
        x = F.max_pool2d(x, side // 8).flatten(1)
        x = (x @ p["encoder.fc1.weight"].T + p["encoder.fc1.bias"]).relu()
        x = (x @ p["encoder.fc2.weight"].T + p["encoder.fc2.bias"]).relu()
        expected = x @ p["head.weight"].T + p["head.bias"]
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


def test_mini_alexnet_starts_glorot_normal():
    """The variance is 2 / (fan in + fan out) (Glorot and Bengio 2010), and the fourth moment a Gaussian's."""
    torch.manual_seed(1)
    network, _ = build(MiniAlexNet(width=16, hidden=256), 10)
    weight = network.encoder.fc1.weight.detach()
    assert weight.shape == (256, 512)
    assert float(weight.var()) == pytest.approx(2 / (512 + 256), rel=0.02)
    assert float((weight ** 4).mean() / weight.var() ** 2) == pytest.approx(3, rel=0.03)
    assert not network.encoder.fc1.bias.any()


@pytest.mark.parametrize("backbone", [CLIP, CLIP_RN], ids=["vit", "resnet"])
def test_the_text_tower_takes_no_part(backbone):
    network, _ = build(backbone, 10)
    assert all("token_embedding" not in name for name, _ in network.named_parameters())


@pytest.mark.parametrize("backbone", [Clip("0" * 64), Clip(CLIP.weights, "resnet"), Clip(CLIP_RN.weights)],
                         ids=["unknown", "the ViT's for the ResNet", "the ResNet's for the ViT"])
def test_other_weights_than_the_shipped_ones_are_refused(backbone):
    with pytest.raises(ValueError, match="install the ddiv that made it"):
        build(backbone, 10)
