"""What `training.py` measures on a GPU: a ViT-B/32 with random weights on random images of the
paper's size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import nn

from ddiv.backbone import DropoutSites, Network, add_dropout
from ddiv.datasets import Dataset, Shown
from ddiv.draws import generator
from ddiv.inputs import Examples
from ddiv.profiles import profile
from ddiv.steps import WARM_UP, Steps, own_stream, precision
from ddiv.study import Recipe, Study
from ddiv.train import log_probabilities
from ddiv.treatment import BASELINE, Augmentation, Dropout, NoOp, Treatment

# The baseline itself would add its trajectory and truncated copies, which are its alone among the
# arms.
NOTHING = Treatment.of(NoOp())

# Images to train and to test on; of DomainNet the tests of 142 classes in five domains, estimated.
GRID = {
    "CIFAR-10": (50_000, 10_000),
    "CIFAR-100": (50_000, 10_000),
    "Imagenette": (9_469, 3_925),
    "Flowers102": (2_040, 6_149),
    "Stanford Cars": (8_144, 8_041),
    "DomainNet": (50_000, 75_000),
}
ARMS, SEEDS, EPOCHS = 23, 3, 5

WAITED = 300  # seconds for processes that start together

# Dense bf16 TFLOP/s from the makers' data sheets, by what the card calls itself.
PEAKS = {
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L40": 181.0,
    "L4": 121.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}


class Scale(NamedTuple):
    """Random images in place of a data set: n of them to train and `tests` to test on, in each of
    two domains.
    """

    side: int
    n: int
    tests: int
    classes: int = 142
    batch: int = 32
    tiny: bool = False

    def data(self) -> Dataset:
        rng = np.random.default_rng(0)
        images = rng.integers(
            0, 256, (self.n + self.tests, 3, self.side, self.side), dtype=np.uint8
        )
        labels = rng.integers(0, self.classes, len(images))
        tests = images[self.n :], labels[self.n :]
        names = tuple(map(str, range(self.classes)))
        return Dataset(images[: self.n], labels[: self.n], {"real": tests, "sketch": tests}, names)

    def network(self, treatment: Treatment) -> Network:
        visual = self._visual()
        network = Network(visual, visual.output_dim, self.classes)
        norms = tuple(
            norm for block in visual.transformer.resblocks for norm in (block.ln_1, block.ln_2)
        )
        add_dropout(DropoutSites(norms, network.head), treatment.part(Dropout))
        return network

    def _visual(self) -> nn.Module:
        if self.tiny:
            from ddiv.models.clip import build_clip

            return build_clip().visual
        import open_clip

        return open_clip.create_model("ViT-B-32", pretrained=None).visual

    def study(self, epochs: int) -> Study:
        return msgspec.structs.replace(
            profile("embedded").studies[0], recipe=Recipe(epochs, self.batch, 1e-5)
        )


def stepping(
    scale: Scale,
    data: Dataset,
    treatment: Treatment,
    device: torch.device,
    count: int,
    ready: Callable[[], object] = lambda: None,
) -> float:
    """Images a second of ddiv's training steps, data and augmentation included, over `count` steps
    after the capture.

    `ready` is called before the clock starts.
    """
    part = treatment.part(Augmentation)
    study = scale.study(1)
    with own_stream(device):
        network = scale.network(treatment).train()
        examples = Examples.of(Shown(data.inputs, data.labels), study.backbone, device)
        take_step = Steps(
            network,
            study.recipe,
            0.0,
            1_000_000,
            device,
            precision(device),
            capture=device.type == "cuda",
        )
        batches = endless(examples, scale.batch, part and part.name, device)
        for _ in range(WARM_UP + 20):
            take_step(*next(batches))
        settled(device)
        ready()
        started = time.perf_counter()
        for _ in range(count):
            take_step(*next(batches))
        settled(device)
        return count * scale.batch / (time.perf_counter() - started)


def endless(
    examples: Examples, batch: int, augmentation: str | None, device: torch.device
) -> Iterator[tuple]:
    order, draws = generator(0, "order"), torch.Generator(device).manual_seed(0)
    while True:
        yield from examples.epoch(
            torch.randperm(len(examples), generator=order), batch, augmentation, draws
        )


def settled(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def evaluating(scale: Scale, data: Dataset, device: torch.device) -> float:
    """Images a second of an evaluation."""
    network, images = (
        scale.network(BASELINE).to(device).eval(),
        torch.from_numpy(data.inputs).to(device),
    )
    log_probabilities(network, images[:2048])
    settled(device)
    started = time.perf_counter()
    log_probabilities(network, images)
    settled(device)
    return len(images) / (time.perf_counter() - started)


def flops_an_image(scale: Scale, data: Dataset, device: torch.device) -> float:
    """Floating-point operations of forward and backward pass, a multiplication and its addition
    counting as two.
    """
    from torch.utils.flop_counter import FlopCounterMode

    network = scale.network(BASELINE).to(device)
    images = torch.from_numpy(data.inputs[: scale.batch]).to(device)
    with FlopCounterMode(display=False) as counter:
        network(images).sum().backward()
    return counter.get_total_flops() / scale.batch


def one_of_several(scale: Scale, device: str, count: int, start, speeds) -> None:
    speeds.put(stepping(scale, scale.data(), NOTHING, torch.device(device), count, start.wait))


def side_by_side(scale: Scale, device: torch.device, workers: int, count: int) -> float:
    """Images a second of so many processes together."""
    context = torch.multiprocessing.get_context("spawn")
    # one that dies leaves none waiting for ever
    start, speeds = context.Barrier(workers, timeout=WAITED), context.Queue()
    work = scale, str(device), count, start, speeds
    processes = [
        context.Process(target=one_of_several, args=work, daemon=True) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    found = [speeds.get(timeout=2 * WAITED) for _ in processes]
    for process in processes:
        process.join()
    return sum(found)


def projected(images_a_second: float, evaluated_a_second: float) -> dict:
    """The hours of the paper's grid of ViT-B/32, by data set and in all."""
    hours = {
        name: ARMS
        * SEEDS
        * (EPOCHS * train / images_a_second + (train + tests) / evaluated_a_second)
        / 3600
        for name, (train, tests) in GRID.items()
    }
    return {
        "sizes": GRID,
        "arms": ARMS,
        "seeds": SEEDS,
        "epochs": EPOCHS,
        "hours": {name: round(one, 2) for name, one in hours.items()},
        "hours_in_all": round(sum(hours.values()), 2),
        "without": "the baselines' trajectories, spectra still computed when training has ended, generated images",
    }
