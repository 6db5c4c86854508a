"""Train one trial and measure it: from a `Trial` to a `Record`.

One loop serves all sizes, backbones and devices. Batches are drawn from one tensor, which lies on
the device if it fits there. Augmentation is drawn anew for every sample in every epoch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.common.printed import first_line
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset, Shown
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.models.network import DropoutSites, Network
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import WeightMatrix, shapes, skipped, weight_matrices
from ddiv.treatment.calls import called, called_twice, wrong
from ddiv.trial import truncation
from ddiv.trial.batches import EVALUATED, in_batches, require_batches
from ddiv.trial.hooks import Shows, changed_network, stream_of
from ddiv.trial.inputs import Examples, brought, placed, tensor
from ddiv.trial.job import Job, Trial
from ddiv.trial.own_outcomes import OwnOutcomes
from ddiv.trial.provenance import provenance, start
from ddiv.trial.schedule import Schedule, schedule
from ddiv.trial.steps import Step, Steps, computing, own_stream, precision
from ddiv.trial.store import Record
from ddiv.trial.training_set import reference, synthetic_data, training_set

Progress = Callable[[float], None]

Spectra = dict[str, np.ndarray]


def train(
    trial: Trial,
    device: torch.device,
    progress: Progress = lambda share: None,
    records: Mapping[Job, Record] = MappingProxyType({}),
) -> Record:
    """Train and measure one trial; `progress` is called with the share done, from 0 to 1.

    `records` holds the records that the trial reads (`trial.requires`). Raises TrialFailed where
    the loss is not finite.
    """
    started = start()
    data, synthetic = load(trial.data), synthetic_data(trial, records)
    shown = training_set(data, trial.treatment, trial.draws, synthetic)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), _without_denormals():
        network, _ = network_of(trial, data.classes)
        measured = fit(network, data, shown, trial, device, progress)
    facts = {
        **measured.facts,
        "classes": len(data.classes),
        "domains": list(data.tests),
        "provenance": {**provenance(device, started), "precision": precision(device)},
    }
    return Record(trial, facts, measured.arrays)


def network_of(trial: Trial, classes: Sequence[str]) -> tuple[Network, DropoutSites]:
    """The network of a trial before its first step, and its places for dropout.

    Leaves torch's global generator at the seed that dropout draws its masks from.
    """
    draws = trial.draws
    torch.manual_seed(stream(draws, "init"))
    network, sites = build(trial.backbone, classes)
    changed_network(network, sites, trial.treatment)
    torch.manual_seed(stream(draws, "dropout masks"))
    return network, sites


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Round denormal numbers to 0.

    The momentum of dead units decays into denormal numbers, and a CPU would spend up to 40 % of a
    trial's time on them.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


class Measured(NamedTuple):
    """The facts and arrays of a training, without where and when it was."""

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]


class _Point(NamedTuple):
    """A network after some epochs.

    `spectra` are the eigenvalues by matrix, `fit` is loss and accuracy on the reference set,
    `outputs` are log-probabilities (n, classes) by domain, `own` are outcomes of a user's own.
    """

    epoch: float
    spectra: Spectra
    fit: dict[str, float]
    outputs: dict[str, np.ndarray]
    own: dict[str, float]


@dataclass(frozen=True)
class Subject:
    """A network and the data on which it is measured.

    `reference` holds the inputs and labels of `training_set.reference`, on which loss and accuracy
    are measured.
    """

    trial: Trial
    network: Network
    examples: Examples
    reference: tuple[Tensor, Tensor]
    tests: Mapping[str, Tensor]
    own: OwnOutcomes

    def after(self, epoch: float) -> _Point:
        """Leaves the network in training mode. Raises TrialFailed where its loss is not finite."""
        self.network.eval()
        inputs, labels = self.reference
        clean = log_probabilities(self.network, inputs)
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
        return _Point(epoch, spectrum(self.network), fit, outputs, self.own.measured(epoch))


def _require_finite(trial: Trial, epoch: float, loss: float) -> None:
    if not np.isfinite(loss):
        raise TrialFailed(
            f"the loss of the trial {trial.label} became {loss} within {epoch:.3g} epochs. Lower "
            f"the learning rate of its recipe (now {trial.recipe.lr:g}) or the dose of the "
            "treatment."
        )


def fit(
    network: Network,
    data: Dataset,
    shown: Shown,
    trial: Trial,
    device: torch.device,
    progress: Progress = lambda share: None,
) -> Measured:
    """Train a network on `shown` as the trial says, and measure it.

    It is measured on the reference set and on the tests of `data`. Raises TrialFailed where the
    loss is not finite, and before training as `require_batches` does.
    """
    with begun(network, data, shown, trial, device) as (subject, take_step, plan):
        if not are_texts(shown.inputs):  # a BERT normalises each token on its own
            inputs = subject.examples.inputs
            evaluated = {"the reference set": subject.reference[0], **subject.tests}
            require_batches(network, inputs, trial.batch, evaluated, device)
        before, own_before = spectrum(network), subject.own.measured(0.0)
        losses, trajectory = run(subject, take_step, plan, progress)
        after = subject.after(plan.last / plan.batches)
        truncated = _truncated(subject, data) if trial.treatment.is_baseline else None
        measured = _measured(subject, data, before, trajectory, losses, after)
    if truncated is not None:
        measured.facts["truncated"] = truncated
    if trial.outcomes:
        measured.facts["outcomes"] = {
            "before": own_before,
            "after": after.own,
            "trajectory": [point.own for point in trajectory],
        }
    return measured


class Begun(NamedTuple):
    """A training before its first step."""

    subject: Subject
    take_step: Steps
    plan: Schedule


@contextmanager
def begun(
    network: Network, data: Dataset, shown: Shown, trial: Trial, device: torch.device
) -> Iterator[Begun]:
    """The training of a network on `shown`: its data lie on the device, its steps are ready."""
    on_gpu = device.type == "cuda"
    with own_stream(device):
        examples = Examples.of(shown, trial.backbone, device)
        kept = reference(Shown(data.inputs, data.labels), trial.draws)
        measured_on = (kept.inputs, *(inputs for inputs, _ in data.tests.values()))
        inputs, *tests = placed(
            (tensor(each, trial.backbone) for each in measured_on), device, [examples.inputs]
        )
        labels = torch.from_numpy(kept.labels).long().to(device)
        by_domain = dict(zip(data.tests, tests))
        own = OwnOutcomes.of(trial, network, examples, by_domain, data)
        subject = Subject(trial, network, examples, (inputs, labels), by_domain, own)
        plan = schedule(trial, len(examples))
        take_step = Steps(
            network,
            trial.trained_by,
            trial.treatment.acting,
            plan.planned,
            device,
            precision(device),
            # Steps on texts are not captured: a BERT cuts off the padding that a batch has in
            # common, so batches differ in shape.
            capture=on_gpu and not are_texts(shown.inputs),
        )
        yield Begun(subject, take_step, plan)


def run(
    subject: Subject, take_step: Step, plan: Schedule, progress: Progress = lambda share: None
) -> tuple[list[float], list[_Point]]:
    """Take all steps of a trial. Returns its mean loss in each epoch, and its checkpoints."""
    trial, examples = subject.trial, subject.examples
    draws, batch = trial.draws, trial.batch
    order = generator(draws, _order(trial))
    shows = [
        Shows(part, torch.Generator(examples.drawn_on).manual_seed(stream(draws, purpose)))
        for part in trial.treatment.with_hook("batch")
        for purpose in [stream_of(part, "batch")]
    ]
    trajectory = [subject.after(0.0)] if 0 in plan.checkpoints else []
    losses: list[float] = []
    step = 0
    subject.network.train()
    while step < plan.last:
        total = torch.zeros((), device=examples.labels.device)
        shuffled = torch.randperm(len(examples), generator=order)
        epoch = examples.epoch(shuffled, batch, shows)
        for tensors in islice(epoch, plan.last - step):
            total += take_step(*tensors) * len(tensors[0])
            step += 1
            if step in plan.checkpoints:
                trajectory.append(subject.after(step / plan.batches))
        losses.append(float(total) / len(examples))
        _require_finite(trial, step / plan.batches, losses[-1])
        progress(step / plan.last)
    return losses, trajectory


def _order(trial: Trial) -> str:
    """The random stream that the order of examples comes from."""
    stream = "order"
    for part in trial.treatment.with_hook("order"):
        stream = called_twice(part, "order", partial(called, part, "order", stream))
        if not isinstance(stream, str):
            raise wrong(part, "order", "the name of a random stream, such as the one given", stream)
    return stream


def _truncated(subject: Subject, data: Dataset) -> dict[str, Any]:
    """The facts of `truncation.measure`, on the reference set and the test set of its domain."""
    domain, (_, truth) = next(iter(data.tests.items()))
    labels = torch.from_numpy(truth).long().to(subject.examples.labels.device)
    domains = {"train": subject.reference, "id": (subject.tests[domain], labels)}
    draws = generator(subject.trial.draws, "truncation")
    return truncation.measure(subject.network, domains, draws)


def _measured(
    subject: Subject,
    data: Dataset,
    before: Spectra,
    trajectory: list[_Point],
    losses: list[float],
    after: _Point,
) -> Measured:
    facts: dict[str, Any] = {
        "layers": _layers(subject.network, before),
        "skipped": [list(pair) for pair in skipped(subject.network)],
        "train_loss": losses,
        "clean": after.fit,
        "epochs_trained": after.epoch,
        "trajectory": [{"epoch": point.epoch, **point.fit} for point in trajectory],
    }
    arrays = {"eigenvalues/before": _flat(before), "eigenvalues/after": _flat(after.spectra)}
    for domain, (_, truth) in data.tests.items():
        arrays[f"labels/{domain}"] = truth.astype(np.int32)
        arrays[f"log_probabilities/{domain}"] = after.outputs[domain]
        if trajectory:
            arrays[f"trajectory/log_probabilities/{domain}"] = np.stack(
                [point.outputs[domain] for point in trajectory]
            )
    if trajectory:
        arrays["trajectory/eigenvalues"] = np.stack([_flat(point.spectra) for point in trajectory])
    return Measured(facts, arrays)


def spectrum(network: Network) -> Spectra:
    """The eigenvalues of every weight matrix of a network, by matrix name, ascending, float64.

    They are computed where the network is: a GPU is much faster at it (`ddiv.spectra.eigen`). Where
    it fails, as one whose memory is full does, the processor computes them.
    """
    matrices = weight_matrices(network)
    try:
        return eigenvalues(matrices)
    except RuntimeError as error:
        if network.mean.device.type == "cpu":
            raise
        cause = first_line(error)
    # Not in the clause above, where the error holds what the GPU had computed so far.
    torch.cuda.empty_cache()
    warnings.warn(
        f"a GPU could not compute the spectra of a network ({cause}): the processor does, which is "
        "slower",
        RuntimeWarning,
        stacklevel=2,
    )
    return eigenvalues(matrices, device="cpu")


def _flat(spectra: Spectra) -> np.ndarray:
    return np.concatenate(list(spectra.values()))


def _layers(network: Network, spectra: Spectra) -> list[dict[str, Any]]:
    """The matrices whose eigenvalues are in the flat arrays, in their order."""
    matrices = weight_matrices(network)
    sizes = shapes(matrices)
    return [
        {
            "name": matrix.name,
            "kind": matrix.kind,
            "shape": list(sizes[matrix.name]),
            "view": group_of(matrix),
            "eigenvalues": len(spectra[matrix.name]),
        }
        for matrix in matrices
    ]


def group_of(matrix: WeightMatrix) -> str:
    """The part of a network that a matrix belongs to."""
    if matrix.name.startswith("head"):
        return "classifier"
    # A table of embeddings does not act on activations, so it is a part of its own.
    return "embedding" if matrix.kind == "embedding" else "encoder"


@torch.no_grad()
def log_probabilities(network: Network, inputs: Tensor, batch: int | None = None) -> Tensor:
    """Log-probabilities float32 (n, classes) for inputs that `inputs.placed` gave.

    The caller puts the network in evaluation mode. Batches are of `EVALUATED` inputs; the size is
    halved as often as the GPU's memory is too small.
    """
    device = network.mean.device
    batch = batch or EVALUATED.get(device.type, EVALUATED["cpu"])
    try:
        with computing(device, precision(device)):
            return in_batches(
                lambda part: F.log_softmax(network(brought(part, device)).float(), dim=1),
                inputs,
                batch,
            )
    except torch.OutOfMemoryError:
        if batch == 1:
            raise
    return log_probabilities(network, inputs, batch // 2)
