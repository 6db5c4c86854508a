"""What jobs cost on the device at hand, by a few real steps of each: for what no stored record
tells (`ddiv.forecast`).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from ddiv import truncation
from ddiv.backbone import build
from ddiv.datasets import Shown, are_texts, load
from ddiv.forecast import Cost
from ddiv.inputs import Examples, augmented
from ddiv.measure import prepare
from ddiv.models import embedded_weights
from ddiv.source import Flow, Generator, NGram, Setting
from ddiv.steps import WARM_UP, Steps, own_stream, precision
from ddiv.study import Backbone, Bert, Clip, Data, Embedder, Recipe, Space
from ddiv.train import log_probabilities, schedule, spectra_of
from ddiv.treatment import Augmentation
from ddiv.trial import GeneratorFit, Job, Samples, Trial, View
from ddiv.vectors import scored_on, spaces_of, vectors

# Work is repeated until it took this long, but for what takes longer at once.
ENOUGH_SECONDS = 0.15
EVALUATED, SCORED, WRITTEN = 64, 128, 250  # inputs, vectors and texts that are tried
# augmented at once, as much as `ddiv.augment` takes at once
DRAWN_BYTES = {"cpu": 1 << 23, "cuda": 1 << 27}
FLOW_STEPS = 20
TEXT_BYTES = 10_000  # of a record's facts: layers, losses, provenance


class NotCalibrated(ValueError):
    """What a job costs is not tried; the message says of what."""


def cost(job: Job, device: torch.device) -> Cost:
    """What a job costs where nothing else runs.

    Raises NotCalibrated, and what loading its data or its model raises.
    """
    prepare(device)
    match job:
        case Trial():
            return _trial(job, device)
        case View():
            return _view(job, device)
        case GeneratorFit():
            return _fit(job, device)
        case Samples():
            return _samples(job, device)


def _now(device: torch.device) -> float:
    """Seconds of a clock: on a processor of this process's work, which doesn't go on while others
    have their turn.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def _timed(work: Callable[[], object], device: torch.device) -> float:
    """Median seconds of a piece of work; what is quick is done once more beforehand, to warm up."""
    spent: list[float] = []
    while not spent or sum(spent) < ENOUGH_SECONDS:
        started = _now(device)
        work()
        spent.append(_now(device) - started)
    return median(spent[1:] or spent)


# --- trials -------------------------------------------------------------------------------------


class Pace(NamedTuple):
    """Seconds to build a network, take a training step, evaluate one input, find all eigenvalues;
    and their number.
    """

    build: float
    step: float
    evaluation: float
    spectra: float
    eigenvalues: int


@lru_cache
def pace(data: Data, backbone: Backbone, recipe: Recipe, device: torch.device) -> Pace:
    """The pace of training by a recipe, of which the batch matters."""
    loaded = load(data)
    started = _now(device)
    network, _ = build(backbone, loaded.classes)
    built = _now(device) - started
    on_gpu, count = device.type == "cuda", max(recipe.batch, EVALUATED)
    with own_stream(device), ThreadPoolExecutor(1) as pool:
        examples = Examples.of(
            Shown(loaded.inputs[:count], loaded.labels[:count]), backbone, device
        )
        batch = next(
            examples.epoch(torch.arange(len(examples)), recipe.batch, None, torch.Generator(device))
        )
        take_step = Steps(
            network,
            recipe,
            0.0,
            1_000_000,
            device,
            precision(device),
            capture=on_gpu and not are_texts(loaded.inputs),
        )
        network.train()
        for _ in range(WARM_UP + 2 if on_gpu else 0):
            take_step(*batch)
        step = _timed(lambda: take_step(*batch), device)
        network.eval()
        evaluation = _timed(lambda: log_probabilities(network, examples.inputs), device) / len(
            examples
        )
        beside = pool if on_gpu else None  # as in a trial
        found: dict[str, np.ndarray] = {}
        spectra = _timed(lambda: found.update(spectra_of(network, beside)()), device)
        return Pace(built, step, evaluation, spectra, sum(map(len, found.values())))


@lru_cache
def drawing(
    data: Data, backbone: Backbone, batch: int, augmentation: str | None, device: torch.device
) -> float:
    """Seconds of an epoch an example, without its steps."""
    loaded = load(data)
    count = max(
        batch,
        DRAWN_BYTES[device.type] // loaded.inputs[0].nbytes
        if loaded.inputs.dtype != object
        else WRITTEN,
    )
    examples = Examples.of(Shown(loaded.inputs[:count], loaded.labels[:count]), backbone, device)
    order, draws = torch.arange(len(examples)), torch.Generator(examples.drawn_on)
    return _timed(
        lambda: [None for _ in examples.epoch(order, batch, augmentation, draws)], device
    ) / len(examples)


def pace_of(job: Trial, device: torch.device) -> Pace:
    """The pace of a trial; trials that differ in what doesn't matter to it share one."""
    recipe = msgspec.structs.replace(job.recipe, batch=job.batch, epochs=1, checkpoints=())
    return pace(job.data, job.backbone, recipe, device)


def _trial(job: Trial, device: torch.device) -> Cost:
    data, treatment = load(job.data), job.treatment
    one, augmentation = pace_of(job, device), treatment.part(Augmentation)
    drawn = drawing(job.data, job.backbone, job.batch, augmentation and augmentation.name, device)
    inputs, tests = len(data.inputs), sum(len(labels) for _, labels in data.tests.values())
    steps = schedule(job, inputs)
    points = 1 + len(steps.checkpoints)
    trained = (
        steps.last * (one.step + job.batch * drawn) + points * (inputs + tests) * one.evaluation
    )
    spectra = (points + 1) * one.spectra
    if treatment.is_baseline:  # what is left of it without parts of its spectra (`ddiv.truncation`)
        cut = 1 + len(truncation.TAILS) * len(truncation.REMOVED)
        trained += 2 * truncation.IMAGES * cut * one.evaluation + 2 * one.spectra
    # On a GPU spectra are computed on the processor meanwhile.
    seconds = one.build + (max(trained, spectra) if device.type == "cuda" else trained + spectra)
    return Cost(
        seconds,
        TEXT_BYTES
        + 8 * one.eigenvalues * (points + 1)
        + 4 * tests * (1 + points * len(data.classes)),
    )


# --- what is not trained ------------------------------------------------------------------------


@lru_cache
def scoring(data: Data, space: Space, embedder: Embedder, n: int, device: torch.device) -> float:
    """Seconds to make vectors of n inputs and to find their kernel's eigenvalues."""
    from ddiv.diversity.rows import backend
    from ddiv.diversity.spectrum import spectrum

    some = load(data).inputs[: min(n, SCORED)]
    rows = vectors(some, space, embedder, data, device).rows
    made = _timed(lambda: vectors(some, space, embedder, data, device), device)
    scored = _timed(
        lambda: spectrum(rows, "cosine", None, None, backend(scored_on(device))), device
    )
    size = rows.shape[1]
    return made * n / len(some) + scored * n * min(n, size) / (len(some) * min(len(some), size))


def _view(job: View, device: torch.device) -> Cost:
    inputs = load(job.data).inputs[: min(job.n, SCORED)]
    spaces = spaces_of(inputs)
    seconds = sum(scoring(job.data, space, job.embedder, job.n, device) for space in spaces)
    if part := job.treatment.part(Augmentation):
        seconds += (
            _timed(lambda: augmented(part.name, inputs, torch.Generator()), device)
            * job.n
            / len(inputs)
        )
    return Cost(seconds, TEXT_BYTES + 8 * job.n * len(spaces))


@lru_cache
def _generator(
    data: Data, spec: Flow | NGram, device: torch.device
) -> tuple[dict[str, np.ndarray], Cost]:
    """A generator trained a little, and what training it in full costs."""
    loaded, started = load(data), _now(device)
    if isinstance(spec, NGram):
        from ddiv.generate import ngram

        count = min(WRITTEN, len(loaded.inputs))
        found = ngram.fit(loaded.inputs[:count], loaded.labels[:count], len(loaded.classes), spec)
        share = count / len(loaded.inputs)
    else:
        from ddiv.generate import flow

        count = min(2 * spec.batch, len(loaded.inputs))
        brief = msgspec.structs.replace(spec, steps=FLOW_STEPS)
        found = flow.fit(
            loaded.inputs[:count], loaded.labels[:count], len(loaded.classes), brief, device
        )
        share = FLOW_STEPS / spec.steps
    held = sum(array.nbytes for array in found.weights.values())
    return found.weights, Cost(
        (_now(device) - started) / share, held / share if isinstance(spec, NGram) else held
    )


def _fit(job: GeneratorFit, device: torch.device) -> Cost:
    return _generator(job.data, msgspec.structs.replace(job.generator, seed=0), device)[1]


def _samples(job: Samples, device: torch.device) -> Cost:
    loaded = load(job.data)
    n, texts = len(loaded.inputs), are_texts(loaded.inputs)
    embedder = Bert(embedded_weights("bert")) if texts else Clip(embedded_weights())
    drawn = _drawn(job.data, job.generator, job.setting, device)
    # Their quality is judged on embeddings of the samples, the training set and the tests
    # (`ddiv.generate.quality`).
    judged = 3 * scoring(job.data, "embedding", embedder, n, device)
    held = sum(map(len, loaded.inputs)) if texts else loaded.inputs.nbytes
    return Cost(drawn * n + judged, TEXT_BYTES + held + 4 * n)


def _drawn(data: Data, spec: Generator, setting: Setting, device: torch.device) -> float:
    """Seconds to draw one sample."""
    if not isinstance(spec, Flow | NGram):
        raise NotCalibrated(f"from {spec.label}, which is not tried here")
    loaded, (weights, _) = (
        load(data),
        _generator(data, msgspec.structs.replace(spec, seed=0), device),
    )
    labels = loaded.labels[:WRITTEN].astype(np.int32)
    started = _now(device)
    if isinstance(spec, NGram):
        from ddiv.generate import ngram

        ngram.sample(weights, setting, labels, (loaded.inputs[:WRITTEN], labels), 0)
    else:
        from ddiv.generate import flow

        flow.sample(
            weights, len(loaded.classes), spec, setting, labels, loaded.inputs.shape[-1], 0, device
        )
    return (_now(device) - started) / len(labels)


# --- the machine --------------------------------------------------------------------------------


def peak_memory(jobs: Iterable[Job]) -> int:
    """Bytes of main memory that a worker comes to hold with these jobs: this process's peak and
    what whole views add.

    A view of pixels is two and a half times in memory as float64: vectors, scaled ones, the half
    that is compared.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    views = (job for job in jobs if isinstance(job, View))
    return peak + max(
        (
            int(20 * (job.n - SCORED) * inputs[0].size)
            for job in views
            if not are_texts(inputs := load(job.data).inputs) and job.n > SCORED
        ),
        default=0,
    )


def peak_on_card(device: torch.device) -> int | None:
    """Bytes of the GPU's memory that torch has held for this process at once; None on the
    processor.
    """
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
