"""Published tables read as records: the real WeightWatcher's tables of trained networks agree with
ddiv's own records of the same weights.
"""

import msgspec
import numpy as np
import pytest

from ddiv.claim import Agreement, Alike, Claim, NotApplicable, Trend
from ddiv.claim.bench import Bench
from ddiv.claim.tabled import replicates
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked, Reader, answer
from ddiv.finding.caveats import of_tables
from ddiv.finding.published import groups, labels
from ddiv.finding.seeds import undecided, with_stored
from ddiv.outcome import Score, Spectral, Truncated, effect, read, why_not
from ddiv.profiles.study_file import of_file
from ddiv.treatment import BASELINE, Dropout, ladder
from ddiv.trial import trial
from ddiv.trial.measure import measure
from ddiv.trial.store import Store
from tests.support.paths import ROOT
from tests.support.watched import ARMS, runs

RUNS = 6

SHARED = (
    *("alpha", "num_pl_spikes", "entropy_normalised", "stable_rank"),
    *("frobenius_norm", "log_norm", "spectral_norm", "spectral_norm_squared"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def own(folder):
    return runs(folder, RUNS)


@pytest.fixture
def study(folder, own, monkeypatch):
    monkeypatch.setenv("DDIV_DATA", str(folder))
    return of_file(ROOT / "examples" / "own_tables.py").studies[0]


def measured(job):
    return measure(job, {}, "cpu", lambda share: None)


@pytest.mark.parametrize("layers", ["classifier", "encoder", "all"])
def test_weightwatchers_tables_agree_with_ddivs_own_records(study, own, layers):
    for number in range(RUNS):
        arms = {
            name: (
                read(measured(trial(study, treatment, number))).after,
                read(own[number, name]).after,
            )
            for name, treatment in ARMS.items()
        }
        for metric in SHARED:
            outcome = Spectral(metric, layers)
            for name in list(ARMS)[1:]:
                theirs, ours = (
                    effect(outcome, arm, base) for arm, base in zip(arms[name], arms["baseline"])
                )
                # WeightWatcher reads weights in single precision, and prints all digits.
                assert theirs == pytest.approx(ours, rel=2e-2, abs=2e-4), (metric, name)


def test_reliable_fits_are_the_same(study, own):
    theirs = read(measured(trial(study, BASELINE, 0))).after
    ours = read(own[0, "baseline"]).after
    for layers in ("classifier", "encoder"):
        outcome = Spectral("alpha", layers)
        assert theirs.names(outcome) == ours.names(outcome)
        assert np.array_equal(theirs.reliable(outcome), ours.reliable(outcome))


def asked(study, question):
    claim = Claim("x", "x", "ours", "x")
    seeds = replicates(question, study)
    return Asked(claim, study, "", question, seeds, 0.05, "test")


def finding(study, question, store):
    one = asked(study, question)
    reader = Reader(store)
    for job in one.jobs():
        reader.add({job: measured(job)})
    return answer(one, reader)


def test_the_exact_test_decides_and_no_further_seed_is_asked_for(study, tmp_path):
    question = Trend(Spectral("frobenius_norm", "classifier"), study.decay(), FALLS)
    found = finding(study, question, Store(tmp_path))
    assert found.evidence.verdict == "supported" and found.evidence.method == "exact"
    assert found.evidence.p == pytest.approx(2 / 2**RUNS) and found.evidence.n == RUNS
    assert not undecided(found, 99)
    assert with_stored(found.asked, lambda one: True, 99) == found.asked
    assert labels(found.asked) == tuple(f"run {number}" for number in range(RUNS))
    ((_, agree, of),) = groups(found.asked, found.effects)
    assert (agree, of) == (RUNS, RUNS)
    assert found.specific is None and "slower or shorter" in found.specific_note
    against = Trend(Spectral("frobenius_norm", "classifier"), study.decay(), RISES)
    assert finding(study, against, Store(tmp_path)).evidence.verdict == "contradicted"


def test_definitions_are_those_that_tables_have(study, tmp_path):
    question = Trend(Spectral("entropy_normalised", "encoder"), study.dropout(), RISES)
    found = finding(study, question, Store(tmp_path))
    assert found.definitions == ()  # neither the raw entropy nor an effective rank
    norm = Trend(Spectral("frobenius_norm", "encoder"), study.dropout(), FALLS)
    names = [name for name, _ in finding(study, norm, Store(tmp_path)).definitions]
    assert names == [
        "frobenius norm (encoder)",
        "frobenius norm squared (encoder)",
        "log norm (encoder)",
    ]


def test_sets_that_lack_an_arm_are_left_out_by_name(study):
    first, *rest = study.data.sets
    less = msgspec.structs.replace(
        first, arms=tuple(arm for arm in first.arms if arm.treatment != ARMS["decay-0.01"])
    )
    data = msgspec.structs.replace(study.data, sets=(less, *rest))
    partly = msgspec.structs.replace(study, data=data)
    decays = Trend(Spectral("log_norm", "classifier"), study.decay(), FALLS)
    assert replicates(decays, partly) == tuple(range(1, RUNS))
    assert [*of_tables(decays, partly)] == [
        "Left out: run 0 (without a table of the arm decay 0.01)."
    ]
    rates = Trend(Spectral("log_norm", "classifier"), study.dropout(), FALLS)
    assert replicates(rates, partly) == tuple(range(RUNS)) and not [*of_tables(rates, partly)]
    gone = Trend(Spectral("log_norm", "classifier"), ladder(Dropout, (0.3,)), FALLS)
    with pytest.raises(NotApplicable, match=r"no set .* has a table of the arm dropout 0\.3"):
        replicates(gone, study)


def test_what_a_shared_baseline_does_is_told(study):
    alike = Alike(Spectral("log_norm", "encoder"), (ARMS["dropout-0.2"],), (ARMS["decay-0.01"],))
    (told,) = of_tables(alike, study)
    assert "measured from a study's one baseline" in told
    resembling = Agreement(
        ("log_norm", "entropy_normalised"),
        "encoder",
        (ARMS["dropout-0.2"],),
        (ARMS["decay-0.01"],),
        study.no_op,
    )
    (told,) = of_tables(resembling, study)
    assert "stands for both of the replicates" in told
    assert replicates(resembling, study) == tuple(range(RUNS))
    no_op = trial(study, study.no_op, 0)
    same = measured(no_op).arrays["weightwatcher/norm"]
    assert np.array_equal(same, measured(trial(study, BASELINE, 0)).arrays["weightwatcher/norm"])


@pytest.mark.parametrize(
    "outcome, said",
    [
        (Spectral("hill_alpha", "encoder"), "takes eigenvalues"),
        (Spectral("mp_ks", "encoder"), "takes eigenvalues"),
        (Spectral("alpha", "encoder", "flat"), "one matricisation"),
        (Score("accuracy", "ood"), "no accuracy (ood) is published"),
        (Truncated("tail", "all"), "not in published tables"),
    ],
)
def test_what_tables_cannot_tell_is_not_applicable_with_a_reason(study, outcome, said):
    assert said in why_not(outcome)
    with pytest.raises(NotApplicable, match=said.replace("(", r"\(").replace(")", r"\)")):
        replicates(Trend(outcome, study.dropout(), RISES), study)


def test_effects_are_differences_of_changes_where_arms_start_apart(study, own):
    arm = read(measured(trial(study, ARMS["dropout-0.5"], 0))).after
    moved = arm.__class__(**{**vars(arm), "start": {n: c + 1 for n, c in arm.start.items()}})
    base = read(measured(trial(study, BASELINE, 0))).after
    outcome = Spectral("log_norm", "classifier")
    assert effect(outcome, moved, base) == pytest.approx(effect(outcome, arm, base) - 1)


def test_a_bench_answers_questions_as_of_any_study(study):
    seat = {
        treatment: read(measured(trial(study, treatment, 0))).after for treatment in ARMS.values()
    }
    question = Trend(Spectral("frobenius_norm", "classifier"), study.dropout(), FALLS)
    (slope,) = question.answer(Bench(seat.__getitem__, lambda *_: 0.0))
    assert slope < 0
