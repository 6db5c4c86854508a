"""Trained records of a store, and one seed's bench that questions are answered from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ddiv import outcome as outcomes
from ddiv.claim import Bench, OfData, data_view
from ddiv.finding.calibration import Calibration, known
from ddiv.outcome import Snapshot, Trained
from ddiv.study import NetworkOutcome, Number, Study
from ddiv.treatment import Treatment
from ddiv.trial import Job, key, performance, trial
from ddiv.trial.store import NoRecord, Record, Store, StoreError


class Reader:
    """Trained records of a store, read once each."""

    def __init__(self, store: Store, records: Mapping[Job, Record] | None = None):
        self.store = store
        self._records = dict(records or {})
        self._trained: dict[Job, Trained] = {}
        self.damaged: dict[str, str] = {}
        self._calibrations: dict[Study, tuple[Calibration | None, str]] = {}

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

    def calibration(self, study: Study) -> tuple[Calibration | None, str]:
        """The calibration of a study and "", or None and a line on how to get one."""
        if study not in self._calibrations:
            root = self.store.root if self.store else None
            self._calibrations[study] = known(study, root)
        return self._calibrations[study]


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

    def path(self, arm: Treatment) -> list[Snapshot]:
        return self.trained(arm).trajectory

    def of_data(self, outcome: OfData, arm: Treatment) -> float:
        """An outcome of an arm's training set, read off its view."""
        job = data_view(self.study, arm, self.seed, outcome.embedder)
        return outcome.read(self.reader.record(job).facts)

    def of_experiment(self, number: Number) -> float:
        """A number of an experiment with this seed's draws."""
        job = performance(self.study, number.experiment, self.seed)
        return float(self.reader.record(job).facts["numbers"][number.name])

    def bench(self) -> Bench:
        """The arms against the baseline at equal epochs, as claimed."""
        return Bench(self.state, self.of_data, self.before, self.of_experiment, self.path)


def require_domains(study: Study, found: Iterable[str]) -> None:
    """Raise StoreError where the domains found in a study's data are not those of the study."""
    domains = tuple(found)
    if domains != study.domains:
        raise StoreError(
            f"the data of the study {study.name} has the domains {domains}, and the study says "
            f"{study.domains}: name them in the data's order, that of the training set first. What "
            "is trained stays good"
        )
