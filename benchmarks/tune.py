"""Tuned baselines: a grid of learning rate and epochs for each study, on seeds that no claim uses.

Each cell is the baseline alone, finished, with the study's rates scaled by one factor (the head's
with the encoder's) and its epochs by another. The cell with the best accuracy on the in-domain test
set wins: these seeds draw data of their own, so it is a validation set to all claims. Of the cells
within a standard error of the best the cheapest is taken. Where the best lies at the grid's edge
the grid is widened by `--rates` or `--epochs`.

    python benchmarks/tune.py [--studies NAME ...] [--seeds 4] [--rates ...] [--epochs ...]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import torch

from ddiv.outcome import read
from ddiv.profiles.choose import profile
from ddiv.study import Study
from ddiv.treatment import BASELINE
from ddiv.trial import trial
from ddiv.trial.measure import measure

OUT = Path(__file__).parent / "results" / "tune.json"

# Claims use seeds below 1,000,000, which is where those of broken pairs begin.
FIRST = 900_000
RATES, EPOCHS = (0.125, 0.25, 0.5, 1.0), (0.5, 1.0, 2.0)
SHOWN = ("accuracy/id", "accuracy/ood", "accuracy/train", "loss/train", "ece/id")


def scaled(study: Study, rate: float, epochs: float) -> Study:
    recipe = study.recipe
    head = recipe.head_lr and recipe.head_lr * rate
    changed = msgspec.structs.replace(
        recipe,
        lr=recipe.lr * rate,
        head_lr=head,
        epochs=max(1, round(recipe.epochs * epochs)),
        checkpoints=(),
    )
    return msgspec.structs.replace(study, recipe=changed)


def score(cell: tuple[Study, float, float, int]) -> tuple[str, float, float, int, dict[str, float]]:
    study, rate, epochs, seed = cell
    torch.set_num_threads(1)
    started = time.perf_counter()
    job = trial(scaled(study, rate, epochs), BASELINE, seed)
    try:
        record = measure(job, {}, "cpu", lambda share: None)
    except Exception as error:  # a rate at which it diverges is a cell of the table
        return study.name, rate, epochs, seed, {"error": str(error)}
    scores = {name: value for name, value in read(record).after.scores.items() if name in SHOWN}
    return study.name, rate, epochs, seed, scores | {"seconds": time.perf_counter() - started}


def cells(options: argparse.Namespace) -> Iterator[tuple[Study, float, float, int]]:
    for study in profile("full").studies:
        if not options.studies or study.name in options.studies:
            for seed in range(FIRST, FIRST + options.seeds):
                for rate in options.rates:
                    yield from ((study, rate, epochs, seed) for epochs in options.epochs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", nargs="*", default=())
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rates", type=float, nargs="*", default=RATES)
    parser.add_argument("--epochs", type=float, nargs="*", default=EPOCHS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = json.loads(options.out.read_text()) if options.out.exists() else []
    known = {(row["study"], row["rate"], row["epochs"], row["seed"]) for row in rows}
    todo = [c for c in cells(options) if (c[0].name, *c[1:]) not in known]
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for name, rate, epochs, seed, scores in pool.imap(score, todo):
            rows.append({"study": name, "rate": rate, "epochs": epochs, "seed": seed, **scores})
            options.out.write_text(json.dumps(rows, indent=0))
            print(name, rate, epochs, seed, scores, flush=True)
    table(rows)


def table(rows: list[dict]) -> None:
    by_cell = defaultdict(list)
    for row in rows:
        by_cell[row["study"], row["rate"], row["epochs"]].append(row)
    for (study, rate, epochs), runs in sorted(by_cell.items()):
        means = {n: np.mean([run.get(n, np.nan) for run in runs]) for n in (*SHOWN, "seconds")}
        shown = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(f"{study:20} rate x {rate:<6} epochs x {epochs:<4} n={len(runs)}  {shown}")


if __name__ == "__main__":
    main()
