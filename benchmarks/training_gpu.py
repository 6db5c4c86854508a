"""Images a second of ddiv's steps on a GPU: a ViT-B/32 with random weights on random images.

    python benchmarks/training_gpu.py [--images 4000] [--out FILE]

It prints images a second of one worker by arm and of evaluation; those of 8 workers, which take
turns or share the card by NVIDIA's Multi-Process Service (MPS), with TFLOP/s and their share of the
card's bf16 peak; the hours that the paper's grid of ViT-B/32 takes: 23 arms x 6 data sets x 3
seeds; and before them one worker's and 8 workers' speeds with the embedded CLIP, whose kernels are
too small for a card. `--out` writes them as JSON after each measurement, so that a run which is
stopped leaves what it has measured. `training.py` puts the same figures beside whole trials.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from gpu_workers import NoService, Ready, multi_process_service, side_by_side
from torch import nn

from ddiv.common.draws import generator
from ddiv.common.machine import device_name
from ddiv.data.dataset import Dataset, Shown
from ddiv.models.network import DropoutSites, Network
from ddiv.profiles.choose import profile
from ddiv.study import Recipe, Study
from ddiv.treatment import BASELINE, Augmentation, Dropout, NoOp, Treatment
from ddiv.trial.hooks import Shows
from ddiv.trial.inputs import Examples
from ddiv.trial.steps import WARM_UP, Steps, own_stream, precision
from ddiv.trial.train import log_probabilities

# The baseline itself would also keep its trajectory and truncated copies, which no other arm does.
NOTHING = Treatment.of(NoOp())
DROPOUT, AUTO = Treatment.of(Dropout(0.1)), Treatment.of(Augmentation("auto"))

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

EMBEDDED = "embedded CLIP"

# How ddiv's warning begins where steps are launched kernel by kernel, and are not what is meant.
NOT_CAPTURED = "a step of training could not be captured"

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
    """Random images in place of a data set: n to train on, and `tests` to test on in each of two
    domains.
    """

    side: int
    n: int
    tests: int
    classes: int = 142
    batch: int = 32
    model: str = "ViT-B-32"
    steps: int = 400  # that a speed is measured over
    workers: int = 8  # processes side by side, beside the one that trains alone

    @classmethod
    def of(cls, images: int, tiny: bool) -> Scale:
        """The paper's size with this many images to train on; or one that a CPU steps through in
        seconds.
        """
        small = cls(32, 96, 32, model=EMBEDDED, steps=5, workers=2)
        return small if tiny else cls(224, images, 2_000)

    def embedded(self) -> Scale:
        """As many images for the embedded CLIP, whose kernels are far too small for a GPU."""
        return self._replace(side=32, model=EMBEDDED)

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
        # a copy, as a trial takes one of the weights that it starts from
        visual = copy.deepcopy(tower(self.model))
        network = Network(visual, visual.output_dim, self.classes)
        norms = tuple(
            norm for block in visual.transformer.resblocks for norm in (block.ln_1, block.ln_2)
        )
        for part in treatment.acting:
            part.network(network, DropoutSites(norms, network.head))
        return network

    def study(self, epochs: int) -> Study:
        return msgspec.structs.replace(
            profile("embedded").studies[0], recipe=Recipe(epochs, self.batch, 1e-5)
        )


@cache
def tower(model: str) -> nn.Module:
    """An image tower with random weights."""
    if model == EMBEDDED:
        from ddiv.models.clip import build_clip

        return build_clip().visual
    from ddiv.models.open_clip_models import architecture

    return architecture(model, quick_gelu=False).visual


def stepping(
    scale: Scale,
    data: Dataset,
    treatment: Treatment,
    device: torch.device,
    count: int,
    ready: Ready = lambda: None,
) -> float:
    """Images a second of ddiv's training steps, data and augmentation included.

    They are measured over `count` steps after the capture. `ready` is called before the clock
    starts.
    """
    study = scale.study(1)
    with own_stream(device):
        network = scale.network(treatment).train()
        examples = Examples.of(Shown(data.inputs, data.labels), study.backbone, device)
        take_step = Steps(
            network,
            study.recipe,
            treatment.acting,
            1_000_000,
            device,
            precision(device),
            capture=device.type == "cuda",
        )
        draws = torch.Generator(device).manual_seed(0)
        shows = [Shows(part, draws) for part in treatment.with_hook("batch")]
        batches = endless(examples, scale.batch, shows)
        for _ in range(WARM_UP + 20):
            take_step(*next(batches))
        settled(device)
        ready()
        started = time.perf_counter()
        for _ in range(count):
            take_step(*next(batches))
        settled(device)
        return count * scale.batch / (time.perf_counter() - started)


def endless(examples: Examples, batch: int, shows: list[Shows]) -> Iterator[tuple]:
    order = generator(0, "order")
    while True:
        yield from examples.epoch(torch.randperm(len(examples), generator=order), batch, shows)


def settled(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, count: int = 1) -> float:
    """Seconds that the work takes, on average of `count` times."""
    settled(device)
    started = time.perf_counter()
    for _ in range(count):
        work()
    settled(device)
    return (time.perf_counter() - started) / count


def failure(error: Exception) -> dict[str, str]:
    """What stands in the place of figures that could not be measured."""
    return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]}


def evaluating(scale: Scale, data: Dataset, device: torch.device) -> float:
    """Images a second of an evaluation."""
    network = scale.network(BASELINE).to(device).eval()
    images = torch.from_numpy(data.inputs).to(device)
    log_probabilities(network, images[:2048])
    return len(images) / seconds_of(lambda: log_probabilities(network, images), device)


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


def of_a_worker(scale: Scale, device: str, ready: Ready) -> float:
    """Images a second of one of several processes."""
    return stepping(scale, scale.data(), NOTHING, torch.device(device), scale.steps, ready)


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
        "hours": {name: round(each, 2) for name, each in hours.items()},
        "hours_in_all": round(sum(hours.values()), 2),
        "without": "the baselines' trajectories, spectra, generated images",
    }


def speeds(
    scale: Scale,
    data: Dataset,
    device: torch.device,
    peak: float | None = None,
    keep: Callable[[dict], object] = lambda figures: None,
) -> dict:
    """Images a second by arm, of evaluation and by number of workers, and the grid's hours.

    peak: the card's dense bf16 TFLOP/s, where `PEAKS` does not know it. `keep` is called with the
    figures so far after each measurement. What fails has an error among "workers" in place of its
    figures.
    """
    card = device_name(device)
    peak = peak or next((each for name, each in PEAKS.items() if name in card), None)
    one_worker: dict[str, int] = {}
    workers: dict[str, dict] = {}
    figures: dict[str, Any] = {
        "card": card,
        "precision": precision(device),
        "bf16_peak_tflops": peak,
        "one_worker_images_a_second": one_worker,
    }
    for arm in (NOTHING, DROPOUT, AUTO):
        one_worker[arm.label] = round(stepping(scale, data, arm, device, scale.steps))
        keep(figures)
    evaluated, flops = evaluating(scale, data, device), flops_an_image(scale, data, device)
    figures["gflops_an_image"] = round(flops / 1e9, 2)
    figures["evaluation_images_a_second"] = round(evaluated)
    small = scale.embedded()
    alone = stepping(small, small.data(), NOTHING, device, small.steps)
    figures["embedded_clip"] = embedded = {"1": {"images_a_second": round(alone)}}
    keep(figures)
    for label, speed in by_workers(small, device):
        embedded[label] = speed if isinstance(speed, dict) else {"images_a_second": round(speed)}
        keep(figures)
    figures["workers"] = workers

    def note(label: str, speed: float) -> None:
        tflops = speed * flops / 1e12
        workers[label] = {
            "images_a_second": round(speed),
            "tflops": round(tflops, 1),
            "share_of_peak": peak and round(tflops / peak, 3),
        }
        best = max(workers, key=lambda label: workers[label].get("images_a_second", 0))
        hours = projected(workers[best]["images_a_second"], evaluated)
        figures["grid"] = {"workers": best, **hours}
        keep(figures)

    note("1", one_worker[NOTHING.label])
    for label, speed in by_workers(scale, device):
        if isinstance(speed, float):
            note(label, speed)
        else:
            workers[label] = speed
            keep(figures)
    return figures


def by_workers(scale: Scale, device: torch.device) -> Iterator[tuple[str, float | dict]]:
    """Images a second of several processes, without MPS and with it, or what went wrong."""
    number, speed = scale.workers, partial(of_a_worker, scale, str(device))
    services = {f"{number}": nullcontext(), f"{number} MPS": multi_process_service(device)}
    for label, service in services.items():
        try:
            with service:
                measured: float | dict = side_by_side(speed, number)
        except NoService as why:
            measured = {"skipped": str(why)}
        except Exception as error:  # the others are still worth their time
            measured = failure(error)
        print(f"{scale.model}, {label} workers on the card: {measured}", file=sys.stderr)
        yield label, measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda (default) or cuda:1")
    parser.add_argument(
        "--images", type=int, default=4_000, help="how many there are to train on (default: 4,000)"
    )
    parser.add_argument(
        "--peak", type=float, metavar="TFLOPS", help="the card's dense bf16 peak, if not known here"
    )
    parser.add_argument(
        "--tiny", action="store_true", help="a tiny model, on any device: to try it"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    scale = Scale.of(options.images, options.tiny)

    def keep(figures: dict) -> None:
        if options.out:
            options.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")

    device = torch.device(options.device)
    figures = speeds(scale, scale.data(), device, options.peak, keep)
    print(json.dumps(figures, indent=2))
    measured = [*figures["workers"].values(), *figures["embedded_clip"].values()]
    if any("error" in each for each in measured):
        sys.exit("some workers failed, see above")
    best, hours = figures["grid"]["workers"], figures["grid"]["hours_in_all"]
    speed, share = (figures["workers"][best][key] for key in ("images_a_second", "share_of_peak"))
    print(
        f"{speed:,} images/s, best with {best} at once, "
        f"{share or 'an unknown share'} of the peak; the grid takes {hours:,.1f} hours"
    )


if __name__ == "__main__":
    main()
