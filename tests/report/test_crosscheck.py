"""A run's spectra beside WeightWatcher's own analysis of them."""

from dataclasses import replace

import numpy as np
import pytest

from ddiv.finding import Reader
from ddiv.profiles.choose import profile
from ddiv.report.crosscheck import AGREES, SAMPLE, crosscheck
from ddiv.treatment import BASELINE
from ddiv.trial import trial
from ddiv.trial.store import Store
from tests.support.planted import Levels, record

STUDY = profile("embedded").studies[0]


@pytest.fixture
def reader(tmp_path):
    """Trained records of one study, more than the sample takes."""
    jobs = [trial(STUDY, BASELINE, seed) for seed in range(SAMPLE + 2)]
    return Reader(Store(tmp_path), {job: record(job, STUDY, Levels()) for job in jobs})


def test_a_sample_of_the_spectra_agrees_with_weightwatcher(reader):
    check = crosscheck(dict.fromkeys(reader._records, STUDY.name), reader)
    assert len(check.rows) == SAMPLE and check.version and not check.note
    assert all(row.agrees and row.apart < AGREES and row.study == STUDY.name for row in check.rows)
    assert all(1.5 < row.alpha[1] < 8 and 0 < row.entropy[1] < 1 for row in check.rows)


def test_a_wrong_metric_of_ours_shows(reader):
    job = next(iter(reader._records))
    trained = reader.trained(job)
    wrong = {**trained.spectra, "entropy_normalised": trained.spectra["entropy_normalised"] * 1.01}
    reader._trained[job] = replace(trained, spectra=wrong)
    (row,) = crosscheck({job: STUDY.name}, reader).rows
    assert (row.column, row.agrees) == ("entropy", False)
    assert row.apart == pytest.approx(0.01, rel=0.02)


def test_layers_that_the_two_fit_differently_are_not_compared(reader):
    job = next(iter(reader._records))
    few = record(job, STUDY, Levels())
    layers = [{**layer, "eigenvalues": 15} for layer in few.facts["layers"]]
    spectra = {
        name: np.tile(np.linspace(1, 2, 15), 4)
        for name in ("eigenvalues/before", "eigenvalues/after")
    }
    arrays = {**few.arrays, **spectra, "trajectory/eigenvalues": np.empty((0, 60))}
    short = replace(few, facts={**few.facts, "layers": layers}, arrays=arrays)
    assert crosscheck({job: STUDY.name}, Reader(reader.store, {job: short})) is None
