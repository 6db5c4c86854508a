"""Controls (ours): what must not come out supported, and what a spectrum does by under-fitting alone.

A small trial run showed that stopping the baseline early moves the classification layer's spectrum as the paper
says that augmentation and dropout do, because all of them slow down fitting. So each study has an early-stopped
arm, every trained claim has a fit-matched verdict beside the paper's, and this file asks about that arm itself.
"""

import pytest

from ddiv.claim import Contrast
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Score, Spectral
from ddiv.testing import claim


@claim("control-no-op", "A treatment that does nothing lowers the Frobenius norm and raises accuracy.",
       source="ours: a negative control", control=True)
@pytest.mark.parametrize("name, outcome, direction", [
    ("frobenius", Spectral("frobenius_norm", "classifier"), FALLS), ("accuracy", Score("accuracy", "id"), RISES)],
    ids=["frobenius", "accuracy"])
def test_no_op_does_not_look_like_a_treatment(study, name, outcome, direction):
    return Contrast(outcome, study.controls[:1], direction)


@claim("q-fit-or-regularisation", "Stopping the baseline early moves the classification layer's spectrum as "
       "augmentation and dropout are said to.", source="ours; design, decision 8")
@pytest.mark.parametrize("metric, direction", [("alpha", RISES), ("entropy_raw", RISES), ("frobenius_norm", FALLS)],
                         ids=["alpha", "entropy", "frobenius"])
def test_early_stopping_looks_like_regularisation(study, metric, direction):
    return Contrast(Spectral(metric, "classifier"), study.controls[1:], direction)
