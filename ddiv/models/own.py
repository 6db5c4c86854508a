"""Encoders of a user's own, from the function or class in a study file that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ddiv.common.errors import TrialFailed
from ddiv.common.own import Option, made, own
from ddiv.models.network import DropoutSites, ImageInput, Network
from ddiv.study import OwnModel


def own_model(factory: Callable[..., nn.Module], **options: Option) -> OwnModel:
    """The backbone that `factory(**options)` makes anew for every trial.

    The factory is a function, or a class of modules whose `__init__` takes the options. It draws
    random weights from torch's generator. Its module goes from normalised images float32 (n, 3, h,
    w) to features (n, d), with d in its attribute `width`. ddiv puts the classification layer on
    top. The module may have these attributes, too:

    - `dropout_sites`: its modules on whose output dropout acts, each of which returns one tensor;
      without them dropout acts only before the classification layer;
    - `mean` and `deviation`: three numbers each, by which pixels in [0, 1] are normalised, by
      default .5 and .25;
    - `side`: the only side of images that it takes.

        class SmallNet(nn.Module):
            def __init__(self, channels):
                super().__init__()
                self.conv, self.pool = nn.Conv2d(3, channels, 3), nn.AdaptiveAvgPool2d(2)
                self.width, self.dropout_sites = 4 * channels, (self.conv,)

            def forward(self, images):
                return self.pool(self.conv(images).relu()).flatten(1)

        STUDY = Study(..., backbone=own_model(SmallNet, channels=32))

    A trial's key has the options and the digest of the factory's source
    (`ddiv.common.digests.source_digest`), of which the files of yours that it imports, and a
    class's bases in them, are a part. Where something else can change, above all weights that the
    factory reads, pytest says so: give its version as an option. Raises ValueError on anything but
    a function or class at the top level of a file, and on options that it does not take or that are
    neither text nor number.
    """
    return own(OwnModel, factory, options)


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
                f"{type(error).__name__}: {error} (mend its `forward`, or give the study images of "
                "the `side` that it takes)"
            ) from error
        if isinstance(features, Tensor) and features.shape == expected:
            return features
        kind = f"type {type(features).__name__}"
        if isinstance(features, Tensor):
            kind = f"shape {tuple(features.shape)}"
        raise TrialFailed(
            f"the own model {self.name} gives features of {kind} for {len(inputs)} images, where "
            f"by its `width` they are {expected}: let `width` be the length of the row that it "
            "gives for an image, without a classification layer"
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

    Raises NoModel where no file of this run defines it, TrialFailed where the factory fails or its
    module lacks a needed attribute.
    """
    encoder: Any = made(spec)  # of a user's code, so of any type
    width = getattr(encoder, "width", None)
    if not isinstance(encoder, nn.Module) or not isinstance(width, int) or width < 1:
        raise TrialFailed(
            f"the own model {spec.name} has to be, or to return, a torch.nn.Module whose attribute "
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
    known = {id(module) for module in encoder.modules()}
    if modules is None or (others := [site for site in modules if id(site) not in known]):
        wrong = sites if modules is None or isinstance(sites, str) else others[0]
        raise TrialFailed(
            f"dropout_sites of the own model {spec.name} have to be a tuple of modules of its "
            f"encoder: on others dropout would do nothing, got {wrong!r:.80}"
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
