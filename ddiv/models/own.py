"""Encoders of a user's own, from the function in a study file that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ddiv.common.digests import source_digest
from ddiv.common.errors import NoModel, TrialFailed
from ddiv.models.network import DropoutSites, ImageInput, Network
from ddiv.study import OwnModel

# The factories of this process. Every worker runs the study file, which registers them.
_factories: dict[OwnModel, Callable[..., nn.Module]] = {}


def own_model(factory: Callable[..., nn.Module], **options: str | int | float | bool) -> OwnModel:
    """The backbone that `factory(**options)` makes anew for every trial.

    The factory draws random weights from torch's generator. It returns a module from normalised
    images float32 (n, 3, h, w) to features (n, d), with d in its attribute `width`. ddiv puts the
    classification layer on top. The module may have these attributes, too:

    - `dropout_sites`: its modules on whose output dropout acts; without them dropout acts only
      before the classification layer;
    - `mean` and `deviation`: three numbers each, by which pixels in [0, 1] are normalised, by
      default .5 and .25;
    - `side`: the only side of images that it takes.

    A trial's key has the options and the digest of the factory's source
    (`ddiv.common.digests.source_digest`), of which the files of yours that it imports are a part.
    Where something else can change, above all weights that the factory reads, pytest says so: give
    its version as an option. Raises ValueError on a factory
    that is no function at the top level of a file, and on options that are neither text nor number.
    """
    for name, value in options.items():
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError(
                f"the option {name} of an own model is neither text nor number: such a value names "
                "a trial"
            )
    spec = OwnModel(factory.__name__, source_digest(factory), tuple(sorted(options.items())))
    _factories[spec] = factory
    return spec


def absent_own_model(spec: OwnModel) -> str | None:
    """In one line why an own model cannot be made in this process; None where it can."""
    if spec in _factories:
        return None
    return (
        f"no study file of this run defines the own model {spec.name!r} ({spec.source[:12]}...): "
        "give --study the file that does, unchanged"
    )


class OwnNetwork(Network):
    """A network whose encoder is a user's.

    Errors of the encoder, and features of a wrong shape, become a clear TrialFailed.
    """

    name = ""

    def features(self, inputs: Tensor) -> Tensor:
        expected = len(inputs), self.head.in_features
        try:
            features: Any = super().features(inputs)  # of a user's code, so of any type
        except Exception as error:
            if _is_handled_elsewhere(error):
                raise
            raise TrialFailed(
                f"the own model {self.name} failed on images of shape {tuple(inputs.shape)}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if isinstance(features, Tensor) and features.shape == expected:
            return features
        kind = f"type {type(features).__name__}"
        if isinstance(features, Tensor):
            kind = f"shape {tuple(features.shape)}"
        raise TrialFailed(
            f"the own model {self.name} gives features of {kind} for {len(inputs)} images, where "
            f"by its `width` they are {expected}: a row an image, and no classification layer"
        )


def _is_handled_elsewhere(error: Exception) -> bool:
    """Whether the caller goes on after this error, or the error says already what is wrong.

    Out of memory, evaluation goes on in smaller batches. Where a CUDA graph cannot be captured,
    training goes on without one.
    """
    if isinstance(error, (TrialFailed, torch.OutOfMemoryError)):
        return True
    capturing = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
    return capturing and isinstance(error, RuntimeError)


def build_own(spec: OwnModel, classes: int) -> tuple[OwnNetwork, DropoutSites]:
    """The network of an own model and its places for dropout.

    Raises NoModel where no study file registered it, TrialFailed where the factory fails or its
    module lacks a needed attribute.
    """
    if why := absent_own_model(spec):
        raise NoModel(why)
    try:
        encoder: Any = _factories[spec](**dict(spec.options))  # of a user's code, so of any type
    except Exception as error:
        raise TrialFailed(
            f"the own model's function {spec.name} raised {type(error).__name__}: {error}"
        ) from error
    width = getattr(encoder, "width", None)
    if not isinstance(encoder, nn.Module) or not isinstance(width, int) or width < 1:
        raise TrialFailed(
            f"the own model's function {spec.name} has to return a torch.nn.Module whose attribute "
            f"`width` is the number of its features, got {type(encoder).__name__} with width "
            f"{width!r}"
        )
    sites = _dropout_sites(spec, encoder)
    network = OwnNetwork(encoder, width, classes, _image_input(spec, encoder))
    network.name = spec.name
    return network, DropoutSites(sites, network.head)


def _dropout_sites(spec: OwnModel, encoder: nn.Module) -> tuple[nn.Module, ...]:
    sites = getattr(encoder, "dropout_sites", ())
    modules = tuple(sites) if isinstance(sites, Iterable) else None
    if modules is None or not set(modules) <= set(encoder.modules()):
        raise TrialFailed(
            f"dropout_sites of the own model {spec.name} have to be a tuple of modules of its "
            "encoder: on others dropout would do nothing"
        )
    return modules


def _image_input(spec: OwnModel, encoder: nn.Module) -> ImageInput:
    default = ImageInput()
    mean, deviation = (
        tuple(torch.as_tensor(getattr(encoder, name, getattr(default, name))).flatten().tolist())
        for name in ("mean", "deviation")
    )
    if len(mean) != 3 or len(deviation) != 3 or 0 in deviation:
        raise TrialFailed(
            f"mean and deviation of the own model {spec.name} have to be three numbers each, no "
            f"deviation 0, got {[mean, deviation]}"
        )
    return ImageInput(mean, deviation, getattr(encoder, "side", 0))
