"""The spectra of a baseline's layers, as curves to draw: figure 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ddiv.finding import Reader
from ddiv.report.spectra import figure
from ddiv.spectra.analysis import Layer, fit_all
from ddiv.study import Study
from ddiv.treatment import BASELINE
from ddiv.trial import trial

STATES = ("after", "before")


def densities(study: Study, seeds: Sequence[int], reader: Reader) -> dict[str, Any] | None:
    """The spectra of the baseline's layers at the first seed that the store has, after and before
    training. ::

        {"seed", "layers": [{"name", "kind", "after": CURVES, "before": CURVES, "alpha", "reliable",
        "tail", "of"}]}

    CURVES as `report.spectra.figure` makes them; alpha and what follows it are those after
    training. Convolutions by their pooled slices. None where the store has no baseline.
    """
    jobs = [(seed, job) for seed in seeds if reader.has(job := trial(study, BASELINE, seed))]
    if not jobs:
        return None
    (seed, job), record = jobs[0], reader.record(jobs[0][1])
    layers, spectra = record.facts["layers"], {}
    ends = np.cumsum([layer["eigenvalues"] for layer in layers])
    for state in STATES:
        flat = record.arrays[f"eigenvalues/{state}"]
        spectra |= {
            (i, state): np.sort(flat[end - layer["eigenvalues"] : end])
            for i, (layer, end) in enumerate(zip(layers, ends))
            if layer["kind"] != "conv-flat"
        }
    fits, found = fit_all(spectra), []
    for i, layer in enumerate(layers):
        if (i, "after") not in spectra:
            continue
        rows, columns, *count = layer["shape"]
        name, kind, fit = layer["name"], layer["kind"], fits[i, "after"]
        sides = rows, columns, *(count or [1])
        curves = {
            state: figure(Layer(name, kind, name, *sides, spectra[i, state], {}, fits[i, state]))
            for state in STATES
        }
        found.append(
            {
                "name": name,
                "kind": kind,
                **curves,
                "alpha": fit.alpha if np.isfinite(fit.alpha) else None,
                "reliable": bool(fit.reliable),
                "tail": int(fit.num_pl_spikes),
                "of": layer["eigenvalues"],
            }
        )
    return {"seed": seed, "layers": found}
