"""What would stop a study's jobs is found before they are measured."""

import re
import subprocess
import sys

import msgspec
import pytest

from ddiv.claim import Contrast, Trend
from ddiv.evidence import RISES
from ddiv.models.own import own_model
from ddiv.outcome import Spectral, Vendi
from ddiv.run.checked import faults
from ddiv.trial.store import Store
from tests.support import plans
from tests.support.smoke import STUDY

FLAT = Spectral("frobenius_norm", "encoder")


def unweighted():
    from torch import nn

    encoder = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    encoder.width = 12
    return encoder


def asked(outcome=plans.NORM, **changes):
    study = msgspec.structs.replace(STUDY, **changes)
    return plans.asked(Contrast(outcome, (study.no_op,), RISES), study=study)


def classes(**changes):
    study = msgspec.structs.replace(STUDY, **changes)
    return plans.asked(Trend(Vendi("pixel"), study.by_classes(), RISES), study=study)


def test_a_sound_study_has_no_fault(tmp_path):
    assert faults([asked(), asked(FLAT), classes()], Store(tmp_path)) == {}


RECIPE = STUDY.recipe


@pytest.mark.parametrize(
    "question, said",
    [
        (
            lambda: asked(recipe=msgspec.structs.replace(RECIPE, batch=121)),
            "`batch` of its recipe: a batch of 121 examples is more than the 120",
        ),
        (
            lambda: plans.asked(
                Trend(
                    plans.NORM, msgspec.structs.replace(STUDY, batches=(40, 500)).by_batch(), RISES
                )
            ),
            "`batches`: a batch of 500 examples is more than the 120",
        ),
        (
            lambda: classes(class_counts=(1, 11, 12)),
            "`class_counts`: 11 classes are more than the 10",
        ),
        (lambda: classes(class_view_size=90, class_counts=(1, 3, 10)), "lower its `view_size`"),
        (
            lambda: asked(FLAT, backbone=own_model(unweighted)),
            "the claim a-claim reads weight matrices that are not there: .*'encoder'; it has: all, "
            "classifier",
        ),
    ],
)
def test_a_study_that_cannot_be_measured_is_told_in_one_line(tmp_path, question, said):
    (line,) = faults([question()], Store(tmp_path)).values()
    assert line.startswith(f"the study {STUDY.name}: ") and "\n" not in line
    assert re.search(said, line), line


def test_one_wrong_study_hides_no_other(tmp_path):
    wrong = [asked(name=name, recipe=msgspec.structs.replace(RECIPE, batch=500)) for name in "ab"]
    assert list(faults([wrong[0], asked(), wrong[1]], Store(tmp_path))) == ["a", "b"]


def test_where_all_is_stored_nothing_is_loaded(tmp_path):
    """A run of stored records starts without torch's two seconds."""
    store, question = Store(tmp_path), asked(recipe=msgspec.structs.replace(RECIPE, batch=500))
    for job in question.jobs():
        plans.stored(store, job, 1.0)
    assert faults([question], store) == {}
    code = "import sys, ddiv.run.checked, ddiv.plugin.before; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
