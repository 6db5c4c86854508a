"""The spectra of a baseline's layers, as curves to draw: figure 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddiv.common.arrays import Array
from ddiv.finding import Reader
from ddiv.outcome import spectra_of_record
from ddiv.report.figures.spectra import figure
from ddiv.report.schema import DenseLayer, Densities
from ddiv.spectra.analysis import Layer, fit_all
from ddiv.spectra.powerlaw import PowerLawFit
from ddiv.study import Study
from ddiv.treatment import BASELINE
from ddiv.trial import trial
from ddiv.trial.store import Record

# The states that are drawn, each with its row in `spectra_of_record`.
STATES = {"after": 1, "before": 0}


def densities(study: Study, seeds: Sequence[int], reader: Reader) -> Densities | None:
    """The spectra of the baseline's layers at the first seed that the store has, after and before
    training.

    Convolutions by their pooled slices. None where the store has no baseline.
    """
    jobs = [(seed, job) for seed in seeds if reader.has(job := trial(study, BASELINE, seed))]
    if not jobs:
        return None
    seed, job = jobs[0]
    record = reader.record(job)
    spectra = _spectra(record)
    fits = fit_all(spectra)
    return Densities(
        seed,
        tuple(
            _layer(layer, spectra, fits)
            for layer in record.facts["layers"]
            if _key(layer, "after") in spectra
        ),
    )


def _key(layer: Mapping[str, Any], state: str) -> str:
    return f"{state} {layer['name']}"


def _spectra(record: Record) -> dict[str, Array]:
    """The ascending eigenvalues of every layer and state but flattened convolutions, by `_key`."""
    layers = spectra_of_record(record)
    return {
        _key(layer, state): np.sort(evals[row])
        for state, row in STATES.items()
        for layer, evals in layers
        if layer["kind"] != "conv-flat"
    }


def _layer(
    layer: Mapping[str, Any], spectra: Mapping[str, Array], fits: Mapping[str, PowerLawFit]
) -> DenseLayer:
    name, kind = layer["name"], layer["kind"]
    rows, columns, *slices = layer["shape"]
    sides = rows, columns, slices[0] if slices else 1
    after, before = (
        figure(Layer(name, kind, name, *sides, spectra[key], {}, fits[key]))
        for key in (_key(layer, state) for state in STATES)
    )
    fit = fits[_key(layer, "after")]
    return DenseLayer(
        name=name,
        kind=kind,
        after=after,
        before=before,
        alpha=fit.alpha if np.isfinite(fit.alpha) else None,
        reliable=bool(fit.reliable),
        tail=int(fit.num_pl_spikes),
        of=layer["eigenvalues"],
    )
