"""How long a trial takes ddiv and the plain loop that a paper's code uses, by turns in one run, and
the ratio of the two.

    python benchmarks/training.py                  on the CPU: the embedded CLIP study, whole trials
    python benchmarks/training.py --device cuda    on a GPU: ViT-B/32, random weights, random images of 224 pixels, batch 32

The plain loop: a DataLoader that applies torchvision's transforms to PIL images one by one (on a
GPU in up to 8 processes, into pinned memory), one arm after another in fp32, Adam as torch makes
it, evaluation on the tests at the end, then WeightWatcher(model).analyze(). Same images, network,
epochs and batches. ddiv does more in that time: spectra before and after, of q, k and v too, the
fit to the clean training set, and of the baseline its trajectory and truncated copies. On the CPU
ddiv trains as many trials at once as there are cores, one thread each, as a run of it does; the
plain loop one after the other, with one thread and with a thread a core, of which the faster
counts. With --busy both have one thread.

It prints, and writes to benchmarks/results/training-cpu.json or training-cuda.json with the
command:
- for each arm the seconds a trial (medians), the ratio in each repetition and its median, that of
  the processor's seconds, and the accuracies of both;
- on the CPU the ratio for the whole study, of whose arms one is the baseline;
- on a GPU images/s, TFLOP/s and share of the card's bf16 peak with 1, 2, 4 and 8 workers on the
  card, images/s of one worker by arm and of evaluation, and the hours for the paper's grid of
  ViT-B/32: 23 arms x 6 data sets x 3 seeds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from training_gpu import (
    EPOCHS,
    NOTHING,
    PEAKS,
    Scale,
    evaluating,
    flops_an_image,
    projected,
    side_by_side,
    stepping,
)
from training_plain import plain

from ddiv.backbone import add_dropout, build
from ddiv.datasets import Shown, load
from ddiv.machine import device_name, processor_name, usable_cores
from ddiv.measure import measure
from ddiv.profiles import profile
from ddiv.spectra.watcher import weightwatcher
from ddiv.steps import precision
from ddiv.study import Recipe, Study
from ddiv.train import fit
from ddiv.treatment import BASELINE, Augmentation, Dropout, Treatment
from ddiv.trial import Trial, trial

RESULTS = Path(__file__).parent / "results"
DROPOUT, AUTO = Treatment.of(Dropout(0.1)), Treatment.of(Augmentation("auto"))


class Done(NamedTuple):
    """A trial's accuracy on each domain's tests, the training domain first, and the processor's
    time for it.
    """

    accuracies: list[float]
    processor_seconds: float


class Run(NamedTuple):
    """What a trial took, and its accuracy on the tests of the training domain and, on average, of
    the others.
    """

    seconds: float
    processor_seconds: float
    accuracy: float
    elsewhere: float


# One trial of a treatment, or several at once.
Side = Callable[[Treatment, int], list[Done]]


def done(work: Callable[[], list[float]]) -> Done:
    started = time.process_time()
    return Done(work(), time.process_time() - started)


def timed(side: Side, treatment: Treatment, seed: int) -> Run:
    """A trial's share of the time that it took, and the means over trials that were trained at
    once.
    """
    started = time.perf_counter()
    found = side(treatment, seed)
    seconds = (time.perf_counter() - started) / len(found)
    processor = float(np.mean([one.processor_seconds for one in found]))
    first, *others = np.array([one.accuracies for one in found]).mean(0)
    return Run(seconds, processor, float(first), float(np.mean(others)))


def compared(
    sides: dict[str, Side], arms: tuple[Treatment, ...], repetitions: int
) -> dict[str, dict]:
    """All sides, ddiv among them, train every arm by turns, once a repetition; who is first
    changes.
    """
    runs = {arm: {side: [] for side in sides} for arm in arms}
    for seed in range(repetitions):
        for arm in arms:
            for side in list(sides)[:: -1 if seed % 2 else 1]:
                runs[arm][side].append(timed(sides[side], arm, seed))
            told = ", ".join(f"{side} {of[-1].seconds:.2f} s" for side, of in runs[arm].items())
            print(
                f"{arm.label}, repetition {seed}: {told}; {ratios(runs[arm], 'seconds')[-1]:.2f} times",
                file=sys.stderr,
            )
    return {
        arm.label: {
            **{side: median(of) for side, of in found.items()},
            "ratio": statistics.median(ratios(found, "seconds")),
            "ratios": ratios(found, "seconds"),
            "ratio_of_processor_seconds": statistics.median(ratios(found, "processor_seconds")),
        }
        for arm, found in runs.items()
    }


def median(runs: list[Run]) -> dict[str, float]:
    return {
        name: round(statistics.median(getattr(run, name) for run in runs), 4)
        for name in Run._fields
    }


def ratios(found: dict[str, list[Run]], what: str) -> list[float]:
    """Of each repetition: the plain loop's time, where there are two of them the shorter, over
    ddiv's.
    """
    rows = zip(*([getattr(run, what) for run in runs] for runs in found.values()))
    return [round(min(peers) / own, 2) for own, *peers in rows]


def on_cpu(options: argparse.Namespace) -> dict:
    study, cores = profile("embedded").studies[0], 1 if options.busy else usable_cores()
    if options.epochs:
        recipe = msgspec.structs.replace(
            study.recipe, epochs=options.epochs, checkpoints=(0, options.epochs)
        )
        study = msgspec.structs.replace(study, recipe=recipe)

    def peers(threads: int, treatment: Treatment, seed: int) -> list[Done]:
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        data = load(study.data)
        network, sites = build(study.backbone, data.classes)
        add_dropout(sites, treatment.part(Dropout))
        return [
            done(
                lambda: plain(
                    network, data, study.recipe, treatment.part(Augmentation), torch.device("cpu")
                )
            )
        ]

    with ProcessPoolExecutor(cores, torch.multiprocessing.get_context("spawn")) as pool:

        def ours(treatment: Treatment, seed: int) -> list[Done]:
            return list(
                pool.map(
                    measured, [trial(study, treatment, cores * seed + i) for i in range(cores)]
                )
            )

        short = msgspec.structs.replace(study, recipe=Recipe(epochs=1, batch=32, lr=1e-3))
        # data and libraries are loaded
        list(pool.map(measured, [trial(short, DROPOUT, i) for i in range(cores)]))
        weightwatcher()
        load(study.data)
        plain_sides = {
            f"plain, {threads} threads": partial(peers, threads) for threads in {1, cores}
        }
        found = compared(
            {"ddiv": ours, **plain_sides}, (BASELINE, DROPOUT, AUTO), options.repetitions
        )
    return {
        "study": study.name,
        "epochs": study.recipe.epochs,
        "processor": processor_name(),
        "trials_at_once": cores,
        "arms": found,
        "ratio": whole(study, found),
        "target": 2,
    }


def measured(job: Trial) -> Done:
    def work() -> list[float]:
        arrays = measure(job, {}, "cpu", lambda share: None).arrays
        return [
            float(
                (
                    arrays[name].argmax(1) == arrays[name.replace("log_probabilities", "labels", 1)]
                ).mean()
            )
            for name in arrays
            if name.startswith("log_probabilities/")
        ]

    return done(work)


def whole(study: Study, found: dict[str, dict]) -> float:
    """The ratio for all arms of a study: one is the baseline, the others take what the two of them
    take on average.
    """
    others = len(study.arms) - 1
    (base, first), *rest = (
        (of["ddiv"]["seconds"], min(of[side]["seconds"] for side in of if side.startswith("plain")))
        for of in found.values()
    )
    ours, peers = map(statistics.mean, zip(*rest))
    return round((first + others * peers) / (base + others * ours), 2)


def on_gpu(options: argparse.Namespace) -> dict:
    device = torch.device(options.device)
    scale = Scale(32, 640, 128, tiny=True) if options.tiny else Scale(224, options.images, 2_000)
    data, study, arms = (
        scale.data(),
        scale.study(options.epochs or EPOCHS),
        (NOTHING, DROPOUT, AUTO),
    )
    shown, count = Shown(data.inputs, data.labels), 40 if options.tiny else 400

    def ours(treatment: Treatment, seed: int) -> list[Done]:
        torch.manual_seed(seed)
        network, job = scale.network(treatment), trial(study, treatment, seed)

        def work() -> list[float]:
            arrays = fit(network, data, shown, job, device).arrays
            return [
                float((arrays[f"log_probabilities/{name}"].argmax(1) == truth).mean())
                for name, (_, truth) in data.tests.items()
            ]

        return [done(work)]

    def peers(treatment: Treatment, seed: int) -> list[Done]:
        torch.manual_seed(seed)
        network = scale.network(treatment)
        return [
            done(lambda: plain(network, data, study.recipe, treatment.part(Augmentation), device))
        ]

    weightwatcher()
    speeds = {arm.label: round(stepping(scale, data, arm, device, count)) for arm in arms}
    evaluated, flops = evaluating(scale, data, device), flops_an_image(scale, data, device)
    card = device_name(device)
    peak = options.peak or next((peak for name, peak in PEAKS.items() if name in card), None)
    workers = {}
    for number in (1, 2) if options.tiny else (1, 2, 4, 8):
        speed = side_by_side(scale, device, number, count)
        workers[number] = {
            "images_a_second": round(speed),
            "tflops": round(speed * flops / 1e12, 1),
            "share_of_peak": peak and round(speed * flops / 1e12 / peak, 3),
        }
        print(f"{number} workers on the card: {workers[number]}", file=sys.stderr)
    found = compared({"ddiv": ours, "plain": peers}, arms, options.repetitions)
    best = max(workers, key=lambda number: workers[number]["images_a_second"])
    return {
        "model": "tiny" if scale.tiny else "ViT-B-32",
        "side": scale.side,
        "batch": scale.batch,
        "images": scale.n,
        "epochs": study.recipe.epochs,
        "card": card,
        "precision": precision(device),
        "bf16_peak_tflops": peak,
        "gflops_an_image": round(flops / 1e9, 2),
        "one_worker_images_a_second": speeds,
        "evaluation_images_a_second": round(evaluated),
        "workers": workers,
        "grid": {"workers": best, **projected(workers[best]["images_a_second"], evaluated)},
        "arms": found,
        "ratio": statistics.median(ratio for arm in found.values() for ratio in arm["ratios"]),
        "target": 8,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")
    parser.add_argument(
        "--repetitions", type=int, default=3, help="pairs of runs of each arm (default: 3)"
    )
    parser.add_argument(
        "--epochs", type=int, help="another number than the study's (CPU) or the paper's five (GPU)"
    )
    parser.add_argument(
        "--busy",
        action="store_true",
        help="on the CPU: the machine has other work, so compare on one core",
    )
    parser.add_argument(
        "--images",
        type=int,
        default=20_000,
        help="on a GPU: size of the training set (default: 20,000)",
    )
    parser.add_argument(
        "--peak",
        type=float,
        metavar="TFLOPS",
        help="on a GPU: its dense bf16 peak, if not known here",
    )
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="the GPU's part with a tiny model, on any device: to try it",
    )
    options = parser.parse_args()
    part = "cuda" if options.tiny or options.device.startswith("cuda") else "cpu"
    started = time.time()
    found = {
        "command": " ".join(["python", "benchmarks/training.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": usable_cores(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        **(on_gpu if part == "cuda" else on_cpu)(options),
        "seconds": round(time.time() - started, 1),
    }
    text = json.dumps(found, indent=2) + "\n"
    if not options.tiny:
        (RESULTS / f"training-{part}.json").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
