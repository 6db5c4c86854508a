"""What one process of a session keeps: its time, and questions that could not be written."""

import time

import msgspec
import pytest

from ddiv.claim import Contrast
from ddiv.evidence import RISES
from ddiv.finding import Reader
from ddiv.plugin.session import Session
from ddiv.run import run as runs
from ddiv.run.crew import Crew
from ddiv.trial.store import Record, Store
from tests.support import plans
from tests.support.small_disk import fill, small_disk
from tests.support.smoke import PROFILE, STUDY

QUESTION = plans.asked(Contrast(plans.NORM, (STUDY.no_op,), RISES))


@pytest.fixture
def session(tmp_path):
    """A session whose store is on a small disk."""
    with small_disk(tmp_path / "disk") as disk:
        store, run = Store(disk / "store"), plans.run(started=time.time())
        store.check_writable()
        crew = Crew(store, runs.folder(store, run.id), lambda job, *_: Record(job, {}, {}))
        yield Session(store, PROFILE, run, crew, Reader(store), tmp_path / "page.html")


def test_a_clock_that_is_set_changes_nothing_in_how_long_a_run_has_lasted(session, monkeypatch):
    now = time.time()
    for clock in (now - 7200, now + 7200):
        monkeypatch.setattr(time, "time", lambda clock=clock: clock)
        assert 0 <= session.seconds < 60


def test_a_worker_that_starts_later_counts_from_the_start_of_the_run(session):
    run = plans.run(started=time.time() - 100)
    later = Session(session.store, PROFILE, run, session.crew, session.reader, session.report)
    assert 100 <= later.seconds < 160


def test_a_question_that_found_no_room_is_written_at_the_end(session):
    ballast = fill(session.store.root.parent)
    session.note(QUESTION)
    session.note(msgspec.structs.replace(QUESTION, error="at last"))
    session.save_rest()
    assert "No space left" in session.lost and session.unsaved == 1
    assert not runs.has_asked(session.store, session.run.id)
    ballast.unlink()
    session.lost, session.unsaved = "", 0
    session.save_rest()
    assert not session.lost and not session.unsaved
    (written,) = runs.questions(session.store, session.run.id).asked
    assert written.error == "at last"
