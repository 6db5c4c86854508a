"""What jobs take on this machine: every kind of job can be timed, sizes are those of records."""

import re

import msgspec
import pytest
import torch

from ddiv.claim import Contrast
from ddiv.evidence import RISES
from ddiv.models.own import own_model
from ddiv.profiles import studies
from ddiv.profiles.choose import profile
from ddiv.run import timing as calibration
from ddiv.run.forecast import alike, forecast, lines
from ddiv.run.timing import cost, drawing
from ddiv.treatment import BASELINE, Augmentation, Treatment
from ddiv.trial import DataView, GeneratorFit, Samples, key, trial
from ddiv.trial.measure import measure
from ddiv.trial.store import Store
from tests.support.plans import AT_A_SEED, NORM, asked, run
from tests.support.smoke import STUDY


@pytest.mark.parametrize("name", ["resnet18-smoke", "bert-complaints"])
def test_the_calibrated_size_of_a_record_is_that_of_the_record(tmp_path, name):
    """A baseline has its trajectory beside, another arm has not; both to a fifth (the texts of a
    record are a guess).
    """
    study = next(one for one in (STUDY, *profile("embedded").studies) if one.name == name)
    study = msgspec.structs.replace(
        study, recipe=msgspec.structs.replace(study.recipe, epochs=1, checkpoints=(0, 1))
    )
    store = Store(tmp_path)
    for arm in (BASELINE, STUDY.no_op):
        job = trial(study, arm, 0)
        store.save(measure(job, {}, "cpu", lambda share: None))
        real = sum(path.stat().st_size for path in store.path(key(job)).iterdir())
        told = cost(alike(job), torch.device("cpu"))
        assert 0.8 < told.bytes / real < 1.25 and 0 < told.seconds < 600


@pytest.mark.parametrize("kind", [DataView, GeneratorFit, Samples])
@pytest.mark.parametrize(
    "study", [studies.resnet18_digits(), studies.bert_complaints()], ids=lambda study: study.name
)
def test_every_kind_of_job_is_calibrated(tmp_path, kind, study):
    job = {
        DataView: DataView(
            study.data,
            Treatment.of(Augmentation(study.augmentations[0])),
            study.embedders[0],
            study.view_size,
            0,
        ),
        GeneratorFit: GeneratorFit(study.data, study.generator),
        Samples: Samples(study.data, study.generator, study.settings[0], 1, 0),
    }[kind]
    told = cost(alike(job), torch.device("cpu"))
    assert 0 < told.seconds < 600 and told.bytes > 1000


def test_augmentations_of_texts_are_calibrated_wherever_texts_train():
    study = next(one for one in profile("embedded").studies if one.name == "bert-complaints")
    # meta has no generator, as CUDA no CPU's
    swapped = (Augmentation("swap30"),)
    assert 0 < drawing(study.data, study.backbone, 8, swapped, torch.device("meta")) < 1


def without_memory():
    class Encoder(torch.nn.Linear):
        width = 4

        def forward(self, images):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TB\nand more")

    return Encoder(1, 4)


def test_what_a_gpu_has_no_memory_for_is_left_out_of_the_times(tmp_path):
    study = msgspec.structs.replace(STUDY, name="large", backbone=own_model(without_memory))
    found = forecast(
        [asked(Contrast(NORM, (STUDY.no_op,), RISES), study=study)], {}, run(), Store(tmp_path)
    )
    text = "\n".join(lines(found, run(), Store(tmp_path)))
    assert re.search(
        rf"^Not known, and not in the times: {7 * AT_A_SEED} trials: "
        r"CUDA out of memory. Tried to allocate 1 TB$",
        text,
        re.MULTILINE,
    )


def test_a_view_is_calibrated_on_the_processor_where_there_is_a_gpu_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    calibration.scoring.cache_clear()
    job = DataView(STUDY.data, BASELINE, STUDY.embedders[0], STUDY.view_size, 0)
    assert calibration.cost(alike(job), torch.device("cpu")).seconds > 0
