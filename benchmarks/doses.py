"""Doses of dropout and weight decay, tried on seeds that no claim uses.

Two rules choose them, before any claim is judged: the model still learns its training set at most
doses (clean training accuracy at least .8 at the largest), and the largest dose visibly acts.

    python benchmarks/doses.py [--studies NAME ...] [--dropout ...] [--decay ...]
"""

from __future__ import annotations

import argparse
import multiprocessing

from ddiv.outcome import Spectral, read, value
from ddiv.profiles.choose import profile
from ddiv.study import Study
from ddiv.treatment import BASELINE, Dropout, Treatment, WeightDecay
from ddiv.trial import trial
from ddiv.trial.measure import measure

FIRST = 905_000
SHOWN = ("accuracy/train", "loss/train", "accuracy/id", "accuracy/ood", "ece/id")
METRICS = ("frobenius_norm", "spectral_norm", "entropy_normalised", "alpha")


def row(cell: tuple[Study, Treatment, int]) -> tuple[str, dict[str, float]]:
    study, arm, seed = cell
    state = read(measure(trial(study, arm, seed), {}, "cpu", lambda share: None)).after
    scores = {name: state.scores[name] for name in SHOWN if name in state.scores}
    spectra = {name: value(Spectral(name, "classifier"), state) for name in METRICS}
    return f"{study.name:20} seed {seed} {arm.label:16}", scores | spectra


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", nargs="*", default=())
    parser.add_argument("--dropout", type=float, nargs="*")
    parser.add_argument("--decay", type=float, nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    cells = []
    for study in filter(lambda study: study.trains, profile("full").studies):
        if options.studies and study.name not in options.studies:
            continue
        rates = study.dropout_rates if options.dropout is None else options.dropout
        decays = study.decays if options.decay is None else options.decay
        arms = [BASELINE, *(Treatment.of(Dropout(rate)) for rate in rates)]
        arms += [Treatment.of(WeightDecay(decay)) for decay in decays]
        cells += [(study, arm, FIRST + i) for i in range(options.seeds) for arm in arms]
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for label, numbers in pool.imap(row, cells):
            shown = "  ".join(f"{name} {number:.3f}" for name, number in numbers.items())
            print(label, shown, flush=True)


if __name__ == "__main__":
    main()
