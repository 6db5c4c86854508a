"""Outcomes of a user's own, read off a record.

Those of a network are among its facts. The others are computed once for each record and function,
and their tables are kept in the store (`derived`): a process that lacks the function reads these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping, Sequence

import msgspec
import numpy as np

from ddiv.common.arrays import Array
from ddiv.common.global_draws import drawn, states
from ddiv.outcome import derived
from ddiv.outcome.own import OutputsOutcome, SpectrumOutcome
from ddiv.outcome.recorded import spectra_of_record
from ddiv.study.measures import NetworkOutcome, OutcomeFailed, OwnMeasure, computed
from ddiv.trial.store import Record, Store

Tables = MutableMapping[str, Mapping[str, Array]]


def read(
    outcome: OwnMeasure, record: Record, row: int, store: Store | None, tables: Tables
) -> Array:
    """The outcome in a state of a record: its value (), or that of every matrix (layers,).

    row: 0 before training, 1 after it, then the states of the trajectory. tables: those of this
    record that have been read, to which more are added.

    Raises OutcomeFailed where it cannot be told.
    """
    if isinstance(outcome, NetworkOutcome):
        return np.array(_of_network(outcome, record, row))
    name = _name(outcome)
    if name not in tables:
        place = f"{name}/{record.key}"
        tables[name] = derived.kept(store, place, record, lambda: _table(outcome, record))
    table = tables[name]
    if isinstance(outcome, OutputsOutcome):
        return np.array(_over_domains(outcome, table, record.facts["domains"], row))
    values: Array = table["matrices"][row]
    return values


def _name(outcome: OwnMeasure) -> str:
    """The folder of the tables of one function with one set of options."""
    function = type(outcome).__name__, outcome.name, outcome.source, outcome.options
    return f"own-{hashlib.sha256(msgspec.json.encode(function)).hexdigest()[:20]}"


def _of_network(outcome: NetworkOutcome, record: Record, row: int) -> float:
    facts = record.facts.get("outcomes", {})
    by_state = [facts.get("before", {}), facts.get("after", {}), *facts.get("trajectory", ())]
    if row >= len(by_state) or outcome.key not in by_state[row]:
        raise OutcomeFailed(
            f"the record {record.key} holds no outcome {outcome.key}: it is computed when a trial "
            "is trained that carries it"
        )
    return float(by_state[row][outcome.key])


def _over_domains(
    outcome: OutputsOutcome, table: Mapping[str, Array], domains: Sequence[str], row: int
) -> float:
    if row == 0:
        raise OutcomeFailed(
            f"the outcome {outcome.key} is read off outputs, and those before training are not "
            "stored: ask for it after training, or make it an outcome of the network (of_network)"
        )
    wanted = {"id": domains[:1], "ood": domains[1:]}.get(outcome.where, [outcome.where])
    if not wanted or not set(wanted) <= set(domains):
        raise OutcomeFailed(
            f"the outcome {outcome.key} is asked for in {outcome.where!r}, and there "
            f"{'are' if len(domains) > 1 else 'is'}: {', '.join(domains)}"
        )
    return float(np.mean([table[domain][row - 1] for domain in wanted]))


def _table(outcome: OwnMeasure, record: Record) -> dict[str, Array]:
    before = states()
    if isinstance(outcome, SpectrumOutcome):
        made = _of_spectra(outcome, record)
    else:
        made = _of_outputs(outcome, record)
    if name := drawn(before):
        raise OutcomeFailed(
            f"the outcome {outcome.key} draws from the global generator of {name}, so it is not "
            "the same when it is read again: draw from a generator that it makes with a seed"
        )
    return made


def _of_outputs(outcome: OwnMeasure, record: Record) -> dict[str, Array]:
    """By domain, (1 + checkpoints,): after training, then along the trajectory."""
    table = {}
    for domain in record.facts["domains"]:
        name, labels = f"log_probabilities/{domain}", record.arrays[f"labels/{domain}"]
        by_state = [record.arrays[name], *record.arrays.get(f"trajectory/{name}", ())]
        table[domain] = np.array(
            [
                _computed(outcome, record, f"in {domain}", outputs, _protected(labels))
                for outputs in map(_protected, by_state)
            ]
        )
    return table


def _of_spectra(outcome: OwnMeasure, record: Record) -> dict[str, Array]:
    """The values of every matrix, (states, layers); states are before, after, trajectory."""
    columns = [
        [
            _computed(outcome, record, f"of {layer['name']}", evals, *layer["shape"][:2])
            for evals in map(_protected, np.sort(of_states))
        ]
        for layer, of_states in spectra_of_record(record)
    ]
    return {"matrices": np.array(columns).T.copy()}


def _computed(outcome: OwnMeasure, record: Record, of: str, *arguments: object) -> float:
    try:
        return computed(outcome, *arguments)
    except OutcomeFailed as error:
        raise OutcomeFailed(f"{error} ({of}, {record.job.label}, record {record.key})") from None


def _protected(array: Array) -> Array:
    """The same numbers, which the function cannot change."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
