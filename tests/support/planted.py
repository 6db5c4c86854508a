"""Records as training leaves them, with planted contents: what a record says is set by a few knobs.

Eigenvalues are exact quantiles of a known law, so an arm's alpha and norms are what its knobs say;
predictions have a planted share of right answers at a planted confidence; views have planted
scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from ddiv import outcome as outcomes
from ddiv.claim import OfData
from ddiv.diversity.weighted import DEFINITIONS
from ddiv.finding import Calibration, Reader
from ddiv.outcome import Coverage, Outcome, Outside, Rho, Trained, Vendi, Weighted
from ddiv.study import Study
from ddiv.treatment import BASELINE, Traced, Treatment
from ddiv.trial import DataView, Experiment, Job, Trial, trial, truncation
from ddiv.trial.facts import HELD, NEIGHBOURS, ROW_ORDERS
from ddiv.trial.store import Record

# A layer has 60 eigenvalues, more than the 50 from which a fit can be relied on.
EIGENVALUES, ROWS, SAMPLES, CLASSES = 60, 80, 1000, 10
LAYERS = [
    ("head", "linear", "classifier"),
    ("encoder.fc1", "linear", "encoder"),
    ("block.1/flat", "conv-flat", "encoder"),
    ("block.1/pooled", "conv-pooled", "encoder"),
    ("encoder.pooler.dense", "linear", "encoder"),
]
SPECTRA = ("power law", "noise", "spikes", "exponential", "log-uniform")


@dataclass(frozen=True)
class Levels:
    """How far each knob of one arm at one seed is turned, 0 as in the baseline; between -3 and 3
    where not said otherwise.

    `exponent` may be up to 20. `own` moves the study's own outcomes of networks. `spectrum` is the
    law of all eigenvalues, and `start` that and the exponent before training.
    """

    scale: float = 0.0
    exponent: float = 0.0
    tail: float = 0.0
    order: float = 0.0
    confidence: float = 0.0
    accuracy: float = 0.0
    pixel: float = 0.0
    embedding: float = 0.0
    outside_pixel: float = 0.0
    outside_embedding: float = 0.0
    covered_pixel: float = 0.0
    covered_embedding: float = 0.0
    alignment: float = 0.0
    truncation: float = 0.0
    own: float = 0.0
    spectrum: str = "power law"
    start: tuple[str, float] = ("power law", 0.0)

    def turned(self, knob: str, by: float) -> "Levels":
        return replace(self, **{knob: getattr(self, knob) + by})


# The laws up to a level of `order`: from -.05 to 1.5 it is that of `spectrum`.
ORDERS = {
    -0.6: "noise",
    -0.05: "spikes",
    1.5: "",
    3.0: "bleeding",
    6.0: "exponential",
    np.inf: "collapse",
}

# Levels of `order` at which a layer is in each of the 5+1 phases, however much a seed adds to them.
OF_PHASES = (-1.0, 2.0, -0.3, 4.0, 0.0, 8.0)

# The knobs in the order in which one is looked for that moves an outcome of a trained network.
KNOBS = ("scale", "exponent", "tail", "order", "confidence", "accuracy", "own")


def record(job: Job, study: Study, levels: Levels) -> Record:
    """The record of a job whose arm has these levels."""
    if not isinstance(job, Trial):
        return view_record(job, levels)
    layers = [
        {
            "name": name,
            "kind": kind,
            "shape": [ROWS, EIGENVALUES, 1],
            "view": view,
            "eigenvalues": EIGENVALUES,
        }
        for name, kind, view in LAYERS
    ]
    facts = {
        "layers": layers,
        "clean": {"loss": 0.01, "accuracy": 1.0},
        "domains": list(study.domains),
        "classes": 10,
        "trajectory": [],
        "outcomes": own_outcomes(job, levels),
    }
    spectrum, exponent = levels.start
    arrays = {
        "eigenvalues/before": eigenvalues(Levels(spectrum=spectrum, exponent=exponent)),
        "eigenvalues/after": eigenvalues(levels),
    }
    outputs, labels = predictions(levels.confidence, levels.accuracy)
    for domain in study.domains:
        arrays |= {f"labels/{domain}": labels, f"log_probabilities/{domain}": outputs}
    if followed(job.treatment):
        # It ends at every arm's clean loss, so at equal fit each arm is compared with the
        # baseline's last state.
        facts["trajectory"] = [
            {"epoch": 0.0, "loss": 2.0, "accuracy": 0.1},
            {"epoch": 1.0, **facts["clean"]},
        ]
        if job.treatment.is_baseline:
            facts["truncated"] = truncated(levels.truncation)
        arrays["trajectory/eigenvalues"] = np.stack(
            [arrays["eigenvalues/before"], arrays["eigenvalues/after"]]
        )
        for domain in study.domains:
            arrays[f"trajectory/log_probabilities/{domain}"] = np.stack([outputs, outputs])
    return Record(job, facts, arrays)


def own_outcomes(job: Trial, levels: Levels) -> dict:
    """What a record says of outcomes that are computed of a trained network."""
    before, after = (
        {outcome.key: 1 + 0.1 * at for outcome in job.outcomes} for at in (0, levels.own)
    )
    trajectory = [before, after] if followed(job.treatment) else []
    return {"before": before, "after": after, "trajectory": trajectory}


def view_record(job: DataView, levels: Levels) -> Record:
    """The record of a view: Vendi Scores, energies outside the real span, coverage of held-out data
    and alignments, under each definition.
    """
    vendi = {Vendi("pixel").key: 10 + levels.pixel, Vendi("embedding").key: 6 + levels.embedding}
    outside = {
        Outside(space, held).key: 0.5 + 0.1 * by + 0.1 * (1 - held)
        for space, by in (("pixel", levels.outside_pixel), ("embedding", levels.outside_embedding))
        for held in HELD
    }
    coverage = {
        Coverage(space, neighbours).key: 0.5 + 0.1 * by
        for space, by in (("pixel", levels.covered_pixel), ("embedding", levels.covered_embedding))
        for neighbours in NEIGHBOURS
    }
    aligned = dict.fromkeys(DEFINITIONS, 0.5 + 0.1 * levels.alignment)
    rows = dict.fromkeys(ROW_ORDERS, 0.5 + 0.1 * levels.alignment)
    facts = {"vendi": vendi, "outside": outside, "coverage": coverage, "alignment": aligned}
    facts["rows"] = rows
    return Record(job, facts, {})


@cache
def eigenvalues(levels: Levels) -> np.ndarray:
    """Of every layer: quantiles of a law, each layer with an exponent of its own, times a scale.

    A power law has a bulk of a third, evenly spread below 1, give or take one eigenvalue per level
    of `tail`, and its tail's density is x^-alpha. Falling `order` makes it spikes above noise, then
    noise; `ORDERS` has further laws.
    """
    law = next(law for most, law in ORDERS.items() if levels.order < most) or levels.spectrum
    layers = [
        quantiles(law, 2 + 0.2 * i + 0.2 * levels.exponent, round(40 + 4 * levels.tail))
        for i in range(len(LAYERS))
    ]
    return np.concatenate(layers) * (1 + 0.1 * levels.scale)


@cache
def quantiles(spectrum: str, exponent: float, tail: int) -> np.ndarray:
    shares = (np.arange(EIGENVALUES) + 0.5) / EIGENVALUES
    match spectrum:
        case "power law":
            above = (1 - (np.arange(tail) + 0.5) / tail) ** (-1 / exponent)
            return np.concatenate([np.linspace(0.5, 0.99, EIGENVALUES - tail), above])
        case "noise" | "spikes" | "bleeding" | "collapse":
            noise = np.random.default_rng(3).normal(size=(ROWS, EIGENVALUES)) / np.sqrt(ROWS)
            found = np.linalg.eigvalsh(noise.T @ noise)
            kept = {"spikes": found[:-3], "bleeding": found[:-1], "collapse": found[6:]}
            added = {"spikes": [9.0, 12.0, 15.0], "bleeding": [3.9], "collapse": [0.0] * 6}
            return np.sort([*kept.get(spectrum, found), *added.get(spectrum, [])])
        case "exponential":
            return 1 - np.log(1 - shares)
        # a density that falls as a power law does up to a sharp end, where a log-normal bends
        case "log-uniform":
            return np.geomspace(1, 5, EIGENVALUES)
    raise ValueError(spectrum)


@cache
def predictions(confidence: float, accuracy: float) -> tuple[np.ndarray, np.ndarray]:
    """(log-probabilities, labels): 60 % right at a confidence of 85 %, give or take what the knobs
    say.
    """
    sure = 0.85 + 0.02 * confidence
    outputs = np.log(np.full((SAMPLES, CLASSES), (1 - sure) / (CLASSES - 1), dtype=np.float32))
    outputs[:, 0] = np.log(sure)
    return outputs, (np.arange(SAMPLES) >= SAMPLES * (0.6 + 0.05 * accuracy)).astype(np.int32)


def truncated(by: float) -> dict:
    """What is left of an accuracy of 1 without the tail, the bulk and random directions; at 1 as
    the paper says.
    """
    left = {"tail": 0.45 - 0.35 * by, "bulk": 0.75 + 0.23 * by, "random": 0.45}
    cut = [
        {
            "tail": tail,
            "part": part,
            "removed": removed,
            "matrices": 2,
            "with_tail": 2,
            "directions": 10,
            "of": 100,
            "accuracy": {"train": kept, "id": kept},
        }
        for tail in truncation.TAILS
        for part in ("all", "classifier")
        for removed, kept in left.items()
    ]
    return {
        "chance": 0.0,
        "images": {"train": SAMPLES, "id": SAMPLES},
        "whole": {"train": 1.0, "id": 1.0},
        "cut": cut,
    }


def followed(arm: Treatment) -> bool:
    """Whether an arm's record has a trajectory."""
    return arm.is_baseline or arm.part(Traced) is not None


@cache
def trained(study: Study, baseline: bool, levels: Levels) -> Trained:
    """A trained record of these levels, read: the treatment makes no difference but for the
    baseline's trajectory, which arms that are traced have too.
    """
    arm = BASELINE if baseline else study.other_seed
    return outcomes.read(record(trial(study, arm, 0), study, levels))


class Exact(Calibration, frozen=True):
    """Planted optimisers lie on the curves, so no outcome has a margin; nor has any noise."""

    def margin(self, outcome: Outcome) -> float:
        return 0.0


EXACT = Exact(
    study="planted",
    fingerprint="",
    seeds=tuple(range(8)),
    best="baseline",
    accuracy={},
    margins={},
    noise={},
    matched={"rate x 0.7": 8, "rate x 1.4": 8, "length x 0.85": 8},
)


@dataclass
class PlantedReader(Reader):
    """A reader of planted records: the levels of a study's jobs, the numbers of experiments."""

    study: Study
    levels: Mapping[Job, Levels]
    numbers: Mapping[Job, dict[str, float]] = field(default_factory=dict)

    def record(self, job: Job) -> Record:
        if isinstance(job, Experiment):
            return Record(job, {"numbers": self.numbers[job]}, {})
        return record(job, self.study, self.levels[job])

    def calibration(self, study: Study) -> tuple[Calibration, str]:
        return EXACT, ""

    def trained(self, job: Job) -> Trained:
        return trained(self.study, followed(job.treatment), self.levels[job])


@cache
def lever(outcome: Outcome, study: Study) -> tuple[str, int]:
    """The first knob that moves an outcome, and the sign with which it does."""
    if isinstance(outcome, Weighted | Rho):
        return "alignment", 1
    if isinstance(outcome, OfData):
        return {Outside: "outside_", Coverage: "covered_"}.get(type(outcome), "") + outcome.space, 1
    for knob in KNOBS:
        low, high = (
            outcomes.value(outcome, trained(study, True, Levels().turned(knob, by)).after)
            for by in (-1, 1)
        )
        if abs(high - low) > 1e-6:
            return knob, 1 if high > low else -1
    raise LookupError(
        f"no knob of the planted records moves {outcome.label}: add one to tests/support/planted.py"
    )


def with_five_eigenvalues(record: Record) -> Record:
    """The same record with a classification layer of five eigenvalues."""
    head, *others = record.facts["layers"]
    cut = EIGENVALUES - 5
    spectra = {
        name: array[..., cut:] for name, array in record.arrays.items() if "eigenvalues" in name
    }
    return replace(
        record,
        facts={**record.facts, "layers": [{**head, "eigenvalues": 5}, *others]},
        arrays={**record.arrays, **spectra},
    )
