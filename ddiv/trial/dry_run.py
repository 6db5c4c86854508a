"""One step of a study's trials on a few examples, before anything is trained.

The step goes through the functions that training goes through (`ddiv.trial.train`), so whatever a
treatment does to the network, the loss or the batches is in it. It runs on the CPU. A failure on
two examples counts only where a whole batch fails too: a loss may need more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from ddiv.common.errors import TrialFailed
from ddiv.common.global_draws import drawn, states
from ddiv.common.machine import available_memory
from ddiv.common.printed import one_line
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset, Shown
from ddiv.models.network import DropoutSites, Network
from ddiv.spectra.matrices import weight_matrices
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    BatchSize,
    Dropout,
    EvaluationDropout,
    OwnPart,
    Part,
    Piled,
    Treatment,
    is_built_in,
)
from ddiv.treatment.synthetic import MIXES
from ddiv.trial.batches import require_batches
from ddiv.trial.hooks import Shows
from ddiv.trial.inputs import Examples, tensor
from ddiv.trial.job import Trial
from ddiv.trial.own_outcomes import OwnOutcomes
from ddiv.trial.steps import Steps
from ddiv.trial.train import begun, group_of, network_of, run
from ddiv.trial.training_set import reference, training_set

CPU = torch.device("cpu")

# Examples of a training set, and of each test set, that a step is taken on.
FEW = 2

# Weights, their gradients and the two averages of Adam.
_COPIES = 4


class TooLarge(Exception):
    """A network does not fit into this machine's main memory. It may well fit where it trains."""


def layers_of(trials: Sequence[Trial], data: Dataset) -> list[dict[str, str]]:
    """Take a dry step of each kind among the trials of one study, whose data these are.

    Returns the name, kind and group of every weight matrix of its network, as records have them;
    none where the network is too large to be tried here. Raises TrialFailed, and the errors of
    loading a model, where a trial would fail; the message names the treatment if it is to blame.
    """
    first = trials[0]
    plain = msgspec.structs.replace(first, treatment=BASELINE)
    treatments = list(dict.fromkeys(trial.treatment for trial in trials))
    try:
        for together in _built_in(treatments):
            _require(plain, together, data)
        for treatment in treatments:
            if any(isinstance(part, OwnPart) for part in treatment.parts):
                _require_step(msgspec.structs.replace(first, treatment=treatment), data)
        _require_augmentations(plain, treatments, data)
        sizes = dict.fromkeys(trial.batch for trial in trials)
        return _require_whole_sets(plain, data, sizes)
    except TooLarge:
        return []


def _built_in(treatments: Iterable[Treatment]) -> Iterator[tuple[Part, ...]]:
    """The parts of ddiv's own, in as few treatments as they fit into."""
    kinds: dict[object, Part] = {}
    for part in (part for treatment in treatments for part in treatment.parts):
        if not isinstance(part, OwnPart | BatchSize):
            kind = (Dropout, part.where) if isinstance(part, Dropout) else type(part)
            kinds.setdefault(kind, part)
    of_dropout = [part for part in kinds.values() if isinstance(part, Dropout)]
    mixes = [part for part in kinds.values() if isinstance(part, MIXES)]  # one in a treatment
    others = tuple(part for part in kinds.values() if not isinstance(part, (Dropout, *MIXES)))
    yield (*of_dropout[:1], *mixes[:1], *others)
    yield from ((part,) for part in (*of_dropout[1:], *mixes[1:]))


def _require(plain: Trial, parts: Sequence[Part], data: Dataset) -> None:
    """Take a step under all parts; where it fails, tell the one that is to blame."""
    try:
        _step(_under(plain, *parts), data)
    except TooLarge:
        raise
    except Exception:
        for alone in ((), *((part,) for part in parts)):
            _require_step(_under(plain, *alone), data)
        _require_step(_under(plain, *parts), data)


def _under(plain: Trial, *parts: Part) -> Trial:
    return msgspec.structs.replace(plain, treatment=Treatment.of(*parts))


def _require_step(trial: Trial, data: Dataset) -> None:
    """Raise TrialFailed where a step fails on a few examples, and on a whole batch."""
    try:
        _step(trial, data)
    except TooLarge:
        raise
    except Exception:
        with _told(trial):
            _step(trial, data, max(FEW, trial.batch))


@contextmanager
def _told(trial: Trial) -> Iterator[None]:
    """Errors as a TrialFailed that names the treatment."""
    try:
        yield
    except TooLarge:
        raise
    except Exception as error:
        known = isinstance(error, (TrialFailed, ValueError))
        said = one_line(error if known else f"{type(error).__name__}: {error}")
        under = "" if trial.treatment.is_baseline else f"under {trial.treatment.label}: "
        raise TrialFailed(f"{under}{said}") from error


def _step(trial: Trial, data: Dataset, count: int = FEW) -> None:
    """Train and evaluate a network of the trial on so many examples, as `train` would."""
    few = _few(data, count)
    brief = msgspec.structs.replace(
        trial, recipe=msgspec.structs.replace(trial.recipe, epochs=1, checkpoints=())
    )
    with _in_memory(), torch.random.fork_rng(devices=[]):
        before = states()
        whole = _changed(data, trial)
        shown = whole and _first_of(whole, count)
        if shown is None:
            shown = training_set(few, trial.treatment, trial.draws, Shown(few.inputs, few.labels))
        network, sites = network_of(brief, data.classes)
        _require_room(network)
        if whole and not are_texts(whole.inputs):
            inputs = tensor(whole.inputs, trial.backbone)
            require_batches(network, inputs, brief.batch, {}, CPU)
        with begun(network, few, shown, brief, CPU) as (subject, take_step, plan):
            inputs = subject.examples.inputs[:count]
            with _sites_in_use(sites if _drops(trial) else None, network):
                _require_outputs(network, inputs, len(data.classes))
            run(subject, _first(take_step), plan._replace(last=1))
            _require_finite_weights(network)
            _require_outputs(network.eval(), inputs, len(data.classes))
            _require_outcomes(subject.own, data)
        # Torch's serves for fresh weights and dropout's masks, and is seeded anew in each trial.
        if source := drawn({name: state for name, state in before.items() if "torch" not in name}):
            raise TrialFailed(
                f"the network, or its training, draws from {source}, which breaks the pairing of "
                "arms at equal seeds: draw from torch"
            )


def _first(take_step: Steps) -> Callable[..., Tensor]:
    """The step, which raises TrialFailed where its loss is not finite."""

    def step(*batch: Tensor) -> Tensor:
        loss = take_step(*batch)
        if not bool(torch.isfinite(loss)):
            raise TrialFailed(
                f"the loss is {float(loss)} at the first step, though the network's outputs are "
                "finite: look for a division by 0, a logarithm or a root in what changes the loss"
            )
        return loss

    return step


def _changed(data: Dataset, trial: Trial) -> Shown | None:
    """The whole training set where a part of a user's own changes it, else None.

    What such a part does may depend on how many examples there are.
    """
    parts = trial.treatment.with_hook("training_set")
    if all(map(is_built_in, parts)):
        return None
    return training_set(data, trial.treatment, trial.draws, Shown(data.inputs, data.labels))


def _few(data: Dataset, count: int) -> Dataset:
    """The dataset with its first examples only, of as many classes as there can be."""
    firsts = {name: _first_of(Shown(*test), count) for name, test in data.tests.items()}
    tests = {name: (first.inputs, first.labels) for name, first in firsts.items()}
    return Dataset(*_first_of(Shown(data.inputs, data.labels), count), tests, data.classes)


def _first_of(shown: Shown, count: int) -> Shown:
    _, first = np.unique(shown.labels, return_index=True)
    rest = np.setdiff1d(np.arange(len(shown.labels)), first)
    places = np.concatenate([first, rest])[:count]
    return Shown(shown.inputs[places], shown.labels[places])


@contextmanager
def _in_memory() -> Iterator[None]:
    """Raise TooLarge where torch gets no more memory: that is no fault of the study."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TooLarge from error
    except Exception as error:
        chain: BaseException | None = error
        while chain is not None:  # a user's model may have wrapped it
            if isinstance(chain, (MemoryError, torch.OutOfMemoryError)) or (
                isinstance(chain, RuntimeError) and "allocate memory" in str(chain)
            ):
                raise TooLarge from error
            chain = chain.__cause__
        raise


def _require_room(network: Network) -> None:
    """Raise TooLarge where the system would rather kill this process than give it the memory."""
    free = available_memory()
    if free and _COPIES * sum(weights.nbytes for weights in network.parameters()) > free:
        raise TooLarge


def _drops(trial: Trial) -> bool:
    part = trial.treatment.part(Dropout) or trial.treatment.part(EvaluationDropout)
    return part is not None


@contextmanager
def _sites_in_use(sites: DropoutSites | None, network: Network) -> Iterator[None]:
    """Raise TrialFailed where a module that dropout is to act on takes no part in what follows."""
    modules = sites.encoder if sites else ()
    names = {module: name for name, module in network.encoder.named_modules()}
    used: set[nn.Module] = set()

    def note(module: nn.Module) -> Callable[..., None]:
        return lambda *_: used.add(module)

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(note(module)).remove)
        yield
    if unused := [module for module in modules if module not in used]:
        raise TrialFailed(
            f"dropout would do nothing at the site {names.get(unused[0], '?')!r} "
            f"({type(unused[0]).__name__}): the network does not call this module. Call it, or "
            "take it out of `dropout_sites`"
        )


def _require_outputs(network: Network, inputs: Tensor, classes: int) -> None:
    """Raise TrialFailed where the outputs are not one finite row of numbers for each input."""
    with torch.no_grad():
        outputs: object = network(inputs)  # a user's part may have changed it, so of any type
    shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    if not isinstance(outputs, Tensor) or shape != (len(inputs), classes):
        raise TrialFailed(
            f"the network gives {shape} for {len(inputs)} inputs of {classes} classes, and "
            f"{(len(inputs), classes)} is needed: mend what changes its classification layer"
        )
    if not bool(torch.isfinite(outputs).all()):
        raise TrialFailed(
            "the network's outputs are not finite (NaN or infinite) at the first step: look for a "
            "division by 0, a logarithm or a root in it"
        )


def _require_finite_weights(network: Network) -> None:
    for name, weights in network.named_parameters():
        if not bool(torch.isfinite(weights).all()):
            raise TrialFailed(
                f"after one step the weight {name} is not finite (NaN or infinite), though the "
                "loss was: look for a root, a norm or a division whose gradient is infinite at 0"
            )


def _require_outcomes(few: OwnOutcomes, data: Dataset) -> None:
    """Raise TrialFailed where an outcome of a user's own fails, on all data too."""
    try:
        few.measured(0.0)
    except TrialFailed:
        shown = Shown(data.inputs, data.labels)
        backbone = few.trial.backbone
        tests = {name: tensor(inputs, backbone) for name, (inputs, _) in data.tests.items()}
        examples = Examples.of(shown, backbone, CPU)
        OwnOutcomes.of(few.trial, few.network, examples, tests, data).measured(0.0)


def _require_augmentations(plain: Trial, treatments: Iterable[Treatment], data: Dataset) -> None:
    """Draw a batch with each augmentation: an augmentation of texts may be a plug-in."""
    few = _few(data, FEW)
    examples = Examples.of(Shown(few.inputs, few.labels), plain.backbone, CPU)
    names = [
        name
        for treatment in treatments
        for part in treatment.parts
        if isinstance(part, Augmentation | Piled)
        for name in ((part.name,) if isinstance(part, Augmentation) else part.names)
    ]
    for part in map(Augmentation, dict.fromkeys(names)):
        with _told(_under(plain, part)):
            order = torch.arange(len(examples))
            next(examples.epoch(order, FEW, [Shows(part, torch.Generator().manual_seed(0))]))


def _require_whole_sets(plain: Trial, data: Dataset, sizes: Iterable[int]) -> list[dict[str, str]]:
    """Raise TrialFailed where a last batch has one input and the network takes only more."""
    with _in_memory(), torch.random.fork_rng(devices=[]):
        network, _ = network_of(plain, data.classes)
        if not are_texts(data.inputs):  # a BERT normalises each token on its own
            inputs = tensor(data.inputs, plain.backbone)
            kept = reference(Shown(data.inputs, data.labels), plain.draws).inputs
            tests = {name: tensor(part, plain.backbone) for name, (part, _) in data.tests.items()}
            evaluated = {"the reference set": tensor(kept, plain.backbone), **tests}
            for size in sizes:
                require_batches(network, inputs, size, evaluated, CPU)
        return [
            {"name": matrix.name, "kind": matrix.kind, "view": group_of(matrix)}
            for matrix in weight_matrices(network)
        ]
