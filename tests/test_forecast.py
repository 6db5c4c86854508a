"""What a run will take: counts against what really runs, times from planted records, sizes against
records that were written.
"""

import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ddiv import absent
from ddiv.claim import Claim, Contrast
from ddiv.evidence import FALLS, RISES
from ddiv.finding import CONTROL_SEEDS, Asked
from ddiv.forecast import Cost, Row, alike, at_most, forecast, lines, recorded, size
from ddiv.outcome import Spectral, Vendi
from ddiv.profiles import profile
from ddiv.run import Run
from ddiv.source import Flow, OpenAI, Setting, StableDiffusion
from ddiv.store import Record, Store
from ddiv.study import Bert
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    BatchSize,
    Classes,
    Dropout,
    EarlyStop,
    NoOp,
    Synthetic,
    Treatment,
    WeightDecay,
)
from ddiv.trial import GeneratorFit, Samples, Trial, View, key, trial

ROOT = Path(__file__).parents[1]
(STUDY,) = profile("smoke").studies
NORM = Spectral("frobenius_norm", "classifier")
HERE = "a processor"


def asked(question, seeds=(0, 1, 2), guards="", study=STUDY) -> Asked:
    return Asked(
        Claim("a-claim", "it holds", "v1", "family", guards),
        study,
        "",
        question,
        seeds,
        0.05,
        "claims/test_x.py::test",
    )


def run(**changes) -> Run:
    return msgspec.structs.replace(
        Run("id", "pytest claims", "smoke", (0, 1, 2), 0.05, 4, "cpu", False, 0.0, 7, slots=2),
        **changes,
    )


def stored(store: Store, job, seconds: float, device: str = HERE, kilobytes: int = 0) -> None:
    facts = {"provenance": {"seconds": seconds, "device": "cpu", "device_name": device}}
    store.save(Record(job, facts, {"x": np.zeros(kilobytes * 128)}))


# --- which jobs are alike -----------------------------------------------------------------------


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


@pytest.mark.parametrize(
    "one, other",
    [
        ((), (NoOp(),)),
        ((), (Augmentation("auto"),)),
        ((Augmentation("auto"),), (Augmentation("rand"),)),
        ((BatchSize(2),), (BatchSize(4),)),
        ((EarlyStop(0.4),), (NoOp(),)),
    ],
)
def test_what_costs_something_else_is_not_alike(one, other):
    assert alike(trial(STUDY, Treatment.of(*one), 0)) != alike(
        trial(STUDY, Treatment.of(*other), 0)
    )


def test_views_fits_and_samples_are_alike_over_seeds_rounds_and_shares():
    flow, embedder = Flow(8, 8, 1), STUDY.embedders[0]
    views = [
        View(STUDY.data, Treatment.of(*parts), embedder, 50, seed)
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
    assert row.jobs == {"trials": (1, 6), "views": (0, 0), "generators": (0, 1), "samples": (0, 3)}
    assert (row.seconds, row.bytes, row.unknown) == (2 * 10 + 3 * 7, 2 * 100 + 3 * 50, 4)


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
        "import sys, pickle; found, say = pickle.load(sys.stdin.buffer), []; from ddiv.forecast import forecast, lines;"
        "print('\\n'.join(lines(forecast(*found), found[2], found[3]))); assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(([one], {}, run(), store)),
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    assert re.search(r"resnet18-smoke +3 +1 +6/6 +- +- +- +0 s", text) and re.search(
        r"all +up to 7 +1 +14/14", text
    )


def test_times_are_shared_by_what_is_in_flight_and_what_cannot_be_told_is_said(
    tmp_path, monkeypatch
):
    from ddiv import calibration
    from ddiv.machine import processor_name

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
    for view in {alike(job) for job in questions[1].jobs()}:
        stored(store, msgspec.structs.replace(view, seed=50), 4.0, processor_name())
    found = forecast(questions, {("gone", "it is not here: fetch it"): 5}, run(), store)
    by = {(study, seeds): row for study, seeds, row in found.rows}
    assert by["other", "3"].jobs["trials"] == (0, 6) and by["other", "3"].seconds == 3 * (30 + 8)
    assert by["other", "3"].unknown == 3 and by["other", "3"].jobs["samples"] == (0, 3)
    # one plain view, which no seed changes, and three augmented ones
    assert by["resnet18-smoke", "3"].seconds == 4 * 4.0
    assert by["", "up to 7"].seconds == 7 * (30 + 8) + 8 * 4.0
    text = "\n".join(lines(found, run(), store))
    # two in flight: (30 + 8) * 3 / 2
    assert re.search(r"other +3 +1 +0/6 +- +- +0/3 +57 s \+ \?", text)
    assert "Left out: 5 claims on gone: it is not here: fetch it" in text
    assert re.search(r"Not known, and not in the times: 7 samples: from stable-diffusion", text)
    assert found.memory > 5e7 and re.search(r"Memory: about .* a worker; .* are free", text)
    assert (
        calibration.pace_of(trial(study, BASELINE, 0), calibration.torch.device("cpu")).eigenvalues
        > 100
    )


def test_a_device_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="this machine has: cpu"):
        forecast(
            [asked(Contrast(NORM, (STUDY.no_op,), RISES))],
            {},
            run(device="cuda:99"),
            Store(tmp_path),
        )


def test_sizes_in_words():
    assert [size(count) for count in (0, 900, 12.34e6, 3.456e9)] == [
        "0 kB",
        "1 kB",
        "12.3 MB",
        "3.46 GB",
    ]


# --- the calibration ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18-smoke", "bert-complaints"])
def test_the_calibrated_size_of_a_record_is_that_of_the_record(tmp_path, name):
    """A baseline has its trajectory beside, another arm has not; both to a fifth (the texts of a
    record are a guess).
    """
    import torch

    from ddiv.calibration import cost
    from ddiv.measure import measure

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


@pytest.mark.parametrize("kind", [View, GeneratorFit, Samples])
@pytest.mark.parametrize("name", ["resnet18-digits", "bert-complaints"])
def test_every_kind_of_job_is_calibrated(tmp_path, kind, name):
    import torch

    from ddiv.calibration import cost

    study = next(one for one in profile("embedded").studies if one.name == name)
    job = {
        View: View(
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
    import torch

    from ddiv.calibration import drawing

    study = next(one for one in profile("embedded").studies if one.name == "bert-complaints")
    # meta has no generator, as CUDA no CPU's
    assert 0 < drawing(study.data, study.backbone, 8, "swap30", torch.device("meta")) < 1


def without_memory():
    import torch

    class Encoder(torch.nn.Linear):
        width = 4

        def forward(self, images):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TB\nand more")

    return Encoder(1, 4)


def test_what_a_gpu_has_no_memory_for_is_left_out_of_the_times(tmp_path):
    from ddiv.models.own import own_model

    study = msgspec.structs.replace(STUDY, name="large", backbone=own_model(without_memory))
    found = forecast(
        [asked(Contrast(NORM, (STUDY.no_op,), RISES), study=study)], {}, run(), Store(tmp_path)
    )
    text = "\n".join(lines(found, run(), Store(tmp_path)))
    assert re.search(
        r"^Not known, and not in the times: 14 trials: CUDA out of memory. Tried to allocate 1 TB$",
        text,
        re.MULTILINE,
    )


def test_a_view_is_calibrated_on_the_processor_where_there_is_a_gpu_too(monkeypatch):
    import torch

    from ddiv import calibration

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    calibration.scoring.cache_clear()
    job = View(STUDY.data, BASELINE, STUDY.embedders[0], STUDY.view_size, 0)
    assert calibration.cost(alike(job), torch.device("cpu")).seconds > 0


# --- pytest claims --plan -----------------------------------------------------------------------


def claims(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "claims",
            "-p",
            "no:cacheprovider",
            "--store",
            tmp_path / "store",
            "--report",
            tmp_path / "page.html",
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )


def planned(text: str, study: str, seeds: str) -> list[str]:
    """The cells of a row, from the number of claims on."""
    return re.search(rf"^{study} +{seeds} +(.*)$", text, re.MULTILINE)[1].split()


def test_a_plan_counts_what_a_run_then_trains_and_touches_nothing(tmp_path):
    chosen = (
        "--profile",
        "smoke",
        "-k",
        "drop-frobenius and classifier or synth-15-id and good or vendi-aug-pixel and augmix",
    )
    before = claims(tmp_path, *chosen, "--plan", "-n", "4")
    assert before.returncode == 0, before.stdout + before.stderr
    assert not (tmp_path / "store").exists() and not (tmp_path / "page.html").exists()
    assert "workers" not in before.stdout and re.search(r"=== \d+ deselected in", before.stdout)
    (shown,) = {tuple(planned(before.stdout, name, "3")[:5]) for name in ("resnet18-smoke", "all")}
    claims(tmp_path, *chosen, "--max-seeds", "3")
    kinds = Counter(type(record.job) for record in Store(tmp_path / "store").records())
    assert shown == ("3", *(f"0/{kinds[kind]}" for kind in (Trial, View, GeneratorFit, Samples)))
    assert (
        kinds[Trial] == 3 * 4
        and kinds[View] == 4
        and kinds[Samples] == 3
        and kinds[GeneratorFit] == 1
    )
    after = claims(tmp_path, *chosen, "--max-seeds", "3", "--plan")
    assert planned(after.stdout, "all", "up to 3")[1:] == [
        "12/12",
        "4/4",
        "1/1",
        "3/3",
        "0",
        "s",
        "0",
        "kB",
    ]


GONE = """
import msgspec
from ddiv.profiles import profile
from ddiv.study import Images
(SMOKE,) = profile("smoke").studies
STUDIES = (SMOKE, msgspec.structs.replace(SMOKE, name="gone", domains=("there",), data=Images("not/there", digest="0" * 64, side=16)))
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
        "(drop-frobenius or wd-frobenius) and classifier and not scratch and not resnet18",
    )
    line = f"there is no folder {tmp_path}/data/not/there: put the images there"
    done = claims(tmp_path, *chosen, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    (said,) = [one for one in done.stdout.splitlines() if one.startswith("SKIPPED")]
    assert "[2]" in said and line in said and not (tmp_path / "page.html").exists()
    plan = claims(tmp_path, *chosen, "--plan")
    assert plan.returncode == 0 and f"Left out: 2 claims on gone: {line}" in plan.stdout


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
    stored(store, Samples(STUDY.data, OpenAI(), Setting("good"), 1, 0), 1.0)
    assert absent.samples([job], store) is None


def test_a_data_root_that_is_not_there_is_one_line(tmp_path):
    done = claims(tmp_path, "--profile", "smoke", "--data-root", str(tmp_path / "none"))
    assert (
        done.returncode == 4
        and "--data-root: there is no folder" in done.stderr
        and "Traceback" not in done.stderr
    )
