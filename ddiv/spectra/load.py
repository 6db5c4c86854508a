"""A model by its name, or the weights in a file, as weight matrices: :func:`load`.

Names come from open_clip, timm, torchvision and transformers; a library is imported only when it is
asked for or when a name without a prefix has to be looked up. Nothing is guessed: a name that two
libraries know is an error.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import logging
import os
import socket
import textwrap
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import nn

from ddiv.common.paths import expanded
from ddiv.common.trust import running_nothing, why
from ddiv.spectra import checkpoint
from ddiv.spectra.checkpoint import LoadError
from ddiv.spectra.libraries import LIBRARIES, UnknownModel
from ddiv.spectra.matrices import WeightMatrix, skipped, weight_matrices


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model's weight matrices.

    name: as it was asked for; source: where the weights are from, for people ("open_clip 3.3.0,
    weights openai"); skipped: (parameter, reason) for everything that is no matrix; meta: library,
    versions, weights, number of parameters; model: the module itself, None for a file, which holds
    weights without the modules around them.
    """

    name: str
    source: str
    matrices: tuple[WeightMatrix, ...]
    skipped: tuple[tuple[str, str], ...]
    meta: Mapping[str, object] = field(default_factory=dict)
    model: nn.Module | None = None


def load(spec: str, *, random: bool = False, library: str | None = None, seed: int = 0) -> Loaded:
    """The matrices of ``spec``: a path, or a model's name.

    A path is a safetensors file, a torch checkpoint, an index of shards or a folder with one of
    them (see ``checkpoint.read``). A name is one of open_clip ("ViT-B-32", or "ViT-B-32/openai"
    with the tag of its weights), timm, torchvision, or a transformers hub id
    ("google-bert/bert-base-uncased"), after an optional prefix "open_clip:", "timm:",
    "torchvision:" or "hf:"; ``library`` is such a prefix. ``random`` takes the architecture with
    fresh weights from torch's generator seeded with ``seed``, whose state is put back; then
    "hf:bert", a transformers model type, is that architecture's default size. Weights come from the
    libraries' own caches or from the network, and no code is run that comes with them.

    UnknownModel if the name is known to no library or to several; LoadError if the weights cannot
    be had, or are not all there: a library would go on with random ones in their place.
    """
    prefix, _, rest = spec.partition(":")
    if library is None and prefix in LIBRARIES and rest:
        library, spec = prefix, rest
    if library is not None and library not in LIBRARIES:
        raise UnknownModel(f"unknown library {library!r}: one of {', '.join(LIBRARIES)}")
    path = expanded(spec)
    if library is None and (_is_there(path) or _looks_like_a_path(spec)):
        return _from_file(spec, path, random)
    library = _checked(spec, library) if library else _library_of(spec)
    try:
        with (
            offline_if_unreachable(),
            running_nothing(),
            _quiet(),
            torch.random.fork_rng(devices=[]),
        ):
            torch.manual_seed(seed)
            model, weights, unused = LIBRARIES[library].build(spec, random)
    except LoadError:
        raise
    except Exception as error:
        # whatever a library or its network client raises: named, never swallowed
        raise LoadError(_why_not(spec, library, random, error)) from error
    weights = f"random weights, seed {seed}" if random else f"weights {weights}"
    package = LIBRARIES[library].package
    version = importlib.import_module(package).__version__
    meta: dict[str, object] = {
        "library": package,
        "version": version,
        "weights": weights,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return Loaded(
        spec,
        f"{package} {version}, {weights}",
        tuple(weight_matrices(model)),
        (*skipped(model), *((key, "in the file, but no part of the model") for key in unused)),
        meta,
        model,
    )


def _from_file(spec: str, path: Path, random: bool) -> Loaded:
    if random:
        raise UnknownModel(
            f"{spec} is a file, which has weights of its own: --random needs a model's name"
        )
    weights, beside = checkpoint.read(path)
    meta: dict[str, object] = {
        "library": "file",
        "weights": str(path),
        "parameters": sum(t.numel() for t in weights.values()),
    }
    left_out = (*skipped(weights), *beside)
    return Loaded(spec, f"file {path}", tuple(weight_matrices(weights)), left_out, meta)


def _is_there(path: Path) -> bool:
    """Whether something lies at a path, be it a link to nothing."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # too long for a name
        return False


def _looks_like_a_path(spec: str) -> bool:
    suffixes = (*checkpoint.SUFFIXES, checkpoint.INDEX)
    return spec.endswith(suffixes) or spec.startswith((".", "/", "~"))


# --- names ----------------------------------------------------------------------------------------


def _library_of(spec: str) -> str:
    """The one library that has a model of this name."""
    having = [name for name, library in LIBRARIES.items() if library.has(spec)]
    if len(having) == 1:
        return having[0]
    if having:
        raise UnknownModel(
            f"{spec!r} is in several libraries: write " + " or ".join(f"{n}:{spec}" for n in having)
        )
    names = {name for library in LIBRARIES.values() for name in library.names()}
    raise UnknownModel(
        f"no file and no model is called {spec!r}{_close(spec, names)}. Names are those of "
        "open_clip, timm and torchvision; a hub id of transformers without a slash is written "
        "hf:NAME"
    )


def _checked(spec: str, library: str) -> str:
    """``library``, if it can have a model of this name; only the hub itself knows its ids."""
    if library != "hf" and not spec.startswith("hf-hub:") and not LIBRARIES[library].has(spec):
        raise UnknownModel(
            f"{library} has no model {spec!r}{_close(spec, LIBRARIES[library].names())}"
        )
    return library


def _close(spec: str, names: Iterable[str]) -> str:
    """A clause that names models with similar names; empty if there is none."""
    close = difflib.get_close_matches(spec, sorted(names), n=3)
    return f"; close: {', '.join(close)}" if close else ""


# --- the world outside ----------------------------------------------------------------------------


@contextlib.contextmanager
def offline_if_unreachable() -> Iterator[None]:
    """Ask only the local cache, as HF_HUB_OFFLINE does, where the hub's name does not resolve.

    The hub's client would retry for most of a minute before it says so. A proxy resolves names by
    itself, so with a proxy nothing is concluded.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    try:
        if not before and not urllib.request.getproxies():
            socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without open_clip's warnings about random weights, which also configure the root logger."""
    handlers, disabled = logging.root.handlers[:], logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(disabled)
        logging.root.handlers[:] = handlers


def _why_not(spec: str, library: str, random: bool, error: Exception) -> str:
    package = LIBRARIES[library].package
    if isinstance(error, ImportError) and importlib.util.find_spec(package) is None:
        return f"{library}:{spec} needs the package {package}: pip install {package}"
    cause = textwrap.shorten(why(error), 160, placeholder=" ..")
    text = f"{library}:{spec} cannot be had: {cause}"
    if os.environ.get("HF_HUB_OFFLINE"):
        text += " (HF_HUB_OFFLINE is set: only the local cache is asked)"
    if random:
        remedy = (
            "For the architecture alone, a transformers model type needs no download: "
            "hf:bert --random"
        )
    else:
        remedy = (
            "Without network: take a local file, a filled cache, or --random for the architecture "
            "alone"
        )
    return f"{text}. {remedy}"
