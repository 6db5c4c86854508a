"""What trials of one replicate share, and what those of two do not."""

import msgspec
import numpy as np
import pytest

from ddiv.claim import data_view
from ddiv.data.load import load
from ddiv.study import Clip
from ddiv.treatment import BASELINE, Augmentation, Dropout, NoOp, OtherSeed, Treatment
from ddiv.trial import canonical, key, requires, sampling, trial
from ddiv.trial.measure import measure
from tests.support.smoke import STUDY

NAMED_SO = msgspec.structs.replace(STUDY, name="another")
ARM = Treatment.of(Dropout(0.2))
MIXED = STUDY.synthetic(0.25)


def measured(job):
    return measure(job, {}, "cpu", lambda share: None)


@pytest.fixture(scope="module")
def plain():
    return measured(trial(STUDY, BASELINE, 0))


def shared(one, other) -> tuple[bool, bool]:
    """Whether two records have their first weights, and their test set, in common."""
    names = ("eigenvalues/before", "labels/digits")
    return tuple(np.array_equal(one.arrays[name], other.arrays[name]) for name in names)


def test_arms_share_data_and_first_weights_at_equal_seeds_only(plain):
    assert shared(measured(trial(STUDY, ARM, 0)), plain) == (True, True)
    for job in (trial(STUDY, BASELINE, 1), trial(STUDY, STUDY.other_seed, 0)):
        assert shared(measured(job), plain) == (False, False)


def test_no_two_studies_share_a_draw(plain):
    """Data, first weights and order of two studies that differ by name alone."""
    assert shared(measured(trial(NAMED_SO, BASELINE, 0)), plain) == (False, False)
    jobs = [trial(study, BASELINE, 0) for study in (STUDY, NAMED_SO)]
    assert jobs[0].draws != jobs[1].draws
    views = [data_view(study, BASELINE, 0) for study in (STUDY, NAMED_SO)]
    drawn = [requires(trial(study, MIXED, 0))[0] for study in (STUDY, NAMED_SO)]
    fits = [requires(each)[0] for each in drawn]
    for one, other in (views, drawn, fits):
        assert one.draws != other.draws and one.data != other.data and key(one) != key(other)


def test_the_order_of_examples_is_that_of_the_seed_and_the_study():
    """On the same data, with the same first weights of a pre-trained kind."""
    jobs = [trial(study, BASELINE, seed) for study in (STUDY, NAMED_SO) for seed in (0, 1)]
    same = [msgspec.structs.replace(job, data=jobs[0].data) for job in jobs]
    losses = [tuple(measured(job).facts["train_loss"]) for job in same]
    assert len(set(losses)) == 4


def test_another_seed_is_another_replicate_in_all():
    far = trial(STUDY, BASELINE, 1_000_000)
    job = trial(STUDY, Treatment.of(OtherSeed()), 0)
    assert (job.data, job.backbone, job.draws) == (far.data, far.backbone, far.draws)
    assert job.data != trial(STUDY, BASELINE, 0).data and job.study == STUDY.name
    both = trial(STUDY, MIXED + OtherSeed(), 0)
    assert requires(both) == requires(trial(STUDY, MIXED, 1_000_000))


def test_a_replicate_has_one_of_the_checkpoints():
    clips = tuple(Clip(weights * 64) for weights in "abc")
    study = msgspec.structs.replace(STUDY, backbone=clips[0], further_backbones=clips[1:])
    for arm in (BASELINE, ARM, Treatment.of(NoOp())):
        assert [trial(study, arm, seed).backbone for seed in range(4)] == [*clips, clips[0]]


def test_views_are_drawn_for_each_replicate():
    """The plain one too, and they show what the trials of the arm see."""
    arms = (BASELINE, Treatment.of(Augmentation("auto")), MIXED)
    for arm in arms:
        views = [data_view(STUDY, arm, seed) for seed in (0, 1)]
        assert len({*map(key, views)}) == 2
        for view, seed in zip(views, (0, 1)):
            job = trial(STUDY, arm, seed)
            assert (view.data, view.draws) == (job.data, job.draws)
            assert requires(view) == requires(job)
    assert data_view(STUDY, ARM, 3) == data_view(STUDY, BASELINE, 3)


def test_samples_and_their_generator_are_of_the_replicate():
    setting, other = STUDY.settings
    first, poor, later = (
        sampling(STUDY, STUDY.generator, *each)
        for each in ((setting, 1, 4), (other, 1, 4), (setting, 2, 4))
    )
    assert first == requires(trial(STUDY, MIXED, 4))[0] and first.data == STUDY.data_of(4)
    (fit,) = requires(first)
    assert requires(poor) == (fit,) and fit.data == first.data and fit.seed == 4
    assert requires(fit) == () and requires(requires(later)[0]) == (first,)
    assert requires(sampling(STUDY, STUDY.generator, setting, 1, 5)) != (fit,)


def test_the_study_is_no_part_of_a_job_without_one():
    job = trial(STUDY, BASELINE, 0)
    nameless = msgspec.structs.replace(job, study="")
    assert b'"study"' in canonical(job) and b'"study"' not in canonical(nameless)
    assert key(job) != key(nameless)


def test_all_arms_of_a_replicate_are_measured_on_one_reference_set(plain):
    """Also an arm with shuffled labels: on true ones it is at chance."""
    assert plain.facts["clean"]["accuracy"] > 0.3
    assert measured(trial(STUDY, STUDY.shuffled_labels, 0)).facts["clean"]["accuracy"] < 0.3
    half = len(load(trial(STUDY, BASELINE, 0).data).inputs) // 2
    assert plain.facts["truncated"]["images"]["train"] == pytest.approx(half, abs=5)
