"""A sample of a run's spectra, analysed a second time by WeightWatcher itself.

ddiv's metrics are its own code. This puts them beside the package that the papers used, on spectra
of this very run: trained layers drawn by the records' keys, so that nobody chooses them and the
same run draws the same ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import metadata
from itertools import islice, zip_longest

import numpy as np

from ddiv.common.arrays import Array
from ddiv.finding import Reader
from ddiv.outcome import derived, spectra_of_record
from ddiv.report.schema import CrossCheck, CrossChecked
from ddiv.spectra.powerlaw import FLOOR, SMALL
from ddiv.study import TableSet
from ddiv.trial import Job, Trial, key

SAMPLE = 8

# Raise this when the kept tables come to hold something else.
MEANING = 1

AFTER = 1  # the state after training, among those of `spectra_of_record`

# WeightWatcher's columns, and what they are called in ddiv's tables.
COLUMNS = {
    "alpha": "alpha",
    "D": "alpha_distance",
    "sigma": "alpha_error",
    "norm": "frobenius_norm_squared",
    "spectral_norm": "spectral_norm_squared",
    "stable_rank": "stable_rank",
    "entropy": "entropy_normalised",
}

# Relative. WeightWatcher reads weights in single precision.
AGREES = 1e-4


def crosscheck(studies: Mapping[Job, str], reader: Reader) -> CrossCheck | None:
    """The comparison, on at most `SAMPLE` of the trained records among these jobs, whose studies
    are named and drawn from in turn; None where there is no record.
    """
    by_study: dict[str, list[Trial]] = defaultdict(list)
    for job, study in studies.items():
        if isinstance(job, Trial) and not isinstance(job.data, TableSet) and reader.has(job):
            by_study[study].append(job)
    in_turn = zip_longest(*(sorted(jobs, key=key) for jobs in by_study.values()))
    sample = islice((job for turn in in_turn for job in turn if job is not None), SAMPLE)
    try:
        rows = tuple(row for job in sample for row in _compared(job, studies[job], reader))
        return CrossCheck(metadata.version("weightwatcher"), rows) if rows else None
    except (ImportError, RuntimeError) as error:  # not installed, or CUDA in its sight
        return CrossCheck(None, (), note=str(error))


def _compared(job: Trial, study: str, reader: Reader) -> Iterator[CrossChecked]:
    """A layer of a record beside WeightWatcher's row of it, if it has one that both fit alike."""
    record = reader.record(job)
    spectra = spectra_of_record(record)
    # Pooled slices of a convolution are several matrices: no one matrix has their eigenvalues.
    eligible = [
        i
        for i, (layer, evals) in enumerate(spectra)
        if layer["shape"][2] == 1 and (evals[AFTER] > FLOOR).sum() >= SMALL
    ]
    if not eligible:
        return
    i = eligible[int(record.key[:8], 16) % len(eligible)]
    layer, evals = spectra[i]
    N, M, _ = layer["shape"]
    compute = partial(_weightwatcher, evals[AFTER], (N, M))
    name = f"weightwatcher-{MEANING}/{record.key}-{i}"
    theirs = derived.kept(reader.store, name, record, compute)
    ours = reader.trained(job).spectra
    pairs = {
        column: (float(ours[name][AFTER, i]), float(theirs[column][0]))
        for column, name in COLUMNS.items()
    }
    apart = {column: _apart(*pair) for column, pair in pairs.items()}
    furthest = max(apart, key=lambda column: apart[column])
    yield CrossChecked(
        study=study,
        layer=layer["name"],
        shape=(N, M),
        alpha=pairs["alpha"],
        entropy=pairs["entropy"],
        apart=apart[furthest],
        column=furthest,
        agrees=apart[furthest] <= AGREES,
    )


def _weightwatcher(evals: Array, shape: tuple[int, int]) -> dict[str, Array]:
    """WeightWatcher's row of a matrix (N, M) that has these eigenvalues of W^T W, shape (M,).

    A matrix's metrics depend on its singular values only, so a diagonal one stands for the
    trained one, whose weights are not stored.
    """
    import torch
    from torch import nn

    from ddiv.spectra import watcher

    matrix = np.zeros(shape)
    np.fill_diagonal(matrix, np.sqrt(np.maximum(evals, 0.0)))
    layer = nn.Linear(shape[1], shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(matrix))
    row = watcher.table(nn.Sequential(layer))
    return {column: np.array(row[column], dtype=np.float64) for column in COLUMNS}


def _apart(ours: float, theirs: float) -> float:
    """The relative difference of two numbers; infinite where only one of them is a number."""
    if np.isnan(ours) and np.isnan(theirs):
        return 0.0
    scale = max(abs(ours), abs(theirs))
    difference = abs(ours - theirs) / scale if scale else 0.0
    return difference if np.isfinite(difference) else float("inf")
