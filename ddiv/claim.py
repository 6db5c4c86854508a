"""Claims and the questions that put them to a study.

A `Claim` is what a paper says. A `Question` is how one study is asked about it: which arms, which outcome,
which direction. Questions are frozen values without results, so the trials that they need are known before
anything is trained, and `ddiv report` can answer them again from the store.

`answer` turns one seed's arms into effects, `judge` turns the effects of all seeds into evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from ddiv import evidence, outcome as outcomes
from ddiv.evidence import RISES, Evidence, trend
from ddiv.outcome import Metric, Outcome, Score, Snapshot, Spectral, Vendi
from ddiv.study import Clip, Study
from ddiv.treatment import BASELINE, Augmentation, Classes, Synthetic, Treatment
from ddiv.trial import Job, View, trial

Ladder = tuple[tuple[float, Treatment], ...]
# What one seed says: one effect, or one for each comparison that the claim is made of.
Effects = tuple[float, ...]


class Claim(msgspec.Struct, frozen=True):
    """What a paper says: an id of the catalogue, the statement in our words, and where it stands.

    A control is a claim that we make in order to see it fail: its tests must not come out supported. `guards`
    names the family of claims that it is a control of ("" for a claim that is none).
    """

    id: str
    statement: str
    source: str
    family: str
    guards: str = ""

    @property
    def control(self) -> bool:
        return bool(self.guards)


class NotApplicable(Exception):
    """A study has not what a claim needs (no domains, say); the message says what."""


class Unmatched(Exception):
    """No state of the baseline fits the training set as an arm does."""


class Bench(msgspec.Struct, frozen=True):
    """What a question is answered from: the states of one seed's arms, at equal epochs or fit-matched."""

    state: Callable[[Treatment], Snapshot]
    baseline_for: Callable[[Treatment], Snapshot]
    vendi: Callable[[Treatment], Mapping[str, float]]

    def effect(self, outcome: Outcome, arm: Treatment, base: Treatment = BASELINE) -> float:
        """The paired effect of an arm at this seed. Raises Unmatched in a fit-matched comparison."""
        if isinstance(outcome, Vendi):
            return self.vendi(arm)[outcome.key] - self.vendi(base)[outcome.key]
        if arm == base:
            return 0.0
        return outcomes.effect(outcome, self.state(arm), self.base_for(arm, base))

    def base_for(self, arm: Treatment, base: Treatment = BASELINE) -> Snapshot:
        """The state that an arm is compared with. Raises Unmatched in a fit-matched comparison."""
        return self.baseline_for(arm) if base.is_baseline else self.state(base)


class OneEffect(msgspec.Struct, frozen=True):
    """A question that each seed answers with one effect, in the question's `direction` or against it."""

    def judge(self, effects: Sequence[Effects], alpha: float) -> Evidence:
        """The evidence of the seeds' effects at level `alpha`."""
        return evidence.judge([effect for effect, in effects], self.direction, alpha=alpha)


class Trend(OneEffect, frozen=True, tag="trend"):
    """An outcome rises (falls) from dose to dose: the slope over the ranks of the doses, seed by seed."""

    outcome: Outcome
    ladder: Ladder
    direction: int

    def arms(self) -> Iterator[Treatment]:
        return (treatment for _, treatment in self.ladder)

    def outcomes(self) -> Iterator[Outcome]:
        yield self.outcome

    def answer(self, bench: Bench) -> Effects:
        doses, effects = [], []
        for dose, treatment in self.ladder:
            try:
                effects.append(bench.effect(self.outcome, treatment))
                doses.append(dose)
            except Unmatched:
                continue
        # The baseline at dose 0 always matches itself; a slope from it to a single dose is no ladder.
        if len(doses) < min(3, len(self.ladder)):
            raise Unmatched(f"only {len(doses) - 1} of {len(self.ladder) - 1} doses can be matched")
        return (trend(doses, effects),)

    def replace_outcome(self, other: Outcome) -> Trend:
        return Trend(other, self.ladder, self.direction)

    @property
    def method(self) -> str:
        return "sign e-process on per-seed slopes over dose ranks"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label} per step of dose"


class Contrast(OneEffect, frozen=True, tag="contrast"):
    """An outcome is larger (smaller) than that of `base` (the baseline), on average over these arms."""

    outcome: Outcome
    treatments: tuple[Treatment, ...]
    direction: int
    base: Treatment = BASELINE

    def arms(self) -> Iterator[Treatment]:
        return iter((self.base, *self.treatments))

    def outcomes(self) -> Iterator[Outcome]:
        yield self.outcome

    def answer(self, bench: Bench) -> Effects:
        return (float(np.mean([bench.effect(self.outcome, arm, self.base) for arm in self.treatments])),)

    def replace_outcome(self, other: Outcome) -> Contrast:
        return Contrast(other, self.treatments, self.direction, self.base)

    @property
    def method(self) -> str:
        return f"sign e-process on per-seed differences from {'the ' * self.base.is_baseline}{self.base.label}"

    @property
    def unit(self) -> str:
        return self.outcome.label


class Opposite(msgspec.Struct, frozen=True, tag="opposite"):
    """Two ladders move an outcome opposite ways, whichever of them raises it."""

    outcome: Outcome
    first: Ladder
    second: Ladder

    def arms(self) -> Iterator[Treatment]:
        return (treatment for _, treatment in (*self.first, *self.second))

    def outcomes(self) -> Iterator[Outcome]:
        yield self.outcome

    def answer(self, bench: Bench) -> Effects:
        first, second = (Trend(self.outcome, ladder, RISES).answer(bench)[0] for ladder in (self.first, self.second))
        return first, second

    def judge(self, effects: Sequence[Effects], alpha: float) -> Evidence:
        first, second = zip(*effects)
        return evidence.opposed(first, second, alpha=alpha)

    def replace_outcome(self, other: Outcome) -> Opposite:
        return Opposite(other, self.first, self.second)

    @property
    def direction(self) -> int:
        """Of the effect that is shown, which is positive where the two oppose."""
        return RISES

    @property
    def method(self) -> str:
        return "sign e-processes on the two per-seed slopes, in both orientations"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, geometric mean of the two slopes, positive where they oppose"


class Resemblance(OneEffect, frozen=True, tag="resemblance"):
    """A group's effects on the spectrum point more to where `like` points than to where `unlike` does.

    Per seed: cos(group, like) - cos(group, unlike) of vectors of effects, one entry a metric, each metric
    divided by its root mean square over the three groups, averaged over the arms of a group.
    """

    metrics: tuple[Metric, ...]
    layers: Literal["classifier", "encoder"]
    group: tuple[Treatment, ...]
    like: tuple[Treatment, ...]
    unlike: tuple[Treatment, ...]
    direction: int = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, *self.group, *self.like, *self.unlike))

    def outcomes(self) -> Iterator[Outcome]:
        return (Spectral(metric, self.layers) for metric in self.metrics)

    def vectors(self, bench: Bench) -> np.ndarray:
        """The standardised mean effects of the three groups, (3, metrics)."""
        raw = np.array([[np.mean([bench.effect(outcome, arm) for arm in arms]) for outcome in self.outcomes()]
                        for arms in (self.group, self.like, self.unlike)])
        scale = np.sqrt((raw**2).mean(axis=0))
        return raw / np.where(scale > 0, scale, 1.0)

    def answer(self, bench: Bench) -> Effects:
        group, like, unlike = self.vectors(bench)
        return (cosine(group, like) - cosine(group, unlike),)

    @property
    def method(self) -> str:
        return "sign e-process on per-seed differences of cosines"

    @property
    def unit(self) -> str:
        return "cosine with dropout minus cosine with weight decay"


class Largest(msgspec.Struct, frozen=True, tag="largest"):
    """One arm has a larger outcome than every other: its lead over each of them, seed by seed."""

    outcome: Outcome
    treatment: Treatment
    others: tuple[Treatment, ...]
    direction: int = RISES

    def arms(self) -> Iterator[Treatment]:
        return iter((BASELINE, self.treatment, *self.others))

    def outcomes(self) -> Iterator[Outcome]:
        yield self.outcome

    def answer(self, bench: Bench) -> Effects:
        largest = bench.effect(self.outcome, self.treatment)
        return tuple(largest - bench.effect(self.outcome, arm) for arm in self.others)

    def judge(self, effects: Sequence[Effects], alpha: float) -> Evidence:
        return evidence.every(list(zip(*effects)), self.direction, alpha=alpha)

    def replace_outcome(self, other: Outcome) -> Largest:
        return Largest(other, self.treatment, self.others, self.direction)

    @property
    def method(self) -> str:
        return "sign e-process on the per-seed leads over each of the others; the weakest decides"

    @property
    def unit(self) -> str:
        return f"{self.outcome.label}, lead over the closest"


Question = Trend | Contrast | Opposite | Resemblance | Largest


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of two vectors; 0 where one of them is zero, since it then points nowhere."""
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms else 0.0


def jobs(question: Question, study: Study, embedder: Clip, seeds: tuple[int, ...]) -> list[Job]:
    """What must be measured to answer a question: trials, or views where only data diversity is asked for.

    Raises NotApplicable where the study has not what the question asks for.
    """
    for outcome in question.outcomes():
        if isinstance(outcome, Score) and outcome.where == "ood" and not study.ood_domains:
            raise NotApplicable(f"{study.name} has no out-of-distribution domain")
    arms = dict.fromkeys(question.arms())
    if any(isinstance(outcome, Vendi) for outcome in question.outcomes()):
        return [view(study, arm, embedder, seed) for seed in seeds for arm in arms]
    return [trial(study, arm, seed) for seed in seeds for arm in arms]


def view(study: Study, arm: Treatment, embedder: Clip, seed: int) -> View:
    """The training set as an arm shows it. Without data that is drawn no seed changes it, so there is one view."""
    drawn = Treatment.of(*filter(None, map(arm.part, (Augmentation, Synthetic, Classes))))
    return View(study.data, drawn, embedder, study.view_size, 0 if drawn.is_baseline else arm.seed(seed))


def depends_on_fit(question: Question) -> bool:
    """Whether a fit-matched verdict can be had: not for the diversity of data, nor against another base than the baseline."""
    return BASELINE in question.arms() and not any(isinstance(outcome, Vendi) for outcome in question.outcomes())
