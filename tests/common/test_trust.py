"""A payload in a file never runs, whichever part of ddiv reads the file."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys

import numpy as np
import open_clip
import pytest
import torch
from torch import nn

from ddiv.common.digests import file_digest, folder_digest
from ddiv.common.errors import NoModel
from ddiv.common.trust import running_nothing
from ddiv.data.arrays import load_arrays
from ddiv.data.root import BadData
from ddiv.diversity import encoders
from ddiv.models import bert_files, open_clip_models
from ddiv.spectra.checkpoint import LoadError
from ddiv.spectra.load import load
from ddiv.study import Arrays
from tests.spectra.test_checkpoint import Payload, disguises

SMALL = {
    "embed_dim": 16,
    "quick_gelu": True,  # as OpenAI's archives have it
    "text_cfg": {"context_length": 9, "vocab_size": 49408, "width": 16, "layers": 1, "heads": 1},
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "patch_size": 8, "head_width": 16},
}

CODE = """
from pathlib import Path
from transformers import BertConfig, BertModel, BertTokenizer
Path({trace!r}).touch()
class Config(BertConfig): model_type = {kind!r}
class Model(BertModel): config_class = Config
class Tokenizer(BertTokenizer): pass
"""


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "made"


@pytest.fixture(autouse=True)
def somebody_who_says_yes(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")


@pytest.fixture
def hub_folder(tmp_path, trace):
    """A function that makes a folder as transformers saves one, with code of its own."""

    def made(kind: str, architecture: str = "BertModel"):
        folder = tmp_path / f"hub-{kind}"
        folder.mkdir()
        auto = {name: f"code.{part}" for name, part in
                {"AutoConfig": "Config", "AutoModel": "Model"}.items()}  # fmt: skip
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "intermediate_size": 32, "vocab_size": 30}  # fmt: skip
        config = {"model_type": kind, "architectures": [architecture], "auto_map": auto, **sizes}
        tokenizer = {"tokenizer_class": "Tokenizer",
                     "auto_map": {"AutoTokenizer": ["code.Tokenizer", None]}}  # fmt: skip
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
        (folder / "code.py").write_text(CODE.format(trace=str(trace), kind=kind))
        return folder

    return made


@pytest.fixture
def small_clip(tmp_path):
    """The name of a small model in open_clip's register."""
    path = tmp_path / "trust-tiny.json"
    path.write_text(json.dumps(SMALL))
    open_clip.add_model_config(path)
    yield path.stem
    open_clip.factory._MODEL_CONFIG_PATHS.remove(path)
    del open_clip.factory._MODEL_CONFIGS[path.stem]


def test_a_local_clip(small_clip, tmp_path, trace, monkeypatch):
    for name, path in disguises(tmp_path, Payload(trace)).items():
        monkeypatch.setenv(open_clip_models.PLACE_VARIABLE, str(path))
        for reader in (
            lambda path=path: open_clip_models.load_open_clip(small_clip, file_digest(path)),
            lambda path=path: encoders.clip(small_clip, str(path)),
        ):
            with pytest.raises((NoModel, ValueError)):
                reader()
            assert not trace.exists(), name


@pytest.mark.parametrize("kind", ["bert", "unheard-of"])
@pytest.mark.parametrize("architecture", ["BertModel", "AutoModel", "Model", "pipeline"])
def test_code_in_a_folder_of_the_hub(hub_folder, trace, kind, architecture, monkeypatch):
    folder = hub_folder(kind, architecture)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(trace), 2))
    monkeypatch.setenv(bert_files.FOLDER_VARIABLE, str(folder))
    digest = folder_digest(folder)
    for reader, refused in [
        (lambda: load(f"hf:{folder}"), LoadError),
        (lambda: bert_files.load_model(digest), NoModel),
        (lambda: bert_files.load_tokenizer(digest), NoModel),
        (lambda: encoders.texts(str(folder)), ValueError),
    ]:
        with pytest.raises(refused):
            reader()
        assert not trace.exists()


def test_a_library_that_trusts_files_is_held_back(tmp_path, trace, monkeypatch):
    # torchvision reads its weights through torch.hub, which unpickles everything.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints"
    place.mkdir(parents=True)
    torch.save({"x": Payload(trace)}, place / "resnet18-f37072fd.pth")
    with pytest.raises(LoadError, match="torchvision:resnet18 cannot be had"):
        load("torchvision:resnet18")
    assert not trace.exists()


def test_an_open_clip_folder_of_the_hub_without_weights(tmp_path, monkeypatch):
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": SMALL}))
    monkeypatch.setattr(
        open_clip.factory, "download_pretrained_from_hf",
        lambda _, filename="", **__: str((tmp_path / (filename or "none")).resolve(strict=True)),
    )  # fmt: skip
    assert load("open_clip:hf-hub:any/one", random=True).matrices
    with pytest.raises(LoadError, match="cannot be had"):
        load("open_clip:hf-hub:any/one")


def test_arrays_of_objects(tmp_path, trace, monkeypatch):
    objects = np.array([Payload(trace)], dtype=object)
    np.savez(tmp_path / "a.npz", x_train=objects, y_train=objects, x_test=objects, y_test=objects)
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    spec = Arrays(file_digest(tmp_path / "a.npz"))
    with pytest.raises(BadData):
        load_arrays(spec)
    assert not trace.exists()


def test_the_guard_puts_everything_back(tmp_path, trace, monkeypatch, capsys):
    torch.save({"x": Payload(trace)}, tmp_path / "a.pt")
    before, typed = dict(os.environ), sys.stdin
    with pytest.raises(pickle.UnpicklingError), running_nothing():
        torch.load(tmp_path / "a.pt", weights_only=False)
    with pytest.raises(EOFError), running_nothing():
        input("Do you wish to run the custom code?")
    assert dict(os.environ) == before and sys.stdin is typed and capsys.readouterr().out == ""
    assert not trace.exists()
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "b.pt")
    with running_nothing():
        assert torch.load(tmp_path / "b.pt", weights_only=False).keys() == {"weight", "bias"}
