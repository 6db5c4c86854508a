"""From a trained record to the states that outcomes are read off.

Spectral metrics are derived from stored eigenvalues, so they are computed once for each record
(`ddiv.outcome.derived`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

import numpy as np

from ddiv.common.arrays import Array
from ddiv.outcome import derived, layers, own_tables, spectral, tabled
from ddiv.outcome.lazy import Lazy
from ddiv.outcome.recorded import spectra_of_record
from ddiv.outcome.registry import OF_OUTPUTS
from ddiv.outcome.snapshot import Snapshot
from ddiv.spectra import random_matrix as rmt
from ddiv.study import require_domain_names
from ddiv.study.measures import OwnMeasure
from ddiv.trial import truncation
from ddiv.trial.store import Record, Store
from ddiv.trial.tabled import COLUMN

# Raise this when a metric comes to mean something else: cached tables of the old meaning are then
# left unread.
METRICS = 2


@dataclass(frozen=True)
class Trained:
    """A trained record, read: its state before (without scores) and after, and its trajectory.

    `spectra` are the columns of `spectral_table`; `store` keeps later results.
    """

    record: Record
    spectra: Mapping[str, Array]
    store: Store | None = None
    _own_tables: dict[str, Mapping[str, Array]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def layer_groups(self) -> tuple[Array, Array]:
        return layers.memberships(self.record.facts["layers"])

    @cached_property
    def before(self) -> Snapshot:
        return self._snapshot(0, {})

    @cached_property
    def after(self) -> Snapshot:
        facts, arrays = self.record.facts, self.record.arrays
        if is_tabled(self.record):
            # Arms of published studies start from networks of their own.
            return replace(self._snapshot(1, facts["scores"]), start=self.before.table)
        state = self._snapshot(1, self._scores(facts["clean"], arrays.__getitem__))
        return replace(state, truncated=truncation.scores(facts.get("truncated")))

    @cached_property
    def trajectory(self) -> list[Snapshot]:
        """The states at the recipe's checkpoints, from the first; empty for every arm but the
        baseline and those that are traced.
        """
        return [
            self._snapshot(2 + i, self._scores(clean, partial(self._at_checkpoint, i)))
            for i, clean in enumerate(self.record.facts["trajectory"])
        ]

    def _snapshot(self, row: int, scores: Mapping[str, float]) -> Snapshot:
        main, further = self.layer_groups
        table = {name: column[row] for name, column in self.spectra.items()}
        lazily = cache(partial(self._random_matrix_theory, row))
        return Snapshot(table, main, scores, further, lazily, own=partial(self._own, row))

    def _own(self, row: int, outcome: OwnMeasure) -> Array:
        """An outcome of a user's own in the state of this row, as `Snapshot.own`."""
        return own_tables.read(outcome, self.record, row, self.store, self._own_tables)

    def _random_matrix_theory(self, row: int, group: str) -> Mapping[str, Array]:
        def compute() -> dict[str, Array]:
            spectra = spectra_of_record(self.record)
            return rmt.table(group, ((evals[row], layer["shape"]) for layer, evals in spectra))

        name = f"{group}-{rmt.MEANING}/{self.record.key}-{row}"
        return derived.kept(self.store, name, self.record, compute)

    def _at_checkpoint(self, i: int, name: str) -> Array:
        """The array of this name at the i-th checkpoint."""
        array: Array = self.record.arrays[f"trajectory/{name}"][i]
        return array

    def _scores(
        self, clean: Mapping[str, float], array: Callable[[str], Array]
    ) -> Mapping[str, float]:
        """A state's scores: `clean` of the training set, and those read off the arrays by name.

        Raises ValueError where a domain has the name of another score.
        """
        domains = self.record.facts["domains"]
        require_domain_names(domains)
        of_training = {"accuracy/train": clean["accuracy"], "loss/train": clean["loss"]}

        def of_domain(kind: str, domain: str) -> float:
            labels = self.record.arrays[f"labels/{domain}"]
            outputs = array(f"log_probabilities/{domain}")
            score: float = OF_OUTPUTS[kind].function(outputs, labels)
            return score

        def compute(name: str) -> float:
            if name in of_training:
                return of_training[name]
            kind, where = name.split("/", 1)
            if where == "ood":
                return float(np.mean([scores[f"{kind}/{domain}"] for domain in domains[1:]]))
            return scores[f"{kind}/{domains[0]}"] if where == "id" else of_domain(kind, where)

        places = (*domains, "id", *["ood"] * (len(domains) > 1))
        names = (f"{kind}/{where}" for where in places for kind in OF_OUTPUTS)
        scores = Lazy((*of_training, *names), compute)
        return scores


def read(record: Record, store: Store | None = None) -> Trained:
    """Read a trained record; its spectral table comes from the store's cache where that has it."""
    name, compute = f"metrics-{METRICS}/{record.key}", partial(spectral_table, record)
    return Trained(record, derived.kept(store, name, record, compute), store)


def is_tabled(record: Record) -> bool:
    """Whether a trained record was read from published tables, and has no eigenvalues."""
    return f"{COLUMN}alpha" in record.arrays


def spectral_table(record: Record) -> dict[str, Array]:
    """Every spectral metric of a record: name -> (states, layers); states are before, after,
    trajectory. Of published tables those that they have.
    """
    if is_tabled(record):
        theirs = {
            name.removeprefix(COLUMN): column
            for name, column in record.arrays.items()
            if name.startswith(COLUMN)
        }
        return tabled.spectral_columns(record.facts["layers"], theirs)
    columns = [
        spectral.table(evals, *layer["shape"][:2]) for layer, evals in spectra_of_record(record)
    ]
    return {
        name: np.ascontiguousarray(np.stack([column[name] for column in columns], axis=1))
        for name in columns[0]
    }
