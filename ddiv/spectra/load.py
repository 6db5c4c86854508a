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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import nn

from ddiv.spectra import checkpoint
from ddiv.spectra.checkpoint import LoadError
from ddiv.spectra.matrices import WeightMatrix, skipped, weight_matrices


class UnknownModel(LoadError):
    """No library has a model of that name, or several have it; the message says what to write."""


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
    be had.
    """
    prefix, _, rest = spec.partition(":")
    if library is None and prefix in LIBRARIES and rest:
        library, spec = prefix, rest
    if library is not None and library not in LIBRARIES:
        raise UnknownModel(f"unknown library {library!r}: one of {', '.join(LIBRARIES)}")
    path = Path(spec).expanduser()
    if library is None and (path.exists() or _looks_like_a_path(spec)):
        return _from_file(spec, path, random)
    library = _checked(spec, library) if library else _library_of(spec)
    try:
        with offline_if_unreachable(), _quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model, weights = LIBRARIES[library].build(spec, random)
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
        tuple(skipped(model)),
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


def _open_clip_names() -> list[str]:
    import open_clip

    names: list[str] = open_clip.list_models()
    return names


def _open_clip(spec: str, random: bool) -> tuple[nn.Module, str]:
    import open_clip

    if spec.startswith("hf-hub:"):
        return open_clip.create_model(spec, load_weights=not random), spec
    name, _, tag = spec.partition("/")
    if random:
        return open_clip.create_model(name, pretrained=None, pretrained_text=False), ""
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not tag:
        if "openai" not in tags and len(tags) > 1:
            choices = ", ".join(f"{name}/{t}" for t in tags)
            raise UnknownModel(
                f"open_clip has several weights for {name!r}; write one of: {choices}"
            )
        tag = "openai" if "openai" in tags else "".join(tags)
    if tag not in tags:
        choices = ", ".join(f"{name}/{t}" for t in tags)
        has = choices or "none: its architecture alone is had with --random"
        raise UnknownModel(f"open_clip has no weights {tag!r} for {name!r}; it has: {has}")
    return open_clip.create_model(name, pretrained=tag), tag


def _timm_names() -> list[str]:
    import timm

    return timm.list_models()


def _timm(spec: str, random: bool) -> tuple[nn.Module, str]:
    import timm

    model = timm.create_model(spec, pretrained=not random)
    configuration: Any = model.pretrained_cfg  # a module's attributes have no types
    return model, str(configuration.get("tag") or "of the default tag")


def _torchvision_names() -> list[str]:
    import torchvision

    names: list[str] = torchvision.models.list_models()
    return names


def _torchvision(spec: str, random: bool) -> tuple[nn.Module, str]:
    from torchvision import models

    composed = models.list_models(models.detection) + models.list_models(models.segmentation)
    # A backbone's own weights would be downloaded and then overwritten.
    backbone = {"weights_backbone": None} if spec in composed else {}
    if random:
        return models.get_model(spec, weights=None, **backbone), ""
    weights = models.get_model_weights(spec).DEFAULT
    return models.get_model(spec, weights=weights, **backbone), weights.name


def _transformers_names() -> list[str]:
    if importlib.util.find_spec("transformers") is None:
        return []  # not a dependency of ddiv
    from transformers import CONFIG_MAPPING

    return list(CONFIG_MAPPING)


def _transformers(spec: str, random: bool) -> tuple[nn.Module, str]:
    import transformers

    # transformers does not annotate it
    from_config: Callable[[Any], nn.Module] = transformers.AutoModel.from_config
    if random and spec in transformers.CONFIG_MAPPING:
        return from_config(transformers.AutoConfig.for_model(spec)), ""
    # False, because transformers' default, None, asks on the terminal whether to run the
    # repository's own code.
    config = transformers.AutoConfig.from_pretrained(spec, trust_remote_code=False)
    # The class that was trained, with its head; AutoModel would leave the head out.
    trained = getattr(transformers, (config.architectures or [""])[0], None)
    if random:
        return trained._from_config(config) if trained else from_config(config), ""
    if trained:
        return trained.from_pretrained(spec, config=config), spec
    model = transformers.AutoModel.from_pretrained(spec, config=config, trust_remote_code=False)
    return model, spec


@dataclass(frozen=True)
class Library:
    """Where models come from.

    package: what is imported; names: of its models; has: whether it has a model of a spec; build:
    the model of a spec, with random weights or its own, and what those weights are called.
    """

    package: str
    names: Callable[[], list[str]]
    has: Callable[[str], bool]
    build: Callable[[str, bool], tuple[nn.Module, str]]


def _hub_id(spec: str) -> bool:
    """Whether a spec is an id of the hub.

    Ids have a slash; old ones have none and begin with the model's type ("bert-base-uncased").
    """
    owner, slash, _ = spec.partition("/")
    if slash:
        return owner not in _open_clip_names()
    return spec.partition("-")[0] in _transformers_names() and not any(
        LIBRARIES[name].has(spec) for name in ("open_clip", "timm", "torchvision")
    )


LIBRARIES = {
    "open_clip": Library(
        "open_clip", _open_clip_names, lambda s: s.split("/")[0] in _open_clip_names(), _open_clip
    ),
    "timm": Library("timm", _timm_names, lambda s: s.split(".")[0] in _timm_names(), _timm),
    "torchvision": Library(
        "torchvision", _torchvision_names, lambda s: s in _torchvision_names(), _torchvision
    ),
    "hf": Library("transformers", _transformers_names, _hub_id, _transformers),
}

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
    cause = textwrap.shorten(str(error), 160, placeholder=" ..") or type(error).__name__
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
