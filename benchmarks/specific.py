"""The specific verdict: how often it falls for mere optimisers, and for a planted regulariser.

On independent draws of the cheapest study, on seeds that neither claims nor calibrations use.
Members of the optimiser's family that are held out of its curves are asked about as arms: whatever
is found specific of them is false. A planted regulariser is an arm that does nothing (the no-op),
or a slower optimiser (rate x 0.7), with a constant added to its outcome at unchanged clean loss: so
much of the seed-to-seed spread of an arm that does nothing.

    ddiv calibrate --profile embedded --only resnet18-digits
    python benchmarks/specific.py [--seeds 100] [-n 2] [--store FOLDER]

Verdicts are those of runs as pytest makes them: three seeds, and up to seven while they can decide.
`disjoint` runs share no seed, and their binomial intervals (Clopper and Pearson) are exact for one
member and outcome; `resampled` ones draw their seeds from all, many times over.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from ddiv.claim import Claim, Contrast, NotApplicable, Unmatched, jobs
from ddiv.common.machine import usable_cores
from ddiv.evidence import RISES, judge
from ddiv.finding import Asked, Finding, Reader, SeedBench, replicate, withheld
from ddiv.finding.calibration import Calibration, name_of
from ddiv.finding.specific import SpecificBench, benches, lacking, nearest, shrunk
from ddiv.outcome import Outcome, Score, Spectral
from ddiv.profiles.choose import profile
from ddiv.run.crew import Crew
from ddiv.study import Study
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import Rate, Treatment
from ddiv.trial import Trial, trial
from ddiv.trial.store import Store

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(__file__).parent / "results" / "specific.json"

STUDY, FIRST = "resnet18-digits", 920_000
START, MOST, ALPHA, UNMATCHED = 3, 7, 0.05, 0.25
SHIFTS = (0.0, 0.5, 1.0, 2.0, 4.0)
HEADLINES: tuple[Outcome, ...] = (
    *(
        Spectral(metric, layers)
        for metric in ("alpha", "entropy_normalised", "frobenius_norm", "spectral_norm")
        for layers in ("classifier", "encoder")
    ),
    *(Score(kind, where) for kind in ("accuracy", "ece") for where in ("id", "ood")),
)


# One arm's effects on one outcome by seed: as claimed, specific, and where it cannot be matched.
class Effects(NamedTuple):
    claimed: np.ndarray
    specific: np.ndarray
    unmatched: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--study", default=STUDY, help="a study of the profile")
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("-n", dest="workers", type=int, default=usable_cores())
    parser.add_argument("--store", type=Path, default=ROOT / ".ddiv")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    study = next(one for one in profile(options.profile).studies if one.name == options.study)
    reader, started = Reader(Store(options.store)), time.time()
    calibration, note = reader.calibration(study)
    if calibration is None:
        sys.exit(note)
    seeds = range(FIRST, FIRST + options.seeds)
    arms = (*study.held_out, study.no_op)
    train(
        options.store,
        [trial(study, arm, s) for s in seeds for arm in (*MEMBERS, *arms)],
        options.workers,
    )
    asked = [one for one in HEADLINES if applies(one, study, calibration)]
    at = [bench(reader, study, seed, calibration) for seed in seeds]
    rng = np.random.default_rng(0)
    held_out = list(of_held_out(study, asked, at, options.resamples, rng))
    results = {
        "command": shlex.join(["python", "benchmarks/specific.py", *sys.argv[1:]]),
        "study": study.name,
        "seeds": options.seeds,
        "alpha": ALPHA,
        "held_out": held_out,
        "all_held_out": pooled(held_out),
        "planted": list(of_planted(study, asked, at, calibration, options.resamples, rng)),
        "seconds": time.time() - started,
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(summary(results))


# --- trials ---------------------------------------------------------------------------------------


def train(store: Path, wanted: Sequence[Trial], workers: int) -> None:
    """Train what the store lacks in several processes. Exits where a trial fails."""
    missing = [job for job in wanted if job not in Store(store)]
    if not missing:
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        work = partial(_train, store, Path(folder), workers)
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            done = pool.imap_unordered(work, missing)
            for i, job in enumerate(done, 1):
                print(f"{i} of {len(missing)}: {job}", file=sys.stderr, flush=True)


def _train(store: Path, folder: Path, workers: int, job: Trial) -> str:
    from ddiv.trial.measure import measure  # imports torch

    crew = Crew(
        Store(store),
        folder,
        lambda job, records, report: measure(job, records, None, report),
        slots=workers,
        worker=f"specific-{os.getpid()}",
    )
    crew.obtain([job])
    return job.label


def applies(outcome: Outcome, study: Study, calibration: Calibration) -> bool:
    """Whether the study has the outcome's domain, and the calibration its margin."""
    question = Contrast(outcome, (study.no_op,), RISES)
    try:
        return bool(jobs(question, study, (0,))) and not lacking(question, calibration)
    except NotApplicable:
        return False


def bench(reader: Reader, study: Study, seed: int, calibration: Calibration) -> SpecificBench:
    question = Contrast(HEADLINES[0], (study.no_op,), RISES)
    (at,) = benches(SeedBench(reader, study, seed), question, calibration)
    return at


# --- effects and verdicts -------------------------------------------------------------------------


def effects(
    at: Sequence[SpecificBench], outcome: Outcome, arm: Treatment, shift: float = 0.0
) -> Effects:
    """An arm's effects, with a shift of its outcome at unchanged loss."""
    rows = [_effects(one, outcome, arm, shift) for one in at]
    return Effects(*(np.array(column) for column in zip(*rows)))


def _effects(
    at: SpecificBench, outcome: Outcome, arm: Treatment, shift: float
) -> tuple[float, float, bool]:
    claimed = super(SpecificBench, at).effect(outcome, arm) + shift
    try:
        distances = [distance + shift for distance in at.distances(outcome, arm)]
    except Unmatched:
        return claimed, 0.0, True
    specific = shrunk(nearest(distances), at.calibration.margin(outcome))
    return claimed, float(np.nan_to_num(specific)), False


def verdicts(
    of: Effects, outcome: Outcome, study: Study, drawn: Sequence[int], by: str
) -> tuple[str, str]:
    """The verdicts of a run, as claimed and specific; it stops by the one named `by`."""
    claim = Claim("held-out", "it is specific", "ours", "specific", judged_by=by)
    question = Contrast(outcome, (study.no_op,), RISES)
    asked = Asked(claim, study, "", question, tuple(range(START)), ALPHA, "benchmark")

    def obtain(asked: Asked) -> Finding:
        rows = list(drawn[: len(asked.seeds)])
        claimed, specific = (judge(table[rows], RISES, alpha=ALPHA) for table in of[:2])
        if of.unmatched[rows].mean() > UNMATCHED:
            specific = withheld(specific)
        return Finding(
            asked,
            claimed,
            tuple((float(effect),) for effect in of.claimed[rows]),
            specific=specific,
            specific_effects=tuple((float(effect),) for effect in of.specific[rows]),
        )

    found = replicate(asked, obtain, MOST)
    return found.evidence.verdict, found.specific.verdict


def shares(
    of: Effects, outcome: Outcome, study: Study, resamples: int, rng: np.random.Generator
) -> dict:
    """How often each verdict falls, in disjoint runs and in resampled ones."""
    n = len(of.claimed)
    order = rng.permutation(n)
    blocks = [order[i : i + MOST] for i in range(0, n - MOST + 1, MOST)]
    drawn = [rng.permutation(n)[:MOST] for _ in range(resamples)] if n >= MOST else []
    found: dict[str, dict] = {}
    for by in ("specific", "claimed"):  # where a run stops
        here = [verdicts(of, outcome, study, rows, by) for rows in blocks]
        often = [verdicts(of, outcome, study, rows, by) for rows in drawn]
        found[f"stopped_by_{by}"] = {
            "disjoint": rate(sum(specific != "inconclusive" for _, specific in here), len(here)),
            "resampled": {
                "specific_supported": share(often, lambda pair: pair[1] == "supported"),
                "specific_contradicted": share(often, lambda pair: pair[1] == "contradicted"),
                "claimed_decided": share(often, lambda pair: pair[0] != "inconclusive"),
            },
        }
    return found


def share(pairs: Sequence[tuple[str, str]], holds: Callable[[tuple[str, str]], bool]) -> float:
    return sum(map(holds, pairs)) / len(pairs) if pairs else float("nan")


def of_held_out(
    study: Study,
    asked: Sequence[Outcome],
    at: Sequence[SpecificBench],
    resamples: int,
    rng: np.random.Generator,
) -> Iterator[dict]:
    """Each held-out member and outcome: seeds with a specific effect, and verdicts."""
    for arm in study.held_out:
        for outcome in asked:
            of = effects(at, outcome, arm)
            yield {
                "arm": arm.label,
                "outcome": outcome.label,
                "unmatched": rate(int(of.unmatched.sum()), len(at)),
                "nonzero": rate(int((of.specific != 0).sum()), len(at)),
                "positive": rate(int((of.specific > 0).sum()), len(at)),
                "negative": rate(int((of.specific < 0).sum()), len(at)),
                "verdicts": shares(of, outcome, study, resamples, rng),
            }


def pooled(rows: Sequence[dict]) -> dict:
    """Over all held-out members and outcomes; their runs share seeds, so no interval is exact."""
    over = [row["verdicts"]["stopped_by_specific"]["resampled"] for row in rows]
    one_sided = [max(row["positive"]["share"], row["negative"]["share"]) for row in rows]
    return {
        "rows": len(rows),
        "nonzero": float(np.mean([row["nonzero"]["share"] for row in rows])),
        "largest_share_of_one_sign": float(np.max(one_sided)),
        "specific_decided": float(
            np.mean([one["specific_supported"] + one["specific_contradicted"] for one in over])
        ),
        "largest_specific_decided": float(
            np.max([one["specific_supported"] + one["specific_contradicted"] for one in over])
        ),
    }


def of_planted(
    study: Study,
    asked: Sequence[Outcome],
    at: Sequence[SpecificBench],
    calibration: Calibration,
    resamples: int,
    rng: np.random.Generator,
) -> Iterator[dict]:
    """Power, by the size of the shift in units of the no-op's spread."""
    for arm in (study.no_op, Treatment.of(Rate(0.7))):
        for outcome in asked:
            noise = calibration.noise.get(name_of(outcome), float("nan"))
            for shift in SHIFTS:
                of = effects(at, outcome, arm, shift * noise)
                yield {
                    "arm": arm.label,
                    "outcome": outcome.label,
                    "shift": shift,
                    "margin": calibration.margin(outcome) / noise if noise else None,
                    "positive": rate(int((of.specific > 0).sum()), len(at)),
                    "verdicts": shares(of, outcome, study, resamples, rng),
                }


def rate(count: int, n: int) -> dict:
    """A share and its exact 95 % binomial interval."""
    if not n:
        return {"count": 0, "of": 0, "share": None, "interval": [0.0, 1.0]}
    return {
        "count": count,
        "of": n,
        "share": count / n,
        "interval": [
            float(beta.ppf(0.025, count, n - count + 1)) if count else 0.0,
            float(beta.ppf(0.975, count + 1, n - count)) if count < n else 1.0,
        ],
    }


def summary(results: dict) -> str:
    """What a person reads."""
    over = results["all_held_out"]
    lines = [
        f"{results['study']}, {results['seeds']} seeds: held-out members have a specific effect at "
        f"{over['nonzero']:.1%} of seeds, at most {over['largest_share_of_one_sign']:.1%} of one "
        f"sign; verdicts on them {over['specific_decided']:.2%} (at most "
        f"{over['largest_specific_decided']:.1%} for one member and outcome)"
    ]
    for row in results["planted"]:
        found = row["verdicts"]["stopped_by_specific"]["resampled"]["specific_supported"]
        lines.append(
            f"{row['arm']:12} {row['outcome']:38} shift {row['shift']:.1f} sd: specific at "
            f"{row['positive']['share']:.0%} of seeds, supported in {found:.0%} of runs"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
