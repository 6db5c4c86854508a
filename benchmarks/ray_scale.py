"""The driver of a cluster at scale: a thousand workers that only wait, with real records.

    python benchmarks/ray_scale.py [--workers 1000] [--jobs 10000] [--speed 1] [--idle 100000]

The driver, the store and the records are the real ones; only the training and Ray are simulated.
Two measurements. "mix": jobs last as long as the trials of the paper's grid (ViT-B/32 on six data
sets in equal numbers, seconds of each from results/gpu.json), `--speed` times as fast. The share of
the workers' time that is used until the last record is written is set beside the ideal schedule:
the work divided by the workers, or the longest job. "idle": jobs that take no time, as fast as the
driver sends them and writes their records, which are small; the process's memory is what it holds
for `--idle` jobs.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ddiv.common.machine import processor_name, usable_cores
from ddiv.profiles.choose import profile
from ddiv.run.cluster.driver import Driver, Keeper
from ddiv.run.cluster.orders import Answer, Made, Node
from ddiv.run.notes import journal
from ddiv.trial import Job, Trial, trial
from ddiv.trial.store import Record, Store

ROOT = Path(__file__).resolve().parent

# The studies of the paper's grid, by their names in results/gpu.json.
STUDIES = {
    "CIFAR-10": "clip-vit-b32-cifar10",
    "CIFAR-100": "clip-vit-b32-cifar100",
    "Imagenette": "clip-vit-b32-imagenette",
    "Flowers102": "clip-vit-b32-flowers102",
    "Stanford Cars": "clip-vit-b32-stanford-cars",
    "DomainNet": "clip-vit-b32-domainnet",
}


class Waiting:
    """A cluster whose workers wait as long as a job takes: one thread is a clock for all."""

    def __init__(self, workers: int, seconds: Mapping[str, float], size: int) -> None:
        self._workers, self._seconds = workers, seconds
        self._arrays = {"eigenvalues": np.zeros(max(1, size // 8))}
        self._heap: list[tuple[float, int, float, Future[Answer]]] = []
        self._free = [0.0] * workers  # when each worker is free
        self._changed, self._serial, self._over = threading.Condition(), 0, False
        threading.Thread(target=self._tick, daemon=True).start()

    def begin(self, code: bytes) -> None:
        pass

    def room(self) -> int:
        return self._workers + max(2, self._workers // 8)

    def at_once(self) -> int:
        return self._workers

    def shun(self, node: Node) -> None:
        raise AssertionError("every node is fit")

    def send(self, job: Job, load: Callable[[Job], Record]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        seconds = self._seconds[job.study]
        with self._changed:
            begins = max(time.monotonic(), heapq.heappop(self._free))
            heapq.heappush(self._free, begins + seconds)
            self._serial += 1
            heapq.heappush(self._heap, (begins + seconds, self._serial, seconds, answer))
            self._changed.notify()
        return answer

    def _tick(self) -> None:
        while not self._over:
            with self._changed:
                left = self._heap[0][0] - time.monotonic() if self._heap else 1.0
                if left > 0:
                    self._changed.wait(min(left, 1.0))
                    continue
                _, number, seconds, answer = heapq.heappop(self._heap)
            node = f"node{number % 32}"
            facts = {"losses": [0.5] * 100, "provenance": {"seconds": seconds, "device_name": "-"}}
            answer.set_result(Made(facts, self._arrays, seconds, node))

    def stop(self) -> None:
        self._over = True


def grid() -> dict[str, float]:
    """Seconds of a trial of the paper's grid, by study."""
    text = json.loads((ROOT / "results" / "gpu.json").read_text("utf-8"))
    found = text["second call"]["steps"]["grid"]
    trials = found["arms"] * found["seeds"]
    return {STUDIES[name]: 3600 * hours / trials for name, hours in found["hours"].items()}


def jobs(count: int) -> Iterator[Trial]:
    """So many trials of the grid, seed by seed, the studies in turn as in a plan."""
    studies = [study for study in profile("paper").studies if study.name in STUDIES.values()]
    seed = made = 0
    while made < count:
        for study in studies:
            for arm in study.arms[:23]:  # as many as the grid has
                if made < count:
                    yield trial(study, arm, seed)
                    made += 1
        seed += 1


def ideal(lengths: list[float], workers: int) -> float:
    """Seconds that no schedule falls below."""
    return max(sum(lengths) / workers, max(lengths))


def drained(plan: list[Trial], cluster: Waiting, folder: Path, minutes: float) -> dict[str, Any]:
    """Seconds until all records of a plan are written, at most so many minutes, and the most memory
    meanwhile.
    """
    keeper = Keeper(Store(folder / "store"), folder / "run", _never, worker="driver")
    (folder / "run").mkdir()
    driver = Driver(keeper, cluster)
    before, begun, cpu = memory(), time.monotonic(), time.process_time()
    driver.start()
    driver.ask(plan)
    most = before
    while (count := sum(driver.done.values())) < len(plan) and not driver.broken:
        time.sleep(0.2)
        most = max(most, memory())
        if time.monotonic() - begun > 60 * minutes:
            break
    seconds = time.monotonic() - begun
    driver.stop()
    assert not driver.broken, driver.broken
    done = journal(folder / "run")
    assert len({line.key for line in done}) == len(done) >= count  # each once
    return {
        "jobs": len(plan),
        "done": count,
        "seconds": round(seconds, 2),
        "jobs_a_second": round(count / seconds, 1),
        "seconds_of_processor": round(time.process_time() - cpu, 1),
        "memory_before": before,
        "memory_most": most,
    }


def memory() -> int:
    """Bytes of main memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * resource.getpagesize()


def _never(*_: object) -> Record:
    raise AssertionError("nothing is measured here")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--idle", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=200_000, help="of a record of the mix")
    parser.add_argument("--minutes", type=float, default=60.0, help="the most for each of the two")
    parser.add_argument("--folder", type=Path, help="where stores are made, and deleted again")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "ray-scale.json")
    args = parser.parse_args()
    found: dict[str, Any] = {
        "processor": processor_name(),
        "cores": usable_cores(),
        "load_before": os.getloadavg()[0],
        "workers": args.workers,
    }
    if args.out.exists():
        found = json.loads(args.out.read_text("utf-8")) | found
    seconds = {study: each / args.speed for study, each in grid().items()}
    for name, count in (("mix", args.jobs), ("idle", args.idle)):
        if not count:
            continue
        plan, length = list(jobs(count)), seconds if name == "mix" else dict.fromkeys(seconds, 0.0)
        lengths = [length[job.study] for job in plan]
        size = args.bytes if name == "mix" else 800
        folder = Path(tempfile.mkdtemp(dir=args.folder))
        try:
            result = drained(plan, Waiting(args.workers, length, size), folder, args.minutes)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if name == "mix":
            best = ideal(lengths, args.workers)
            result |= {
                "speed": args.speed,
                "record_bytes": size,
                "ideal_seconds": round(best, 2),
                "of_the_ideal": round(best / result["seconds"], 4),
            }
        found[name] = result
        print(name, msgspec.json.encode(result).decode(), flush=True)
        args.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
