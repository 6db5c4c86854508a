"""What a run will take: counts against what really runs, times from planted records, sizes against
records that were written.
"""

import pickle
import re
import subprocess
import sys
from collections import Counter

import msgspec
import pytest

from ddiv.claim import Contrast
from ddiv.common.machine import usable_cores
from ddiv.common.units import duration
from ddiv.evidence import FALLS, RISES
from ddiv.finding import CONTROL_SEEDS
from ddiv.outcome import Vendi
from ddiv.profiles.choose import profile
from ddiv.run.cost import Cost
from ddiv.run.forecast import Row, alike, at_most, forecast, lines, recorded
from ddiv.study import Digits
from ddiv.treatment import (
    BASELINE,
    Added,
    Augmentation,
    BatchSize,
    Classes,
    Dropout,
    Flow,
    Length,
    NoOp,
    Part,
    Setting,
    StableDiffusion,
    Synthetic,
    Treatment,
    WeightDecay,
)
from ddiv.trial import DataView, GeneratorFit, Samples, Trial, key, trial
from ddiv.trial.store import Store
from tests.support.claims_run import claims
from tests.support.paths import ROOT
from tests.support.plans import AT_A_SEED, HERE, NORM, asked, run, stored
from tests.support.smoke import STUDY

# --- which jobs are alike -----------------------------------------------------------------------


class TenTimes(Part, frozen=True):
    """Ten gradients a step."""

    def gradients(self, network, backward):
        for _ in range(9):
            backward()
        return backward()


def test_the_pace_of_a_trial_is_that_with_its_own_parts():
    from ddiv.run import timing as calibration

    cpu = calibration.torch.device("cpu")
    steps = [
        calibration.pace_of(trial(STUDY, Treatment.of(*parts), 0), cpu).step
        for parts in ([], [NoOp()], [TenTimes()])
    ]
    assert steps[0] == steps[1] < steps[2] / 3


@pytest.mark.parametrize(
    "one, other",
    [
        ((Dropout(0.1),), (Dropout(0.5, "head"),)),
        ((Dropout(0.1),), (WeightDecay(1e-3),)),
        ((Dropout(0.1),), (NoOp(),)),
        ((Augmentation("auto"),), (Augmentation("auto"), Dropout(0.1))),
        ((Synthetic(0.2, Flow(8, 8, 1), Setting("a")),), (NoOp(),)),
    ],
)
def test_what_costs_the_same_is_alike(one, other):
    jobs = [trial(STUDY, Treatment.of(*parts), seed) for seed, parts in enumerate((one, other))]
    assert alike(jobs[0]) == alike(jobs[1]) == alike(alike(jobs[0]))


def test_replicates_cost_the_same_whatever_data_and_checkpoint_they_have():
    for study in filter(lambda study: study.trains, profile("embedded").studies):
        jobs = [trial(study, BASELINE, seed) for seed in range(4)]
        assert len({*map(alike, jobs)}) == 1 < len({*jobs})
    (made,) = {alike(trial(study, BASELINE, 0)) for study in (STUDY, renamed(STUDY))}
    assert made.study == ""


def renamed(study):
    return msgspec.structs.replace(study, name="another")


@pytest.mark.parametrize(
    "one, other",
    [
        ((), (NoOp(),)),
        ((), (Augmentation("auto"),)),
        ((Augmentation("auto"),), (Augmentation("rand"),)),
        ((BatchSize(2),), (BatchSize(4),)),
        ((Length(0.4),), (NoOp(),)),
        ((Added(0.5, Flow(8, 8, 1), Setting("a")),), (NoOp(),)),
        ((TenTimes(),), (NoOp(),)),
    ],
)
def test_what_costs_something_else_is_not_alike(one, other):
    assert alike(trial(STUDY, Treatment.of(*one), 0)) != alike(
        trial(STUDY, Treatment.of(*other), 0)
    )


def test_views_fits_and_samples_are_alike_over_seeds_rounds_and_shares():
    flow, embedder = Flow(8, 8, 1), STUDY.embedders[0]
    views = [
        DataView(STUDY.data, Treatment.of(*parts), embedder, 50, seed)
        for seed, parts in enumerate(
            (
                (Synthetic(0.2, flow, Setting("a")),),
                (Synthetic(1, flow, Setting("b")),),
                (Classes(3),),
                (),
            )
        )
    ]
    assert alike(views[0]) == alike(views[1]) and len({*map(alike, views)}) == 3
    assert alike(GeneratorFit(STUDY.data, flow)) == alike(
        GeneratorFit(STUDY.data, flow, Setting("a"), 3, 5)
    )
    assert alike(GeneratorFit(STUDY.data, flow, Setting("a"), 3, anchored=True)) == alike(
        GeneratorFit(STUDY.data, flow)
    )
    samples = [
        Samples(STUDY.data, flow, Setting(name), round, seed)
        for name, round, seed in (("a", 1, 0), ("a", 2, 7), ("b", 1, 0))
    ]
    assert alike(samples[0]) == alike(samples[1]) != alike(samples[2])


# --- records tell -------------------------------------------------------------------------------


def test_times_are_means_over_records_of_this_device_and_sizes_over_all(tmp_path):
    store, dose = (
        Store(tmp_path),
        [
            trial(STUDY, Treatment.of(Dropout(rate)), seed)
            for seed, rate in enumerate((0.1, 0.2, 0.3))
        ],
    )
    stored(store, dose[0], 2.0)
    stored(store, dose[1], 4.0, kilobytes=8)
    stored(store, dose[2], 100.0, device="a faster one")
    stored(store, trial(STUDY, BASELINE, 0), 50.0)
    (found,) = recorded(store, {alike(dose[0])}, HERE).items()
    sizes = [sum(path.stat().st_size for path in store.path(key(job)).iterdir()) for job in dose]
    assert found == (alike(dose[0]), Cost(3.0, sum(sizes) / 3))
    assert recorded(store, {alike(dose[0])}, "another")[alike(dose[0])].seconds is None
    assert recorded(store, set(), HERE) == {}


def test_a_record_that_cannot_be_read_tells_nothing(tmp_path):
    store, job = Store(tmp_path), trial(STUDY, BASELINE, 0)
    stored(store, job, 2.0)
    stored(store, trial(STUDY, BASELINE, 1), 4.0)
    (store.path(key(job)) / "record.json").write_text("{")
    assert recorded(store, {alike(job)}, HERE)[alike(job)].seconds == 4.0


# --- counting and adding up ---------------------------------------------------------------------


def test_a_row_counts_jobs_with_what_they_read_and_adds_up_what_is_missing(tmp_path):
    store, treatment = Store(tmp_path), STUDY.synthetic(0.35)
    jobs = [trial(STUDY, arm, seed) for seed in range(3) for arm in (BASELINE, treatment)]
    stored(store, jobs[0], 1.0)
    costs = {alike(jobs[0]): Cost(10.0, 100.0), alike(jobs[1]): Cost(7.0, 50.0)}
    row = Row.of(1, [*jobs, *jobs], store, costs)
    kinds = {"trials": (1, 6), "views": (0, 0), "generators": (0, 3), "samples": (0, 3)}
    assert row.jobs == kinds | {"experiments": (0, 0)}
    assert (row.seconds, row.bytes, row.unknown) == (2 * 10 + 3 * 7, 2 * 100 + 3 * 50, 6)


def test_at_most_a_claim_gets_the_seeds_of_the_run_and_a_control_its_own():
    question = Contrast(NORM, (STUDY.no_op,), RISES)
    assert at_most(asked(question, (100, 101, 102)), 7).seeds == tuple(range(100, 107))
    assert len(at_most(asked(question, guards="a family"), 7).seeds) == CONTROL_SEEDS
    assert len(at_most(asked(question, guards="a family"), 30).seeds) == 30


def test_a_plan_of_stored_records_needs_no_torch_and_says_that_nothing_is_missing(tmp_path):
    store, one = Store(tmp_path), asked(Contrast(NORM, (STUDY.no_op,), RISES))
    for job in at_most(one, 7).jobs():
        stored(store, job, 1.0)
    code = (
        "import sys, pickle; found, say = pickle.load(sys.stdin.buffer), [];"
        "from ddiv.run.forecast import forecast, lines;"
        "print('\\n'.join(lines(forecast(*found), found[2], found[3])));"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(([one], {}, run(), store)),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    few, many = 3 * AT_A_SEED, 7 * AT_A_SEED
    assert re.search(rf"resnet18-smoke +3 +1 +{few}/{few} +- +- +- +- +0 s", text)
    assert re.search(rf"all +up to 7 +1 +{many}/{many}", text)


def test_times_are_shared_by_what_is_in_flight_and_what_cannot_be_told_is_said(
    tmp_path, monkeypatch
):
    from ddiv.common.machine import processor_name
    from ddiv.run import timing as calibration

    study = msgspec.structs.replace(
        STUDY,
        name="other",
        generator=StableDiffusion(),
        settings=(Setting("good"),),
        shares=((0.35,),),
    )
    store, arm = Store(tmp_path), study.synthetic(0.35)
    questions = [
        asked(Contrast(NORM, (arm,), RISES), study=study),
        asked(Contrast(Vendi("pixel"), (STUDY.augmentation("auto"),), FALLS)),
    ]
    stored(store, trial(study, BASELINE, 50), 30.0, processor_name())
    stored(store, trial(study, STUDY.no_op, 50), 8.0, processor_name())
    rates, lengths = ([arm for arm in curve if not arm.is_baseline] for curve in study.family)
    for arm in lengths:
        stored(store, trial(study, arm, 50), 4.0, processor_name())
    # Other learning rates and synthetic images cost what the no-op does.
    a_seed = 30 + (len(rates) + 1) * 8 + len(lengths) * 4
    for view in {alike(job) for job in questions[1].jobs()}:
        stored(store, msgspec.structs.replace(view, seed=50), 4.0, processor_name())
    found = forecast(questions, {("gone", "it is not here: fetch it"): 5}, run(), store)
    by = {(study, seeds): row for study, seeds, row in found.rows}
    assert by["other", "3"].jobs["trials"] == (0, 3 * AT_A_SEED)
    assert by["other", "3"].seconds == 3 * a_seed
    assert by["other", "3"].unknown == 3 and by["other", "3"].jobs["samples"] == (0, 3)
    assert by["resnet18-smoke", "3"].seconds == (3 + 3) * 4.0  # plain and augmented views
    assert by["", "up to 7"].seconds == 7 * a_seed + (7 + 7) * 4.0
    text = "\n".join(lines(found, run(), store))
    shared = duration(3 * a_seed / 2)  # two in flight
    assert re.search(rf"other +3 +1 +0/{3 * AT_A_SEED} +- +- +0/3 +- +{shared} \+ \?", text)
    assert "Left out: 5 claims on gone: it is not here: fetch it" in text
    assert re.search(r"Not known, and not in the times: 7 samples: from stable-diffusion", text)
    assert found.memory > 5e7 and re.search(r"Memory: about .* a worker; .* are free", text)
    assert (
        calibration.pace_of(trial(study, BASELINE, 0), calibration.torch.device("cpu")).eigenvalues
        > 100
    )


def test_trials_and_views_that_cannot_be_measured_are_told_beforehand(tmp_path):
    """41 images in batches of 40 leave one over, which batch norm cannot take."""
    study = msgspec.structs.replace(STUDY, name="odd", data=Digits(train=41, side=16))
    questions = [
        asked(Contrast(NORM, (STUDY.no_op,), RISES), study=study),
        asked(Contrast(Vendi("pixel"), (STUDY.augmentation("auto"),), FALLS), study=study),
    ]
    text = "\n".join(lines(forecast(questions, {}, run(), Store(tmp_path)), run(), Store(tmp_path)))
    assert re.search(
        rf"^Will fail: {7 * AT_A_SEED} trials: the last batch of an epoch has 1 of the 41 "
        r"training examples.*: "
        r"take a batch of \d+",
        text,
        re.MULTILINE,
    )
    assert re.search(r"^Will fail: \d+ views: a view of 120 .* has 41", text, re.MULTILINE)
    assert "Not known" not in text


def test_a_device_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="this machine has: cpu"):
        forecast(
            [asked(Contrast(NORM, (STUDY.no_op,), RISES))],
            {},
            run(device="cuda:99"),
            Store(tmp_path),
        )


# --- pytest claims --plan -----------------------------------------------------------------------


def planned(text: str, study: str, seeds: str) -> list[str]:
    """The cells of a row, from the number of claims on."""
    return re.search(rf"^{study} +{seeds} +(.*)$", text, re.MULTILINE)[1].split()


def test_a_plan_touches_nothing_and_counts_what_a_run_then_trains_and_no_more(tmp_path):
    chosen = (
        "--profile",
        "smoke",
        "-k",
        "drop-frobenius and classifier or synth-15-id and good or vendi-aug-pixel and augmix",
    )
    before = claims(tmp_path, *chosen, "--plan", "-n", "4", "--device", "cpu")
    assert before.returncode == 0, before.stdout + before.stderr
    assert not (tmp_path / "store").exists() and not (tmp_path / "page.html").exists()
    in_flight = re.search(r"(\d+) at once", before.stdout)[1]
    assert int(in_flight) == min(4, usable_cores())  # though no worker is started
    assert "workers" not in before.stdout and re.search(r"=== \d+ deselected in", before.stdout)
    (shown,) = {tuple(planned(before.stdout, name, "3")[:5]) for name in ("resnet18-smoke", "all")}
    done = claims(tmp_path, *chosen, "--max-seeds", "3", "-n", "2")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    jobs = [record.job for record in Store(tmp_path / "store").records()]
    kinds = Counter(map(type, jobs))
    assert shown == (
        "4",
        *(f"0/{kinds[kind]}" for kind in (Trial, DataView, GeneratorFit, Samples)),
    )
    # The two on synthetic images, of no loss and of a gain, read the same trials.
    arms = {"baseline", "dropout 0.05", "dropout 0.2", "synthetic 15% (good)"}
    assert kinds == {Trial: 3 * len(arms), DataView: 6, Samples: 3, GeneratorFit: 3}
    trained = {job.treatment.label for job in jobs if isinstance(job, Trial)}
    assert trained == arms  # no calibration, no optimisation controls
    drawn = {(job.setting.name, job.round, job.seed) for job in jobs if isinstance(job, Samples)}
    assert drawn == {("good", 1, seed) for seed in range(3)}
    after = claims(tmp_path, *chosen, "--max-seeds", "3", "--plan")
    assert planned(after.stdout, "all", "up to 3")[1:] == [
        *("12/12", "6/6", "3/3", "3/3", "-"),
        "0",
        "s",
        "0",
        "kB",
    ]


GONE = """
import msgspec
from ddiv.profiles.choose import profile
from ddiv.study import Images
(SMOKE,) = profile("smoke").studies
GONE = Images("not/there", digest="0" * 64, side=16)
STUDIES = (SMOKE, msgspec.structs.replace(SMOKE, name="gone", domains=("there",), data=GONE))
"""


def test_a_study_without_its_data_is_skipped_with_one_line_and_left_out_of_the_plan(tmp_path):
    (tmp_path / "mine.py").write_text(GONE)
    (tmp_path / "data").mkdir()
    chosen = (
        "--study",
        str(tmp_path / "mine.py"),
        "--data-root",
        str(tmp_path / "data"),
        "-k",
        "(drop-frobenius or wd-frobenius) and classifier "
        "and not (scratch or resnet18 or architectures)",
    )
    line = f"there is no folder {tmp_path}/data/not/there: put the images there"
    done = claims(tmp_path, *chosen, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    (said,) = [one for one in done.stdout.splitlines() if one.startswith("SKIPPED")]
    assert "[2]" in said and line in said and not (tmp_path / "page.html").exists()
    # At the start, and again at the end, where it is read after a long run.
    told = [one for one in done.stdout.splitlines() if one.startswith("Left out: ")]
    assert len(told) == 2 and all(f"2 claims on gone: {line}" in one for one in told)
    plan = claims(tmp_path, *chosen, "--plan")
    assert plan.returncode == 0 and f"Left out: 2 claims on gone: {line}" in plan.stdout
