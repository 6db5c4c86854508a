"""Making a study's calibration of its trials (`ddiv.finding.calibration` says what it is)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import get_args, get_type_hints

import numpy as np

from ddiv.claim import Unmatched
from ddiv.finding.calibration import FEWEST, Calibration, fingerprint, name_of
from ddiv.finding.reader import Reader, SeedBench
from ddiv.finding.specific import Rivals, nearest
from ddiv.outcome import Metric, OfNetwork, Score, Snapshot, Spectral, effect
from ddiv.study import Study
from ddiv.study.optimisation import CALIBRATION_SEEDS, FIRST_CALIBRATION, MEMBERS
from ddiv.treatment import BASELINE
from ddiv.trial import Trial, trial

SEEDS = tuple(range(FIRST_CALIBRATION, FIRST_CALIBRATION + CALIBRATION_SEEDS))

# The margin is the smallest residual that at least this share of all residuals do not exceed.
SHARE = 0.95

_LAYERS = ("classifier", "encoder", "all")


def jobs(study: Study) -> list[Trial]:
    """The trials that a calibration is made of, seed by seed."""
    arms = (*MEMBERS, *study.held_out, study.no_op)
    return [trial(study, arm, seed) for seed in SEEDS for arm in arms]


def calibrated(study: Study, reader: Reader) -> Calibration:
    """The calibration of a study of its trials. Raises NoRecord where one is missing."""
    seats = [SeedBench(reader, study, seed) for seed in SEEDS]
    rivals = [Rivals(seat) for seat in seats]
    asked = list(outcomes(study, seats[0].state(BASELINE)))
    pairs = _pairs(study, rivals)
    margins = {name_of(one): margin(_residuals(one, pairs)) for one in asked}
    noise = {name_of(one): _noise(one, study, seats) for one in asked}
    accuracy = {
        member.label: fmean(seat.state(member).scores["accuracy/id"] for seat in seats)
        for member in MEMBERS
    }
    found = [label for label, *_ in pairs]
    return Calibration(
        study=study.name,
        fingerprint=fingerprint(study),
        seeds=SEEDS,
        best=max(accuracy, key=accuracy.__getitem__),
        accuracy=accuracy,
        margins={name: value for name, value in margins.items() if value is not None},
        noise={name: value for name, value in noise.items() if np.isfinite(value)},
        matched={arm.label: found.count(arm.label) for arm in study.held_out},
    )


def outcomes(study: Study, state: Snapshot) -> Iterator[OfNetwork]:
    """Every outcome of a trained network of the study, which claims may ask for."""
    flat = any(str(group).endswith("/flat") for group in state.layer_groups)
    for layers in (layers for layers in _LAYERS if layers in state.available):
        for metric in get_args(Metric):
            yield Spectral(metric, layers)
            if flat and layers != "classifier":
                yield Spectral(metric, layers, "flat")
    for kind in get_args(get_type_hints(Score)["kind"]):
        for where in dict.fromkeys(("train", "id", "ood", *study.domains)):
            if f"{kind}/{where}" in state.scores:
                yield Score(kind, where)
    yield from study.outcomes


# A held-out member's label, its state and its rivals at one seed.
_Pair = tuple[str, Snapshot, list[Snapshot]]


def _pairs(study: Study, rivals: Sequence[Rivals]) -> list[_Pair]:
    """The held-out members that can be matched, seed by seed."""
    pairs: list[_Pair] = []
    for at in rivals:
        for arm in study.held_out:
            try:
                pairs.append((arm.label, at.seat.state(arm), at.both(arm)))
            except Unmatched:
                continue
    return pairs


def _residuals(outcome: OfNetwork, pairs: Sequence[_Pair]) -> list[float]:
    """How far held-out members lie beyond both curves."""
    return [
        abs(nearest([effect(outcome, state, rival) for rival in rivals]))
        for _, state, rivals in pairs
    ]


def margin(residuals: Sequence[float]) -> float | None:
    """The 95th percentile of residuals, rounded up to one of them; None where too few are known."""
    known = np.array(residuals, dtype=float)
    known = known[~np.isnan(known)]
    return float(np.quantile(known, SHARE, method="higher")) if len(known) >= FEWEST else None


def _noise(outcome: OfNetwork, study: Study, seats: Sequence[SeedBench]) -> float:
    effects = [effect(outcome, seat.state(study.no_op), seat.state(BASELINE)) for seat in seats]
    return float(np.std(effects, ddof=1))
