"""Weights: torch checkpoints of all kinds, safetensors, Hugging Face's folders."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from functools import cache, partial
from typing import Any

import torch
from safetensors.torch import save as save_safetensors
from torch import nn

from tests.fuzz import mutate
from tests.fuzz.inputs import CODE, Fifo, Files, Link, Payload

WRAPPERS = ("state_dict", "model", "params_ema", "teacher", "g_ema", "ema", "x", "optimizer", "net")
SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 6))


@cache
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(network().state_dict())


def saved(value: Any, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


@cache
def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network()), buffer)
    return buffer.getvalue()


def tensor(rng: random.Random) -> Any:
    """A tensor of a strange kind."""
    w = torch.randn(6, 4)
    return rng.choice(
        (
            lambda: w, lambda: w.t(), lambda: w.to_sparse(), lambda: w.to_sparse_csr(),
            lambda: w.half(),
            lambda: w.to(torch.bfloat16), lambda: w.to(torch.complex64), lambda: w > 0,
            lambda: w.to(torch.float8_e4m3fn), lambda: w.long(), lambda: torch.empty(0, 5),
            lambda: torch.tensor(1.5),
            lambda: torch.full((5, 4), float("nan")), lambda: torch.full((5, 4), float("inf")),
            lambda: torch.zeros(5, 4),
            lambda: torch.zeros(1).expand(10**6, 10**6),
            lambda: torch.ones(1, 1).expand(3000, 3000),
            lambda: torch.randn(2, 2, 2, 2, 2, 2),
            lambda: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8),
            lambda: nn.Parameter(w), lambda: torch.empty(3, 3, device="meta"),
            lambda: torch.ones(1, 100_000),
            lambda: 1e30 * w, lambda: 1e-38 * w.float(),
            lambda: torch.nested.nested_tensor([w, w[:2]]),
            lambda: torch.eye(6), lambda: torch.randn(6, 4).as_strided((6, 4), (0, 1)),
        )
    )()  # fmt: skip


def content(rng: random.Random, depth: int = 0) -> Any:
    """What a training script may have saved, or nobody ever would."""
    kind = rng.randrange(14)
    if kind < 6 and depth < 4:
        inner = {rng.choice((*WRAPPERS, "module._orig_mod.a", "layer.weight", 3, ("a", 1),
        "")): content(rng, depth + 1)
                 for _ in range(rng.randrange(1, 4))}  # fmt: skip
        return rng.choice((dict, OrderedDict))(inner)
    if kind < 9:
        prefix = rng.choice(
            ("", "module.", "_orig_mod.module.", "_orig_mod.", "module.module.", ".")
        )
        made = {prefix + name: value for name, value in state().items()}
        for _ in range(rng.randrange(3)):
            made[rng.choice(("best_acc1", "rng_state", "attn.bias", "epoch", "x.weight", "tril",
            7))] = rng.choice(
                (partial(tensor, rng), lambda: 3, lambda: "text", lambda: None, lambda: [1, 2],
                lambda: {"a": 1})
            )()  # fmt: skip
        return made
    if kind == 9:
        endless: dict[str, Any] = {"step": 1}
        endless[rng.choice(WRAPPERS)] = endless
        return endless
    if kind == 10:
        return [content(rng, 3)] * rng.randrange(3)
    return tensor(rng) if kind < 13 else rng.choice((None, 3, "text", b"x", 1.5, True, (1, 2)))


def evil(rng: random.Random) -> bytes:
    """A checkpoint with a payload in its pickle."""
    value = rng.choice(
        (
            Payload(rng.randrange(4)),
            {**state(), "x": Payload(rng.randrange(4))},
            {"state_dict": state(), "args": Payload(2)},
        )
    )
    if rng.random() < 0.3:
        return pickle.dumps(value, protocol=rng.choice((0, 2, 4)))
    made = saved(value, legacy=rng.random() < 0.4)
    return _dressed(rng, made) if rng.random() < 0.7 else made


# What tells a TorchScript archive from others, in its place and elsewhere. torch reads no archive
# with a member outside of its one folder.
SCRIPTED = ("archive/constants.pkl", "archive/x/constants.pkl", "archive/code/__torch__.py")


def _dressed(rng: random.Random, made: bytes) -> bytes:
    """A checkpoint that looks like a TorchScript archive: more members, or an archive after it."""
    buffer = io.BytesIO(made)
    with zipfile.ZipFile(buffer, "a") as file:
        for name in rng.sample((*SCRIPTED, "a/constants.pkl"), rng.choice((1, 1, 2))):
            file.writestr(name, b"\x80\x02).")
    return buffer.getvalue()


def _member(rng: random.Random, name: str, text: bytes) -> bytes:
    if name.endswith(".pkl") and rng.random() < 0.3:
        return pickle.dumps(Payload(rng.randrange(4)), protocol=2)
    return mutate.octets(rng, text)


def checkpoint(rng: random.Random) -> bytes:
    """A torch checkpoint, valid or mutated."""
    kind = rng.randrange(10)
    if kind < 2:
        return evil(rng)
    if kind < 6:
        try:
            made = saved(content(rng), legacy=rng.random() < 0.3)
        except Exception:
            made = saved(state())
        return made if rng.random() < 0.7 else mutate.octets(rng, made)
    base = rng.choice((script, lambda: saved(state()), lambda: saved(state(), True)))()
    return mutate.archive(rng, base, _member)


def safetensors(rng: random.Random) -> bytes:
    """A safetensors file, mutated mostly in its header."""
    base = save_safetensors({name: value.contiguous() for name, value in state().items()})
    if rng.random() < 0.3:
        return mutate.octets(rng, base)
    (length,) = struct.unpack("<Q", base[:8])
    header, data = json.loads(base[8 : 8 + length]), base[8 + length :]
    if rng.random() < 0.3:
        one = rng.choice(sorted(header))
        header[one]["dtype"] = rng.choice(
            ("F64", "BF16", "F8_E4M3", "I8", "BOOL", "C64", "U64", "F4", "X")
        )
    if rng.random() < 0.2:
        header[rng.choice(("attn.bias", "pe", "tril", "freqs_cos"))] = {
            "dtype": "F32",
            "shape": [6, 4],
            "data_offsets": [0, 96],
        }
    text = (
        json.dumps(header).encode()
        if rng.random() < 0.3
        else mutate.jsons(rng, json.dumps(header).encode())
    )
    size = len(text) if rng.random() < 0.8 else rng.choice(mutate.INTEGERS)
    return struct.pack("<Q", size) + text + data


def file(rng: random.Random) -> Files:
    """One file with weights."""
    if rng.random() < 0.02:
        return {
            "m.pt": rng.choice(
                (Fifo(), Link("m.pt"), Link("nothing"), Link("/dev/zero"), Link("/"))
            )
        }
    if rng.random() < 0.35:
        return {"m.safetensors": safetensors(rng)}
    name = "m" + rng.choice((*SUFFIXES, *SUFFIXES, ".safetensors", "", ".index.json"))
    return {name: checkpoint(rng)}


@cache
def bert() -> dict[str, bytes]:
    """A tiny BERT as save_pretrained writes it."""
    import tempfile
    from pathlib import Path

    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    sizes = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(**sizes, intermediate_size=12, max_position_embeddings=12)
    with tempfile.TemporaryDirectory() as folder:
        BertModel(config).save_pretrained(folder)
        words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "##d")
        BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def folder(rng: random.Random) -> Files:
    """A folder of Hugging Face's with one or two of its files changed."""
    files: Files = dict(bert())
    weights = files["model.safetensors"]
    kind = rng.randrange(6)
    if kind == 0:  # in shards
        names = list(_safetensors_names(weights))
        del files["model.safetensors"]
        loaded = _loaded(weights)
        half = len(names) // 2
        for number, part in enumerate((names[:half], names[half:]), start=1):
            files[f"model-0000{number}-of-00002.safetensors"] = save_safetensors(
                {name: loaded[name] for name in part}
            )
        where = {
            name: f"model-0000{1 + (i >= half)}-of-00002.safetensors"
            for i, name in enumerate(names)
        }
        files["model.safetensors.index.json"] = json.dumps(
            {"metadata": {"total_size": 9}, "weight_map": where}
        ).encode()
    elif kind == 1:
        del files["model.safetensors"]
        files["pytorch_model.bin"] = (
            saved(_loaded(weights)) if rng.random() < 0.5 else checkpoint(rng)
        )
    elif kind == 2:  # code beside the weights
        config = json.loads(files["config.json"])
        config["auto_map"] = dict.fromkeys(
            ("AutoConfig", "AutoModel", "AutoTokenizer"), "evil.Evil"
        )
        config["model_type"] = rng.choice(("bert", "evil", "bert"))
        config["architectures"] = [rng.choice(("Evil", "BertModel", "pipeline", "set_seed"))]
        files["config.json"] = json.dumps(config).encode()
        tokens = json.loads(files["tokenizer_config.json"])
        tokens["auto_map"] = {"AutoTokenizer": ["evil.Evil", None]}
        tokens["tokenizer_class"] = rng.choice(("Evil", "BertTokenizer", "Evil"))
        files["tokenizer_config.json"] = json.dumps(tokens).encode()
        files |= {"evil.py": CODE, "modeling_evil.py": CODE, "__init__.py": CODE}
    elif kind == 3:
        files["model.safetensors"] = safetensors(rng)
    for _ in range(rng.randrange(3)):
        name = rng.choice(sorted(files))
        text = files[name]
        if not isinstance(text, bytes):
            continue
        if rng.random() < 0.1:
            files[name] = rng.choice((Fifo(), Link("nothing"), Link(name), b""))
        elif name.endswith(".json"):
            files[name] = mutate.jsons(rng, text)
        else:
            files[name] = mutate.octets(rng, text)
    return files


def _loaded(weights: bytes) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    return load(weights)


def _safetensors_names(weights: bytes) -> list[str]:
    return sorted(_loaded(weights))


CLIP_CONFIG = {
    "embed_dim": 16,
    "text_cfg": {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1},
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "patch_size": 8, "head_width": 8},
}


@cache
def clip() -> dict[str, torch.Tensor]:
    from open_clip import CLIP

    torch.manual_seed(0)
    return dict(CLIP(**CLIP_CONFIG, quick_gelu=False).state_dict())


def clip_file(rng: random.Random) -> Files:
    """A local checkpoint of a CLIP."""
    kind = rng.randrange(8)
    if kind == 0:
        return {"clip.safetensors": mutate.octets(rng, save_safetensors(clip()))}
    if kind < 3:
        return {"clip.pt": evil(rng)}
    if kind < 5:
        return {"clip.pt": checkpoint(rng)}
    value: Any = dict(clip())
    if rng.random() < 0.5:
        value[rng.choice(sorted(value))] = tensor(rng)
    if rng.random() < 0.5:
        value = {rng.choice(WRAPPERS): value, "epoch": 3}
    try:
        made = saved(value, legacy=rng.random() < 0.2)
    except Exception:
        made = saved(clip())
    files: Files = {"clip.pt": mutate.archive(rng, made, _member) if rng.random() < 0.6 else made}
    if rng.random() < 0.2:
        beside = json.dumps({"model_cfg": {"quick_gelu": False}}).encode()
        files["open_clip_config.json"] = mutate.jsons(rng, beside)
    return files
