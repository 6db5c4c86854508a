"""Networks: the classes they are built of, and where dropout acts."""

import pytest
import torch
import torchvision

from ddiv.backbone import ResNetEncoder, add_dropout, build, normalise
from ddiv.profiles import profile
from ddiv.study import Clip, ResNet18
from ddiv.treatment import Dropout

CLIP = profile("embedded").embedder


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


@pytest.mark.parametrize("backbone, side, encoder_sites", [(CLIP, 32, 6), (ResNet18(8, 2), 16, 8)], ids=["clip", "resnet18"])
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


def test_dropout_keeps_the_parameters_names():
    plain, _ = build(CLIP, 10)
    dropped, sites = build(CLIP, 10)
    add_dropout(sites, Dropout(0.1))
    assert list(plain.state_dict()) == list(dropped.state_dict())


def test_the_text_tower_takes_no_part():
    network, _ = build(CLIP, 10)
    assert all("token_embedding" not in name for name, _ in network.named_parameters())


def test_other_weights_than_the_shipped_ones_are_refused():
    with pytest.raises(ValueError, match="install the ddiv that made it"):
        build(Clip("0" * 64), 10)
