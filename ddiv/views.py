"""From a `View` to a `Record`: the diversity of the training set as a treatment shows it. Nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

import torch
from torch.nn import functional as F

from ddiv.backbone import clip_model
from ddiv.datasets import load
from ddiv.draws import generator
from ddiv.errors import TrialFailed
from ddiv.mixing import augmented
from ddiv.shown import synthetic_images, training_set
from ddiv.store import Record
from ddiv.train import provenance
from ddiv.treatment import Augmentation
from ddiv.trial import Job, View


def diversity(view: View, device: torch.device, records: Mapping[Job, Record] = MappingProxyType({})) -> Record:
    """The Vendi Scores (cosine kernel, of the orders of `outcome.VENDI_ORDERS`) of a view, by pixels and by CLIP embeddings.

    The same `n` training images are scored under every augmentation, since scores grow with n. Images
    that are smaller or larger than the embedder's input are resized bilinearly for the embedding only.
    The kernel's eigenvalues are kept, so another order is read off the record.
    """
    from ddiv.diversity import VendiResult, black_apart, pixel_vectors
    from ddiv.diversity.entropy import score_of
    from ddiv.diversity.rows import backend
    from ddiv.diversity.spectrum import spectrum as kernel_spectrum
    from ddiv.models.clip import encode_images
    from ddiv.outcome import VENDI_ORDERS, Vendi

    started = time.time()
    data = load(view.data)
    if view.n > len(data.images):
        raise TrialFailed(f"a view of {view.n} images was asked for, but the training set has "
                          f"{len(data.images)}. Lower the study's `view` size.")
    shown = training_set(data, view.treatment, view.seed, synthetic_images(view, records))
    chosen = torch.randperm(len(shown.images), generator=generator(0, "view"))[:view.n]
    images = torch.from_numpy(shown.images)[chosen]
    if augmentation := view.treatment.part(Augmentation):
        images, _ = augmented(augmentation.name, images, generator(view.seed, "augmentation"))
    clip = clip_model(view.embedder).to(device)
    side = clip.visual.image_size[0]
    resized = images
    if images.shape[-1] != side:
        resized = F.interpolate(images.float(), (side, side), mode="bilinear").round().to(torch.uint8)
    vectors = {
        "pixel": (black_apart(pixel_vectors(images.numpy())), "pixels",
                  "scaled to [0, 1], flattened; black images equal to each other, unlike all others"),
        "embedding": (encode_images(clip, resized.numpy()), f"clip {view.embedder.weights[:12]}",
                      f"bilinear to {side} px, mean .5, deviation .25")}
    scores, settings, arrays = {}, {}, {}
    for space, (rows, embedder, preprocessing) in vectors.items():
        found = kernel_spectrum(rows, "cosine", None, None, backend("auto"))
        scores |= {Vendi(space, order).key: score_of(found.p, order) for order in VENDI_ORDERS}
        settings[space] = asdict(VendiResult(scores[space], found.n, 1.0, found.kernel, embedder, preprocessing))
        arrays[f"eigenvalues/{space}"] = found.p[found.p > 0]
    facts = {"vendi": scores, "settings": settings, "provenance": provenance(device, started)}
    return Record(view, facts, arrays)
