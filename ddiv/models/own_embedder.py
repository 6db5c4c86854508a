"""Embedders of a user's own: a function from data to vectors, whose diversity is scored.

    def histogram(images):
        return np.stack([np.histogram(image, 32, (0, 255))[0] for image in images])

    STUDY = Study(..., embedders=(own_embedder(histogram),), view_size=500)

It takes images uint8 (n, 3, h, w), or an array (n,) of texts, and returns a vector for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ddiv.common.errors import TrialFailed
from ddiv.common.global_draws import drawn, states
from ddiv.common.own import Option, called, own, titled
from ddiv.study import OwnEmbedder


def own_embedder(function: Callable[..., Any], **options: Option) -> OwnEmbedder:
    """The embedder that `function(inputs, **options)` is.

    It takes images uint8 (n, 3, h, w), or texts (n,) of str, as an array that it may change, and
    returns a vector for each: real numbers (n, d), as an array or a tensor on any device. They are
    compared by their cosine; vectors of zeros count as equal to each other and unlike all others.
    All inputs come at once, so a network takes them batch by batch, in evaluation mode. What it
    draws at random has to be the same each time, so draws from torch's, numpy's or random's global
    generator are an error. A class will do, too: it is made once, with the options (so it can read
    weights), and its object is called.

    The digest of its source is a part of the keys. Raises ValueError on anything but a function or
    class at the top level of a file, and on options that it does not take or that are neither text
    nor number.
    """
    return own(OwnEmbedder, function, options, ("inputs",))


def embed(spec: OwnEmbedder, inputs: np.ndarray) -> np.ndarray:
    """The vectors float64 (n, d) of inputs.

    Raises TrialFailed where the function fails, returns anything else, or draws from a global
    generator; NoModel where no file of this run defines it.
    """
    before = states()
    made = called(spec, inputs.copy())
    if source := drawn(before):
        raise TrialFailed(
            f"{titled(spec)} draws from {source}, so its vectors would differ from time to time: "
            "put a network into evaluation mode (.eval()), and let draws come from a generator "
            "with a seed of its own"
        )
    if hasattr(made, "detach"):
        made = made.detach().cpu().double().numpy()
    try:
        rows = np.asarray(made)
    except ValueError as error:
        raise TrialFailed(_wrong(spec, inputs, f"no array ({error})")) from error
    if rows.dtype.kind not in "biuf" or rows.ndim != 2 or len(rows) != len(inputs):
        raise TrialFailed(_wrong(spec, inputs, f"{rows.dtype} {rows.shape}"))
    rows = rows.astype(np.float64)
    if bad := np.count_nonzero(~np.isfinite(rows).all(1)) or rows.shape[1] == 0:
        raise TrialFailed(_wrong(spec, inputs, f"{int(bad)} vectors with NaN, infinity or nothing"))
    return rows


def _wrong(spec: OwnEmbedder, inputs: np.ndarray, got: str) -> str:
    return (
        f"{titled(spec)} has to return a vector of finite numbers for each of {len(inputs)} "
        f"inputs, ({len(inputs)}, d), and returned {got}"
    )
