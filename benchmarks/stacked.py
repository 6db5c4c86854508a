"""Arms that are trained at once in one process, against ddiv's step of one arm.

    python benchmarks/stacked.py                  on the CPU: the embedded CLIP and ResNet-18,
                                                  one thread
    python benchmarks/stacked.py --device cuda    on a GPU: ViT-B/32, random weights, 224 pixels,
                                                  batch 32, bf16

The parameters of such arms are stacked, and computed with under torch.func.vmap. First both train
one network for three steps on the same batch: their losses have to agree to 1e-4 (in bf16 to 2e-2).
It prints, and writes to benchmarks/results/stacked-DEVICE.json, milliseconds a step and arm, by
turns and their medians (on the CPU of the processor's time), for 1 arm as ddiv steps it and for 2,
4 and 8 stacked. On a GPU neither is captured as a CUDA graph, although ddiv captures its steps in a
trial: both are launched kernel by kernel. `training.py` has several workers on a card.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F
from training_gpu import Scale, settled

from ddiv.common.machine import device_name
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.models.network import Network
from ddiv.profiles.choose import profile
from ddiv.study import Recipe
from ddiv.treatment import BASELINE
from ddiv.trial.steps import Steps, computing, precision

RESULTS = Path(__file__).parent / "results"
STACKS = 2, 4, 8
ATTENTION = "torch.nn.functional.scaled_dot_product_attention"
AGREEMENT_STEPS = 3  # with more of them round-off grows, most of all in batch norm


class Subject(NamedTuple):
    """A network that is made anew for each training, and the one batch that it is trained on."""

    name: str
    make: Callable[[], Network]
    recipe: Recipe
    inputs: Tensor
    labels: Tensor


def embedded(index: int) -> Subject:
    study = profile("embedded").studies[index]
    data, batch = load(study.data), study.recipe.batch
    recipe = Recipe(1, batch, study.recipe.lr)
    return Subject(
        study.name,
        lambda: build(study.backbone, data.classes)[0],
        recipe,
        torch.from_numpy(data.inputs[:batch].copy()),
        torch.from_numpy(data.labels[:batch]).long(),
    )


def vit(device: torch.device) -> Subject:
    scale = Scale(224, 32, 1)
    data = scale.data()
    return Subject(
        "ViT-B-32",
        lambda: scale.network(BASELINE),
        scale.study(1).recipe,
        torch.from_numpy(data.inputs).to(device),
        torch.from_numpy(data.labels).to(device),
    )


def one_arm(subject: Subject, device: torch.device) -> Callable[[], Tensor]:
    step = Steps(
        subject.make().train(), subject.recipe, (), 10**9, device, precision(device), capture=False
    )
    return lambda: step(subject.inputs, subject.labels)


def stacked(subject: Subject, arms: int, device: torch.device) -> Callable[[], Tensor]:
    """A step of this many networks, each with a copy of the batch and a loss of its own.

    The step returns their losses (arms,).
    """
    networks = [subject.make().train().to(device) for _ in range(arms)]
    state, buffers = stack_module_state(networks)
    trained = {
        name: state[name].detach().requires_grad_()
        for name, parameter in networks[0].named_parameters()
        if parameter.requires_grad
    }
    frozen = {name: array.detach() for name, array in state.items() if name not in trained}
    optimiser = torch.optim.Adam(trained.values(), lr=subject.recipe.lr, fused=True)
    inputs, labels = (
        each.expand(arms, *each.shape).contiguous() for each in (subject.inputs, subject.labels)
    )

    def loss(trained, frozen, buffers, inputs, labels):
        outputs = functional_call(networks[0], ({**trained, **frozen}, buffers), (inputs,))
        return F.cross_entropy(outputs.float(), labels)

    losses = vmap(loss, randomness="different")

    def step() -> Tensor:
        optimiser.zero_grad()
        with computing(device, precision(device)), patch(ATTENTION, attention):
            by_arm = losses(trained, frozen, buffers, inputs, labels)
        by_arm.sum().backward()
        optimiser.step()
        return by_arm.detach()

    return step


def attention(query: Tensor, key: Tensor, value: Tensor, *masks_and_dropout: Any) -> Tensor:
    """Attention without a mask, each product by itself.

    torch's own has no rule for vmap where it is fused, and where it is not, its softmax has no
    derivative from bf16 to fp32.
    """
    if any(masks_and_dropout):
        raise ValueError("attention with a mask or dropout is not stacked")
    scores = (query @ key.mT).float() * query.shape[-1] ** -0.5
    return scores.softmax(-1).to(value.dtype) @ value


def agreement(subject: Subject, device: torch.device) -> float:
    """The largest difference between the losses of both ways, over some steps of equal networks."""
    network = subject.make()
    same = subject._replace(make=lambda: _copy(subject.make(), network))
    alone, together = one_arm(same, device), stacked(same, 2, device)
    return max(
        float((together() - alone().detach().clone()).abs().max()) for _ in range(AGREEMENT_STEPS)
    )


def _copy(made: Network, original: Network) -> Network:
    made.load_state_dict(original.state_dict())
    return made


def seconds(step: Callable[[], Tensor], device: torch.device, count: int) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    for _ in range(10):
        step()
    settled(device)
    started = clock()
    for _ in range(count):
        step()
    settled(device)
    return (clock() - started) / count


def compared(subject: Subject, device: torch.device, repetitions: int, count: int) -> dict:
    apart, allowed = agreement(subject, device), 2e-2 if precision(device) == "bf16" else 1e-4
    if apart > allowed:
        sys.exit(
            f"{subject.name}: stacked arms' losses are {apart:g} from those of one alone, "
            f"more than {allowed:g}"
        )
    milliseconds: dict[str, list[float]] = {}
    for _ in range(repetitions):
        for arms in (1, *STACKS):
            step = one_arm(subject, device) if arms == 1 else stacked(subject, arms, device)
            time_a_step = 1e3 * seconds(step, device, max(count // arms, 10))
            milliseconds.setdefault(str(arms), []).append(time_a_step / arms)
    medians = {arms: round(statistics.median(times), 3) for arms, times in milliseconds.items()}
    return {
        "losses_apart": apart,
        "milliseconds_a_step_and_arm": medians,
        "one_arm_over_stacked": {
            arms: round(medians["1"] / medians[arms], 2) for arms in map(str, STACKS)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")
    parser.add_argument("--repetitions", type=int, default=3, help="turns of each (default: 3)")
    parser.add_argument(
        "--steps", type=int, default=160, help="steps of one arm a turn (default: 160)"
    )
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    subjects = [embedded(0), embedded(2)] if device.type == "cpu" else [vit(device)]
    results = {
        "command": shlex.join(["python", "benchmarks/stacked.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "device": device_name(device),
        "precision": precision(device),
        "torch": str(torch.__version__),
        "found": {
            subject.name: compared(subject, device, options.repetitions, options.steps)
            for subject in subjects
        },
    }
    text = json.dumps(results, indent=2) + "\n"
    (RESULTS / f"stacked-{device.type}.json").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
