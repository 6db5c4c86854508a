"""From a `GeneratorFit` or `Samples` job to a record."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
import numpy as np
import torch

from ddiv.backbone import clip_model
from ddiv.datasets import load
from ddiv.draws import stream
from ddiv.generate.check import checked, require_every_class
from ddiv.generate.quality import quality
from ddiv.models import embedded_weights
from ddiv.source import StableDiffusion
from ddiv.store import Record
from ddiv.study import Clip
from ddiv.train import Progress, provenance
from ddiv.trial import GeneratorFit, Job, Samples, requires


def fit(job: GeneratorFit, device: torch.device, progress: Progress, records: Mapping[Job, Record]) -> Record:
    """Train a generator on the real training images or, from round 2 on, on the samples of the round before.

    Arrays: the weights. Facts: the loss curve. Raises BadSamples where a class has no image, TrialFailed as `flow.fit` does.
    """
    from ddiv.generate import flow

    started = time.time()
    data = load(job.data)
    images, labels = data.images, data.labels
    for samples in requires(job):
        images, labels = records[samples].arrays["images"], records[samples].arrays["labels"]
    require_every_class(labels, data.classes)
    # Each seed's chain of rounds has draws of its own, as its samples have.
    spec = msgspec.structs.replace(job.generator, seed=stream(job.generator.seed, f"fit/{job.round}/{job.seed}"))
    found = flow.fit(images, labels, len(data.classes), spec, device, progress)
    return Record(job, {"losses": found.losses, "provenance": provenance(device, started)}, found.weights)


def sample(job: Samples, device: torch.device, progress: Progress, records: Mapping[Job, Record]) -> Record:
    """Draw an image for each training image of the data, of the same class and in the same order.

    Arrays: `images` uint8 (n, 3, h, h), `labels` int32 (n,). Facts: `quality` (`ddiv.generate.quality`) and, from Stable
    Diffusion, `generator`. Raises BadSamples on unusable images, and what `stable_diffusion.sample` raises.
    """
    started = time.time()
    data = load(job.data)
    require_every_class(data.labels, data.classes)
    labels, side = data.labels.astype(np.int32), data.images.shape[-1]
    facts = {}
    if isinstance(job.generator, StableDiffusion):
        from ddiv.generate import stable_diffusion

        images, facts["generator"] = stable_diffusion.sample(
            job.generator, job.setting, data.classes, labels, side, job.seed, device, progress)
    else:
        from ddiv.generate import flow

        (fitted,) = requires(job)
        images = flow.sample(records[fitted].arrays, len(data.classes), job.generator, job.setting, labels, side, job.seed,
                             device, progress)
    images = checked(images, len(labels), side)
    # The shipped model judges every study's samples, so that qualities can be compared.
    facts["quality"] = quality(images, labels, data, clip_model(Clip(embedded_weights())).to(device))
    return Record(job, facts | {"provenance": provenance(device, started)}, {"images": images, "labels": labels})
