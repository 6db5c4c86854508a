"""Augmentations of a user's own.

    def blur(images, draws):
        wide = torch.rand(len(images), 1, 1, 1, generator=draws, device=draws.device) < 0.5
        return torch.where(wide, gaussian_blur(images, 5), images)

    STUDY = Study(..., augmentations=("auto", own_augmentation(blur)))

It takes a tensor uint8 (n, 3, h, w), or an array (n,) of texts, and all its draws from `draws`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ddiv.common.errors import TrialFailed
from ddiv.common.global_draws import drawn, states
from ddiv.common.own import Option, OwnValue, called, own, titled
from ddiv.common.texts import as_texts
from ddiv.treatment.names import KNOWN

if TYPE_CHECKING:
    from torch import Generator, Tensor


class OwnAugmentation(OwnValue, frozen=True, tag="own-augmentation"):
    """An augmentation that a function of a user's own carries out, see `own_augmentation`."""


def label_of(augmentation: str | OwnAugmentation) -> str:
    """What an augmentation is called, ddiv's or a user's own."""
    return augmentation if isinstance(augmentation, str) else augmentation.label


def own_augmentation(function: Callable[..., Any], **options: Option) -> OwnAugmentation:
    """The augmentation that `function(inputs, draws, **options)` carries out.

    Of images it takes a tensor uint8 (n, 3, h, w) and returns one of the same shape and type, on
    the same device; of texts it takes an array (n,) of str and returns n of them. Each example is
    to be changed by draws of its own, which all come from `draws`, a torch.Generator on the images'
    device: `torch.rand(n, generator=draws, device=draws.device)`. Draws from torch, numpy.random or
    random would break the pairing of seeds, so they are an error. What it is given is a copy. A
    class will do, too: it is made with the options, and its objects are called.

    The digest of its source is a part of the keys. Raises ValueError on anything but a function or
    class at the top level of a file, on one with the name of an augmentation of ddiv's, and on
    options that it does not take or that are neither text nor number.
    """
    spec = own(OwnAugmentation, function, options, ("inputs", "draws"))
    if spec.name in KNOWN:
        raise ValueError(
            f"{spec.name!r} is an augmentation of ddiv's: give your function another name"
        )
    return spec


def augmented_images(spec: OwnAugmentation, images: Tensor, draws: Generator) -> Tensor:
    """Images uint8 (n, 3, h, w) under an augmentation of a user's own; they are left unchanged.

    Raises TrialFailed where it fails, returns anything but such images, or draws elsewhere than
    from `draws`; NoModel where no file of this run defines it.
    """
    import torch

    def change() -> Tensor:
        result = _drawn_from_its_own(spec, images.clone(), draws)
        if not isinstance(result, torch.Tensor):
            raise TrialFailed(_wrong(spec, images, f"type {type(result).__name__}"))
        if (result.shape, result.dtype) != (images.shape, images.dtype):
            of_floats = ": round, and .to(torch.uint8)" if result.is_floating_point() else ""
            raise TrialFailed(
                _wrong(spec, images, f"{result.dtype} {tuple(result.shape)}") + of_floats
            )
        if result.device != images.device:
            raise TrialFailed(_wrong(spec, images, f"a tensor on {result.device}"))
        return result

    changed: Tensor = _repeated(spec, change, draws, torch.equal)
    return changed


def augmented_texts(spec: OwnAugmentation, texts: np.ndarray, draws: Generator) -> np.ndarray:
    """Texts, an object array (n,) of str, under an augmentation of a user's own.

    Raises as `augmented_images` does.
    """

    def change() -> np.ndarray:
        result: Sequence[object] = _drawn_from_its_own(spec, texts.copy(), draws)
        told = f"{titled(spec)} was given {len(texts)} texts and returned"
        remedy = "it has to return one str for each text"
        if isinstance(result, str) or not hasattr(result, "__len__"):
            raise TrialFailed(f"{told} something of type {type(result).__name__}: {remedy}")
        if len(result) != len(texts):
            raise TrialFailed(f"{told} {len(result)}: {remedy}")
        if wrong := [text for text in result if not isinstance(text, str)]:
            raise TrialFailed(f"{told} one of type {type(wrong[0]).__name__}: {remedy}")
        return as_texts(result)

    changed: np.ndarray = _repeated(spec, change, draws, np.array_equal)
    return changed


def _wrong(spec: OwnAugmentation, images: Tensor, got: str) -> str:
    return (
        f"{titled(spec)} has to return images as it is given them, {images.dtype} "
        f"{tuple(images.shape)} on {images.device}, and returned {got}"
    )


def _drawn_from_its_own(spec: OwnAugmentation, inputs: Any, draws: Generator) -> Any:
    before = states()
    try:
        result = called(spec, inputs, draws)
    except TrialFailed as error:
        if draws.device.type != "cpu" and "device" in str(error):
            raise TrialFailed(
                f"{error} (images and draws are on {draws.device}: say device=draws.device)"
            ) from error
        raise
    if source := drawn(before):
        raise TrialFailed(
            f"{titled(spec)} draws from {source}, which breaks the pairing of seeds: let all its "
            "draws come from its second argument (generator=draws)"
        )
    return result


# Of this process: the augmentations that gave the same twice.
_tried: set[OwnAugmentation] = set()


def _repeated(
    spec: OwnAugmentation,
    change: Callable[[], Any],
    draws: Generator,
    equal: Callable[[Any, Any], bool],
) -> Any:
    """What `change` gives, the first time called twice.

    Another result from the same draws means that something else is drawn from, or kept from call to
    call. On a GPU, sums in another order may do that, too.
    """
    if spec in _tried or draws.device.type != "cpu":
        return change()
    begun = draws.get_state()
    first = change()
    draws.set_state(begun)
    second = change()
    if not equal(first, second):
        raise TrialFailed(
            f"{titled(spec)} returns something else when it is called again with the same inputs "
            "and draws, so trials could not be repeated: let all its draws come from its second "
            "argument, and keep nothing from call to call"
        )
    _tried.add(spec)
    return second
