"""A worker that waits for another run, or for a suspended process, says so."""

import fcntl
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

from ddiv.run import waiting
from ddiv.run.crew import Crew
from ddiv.run.progress import describe
from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import BASELINE
from ddiv.trial import Trial, key
from ddiv.trial.store import Record, Store, StoreError

JOB = Trial(Digits(100), ResNet18(8, 2), Recipe(1, 10, 1e-3), BASELINE, 0)


def crew(root, run, begun=None, wait=0.0, worker="w"):
    def measure(job, records, report) -> Record:
        if begun is not None:
            begun.set()
        time.sleep(wait)
        return Record(job, {}, {"x": np.zeros(1)})

    return Crew(Store(root), root / "runs" / run, measure, [JOB], worker=worker)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.1)


@pytest.fixture
def start(tmp_path):
    """Starts a process of a run that is at the job for so long as a test takes."""
    context = multiprocessing.get_context("fork")
    processes = []

    def started(run):
        begun = context.Event()
        target = crew(tmp_path, run, begun, 60, "other").obtain
        process = context.Process(target=target, args=([JOB],))
        process.start()
        processes.append(process)
        assert begun.wait(30)
        return process

    yield started
    for process in processes:
        process.kill()
        process.join()


def said_while_waiting(root, run):
    """What the progress line of a run says while a worker of it waits for the job."""
    ours = crew(root, run)
    thread = threading.Thread(target=ours.obtain, args=([JOB],))
    thread.start()
    for _ in range(200):
        if (text := describe(ours.folder, 1)) and "waits" in text:
            break
        time.sleep(0.02)
    return thread, text or ""


def test_a_wait_for_another_run_names_its_process(tmp_path, impatient, start):
    other = start("first")
    thread, text = said_while_waiting(tmp_path, "second")
    assert f"w waits: the trial {JOB.label} is with process {other.pid} of " in text
    assert "suspended" not in text
    other.kill()
    thread.join(30)
    assert describe(tmp_path / "runs" / "second", 1) is None


def test_a_wait_for_a_suspended_process_of_the_own_run_says_what_helps(tmp_path, impatient, start):
    other = start("first")
    os.kill(other.pid, signal.SIGSTOP)
    os.waitpid(other.pid, os.WUNTRACED)
    thread, text = said_while_waiting(tmp_path, "first")
    assert f"suspended: `kill -CONT {other.pid}` lets it go on" in text
    other.kill()
    thread.join(30)


def test_a_wait_for_a_busy_worker_of_the_own_run_is_not_worth_a_word(tmp_path, impatient, start):
    start("first")
    ours = crew(tmp_path, "first")
    ours._wait(lambda: [(ours.store.lock_file(key(JOB)), "a trial")])
    time.sleep(0.2)
    ours._wait(lambda: [(ours.store.lock_file(key(JOB)), "a trial")])
    assert waiting.told(ours.folder) == []


def test_a_store_without_locks_is_refused_in_one_line(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    for use in (Store(tmp_path).check_writable, lambda: crew(tmp_path, "run").obtain([JOB])):
        with pytest.raises(
            StoreError, match=r"no locks .*Put it on a file system with locks"
        ) as no:
            use()
        assert "--store FOLDER" in str(no.value) and "\n" not in str(no.value)
