"""Tuned baselines: a grid of learning rate and epochs for each study, on seeds that no claim uses.

Each cell is the baseline alone, finished, with the study's rates scaled by one factor (the head's
with the encoder's) and its epochs by another. The cell with the best accuracy on the in-domain test
set wins: these seeds draw data of their own, so it is a validation set to all claims. Of the cells
within a standard error of the best the cheapest is taken. Where the best lies at the grid's edge
the grid is widened by `--rates` or `--epochs`. Cells that the results hold are not trained again.

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
RATES, EPOCHS = (0.125, 0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 2.0)
SHOWN = ("accuracy/id", "accuracy/ood", "accuracy/train", "loss/train", "ece/id")

Cell = tuple[Study, int]


def scaled(study: Study, rate: float, epochs: float) -> Study:
    recipe = study.recipe
    changed = msgspec.structs.replace(
        recipe,
        lr=float(f"{recipe.lr * rate:.6g}"),
        head_lr=recipe.head_lr and float(f"{recipe.head_lr * rate:.6g}"),
        epochs=max(1, round(recipe.epochs * epochs)),
        checkpoints=(),
    )
    return msgspec.structs.replace(study, recipe=changed)


def name_of(study: Study, seed: int) -> dict[str, str | float]:
    recipe = study.recipe
    return {"study": study.name, "lr": recipe.lr, "epochs": recipe.epochs, "seed": seed}


def score(cell: Cell) -> dict[str, str | float]:
    study, seed = cell
    torch.set_num_threads(1)
    started = time.perf_counter()
    try:
        record = measure(trial(study, BASELINE, seed), {}, "cpu", lambda share: None)
    except Exception as error:  # a rate at which it diverges is a cell of the table
        return name_of(study, seed) | {"error": str(error)}
    scores = {name: value for name, value in read(record).after.scores.items() if name in SHOWN}
    scores["seconds"] = time.perf_counter() - started
    return name_of(study, seed) | {name: round(value, 4) for name, value in scores.items()}


def cells(options: argparse.Namespace) -> Iterator[Cell]:
    for study in filter(lambda study: study.trains, profile("full").studies):
        if not options.studies or study.name in options.studies:
            for seed in range(FIRST, FIRST + options.seeds):
                for rate in options.rates:
                    yield from ((scaled(study, rate, epochs), seed) for epochs in options.epochs)


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
    rows = json.loads(options.out.read_text("utf-8")) if options.out.exists() else []
    known = [{name: row[name] for name in ("study", "lr", "epochs", "seed")} for row in rows]
    todo = [cell for cell in cells(options) if name_of(*cell) not in known]
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for row in pool.imap(score, todo):
            rows.append(row)
            options.out.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", "utf-8")
            print(row, flush=True)
    table(rows)


def table(rows: list[dict]) -> None:
    by_cell = defaultdict(list)
    for row in rows:
        by_cell[row["study"], row["epochs"], row["lr"]].append(row)
    for (study, epochs, lr), runs in sorted(by_cell.items()):
        means = {n: np.mean([run.get(n, np.nan) for run in runs]) for n in (*SHOWN, "seconds")}
        shown = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(f"{study:20} {epochs:3} epochs  lr {lr:<8g} {len(runs)} seeds  {shown}")


if __name__ == "__main__":
    main()
