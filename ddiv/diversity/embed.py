"""From samples to batches of vectors, with the names that a score must carry.

An `Embedder` turns samples into vectors, batch by batch; `score` measures them. Ready ones:
`pixels.pixels`, and in `encoders` CLIP, sentence encoders and MiniLM. Any other is `Embedder(name,
preprocessing, function)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ddiv.diversity.rows import is_array, require_dense
from ddiv.diversity.vendi import VendiResult, measure


@dataclass(frozen=True)
class Embedder:
    """From samples to vectors.

    name, preprocessing: go into every result; encode: a batch of samples (part of an array or
    tensor, or a list) to vectors (b, d); batch: samples at a time.
    """

    name: str
    preprocessing: str
    encode: Callable[[Any], Any]
    batch: int = 256

    def batches(self, samples: Any) -> Batches:
        """The vectors of samples, in batches; each reading of them encodes the samples anew."""
        return Batches(self, samples)


@dataclass(frozen=True)
class Batches:
    """Batches (b, d) of an embedder's vectors.

    samples: an array or tensor (n, ..), a list, a dataset with a length and items, or an iterable
    of samples. Of an item that is a tuple, such as (image, label), the first part is taken.
    Reading them raises ValueError on a sparse array, and on one sample in place of several.
    """

    embedder: Embedder
    samples: Any

    def __iter__(self) -> Iterator[Any]:
        step = self.embedder.batch
        if is_array(self.samples):
            require_dense(self.samples, "the array of samples")
            if not self.samples.shape:
                raise ValueError("samples are an array (n, ..), got one number")
            for start in range(0, len(self.samples), step):
                yield self.embedder.encode(self.samples[start : start + step])
            return
        indexed = hasattr(self.samples, "__getitem__") and hasattr(self.samples, "__len__")
        one = isinstance(self.samples, (str, bytes, Mapping))
        if one or not (indexed or isinstance(self.samples, Iterable)):
            raise ValueError(
                f"samples are an array (n, ..) or a list of them, got {type(self.samples).__name__}"
            )
        items = map(self.samples.__getitem__, range(len(self.samples))) if indexed else self.samples
        samples = (item[0] if isinstance(item, tuple) else item for item in items)
        while batch := list(islice(samples, step)):
            yield self.embedder.encode(batch)


def score(samples: Any, embedder: Embedder, **options: Any) -> VendiResult:
    """The Vendi score of samples as an embedder sees them; options and errors as in `measure`."""
    return measure(
        embedder.batches(samples),
        embedder=embedder.name,
        preprocessing=embedder.preprocessing,
        **options,
    )
