"""The embedded CLIP: the checkpoint is what its provenance says, knows unseen classes, and can be
rebuilt.
"""

import hashlib
import json
import shutil
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer

from ddiv.data.worlds.images import FINETUNE_CLASSES, PRETRAIN_CLASSES, WORLD_VERSION, render
from ddiv.models import clip, pretrain
from ddiv.models.shipped import (
    SEEDS,
    embedded_weights,
    further_weights,
    provenance_path,
    shipped,
    weights_path,
)
from ddiv.study import Clip

CHANCE = 1 / len(FINETUNE_CLASSES)
LABELS = np.arange(600) % 60


@pytest.fixture(scope="module", params=["vit", "resnet"])
def tower(request):
    return request.param


@pytest.fixture(scope="module")
def model(tower):
    return clip.load_embedded_clip(tower)


@pytest.fixture
def copy(tower, tmp_path):
    shipped = weights_path(tower)
    path = tmp_path / shipped.name
    shutil.copy(shipped, path)
    shutil.copy(provenance_path(shipped), provenance_path(path))
    return path


def test_zero_shot_on_unseen_classes_with_fresh_pictures(model):
    images = render(FINETUNE_CLASSES, LABELS, "real", seed=424_242)
    names = [c.name for c in FINETUNE_CLASSES]
    assert clip.zero_shot_accuracy(model, images, LABELS, names) > 0.3
    # Negative control: with the names handed to the wrong classes the same measurement is at
    # chance.
    assert clip.zero_shot_accuracy(model, images, LABELS, names[7:] + names[:7]) < 0.1


def test_provenance_describes_the_shipped_file(tower, model):
    path = weights_path(tower)
    record = json.loads(provenance_path(path).read_text())
    assert record["world_version"] == WORLD_VERSION
    assert record["bytes"] == path.stat().st_size < 2e6
    assert record["command"].startswith(clip.REBUILD)
    assert record["parameters"]["image"] == sum(p.numel() for p in model.visual.parameters())
    assert embedded_weights(tower) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_checkpoints_of_all_pre_training_seeds_are_shipped_and_found(tower):
    seeds = shipped(tower)
    assert tuple(seeds.values()) == SEEDS and further_weights(tower) == (*seeds,)[1:]
    images = render(FINETUNE_CLASSES, LABELS, "real", seed=424_242)
    names = [c.name for c in FINETUNE_CLASSES]
    outputs = set()
    for weights, seed in seeds.items():
        path = weights_path(tower, seed)
        record = json.loads(provenance_path(path).read_text())
        assert weights == hashlib.sha256(path.read_bytes()).hexdigest()
        assert record["recipe"]["seed"] == seed and record["command"].endswith(f"--seed {seed}")
        model = clip.clip_model(Clip(weights, tower))
        accuracy = clip.zero_shot_accuracy(model, images, LABELS, names)
        assert accuracy > 0.3 and record["world_version"] == WORLD_VERSION
        outputs.add(clip.encode_images(model, images[:2]).tobytes())
    assert len(outputs) == len(SEEDS)


def test_weights_of_no_seed_are_refused(tower):
    with pytest.raises(ValueError, match=r"this ddiv ships the CLIP weights .* asks for aaaa"):
        clip.clip_model(Clip("a" * 64, tower))


def test_a_damaged_checkpoint_names_the_seed_that_rebuilds_it(tower, tmp_path):
    with pytest.raises(clip.CheckpointError, match=f"--tower {tower} --seed 2"):
        clip.load_embedded_clip(tower, tmp_path / "nothing.safetensors", seed=2)


def test_the_towers_are_what_their_names_say():
    assert isinstance(clip.load_embedded_clip("vit").visual, VisionTransformer)
    assert isinstance(clip.load_embedded_clip("resnet").visual, ModifiedResNet)


def test_changed_byte_is_noticed(copy, tower):
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    remedy = f"rebuild it with: python -m ddiv.models.pretrain --tower {tower}"
    with pytest.raises(clip.CheckpointError, match=f"SHA-256.*{remedy}"):
        clip.load_embedded_clip(tower, copy)


def test_missing_files_are_named_with_the_remedy(copy, tower, tmp_path):
    provenance_path(copy).unlink()
    for path in (copy, tmp_path / "nothing.safetensors"):
        with pytest.raises(clip.CheckpointError, match="rebuild it with"):
            clip.load_embedded_clip(tower, path)


@pytest.mark.parametrize("layers", ["three", [1, 1], None])
def test_sizes_that_make_no_model_are_refused(copy, tower, layers):
    path = provenance_path(copy)
    record = json.loads(path.read_text())
    record["config"]["vision_layers"] = layers
    path.write_text(json.dumps(record))
    with pytest.raises(clip.CheckpointError, match="rebuild it with"):
        clip.load_embedded_clip(tower, copy)


def test_loading_leaves_the_global_generator_alone(tower):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    clip.load_embedded_clip(tower)
    assert torch.equal(torch.rand(3), expected)


def test_tokenizer_needs_no_network_and_every_class_name_has_trained_tokens(model, monkeypatch):
    def refuse(*_):
        raise AssertionError("network used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    clip.tokenizer.cache_clear()
    names = [c.name for c in FINETUNE_CLASSES + PRETRAIN_CLASSES]
    tokens = clip.tokenizer(model.context_length)(
        [t.format(n) for n in names for t in clip.TEMPLATES]
    )
    used = torch.unique(tokens[tokens != 0])  # 0 is the padding
    assert (model.token_embedding.weight[used].abs().sum(1) > 0).all()
    assert (tokens[:, -1] == 0).all()  # nothing was cut off


def test_save_and_load_give_the_same_model(tower, tmp_path):
    torch.manual_seed(0)
    config = replace(clip.CONFIGS[tower], text_layers=1)
    built = clip.build_clip(config).eval()
    ids = np.unique(
        clip.tokenizer(config.context_length)([t.format("star") for t in clip.TEMPLATES]).numpy()
    )
    clip.save_clip(built, config, ids, tmp_path / "m.safetensors", {"command": "none"})
    loaded = clip.load_embedded_clip(path=tmp_path / "m.safetensors")
    images = render(FINETUNE_CLASSES, LABELS[:8], "real", 0)
    assert np.array_equal(clip.encode_images(built, images), clip.encode_images(loaded, images))
    assert np.array_equal(
        clip.class_embeddings(built, ["star"]), clip.class_embeddings(loaded, ["star"])
    )


def test_encoding_does_not_depend_on_the_batch_and_keeps_the_mode(model):
    images = render(FINETUNE_CLASSES, LABELS[:20], "real", 0)
    model.train()
    whole, parts = clip.encode_images(model, images), clip.encode_images(model, images, batch=7)
    assert model.training
    model.eval()
    assert whole.shape == (20, 64) and whole.dtype == np.float32
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(clip.encode_images(model, images, normalise=True), axis=1), 1, atol=1e-5
    )


def test_preprocess_scales_and_refuses_scaled_pictures():
    out = clip.preprocess(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1))
    assert out.flatten().tolist() == [-2.0, 2.0]
    with pytest.raises(TypeError, match="uint8"):
        clip.preprocess(torch.zeros(1, 3, 32, 32))


@pytest.mark.slow
def test_rebuilding_agrees_in_quality(tower, tmp_path):
    """A small rebuild must learn what the shipped model learned: unseen combinations, far above
    chance.

    5 times chance is over 12 standard errors above chance with 600 pictures.
    """
    recipe = pretrain.Recipe(images=8_000, epochs=4, real_share=1.0, seed=1)
    record = pretrain.rebuild(tmp_path / "m.safetensors", recipe, tower, say=lambda _: None)
    model = clip.load_embedded_clip(tower, tmp_path / "m.safetensors")
    images = render(FINETUNE_CLASSES, LABELS, "real", seed=77)
    accuracy = clip.zero_shot_accuracy(model, images, LABELS, [c.name for c in FINETUNE_CLASSES])
    assert accuracy > 5 * CHANCE
    assert abs(accuracy - record["zero_shot"]["accuracy"]["real"]) < 0.1
