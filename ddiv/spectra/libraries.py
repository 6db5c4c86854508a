"""The libraries that have models by name, and how each of them makes one.

Each is imported only when it is asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from ddiv.common.digests import irregular
from ddiv.spectra import checkpoint
from ddiv.spectra.checkpoint import LoadError


class UnknownModel(LoadError):
    """No library has a model of that name, or several have it; the message says what to write."""


class Built(NamedTuple):
    """A model, what its weights are called, and names in their file that it has no use for."""

    model: nn.Module
    weights: str
    unused: Sequence[str] = ()


@dataclass(frozen=True)
class Library:
    """Where models come from.

    package: what is imported; names: of its models; has: whether it has a model of a spec; build:
    the model of a spec, with random weights or its own.
    """

    package: str
    names: Callable[[], list[str]]
    has: Callable[[str], bool]
    build: Callable[[str, bool], Built]


def _open_clip_names() -> list[str]:
    import open_clip

    names: list[str] = open_clip.list_models()
    return names


def _open_clip(spec: str, random: bool) -> Built:
    import open_clip

    if spec.startswith("hf-hub:"):
        # Without the last, open_clip goes on at random where a repository has no weights.
        model = open_clip.create_model(spec, load_weights=not random, require_pretrained=not random)
        return Built(model, spec)
    name, _, tag = spec.partition("/")
    if random:
        return Built(open_clip.create_model(name, pretrained=None, pretrained_text=False), "")
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
    return Built(open_clip.create_model(name, pretrained=tag, require_pretrained=True), tag)


def _timm_names() -> list[str]:
    import timm

    return timm.list_models()


def _timm(spec: str, random: bool) -> Built:
    import timm

    model = timm.create_model(spec, pretrained=not random)
    configuration: Any = model.pretrained_cfg  # a module's attributes have no types
    return Built(model, str(configuration.get("tag") or "of the default tag"))


def _torchvision_names() -> list[str]:
    import torchvision

    names: list[str] = torchvision.models.list_models()
    return names


def _torchvision(spec: str, random: bool) -> Built:
    from torchvision import models

    composed = models.list_models(models.detection) + models.list_models(models.segmentation)
    # A backbone's own weights would be downloaded and then overwritten.
    backbone = {"weights_backbone": None} if spec in composed else {}
    if random:
        return Built(models.get_model(spec, weights=None, **backbone), "")
    weights = models.get_model_weights(spec).DEFAULT
    return Built(models.get_model(spec, weights=weights, **backbone), weights.name)


def _transformers_names() -> list[str]:
    if importlib.util.find_spec("transformers") is None:
        return []  # not a dependency of ddiv
    from transformers import CONFIG_MAPPING

    return list(CONFIG_MAPPING)


def _transformers(spec: str, random: bool) -> Built:
    import transformers

    # transformers does not annotate it
    from_config: Callable[..., nn.Module] = transformers.AutoModel.from_config
    if random and spec in transformers.CONFIG_MAPPING:
        return Built(from_config(transformers.AutoConfig.for_model(spec), **_NO_CODE), "")
    folder = Path(spec).expanduser()
    if folder.is_dir():
        spec = str(folder)
        if odd := irregular(folder):
            raise LoadError(odd)
        checkpoint.shards_of(folder)
    config = transformers.AutoConfig.from_pretrained(spec, **_NO_CODE)
    # The class that was trained, with its head; AutoModel would leave the head out. The name is the
    # file's, and may be that of anything in transformers.
    trained = getattr(transformers, str((config.architectures or [""])[0]), None)
    if not (isinstance(trained, type) and issubclass(trained, transformers.PreTrainedModel)):
        trained = None
    if random:
        of_class: Callable[..., nn.Module] = trained._from_config if trained else from_config
        return Built(of_class(config), "")
    loader: Any = trained or transformers.AutoModel
    model, told = loader.from_pretrained(spec, config=config, output_loading_info=True, **_NO_CODE)
    require_all(spec, model, told)
    return Built(model, spec, sorted(told["unexpected_keys"]))


# transformers' default, None, asks on the terminal whether to run the repository's own code.
_NO_CODE = {"trust_remote_code": False}


def require_all(spec: str, model: nn.Module, told: Mapping[str, Collection[str]]) -> None:
    """Raise LoadError where a file has not all weights of a transformers model.

    transformers goes on with random ones in their place. told: its loading information.
    """
    if missing := sorted(map(str, told["missing_keys"])):
        count = len(dict(model.named_parameters()))
        raise LoadError(
            f"{spec} has no weights for {len(missing)} of the {count} parameters of "
            f"{type(model).__name__}: {', '.join(missing[:3])}{' ..' * (len(missing) > 3)}. They "
            "would be random: name the file itself to measure what it holds, or get it again"
        )


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
