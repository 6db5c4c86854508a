"""open_clip's models as backbones: where weights come from, what the networks compute, which layers
the spectra get.
"""

import json
import os
import re
import socket

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest
import torch
from open_clip import CLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import QuickGELU, VisionTransformer
from safetensors.torch import save_file
from torch.nn import functional as F

from ddiv.common.digests import file_digest
from ddiv.common.errors import NoModel, TrialFailed
from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.data.worlds.images import FINETUNE_CLASSES, render
from ddiv.models import build as backbones
from ddiv.models import open_clip_models as ours
from ddiv.models.build import absent_model, build
from ddiv.models.embedders import vectors
from ddiv.spectra.matrices import shapes, skipped, weight_matrices
from ddiv.study import OpenClip, Recipe, World
from ddiv.treatment import BASELINE, Dropout, Treatment
from ddiv.trial import DataView, Trial, canonical, decode
from ddiv.trial.train import train

CPU = torch.device("cpu")
WORLD = World(train_per_class=1, test_per_class=1, version=1)
NAMES = tuple(one.name for one in FINETUNE_CLASSES)
IMAGES = render(FINETUNE_CLASSES, np.arange(8), "real", 0)
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {
    "embed_dim": 32,
    "text_cfg": TEXT,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
}
RESNET = {
    "embed_dim": 32,
    "text_cfg": TEXT,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
}


@pytest.fixture(scope="module", autouse=True)
def small_models(tmp_path_factory):
    """Models of the true classes, in open_clip's own register under names of their own."""
    folder = tmp_path_factory.mktemp("configs")
    for name, config in {
        "tiny-vit": VIT,
        "tiny-vit-quickgelu": VIT | {"quick_gelu": True},
        "tiny-rn": RESNET,
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    yield
    open_clip.factory._MODEL_CONFIG_PATHS.remove(folder)
    for path in folder.iterdir():
        del open_clip.factory._MODEL_CONFIGS[path.stem]


@pytest.fixture(autouse=True)
def nothing_remembered_and_no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("network used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("DDIV_CLIP", raising=False)
    for cached in (ours.load_open_clip, ours.zero_shot_weights, ours._local_file):
        cached.cache_clear()


def random_clip(name: str, seed: int = 3) -> CLIP:
    torch.manual_seed(seed)
    return CLIP(**open_clip.get_model_config(name)).eval()


@pytest.fixture
def local(tmp_path, monkeypatch):
    """A function that saves a model into the folder that $DDIV_CLIP names, and gives its spec."""
    monkeypatch.setenv("DDIV_CLIP", str(tmp_path))

    def saved(
        model: CLIP, name: str = "tiny-vit", file: str = "a/clip.safetensors", **spec
    ) -> OpenClip:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        state = {key: value.contiguous() for key, value in model.state_dict().items()}
        save_file(state, tmp_path / file) if file.endswith("safetensors") else torch.save(
            state, tmp_path / file
        )
        return OpenClip(name, file_digest(tmp_path / file), **spec)

    return saved


def by_hand(images: np.ndarray) -> torch.Tensor:
    """Pixels as OpenAI's CLIP takes them."""
    mean, deviation = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    values = images.transpose(0, 2, 3, 1).astype(np.float64) / 255
    return torch.from_numpy(((values - mean) / deviation).transpose(0, 3, 1, 2)).float()


# --- what the networks compute --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-vit-quickgelu", "tiny-rn"])
@pytest.mark.parametrize("file", ["a/clip.safetensors", "clip.pt"])
@torch.no_grad()
def test_a_network_is_the_checkpoint_s_image_tower_and_a_random_layer(local, name, file):
    clip = random_clip(name)
    spec = local(clip, name, file)
    torch.manual_seed(7)
    network, _ = build(spec, NAMES)
    torch.manual_seed(7)
    layer = torch.nn.Linear(32, len(NAMES))
    features = clip.encode_image(by_hand(IMAGES))
    torch.testing.assert_close(
        network.eval()(torch.from_numpy(IMAGES)), layer(features), rtol=1e-4, atol=1e-4
    )
    assert all(
        not key.startswith(("token_embedding", "encoder.token")) for key in network.state_dict()
    )


@torch.no_grad()
def test_the_zero_shot_layer_starts_as_clip_s_own_classifier(local):
    clip = random_clip("tiny-vit")
    clip.logit_scale.fill_(np.log(50.0))
    classes = ("golf_ball", "tench", "church")
    network, sites = build(local(clip, head="zero-shot"), classes)
    prompts = ["a photo of a golf ball.", "a photo of a tench.", "a photo of a church."]
    texts = open_clip.SimpleTokenizer(context_length=24)(prompts)
    images = clip.encode_image(by_hand(IMAGES), normalize=True)
    expected = 50 * images @ clip.encode_text(texts, normalize=True).T
    assert expected.std() > 1e-3
    torch.testing.assert_close(
        network.eval()(torch.from_numpy(IMAGES)), expected, rtol=1e-4, atol=1e-4
    )
    assert (
        network.head.weight.requires_grad
        and not network.head.bias.any()
        and sites.head is network.head
    )
    other, _ = build(local(clip, head="zero-shot"), classes[::-1])
    assert torch.equal(other.head.weight, network.head.weight.flip(0))


@torch.no_grad()
def test_every_build_has_a_copy_of_its_own_and_leaves_the_generator_to_the_layer(local):
    spec = local(random_clip("tiny-vit"))
    torch.manual_seed(1)
    first, _ = build(spec, NAMES)
    first.encoder.conv1.weight.zero_()
    torch.manual_seed(1)
    second, _ = build(spec, NAMES)
    assert second.encoder.conv1.weight.any() and torch.equal(first.head.weight, second.head.weight)
    assert second.encoder.conv1.weight.requires_grad and not second.encoder.training


def test_images_of_another_side_say_which_one_to_give(local):
    network, _ = build(local(random_clip("tiny-vit")), NAMES)
    with pytest.raises(
        TrialFailed,
        match="of 32 x 32 pixels, the data has 48 x 40: give the study data with side=32",
    ):
        network(torch.zeros(1, 3, 40, 48, dtype=torch.uint8))


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-rn"])
def test_as_an_embedder_it_gives_the_image_features(local, name):
    clip = random_clip(name)
    spec = local(clip, name)
    rows = vectors(IMAGES, "embedding", spec, WORLD, CPU)
    with torch.no_grad():
        np.testing.assert_allclose(
            rows.rows, clip.encode_image(by_hand(IMAGES)).numpy(), rtol=1e-3, atol=1e-4
        )
    assert rows.embedder == f"open_clip {name} {spec.pretrained[:20]}"
    assert (
        rows.preprocessing
        == "bilinear to 32 px, mean 0.4815/0.4578/0.4082, deviation 0.2686/0.2613/0.2758"
    )
    with pytest.raises(ValueError, match="OpenClip does not read texts"):
        vectors(np.array(["a text"], dtype=object), "embedding", spec, WORLD, CPU)


# --- which activation, by whose word --------------------------------------------------------------


def activations(spec: OpenClip) -> set[type]:
    return {type(block.mlp.gelu) for block in build(spec, NAMES)[0].encoder.transformer.resblocks}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Hugging Face's cache with the weights of two tags of tiny-vit, of which one was trained with
    QuickGELU.
    """
    tags = {
        tag: open_clip.pretrained._pcfg(hf_hub=f"nobody/tiny.{tag}/", **more)
        for tag, more in {"openai": {"quick_gelu": True}, "laion": {}, "elsewhere": {}}.items()
    }
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-vit", tags)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for tag, file in {
        "openai": "open_clip_model.safetensors",
        "laion": "open_clip_pytorch_model.bin",
    }.items():
        repository = tmp_path / f"models--nobody--tiny.{tag}"
        folder = repository / "snapshots" / ("0" * 40)
        folder.mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0" * 40)
        state = random_clip("tiny-vit").state_dict()
        save_file(state, folder / file) if file.endswith("safetensors") else torch.save(
            state, folder / file
        )


def test_weights_of_a_tag_have_the_activation_that_they_were_trained_with(hub):
    assert activations(OpenClip("tiny-vit", "openai")) == {QuickGELU}
    assert activations(OpenClip("tiny-vit", "laion")) == {torch.nn.GELU}
    reference = random_clip("tiny-vit-quickgelu")
    network, _ = build(OpenClip("tiny-vit", "openai"), NAMES)
    with torch.no_grad():
        torch.testing.assert_close(
            network.encoder(by_hand(IMAGES)), reference.encode_image(by_hand(IMAGES))
        )


def test_open_clip_s_register_says_quick_gelu_of_the_paper_s_weights():
    for name in ("ViT-B-32", "RN50"):
        assert ours._tag(name, "openai")["quick_gelu"] is True
    assert not ours._tag("ViT-B-32", "laion2b_s34b_b79k").get("quick_gelu")


@pytest.mark.parametrize(
    "name, trained, right",
    [("tiny-vit", True, "tiny-vit-quickgelu"), ("tiny-vit-quickgelu", False, "tiny-vit$")],
)
def test_a_file_whose_folder_tells_of_another_activation_is_refused(
    local, tmp_path, name, trained, right
):
    spec = local(random_clip(name), name)
    (tmp_path / "a" / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": {"quick_gelu": trained}})
    )
    with pytest.raises(
        NoModel, match=f"with{'' if trained else 'out'} QuickGELU: name its model {right}"
    ):
        build(spec, NAMES)


class AsPublished(torch.nn.Module):
    """A model as OpenAI's archives hold it: half precision, three integers among the weights, and a
    method to trace.
    """

    def __init__(self, clip: CLIP):
        super().__init__()
        for name, child in clip.half().named_children():
            self.add_module(name, child)
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            self.register_parameter(name, getattr(clip, name))
        for name, value in {
            "input_resolution": 32,
            "context_length": 24,
            "vocab_size": 49408,
        }.items():
            self.register_buffer(name, torch.tensor(value))

    def forward(self, values):
        return values @ self.text_projection


def test_openai_s_own_archives_are_read(local, tmp_path):
    clip = random_clip("tiny-vit-quickgelu")
    path = tmp_path / "ViT.pt"
    torch.jit.trace(AsPublished(random_clip("tiny-vit-quickgelu")), torch.zeros(1, 32).half()).save(
        path
    )
    spec = OpenClip("tiny-vit-quickgelu", file_digest(path))
    network, _ = build(spec, NAMES)
    for name, value in network.encoder.state_dict().items():
        assert torch.equal(value, clip.visual.state_dict()[name].half().float()), name
    with pytest.raises(NoModel, match="with QuickGELU: name its model tiny-vit-quickgelu"):
        build(OpenClip("tiny-vit", spec.pretrained), NAMES)


# --- what is not at hand --------------------------------------------------------------------------


def test_weights_that_are_not_at_hand_say_how_to_get_them(hub, monkeypatch, tmp_path):
    monkeypatch.delenv("DDIV_CLIP", raising=False)
    paper, digest = OpenClip("ViT-B-32", "openai"), "ab" * 32
    for spec, why in [
        (paper, r"hf download timm/vit_base_patch32_clip_224.openai --include 'open_clip\*'"),
        (OpenClip("tiny-vit", "elsewhere"), "hf download nobody/tiny.elsewhere"),
        (OpenClip("ViT-B-32", digest), "abababababab... is a local file, and DDIV_CLIP is not set"),
    ]:
        assert "\n" not in absent_model(spec)
        assert re.search(why, absent_model(spec))
        with pytest.raises(NoModel, match=why):
            build(spec, NAMES)
    monkeypatch.setenv("DDIV_CLIP", str(tmp_path / "none"))
    assert "where no file" in absent_model(OpenClip("ViT-B-32", digest))
    assert absent_model(OpenClip("tiny-vit", "openai")) is None


def test_a_folder_without_the_file_that_was_meant_is_an_error_and_not_absent(local):
    local(random_clip("tiny-vit"))
    spec = OpenClip("tiny-vit", "0" * 64)
    assert absent_model(spec) is None
    with pytest.raises(
        NoModel, match=r"none of the 1 checkpoints in .* has the SHA-256 0000.*sha256sum"
    ):
        build(spec, NAMES)


def test_ddiv_clip_may_name_the_file_itself(local, monkeypatch, tmp_path):
    spec = local(random_clip("tiny-vit"), file="clip.pt")
    monkeypatch.setenv("DDIV_CLIP", str(tmp_path / "clip.pt"))
    assert absent_model(spec) is None and build(spec, NAMES)


@pytest.mark.parametrize(
    "name, why",
    [
        ("ViT-B32", "has no model 'ViT-B32'; close: .*ViT-B-32"),
        ("ViT-B-16-SigLIP", "ViT-B-16-SigLIP are of other kinds"),
        ("coca_ViT-B-32", "other kinds"),
        ("roberta-ViT-B-32", "other kinds"),
        ("convnext_base", "other kinds"),
    ],
)
def test_models_of_other_kinds_are_refused(local, name, why):
    spec = OpenClip(name, local(random_clip("tiny-vit")).pretrained)
    with pytest.raises(NoModel, match=why):
        build(spec, NAMES)


def test_a_tag_that_open_clip_does_not_have_is_an_error_that_lists_them():
    for model, tags in [("RN50", "openai, yfcc15m, cc12m"), ("tiny-rn", "none")]:
        spec = OpenClip(model, "laion9b")
        assert absent_model(spec) is None
        with pytest.raises(NoModel, match=f"no weights 'laion9b' for '{model}'; its tags: {tags}"):
            build(spec, NAMES)


@pytest.mark.parametrize("file", ["clip.safetensors", "clip.pt"])
def test_damaged_files_and_other_models_are_refused(local, tmp_path, file):
    other = local(random_clip("tiny-rn"), "tiny-vit", file)
    with pytest.raises(NoModel, match=f"{file} cannot be loaded as tiny-vit .*visual"):
        build(other, NAMES)
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(NoModel, match=f"{file} cannot be loaded as tiny-vit"):
        build(OpenClip("tiny-vit", file_digest(path)), NAMES)


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_code_in_a_checkpoint_is_not_run(local, tmp_path):
    path = tmp_path / "bad.pt"
    torch.save(random_clip("tiny-vit").state_dict() | {"more": Harmful(tmp_path / "made")}, path)
    with pytest.raises(NoModel, match=r"as tiny-vit .is no plain checkpoint.*not unpickled"):
        build(OpenClip("tiny-vit", file_digest(path)), NAMES)
    assert not (tmp_path / "made").exists()


# --- fine-tuning and spectra ----------------------------------------------------------------------


def vit_layers(blocks: int) -> list[tuple[str, str, str]]:
    layers = [
        ("encoder.proj", "other", "encoder"),
        ("encoder.conv1.flat", "conv-flat", "encoder"),
        ("encoder.conv1.pooled", "conv-pooled", "encoder"),
    ]
    for i in range(blocks):
        block = f"encoder.transformer.resblocks.{i}"
        layers += [(f"{block}.attn.{letter}", letter, "encoder") for letter in "qkv"]
        layers += [
            (f"{block}.attn.out_proj", "out", "encoder"),
            (f"{block}.mlp.c_fc", "mlp", "encoder"),
            (f"{block}.mlp.c_proj", "mlp", "encoder"),
        ]
    return [*layers, ("head", "linear", "classifier")]


def resnet_layers(stages: list[int]) -> list[tuple[str, str, str]]:
    convolutions = [f"encoder.conv{i}" for i in (1, 2, 3)]
    for stage, blocks in enumerate(stages, start=1):
        for i in range(blocks):
            convolutions += [f"encoder.layer{stage}.{i}.conv{j}" for j in (1, 2, 3)]
            convolutions += [f"encoder.layer{stage}.{i}.downsample.0"] * (i == 0)
    layers = [
        (f"{name}.{way}", f"conv-{way}", "encoder")
        for name in convolutions
        for way in ("flat", "pooled")
    ]
    layers += [
        (f"encoder.attnpool.{letter}_proj", kind, "encoder")
        for letter, kind in zip("qkvc", ("q", "k", "v", "out"))
    ]
    return [*layers, ("head", "linear", "classifier")]


@pytest.mark.parametrize(
    "name, layers", [("tiny-vit", vit_layers(2)), ("tiny-rn", resnet_layers([1, 1, 1, 1]))]
)
@pytest.mark.parametrize("head", ["random", "zero-shot"])
def test_a_local_checkpoint_is_fine_tuned_and_every_layer_has_a_spectrum(local, name, layers, head):
    spec = local(random_clip(name), name, head=head)
    trial = Trial(WORLD, spec, Recipe(epochs=1, batch=20, lr=1e-3), Treatment.of(Dropout(0.1)), 0)
    assert decode(canonical(trial)) == trial
    record = train(trial, CPU)
    found = [(one["name"], one["kind"], one["view"]) for one in record.facts["layers"]]
    assert sorted(found) == sorted(layers)
    ends = np.cumsum([one["eigenvalues"] for one in record.facts["layers"]])[:-1]
    before, after = (
        np.split(record.arrays[f"eigenvalues/{when}"], ends) for when in ("before", "after")
    )
    # A modified ResNet's last normalisations start at zero, so that only shortcuts and what follows
    # move at the first step.
    moved = [not np.array_equal(*pair) for pair in zip(before, after)]
    assert all(moved) if name == "tiny-vit" else moved[-1] and sum(moved) > len(moved) / 2
    assert record.arrays["log_probabilities/sketch"].shape == (60, 60)


@pytest.mark.parametrize(
    "model, layers, sites, expected",
    [
        (
            "ViT-B-32",
            vit_layers(12),
            24,
            {
                "encoder.conv1.flat": (3072, 768, 1),
                "encoder.conv1.pooled": (768, 3, 1024),
                "encoder.proj": (768, 512, 1),
                "encoder.transformer.resblocks.11.attn.q": (768, 768, 1),
                "encoder.transformer.resblocks.0.mlp.c_fc": (3072, 768, 1),
                "head": (512, 60, 1),
            },
        ),
        (
            "RN50",
            resnet_layers([3, 4, 6, 3]),
            16,
            {
                "encoder.attnpool.c_proj": (2048, 1024, 1),
                "encoder.layer4.2.conv2.pooled": (512, 512, 9),
                "encoder.layer2.0.downsample.0.flat": (512, 256, 1),
                "head": (1024, 60, 1),
            },
        ),
    ],
)
def test_the_paper_s_towers_in_their_true_sizes_have_the_paper_s_layers(
    monkeypatch, model, layers, sites, expected
):
    with torch.device("meta"):
        clip = ours.architecture(model, quick_gelu=True)
    clip.visual.to_empty(device="cpu")
    clip.visual.image_mean, clip.visual.image_std = (0.5,) * 3, (0.5,) * 3
    monkeypatch.setattr(ours, "load_open_clip", lambda *_: clip)
    network, places = build(OpenClip(model, "openai"), NAMES)
    matrices = weight_matrices(network)
    assert sorted((one.name, one.kind) for one in matrices) == sorted(layer[:2] for layer in layers)
    assert expected.items() <= shapes(matrices).items()
    reasons = {name: why for name, why in skipped(network) if "vector" not in why}
    assert set(reasons) <= {"encoder.positional_embedding", "encoder.attnpool.positional_embedding"}
    assert len(places.encoder) == sites and network.side == 224
    kind, activation = (
        (ModifiedResNet, torch.nn.ReLU) if model == "RN50" else (VisionTransformer, QuickGELU)
    )
    assert isinstance(network.encoder, kind) and any(
        isinstance(one, activation) for one in network.modules()
    )
    assert not any(isinstance(one, torch.nn.GELU) for one in network.modules())


@pytest.mark.parametrize("name, sites", [("tiny-vit", 4), ("tiny-rn", 4)])
@torch.no_grad()
def test_dropout_acts_within_the_tower(local, name, sites):
    network, places = build(local(random_clip(name), name), NAMES)
    assert len(places.encoder) == sites
    places.drop(0.5, "encoder")
    images = torch.from_numpy(IMAGES)
    plain = network.eval()(images)
    assert torch.equal(plain, network(images))
    for site in places.encoder:
        site.train()
    assert not torch.allclose(plain, network(images))


@pytest.mark.slow
def test_a_checkpoint_of_the_true_vit_b_32_is_fine_tuned(local, monkeypatch):
    """604 MB of random weights: one step at 224 px through the whole pipeline, and the spectra of
    all layers.
    """
    spec = local(random_clip("ViT-B-32-quickgelu"), "ViT-B-32-quickgelu")
    small = load(WORLD)
    large = F.interpolate(torch.from_numpy(small.inputs[:2]).float(), 224).to(torch.uint8).numpy()
    data = Dataset(large, small.labels[:2], {"real": (large, small.labels[:2])}, small.classes)
    monkeypatch.setattr("ddiv.trial.train.load", lambda _: data)
    record = train(
        Trial(WORLD, spec, Recipe(epochs=1, batch=2, lr=1e-5), Treatment.of(Dropout(0.1)), 0), CPU
    )
    assert sorted(
        (one["name"], one["kind"], one["view"]) for one in record.facts["layers"]
    ) == sorted(vit_layers(12))
    assert np.isfinite(record.arrays["eigenvalues/after"]).all()
    assert not np.array_equal(
        record.arrays["eigenvalues/before"], record.arrays["eigenvalues/after"]
    )


def test_an_embedder_is_written_down_and_is_at_hand_or_says_how_to_get_it():
    view = DataView(WORLD, BASELINE, OpenClip("RN50", "openai"), 10, 0)
    assert decode(canonical(view)) == view
    told = backbones.absent_model(view.embedder)
    assert told is None or "hf download" in told
