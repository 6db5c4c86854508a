"""What jobs cost on the device at hand, measured by a few real steps of each.

`ddiv.run.forecast` asks for it where no stored record tells the cost.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from ddiv.common.texts import are_texts
from ddiv.data.dataset import Shown
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.models.embedders import scored_on, spaces_of, vectors
from ddiv.models.shipped import embedded_weights
from ddiv.run.cost import Cost, NotCalibrated
from ddiv.run.trying import tried
from ddiv.study import Backbone, Bert, Clip, Data, Embedder, Recipe, Space
from ddiv.treatment import (
    Added,
    Captioned,
    Flow,
    Generator,
    NGram,
    Part,
    Setting,
    Treatment,
    is_built_in,
)
from ddiv.trial import DataView, Experiment, GeneratorFit, Job, Samples, Trial, truncation
from ddiv.trial.batches import require_batches
from ddiv.trial.devices import prepare
from ddiv.trial.hooks import Shows, as_given, batch_shown, changed_network
from ddiv.trial.inputs import Examples, tensor
from ddiv.trial.schedule import schedule
from ddiv.trial.steps import WARM_UP, Steps, own_stream, precision
from ddiv.trial.tabled import is_tabled
from ddiv.trial.train import log_probabilities, spectrum
from ddiv.trial.training_set import reference
from ddiv.trial.view import require_examples

# The hooks of a part that a step of training takes longer by.
IN_STEP = ("network", "optimiser", "loss", "penalty", "gradients")

# A piece of work is repeated until it took this long in all.
ENOUGH_SECONDS = 0.15

# How many inputs are evaluated, vectors scored and texts written.
EVALUATED, SCORED, WRITTEN = 64, 128, 250

# Images are augmented in portions of as many bytes as `ddiv.treatment.images` takes at once.
DRAWN_BYTES = {"cpu": 1 << 23, "cuda": 1 << 27}

FLOW_STEPS = 20  # training steps of a generator of images

TABLE_SECONDS, TABLE_BYTES = 0.02, 50_000  # to read two tables of a hundred layers

TEXT_BYTES = 10_000  # the facts of a record: layers, losses, provenance


def cost(job: Job, device: torch.device) -> Cost:
    """The cost of a job on a machine where nothing else runs.

    Raises NotCalibrated, and the errors of loading its data or its model.
    """
    if is_tabled(job):
        return Cost(TABLE_SECONDS, TABLE_BYTES)
    prepare(device)
    match job:
        case Trial():
            return _trial(job, device)
        case DataView():
            return _view(job, device)
        case GeneratorFit():
            return _fit(job, device)
        case Samples():
            return _samples(job, device)
        case Experiment():
            return Cost(tried(job, device), TEXT_BYTES)


def _now(device: torch.device) -> float:
    """Seconds of a clock.

    On a processor it counts this process's own work, so it stands still while other processes run.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def _timed(work: Callable[[], object], device: torch.device) -> float:
    """Median seconds of a piece of work; where it is quick, without the first run, a warm-up."""
    spent: list[float] = []
    while not spent or sum(spent) < ENOUGH_SECONDS:
        started = _now(device)
        work()
        spent.append(_now(device) - started)
    return median(spent[1:] or spent)


# --- trials -------------------------------------------------------------------------------------


class Pace(NamedTuple):
    """Seconds to build a network, take a training step, evaluate one input and find all spectra.

    `eigenvalues` is the number of eigenvalues in these spectra.
    """

    build: float
    step: float
    evaluation: float
    spectra: float
    eigenvalues: int


@lru_cache
def pace(
    data: Data, backbone: Backbone, recipe: Recipe, device: torch.device, own: tuple[Part, ...] = ()
) -> Pace:
    """The pace of training by a recipe, with these parts of a user's own.

    Of the recipe only the batch size matters.
    """
    loaded = load(data)
    started = _now(device)
    network, sites = build(backbone, loaded.classes)
    changed_network(network, sites, Treatment.of(*own))
    built = _now(device) - started
    on_gpu, count = device.type == "cuda", max(recipe.batch, EVALUATED)
    with own_stream(device):
        shown = Shown(loaded.inputs[:count], loaded.labels[:count])
        examples = Examples.of(shown, backbone, device)
        batch = next(examples.epoch(torch.arange(len(examples)), recipe.batch))
        capture = on_gpu and not are_texts(loaded.inputs)
        take_step = Steps(network, recipe, own, 1_000_000, device, precision(device), capture)
        if not are_texts(loaded.inputs):
            tests = {name: tensor(inputs, backbone) for name, (inputs, _) in loaded.tests.items()}
            kept = reference(Shown(loaded.inputs, loaded.labels), 0).inputs
            evaluated = {"the reference set": tensor(kept, backbone), **tests}
            inputs = tensor(loaded.inputs, backbone)
            require_batches(network, inputs, recipe.batch, evaluated, device)
        network.train()
        for _ in range(WARM_UP + 2 if on_gpu else 0):
            take_step(*batch)
        step = _timed(lambda: take_step(*batch), device)
        network.eval()
        evaluation = _timed(lambda: log_probabilities(network, examples.inputs), device)
        by_matrix = spectrum(network) if on_gpu else {}  # on a GPU the first loads solvers
        spectra = _timed(lambda: by_matrix.update(spectrum(network)), device)
        eigenvalues = sum(map(len, by_matrix.values()))
        return Pace(built, step, evaluation / len(examples), spectra, eigenvalues)


@lru_cache
def drawing(
    data: Data, backbone: Backbone, batch: int, parts: tuple[Part, ...], device: torch.device
) -> float:
    """Seconds per example and epoch to draw batches as parts show them, without the steps."""
    loaded = load(data)
    if are_texts(loaded.inputs):
        portion = WRITTEN
    else:
        portion = DRAWN_BYTES[device.type] // loaded.inputs[0].nbytes
    count = max(batch, portion)
    shown = Shown(loaded.inputs[:count], loaded.labels[:count])
    examples = Examples.of(shown, backbone, device)
    shows = [Shows(part, torch.Generator(examples.drawn_on)) for part in parts]

    def epoch() -> None:
        for _ in examples.epoch(torch.arange(len(examples)), batch, shows):
            pass

    return _timed(epoch, device) / len(examples)


def pace_of(job: Trial, device: torch.device) -> Pace:
    """The pace of a trial; trials that differ only in what doesn't matter to it share one."""
    recipe = msgspec.structs.replace(job.recipe, batch=job.batch, epochs=1, checkpoints=())
    own = [part for part in job.treatment.acting if not is_built_in(part)]
    in_step = tuple(part for part in own if not part.hooks.isdisjoint(IN_STEP))
    return pace(job.data, job.backbone, recipe, device, in_step)


def _trial(job: Trial, device: torch.device) -> Cost:
    data, treatment = load(job.data), job.treatment
    times, parts = pace_of(job, device), treatment.with_hook("batch")
    drawn = drawing(job.data, job.backbone, job.batch, parts, device)
    inputs, tests = len(data.inputs), sum(len(labels) for _, labels in data.tests.values())
    more = treatment.part(Added)
    steps = schedule(job, inputs + round(more.share * inputs) if more else inputs)
    points = 1 + len(steps.checkpoints)
    evaluated = points * (inputs / 2 + tests)  # the reference set is half of the training set
    trained = steps.last * (times.step + job.batch * drawn) + evaluated * times.evaluation
    spectra = (points + 1) * times.spectra
    # The trained baseline is evaluated again without parts of its spectra
    # (`ddiv.trial.truncation`).
    if treatment.is_baseline:
        cut = 1 + len(truncation.TAILS) * len(truncation.REMOVED)
        trained += 2 * truncation.IMAGES * cut * times.evaluation + 2 * times.spectra
    # What outcomes of a user's own take is not known; most go forward and back through the network.
    trained += 3 * len(job.outcomes) * (points + 1) * inputs * times.evaluation
    eigenvalues = 8 * times.eigenvalues * (points + 1)
    probabilities = 4 * tests * (1 + points * len(data.classes))
    return Cost(times.build + trained + spectra, TEXT_BYTES + eigenvalues + probabilities)


# --- what is not trained ------------------------------------------------------------------------


@lru_cache
def scoring(data: Data, space: Space, embedder: Embedder, n: int, device: torch.device) -> float:
    """Seconds to make vectors of n inputs and to find their kernel's eigenvalues."""
    from ddiv.diversity.rows import backend
    from ddiv.diversity.spectrum import spectrum as of_kernel

    where = backend(scored_on(device))
    some = load(data).inputs[: min(n, SCORED)]
    rows = vectors(some, space, embedder, data, device).rows
    made = _timed(lambda: vectors(some, space, embedder, data, device), device)
    scored = _timed(lambda: of_kernel(rows, "cosine", None, None, where), device)
    tried, width = len(rows), int(rows.shape[1])
    return made * n / tried + scored * n * min(n, width) / (tried * min(tried, width))


def _view(job: DataView, device: torch.device) -> Cost:
    require_examples(job)
    inputs = load(job.data).inputs[: min(job.n, SCORED)]
    spaces = spaces_of(inputs)
    seconds = sum(scoring(job.data, space, job.embedder, job.n, device) for space in spaces)
    if shows := [Shows(part, torch.Generator()) for part in job.treatment.with_hook("batch")]:
        drawn = _timed(lambda: batch_shown(as_given(inputs), shows), device)
        seconds += drawn * job.n / len(inputs)
    return Cost(seconds, TEXT_BYTES + 8 * job.n * len(spaces))


@lru_cache
def _generator(
    data: Data, spec: Flow | NGram, device: torch.device
) -> tuple[dict[str, np.ndarray], Cost]:
    """The weights of a generator trained a little, and the cost of training it in full."""
    loaded, started = load(data), _now(device)
    classes = len(loaded.classes)
    if isinstance(spec, NGram):
        from ddiv.generate import ngram

        count = min(WRITTEN, len(loaded.inputs))
        texts = loaded.inputs[:count].tolist()
        weights = ngram.fit(texts, loaded.labels[:count], classes, spec).weights
        share = count / len(loaded.inputs)
        size = _bytes(weights) / share  # a language model grows with its texts
    else:
        from ddiv.generate import flow

        count = min(2 * spec.batch, len(loaded.inputs))
        inputs, labels = loaded.inputs[:count], loaded.labels[:count]
        brief = msgspec.structs.replace(spec, steps=FLOW_STEPS)
        weights = flow.fit(inputs, labels, classes, brief, device).weights
        share = FLOW_STEPS / spec.steps
        size = _bytes(weights)
    return weights, Cost((_now(device) - started) / share, size)


def _bytes(arrays: Mapping[str, np.ndarray]) -> float:
    return sum(array.nbytes for array in arrays.values())


def _fit(job: GeneratorFit, device: torch.device) -> Cost:
    return _generator(job.data, msgspec.structs.replace(job.generator, seed=0), device)[1]


def _samples(job: Samples, device: torch.device) -> Cost:
    loaded = load(job.data)
    n, texts = len(loaded.inputs), are_texts(loaded.inputs)
    embedder = Bert(embedded_weights("bert")) if texts else Clip(embedded_weights())
    drawn = _drawn(job.data, job.generator, job.setting, device)
    # The quality of the samples is judged on embeddings of three sets: the samples, the training
    # set and the tests (`ddiv.generate.quality`).
    judged = 3 * scoring(job.data, "embedding", embedder, n, device)
    size = sum(map(len, loaded.inputs)) if texts else loaded.inputs.nbytes
    return Cost(drawn * n + judged, TEXT_BYTES + size + 4 * n)


def _drawn(data: Data, spec: Generator, setting: Setting, device: torch.device) -> float:
    """Seconds to draw one sample."""
    if not isinstance(spec, Flow | NGram | Captioned):
        raise NotCalibrated(f"from {spec.label}, which is not tried here")
    loaded = load(data)
    if isinstance(spec, Captioned):
        from ddiv.generate import captioned

        model, side = captioned.shipped(spec), loaded.inputs.shape[-1]
        labels = loaded.labels[:WRITTEN].astype(np.int32)
        started = _now(device)
        captioned.sample(model, loaded.classes, setting, labels, side, 0, device)
        return (_now(device) - started) / len(labels)
    weights, _ = _generator(data, msgspec.structs.replace(spec, seed=0), device)
    labels = loaded.labels[:WRITTEN].astype(np.int32)
    started = _now(device)
    if isinstance(spec, NGram):
        from ddiv.generate import ngram

        texts = loaded.inputs[:WRITTEN].tolist()
        ngram.sample(weights, setting, labels, (texts, labels), 0)
    else:
        from ddiv.generate import flow

        classes, side = len(loaded.classes), loaded.inputs.shape[-1]
        flow.sample(weights, classes, spec, setting, labels, side, 0, device)
    return (_now(device) - started) / len(labels)


# --- the machine --------------------------------------------------------------------------------


def peak_memory(jobs: Iterable[Job]) -> int:
    """Bytes of main memory that a worker holds at most with these jobs.

    This process's peak, and the bytes that whole views add to it. A view of pixels is held two and
    a half times as float64: the vectors, the scaled vectors, and the half that is compared.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    added = [0]
    for job in jobs:
        if isinstance(job, DataView) and job.n > SCORED:
            inputs = load(job.data).inputs
            if not are_texts(inputs):
                added.append(int(20 * (job.n - SCORED) * inputs[0].size))
    return peak + max(added)


def peak_on_card(device: torch.device) -> int | None:
    """The most bytes of the GPU's memory that torch held for this process; None on a processor."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
