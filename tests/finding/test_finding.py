"""Findings: answered from really trained, really stored records of the smoke study, and from
planted ones.
"""

import msgspec
import numpy as np
import pytest

from ddiv.claim import (
    Bench,
    Change,
    Contrast,
    Largest,
    Mixing,
    Resemblance,
    SomewhereOpposed,
    Threshold,
    Trend,
    data_view,
)
from ddiv.evidence import FALLS, RISES, judge
from ddiv.finding import Asked, Reader, answer, withheld
from ddiv.finding.answer import _definitions
from ddiv.finding.caveats import of_fits
from ddiv.outcome import Score, Snapshot, Spectral, Vendi
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import BASELINE, Augmentation, Dropout, NoOp, Rate, Treatment, WeightDecay
from ddiv.trial import key, trial
from ddiv.trial.measure import measure
from ddiv.trial.store import Store
from tests.support import planted
from tests.support.claim_cases import EVERYTHING
from tests.support.planted import Levels, with_five_eigenvalues
from tests.support.smoke import SEEDS, STUDY, ask

SLOWER, STRONG = Treatment.of(Rate(0.5)), Treatment.of(WeightDecay(0.1))
NO_OP = Treatment.of(NoOp())
SHRINKS = Contrast(Spectral("frobenius_norm", "encoder"), (STRONG,), FALLS)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    for seed in SEEDS:
        for arm in (*MEMBERS, NO_OP, STRONG, *(arm for _, arm in STUDY.dropout()[1:])):
            store.save(measure(trial(STUDY, arm, seed), {}, "cpu", lambda share: None))
    return Reader(store)


def test_strong_decay_shrinks_the_encoder_at_every_seed(reader):
    finding = answer(ask(SHRINKS), reader)
    assert (finding.evidence.verdict, finding.evidence.decided_at) == ("supported", 6)
    assert max(finding.evidence.effects) < 0 and finding.caveats == () and not finding.withheld
    opposite = answer(ask(msgspec.structs.replace(SHRINKS, direction=RISES)), reader)
    assert opposite.evidence.verdict == "contradicted"


def test_five_seeds_that_agree_are_too_few(reader):
    finding = answer(ask(SHRINKS, seeds=SEEDS[:5]), reader)
    assert max(finding.evidence.effects) < 0 and finding.evidence.verdict == "inconclusive"


def test_a_finding_has_an_effect_a_seed_and_names_what_it_rests_on(reader):
    finding = answer(ask(SHRINKS), reader)
    assert (
        tuple(effect for (effect,) in finding.effects) == finding.evidence.effects
        and len(finding.effects) == 6
    )
    assert set(finding.jobs) == {
        key(trial(STUDY, arm, seed)) for arm in (STRONG, *MEMBERS) for seed in SEEDS
    }
    assert finding == answer(ask(SHRINKS), Reader(reader.store))


def test_the_baseline_in_place_of_a_treatment_is_inconclusive(reader):
    finding = answer(ask(Contrast(Score("accuracy", "id"), (BASELINE,), RISES)), reader)
    assert finding.evidence.verdict == "inconclusive" and set(finding.evidence.effects) == {0}
    # The smoke study is not calibrated, and the note says how to do so.
    assert finding.specific is None and "ddiv calibrate" in finding.specific_note


def test_a_metric_whose_fits_cannot_be_relied_on_decides_nothing(reader):
    """The smoke study's classification layer has ten eigenvalues."""
    finding = answer(ask(Trend(Spectral("alpha", "classifier"), STUDY.dropout(), RISES)), reader)
    assert finding.evidence.verdict == "inconclusive" and finding.withheld
    assert "0% of the fits behind alpha (classifier) can be relied on" in finding.caveats[0]


def test_beside_other_metrics_an_unreliable_fit_is_a_caveat(reader):
    question = Resemblance(
        ("alpha", "frobenius_norm"), "classifier", (SLOWER,), (STUDY.dropout()[1][1],), (STRONG,)
    )
    finding = answer(ask(question), reader)
    assert (
        not finding.withheld
        and "alpha (classifier)" in finding.caveats[0]
        and not any("alpha" in text for text in finding.caveats[1:])
    )
    # It is in the vectors whose directions are compared, so it isn't said to decide nothing.
    assert finding.caveats[0].endswith("; it is one of several outcomes that decide here.")


@pytest.mark.parametrize(
    "share, said",
    [(1.0, None), (0.93, "93% of the fits behind alpha (encoder) can"), (0.2, "Only 20%")],
)
def test_every_fit_that_cannot_be_relied_on_is_told(share, said):
    sentences = list(of_fits({Spectral("alpha", "encoder"): share}))
    assert len(sentences) == (said is not None) and all(
        sentence.startswith(said) for sentence in sentences
    )
    assert any("decides nothing" in sentence for sentence in sentences) == (share < 0.5)


def test_a_withheld_verdict_keeps_its_numbers():
    evidence = judge([1, 2, 3, 4, 5, 6], RISES)
    assert evidence.verdict == "supported"
    assert withheld(evidence) == msgspec.structs.replace(
        evidence, verdict="inconclusive", decided_at=None
    )


def test_the_verdict_is_tried_under_every_definition(reader):
    verdicts = answer(
        ask(msgspec.structs.replace(SHRINKS, outcome=Spectral("entropy_raw", "encoder"))), reader
    )
    names = [name for name, _ in verdicts.definitions]
    assert (
        names[0] == "entropy raw (encoder)"
        and verdicts.definitions[0][1] == verdicts.evidence.verdict
    )
    # Three entropies, and the convolutions as matrices in two ways.
    assert len(set(names)) == 6 and sum("flat convolutions" in name for name in names) == 3
    for other in ("entropy_normalised", "effective_rank"):
        alone = answer(
            ask(msgspec.structs.replace(SHRINKS, outcome=Spectral(other, "encoder"))), reader
        )
        assert (alone.definitions[0][0], alone.evidence.verdict) in verdicts.definitions
    assert (
        answer(ask(Contrast(Score("accuracy", "id"), (STRONG,), FALLS)), reader).definitions == ()
    )


def test_a_missing_record_is_a_key_error_and_not_a_verdict(reader):
    with pytest.raises(KeyError):
        answer(
            ask(Contrast(Score("accuracy", "id"), (Treatment.of(Dropout(0.42)),), RISES)), reader
        )
    assert not reader.has(trial(STUDY, Treatment.of(Dropout(0.42)), 0)) and reader.has(
        trial(STUDY, STRONG, 0)
    )


@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_a_definition_that_has_no_value_decides_nothing():
    """Hill's estimator takes a tail of five and one eigenvalue below it."""
    records = {
        job: with_five_eigenvalues(
            planted.record(job, STUDY, Levels(exponent=2.0 * (arm == STRONG)))
        )
        for arm in (*MEMBERS, STRONG)
        for seed in SEEDS
        for job in [trial(STUDY, arm, seed)]
    }
    finding = answer(
        ask(Contrast(Spectral("alpha", "classifier"), (STRONG,), RISES)), Reader(None, records)
    )
    assert min(finding.evidence.effects) > 0 and finding.withheld
    assert [verdict for _, verdict in finding.definitions] == ["inconclusive"] * 3


def test_diversity_has_no_specific_verdict():
    arms = Treatment.of(Augmentation("auto")), Treatment.of(Augmentation("rand"))
    records = {
        job: planted.record(job, STUDY, Levels(pixel=i))
        for i, arm in enumerate((BASELINE, *arms))
        for seed in SEEDS
        for job in [data_view(STUDY, arm, seed)]
    }
    finding = answer(ask(Largest(Vendi("pixel"), arms[1], (arms[0],))), Reader(None, records))
    assert finding.evidence.verdict == "supported" and finding.effects == ((1.0,),) * 6
    assert (finding.specific, finding.specific_note, finding.definitions) == (None, None, ())


@pytest.mark.parametrize("reliable, verdict", [(1.0, "supported"), (0.0, "inconclusive")])
def test_a_definition_whose_fits_cannot_be_relied_on_decides_nothing_either(reliable, verdict):
    """Hill's exponent, which searches for no tail, is asked about; the searched one agrees at all
    seeds.
    """

    def bench(by):
        arm, base = (
            Snapshot(
                {
                    name: np.array([3.0 + shift])
                    for name in ("alpha", "hill_alpha", "hill_alpha_half")
                }
                | {"reliable": np.array([reliable])},
                np.array(["classifier"]),
                {},
            )
            for shift in (by, 0.0)
        )
        return Bench(
            lambda treatment: base if treatment.is_baseline else arm, lambda outcome, arm: np.nan
        )

    asked = ask(Contrast(Spectral("hill_alpha", "classifier"), (STRONG,), RISES))
    told = dict(_definitions(asked, [bench(0.1 * (seed + 1)) for seed in SEEDS], judge([1.0] * 6)))
    assert told == {
        "hill alpha (classifier)": "supported",
        "alpha (classifier)": verdict,
        "hill alpha half (classifier)": "supported",
    }


# --- further questions ----------------------------------------------------------------------------


def test_states_before_training_are_read_off_the_records(reader):
    """The smoke study's weights start at random and grow."""
    grows = answer(ask(Change(Spectral("frobenius_norm", "encoder"), BASELINE, RISES)), reader)
    assert grows.evidence.verdict == "supported" and grows.specific is None
    name = Spectral("frobenius_norm", "encoder")
    before, after = (
        answer(ask(Threshold(name, BASELINE, 0.0, RISES, at)), reader).effects
        for at in ("before", "after")
    )
    assert np.allclose(np.subtract(after, before), grows.effects) and len(grows.definitions) > 1


@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_a_seed_without_a_value_is_no_effect_and_is_told():
    """Hill's exponent of a layer of five eigenvalues, at one seed of six."""

    def of(seed):
        found = planted.record(trial(STUDY, STRONG, seed), STUDY, Levels(exponent=2.0))
        return with_five_eigenvalues(found) if seed == 0 else found

    records = {trial(STUDY, STRONG, seed): of(seed) for seed in SEEDS}
    finding = answer(
        ask(Threshold(Spectral("hill_alpha", "classifier"), STRONG, 1.0, RISES)),
        Reader(None, records),
    )
    assert finding.effects[0] == (0.0,) and min(effect for (effect,) in finding.effects[1:]) > 0
    assert finding.caveats == (
        "At 1 of 6 seeds the outcome has no value in any layer, which counts as no effect.",
    )


def test_a_threshold_comes_with_the_finding_and_is_the_same_each_time():
    question = Mixing(Score("accuracy", "id"), EVERYTHING.mixing("good"), 0.02)
    levels = {
        trial(EVERYTHING, arm, seed): Levels(
            accuracy=(0.5 - share) * (1 + 0.1 * seed) if share else 0.0
        )
        for share, arm in question.ladder
        for seed in SEEDS
    }
    reader = planted.PlantedReader(EVERYTHING, levels)
    asked = msgspec.structs.replace(ask(question), study=EVERYTHING)
    finding = answer(asked, reader)
    assert (
        finding.evidence.verdict == "supported" and finding.derived == answer(asked, reader).derived
    )
    (derived,) = finding.derived
    late = slice(-3, None)  # .5, where nothing is lost yet, and beyond
    lost, shares = (
        -np.mean(finding.effects, axis=0)[late],
        [share for share, _ in question.ladder][late],
    )
    assert (
        derived.value == pytest.approx(np.interp(question.margin, lost, shares))
        and derived.low <= derived.value <= derived.high
    )
    again = msgspec.json.decode(msgspec.json.encode(asked), type=Asked)
    assert answer(again, reader).derived == finding.derived


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@pytest.mark.parametrize("whole, verdict", [(True, "supported"), (False, "contradicted")])
def test_a_fit_that_cannot_be_relied_on_is_no_alternative_that_decides(whole, verdict):
    """Two groups oppose in the exponent and agree in the norm; with five eigenvalues the exponent
    says nothing.
    """
    other = Treatment.of(Dropout(0.05))
    turned = dict.fromkeys(MEMBERS, Levels()) | {
        STRONG: Levels(exponent=2.0, scale=-3.0),
        other: Levels(exponent=-2.0, scale=-3.0),
    }
    records = {
        job: found if whole else with_five_eigenvalues(found)
        for arm, levels in turned.items()
        for seed in (*SEEDS, 6)
        for job in [trial(STUDY, arm, seed)]
        for found in [planted.record(job, STUDY, levels)]
    }
    shape = (Spectral("alpha", "classifier"), Spectral("frobenius_norm", "encoder"))
    finding = answer(
        ask(SomewhereOpposed(shape, (STRONG,), (other,)), seeds=(*SEEDS, 6)), Reader(None, records)
    )
    assert finding.evidence.verdict == verdict and len(finding.effects[0]) == (4 if whole else 2)
    assert bool(finding.caveats) == (not whole)
    assert whole or "decides nothing here" in finding.caveats[0]
