"""Notes of workers: cut lines are passed over and told, killed workers are not at work."""

import multiprocessing
import os
import signal
import time

import msgspec
import pytest

from ddiv.run.crew import Crew
from ddiv.run.files import append, sealed
from ddiv.run.notes import Finished, damage, forget_killed, journal, working
from ddiv.run.progress import describe
from ddiv.run.run import save_plan
from ddiv.trial.store import Record, Store
from tests.run.test_crew import JOBS, slowly


def line(number: int) -> Finished:
    return Finished(f"{number:020x}", "Trial", "a job", 1.0, "gw0")


@pytest.mark.parametrize("tail", [sealed(line(2))[:-30], b"\0" * 4096, b"}\n"])
def test_a_cut_line_costs_the_journal_nothing_but_itself(tmp_path, tail):
    path = tmp_path / "journal.jsonl"
    append(path, sealed(line(1)))
    with open(path, "ab") as file:
        file.write(tail)
    assert journal(tmp_path) == [line(1)]
    append(path, sealed(line(3)))
    assert journal(tmp_path) == [line(1), line(3)]
    assert "1 damaged line" in damage(tmp_path, None)


def test_lines_of_earlier_versions_are_read_and_lost_ones_are_told(tmp_path):
    assert damage(tmp_path, None) is None and "2 of its 2 lines" in damage(tmp_path, 2)
    append(tmp_path / "journal.jsonl", msgspec.json.encode(line(1)))
    assert journal(tmp_path) == [line(1)] and damage(tmp_path, 1) is None
    assert "1 of its 2 lines are missing" in damage(tmp_path, 2)


def test_a_journal_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "journal.jsonl").mkdir()
    assert journal(tmp_path) == [] and "Is a directory" in damage(tmp_path, None)


def hang(root, run) -> None:
    def measure(job, records, report) -> Record:
        report(0.5)
        time.sleep(600)

    Crew(Store(root), run, measure, JOBS, slots=2, worker="victim").obtain(JOBS[:1])


def test_a_killed_worker_is_not_shown_as_running(tmp_path):
    store, run = Store(tmp_path), tmp_path / "runs" / "r"
    save_plan(store, "r", JOBS)
    victim = multiprocessing.get_context("fork").Process(target=hang, args=(tmp_path, run))
    victim.start()
    while not working(run):
        time.sleep(0.01)
    forget_killed(run)
    assert "1 running · 7 waiting" in describe(run, 2)
    os.kill(victim.pid, signal.SIGKILL)
    while working(run):  # also while nobody has buried it
        time.sleep(0.01)
    victim.join()
    assert "0 running · 8 waiting" in describe(run, 2)
    assert [*run.glob("working/*.json")]
    forget_killed(run)
    assert not [*run.glob("working/*.json")]
    # The job is free at once.
    Crew(store, run, slowly, JOBS, slots=2, worker="next").obtain(JOBS[:1])
