"""From a `View` to a `Record`: the diversity of the training set as a treatment shows it.

Nothing is trained.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, get_args

import numpy as np
import torch

from ddiv.datasets import drawn_at_will, load
from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.inputs import augmented
from ddiv.shown import Shown, synthetic_data, training_set
from ddiv.span import HELD, Outside, Span
from ddiv.store import Record
from ddiv.study import Data, Embedder, Space
from ddiv.train import provenance
from ddiv.treatment import Augmentation, Classes
from ddiv.trial import Job, View
from ddiv.vectors import scored_on, spaces_of, vectors


class Seen(NamedTuple):
    """The examples of a view with their labels (n,), and which of them stand where no reference was
    taken (None: no matter).
    """

    inputs: np.ndarray
    labels: np.ndarray
    fresh: np.ndarray | None


def diversity(
    view: View, device: torch.device, records: Mapping[Job, Record] = MappingProxyType({})
) -> Record:
    """The Vendi Scores (cosine kernel, of the orders of `outcome.VENDI_ORDERS`) of a view, by
    pixels (of images) and by embeddings.

    The same `n` training examples are scored under every treatment, since scores grow with n; of
    fewer classes as many examples. The kernel's eigenvalues are kept, so another order is read off
    the record. Beside them stand the share of energy outside the span of the real data
    (`ddiv.span`) and, of embeddings, the alignment with the real data under each definition
    (`ddiv.diversity.weighted`), but not for fewer classes, where they would tell the classes. Both
    compare the half of the places whose real examples are not the reference with the other half's
    plain real examples.
    """
    from ddiv.diversity import VendiResult, alignment
    from ddiv.diversity.entropy import score_of
    from ddiv.diversity.rows import backend
    from ddiv.diversity.spectrum import spectrum as kernel_spectrum
    from ddiv.outcome import VENDI_ORDERS, Vendi
    from ddiv.outcome.kinds import Alignment

    started, where = time.time(), scored_on(device)
    seen = _seen(view, records)
    scores, settings, arrays, outside, aligned = {}, {}, {}, {}, {}
    for space in spaces_of(seen.inputs):
        rows, embedder, preprocessing = vectors(
            seen.inputs, space, view.embedder, view.data, device
        )
        found = kernel_spectrum(rows, "cosine", None, None, backend(where))
        scores |= {Vendi(space, order).key: score_of(found.p, order) for order in VENDI_ORDERS}
        settings[space] = asdict(
            VendiResult(scores[space], found.n, 1.0, found.kernel, embedder, preprocessing)
        )
        arrays[f"eigenvalues/{space}"] = found.p[found.p > 0]
        if seen.fresh is None:
            continue
        shown, reference = (
            _unit(rows[seen.fresh]),
            _reference(view.data, space, view.embedder, device),
        )
        outside |= {Outside(space, held).key: reference.span.outside(shown, held) for held in HELD}
        if space == "embedding":
            for definition in get_args(Alignment):
                labels = {"labels": seen.labels[seen.fresh], "original_labels": reference.labels}
                found = alignment(
                    shown,
                    reference.rows,
                    definition,
                    device=where,
                    **labels if definition == "centroid" else {},
                )
                aligned[definition] = found.rho
    facts = {
        "vendi": scores,
        "outside": outside,
        "alignment": aligned,
        "settings": settings,
        "provenance": provenance(device, started),
    }
    return Record(view, facts, arrays)


def fitting_half(labels: np.ndarray) -> np.ndarray:
    """Which of the real examples (n,) are the reference: every other one of each class, from its
    first. bool (n,).
    """
    half = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        half[np.flatnonzero(labels == label)[::2]] = True
    return half


class Reference(NamedTuple):
    """The fitting half of a training set as vectors of length 1 (the Vendi kernel's cosine), its
    labels and principal axes.
    """

    rows: np.ndarray
    labels: np.ndarray
    span: Span


@lru_cache(maxsize=8)
def _reference(data: Data, space: Space, embedder: Embedder, device: torch.device) -> Reference:
    real = load(data)
    half = fitting_half(real.labels)
    rows = _unit(vectors(real.inputs[half], space, embedder, data, device).rows)
    return Reference(rows, real.labels[half], Span.of(rows))


def _seen(view: View, records: Mapping[Job, Record]) -> Seen:
    part = view.treatment.part(Classes)
    if part:
        inputs, labels = of_classes(view.data, part.count, view.n, view.seed)
        fresh = None
    else:
        data = load(view.data)
        if view.n > len(data.inputs):
            raise TrialFailed(
                f"a view of {view.n} examples was asked for, but the training set has "
                f"{len(data.inputs)}. Lower the study's `view_size`."
            )
        shown = training_set(data, view.treatment, view.seed, synthetic_data(view, records))
        chosen = torch.randperm(len(shown.inputs), generator=generator(0, "view"))[: view.n].numpy()
        inputs, labels, fresh = (
            shown.inputs[chosen],
            shown.labels[chosen],
            ~fitting_half(data.labels)[chosen],
        )
    if augmentation := view.treatment.part(Augmentation):
        inputs, _ = augmented(augmentation.name, inputs, generator(view.seed, "augmentation"))
    return Seen(inputs, labels, fresh)


def of_classes(spec: Data, count: int, n: int, seed: int) -> Shown:
    """`n` training examples of `count` classes that the seed draws, as equal in number as can be.

    The worlds draw as many of a class as are needed; of other data the seed draws them too. Raises
    TrialFailed where there are not so many classes, or not so many examples of one.
    """
    rng = np.random.default_rng(stream(seed, "classes"))
    data, places = load(spec), []
    chosen = _draw(rng, np.unique(data.labels), count)
    labels = chosen[np.sort(np.arange(n) % count)]
    if (drawn := drawn_at_will(spec, labels)) is not None:
        return Shown(drawn, labels)
    for label, take in zip(chosen, np.bincount(np.arange(n) % count, minlength=count)):
        found = rng.permutation(np.flatnonzero(data.labels == label))
        if len(found) < take:
            raise TrialFailed(
                f"{take} training examples of the class {data.classes[label]} are needed for a view of {n} examples "
                f"of {count} classes, and there are {len(found)}: leave out the smallest of the study's "
                "`class_counts`, or lower its `view_size`"
            )
        places.extend(found[:take])
    return Shown(data.inputs[places], data.labels[places])


def _draw(rng: np.random.Generator, classes: np.ndarray, count: int) -> np.ndarray:
    if count > len(classes):
        raise TrialFailed(
            f"{count} classes were asked for, and the data has {len(classes)}: lower the study's "
            "`class_counts`"
        )
    return np.sort(rng.permutation(classes)[:count])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
