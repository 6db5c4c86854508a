"""Train one trial and measure it: from a `Trial` to a `Record`.

One loop serves all sizes and backbones. Batches are drawn from one tensor on the device; augmentation is
drawn anew for every sample in every epoch.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ddiv import truncation
from ddiv.backbone import Network, add_dropout, build
from ddiv.datasets import Dataset, load
from ddiv.draws import generator, stream
from ddiv.errors import TrialFailed
from ddiv.inputs import augmented, tensor
from ddiv.machine import processor_name
from ddiv.shown import Shown, synthetic_data, training_set
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import shapes, skipped, weight_matrices
from ddiv.store import Record
from ddiv.study import Recipe
from ddiv.treatment import Augmentation, BatchSize, Dropout, EarlyStop, EvaluationDropout, NoOp, WeightDecay
from ddiv.trial import Job, Trial

Progress = Callable[[float], None]


def train(trial: Trial, device: torch.device, progress: Progress = lambda share: None,
          records: Mapping[Job, Record] = MappingProxyType({})) -> Record:
    """Train and measure one trial; `progress` is called with the share done, from 0 to 1.

    `records` holds what the trial reads (`trial.requires`). Raises TrialFailed where the loss is not finite.
    """
    started = time.time()
    data = load(trial.data)
    shown = training_set(data, trial.treatment, trial.treatment.seed(trial.seed), synthetic_data(trial, records))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), _without_denormals():
        seed = trial.treatment.seed(trial.seed)
        torch.manual_seed(stream(seed, "init"))
        network, sites = build(trial.backbone, len(data.classes))
        network = network.to(device)
        add_dropout(sites, trial.treatment.part(Dropout))
        add_dropout(sites, trial.treatment.part(EvaluationDropout))
        torch.manual_seed(stream(seed, "dropout masks"))
        measured = _fit(network, data, shown, trial, device, progress)
    facts = {**measured.facts, "classes": len(data.classes), "domains": list(data.tests),
             "provenance": provenance(device, started)}
    return Record(trial, facts, measured.arrays)


@contextmanager
def _without_denormals() -> Iterator[None]:
    """The momentum of units that died decays into denormal numbers, on which a CPU spends up to 40 % of a trial's time."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@dataclass
class _Measured:
    facts: dict = field(default_factory=dict)
    arrays: dict = field(default_factory=dict)


def _fit(network: Network, data: Dataset, shown: Shown, trial: Trial, device: torch.device, progress: Progress) -> _Measured:
    recipe, treatment = trial.recipe, trial.treatment
    seed = treatment.seed(trial.seed)
    clean, labels = tensor(shown.inputs, trial.backbone).to(device), torch.from_numpy(shown.labels).long().to(device)
    tests = {domain: tensor(inputs, trial.backbone).to(device) for domain, (inputs, _) in data.tests.items()}
    size = treatment.part(BatchSize).size if treatment.part(BatchSize) else recipe.batch
    batches = -(-len(clean) // size)
    planned = recipe.epochs * batches
    stop = treatment.part(EarlyStop)
    last = planned if stop is None else max(1, round(stop.fraction * planned))
    decay = treatment.part(WeightDecay)
    optimiser = _optimiser(network, recipe, decay.value if decay else 0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=planned)
    order = generator(seed, "no-op order" if treatment.part(NoOp) else "order")
    draws = generator(seed, "augmentation")
    augmentation = treatment.part(Augmentation)
    # Only the baseline's trajectory is needed: every arm is matched against it at equal clean loss.
    checkpoints = {round(epoch * batches) for epoch in recipe.checkpoints} if treatment.is_baseline else set()
    before, trajectory, losses = spectrum(network), [], []
    step = 0
    if 0 in checkpoints:
        trajectory.append((0.0, *_measure(network, clean, labels, tests)))
    while step < last:
        inputs, mixed = clean, None
        if augmentation is not None:
            drawn, mixed = augmented(augmentation.name, shown.inputs, draws)
            inputs = tensor(drawn, trial.backbone).to(device)
        total = torch.zeros((), device=device)
        network.train()
        indices = torch.randperm(len(clean), generator=order).to(device)
        for index in indices.split(size)[:last - step]:
            outputs = network(inputs[index])
            loss = F.cross_entropy(outputs, labels[index]) if mixed is None else mixed.loss(outputs, labels, index)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach() * len(index)
            step += 1
            if step in checkpoints:
                trajectory.append((step / batches, *_measure(network, clean, labels, tests)))
                network.train()
        losses.append(float(total) / len(clean))
        if not np.isfinite(losses[-1]):
            raise TrialFailed(
                f"the loss of the trial {trial.label} became {losses[-1]} in epoch {len(losses)}. Lower the "
                f"learning rate of its recipe (now {recipe.lr:g}) or the dose of the treatment.")
        progress(step / last)
    after, fit, outputs = _measure(network, clean, labels, tests)
    out = _Measured()
    out.facts = {
        "layers": _layers(network, before),
        "skipped": [list(pair) for pair in skipped(network)],
        "train_loss": losses, "clean": fit, "epochs_trained": step / batches,
        "trajectory": [{"epoch": epoch, **clean_fit} for epoch, _, clean_fit, _ in trajectory]}
    out.arrays = {"eigenvalues/before": _flat(before), "eigenvalues/after": _flat(after)}
    for domain, (_, truth) in data.tests.items():
        out.arrays[f"labels/{domain}"] = truth.astype(np.int32)
        out.arrays[f"log_probabilities/{domain}"] = outputs[domain]
        if trajectory:
            out.arrays[f"trajectory/log_probabilities/{domain}"] = np.stack([o[domain] for *_, o in trajectory])
    if trajectory:
        out.arrays["trajectory/eigenvalues"] = np.stack([_flat(s) for _, s, _, _ in trajectory])
    if treatment.is_baseline:
        domain, (_, truth) = next(iter(data.tests.items()))
        domains = {"train": (clean, labels), "id": (tests[domain], torch.from_numpy(truth).long().to(device))}
        out.facts["truncated"] = truncation.measure(network, domains, generator(seed, "truncation"))
    return out


def _optimiser(network: Network, recipe: Recipe, decay: float) -> torch.optim.Optimizer:
    groups = [{"params": network.encoder.parameters(), "lr": recipe.lr},
              {"params": network.head.parameters(), "lr": recipe.head_lr or recipe.lr}]
    # The fused kernels are the single largest saving on a CPU at this size (1.6 times in the prototype).
    if recipe.momentum is not None:
        return torch.optim.SGD(groups, momentum=recipe.momentum, fused=True, weight_decay=decay)
    return torch.optim.Adam(groups, fused=True, weight_decay=decay)


def spectrum(network: Network) -> dict[str, np.ndarray]:
    """The eigenvalues of every weight matrix of a network, by matrix name, ascending, float64."""
    return eigenvalues(weight_matrices(network))


def _flat(spectra: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(list(spectra.values()))


def _layers(network: Network, spectra: dict[str, np.ndarray]) -> list[dict]:
    """What the flat eigenvalue arrays hold, in their order. Tables of embeddings are no layers that act on activations, so
    they stand in a view of their own."""
    matrices = weight_matrices(network)
    sizes = shapes(matrices)
    return [{"name": matrix.name, "kind": matrix.kind, "shape": list(sizes[matrix.name]),
             "view": "classifier" if matrix.name.startswith("head") else "embedding" if matrix.kind == "embedding" else "encoder",
             "eigenvalues": len(spectra[matrix.name])} for matrix in matrices]


def _measure(network: Network, clean: Tensor, labels: Tensor, tests: Mapping[str, Tensor]):
    """Spectra, fit on the clean training set, and log-probabilities (n, classes) on every test domain."""
    network.eval()
    outputs = log_probabilities(network, clean)
    fit = {"loss": float(F.nll_loss(outputs, labels)),
           "accuracy": float((outputs.argmax(1) == labels).float().mean())}
    return spectrum(network), fit, {domain: log_probabilities(network, inputs).cpu().numpy() for domain, inputs in tests.items()}


@torch.no_grad()
def log_probabilities(network: Network, inputs: Tensor, batch: int = 250) -> Tensor:
    """Log-probabilities (n, classes) of what `inputs.tensor` gives, in evaluation mode of the caller's choosing."""
    return torch.cat([F.log_softmax(network(part), dim=1) for part in inputs.split(batch)])


def provenance(device: torch.device, started: float) -> dict:
    """Where and with what a record was made. It is no part of the key."""
    import open_clip
    import torchvision
    import transformers

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    return {"started": started, "seconds": time.time() - started, "device": device.type, "device_name": name,
            "threads": torch.get_num_threads(), "python": platform.python_version(),
            "torch": str(torch.__version__), "torchvision": str(torchvision.__version__),
            "open_clip": str(open_clip.__version__), "transformers": str(transformers.__version__)}
