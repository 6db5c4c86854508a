"""A/A: every claim asked of twenty trials of the baseline, some of which stand for the arms.

The trials are of the embedded CLIP study. Nothing was treated, so every verdict but inconclusive is
false. In each repetition the trials are split into ten for the baseline and ten for the arms; every
arm draws its own order of its ten, so no trial is compared with itself. Then each claim on trained
networks is asked as a run asks it, seed by seed with the same stopping rule.

    python benchmarks/aa.py [--repetitions 200] [--store FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
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

from ddiv.common.machine import usable_cores
from ddiv.finding import Asked, Finding, Reader, answer, replicate
from ddiv.finding.calibration import Calibration
from ddiv.outcome import Trained
from ddiv.profiles.choose import profile
from ddiv.run.crew import Crew
from ddiv.study import Study
from ddiv.treatment import BASELINE
from ddiv.trial import Trial, trial
from ddiv.trial.measure import measure
from ddiv.trial.store import Record, Store

ROOT, OUT = Path(__file__).resolve().parent.parent, Path(__file__).parent / "results" / "aa.json"
TRIALS = 20


class Collected:
    """A pytest plugin that keeps what the collected tests of claims/ ask."""

    def __init__(self):
        self.asked: list[Asked] = []

    def pytest_collection_finish(self, session):
        from ddiv.plugin.session import ASKED

        self.asked = [item.stash[ASKED] for item in session.items if ASKED in item.stash]


class Shuffled:
    """A reader that hands out trials of the baseline in place of those of every arm."""

    def __init__(self, reader: Reader, baselines: list[Trial], rng: np.random.Generator):
        order = [baselines[i] for i in rng.permutation(len(baselines))]
        self.reader, self.half = reader, len(order) // 2
        self.base, others = order[: self.half], order[self.half :]
        self.orders = defaultdict(lambda: [others[i] for i in rng.permutation(len(others))])

    def trained(self, job: Trial) -> Trained:
        return self.reader.trained(self._stand_in(job))

    def record(self, job: Trial) -> Record:
        return self.reader.record(self._stand_in(job))

    def has(self, job: Trial) -> bool:
        return self.reader.has(self._stand_in(job))

    def calibration(self, study: Study) -> tuple[Calibration | None, str]:
        return self.reader.calibration(study)

    def _stand_in(self, job: Trial) -> Trial:
        order = self.base if job.treatment.is_baseline else self.orders[job.treatment]
        return order[job.seed]


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
        lambda asked: answer(asked, reader, definitions=False),
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
    study, store = profile("embedded").studies[0], Store(options.store)
    jobs = [trial(study, BASELINE, seed) for seed in range(TRIALS)]
    if options.train_only:
        part, parts = options.train_only
        train(store, jobs[part::parts], f"aa-{part}")
        return
    started = time.time()
    train_side_by_side(options.store)
    claims = [
        asked
        for asked in collected(options.store)
        if asked.study == study
        and not asked.claim.control
        and not asked.not_applicable
        and asked.question.has_specific
    ]
    results = {
        "command": shlex.join(["python", "benchmarks/aa.py", *sys.argv[1:]]),
        "study": study.name,
        "trials": TRIALS,
        "repetitions": options.repetitions,
        "claims": len(claims),
        "alpha": claims[0].alpha,
        **false_verdicts(claims, Reader(store), jobs, options.repetitions),
        "seconds": time.time() - started,
    }
    OUT.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    print(OUT.read_text("utf-8"))


def train_side_by_side(store: Path) -> None:
    """Train what the store lacks, in one process per core. Exits where a trial fails."""
    cores = usable_cores()
    command = [sys.executable, __file__, "--store", str(store), "--train-only"]
    helpers = [subprocess.Popen([*command, str(part), str(cores)]) for part in range(cores)]
    statuses = [helper.wait() for helper in helpers]
    if any(statuses):
        sys.exit("a trial could not be trained; see above")


def collected(store: Path) -> list[Asked]:
    """What the tests of claims/ ask."""
    plugin, options = Collected(), ["--collect-only", "-q", "-p", "no:cacheprovider"]
    where = [f"--store={store}", f"--rootdir={ROOT}"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([str(ROOT / "claims"), *options, *where], plugins=[plugin])
    return plugin.asked


def false_verdicts(
    claims: list[Asked], reader: Reader, baselines: list[Trial], repetitions: int
) -> dict:
    """How many answers are not inconclusive: of all, and of the claims with the most of them."""
    chosen = profile("embedded")
    decided, specific, seeds = defaultdict(int), defaultdict(int), []
    for repetition in range(repetitions):
        rng = np.random.default_rng([repetition, TRIALS])
        shuffled = Shuffled(reader, baselines, rng)
        for asked in claims:
            finding = ask(asked, shuffled, chosen.seeds, chosen.max_seeds)
            beyond, name = finding.specific, f"{asked.claim.id} {asked.variant}".strip()
            decided[name] += finding.evidence.verdict != "inconclusive"
            specific[name] += beyond is not None and beyond.verdict != "inconclusive"
            seeds.append(len(finding.asked.seeds))
        share = sum(decided.values()) / len(seeds)
        print(f"{repetition + 1} of {repetitions}: {share:.4f} decided", file=sys.stderr)
    most = sorted(decided.items(), key=lambda pair: -pair[1])[:5]
    return {
        "decided": rate(sum(decided.values()), len(seeds)),
        "specific_decided": rate(sum(specific.values()), len(seeds)),
        "mean_seeds": float(np.mean(seeds)),
        "largest_rate_of_a_claim": {name: count / repetitions for name, count in most},
    }


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
