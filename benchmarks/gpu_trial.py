"""Where the time of a whole trial goes on a GPU, and what would shorten it.

    python benchmarks/gpu_trial.py [--images 4000] [--out FILE]
    python benchmarks/gpu_trial.py --device cpu --tiny     a tiny model, to try it on a CPU

A trial is that of `training.py`: ViT-B/32, random weights and images, five epochs, evaluation and
spectra. It is trained several times, in different ways:

    ddiv                    as it is
    compiled                the forward pass of a step through torch.compile (gpu_compiled.py); on
                            a CPU the same as the first
    spectra on the CPU      and not on the card, by cuSOLVER's SVD for batches

Each way has three runs. The first loads and compiles ("first_seconds"), the second is what counts
("seconds"), and in the third the card is waited for at the border of each phase, so that their
seconds can be told apart. After the first way comes the plain loop of a paper's code, once; its
time over a way's is the "ratio". Spectra are waited for wherever they are computed, so those on the
CPU cost more here than when threads of ddiv's computed them beside the steps. `--out` is written
after each way.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

import gpu_compiled
import torch
from training_gpu import EPOCHS, NOT_CAPTURED, NOTHING, Scale, failure, seconds_of, settled
from training_plain import plain

from ddiv.common.machine import device_name
from ddiv.data.dataset import Dataset, Shown
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.watcher import weightwatcher
from ddiv.trial import trial
from ddiv.trial.devices import prepare
from ddiv.trial.steps import precision
from ddiv.trial.train import fit

# What stands in place of ddiv's own functions, by their names.
WAYS: dict[str, Mapping[str, Callable]] = {
    "ddiv": {},
    "compiled": {"ddiv.trial.steps.in_bf16": gpu_compiled.in_bf16},
    "spectra on the CPU": {"ddiv.trial.train.eigenvalues": partial(eigenvalues, device="cpu")},
}

# The function whose time makes a phase, less that of the other phases which it calls.
PHASES = {
    "ddiv.trial.train.Steps.__init__": "network laid out and brought",
    "ddiv.trial.train.Examples.of": "data brought",
    "ddiv.trial.train.placed": "data brought",
    "ddiv.trial.train.run": "steps",
    "ddiv.trial.steps.Captured._try": "capture",
    "ddiv.trial.train.log_probabilities": "evaluation",
    "ddiv.trial.train.spectrum": "spectra",
}
ELSE = "else"


class Clock:
    """Seconds by phase, each without those of the phases within it."""

    def __init__(self, device: torch.device) -> None:
        self._seconds = Counter[str]()
        self._device, self._since, self._phase = device, time.perf_counter(), ELSE

    def seconds(self) -> dict[str, float]:
        self._turn(ELSE)
        return {phase: round(each, 3) for phase, each in self._seconds.most_common()}

    def timed(self, phase: str, work: Callable) -> Callable:
        def inner(*given: Any, **named: Any) -> Any:
            before = self._turn(phase)
            try:
                return work(*given, **named)
            finally:
                self._turn(before)

        return inner

    def _turn(self, phase: str) -> str:
        """Begin a phase, and return the one that went on."""
        settled(self._device)
        now, before = time.perf_counter(), self._phase
        self._seconds[before] += now - self._since
        self._since, self._phase = now, phase
        return before


@contextmanager
def replaced(functions: Mapping[str, Callable]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, function in functions.items():
            stack.enter_context(patch(name, function))
        yield


class Job:
    """The trial that is trained again and again."""

    def __init__(self, scale: Scale, epochs: int, device: torch.device) -> None:
        self.scale, self.study, self.device = scale, scale.study(epochs), device
        self.data: Dataset = scale.data()

    def ddiv(self) -> None:
        torch.manual_seed(0)
        network, shown = self.scale.network(NOTHING), Shown(self.data.inputs, self.data.labels)
        fit(network, self.data, shown, trial(self.study, NOTHING, 0), self.device)

    def plain(self) -> None:
        torch.manual_seed(0)
        network = self.scale.network(NOTHING)
        plain(network, self.data, self.study.recipe, None, self.device)

    def seconds(self, work: Callable[[], None]) -> float:
        return round(seconds_of(work, self.device), 3)

    def by_phase(self) -> dict[str, float]:
        clock = Clock(self.device)
        timed = {name: clock.timed(phase, resolve_name(name)) for name, phase in PHASES.items()}
        with replaced(timed):
            self.ddiv()
        return clock.seconds()


def measured(job: Job, functions: Mapping[str, Callable]) -> dict[str, Any]:
    """A way's figures, or what went wrong."""
    try:
        with replaced(functions), warnings.catch_warnings():
            warnings.filterwarnings("error", NOT_CAPTURED)
            first = job.seconds(job.ddiv)
            return {
                "seconds": job.seconds(job.ddiv),
                "first_seconds": first,
                "seconds_by_phase": job.by_phase(),
            }
    except Exception as error:  # the next way is still worth its time
        return failure(error)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:1 or cpu")
    parser.add_argument(
        "--images", type=int, default=4_000, help="how many there are to train on (default: 4,000)"
    )
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try it on a CPU")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    device = torch.device(options.device)
    prepare(device)
    weightwatcher()  # loads it, so that the plain loop is not timed with that
    job = Job(Scale.of(options.images, options.tiny), EPOCHS, device)
    ways: dict[str, dict] = {}
    found = {
        "command": shlex.join(["python", "benchmarks/gpu_trial.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "card": device_name(device),
        "torch": str(torch.__version__),
        "precision": precision(device),
        "model": job.scale.model,
        "images": job.scale.n,
        "epochs": EPOCHS,
        "ways": ways,
    }

    def keep() -> None:
        if options.out:
            options.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")

    for name, functions in WAYS.items():
        ways[name] = measured(job, functions)
        if "plain_seconds" not in found:  # by now what both use is loaded
            found["plain_seconds"] = job.seconds(job.plain)
        if "seconds" in ways[name]:
            ways[name]["ratio"] = round(found["plain_seconds"] / ways[name]["seconds"], 2)
        print(f"{name}: {ways[name]}", file=sys.stderr, flush=True)
        keep()
    print(json.dumps(found, indent=2))
    for name, figures in ways.items():
        ratio = figures.get("ratio")
        print(f"{name}: {f'{ratio} times as fast as a plain loop' if ratio else 'failed'}")
    if any("error" in figures for figures in ways.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
