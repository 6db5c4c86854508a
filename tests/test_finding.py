"""Findings answered from really trained, really stored records of the smoke study."""

import msgspec
import pytest

from ddiv.claim import Claim, Contrast, Trend
from ddiv.evidence import FALLS, RISES, judge
from ddiv.finding import Asked, Reader, _unreliable, answer, withheld
from ddiv.measure import measure
from ddiv.outcome import Score, Spectral
from ddiv.profiles import profile
from ddiv.store import Store
from ddiv.treatment import BASELINE, Dropout, EarlyStop, Treatment, WeightDecay
from ddiv.trial import trial

PROFILE = profile("smoke")
(STUDY,) = PROFILE.studies
STOPPED, STRONG = Treatment.of(EarlyStop(1 / 3)), Treatment.of(WeightDecay(0.1))
SEEDS = (0, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    for seed in SEEDS:
        for arm in (BASELINE, STOPPED, STRONG, *(arm for _, arm in STUDY.dropout()[1:])):
            store.save(measure(trial(STUDY, arm, seed), "cpu", lambda share: None))
    return Reader(store)


def ask(question, **more) -> Asked:
    return Asked(Claim("an-id", "a statement", "a source", "a family"), STUDY, "", question, SEEDS, PROFILE.embedder, 0.05,
                 "claims/test_x.py::test_y", **more)


def test_strong_decay_shrinks_the_encoder_at_every_seed(reader):
    finding = answer(ask(Contrast(Spectral("frobenius_norm", "encoder"), (STRONG,), FALLS)), reader)
    assert finding.evidence.verdict == "supported" and max(finding.evidence.effects) < 0 and finding.caveats == ()
    opposite = answer(ask(Contrast(Spectral("frobenius_norm", "encoder"), (STRONG,), RISES)), reader)
    assert opposite.evidence.verdict == "contradicted"


def test_stopping_early_is_no_effect_at_equal_fit(reader):
    """The early-stopped arm lies on the baseline's own trajectory, so matching must take its effect away."""
    finding = answer(ask(Contrast(Spectral("frobenius_norm", "encoder"), (STOPPED,), FALLS)), reader)
    # It stops on a checkpoint, so nothing is interpolated and nothing may be left.
    assert min(map(abs, finding.evidence.effects)) > 1e-4 and max(map(abs, finding.matched.effects)) < 1e-9


def test_the_baseline_in_place_of_a_treatment_is_inconclusive(reader):
    finding = answer(ask(Contrast(Score("accuracy", "id"), (BASELINE,), RISES)), reader)
    assert finding.evidence.verdict == finding.matched.verdict == "inconclusive" and set(finding.evidence.effects) == {0}


def test_a_metric_whose_fits_cannot_be_relied_on_decides_nothing(reader):
    """The smoke study's classification layer has ten eigenvalues."""
    finding = answer(ask(Trend(Spectral("alpha", "classifier"), STUDY.dropout(), RISES)), reader)
    assert finding.evidence.verdict == "inconclusive"
    assert "0% of the power-law fits behind alpha (classifier) can be relied on" in finding.caveats[0]


@pytest.mark.parametrize("share, said", [(1.0, None), (0.93, "93% of the power-law fits behind alpha (encoder) can"), (0.2, "Only 20%")])
def test_every_fit_that_cannot_be_relied_on_is_told(share, said):
    sentences = list(_unreliable({Spectral("alpha", "encoder"): share}))
    assert len(sentences) == (said is not None) and all(sentence.startswith(said) for sentence in sentences)
    assert any("decides nothing" in sentence for sentence in sentences) == (share < 0.5)


def test_a_withheld_verdict_keeps_its_numbers():
    evidence = judge([1, 2, 3, 4, 5], RISES)
    assert evidence.verdict == "supported"
    assert withheld(evidence) == msgspec.structs.replace(evidence, verdict="inconclusive")


def test_another_definition_is_told(reader):
    finding = answer(ask(Contrast(Spectral("entropy_raw", "encoder"), (STRONG,), FALLS)), reader)
    assert finding.caveats[-1].startswith("With entropy normalised in place of entropy raw, the verdict ")


def test_a_missing_record_is_a_key_error_and_not_a_verdict(reader):
    with pytest.raises(KeyError):
        answer(ask(Contrast(Score("accuracy", "id"), (Treatment.of(Dropout(0.42)),), RISES)), reader)
