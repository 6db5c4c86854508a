"""From a `View` to a `Record`: the diversity of the training set as a treatment shows it. Nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import torch
from torch.nn import functional as F

from ddiv.backbone import clip_model
from ddiv.datasets import load
from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.mixing import augmented
from ddiv.shown import Shown, synthetic_images, training_set
from ddiv.span import HELD, Outside, Span
from ddiv.store import Record
from ddiv.study import Clip, Data, World
from ddiv.train import provenance
from ddiv.treatment import Augmentation, Classes
from ddiv.trial import Job, View

SPACES = ("pixel", "embedding")


def diversity(view: View, device: torch.device, records: Mapping[Job, Record] = MappingProxyType({})) -> Record:
    """The Vendi Scores (cosine kernel, of the orders of `outcome.VENDI_ORDERS`) of a view, by pixels and by CLIP embeddings.

    The same `n` training images are scored under every treatment, since scores grow with n; of fewer classes as many
    images. The kernel's eigenvalues are kept, so another order is read off the record. Beside them stands the share of
    energy outside the span of the real images (`ddiv.span`), but for fewer classes, where it would tell the classes.
    """
    from ddiv.diversity import VendiResult
    from ddiv.diversity.entropy import score_of
    from ddiv.diversity.rows import backend
    from ddiv.diversity.spectrum import spectrum as kernel_spectrum
    from ddiv.outcome import VENDI_ORDERS, Vendi

    started = time.time()
    images, of_reference = _images(view, records)
    scores, settings, arrays, outside = {}, {}, {}, {}
    for space in SPACES:
        rows, embedder, preprocessing = _vectors(images, space, view.embedder, device)
        found = kernel_spectrum(rows, "cosine", None, None, backend("auto"))
        scores |= {Vendi(space, order).key: score_of(found.p, order) for order in VENDI_ORDERS}
        settings[space] = asdict(VendiResult(scores[space], found.n, 1.0, found.kernel, embedder, preprocessing))
        arrays[f"eigenvalues/{space}"] = found.p[found.p > 0]
        if of_reference is not None:
            span, shown = real_span(view.data, space, view.embedder, device), _unit(rows[of_reference])
            outside |= {Outside(space, held).key: span.outside(shown, held) for held in HELD}
    facts = {"vendi": scores, "outside": outside, "settings": settings, "provenance": provenance(device, started)}
    return Record(view, facts, arrays)


def fitting_half(labels: np.ndarray) -> np.ndarray:
    """Which of the real images (n,) the span is fitted to: every other one of each class, from its first. bool (n,)."""
    half = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        half[np.flatnonzero(labels == label)[::2]] = True
    return half


@lru_cache(maxsize=8)
def real_span(data: Data, space: str, embedder: Clip, device: torch.device) -> Span:
    """The principal axes of the fitting half of a training set, as vectors of length 1 (the Vendi kernel's cosine)."""
    real = load(data)
    images = torch.from_numpy(real.images[fitting_half(real.labels)])
    return Span.of(_unit(_vectors(images, space, embedder, device)[0]))


def _images(view: View, records: Mapping[Job, Record]) -> tuple[torch.Tensor, np.ndarray | None]:
    """The images (n, 3, h, w) of a view, and which of them stand where the span was not fitted (None: no matter)."""
    part = view.treatment.part(Classes)
    if part:
        images, of_reference = torch.from_numpy(of_classes(view.data, part.count, view.n, view.seed).images), None
    else:
        data = load(view.data)
        if view.n > len(data.images):
            raise TrialFailed(f"a view of {view.n} images was asked for, but the training set has "
                              f"{len(data.images)}. Lower the study's `view` size.")
        shown = training_set(data, view.treatment, view.seed, synthetic_images(view, records))
        chosen = torch.randperm(len(shown.images), generator=generator(0, "view"))[:view.n]
        images, of_reference = torch.from_numpy(shown.images)[chosen], ~fitting_half(data.labels)[chosen.numpy()]
    if augmentation := view.treatment.part(Augmentation):
        images, _ = augmented(augmentation.name, images, generator(view.seed, "augmentation"))
    return images, of_reference


def of_classes(spec: Data, count: int, n: int, seed: int) -> Shown:
    """`n` training images of `count` classes that the seed draws, as equal in number as can be.

    The image world draws as many of a class as are needed; of other data the seed draws them too. Raises TrialFailed
    where there are not so many classes, or not so many images of one.
    """
    rng = np.random.default_rng(stream(seed, "classes"))
    if isinstance(spec, World):
        from ddiv.data.world import DOMAINS, FINETUNE_CLASSES, render

        chosen = _draw(rng, np.arange(len(FINETUNE_CLASSES)), count)
        labels = chosen[np.sort(np.arange(n) % count)]
        return Shown(render(FINETUNE_CLASSES, labels, DOMAINS[0], 2 * spec.seed), labels)
    data, places = load(spec), []
    chosen = _draw(rng, np.unique(data.labels), count)
    for label, take in zip(chosen, np.bincount(np.arange(n) % count, minlength=count)):
        found = rng.permutation(np.flatnonzero(data.labels == label))
        if len(found) < take:
            raise TrialFailed(f"{take} training images of the class {data.classes[label]} are needed for a view of {n} images "
                              f"of {count} classes, and there are {len(found)}: leave out the smallest of the study's "
                              "`class_counts`, or lower its `view_size`")
        places.extend(found[:take])
    return Shown(data.images[places], data.labels[places])


def _draw(rng: np.random.Generator, classes: np.ndarray, count: int) -> np.ndarray:
    if count > len(classes):
        raise TrialFailed(f"{count} classes were asked for, and the data has {len(classes)}: lower the study's "
                          "`class_counts`")
    return np.sort(rng.permutation(classes)[:count])


def _vectors(images: torch.Tensor, space: str, embedder: Clip, device: torch.device) -> tuple[np.ndarray, str, str]:
    """Images uint8 (n, 3, h, w) as vectors (n, d) of a space, with the names of what made them and of what was done before.

    Images that are smaller or larger than the embedder's input are resized bilinearly, for the embedding only.
    """
    if space == "pixel":
        from ddiv.diversity import black_apart, pixel_vectors

        return (black_apart(pixel_vectors(images.numpy())), "pixels",
                "scaled to [0, 1], flattened; black images equal to each other, unlike all others")
    from ddiv.models.clip import encode_images

    clip = clip_model(embedder).to(device)
    side = clip.visual.image_size[0]
    if images.shape[-1] != side:
        images = F.interpolate(images.float(), (side, side), mode="bilinear").round().to(torch.uint8)
    return (encode_images(clip, images.numpy()), f"clip {embedder.weights[:12]}",
            f"bilinear to {side} px, mean .5, deviation .25")


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
