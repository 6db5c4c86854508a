"""Models of the libraries: none is measured with random weights in place of missing ones."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from ddiv.diversity import encoders
from ddiv.models.bert_files import wordpiece_tokenizer
from ddiv.spectra.checkpoint import LoadError
from ddiv.spectra.load import load

transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 32, "vocab_size": 30}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(**SMALL)).save_pretrained(tmp_path)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklm"]
    wordpiece_tokenizer(pieces).save_pretrained(tmp_path)
    return tmp_path


def test_a_folder_with_all_weights_is_measured(folder):
    loaded = load(f"hf:{folder}")
    state = load_file(folder / "model.safetensors")
    assert len(loaded.matrices) == 9
    assert all(torch.equal(m.tensor, state[m.parameter]) for m in loaded.matrices)
    save_file({**state, "head.weight": torch.randn(9, 8)}, folder / "model.safetensors",
              {"format": "pt"})  # fmt: skip
    assert "no part of the model" in dict(load(f"hf:{folder}").skipped)["head.weight"]


@pytest.mark.parametrize("build", [
    lambda: transformers.BertForMaskedLM(transformers.BertConfig(**SMALL)),
    lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(
        n_layer=1, n_embd=16, n_head=2, vocab_size=30, n_positions=8)),
])  # fmt: skip
def test_tied_weights_are_not_missing(tmp_path, build):
    build().save_pretrained(tmp_path)
    assert load(f"hf:{tmp_path}").matrices


@pytest.mark.parametrize("kept", ["none", "embeddings", "all but one"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_without_some_weights_is_refused(folder, kept, file):
    state = load_file(folder / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    left = {
        "none": {"other.weight": torch.randn(9, 8)},
        "embeddings": {n: t for n, t in state.items() if n.startswith("embeddings")},
        "all but one": {n: t for n, t in state.items() if n != name},
    }[kept]
    (folder / "model.safetensors").unlink()
    if file.endswith("bin"):
        torch.save(left, folder / file)
    else:
        save_file(left, folder / file, {"format": "pt"})
    missing = {"none": "embeddings", "embeddings": "encoder.layer.0", "all but one": name}[kept]
    with pytest.raises(LoadError, match=rf"has no weights for \d+ of the 23 .*{missing}"):
        load(f"hf:{folder}")
    assert load(str(folder)).matrices  # the file itself, without what is missing
    with pytest.raises(ValueError, match=f"has no weights for {missing}"):
        encoders.texts(str(folder))
    assert load(f"hf:{folder}", random=True).matrices


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "deep.safetensors"])
def test_a_pipe_in_a_folder_is_not_waited_for(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(LoadError, match=f"{name} is no regular file: take it out"):
        load(f"hf:{folder}")


def test_an_index_that_leads_out_of_its_folder(folder):
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    names = {"pooler.dense.weight": "../outside.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(LoadError, match="no file beside it"):
        load(f"hf:{folder}")
