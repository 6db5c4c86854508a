"""Whole trials of every kind of network on a GPU, against the CPU's."""

import msgspec
import numpy as np
import pytest

from ddiv.profiles.choose import profile
from ddiv.treatment import BASELINE, Dropout, EvaluationDropout, Treatment
from ddiv.trial import requires, trial
from ddiv.trial.measure import measure

pytestmark = pytest.mark.cuda

STUDIES = {study.name: study for study in profile("embedded").studies}


def short(name):
    """A study of two epochs, at whose ends the baseline is measured."""
    study = STUDIES[name]
    recipe = msgspec.structs.replace(study.recipe, epochs=2, checkpoints=(0, 1, 2))
    return msgspec.structs.replace(study, recipe=recipe)


def on(device, job, records=()):
    return measure(job, dict(records), device, lambda share: None)


@pytest.mark.parametrize("name", STUDIES)
def test_a_trial_in_fp32_comes_close_to_the_cpus(name, monkeypatch):
    monkeypatch.setenv("DDIV_PRECISION", "fp32")
    job = trial(short(name), BASELINE, 0)
    here, there = on("cpu", job), on("cuda", job)
    assert there.facts["provenance"]["precision"] == "fp32"
    before, expected = (each.arrays["eigenvalues/before"] for each in (there, here))
    np.testing.assert_allclose(before, expected, rtol=0, atol=1e-12 * expected.max())
    assert there.arrays.keys() == here.arrays.keys()
    assert there.facts["train_loss"] == pytest.approx(here.facts["train_loss"], rel=0.1)
    after, expected = (np.sort(each.arrays["eigenvalues/after"]) for each in (there, here))
    assert np.abs(after - expected).sum() < 0.1 * expected.sum()


@pytest.mark.parametrize("name", STUDIES)
def test_a_trial_in_bf16_learns_under_every_treatment(name):
    study = short(name)
    of_study = [study.augmentation(each) for each in study.augmentations[:2]]
    arms = [Treatment.of(Dropout(0.1)), Treatment.of(EvaluationDropout(0.3)), *of_study]
    for treatment in [BASELINE, *arms]:
        record = on("cuda", trial(study, treatment, 0))
        first, last = record.facts["train_loss"][0], record.facts["train_loss"][-1]
        assert record.facts["provenance"]["precision"] == "bf16" and last < first, treatment.label


@pytest.mark.parametrize("name", ["resnet18-digits", "bert-complaints"])
def test_generated_data_is_made_and_trained_on(name):
    study = short(name)
    job = trial(study, study.synthetic(0.5), 0)
    records = {}

    def made(wanted):
        for needed in requires(wanted):
            if needed not in records:
                records[needed] = made(needed)
        return on("cuda", wanted, {each: records[each] for each in requires(wanted)})

    assert np.isfinite(made(job).facts["train_loss"]).all()
