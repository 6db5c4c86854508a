"""The readers of outside files: for each what it is given, and by which call ddiv reads it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fuzz import samples_data, samples_text, samples_weights
from tests.fuzz.inputs import Files


class Refused(Exception):
    """A command of ddiv's ended with an error; the message is what it printed."""


@dataclass(frozen=True)
class Reader:
    """`make` draws an input, `read` has ddiv read it from a folder. `clear` are exceptions of
    Python's own that the called function documents as its way to refuse.
    """

    what: str
    make: Callable[[random.Random], Files]
    read: Callable[[Path], object]
    clear: tuple[type[Exception], ...] = ()


def _command(*arguments: str) -> None:
    from ddiv.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = main(list(arguments))
        except SystemExit as error:
            status = error.code
    if "Traceback (most recent call last)" in said.getvalue():
        raise RuntimeError("a traceback was printed: " + said.getvalue()[-2000:])
    if status:
        raise Refused(said.getvalue().strip())


def _one(folder: Path) -> Path:
    return next(path for path in sorted(folder.iterdir()) if not path.name.startswith(("out", ".")))


def _spectra(folder: Path) -> None:
    _command(
        "spectra",
        str(_one(folder)),
        "--json",
        str(folder / "out.json"),
        "--csv",
        str(folder / "out.csv"),
    )


def _spectra_folder(folder: Path) -> None:
    try:
        _command("spectra", str(folder))
    except Refused:
        _command("spectra", f"hf:{folder}")


def _clip(folder: Path) -> None:
    import open_clip

    from ddiv.common.digests import file_digest
    from ddiv.common.errors import NoModel
    from ddiv.models.open_clip_models import load_open_clip

    if "fuzz-clip" not in open_clip.list_models():
        with tempfile.TemporaryDirectory() as configs:
            for name, more in (("fuzz-clip", {}), ("fuzz-clip-quickgelu", {"quick_gelu": True})):
                config = json.dumps(samples_weights.CLIP_CONFIG | more)
                Path(configs, f"{name}.json").write_text(config)
            open_clip.add_model_config(configs)
    path = next(path for path in folder.iterdir() if path.name.startswith("clip."))
    os.environ["DDIV_CLIP"] = str(path)
    try:
        load_open_clip("fuzz-clip", file_digest(path))
    except NoModel:  # the other activation's name is asked for before the file is read
        load_open_clip("fuzz-clip-quickgelu", file_digest(path))


def _bert(folder: Path) -> None:
    from ddiv.common.digests import folder_digest
    from ddiv.models.bert_files import load_model, load_tokenizer

    os.environ["DDIV_BERT"] = str(folder)
    digest = folder_digest(folder)
    load_tokenizer(digest)(["a b", "c"])
    load_model(digest)


def _images(folder: Path) -> None:
    from ddiv.data.folder import load_images, pinned
    from ddiv.study import Images

    os.environ["DDIV_DATA"] = str(folder)
    os.environ["DDIV_CACHE"] = str(folder / "cache")
    load_images(pinned(Images("pics", side=8)))


def _arrays(folder: Path) -> None:
    from ddiv.common.digests import file_digest
    from ddiv.data.arrays import load_arrays
    from ddiv.study import Arrays

    os.environ["DDIV_DATA"] = str(folder)
    os.environ["DDIV_CACHE"] = str(folder / "cache")
    load_arrays(Arrays(file_digest(folder / "a.npz"), side=4))


def _table(folder: Path) -> None:
    from ddiv.data.complaints import load_complaints, pinned
    from ddiv.study import Complaints

    os.environ["DDIV_DATA"] = str(folder)
    load_complaints(pinned(Complaints("", min_per_class=2)))


def _domainnet(folder: Path) -> None:
    from ddiv.data.domainnet import load_domainnet
    from ddiv.study import DomainNet

    os.environ["DDIV_DATA"] = str(folder)
    os.environ["DDIV_CACHE"] = str(folder / "cache")
    load_domainnet(DomainNet(("real", "sketch"), side=8, classes=2, train=8))


def _study(folder: Path) -> None:
    from ddiv.profiles.study_file import of_file

    os.environ["DDIV_DATA"] = str(folder)
    of_file(folder / "study.toml")


def _ledger(folder: Path) -> None:
    _command("ledger", "--store", str(folder / "store"), "--file", str(folder / "ledger.toml"))


def _answer(folder: Path) -> None:
    from ddiv.generate.openai_cache import AnswerCache
    from ddiv.generate.openai_prompts import read

    kept = AnswerCache(folder).get(folder / "kept.json", {"model": "m"})
    for answer in (kept, (folder / "answer").read_bytes().decode("utf-8", "replace")):
        if answer is not None:
            read(answer, _request(), ("cards", "loans"))


@cache
def _request():
    from ddiv.generate.openai_prompts import request
    from ddiv.treatment import OpenAI, Setting

    return request(OpenAI(), Setting("a"), ("cards", "loans"), 1, ["a text", "more"], 0, 1, 0)


def _http(folder: Path) -> None:
    from ddiv.generate.openai_client import Client
    from tests.fuzz.server import serving

    os.environ["OPENAI_API_KEY"] = "sk-none"
    with serving((folder / "http").read_bytes()) as url:
        client = Client(base_url=url, timeout=2, retries=0)
        client.ask([_request().body], lambda number, text: None, lambda number: None)


def _record(folder: Path) -> None:
    from ddiv.trial.store import Store

    for _ in Store(folder / "store").records():
        pass


def _runs(folder: Path) -> None:
    refused: list[Refused] = []
    for arguments in (
        ("report", "--out", str(folder / "out.html")),
        ("ledger", "--changes"),
        ("ledger", "--propose"),
        ("trials",),
    ):
        try:
            _command(*arguments, "--store", str(folder / "store"))
        except Refused as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _cached_picture(folder: Path) -> None:
    from ddiv.generate.cache import ImageCache

    ImageCache(folder).get(folder / "x.png")


@cache
def store() -> Files:
    """The store of a run that is trained in a moment, as files."""
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pytest", "claims", "-p", "no:cacheprovider", "-q", "-n", "0"),
            *("--profile", "smoke", "--seeds", "1", "--max-seeds", "1"),
            *("-k", "wd-frobenius and classifier and not scratch and not only"),
            *("--store", f"{folder}/store", "--report", f"{folder}/page.html"),
        ]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        files: Files = {
            f"store/{path.relative_to(Path(folder, 'store'))}": path.read_bytes()
            for path in sorted(Path(folder, "store").rglob("*"))
            if path.is_file()
        }
    if not any("/asked/" in name for name in files):
        raise SystemExit(
            f"fuzz: no store could be made:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return files


def _store_record(rng: random.Random) -> Files:
    return samples_text.stored(rng, store(), ("trials/",))


def _store_run(rng: random.Random) -> Files:
    return samples_text.stored(rng, store(), ("runs/", "metrics-", "trials/"))


READERS = {
    "checkpoint": Reader("ddiv spectra FILE: torch, TorchScript, safetensors",
    samples_weights.file, _spectra),
    "hf-folder": Reader("ddiv spectra FOLDER, hf:FOLDER: Hugging Face", samples_weights.folder,
    _spectra_folder),
    "clip": Reader("a local CLIP checkpoint ($DDIV_CLIP)", samples_weights.clip_file, _clip),
    "bert": Reader("a local BERT ($DDIV_BERT)", samples_weights.folder, _bert),
    "images": Reader("a folder of images", samples_data.folder, _images),
    "npz": Reader("a file of arrays", samples_data.arrays, _arrays),
    "csv": Reader("a table of complaints", samples_data.table, _table),
    "zip": Reader("DomainNet's archives and lists", samples_data.domainnet, _domainnet),
    "toml-study": Reader("a study file", samples_text.study, _study),
    "toml-ledger": Reader("a ledger", samples_text.ledger, _ledger),
    "json-answer": Reader("a paid answer, kept or fresh", samples_text.answer, _answer),
    "http-answer": Reader("what a server of texts sends", samples_text.http, _http),
    "record": Reader("a store's records", _store_record, _record),
    "run": Reader("a store's runs: ddiv report, ledger", _store_run, _runs),
    "image-cache": Reader("a generated image, cached", samples_data.cached_picture,
    _cached_picture),
}  # fmt: skip
