"""A/A: twenty trials of the embedded CLIP study's baseline, taken for treatments at random, and
every claim asked of them.

Nothing was treated, so every verdict but inconclusive is false. In each repetition the trials are
split into ten for the baseline and ten for the arms; every arm draws its own order of its ten, so
no trial is compared with itself. Then each claim on trained networks is asked as a run asks it,
seed by seed with the same stopping rule.

    python benchmarks/aa.py [--repetitions 200] [--store FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.stats import beta

from ddiv.finding import Asked, Finding, Reader, answer, replicate
from ddiv.machine import usable_cores
from ddiv.measure import measure
from ddiv.plan import Crew
from ddiv.profiles import profile
from ddiv.store import Store
from ddiv.treatment import BASELINE
from ddiv.trial import trial

ROOT, OUT = Path(__file__).resolve().parent.parent, Path(__file__).parent / "results" / "aa.json"
TRIALS = 20


class Collected:
    """A pytest plugin that keeps what the collected tests of claims/ ask."""

    def __init__(self):
        self.asked: list[Asked] = []

    def pytest_collection_finish(self, session):
        from ddiv.plugin import ASKED

        self.asked = [item.stash[ASKED] for item in session.items if ASKED in item.stash]


class Shuffled:
    """A reader that hands out baseline trials in place of every arm."""

    def __init__(self, trained: list, rng: np.random.Generator):
        order = rng.permutation(len(trained))
        self.half, self.rng, self.trained_ones = len(order) // 2, rng, trained
        self.base, self.others = order[: self.half], order[self.half :]
        self.orders = defaultdict(lambda: self.rng.permutation(self.others))

    def trained(self, job):
        order = self.base if job.treatment.is_baseline else self.orders[job.treatment]
        return self.trained_ones[order[job.seed]]


def train(store: Store, jobs: list, worker: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(
            store,
            Path(folder),
            lambda job, records, report: measure(job, records, None, report),
            slots=usable_cores(),
            worker=worker,
        )
        crew.obtain(jobs)


def ask(asked: Asked, reader: Shuffled, first: int, most: int) -> Finding:
    return replicate(
        msgspec.structs.replace(asked, seeds=tuple(range(first))),
        lambda asked: answer(asked, reader),
        min(most, reader.half),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--store", type=Path, default=ROOT / ".ddiv")
    parser.add_argument("--train-only", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen, store = profile("embedded"), Store(options.store)
    study = chosen.studies[0]
    jobs = [trial(study, BASELINE, seed) for seed in range(TRIALS)]
    if options.train_only:
        part, parts = options.train_only
        return train(store, jobs[part::parts], f"aa-{part}")
    started = time.time()
    cores = usable_cores()
    helpers = [
        subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--store",
                str(options.store),
                "--train-only",
                str(i),
                str(cores),
            ]
        )
        for i in range(cores)
    ]
    if any(helper.wait() for helper in helpers):
        sys.exit("a trial could not be trained; see above")
    collected = Collected()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            [
                "claims",
                "--collect-only",
                "-q",
                "--store",
                str(options.store),
                "--rootdir",
                str(ROOT),
                "-p",
                "no:cacheprovider",
            ],
            plugins=[collected],
        )
    claims = [
        one
        for one in collected.asked
        if one.study == study
        and not one.claim.control
        and not one.not_applicable
        and one.question.fit_matters
    ]
    reader = Reader(store)
    trained = [reader.trained(job) for job in jobs]
    decided, matched, seeds = defaultdict(int), defaultdict(int), []
    for repetition in range(options.repetitions):
        rng = np.random.default_rng([repetition, TRIALS])
        shuffled = Shuffled(trained, rng)
        for one in claims:
            found = ask(one, shuffled, chosen.seeds, chosen.max_seeds)
            name = f"{one.claim.id} {one.variant}".strip()
            decided[name] += found.evidence.verdict != "inconclusive"
            matched[name] += found.matched is not None and found.matched.verdict != "inconclusive"
            seeds.append(len(found.asked.seeds))
        print(
            f"{repetition + 1} of {options.repetitions}: {sum(decided.values()) / len(seeds):.4f} decided",
            file=sys.stderr,
        )
    OUT.write_text(
        json.dumps(
            {
                "command": " ".join(["python", "benchmarks/aa.py", *sys.argv[1:]]),
                "study": study.name,
                "trials": TRIALS,
                "repetitions": options.repetitions,
                "claims": len(claims),
                "alpha": claims[0].alpha,
                "decided": rate(sum(decided.values()), len(seeds)),
                "fit_matched_decided": rate(sum(matched.values()), len(seeds)),
                "mean_seeds": float(np.mean(seeds)),
                "largest_rate_of_a_claim": dict(
                    itertools.islice(
                        sorted(
                            (
                                (name, count / options.repetitions)
                                for name, count in decided.items()
                            ),
                            key=lambda pair: -pair[1],
                        ),
                        5,
                    )
                ),
                "seconds": time.time() - started,
            },
            indent=2,
        )
        + "\n"
    )
    print(OUT.read_text())


def rate(count: int, n: int) -> dict:
    """A share, and its exact 95 % binomial interval as if the repetitions were independent."""
    return {
        "count": count,
        "of": n,
        "share": count / n,
        "interval": [
            float(beta.ppf(0.025, count, n - count + 1)) if count else 0.0,
            float(beta.ppf(0.975, count + 1, n - count)),
        ],
    }


if __name__ == "__main__":
    main()
