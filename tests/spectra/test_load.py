"""Models by name and weights by file: what is found, and that nothing in a file is run or left out
unsaid.
"""

from __future__ import annotations

import json
import pickle
import socket

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ddiv.spectra import checkpoint
from ddiv.spectra.checkpoint import LoadError
from ddiv.spectra.load import UnknownModel, load
from ddiv.spectra.matrices import weight_matrices


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 10), nn.ReLU(), nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))


def same(loaded, model) -> bool:
    of_model = weight_matrices(model)
    return [(m.name, m.kind) for m in loaded.matrices] == [
        (m.name, m.kind) for m in of_model
    ] and all(torch.equal(a.tensor, b.tensor) for a, b in zip(loaded.matrices, of_model))


# --- files ----------------------------------------------------------------------------------------


def test_safetensors(model, tmp_path):
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    for spec in (tmp_path / "model.safetensors", tmp_path):  # the file, or the folder that has it
        loaded = load(str(spec))
        assert same(loaded, model) and loaded.model is None and loaded.source == f"file {spec}"
        assert dict(loaded.skipped)["3.running_mean"].startswith("a buffer")
        assert {m.parameter for m in loaded.matrices} | {n for n, _ in loaded.skipped} == set(
            model.state_dict()
        )
    assert loaded.meta["parameters"] == sum(t.numel() for t in model.state_dict().values())


def test_shards(model, tmp_path):
    state = model.state_dict()
    parts = {
        "a.safetensors": ["0.weight", "0.bias"],
        "b.safetensors": [n for n in state if not n.startswith("0")],
    }
    for file, names in parts.items():
        save_file({n: state[n] for n in names}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"weight_map": {n: f for f, names in parts.items() for n in names}})
    )
    assert same(load(str(index)), model) and same(load(str(tmp_path)), model)
    (tmp_path / "b.safetensors").rename(tmp_path / "c.safetensors")
    with pytest.raises(LoadError, match=r"1 shard\(s\) that are not there: b.safetensors"):
        load(str(index))
    for content, why in [
        ("{}", "no readable weight_map"),
        ("[1", "no readable weight_map"),
        ('{"weight_map": 3}', "no readable weight_map"),
        ('{"weight_map": {"x": "../a.safetensors"}}', "no file beside it"),
    ]:
        index.write_text(content)
        with pytest.raises(LoadError, match=why):
            load(str(index))
    save_file(state, tmp_path / "c.safetensors")
    index.write_text('{"weight_map": {"x": "a.safetensors", "y": "c.safetensors"}}')
    with pytest.raises(LoadError, match=r"two of its shards hold '0.bias'"):
        load(str(index))


@pytest.mark.parametrize(
    "wrap, beside",
    [
        (lambda s: s, []),
        (
            lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"lr": torch.ones(2)}},
            ["epoch", "optimizer"],
        ),
        (lambda s: {"model": {"state_dict": s}, "ema": s}, ["ema"]),
        (lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}}, []),
        (lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()}, []),
        (lambda s: {**s, "version": 2}, ["version"]),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_torch_checkpoints(model, tmp_path, wrap, beside, legacy):
    path = tmp_path / "model.pt"
    torch.save(wrap(model.state_dict()), path, _use_new_zipfile_serialization=not legacy)
    loaded = load(str(path))
    assert same(loaded, model)
    reasons = dict(loaded.skipped)
    assert all(name in reasons for name in beside)
    assert set(reasons) == set(beside) | (
        set(model.state_dict()) - {m.parameter for m in loaded.matrices}
    )


def test_tied_weights_are_measured_once(tmp_path):
    weight = torch.randn(8, 6)
    state = {"embed_tokens.weight": weight, "lm_head.weight": weight, "part.weight": weight[:6]}
    torch.save(state, tmp_path / "model.bin")
    loaded = load(str(tmp_path))
    assert [m.name for m in loaded.matrices] == ["embed_tokens", "part"]
    assert dict(loaded.skipped) == {"lm_head.weight": "the same tensor as embed_tokens.weight"}


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_wants_more_than_tensors_is_refused_and_not_run(tmp_path, legacy):
    path, trace = tmp_path / "model.pt", tmp_path / "run"
    content = {"state_dict": {"a": torch.ones(2, 2)}, "hook": Evil(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(LoadError, match="It was not unpickled"):
        load(str(path))
    path.write_bytes(pickle.dumps(Evil(trace), protocol=2))
    with pytest.raises(LoadError, match=str(path)):
        load(str(path))
    torch.save(nn.Linear(2, 2), path)  # a whole module
    with pytest.raises(LoadError, match="It was not unpickled"):
        load(str(path))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["x.safetensors", "x.pt", "x.bin", "x.ckpt"])
@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "is empty"),
        (b"no weights at all", "damaged"),
        (b"PK\x03\x04 broken zip", "damaged"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid x", "git lfs pull"),
    ],
)
def test_damaged_files(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LoadError, match=why) as caught:
        load(str(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_files(model, tmp_path):
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    torch.save(model.state_dict(), tmp_path / "a.pt")
    for path in list(tmp_path.iterdir()):
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(LoadError, match="damaged"):
            load(str(path))


def test_files_and_folders_without_weights(model, tmp_path):
    for content in ({}, {"epoch": 3}, {"optimizer": {"lr": 1.0}}):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(LoadError, match="holds no tensors"):
            load(str(tmp_path / "a.pt"))
    torch.save([torch.ones(2, 2)], tmp_path / "a.pt")
    with pytest.raises(LoadError, match="holds a list, not a state dict"):
        load(str(tmp_path / "a.pt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LoadError, match="a folder without a checkpoint"):
        load(str(tmp_path / "empty"))
    for name in ("a", "b"):
        save_file(model.state_dict(), tmp_path / "empty" / f"{name}.safetensors")
    with pytest.raises(
        LoadError, match=r"several checkpoints; name one: a.safetensors, b.safetensors"
    ):
        load(str(tmp_path / "empty"))
    with pytest.raises(LoadError, match="there is no file"):
        load(str(tmp_path / "none.safetensors"))
    with pytest.raises(UnknownModel, match="--random needs a model's name"):
        load(str(tmp_path / "empty" / "a.safetensors"), random=True)


def test_safetensors_stay_on_the_disk_until_they_are_used(tmp_path):
    def private_bytes():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

    try:
        private_bytes()
    except (OSError, StopIteration):
        pytest.skip("no /proc to read memory from")
    size = 256 * 2**20
    save_file({"a.weight": torch.zeros(size // 4 // 4096, 4096)}, tmp_path / "big.safetensors")
    before = private_bytes()
    weights, _ = checkpoint.read(tmp_path / "big.safetensors")
    assert weights["a.weight"].nbytes == size and private_bytes() - before < size // 8


# --- names ----------------------------------------------------------------------------------------


def test_random_weights_come_from_the_seed_alone():
    from torchvision.models import resnet18

    torch.manual_seed(5)
    before = torch.get_rng_state()
    loaded = load("torchvision:resnet18", random=True, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert same(loaded, resnet18()) and same(loaded, loaded.model)
    assert loaded.name == "resnet18" and "random weights, seed 3" in loaded.source
    assert loaded.meta["parameters"] == 11_689_512
    assert not same(loaded, load("resnet18", library="torchvision", random=True, seed=4).model)


@pytest.mark.parametrize(
    "spec, matrices",
    [
        ("timm:vit_tiny_patch16_224", 75),
        ("vit_tiny_patch16_224", 75),
        ("open_clip:RN50", 114 + 12 * 6 + 2),
    ],
)
def test_architectures_of_the_libraries(spec, matrices, capfd):
    loaded = load(spec, random=True)
    assert len(loaded.matrices) == matrices and loaded.model is not None
    # open_clip warns about random weights, through the root logger
    assert capfd.readouterr().err == ""


def test_a_model_type_of_transformers_needs_no_download():
    pytest.importorskip("transformers")
    loaded = load("hf:distilbert", random=True)
    assert {m.kind for m in loaded.matrices} == {"embedding", "q", "k", "v", "out", "mlp"}
    assert len(loaded.matrices) == 1 + 6 * 6


@pytest.mark.parametrize(
    "spec, options, why",
    [
        ("resnet18", {}, "several libraries: write timm:resnet18 or torchvision:resnet18"),
        (
            "vit_tiny_patch16_225",
            {},
            "no model is called 'vit_tiny_patch16_225'; close: .*vit_tiny_patch16_224",
        ),
        ("timm:resnet1888", {}, "timm has no model 'resnet1888'; close: resnet18"),
        (
            "resnet18",
            {"library": "keras"},
            "unknown library 'keras': one of open_clip, timm, torchvision, hf",
        ),
        ("ViT-B-32/laion9", {}, "no weights 'laion9' for 'ViT-B-32'; it has: ViT-B-32/openai"),
        ("ViT-H-14", {}, "several weights for 'ViT-H-14'; write one of: ViT-H-14/"),
        ("ViT-B-16-plus", {}, "has: none: its architecture alone is had with --random"),
    ],
)
def test_names_that_are_not_one_model(spec, options, why):
    with pytest.raises(UnknownModel, match=why):
        load(spec, **options)


def test_without_a_network_the_error_comes_at_once_and_says_what_to_do(monkeypatch):
    pytest.importorskip("transformers")
    from huggingface_hub import constants

    def unreachable(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)  # the hub's client waits between its retries
    for spec in (
        "timm:hf-hub:ddiv-tests/there-is-no-such-model",
        "hf:ddiv-tests/there-is-no-such-model",
    ):
        with pytest.raises(LoadError, match=r"cannot be had.*local file.*--random") as caught:
            load(spec)
        assert spec in str(caught.value) and "\n" not in str(caught.value)
    assert not waited and constants.HF_HUB_OFFLINE is False
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LoadError, match="HF_HUB_OFFLINE is set"):
        load("timm:hf-hub:ddiv-tests/there-is-no-such-model")
