"""Records as training leaves them, with planted contents: what a record says is set by a few knobs.

Eigenvalues are exact quantiles of a power law, so an arm's alpha and norms are what its knobs say; predictions have
a planted share of right answers at a planted confidence; views have planted Vendi Scores.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ddiv import outcome as outcomes
from ddiv.outcome import Outcome, Vendi
from ddiv.store import Record
from ddiv.study import Study
from ddiv.treatment import BASELINE
from ddiv.trial import Job, Trial, trial

# A layer has 60 eigenvalues, more than the 50 from which a fit can be relied on.
EIGENVALUES, SAMPLES, CLASSES = 60, 100, 10
LAYERS = [("head", "linear", "classifier"), ("block.0", "linear", "encoder"),
          ("block.1/flat", "conv-flat", "encoder"), ("block.1/pooled", "conv-pooled", "encoder")]


@dataclass(frozen=True)
class Levels:
    """How far each knob of one arm at one seed is turned, 0 as in the baseline; between -3 and 3."""

    scale: float = 0.0
    exponent: float = 0.0
    confidence: float = 0.0
    accuracy: float = 0.0
    diversity: float = 0.0

    def turned(self, knob: str, by: float) -> "Levels":
        return replace(self, **{knob: getattr(self, knob) + by})


# The knobs in the order in which one is looked for that moves an outcome.
KNOBS = ("scale", "exponent", "confidence", "accuracy", "diversity")


def record(job: Job, study: Study, levels: Levels) -> Record:
    """The record of a job whose arm has these levels."""
    if not isinstance(job, Trial):
        return Record(job, {"vendi": {"pixel": 10 + levels.diversity, "embedding": 6 + levels.diversity}}, {})
    layers = [{"name": name, "kind": kind, "shape": [80, EIGENVALUES], "view": view, "eigenvalues": EIGENVALUES}
              for name, kind, view in LAYERS]
    facts = {"layers": layers, "clean": {"loss": 0.01, "accuracy": 1.0}, "domains": list(study.domains),
             "trajectory": []}
    arrays = {"eigenvalues/before": eigenvalues(Levels()), "eigenvalues/after": eigenvalues(levels)}
    outputs, labels = predictions(levels)
    for domain in study.domains:
        arrays |= {f"labels/{domain}": labels, f"log_probabilities/{domain}": outputs}
    if job.treatment.is_baseline:
        # It ends at every arm's clean loss, so at equal fit each arm is compared with the baseline's last state.
        facts["trajectory"] = [{"epoch": 0.0, "loss": 2.0, "accuracy": 0.1}, {"epoch": 1.0, **facts["clean"]}]
        arrays["trajectory/eigenvalues"] = np.stack([arrays["eigenvalues/before"], arrays["eigenvalues/after"]])
        for domain in study.domains:
            arrays[f"trajectory/log_probabilities/{domain}"] = np.stack([outputs, outputs])
    return Record(job, facts, arrays)


@cache
def eigenvalues(levels: Levels) -> np.ndarray:
    """Quantiles of p(x) ~ x^-alpha above 1 in every layer, each layer with an exponent of its own, times a scale."""
    shares = (np.arange(EIGENVALUES) + 0.5) / EIGENVALUES
    layers = [(1 - shares) ** (-1 / (2 + 0.2 * i + 0.2 * levels.exponent)) for i in range(len(LAYERS))]
    return np.concatenate(layers) * (1 + 0.1 * levels.scale)


@cache
def predictions(levels: Levels) -> tuple[np.ndarray, np.ndarray]:
    """(log-probabilities, labels): 60 % right at a confidence of 85 %, give or take what the knobs say."""
    confidence = 0.85 + 0.02 * levels.confidence
    outputs = np.log(np.full((SAMPLES, CLASSES), (1 - confidence) / (CLASSES - 1), dtype=np.float32))
    outputs[:, 0] = np.log(confidence)
    return outputs, (np.arange(SAMPLES) >= 60 + 5 * levels.accuracy).astype(np.int32)


@cache
def lever(outcome: Outcome, study: Study) -> tuple[str, int]:
    """The first knob that moves an outcome, and the sign with which it does."""
    if isinstance(outcome, Vendi):
        return "diversity", 1
    for knob in KNOBS:
        ends = (record(trial(study, BASELINE, 0), study, Levels().turned(knob, by)) for by in (-1, 1))
        low, high = (outcomes.value(outcome, outcomes.read(end).after) for end in ends)
        if abs(high - low) > 1e-6:
            return knob, 1 if high > low else -1
    raise LookupError(f"no knob of the planted records moves {outcome.label}: add one to tests/planted.py")
