"""Hostile, damaged and unusual files: each gives its weights, or one line that says why not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ddiv.spectra import checkpoint, torchscript
from ddiv.spectra.checkpoint import LoadError
from ddiv.spectra.load import load
from ddiv.spectra.matrices import skipped, weight_matrices


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def disguises(folder: Path, payload: object) -> dict[str, Path]:
    """Files that hold a payload, each dressed up as another kind of checkpoint."""
    plain, legacy = folder / "plain.pt", folder / "legacy.pt"
    torch.save({"a.weight": torch.ones(3, 3), "x": payload}, plain)
    torch.save({"x": payload}, legacy, _use_new_zipfile_serialization=False)
    raw, of_plain = pickle.dumps(payload, 2), members(plain)
    root = next(iter(of_plain)).partition("/")[0]
    files = {"plain": plain, "legacy": legacy}
    for name, more in {
        "constants-elsewhere": "x/y/constants.pkl",
        "constants-below": f"{root}/sub/constants.pkl",
        "torchscript": f"{root}/constants.pkl",
        "second-data": "other/data.pkl",
    }.items():
        files[name] = zipped(folder / f"{name}.pt", {**of_plain, more: b"\x80\x02)."})
    files["nested"] = zipped(
        folder / "nested.pt", {f"a/b/{name}": content for name, content in of_plain.items()}
    )
    files["script"] = zipped(
        folder / "script.pt",
        {"m/data.pkl": raw, "m/constants.pkl": b"\x80\x02).", "m/version": b"3"},
    )
    for name in ("pickle.pt", "pickle.bin", "pickle.safetensors"):
        files[name] = folder / name
        files[name].write_bytes(raw)
    files["zip.safetensors"] = zipped(folder / "zip.safetensors", of_plain)
    files["tar"] = folder / "tar.pt"
    with tarfile.open(files["tar"], "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            archive.addfile(entry, io.BytesIO(raw))
    return files


def test_no_disguise_makes_a_payload_run(tmp_path):
    for name, path in disguises(tmp_path, Payload(tmp_path / "made")).items():
        with pytest.raises(LoadError) as caught:
            load(str(path))
        assert "\n" not in str(caught.value) and str(path) in str(caught.value), name
        assert not (tmp_path / "made").exists(), name


# --- TorchScript ----------------------------------------------------------------------------------


class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleList([nn.Linear(6, 5), nn.Linear(6, 5)])
        self.body[1].weight = self.body[0].weight
        self.conv = nn.Conv2d(3, 4, 2).half()
        self.sizes, self.norm = [1, 2], nn.BatchNorm2d(3)
        self.register_buffer("counter", torch.arange(3))

    def forward(self, x):
        return self.body[0](x)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_torchscript_archive_gives_the_weights_of_its_module(tmp_path):
    torch.manual_seed(0)
    module, path = Scripted(), tmp_path / "m.pt"
    torch.jit.script(module).save(path)
    weights, beside = checkpoint.read(path)
    state = module.state_dict()
    assert weights.keys() == state.keys() and not beside and torchscript.is_archive(path)
    assert all(torch.equal(weights[name], state[name]) for name in state)
    seen = [[(m.name, m.kind) for m in weight_matrices(source)] for source in (state, weights)]
    assert sorted(seen[0]) == sorted(seen[1])


class Writing(nn.Module):
    """TorchScript that writes a file when torch.jit.load reads it."""

    def __init__(self, path: str):
        super().__init__()
        self.path, self.weight = path, nn.Parameter(torch.randn(9, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[str, torch.Tensor, bool]:
        return self.path, self.weight, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, torch.Tensor, bool]) -> None:
        self.path, self.weight, self.training = state
        torch.save(self.weight, self.path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_code_in_a_torchscript_archive_is_not_run(tmp_path):
    path, trace = tmp_path / "m.pt", tmp_path / "written"
    torch.jit.script(Writing(str(trace))).save(path)
    with contextlib.suppress(LoadError):  # whether its weights are found or not
        load(str(path))
    assert not trace.exists()
    torch.jit.load(path)
    assert trace.exists()  # it would have run


def scripted(path: Path, more: bytes) -> Path:
    """An archive whose module has what `more` pickles, by name; its one storage has 16 bytes."""
    content = b"\x80\x02c__torch__\nM\n)\x81q\x00}(" + more + b"ub."
    data = struct.pack("4f", *range(4))
    return zipped(path, {"m/data.pkl": content, "m/constants.pkl": b"\x80\x02).", "m/data/0": data})


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def view(size: tuple[int, ...], stride: tuple[int, ...], kind: str = "FloatStorage") -> bytes:
    def numbers(values):
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", v) for v in values) + b"t"

    storage = f"(ctorch\n{kind}\n".encode().replace(b"(", b"(" + text("storage"), 1)
    storage += text("0") + text("cpu") + b"K\x04tQ"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + numbers(size)
        + numbers(stride) + b"\x89NtR"
    )  # fmt: skip


@pytest.mark.parametrize(
    "more, why",
    [
        (text("w") + view((2, 2), (2, 1)), None),
        (text("w") + view((10**6, 10**6), (10**6, 1)), "out of bounds"),
        (text("w") + view((2, 2), (-1, 1)), "egative strides"),
        (text("w") + view((2, 2), (2, 1), "QInt8Storage"), "other than tensors"),
        (text("a") + b"h\x00" + text("b") + b"h\x00", "no end"),
        (text("w") + b"cos\nsystem\n", "other than tensors"),
    ],
    ids=["whole", "terabytes", "backwards", "quantised", "in itself", "system"],
)
def test_archives_made_by_hand(tmp_path, more, why):
    path = scripted(tmp_path / "m.pt", more)
    if why is None:
        assert torch.equal(checkpoint.read(path)[0]["w"], torch.arange(4.0).view(2, 2))
        return
    with pytest.raises(LoadError, match=why):
        checkpoint.read(path)


# --- tensors without numbers of their own ---------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*(nested|Sparse).*:UserWarning")
@pytest.mark.parametrize(
    "made, why",
    [
        (lambda: torch.zeros(1).expand(10**6, 10**6), "expanded view"),
        (lambda: torch.randn(9, 8).to_sparse(), "sparse"),
        (lambda: torch.randn(9, 8).to_sparse_csr(), "sparse"),
        (lambda: torch.empty(10**6, 10**6, device="meta"), "meta"),
        (lambda: torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)]), "nested"),
        (lambda: torch.ones(9, 8, dtype=torch.int8), "int8"),
        (lambda: torch.ones(9, 8).to(torch.float8_e5m2), "quantised"),
        (lambda: torch.ones(9, 8, dtype=torch.complex64), "complex64"),
        (lambda: torch.ones(0, 8), "empty"),
        (lambda: torch.tensor(1.0), "scalar"),
    ],
)
def test_a_tensor_without_a_spectrum_leaves_the_others_alone(tmp_path, made, why):
    torch.save({"odd.weight": made(), "a.weight": torch.randn(9, 8)}, tmp_path / "m.pt")
    loaded = load(str(tmp_path / "m.pt"))
    assert [m.name for m in loaded.matrices] == ["a"]
    assert why in dict(loaded.skipped)["odd.weight"]


def test_a_model_with_sparse_and_expanded_parameters():
    model = nn.Linear(8, 9)
    model.sparse = nn.Parameter(torch.randn(9, 8).to_sparse())
    model.wide = nn.Parameter(torch.zeros(1).expand(10**6, 10**6), requires_grad=False)
    assert [m.name for m in weight_matrices(model)] == ["weight"]
    assert {"sparse", "wide"} < set(dict(skipped(model)))


# --- what is no file ------------------------------------------------------------------------------


def test_pipes_links_and_names_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "model.safetensors")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop.pt").symlink_to("loop.pt")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__0_0.distcp").write_bytes(b"x")
    for name, why in {
        "pipe.pt": "no regular file",
        "folder": "no regular file",
        "link": "a link to nowhere, which is not there",
        "loop.pt": "a link to loop.pt",
        "parts": "dcp_to_torch",
    }.items():
        with pytest.raises(LoadError, match=why):
            load(str(tmp_path / name))
    with pytest.raises(LoadError, match="no regular file"):
        load("/dev/zero")
    with pytest.raises(LoadError, match="there is no file"):
        load("a\0b.pt")


def test_a_compressed_archive_is_not_mapped(tmp_path):
    torch.save({"a.weight": torch.zeros(99, 98)}, tmp_path / "a.pt")
    path = zipped(tmp_path / "b.pt", members(tmp_path / "a.pt"), zipfile.ZIP_DEFLATED)
    with pytest.raises(LoadError, match="its members are compressed"):
        load(str(path))


def test_files_beside_the_weights_do_not_hide_them(tmp_path):
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth"):
        (tmp_path / name).write_bytes(b"not looked at")
    torch.save({"a.weight": torch.randn(9, 8)}, tmp_path / "pytorch_model.bin")
    assert [m.name for m in load(str(tmp_path)).matrices] == ["a"]


@pytest.mark.parametrize("names", [{"x": ".."}, {"x": ""}, {"x": "/etc/passwd"}, {"x": 3}])
def test_an_index_names_only_files_beside_it(tmp_path, names):
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(LoadError, match="no file beside it"):
        load(str(tmp_path))


def test_an_index_without_end_and_shards_without_all_they_promise(tmp_path):
    index = tmp_path / "m.safetensors.index.json"
    index.write_text("[" * 100_000)
    with pytest.raises(LoadError, match="no readable weight_map"):
        load(str(tmp_path))
    save_file({"a.weight": torch.randn(9, 8)}, tmp_path / "a.safetensors")
    index.write_text('{"weight_map": {"a.weight": "a.safetensors", "b.weight": "a.safetensors"}}')
    with pytest.raises(LoadError, match=r"promises 1 tensor\(s\) .* do not hold: b.weight"):
        load(str(tmp_path))
