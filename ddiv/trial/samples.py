"""From a `GeneratorFit` or `Samples` job to a record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
import numpy as np
import torch

from ddiv.common.draws import stream
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.generate.check import checked, require_every_class
from ddiv.models.clip import clip_model
from ddiv.models.embedders import scored_on
from ddiv.models.shipped import embedded_weights
from ddiv.study import Bert, Clip
from ddiv.treatment import Captioned, Flow, NGram, OpenAI, OwnGenerator, StableDiffusion
from ddiv.trial.facts import samples_of
from ddiv.trial.job import GeneratorFit, Job, Samples, requires
from ddiv.trial.provenance import provenance, start
from ddiv.trial.store import Record
from ddiv.trial.train import Progress


def fit(
    job: GeneratorFit, device: torch.device, progress: Progress, records: Mapping[Job, Record]
) -> Record:
    """Train a generator on the real data, from round 2 on on samples of the round before, or on
    both.

    Arrays: the weights. Facts: the loss curve. Raises BadSamples where a class has no example,
    TrialFailed as `flow.fit` does.
    """
    started = start()
    data = load(job.data)
    inputs, labels = data.inputs, data.labels
    for samples in requires(job):
        inputs, labels = samples_of(records[samples])
    if job.anchored:
        inputs = np.concatenate([data.inputs, inputs])
        labels = np.concatenate([data.labels, labels])
    require_every_class(labels, data.classes)
    number = stream(job.draws, f"fit/{job.round}/{job.generator.seed}")
    spec = msgspec.structs.replace(job.generator, seed=number)
    if isinstance(spec, NGram):
        from ddiv.generate import ngram

        texts = inputs.tolist()
        weights, losses = ngram.fit(texts, labels, len(data.classes), spec, progress)
    else:
        from ddiv.generate import flow

        weights, losses = flow.fit(inputs, labels, len(data.classes), spec, device, progress)
    facts = {"losses": losses, "provenance": provenance(device, started)}
    return Record(job, facts, weights)


def sample(
    job: Samples, device: torch.device, progress: Progress, records: Mapping[Job, Record]
) -> Record:
    """Draw an example for each training example, of the same class and in the same order.

    Arrays: `images` uint8 (n, 3, h, h) or packed texts (`ddiv.common.texts`), and `labels` int32
    (n,). Facts: `quality` (`ddiv.generate.quality`, `text_quality`) and, from a model that others
    trained, `generator`. Raises BadSamples on unusable samples, and the errors of
    `stable_diffusion.sample`, `openai_texts.sample` and `captioned`.
    """
    started = start()
    data = load(job.data)
    require_every_class(data.labels, data.classes)
    if isinstance(job.generator, OwnGenerator):
        draw = _texts if are_texts(data.inputs) else _images
    else:
        draw = _texts if isinstance(job.generator, NGram | OpenAI) else _images
    arrays, facts = draw(job, data, data.labels.astype(np.int32), device, progress, records)
    return Record(job, facts | {"provenance": provenance(device, started)}, arrays)


def _images(
    job: Samples,
    data: Dataset,
    labels: np.ndarray,
    device: torch.device,
    progress: Progress,
    records: Mapping[Job, Record],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    from ddiv.generate.quality import quality

    side = data.inputs.shape[-1]
    facts: dict[str, Any] = {}
    match job.generator:
        case StableDiffusion():
            from ddiv.generate import stable_diffusion

            images, facts["generator"] = stable_diffusion.sample(
                job.generator, job.setting, data.classes, labels, side, job.draws, device, progress
            )
        case Flow():
            from ddiv.generate import flow

            (fitted,) = requires(job)
            images = flow.sample(
                records[fitted].arrays,
                len(data.classes),
                job.generator,
                job.setting,
                labels,
                side,
                job.draws,
                device,
                progress,
            )
        case Captioned():
            from ddiv.generate import captioned

            images = captioned.sample(
                captioned.shipped(job.generator),
                data.classes,
                job.setting,
                labels,
                side,
                job.draws,
                device,
                progress,
            )
        case OwnGenerator():
            from ddiv.generate import own

            images = own.sample(job.generator, job.setting, data, job.draws)
    images = checked(images, len(labels), *data.inputs.shape[2:])
    # The shipped model judges every study's samples, so that qualities can be compared.
    judge = clip_model(Clip(embedded_weights())).to(device)
    facts["quality"] = quality(images, labels, data, judge, scored_on(device))
    return {"images": images, "labels": labels}, facts


def _texts(
    job: Samples,
    data: Dataset,
    labels: np.ndarray,
    device: torch.device,
    progress: Progress,
    records: Mapping[Job, Record],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    from ddiv.common.texts import pack
    from ddiv.generate.check import checked_texts
    from ddiv.generate.text_quality import quality
    from ddiv.models.bert import embed

    facts: dict[str, Any] = {}
    match job.generator:
        case OpenAI():
            from ddiv.generate import openai_texts

            # The model may have been trained on public complaints, so it may know test texts, too.
            known = [text for texts, _ in data.tests.values() for text in texts]
            texts, facts["generator"] = openai_texts.sample(
                job.generator,
                job.setting,
                data.classes,
                labels,
                (data.inputs, data.labels),
                job.draws,
                progress,
                known=known,
            )
        case NGram():
            from ddiv.generate import ngram

            (fitted,) = requires(job)
            examples = data.inputs.tolist(), data.labels
            texts = ngram.sample(
                records[fitted].arrays, job.setting, labels, examples, job.draws, progress
            )
        case OwnGenerator():
            from ddiv.generate import own

            texts = own.sample(job.generator, job.setting, data, job.draws)
    texts = checked_texts(texts, len(labels))
    judge = partial(embed, Bert(embedded_weights("bert")), device=device)
    facts["quality"] = quality(texts, labels, data, judge, scored_on(device))
    return pack(texts) | {"labels": labels}, facts
