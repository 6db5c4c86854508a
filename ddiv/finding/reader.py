"""Trained records of a store, and one seed's bench that questions are answered from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ddiv import outcome as outcomes
from ddiv.claim import Bench, OfData, Unmatched, data_view
from ddiv.outcome import Match, Snapshot, Trained
from ddiv.study import NetworkOutcome, Study
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import Job, key, trial
from ddiv.trial.store import NoRecord, Record, Store, StoreError

# The states of `outcome.Match` that a fit-matched effect is taken at.
At = Literal["early", "between", "late"]

MATCHES: tuple[At, ...] = get_args(At)


class Reader:
    """Trained records of a store, read once each."""

    def __init__(self, store: Store, records: Mapping[Job, Record] | None = None):
        self.store = store
        self._records = dict(records or {})
        self._trained: dict[Job, Trained] = {}
        self.damaged: dict[str, str] = {}

    def add(self, records: Mapping[Job, Record]) -> None:
        self._records.update(records)

    def record(self, job: Job) -> Record:
        """The record of a job.

        Raises NoRecord, a KeyError, where the store has none, StoreError where it cannot be read.
        """
        if job not in self._records:
            self._records[job] = self.store.load(job)
        return self._records[job]

    def has(self, job: Job) -> bool:
        """Whether the store has this record whole; damaged ones are noted in `damaged`, by key."""
        try:
            return self.record(job) is not None
        except NoRecord:
            return False
        except StoreError as error:
            self.damaged[key(job)] = str(error)
            return False

    def trained(self, job: Job) -> Trained:
        if job not in self._trained:
            self._trained[job] = outcomes.read(self.record(job), self.store)
        return self._trained[job]


@dataclass(frozen=True)
class SeedBench:
    """One seed of a study at hand; questions are answered from its `bench()`.

    `carried` are the outcomes that the question's trials carry besides the study's.
    """

    reader: Reader
    study: Study
    seed: int
    carried: tuple[NetworkOutcome, ...] = ()
    # Dozens of outcomes are read off an arm, and making its trial checks all values of it.
    _trained: dict[Treatment, Trained] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def trained(self, arm: Treatment) -> Trained:
        if arm not in self._trained:
            job = trial(self.study, arm, self.seed, self.carried)
            self._trained[arm] = self.reader.trained(job)
        return self._trained[arm]

    def state(self, arm: Treatment) -> Snapshot:
        return self.trained(arm).after

    def before(self, arm: Treatment) -> Snapshot:
        return self.trained(arm).before

    def of_data(self, outcome: OfData, arm: Treatment) -> float:
        """An outcome of an arm's training set, read off its view."""
        job = data_view(self.study, arm, self.seed, outcome.embedder)
        return outcome.read(self.reader.record(job).facts)

    def match(self, arm: Treatment) -> Match:
        """The baseline at the arm's clean training loss.

        Raises Unmatched where it never passes it.
        """
        baseline, loss = self.trained(BASELINE), self.state(arm).scores["loss/train"]
        if not baseline.trajectory:
            raise Unmatched(
                "the study's recipe names no checkpoints, so the baseline's trajectory is not known"
            )
        match = baseline.matched(loss)
        if match is None:
            raise Unmatched(f"{arm.label}: the baseline never passes its clean loss {loss:.3g}")
        return match

    def bench(self, matched: At | None = None) -> Bench:
        """At equal epochs, or fit-matched to one of the states of `outcome.Match`."""

        def base(arm: Treatment) -> Snapshot:
            if matched is None:
                return self.state(BASELINE)
            match = self.match(arm)
            return {"early": match.early, "between": match.between, "late": match.late}[matched]

        return Bench(self.state, base, self.of_data, self.before)


def require_domains(study: Study, found: Iterable[str]) -> None:
    """Raise StoreError where the domains found in a study's data are not those of the study."""
    domains = tuple(found)
    if domains != study.domains:
        raise StoreError(
            f"the data of the study {study.name} has the domains {domains}, and the study says "
            f"{study.domains}: name them in the data's order, that of the training set first. What "
            "is trained stays good"
        )
