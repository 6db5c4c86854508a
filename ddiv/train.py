"""Train one trial and measure it: from a `Trial` to a `Record`.

One loop serves all sizes, backbones and devices. Batches are drawn from one tensor, which lies on
the device where it fits; augmentation is drawn anew for every sample in every epoch.
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ddiv import truncation
from ddiv.backbone import Network, add_dropout, build
from ddiv.datasets import Dataset, are_texts, load
from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.inputs import Examples, brought, placed, tensor
from ddiv.machine import device_name
from ddiv.shown import Shown, synthetic_data, training_set
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import shapes, skipped, weight_matrices
from ddiv.steps import Steps, computing, own_stream, precision
from ddiv.store import Record
from ddiv.treatment import Augmentation, Dropout, EarlyStop, EvaluationDropout, NoOp, WeightDecay
from ddiv.trial import Job, Trial

Progress = Callable[[float], None]
Spectra = Callable[[], dict[str, np.ndarray]]


def train(
    trial: Trial,
    device: torch.device,
    progress: Progress = lambda share: None,
    records: Mapping[Job, Record] = MappingProxyType({}),
) -> Record:
    """Train and measure one trial; `progress` is called with the share done, from 0 to 1.

    `records` holds what the trial reads (`trial.requires`). Raises TrialFailed where the loss is
    not finite.
    """
    started = time.time()
    data = load(trial.data)
    shown = training_set(
        data, trial.treatment, trial.treatment.seed(trial.seed), synthetic_data(trial, records)
    )
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), _without_denormals():
        seed = trial.treatment.seed(trial.seed)
        torch.manual_seed(stream(seed, "init"))
        network, sites = build(trial.backbone, data.classes)
        add_dropout(sites, trial.treatment.part(Dropout))
        add_dropout(sites, trial.treatment.part(EvaluationDropout))
        torch.manual_seed(stream(seed, "dropout masks"))
        measured = fit(network, data, shown, trial, device, progress)
    facts = {
        **measured.facts,
        "classes": len(data.classes),
        "domains": list(data.tests),
        "provenance": {**provenance(device, started), "precision": precision(device)},
    }
    return Record(trial, facts, measured.arrays)


@contextmanager
def _without_denormals() -> Iterator[None]:
    """The momentum of units that died decays into denormal numbers, on which a CPU spends up to 40
    % of a trial's time.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


class Measured(NamedTuple):
    """What a record holds of a training, but for where and when it was."""

    facts: dict
    arrays: dict[str, np.ndarray]


class _Point(NamedTuple):
    """A network after some epochs: eigenvalues by matrix, fit to the clean training set,
    log-probabilities by domain.
    """

    epoch: float
    spectra: Spectra
    fit: dict[str, float]
    outputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Subject:
    """A network with what it is measured on; `pool` is for spectra that are not to be waited for."""

    trial: Trial
    network: Network
    examples: Examples
    tests: Mapping[str, Tensor]
    pool: ThreadPoolExecutor | None

    def after(self, epoch: float) -> _Point:
        """Leaves the network in training mode. Raises TrialFailed where its loss is not finite."""
        self.network.eval()
        clean, labels = log_probabilities(self.network, self.examples.inputs), self.examples.labels
        fit = {
            "loss": float(F.nll_loss(clean, labels)),
            "accuracy": float((clean.argmax(1) == labels).float().mean()),
        }
        _require_finite(self.trial, epoch, fit["loss"])
        outputs = {
            domain: log_probabilities(self.network, inputs).cpu().numpy()
            for domain, inputs in self.tests.items()
        }
        self.network.train()
        return _Point(epoch, spectra_of(self.network, self.pool), fit, outputs)


def _require_finite(trial: Trial, epoch: float, loss: float) -> None:
    if not np.isfinite(loss):
        raise TrialFailed(
            f"the loss of the trial {trial.label} became {loss} within {epoch:.3g} epochs. Lower the learning rate of "
            f"its recipe (now {trial.recipe.lr:g}) or the dose of the treatment."
        )


class Schedule(NamedTuple):
    """Steps of a trial, `batches` an epoch; the learning rate is 0 after `planned`, training ends
    after `last`.

    After those in `checkpoints` the network is measured, before training where 0 is among them.
    """

    batches: int
    planned: int
    last: int
    checkpoints: frozenset[int]


def schedule(trial: Trial, examples: int) -> Schedule:
    """The steps of a trial on this many training examples."""
    recipe, stop = trial.recipe, trial.treatment.part(EarlyStop)
    batches = -(-examples // trial.batch)
    planned = recipe.epochs * batches
    last = planned if stop is None else max(1, round(stop.fraction * planned))
    # Only the baseline's trajectory is needed: every arm is matched against it at equal clean loss.
    checkpoints = frozenset(
        round(epoch * batches) for epoch in recipe.checkpoints if trial.treatment.is_baseline
    )
    return Schedule(batches, planned, last, checkpoints)


def fit(
    network: Network,
    data: Dataset,
    shown: Shown,
    trial: Trial,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> Measured:
    """Train a network on `shown` as the trial says and measure it, on the clean training set and on
    the tests of `data`.

    On a GPU spectra are computed by the processor meanwhile, of copies of the weights that wait in
    its memory for their turn. Raises TrialFailed where the loss is not finite.
    """
    recipe, treatment, texts = trial.recipe, trial.treatment, are_texts(shown.inputs)
    seed, on_gpu = treatment.seed(trial.seed), device.type == "cuda"
    with own_stream(device), ThreadPoolExecutor(1) as pool:
        examples = Examples.of(shown, trial.backbone, device)
        tests = placed(
            (tensor(inputs, trial.backbone) for inputs, _ in data.tests.values()),
            device,
            [examples.inputs],
        )
        tests = dict(zip(data.tests, tests))
        subject = _Subject(trial, network, examples, tests, pool if on_gpu else None)
        batches, planned, last, checkpoints = schedule(trial, len(examples))
        decay, augmentation = map(treatment.part, (WeightDecay, Augmentation))
        # Not of texts: a BERT cuts off a batch's common padding, so hardly two batches are of one
        # shape.
        take_step = Steps(
            network,
            recipe,
            decay.value if decay else 0.0,
            planned,
            device,
            precision(device),
            capture=on_gpu and not texts,
        )
        order = generator(seed, "no-op order" if treatment.part(NoOp) else "order")
        draws = torch.Generator(examples.drawn_on).manual_seed(stream(seed, "augmentation"))
        before, losses, step = spectra_of(network, subject.pool), [], 0
        trajectory = [subject.after(0.0)] if 0 in checkpoints else []
        network.train()
        while step < last:
            total = torch.zeros((), device=device)
            shuffled = torch.randperm(len(examples), generator=order)
            for batch in islice(
                examples.epoch(shuffled, trial.batch, augmentation and augmentation.name, draws),
                last - step,
            ):
                total += take_step(*batch) * len(batch[0])
                step += 1
                if step in checkpoints:
                    trajectory.append(subject.after(step / batches))
            losses.append(float(total) / len(examples))
            _require_finite(trial, step / batches, losses[-1])
            progress(step / last)
        after, further = subject.after(step / batches), {}
        if treatment.is_baseline:
            domain, (_, truth) = next(iter(data.tests.items()))
            domains = {
                "train": (examples.inputs, examples.labels),
                "id": (tests[domain], torch.from_numpy(truth).long().to(device)),
            }
            further["truncated"] = truncation.measure(
                network, domains, generator(seed, "truncation")
            )
        # Last, as it waits for the spectra that the pool has still to compute.
        measured = _measured(subject, data, before(), trajectory, losses, after)
        measured.facts.update(further)
    return measured


def _measured(
    subject: _Subject,
    data: Dataset,
    before: dict[str, np.ndarray],
    trajectory: list[_Point],
    losses: list[float],
    after: _Point,
) -> Measured:
    facts = {
        "layers": _layers(subject.network, before),
        "skipped": [list(pair) for pair in skipped(subject.network)],
        "train_loss": losses,
        "clean": after.fit,
        "epochs_trained": after.epoch,
        "trajectory": [{"epoch": point.epoch, **point.fit} for point in trajectory],
    }
    arrays = {"eigenvalues/before": _flat(before), "eigenvalues/after": _flat(after.spectra())}
    for domain, (_, truth) in data.tests.items():
        arrays[f"labels/{domain}"] = truth.astype(np.int32)
        arrays[f"log_probabilities/{domain}"] = after.outputs[domain]
        if trajectory:
            arrays[f"trajectory/log_probabilities/{domain}"] = np.stack(
                [point.outputs[domain] for point in trajectory]
            )
    if trajectory:
        arrays["trajectory/eigenvalues"] = np.stack(
            [_flat(point.spectra()) for point in trajectory]
        )
    return Measured(facts, arrays)


def spectrum(network: Network) -> dict[str, np.ndarray]:
    """The eigenvalues of every weight matrix of a network, by matrix name, ascending, float64."""
    return eigenvalues(weight_matrices(network))


def spectra_of(network: Network, pool: ThreadPoolExecutor | None) -> Spectra:
    """The `spectrum` of a network as it is now, when it is called for; with a pool computed there,
    of copies on the host.
    """
    if pool is None:
        found = spectrum(network)
        return lambda: found
    copies = [
        dataclasses.replace(one, tensor=one.tensor.to("cpu", copy=True))
        for one in weight_matrices(network)
    ]
    return pool.submit(eigenvalues, copies).result


def _flat(spectra: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(list(spectra.values()))


def _layers(network: Network, spectra: dict[str, np.ndarray]) -> list[dict]:
    """What the flat eigenvalue arrays hold, in their order.

    Tables of embeddings are no layers that act on activations, so they stand in a view of their
    own.
    """
    matrices = weight_matrices(network)
    sizes = shapes(matrices)
    return [
        {
            "name": matrix.name,
            "kind": matrix.kind,
            "shape": list(sizes[matrix.name]),
            "view": "classifier"
            if matrix.name.startswith("head")
            else "embedding"
            if matrix.kind == "embedding"
            else "encoder",
            "eigenvalues": len(spectra[matrix.name]),
        }
        for matrix in matrices
    ]


@torch.no_grad()
def log_probabilities(network: Network, inputs: Tensor, batch: int | None = None) -> Tensor:
    """Log-probabilities float32 (n, classes) of what `inputs.placed` gives, in evaluation mode of
    the caller's choosing.

    In batches of 250, on a GPU of 1024, or half as many as often as its memory calls for.
    """
    device = network.head.weight.device
    batch = batch or (1024 if device.type == "cuda" else 250)
    try:
        with computing(device, precision(device)):
            return torch.cat(
                [
                    F.log_softmax(network(brought(part, device)).float(), dim=1)
                    for part in inputs.split(batch)
                ]
            )
    except torch.OutOfMemoryError:
        if batch == 1:
            raise
    return log_probabilities(network, inputs, batch // 2)


def provenance(device: torch.device, started: float) -> dict:
    """Where and with what a record was made. It is no part of the key."""
    import open_clip
    import torchvision
    import transformers

    return {
        "started": started,
        "seconds": time.time() - started,
        "device": device.type,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": str(torchvision.__version__),
        "open_clip": str(open_clip.__version__),
        "transformers": str(transformers.__version__),
    }
