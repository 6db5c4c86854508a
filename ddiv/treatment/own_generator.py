"""Generators of synthetic examples of a user's own, as values; `ddiv.generate.own` runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddiv.common.own import Option, OwnValue, own


class OwnGenerator(OwnValue, frozen=True, tag="own-generator"):
    """A generator of images or texts that is a function of a user's own, see `own_generator`."""


def own_generator(function: Callable[..., Any], **options: Option) -> OwnGenerator:
    """The generator that `function(inputs, labels, classes, setting, draws, **options)` is.

    It takes the real training examples (images uint8 (n, 3, h, w), or texts (n,) of str, as
    arrays that it may change), their labels int64 (n,), the classes' names, the
    `ddiv.treatment.Setting` that is asked for, and a torch.Generator, whose `initial_seed()` other
    libraries can be given. It returns a synthetic example for each of the labels, in their order:
    images uint8, or floats in [0, 1], of the real images' size, or a list of texts.

        def mirrored(inputs, labels, classes, setting, draws):
            order = torch.randperm(len(labels), generator=draws).numpy()
            ...

    It may train a model, or read one. The global generators of torch, numpy and random are seeded
    before each call, so that the same seed of a study gives the same samples. A class will do, too:
    it is made with the options, and its objects are called.

    The digest of its source is a part of the keys. Raises ValueError on anything but a function or
    class at the top level of a file, and on options that it does not take or that are neither text
    nor number.
    """
    return own(OwnGenerator, function, options, ("inputs", "labels", "classes", "setting", "draws"))
