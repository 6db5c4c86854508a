"""Networks: the classes they are built of, and where dropout acts."""

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import torchvision
import torchvision.transforms.v2
from torch.nn import functional as F
from transformers import BertConfig, BertForPreTraining

from ddiv.common.digests import folder_digest
from ddiv.common.errors import NoModel, TrialFailed
from ddiv.models.bert_files import load_tokenizer
from ddiv.models.build import absent_model, build
from ddiv.models.from_scratch import ResNetEncoder
from ddiv.models.network import normalise
from ddiv.models.shipped import embedded_weights
from ddiv.spectra.matrices import shapes, skipped, weight_matrices
from ddiv.study import (
    Bert,
    Clip,
    ComplaintsWorld,
    Digits,
    Lsa,
    MiniAlexNet,
    Recipe,
    ResNet18,
    TorchvisionModel,
)
from ddiv.treatment import Dropout, Treatment
from ddiv.trial import Trial, canonical, decode
from ddiv.trial.train import train

CLIP, CLIP_RN = Clip(embedded_weights()), Clip(embedded_weights("resnet"), "resnet")
NAMES = tuple(f"class {i}" for i in range(60))
CPU = torch.device("cpu")


def test_full_resnet18_is_torchvisions_but_for_the_stem():
    ours = {name: value.shape for name, value in ResNetEncoder(64).state_dict().items()}
    theirs = {
        name: value.shape
        for name, value in torchvision.models.resnet18().state_dict().items()
        if not name.startswith("fc.")
    }
    assert {n: s for n, s in ours.items() if n != "conv1.weight"} == {
        n: s for n, s in theirs.items() if n != "conv1.weight"
    }


def test_full_resnet18_computes_what_torchvisions_does():
    theirs = torchvision.models.resnet18()
    theirs.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = theirs.fc = torch.nn.Identity()
    ours = ResNetEncoder(64)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize(
    "backbone, side, encoder_sites",
    [(CLIP, 32, 6), (CLIP_RN, 32, 4), (ResNet18(8, 2), 16, 8), (MiniAlexNet(8, 24), 16, 3)],
    ids=["clip", "clip-resnet", "resnet18", "mini-alexnet"],
)
@pytest.mark.parametrize("where", ["all", "head", "encoder"])
def test_dropout_acts_where_it_is_put_and_only_in_training(backbone, side, encoder_sites, where):
    torch.manual_seed(0)
    network, sites = build(backbone, NAMES)
    assert len(sites.encoder) == encoder_sites
    sites.drop(0.5, where)
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


@pytest.mark.parametrize(
    "backbone", [CLIP, CLIP_RN, MiniAlexNet(4, 16)], ids=["clip", "clip-resnet", "mini-alexnet"]
)
def test_dropout_keeps_the_parameters_names(backbone):
    plain, _ = build(backbone, NAMES[:10])
    dropped, sites = build(backbone, NAMES[:10])
    sites.drop(0.1)
    assert list(plain.state_dict()) == list(dropped.state_dict())


def test_dropout_follows_every_block_of_the_resnet_tower():
    """At a rate near 1 the output of each block is nearly all zeros, which no ReLU would leave."""
    network, sites = build(CLIP_RN, NAMES[:10])
    encoder = network.encoder
    assert sites.encoder == (
        encoder.layer1[0],
        encoder.layer2[0],
        encoder.layer3[0],
        encoder.layer4[0],
    )
    sites.drop(0.99, "encoder")
    shares = []
    for block in sites.encoder:
        block.register_forward_hook(
            lambda module, _, output: shares.append(float((output == 0).float().mean()))
        )
    with torch.no_grad():
        network.train()(torch.randn(16, 3, 32, 32))
    assert len(shares) == 4 and min(shares) > 0.97


def test_resnet_tower_is_open_clips_with_the_pre_trained_weights():
    from open_clip.modified_resnet import ModifiedResNet

    from ddiv.models.clip import load_embedded_clip

    network, _ = build(CLIP_RN, NAMES)
    theirs = ModifiedResNet([1, 1, 1, 1], output_dim=64, heads=4, image_size=32, width=8).eval()
    theirs.load_state_dict(network.encoder.state_dict())
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            network.encoder.eval()(images), theirs(images), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            theirs(images), load_embedded_clip("resnet").encode_image(images), rtol=1e-4, atol=1e-5
        )


def test_every_layer_of_the_resnet_tower_has_a_spectrum():
    """By hand: a stem of 3 convolutions, 3 a block and its shortcut's, attention pooling's
    projections, the head.
    """
    network, _ = build(CLIP_RN, NAMES)
    convolutions = [f"encoder.conv{i}" for i in (1, 2, 3)]
    for stage in (1, 2, 3, 4):
        convolutions += [
            f"encoder.layer{stage}.0.{name}" for name in ("conv1", "conv2", "conv3", "downsample.0")
        ]
    found = {matrix.name: matrix.kind for matrix in weight_matrices(network)}
    kinds = {
        "encoder.attnpool.q_proj": "q",
        "encoder.attnpool.k_proj": "k",
        "encoder.attnpool.v_proj": "v",
        "encoder.attnpool.c_proj": "out",
        "head": "linear",
    }
    assert (
        found
        == {
            f"{name}.{view}": f"conv-{view}" for name in convolutions for view in ("flat", "pooled")
        }
        | kinds
    )
    sizes = shapes(weight_matrices(network))
    assert sizes["encoder.attnpool.q_proj"] == (256, 256, 1) and sizes[
        "encoder.layer4.0.conv2.pooled"
    ] == (64, 64, 9)
    left_out = [
        name for name, reason in skipped(network) if reason != "a scalar or a vector, not a matrix"
    ]
    assert left_out == ["encoder.attnpool.positional_embedding"]


@pytest.mark.parametrize("side", [16, 32])
def test_mini_alexnet_computes_what_its_description_says(side):
    """An independent forward pass from the parameters alone, in torch's functions."""
    torch.manual_seed(0)
    network, _ = build(MiniAlexNet(width=6, hidden=40), NAMES[:10])
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
    """The variance is 2 / (fan in + fan out) (Glorot and Bengio 2010), and the fourth moment a
    Gaussian's.
    """
    torch.manual_seed(1)
    network, _ = build(MiniAlexNet(width=16, hidden=256), NAMES[:10])
    weight = network.encoder.fc1.weight.detach()
    assert weight.shape == (256, 512)
    assert float(weight.var()) == pytest.approx(2 / (512 + 256), rel=0.02)
    assert float((weight**4).mean() / weight.var() ** 2) == pytest.approx(3, rel=0.03)
    assert not network.encoder.fc1.bias.any()


@pytest.mark.parametrize("backbone", [CLIP, CLIP_RN], ids=["vit", "resnet"])
def test_the_text_tower_takes_no_part(backbone):
    network, _ = build(backbone, NAMES[:10])
    assert all("token_embedding" not in name for name, _ in network.named_parameters())


@pytest.mark.parametrize(
    "backbone",
    [Clip("0" * 64), Clip(CLIP.weights, "resnet"), Clip(CLIP_RN.weights)],
    ids=["unknown", "the ViT's for the ResNet", "the ResNet's for the ViT"],
)
def test_other_weights_than_the_shipped_ones_are_refused(backbone):
    with pytest.raises(ValueError, match="install the ddiv that made it"):
        build(backbone, NAMES[:10])


@pytest.mark.parametrize("backbone, side", [(CLIP, 32), (CLIP_RN, 32)], ids=["vit", "resnet"])
def test_images_of_another_side_say_which_one_to_give(backbone, side):
    network, _ = build(backbone, NAMES)
    with pytest.raises(
        TrialFailed,
        match=f"takes images of {side} x {side} pixels, the data has 16 x 16: .* side={side}",
    ):
        network(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))


# --- torchvision's ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, blocks", [("resnet18", 8), ("resnet50", 16), ("mobilenet_v3_small", 0)]
)
@torch.no_grad()
def test_torchvision_s_classifiers_are_theirs_in_two_parts(name, blocks):
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, num_classes=60).eval()
    torch.manual_seed(0)
    network, sites = build(TorchvisionModel(name), NAMES)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    scaled = torchvision.transforms.v2.functional.normalize(
        images / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(network.eval()(images), theirs(scaled), rtol=1e-4, atol=1e-4)
    assert len(sites.encoder) == blocks and sites.head is network.head
    assert sum(p.numel() for p in network.parameters()) == sum(
        p.numel() for p in theirs.parameters()
    )
    assert [one.name for one in weight_matrices(network)][-1] == "head"


def test_a_torchvision_resnet_has_the_dropout_of_the_paper_s_and_a_spectrum_of_every_layer():
    trial = Trial(
        Digits(train=40, side=32),
        TorchvisionModel("resnet18"),
        Recipe(epochs=1, batch=20, lr=1e-3),
        Treatment.of(Dropout(0.2, "encoder")),
        0,
    )
    assert decode(canonical(trial)) == trial
    record = train(trial, CPU)
    names = {one["name"]: one["kind"] for one in record.facts["layers"]}
    convolutions = ["conv1"] + [
        f"layer{s}.{b}.conv{c}" for s in (1, 2, 3, 4) for b in (0, 1) for c in (1, 2)
    ]
    convolutions += [f"layer{s}.0.downsample.0" for s in (2, 3, 4)]
    ways = {
        f"encoder.{name}.{way}": f"conv-{way}"
        for name in convolutions
        for way in ("flat", "pooled")
    }
    assert names == ways | {"head": "linear"}


def test_dropout_of_an_architecture_s_own_is_off_and_ours_acts_before_the_head_alone():
    network, sites = build(TorchvisionModel("mobilenet_v3_small"), NAMES)
    own = [module for module in network.modules() if isinstance(module, torch.nn.Dropout)]
    assert own and all(module.p == 0 for module in own)
    with pytest.raises(
        TrialFailed, match=r"no places for dropout in its encoder: .*single_placement_rates"
    ):
        sites.drop(0.1, "encoder")
    sites.drop(0.5)
    network.eval()
    network.head.train()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert not torch.equal(network(images), network(images))


def test_a_vision_transformer_of_torchvision_takes_one_side():
    with torch.device("meta"):
        network, sites = build(TorchvisionModel("vit_b_16"), NAMES)
    assert network.side == 224 and network.head.weight.shape == (60, 768) and sites.encoder == ()


@pytest.mark.parametrize(
    "name, why",
    [
        ("resnet19", "has no classifier 'resnet19'; it has: .*resnet18"),
        ("fcn_resnet50", "has no classifier"),
        ("squeezenet1_1", "does not end in one linear layer"),
        ("googlenet", "does not end in one linear layer"),
    ],
)
def test_architectures_that_cannot_be_cut_in_two_are_refused(name, why):
    # or googlenet draws its weights for half a minute
    with pytest.raises(TrialFailed, match=why), torch.device("meta"):
        build(TorchvisionModel(name), NAMES)


# --- what is at hand ----------------------------------------------------------------------------


def test_a_local_folder_as_the_hub_has_bert_base_uncased_is_fine_tuned(tmp_path, monkeypatch):
    """BertForPreTraining, as bert-base-uncased is published, in small: its encoder is taken, every
    layer has a spectrum.
    """
    tokenizer = load_tokenizer(embedded_weights("bert"))
    saved = BertForPreTraining(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            max_position_embeddings=32,
        )
    )
    saved.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    monkeypatch.setenv("DDIV_BERT", str(tmp_path))
    spec = Bert(folder_digest(tmp_path), max_tokens=16)
    network, _ = build(spec, NAMES)
    layer = network.encoder.bert.encoder.layer[1].attention.self.query
    assert torch.equal(layer.weight, saved.bert.encoder.layer[1].attention.self.query.weight)
    texts = ComplaintsWorld(train_per_class=1, test_per_class=1, version=1)
    record = train(
        Trial(texts, spec, Recipe(epochs=1, batch=30, lr=1e-3), Treatment.of(Dropout(0.1)), 0), CPU
    )
    kinds = {
        one["name"].removeprefix("encoder.bert."): one["kind"] for one in record.facts["layers"]
    }
    expected = {"head": "linear", "pooler.dense": "linear"}
    for i in (0, 1):
        parts = {
            "attention.self.query": "q",
            "attention.self.key": "k",
            "attention.self.value": "v",
            "attention.output.dense": "out",
            "intermediate.dense": "mlp",
            "output.dense": "mlp",
        }
        expected |= {f"encoder.layer.{i}.{name}": kind for name, kind in parts.items()}
    assert {name: kind for name, kind in kinds.items() if kind != "embedding"} == expected
    count = np.cumsum([one["eigenvalues"] for one in record.facts["layers"]])[:-1]
    before, after = (
        np.split(record.arrays[f"eigenvalues/{when}"], count) for when in ("before", "after")
    )
    assert not any(np.array_equal(*pair) for pair in zip(before, after))


def test_what_is_not_at_hand_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("DDIV_BERT", raising=False)
    bert = Bert(embedded_weights("bert"))
    for ready in (
        CLIP,
        CLIP_RN,
        ResNet18(8),
        MiniAlexNet(4, 16),
        TorchvisionModel("resnet50"),
        bert,
        Lsa(8),
    ):
        assert absent_model(ready) is None
    assert absent_model(Bert("nobody/tiny")).startswith(
        "BERT nobody/tiny is not in Hugging Face's cache; "
    )
    assert "hf download nobody/tiny" in absent_model(Bert("nobody/tiny"))
    assert "DDIV_BERT is not set" in absent_model(Bert("a" * 64))
    monkeypatch.setenv("DDIV_BERT", str(tmp_path))
    assert "holds no config.json" in absent_model(Bert("a" * 64))
    (tmp_path / "config.json").write_text("{}")
    assert absent_model(Bert("a" * 64)) is None
    with pytest.raises(NoModel, match="has the digest"):
        build(Bert("a" * 64), NAMES)


def test_weights_in_the_hub_s_cache_are_at_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--nobody--tiny" / "snapshots" / ("1" * 40)
    folder.mkdir(parents=True)
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text("1" * 40)
    (folder / "config.json").write_text("{}")
    assert "not in Hugging Face's cache" in absent_model(Bert("nobody/tiny"))
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert absent_model(Bert("nobody/tiny")) is None
