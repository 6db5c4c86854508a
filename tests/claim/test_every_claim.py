"""What holds of every claim in claims/.

Each is made to fail: on planted records in which it is false, beside those in which it holds or
nothing happens. A test that could not come out each way would say nothing. And each question is
asked of states in which no treatment does anything, of the clearest seeds, and after it was
written down.
"""

from collections import Counter, defaultdict

import msgspec
import pytest

from ddiv.claim import Bench, Exhibited, NotApplicable, NoWorse, Threshold
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked
from ddiv.outcome import Coverage, Outside, Score, Spectral, Vendi
from ddiv.trial import Trial
from tests.support.claim_cases import APPLICABLE, CASES, DIGITS, WORLD, Case
from tests.support.claim_worlds import one_study_each, untrue
from tests.support.planted import Levels, lever, trained, view_record

BY_CLAIM: dict[str, list[Case]] = defaultdict(list)
for planted_case in one_study_each(APPLICABLE):
    BY_CLAIM[planted_case.claim.id].append(planted_case)


@pytest.mark.parametrize("claim", BY_CLAIM)
def test_a_claim_comes_out_as_its_records_say(claim):
    """In every variant: supported, contradicted and inconclusive."""
    assert untrue(BY_CLAIM[claim]) == {}


def lacks(case: Case) -> set[str]:
    """What a question asks for that a study may be without, and this one is: domains, pixels, a
    second embedder.
    """
    lacking = set()
    for outcome in case.question.outcomes():
        if getattr(outcome, "where", "") == "ood" and not case.study.ood_domains:
            lacking.add("domains")
        if getattr(outcome, "space", "") == "pixel" and "pixel" not in case.study.spaces:
            lacking.add("pixels")
        if getattr(outcome, "embedder", 0) == len(case.study.embedders) == 1:
            lacking.add("embedder")
    return lacking


def test_claims_are_left_out_only_where_a_study_has_no_domains_no_pixels_or_one_embedder():
    left_out = [case for case in CASES if case not in APPLICABLE]
    assert DIGITS in [case.study for case in left_out]
    assert [case for case in left_out if not lacks(case)] == []
    assert {case.claim.id for case in CASES} == {case.claim.id for case in APPLICABLE}
    # Of each variant for a second embedder there is a study that has one.
    of_second = {(case.claim.id, case.variant) for case in left_out if "embedder" in lacks(case)}
    assert of_second and of_second <= {(case.claim.id, case.variant) for case in APPLICABLE}


def test_every_family_of_claims_has_a_control_that_guards_it():
    families = {case.claim.family for case in CASES if not case.claim.control} - {"controls"}
    guarded = {case.claim.guards for case in CASES if case.claim.control}
    assert guarded == families | {"specific"}  # the verdict on what is specific has its own


# Claims that do not compare how treated and untreated networks learn one training set: they are of
# one network, of training data, of batch sizes, of being no worse, of an order of arms, of an arm
# beside another than the baseline, of what is computed.
WITHOUT_SPECIFIC = {
    "add-tolerates-more",
    "alpha-generalises",
    "aug-trajectories",
    "batch-phases",
    "causal-synth",
    "clf-tail-after-finetune",
    "coded-direction",
    "coded-dropout-at-test",
    "coded-frozen-hurts",
    "coded-noise-diversity",
    "coded-normalisation",
    "coded-pile-hurts",
    "coded-relu",
    "coded-rho-order",
    "coded-rho-separates",
    "coded-shared-baseline",
    "coded-vendi-alone",
    "coded-vendi-pile",
    "coded-weaker",
    "collapse-anchored",
    "control-as-coded",
    "control-as-coded-texts",
    "control-causal",
    "control-cutmix",
    "control-decay",
    "control-diversity",
    "control-dropout",
    "control-initialisation",
    "control-edits",
    "control-expansion",
    "control-mechanism",
    "control-merged-weights",
    "control-open-questions",
    "control-order-of-rows",
    "control-shuffled-labels",
    "control-spectra",
    "control-synthetic",
    "control-trajectories",
    "control-weighted",
    "cov-inflates",
    "cutmix-order",
    "dropout-form",
    "filtered-edits",
    "guided-expansion",
    "heavy-tail-trained",
    "init-memory",
    "linear-norm-shrinks",
    "merged-weights",
    "mix-threshold",
    "mp-at-init",
    "phases-all",
    "projection-uncorrelated",
    "q-finetune-vs-scratch",
    "q-metric-validity",
    "q-mix-added",
    "q-mix-filtered",
    "q-synth-or-blur",
    "rff-noise-is-ridge",
    "rho-predicts-loss",
    "ridge-form",
    "self-regularisation",
    "signal-plus-noise",
    "size-scale",
    "synth-15-ece-id",
    "synth-15-id",
    "synth-collapse",
    "synth-less-diverse",
    "synth-new-information",
    "table1-shape",
    "table1-spikes",
    "vendi-aug-embedding",
    "vendi-aug-pixel",
    "vendi-classes",
    "vendi-disagree",
    "vendi-domain",
    "vendi-predicts",
    "vendi-strongest",
    "wvendi-predicts",
    "wvendi-separates",
}


def test_the_claims_without_a_specific_verdict_are_these():
    with_one = {case.claim.id for case in CASES if case.question.has_specific}
    assert {case.claim.id for case in CASES} - with_one == WITHOUT_SPECIFIC
    of_both = {case.claim.id for case in CASES if not case.question.has_specific} & with_one
    assert of_both == {"synth-more-is-less", "aug-dose"}  # asked in two ways
    judged = {case.claim.id for case in CASES if case.claim.judged_by == "specific"}
    assert judged == {"control-optimisation"}


def test_a_claim_with_a_specific_verdict_trains_the_optimisation_controls():
    for case in APPLICABLE:
        trained = {job.treatment for job in case.asked((0,)).jobs() if isinstance(job, Trial)}
        members = {arm for curve in case.study.family for arm in curve}
        assert (members <= trained) == case.question.has_specific, case


def test_the_papers_main_claims_are_headlines():
    """How dropout, decay and augmentation move norm, entropy and alpha, and what generalises."""
    moved = {
        f"{by}-{metric}"
        for by in ("drop", "wd", "aug")
        for metric in ("frobenius", "entropy", "alpha")
    }
    asked = [case for case in CASES if case.claim.headline]
    others = {"aug-like-dropout", "aug-ood", "aug-ece", "synth-15-ood"}
    assert {case.claim.id for case in asked} == moved | others
    layers = {case.claim.id: set() for case in asked}
    for case in asked:
        layers[case.claim.id] |= {getattr(each, "layers", "") for each in case.question.outcomes()}
    assert all({"classifier", "encoder"} <= layers[claim] for claim in moved)
    assert not any(case.claim.source.startswith("ours") for case in asked)


def test_no_two_tests_of_a_claim_on_a_study_share_a_name():
    """A name is what the ledger knows a finding by."""
    named = Counter(
        (case.claim.id, case.study.name, case.study.backbone, case.variant) for case in CASES
    )
    assert [name for name, count in named.items() if count > 1] == []


@pytest.mark.parametrize(
    "outcome, expected",
    [
        (Spectral("alpha", "classifier"), ("exponent", RISES)),
        (Spectral("frobenius_norm", "encoder"), ("scale", RISES)),
        (Spectral("spectral_norm", "classifier"), ("scale", RISES)),
        (Spectral("entropy_raw", "encoder"), ("scale", FALLS)),
        (Spectral("entropy_normalised", "encoder"), ("exponent", RISES)),
        (Spectral("phase", "encoder"), ("order", RISES)),
        (Spectral("stable_rank", "classifier"), ("exponent", RISES)),
        (Spectral("num_pl_spikes", "classifier"), ("tail", RISES)),
        (Score("ece", "ood"), ("confidence", RISES)),
        (Score("accuracy", "ood"), ("accuracy", RISES)),
        (Outside("pixel"), ("outside_pixel", RISES)),
        (Coverage("embedding"), ("covered_embedding", RISES)),
        (Vendi("pixel"), ("pixel", RISES)),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_knobs_move_outcomes_as_theory_says(outcome, expected):
    """Eigenvalues above 1 / e: the raw entropy falls with their scale.

    Less heavy a tail: more entropy.
    """
    assert lever(outcome, WORLD) == expected


# --- questions ------------------------------------------------------------------------------------


def flat(study) -> Bench:
    """States in which no treatment does anything."""
    if not study.trains:
        return Bench(None, None, of_experiment=lambda number: 0.0)
    states = {baseline: trained(study, baseline, Levels()) for baseline in (True, False)}
    facts = view_record(None, Levels()).facts
    return Bench(
        lambda arm: states[arm.is_baseline].after,
        lambda outcome, arm: outcome.read(facts),
        lambda arm: states[arm.is_baseline].after,
    )


def of_states(case: Case) -> bool:
    """Whether something is claimed of states by themselves, and not of what a treatment changes."""
    return any(isinstance(part, Threshold | Exhibited) for part in case.question.parts())


def of_numbers(case: Case) -> bool:
    """Whether it is asked of experiments, which have no baseline."""
    return any(True for _ in case.question.numbers())


def test_the_baseline_in_place_of_every_treatment_is_inconclusive():
    """But for what is claimed of a single state, and for a treatment that is to be no worse: the
    baseline is not.
    """
    wrong = {}
    for case in APPLICABLE:
        if of_states(case) or of_numbers(case):
            continue
        effects = case.question.answer(flat(case.study))
        verdict = case.question.judge([effects] * 12, 0.05).verdict
        if isinstance(case.question, NoWorse):
            margin = case.question.direction * case.question.margin
            right = verdict == "supported" and effects == (margin,)
        else:
            right = verdict == "inconclusive" and not any(effects)
        if not right:
            wrong[str(case)] = (verdict, effects)
    assert wrong == {}


def test_more_seeds_that_speak_clearly_can_decide_either_way():
    """What a run asks before it adds seeds; seeds so far that say nothing must not keep the
    clearest ones from deciding.
    """
    out_of_reach = {}
    for case in APPLICABLE:
        if of_states(case):
            continue
        effects = [case.question.answer(flat(case.study))] * 2
        if isinstance(case.question, NoWorse):
            effects = [(0.0,)] * 2
        reached = {
            case.question.judge([*effects[:1], *[row] * 40], 0.05).verdict
            for row in case.question.extremes(effects)
        }
        if not {"supported", "contradicted"} <= reached:
            out_of_reach[str(case)] = reached
    assert out_of_reach == {}


def test_a_question_survives_being_written_down():
    for case in CASES:
        asked = case.asked((0, 1))
        again = msgspec.json.decode(msgspec.json.encode(asked), type=Asked)
        assert again == asked, case
        try:
            assert again.jobs() == asked.jobs(), case
        except NotApplicable:
            assert not case.applicable and lacks(case), case
