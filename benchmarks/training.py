"""How long a trial takes ddiv and the plain loop that a paper's code uses, and their ratio.

    python benchmarks/training.py                  on the CPU: the embedded CLIP study
    python benchmarks/training.py --device cuda    on a GPU: ViT-B/32, batch 32, random weights,
                                                   random images of 224 pixels

Both train whole trials, by turns in one run. The plain loop: a DataLoader that applies
torchvision's transforms to PIL images one by one (on a GPU in up to 8 processes, into pinned
memory), one arm after another in fp32, Adam as torch makes it, evaluation on the tests at the end,
then WeightWatcher(model).analyze(). Images, network, epochs and batches are the same. ddiv does
more in that time: spectra before and after, of q, k and v too, the fit to the clean training set,
and the baseline's trajectory and truncated copies. On the CPU ddiv trains one trial per core at
once, one thread each, as a run of it does. The plain loop trains one after the other, with one
thread and with one thread per core; the faster of these counts. With --busy both have one thread.

It prints, and writes to benchmarks/results/training-cpu.json or training-cuda.json with the
command:
- for each arm the seconds a trial (medians), the ratio in each repetition and its median, that of
  the processor's seconds, and the accuracies of both;
- on the CPU the ratio for the whole study, where one arm is the baseline;
- on a GPU what `training_gpu.py` measures: images/s by number of workers, and hours of the grid.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
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
from training_gpu import AUTO, DROPOUT, EPOCHS, NOTHING, Scale, speeds
from training_plain import plain

from ddiv.common.machine import device_name, processor_name, usable_cores
from ddiv.data.dataset import Dataset, Shown
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.profiles.choose import profile
from ddiv.spectra.watcher import weightwatcher
from ddiv.study import Recipe, Study
from ddiv.treatment import BASELINE, Augmentation, Treatment
from ddiv.trial import Trial, trial
from ddiv.trial.measure import measure
from ddiv.trial.steps import precision
from ddiv.trial.train import fit

RESULTS = Path(__file__).parent / "results"


class Done(NamedTuple):
    """A trial's accuracy on each domain's tests, the training domain first, and its processor
    time.
    """

    accuracies: list[float]
    processor_seconds: float


class Run(NamedTuple):
    """What a trial took, and its accuracies."""

    seconds: float
    processor_seconds: float
    accuracy: float  # on the tests of the training domain
    elsewhere: float  # on the tests of the other domains, on average


# Trains one trial of a treatment, or several at once.
Side = Callable[[Treatment, int], list[Done]]


def done(work: Callable[[], list[float]]) -> Done:
    started = time.process_time()
    return Done(work(), time.process_time() - started)


def timed(side: Side, treatment: Treatment, seed: int) -> Run:
    """Seconds per trial, and means over the trials that were trained at once."""
    started = time.perf_counter()
    trials = side(treatment, seed)
    seconds = (time.perf_counter() - started) / len(trials)
    processor = float(np.mean([each.processor_seconds for each in trials]))
    first, *others = np.array([each.accuracies for each in trials]).mean(0)
    return Run(seconds, processor, float(first), float(np.mean(others)))


def compared(
    sides: dict[str, Side], arms: tuple[Treatment, ...], repetitions: int
) -> dict[str, dict]:
    """All sides, ddiv among them, train every arm by turns, once a repetition.

    The side that goes first changes with the repetition.
    """
    runs: dict[Treatment, dict[str, list[Run]]] = {
        arm: {side: [] for side in sides} for arm in arms
    }
    for seed in range(repetitions):
        for arm in arms:
            for side in list(sides)[:: -1 if seed % 2 else 1]:
                runs[arm][side].append(timed(sides[side], arm, seed))
            times = ", ".join(f"{side} {of[-1].seconds:.2f} s" for side, of in runs[arm].items())
            ratio = ratios(runs[arm], "seconds")[-1]
            print(f"{arm.label}, repetition {seed}: {times}; {ratio:.2f} times", file=sys.stderr)
    return {
        arm.label: {
            **{side: median(of) for side, of in by_side.items()},
            "ratio": statistics.median(ratios(by_side, "seconds")),
            "ratios": ratios(by_side, "seconds"),
            "ratio_of_processor_seconds": statistics.median(ratios(by_side, "processor_seconds")),
        }
        for arm, by_side in runs.items()
    }


def median(runs: list[Run]) -> dict[str, float]:
    return {
        name: round(statistics.median(getattr(run, name) for run in runs), 4)
        for name in Run._fields
    }


def ratios(by_side: dict[str, list[Run]], what: str) -> list[float]:
    """Of each repetition: the plain loop's time (the shorter of two) over ddiv's."""
    rows = zip(*([getattr(run, what) for run in runs] for runs in by_side.values()))
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
        for part in treatment.acting:
            part.network(network, sites)
        part, device = treatment.part(Augmentation), torch.device("cpu")
        return [done(lambda: plain(network, data, study.recipe, part, device))]

    with ProcessPoolExecutor(cores, torch.multiprocessing.get_context("spawn")) as pool:

        def ours(treatment: Treatment, seed: int) -> list[Done]:
            jobs = [trial(study, treatment, cores * seed + i) for i in range(cores)]
            return list(pool.map(measured, jobs))

        short = msgspec.structs.replace(study, recipe=Recipe(epochs=1, batch=32, lr=1e-3))
        # loads data and libraries, so that no side is timed with that
        list(pool.map(measured, [trial(short, DROPOUT, i) for i in range(cores)]))
        weightwatcher()
        for seed in range(cores * options.repetitions):
            load(study.data_of(seed))  # draws the world, which then lies on disk for all processes
        load(study.data)
        sides = {
            "ddiv": ours,
            **{f"plain, {threads} threads": partial(peers, threads) for threads in {1, cores}},
        }
        arms = compared(sides, (BASELINE, DROPOUT, AUTO), options.repetitions)
    return {
        "study": study.name,
        "epochs": study.recipe.epochs,
        "processor": processor_name(),
        "trials_at_once": cores,
        "arms": arms,
        "ratio": whole(study, arms),
        "target": 2,
    }


def measured(job: Trial) -> Done:
    def work() -> list[float]:
        arrays = measure(job, {}, "cpu", lambda share: None).arrays
        domains = [
            name.removeprefix("log_probabilities/")
            for name in arrays
            if name.startswith("log_probabilities/")
        ]
        return [
            float(
                (arrays[f"log_probabilities/{name}"].argmax(1) == arrays[f"labels/{name}"]).mean()
            )
            for name in domains
        ]

    return done(work)


def whole(study: Study, arms: dict[str, dict]) -> float:
    """The ratio for all arms of a study.

    One is the baseline; the others take the mean of the two that were timed.
    """
    others = len(study.arms) - 1
    (base, first), *rest = (
        (of["ddiv"]["seconds"], min(of[side]["seconds"] for side in of if side.startswith("plain")))
        for of in arms.values()
    )
    ours, peers = map(statistics.mean, zip(*rest))
    return round((first + others * peers) / (base + others * ours), 2)


def on_gpu(options: argparse.Namespace) -> dict:
    device, scale = torch.device(options.device), Scale.of(options.images, options.tiny)
    data, study = scale.data(), scale.study(options.epochs or EPOCHS)

    def ours(treatment: Treatment, seed: int, data: Dataset = data) -> list[Done]:
        torch.manual_seed(seed)
        network, job = scale.network(treatment), trial(study, treatment, seed)

        def work() -> list[float]:
            arrays = fit(network, data, Shown(data.inputs, data.labels), job, device).arrays
            return [
                float((arrays[f"log_probabilities/{name}"].argmax(1) == truth).mean())
                for name, (_, truth) in data.tests.items()
            ]

        return [done(work)]

    def peers(treatment: Treatment, seed: int) -> list[Done]:
        torch.manual_seed(seed)
        network, part = scale.network(treatment), treatment.part(Augmentation)
        return [done(lambda: plain(network, data, study.recipe, part, device))]

    # loads libraries and the card's kernels, so that no side is timed with that
    weightwatcher()
    ours(NOTHING, 0, scale._replace(n=2 * scale.batch, tests=scale.batch).data())
    if options.without_speeds:
        about = {"card": device_name(device), "precision": precision(device)}
    else:
        about = speeds(scale, data, device, options.peak)
    sides = {"ddiv": ours, "plain": peers}
    arms = compared(sides, (NOTHING, DROPOUT, AUTO), options.repetitions)
    return {
        "model": scale.model,
        "side": scale.side,
        "batch": scale.batch,
        "images": scale.n,
        "epochs": study.recipe.epochs,
        **about,
        "arms": arms,
        "ratio": statistics.median(ratio for arm in arms.values() for ratio in arm["ratios"]),
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
        "--without-speeds",
        action="store_true",
        help="on a GPU: whole trials only, no images a second (python benchmarks/training_gpu.py)",
    )
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="the GPU's part with a tiny model, on any device: to try it",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="another file for the results (with --tiny none is written unless it is named)",
    )
    options = parser.parse_args()
    part = "cuda" if options.tiny or options.device.startswith("cuda") else "cpu"
    started = time.time()
    results = {
        "command": shlex.join(["python", "benchmarks/training.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": usable_cores(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        **(on_gpu if part == "cuda" else on_cpu)(options),
        "seconds": round(time.time() - started, 1),
    }
    text = json.dumps(results, indent=2) + "\n"
    if options.out or not options.tiny:
        (options.out or RESULTS / f"training-{part}.json").write_text(text, "utf-8")
    print(text)
    print(f"the plain loop takes {results['ratio']:.2f} times as long as ddiv")


if __name__ == "__main__":
    main()
