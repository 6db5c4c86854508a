"""Encoders of a user's own, from the function in a study file that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ddiv.backbone import DropoutSites, ImageInput, Network
from ddiv.errors import NoModel, TrialFailed
from ddiv.own_source import source_digest
from ddiv.study import OwnModel

# In this process: every worker runs the study file.
_factories: dict[OwnModel, Callable[..., nn.Module]] = {}


def own_model(factory: Callable[..., nn.Module], **options: str | int | float | bool) -> OwnModel:
    """The backbone that `factory(**options)` makes anew for every trial, its random weights from
    torch's generator.

    It gives a module from normalised images float32 (n, 3, h, w) to features (n, d), with d in its
    attribute `width`; ddiv puts the classification layer on top. Further attributes, all optional:
    `dropout_sites`, its modules on whose output dropout acts (none: only before the classification
    layer); `mean` and `deviation`, three numbers each, by which pixels in [0, 1] are normalised (.5
    and .25); `side`, the only side of images that it takes.

    Trials are known by the factory's source (`ddiv.own_source.source_digest`) and the options: put
    a version there where something outside the file changes, weights that the factory reads above
    all. Raises ValueError on a factory that is no function at the top level of a file, and on
    options that are neither text nor number.
    """
    if bad := [
        name for name, value in options.items() if not isinstance(value, (str, int, float, bool))
    ]:
        raise ValueError(
            f"the option {bad[0]} of an own model is neither text nor number: such a value names a trial"
        )
    spec = OwnModel(factory.__name__, source_digest(factory), tuple(sorted(options.items())))
    _factories[spec] = factory
    return spec


def absent(spec: OwnModel) -> str | None:
    """In one line why an own model cannot be made in this process; None where it can."""
    return (
        None
        if spec in _factories
        else (
            f"no study file of this run defines the own model {spec.name!r} ({spec.source[:12]}...): give --study the file that "
            "does, unchanged"
        )
    )


class OwnNetwork(Network):
    """A network whose encoder is a user's: what that raises, and features of a wrong shape, become
    a clear TrialFailed.
    """

    name = ""

    def features(self, inputs: Tensor) -> Tensor:
        expected = len(inputs), self.head.in_features
        try:
            found = super().features(inputs)
        except Exception as error:
            # Without memory evaluation goes on in smaller batches, and where no graph can be
            # captured training without.
            capturing = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
            if (
                isinstance(error, (TrialFailed, torch.OutOfMemoryError))
                or capturing
                and isinstance(error, RuntimeError)
            ):
                raise
            raise TrialFailed(
                f"the own model {self.name} failed on images of shape {tuple(inputs.shape)}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, Tensor) or found.shape != expected:
            given = (
                f"shape {tuple(found.shape)}"
                if isinstance(found, Tensor)
                else f"type {type(found).__name__}"
            )
            raise TrialFailed(
                f"the own model {self.name} gives features of {given} for {len(inputs)} images, where by its "
                f"`width` they are {expected}: a row an image, and no classification layer"
            )
        return found


def build_own(spec: OwnModel, classes: int) -> tuple[OwnNetwork, DropoutSites]:
    """The network of an own model and its places for dropout.

    Raises NoModel where no study file registered it, TrialFailed where the factory fails or its
    module lacks what it needs.
    """
    if why := absent(spec):
        raise NoModel(why)
    try:
        encoder = _factories[spec](**dict(spec.options))
    except Exception as error:
        raise TrialFailed(
            f"the own model's function {spec.name} raised {type(error).__name__}: {error}"
        ) from error
    width = getattr(encoder, "width", None)
    if not isinstance(encoder, nn.Module) or not isinstance(width, int) or width < 1:
        raise TrialFailed(
            f"the own model's function {spec.name} has to return a torch.nn.Module whose attribute `width` is "
            f"the number of its features, got {type(encoder).__name__} with width {width!r}"
        )
    sites = getattr(encoder, "dropout_sites", ())
    if not isinstance(sites, Iterable) or not set(sites := tuple(sites)) <= set(encoder.modules()):
        raise TrialFailed(
            f"dropout_sites of the own model {spec.name} have to be a tuple of modules of its encoder: on "
            "others dropout would do nothing"
        )
    default = ImageInput()
    numbers = [
        tuple(torch.as_tensor(getattr(encoder, name, getattr(default, name))).flatten().tolist())
        for name in ("mean", "deviation")
    ]
    if any(len(three) != 3 for three in numbers) or 0 in numbers[1]:
        raise TrialFailed(
            f"mean and deviation of the own model {spec.name} have to be three numbers each, no deviation 0, "
            f"got {numbers}"
        )
    network = OwnNetwork(encoder, width, classes, ImageInput(*numbers, getattr(encoder, "side", 0)))
    network.name = spec.name
    return network, DropoutSites(sites, network.head)
