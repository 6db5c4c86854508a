"""What is not at hand is told before anything is trained."""

import re

import msgspec

from ddiv.run import absent
from ddiv.study import Bert
from ddiv.treatment import OpenAI, Setting, Synthetic, Treatment
from ddiv.trial import sampling, trial
from ddiv.trial.store import Store
from tests.support.plans import stored
from tests.support.smoke import STUDY


def test_weights_and_samples_that_cannot_be_had_are_told(tmp_path, monkeypatch):
    for variable in ("DDIV_BERT", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    assert absent.data_or_weights(STUDY) is None
    assert "DDIV_BERT" in absent.data_or_weights(
        msgspec.structs.replace(STUDY, backbone=Bert("0" * 64))
    )
    assert "DDIV_BERT" in absent.data_or_weights(
        msgspec.structs.replace(STUDY, embedders=(STUDY.embedders[0], Bert("1" * 64)))
    )
    arm = Treatment.of(Synthetic(0.35, OpenAI(), Setting("good")))
    job, store = trial(STUDY, arm, 0), Store(tmp_path)
    assert re.search("OPENAI_API_KEY|openai", absent.samples([job], store))
    assert absent.samples([trial(STUDY, STUDY.no_op, 0)], store) is None
    another, own = (sampling(STUDY, OpenAI(), Setting("good"), 1, seed) for seed in (1, 0))
    stored(store, another, 1.0)
    assert absent.samples([job], store)
    stored(store, own, 1.0)
    assert absent.samples([job], store) is None
