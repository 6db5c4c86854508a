"""A user's own outcomes of a trained network, computed while it is at hand.

The function is a guest in a training: what it leaves changed would change the trial, and trials
with and without it would no longer be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddiv.common.draws import generator, stream
from ddiv.common.errors import TrialFailed
from ddiv.common.global_draws import drawn, states
from ddiv.data.dataset import Dataset
from ddiv.data.load import load
from ddiv.models.network import Network
from ddiv.study import NetworkOutcome
from ddiv.study.measures import OutcomeFailed, computed
from ddiv.treatment import EvaluationDropout
from ddiv.trial.at_hand import TrainedNetwork
from ddiv.trial.inputs import Examples
from ddiv.trial.job import Trial


@dataclass(frozen=True)
class OwnOutcomes:
    """The outcomes of a trial, and what they are computed of."""

    trial: Trial
    network: Network
    inputs: Tensor
    labels: Tensor
    tests: Mapping[str, tuple[Tensor, Tensor]]

    @classmethod
    def of(
        cls,
        trial: Trial,
        network: Network,
        examples: Examples,
        tests: Mapping[str, Tensor],
        data: Dataset,
    ) -> OwnOutcomes:
        """tests: the inputs of each test domain, as `inputs.placed` gave them."""
        labelled = {
            domain: (inputs, torch.from_numpy(data.tests[domain][1]).long().to(inputs.device))
            for domain, inputs in tests.items()
        }
        return cls(trial, network, examples.inputs, examples.labels, labelled)

    def measured(self, epoch: float) -> dict[str, float]:
        """Each outcome of the network as it is now, by `NetworkOutcome.key`.

        Leaves everything as it was. Raises TrialFailed where a function does not, or does not
        return a finite number.
        """
        return {outcome.key: self._measured(outcome, epoch) for outcome in self.trial.outcomes}

    def _measured(self, outcome: NetworkOutcome, epoch: float) -> float:
        draws = self.trial.draws
        purpose = f"outcome {outcome.name}"
        device = self.labels.device
        at_hand = TrainedNetwork(
            self.network, self.inputs, self.labels, self.tests, device, generator(draws, purpose)
        )
        devices = [device] if device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=devices), _evaluating(self.network):
                # Dropout in evaluation is the network's own draw.
                torch.manual_seed(stream(draws, purpose))
                with self._left_alone(outcome), torch.enable_grad():
                    return computed(outcome, at_hand)
        except OutcomeFailed as error:
            load.cache_clear()  # the function may have changed the data of the trials to come
            raise TrialFailed(
                f"{error} (of the trial {self.trial.label}, at epoch {epoch:.3g})"
            ) from error.__cause__

    @contextmanager
    def _left_alone(self, outcome: NetworkOutcome) -> Iterator[None]:
        """Raise OutcomeFailed where the network, the data or a global generator changed within."""
        of_network = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        copies = {name: tensor.detach().clone() for name, tensor in of_network.items()}
        needing = {name for name, tensor in of_network.items() if tensor.requires_grad}
        sets = [self.inputs, self.labels, *(each for pair in self.tests.values() for each in pair)]
        contents = [(each._version, int(each.sum())) for each in sets]
        generators = states()
        yield
        now = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        changed = [
            name
            for name in {**of_network, **now}
            if now.get(name) is not of_network.get(name) or not _equal(now[name], copies[name])
        ]
        if changed or needing != {name for name, tensor in now.items() if tensor.requires_grad}:
            which = f" ({changed[0]})" if changed else ", which of them have gradients"
            statistics = bool(changed) and "running_" in changed[0]
            left_on = "; a forward pass after `.train()` changes them" if statistics else ""
            raise OutcomeFailed(
                f"the outcome {outcome.key} changed the network's weights{which}, and training "
                "goes on with them: work on a copy (copy.deepcopy(trained.network), or "
                f"torch.func.functional_call), or put them back from copies{left_on}"
            )
        if contents != [(each._version, int(each.sum())) for each in sets]:
            raise OutcomeFailed(
                f"the outcome {outcome.key} changed the inputs or labels in place: work on a copy"
            )
        name = drawn(generators)
        dropping = self.trial.treatment.part(EvaluationDropout) is not None
        if name and not (dropping and name.startswith("torch")):
            raise OutcomeFailed(
                f"the outcome {outcome.key} draws from the global generator of {name}, which "
                "breaks the pairing of arms at equal seeds: draw from trained.draws"
            )


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode and without gradients; afterwards all is as it was."""
    modes = [(module, module.training) for module in network.modules()]
    gradients = [(parameter, parameter.grad) for parameter in network.parameters()]
    network.eval()
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, gradient in gradients:
            parameter.grad = gradient


def _equal(now: Tensor, before: Tensor) -> bool:
    return now.shape == before.shape and now.dtype == before.dtype and torch.equal(now, before)
