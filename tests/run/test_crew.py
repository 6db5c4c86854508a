"""Workers together: each job once, nobody idle, no locks of the dead, failures told."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ddiv.run.crew import Crew, JobFailed, journal, working
from ddiv.run.progress import describe
from ddiv.run.run import save_plan
from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import BASELINE, Flow, Setting, Synthetic, Treatment
from ddiv.trial import GeneratorFit, Trial, key, requires
from ddiv.trial.store import Record, Store


def job(seed: int) -> Trial:
    return Trial(Digits(100), ResNet18(8, 2), Recipe(1, 10, 1e-3), BASELINE, seed)


JOBS = [job(seed) for seed in range(8)]


def slowly(job, records, report) -> Record:
    report(0.5)
    time.sleep(0.1)
    return Record(job, {"pid": os.getpid()}, {"x": np.zeros(1)})


def among_two(run: Path):
    """A measurement that ends once two workers of the run are at one, or were: however slow the
    machine, both have a part.
    """

    def measure(job, records, report) -> Record:
        report(0.5)
        for _ in range(6000):
            if len({line.worker for line in [*working(run), *journal(run)]}) > 1:
                return Record(job, {}, {})
            time.sleep(0.01)
        raise AssertionError("no second worker took a job in a minute")

    return measure


def work(root, run, wanted, slots, measure=slowly, worker="w"):
    return Crew(Store(root), run, measure, JOBS, slots=slots, worker=worker).obtain(wanted)


def start(*arguments) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    return process


def test_only_what_is_wanted_is_measured(tmp_path):
    records = work(tmp_path, tmp_path / "run", JOBS[:2], slots=1)
    assert list(records) == JOBS[:2] and Store(tmp_path).keys() == sorted(map(key, JOBS[:2]))


def test_stored_records_are_not_measured_again(tmp_path):
    work(tmp_path, tmp_path / "run", JOBS[:2], slots=1)

    def never(job, records, report):
        raise AssertionError("measured again")

    assert len(work(tmp_path, tmp_path / "other", JOBS[:2], 1, never)) == 2


def test_two_workers_share_the_plan_and_measure_each_job_once(tmp_path):
    run = tmp_path / "run"
    both = multiprocessing.get_context("fork").Barrier(2, timeout=60)

    def in_pairs(job, records, report) -> Record:
        both.wait()
        return Record(job, {}, {})

    helpers = [start(tmp_path, run, JOBS, 2, in_pairs, f"w{i}") for i in range(2)]
    for helper in helpers:
        helper.join()
    lines = journal(run)
    assert sorted(line.key for line in lines) == sorted(map(key, JOBS))
    # Both worked: a worker whose next job is taken goes on to the one after it.
    assert min(sum(line.worker == f"w{i}" for line in lines) for i in range(2)) == len(JOBS) / 2


def test_a_worker_that_wants_a_taken_job_helps_with_another(tmp_path):
    run = tmp_path / "run"
    other = start(tmp_path, run, JOBS[:1], 2, among_two(run), "other")
    while not working(run):
        time.sleep(0.01)
    work(tmp_path, run, JOBS[:1], slots=2, worker="me")
    other.join()
    mine = [line.key for line in journal(run) if line.worker == "me"]
    assert mine and mine[0] == key(JOBS[1])


def test_a_worker_without_tests_helps_until_nothing_is_left(tmp_path):
    run = tmp_path / "run"
    Crew(Store(tmp_path), run, slowly, JOBS, slots=2, worker="idle").drain()
    assert {line.worker for line in journal(run)} == {"idle"} and len(journal(run)) == len(JOBS)


def test_helping_ends_where_only_failures_are_left(tmp_path):
    def fail(job, records, report):
        raise RuntimeError("no")

    Crew(Store(tmp_path), tmp_path / "run", fail, JOBS).drain()
    assert Store(tmp_path).keys() == []


def test_no_more_jobs_in_flight_than_slots(tmp_path):
    def alone(job, records, report):
        (tmp_path / "busy").mkdir()  # fails where another is there
        time.sleep(0.05)
        (tmp_path / "busy").rmdir()
        return Record(job, {}, {})

    run = tmp_path / "run"
    helpers = [start(tmp_path, run, JOBS, 1, alone, f"w{i}") for i in range(3)]
    for helper in helpers:
        helper.join()
    assert len(journal(run)) == len(JOBS) and not list(run.glob("failed/*"))


def test_a_killed_worker_loses_only_its_job_in_flight(tmp_path):
    run = tmp_path / "run"

    def three_only(job, records, report):
        while len(journal(run)) == 3:
            time.sleep(1)
        return Record(job, {}, {})

    victim = start(tmp_path, run, JOBS, 1, three_only, "victim")
    while len(journal(run)) < 3 or not working(run):
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    assert len(Store(tmp_path).keys()) == 3
    work(tmp_path, tmp_path / "next", JOBS, slots=1)
    assert len(journal(tmp_path / "next")) == len(JOBS) - 3


def test_a_failed_job_is_told_to_those_who_need_it_and_only_to_them(tmp_path):
    def measure(job, records, report):
        if job.seed == 1:
            raise RuntimeError("the loss became nan. Lower the learning rate.")
        return slowly(job, records, report)

    crew = Crew(Store(tmp_path), tmp_path / "run", measure, JOBS[:3])
    with pytest.raises(JobFailed, match="Lower the learning rate"):
        crew.obtain(JOBS[1:2])
    assert list(crew.obtain([JOBS[0], JOBS[2]])) == [JOBS[0], JOBS[2]]
    # Another worker of the same run does not try again; another run does.
    with pytest.raises(JobFailed):
        Crew(Store(tmp_path), tmp_path / "run", slowly, JOBS).obtain(JOBS[1:2])
    assert Crew(Store(tmp_path), tmp_path / "next", slowly, JOBS).obtain(JOBS[1:2])


def test_progress_says_done_running_waiting_and_time_left(tmp_path):
    store, run = Store(tmp_path), tmp_path / "runs" / "r"
    assert describe(run, 2) is None
    save_plan(store, "r", JOBS)
    assert describe(run, 2).startswith("trials: 0 of 8 done · 0 running · 8 waiting")
    lines = []

    def watch(job, records, report):
        report(0.5)
        lines.append(describe(run, 2))
        return Record(job, {}, {})

    Crew(store, run, watch, JOBS).obtain(JOBS)
    assert (
        "trials: 4 of 8 done · 1 running · 3 waiting" in lines[4]
        and "s each" in lines[4]
        and "left" in lines[4]
    )
    assert describe(run, 2) is None  # nothing left to tell


def test_seeds_that_are_asked_for_later_are_measured_and_told(tmp_path):
    """Undecided claims ask for jobs that are in nobody's plan."""
    store, run, lines = Store(tmp_path), tmp_path / "runs" / "r", []

    def watch(job, records, report):
        lines.append(describe(run, 2))
        return Record(job, {}, {})

    save_plan(store, "r", JOBS[:2])
    crew = Crew(store, run, watch, JOBS[:2])
    crew.obtain(JOBS[:2])
    assert list(crew.obtain(JOBS[2:4])) == JOBS[2:4]
    assert lines[1].startswith("trials: 1 of 2 done · 1 running · 0 waiting")
    assert lines[2].startswith(
        "trials: 2 of 3 done (1 for undecided claims) · 1 running · 0 waiting"
    )
    assert lines[3].startswith("trials: 3 of 4 done (2 for undecided claims)")
    assert describe(run, 2) is None and [line.key for line in journal(run)] == list(
        map(key, JOBS[:4])
    )


def seeds_later(root, run, worker) -> None:
    """Two claims of one plan that both turn out to be undecided."""
    crew = Crew(Store(root), run, among_two(run), JOBS[:3], slots=2, worker=worker)
    crew.obtain(JOBS[:3])
    assert list(crew.obtain(JOBS[3:])) == JOBS[3:]


def test_two_claims_that_ask_for_the_same_seeds_later_share_them(tmp_path):
    run, context = tmp_path / "run", multiprocessing.get_context("fork")
    workers = [context.Process(target=seeds_later, args=(tmp_path, run, f"w{i}")) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert sorted(line.key for line in journal(run)) == sorted(map(key, JOBS))
    assert {line.worker for line in journal(run)} == {"w0", "w1"}


def patient_claim(root, run, worker) -> None:
    crew = Crew(Store(root), run, among_two(run), (), slots=2, worker=worker)
    for job in JOBS:  # one seed after the other
        crew.obtain([job, msgspec.structs.replace(job, seed=job.seed + 100)])


def until_asked(run) -> None:
    """Wait until a worker has asked for jobs: it signed in before, so the others know of both."""
    while not list(run.glob("wanted/[!.]*")):
        time.sleep(0.01)


def test_a_worker_without_tests_helps_with_what_is_asked_for_later(tmp_path):
    run, context = tmp_path / "run", multiprocessing.get_context("fork")
    busy = context.Process(target=patient_claim, args=(tmp_path, run, "busy"))
    busy.start()
    until_asked(run)
    Crew(Store(tmp_path), run, among_two(run), (), slots=2, worker="idle").drain()
    busy.join(timeout=60)
    assert busy.exitcode == 0 and len(journal(run)) == 2 * len(JOBS)
    assert {line.worker for line in journal(run)} == {"busy", "idle"}


def test_a_killed_worker_is_not_waited_for(tmp_path):
    run = tmp_path / "run"
    killed = multiprocessing.get_context("fork").Process(
        target=patient_claim, args=(tmp_path, run, "killed")
    )
    killed.start()
    until_asked(run)
    killed.kill()
    killed.join()
    Crew(Store(tmp_path), run, slowly, (), slots=2, worker="idle").drain()
    noted = {path.name for path in run.glob("wanted/[!.]*")}
    assert noted and noted <= set(Store(tmp_path).keys())


def failing_fit(job, records, report):
    if isinstance(job, GeneratorFit):
        raise ValueError("no images")
    return Record(job, {}, {"read": np.array([len(records)])})


def test_what_a_job_reads_is_measured_before_it_and_its_failure_is_told(tmp_path):
    synthetic = msgspec.structs.replace(
        JOBS[0], treatment=Treatment.of(Synthetic(0.5, Flow(8, 8, 1), Setting("good")))
    )
    (samples,) = requires(synthetic)
    (fit,) = requires(samples)
    order = []

    def note(job, records, report):
        order.append(job)
        assert set(records) == set(requires(job))
        return Record(job, {}, {})

    Crew(Store(tmp_path / "a"), tmp_path / "run a", note, ()).obtain([synthetic])
    assert order == [fit, samples, synthetic]
    with pytest.raises(JobFailed, match="no images"):
        Crew(Store(tmp_path / "b"), tmp_path / "run b", failing_fit, ()).obtain([synthetic])
