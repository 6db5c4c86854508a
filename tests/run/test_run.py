"""A run's options that are read from text, its place among others, and files that are damaged."""

import re
import time

import msgspec
import pytest

from ddiv.claim import Contrast
from ddiv.common.drafts import draft_of
from ddiv.evidence import RISES
from ddiv.run import run as runs
from ddiv.run.files import sealed
from ddiv.trial.store import Store, StoreError
from tests.support import plans
from tests.support.drafts import dead_draft
from tests.support.small_disk import fill, small_disk
from tests.support.smoke import STUDY


@pytest.mark.parametrize(
    "text, expected",
    [
        (None, None),
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1.5 m", 90),
        (" 10s ", 10),
    ],
)
def test_a_budget_is_read_in_seconds(text, expected):
    assert runs.seconds_of(text) == expected


@pytest.mark.parametrize("text", ["", "m", "0", "-1s", "1d", "1h30m", "inf", "1e3"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=re.escape("90s, 30m or 2h")):
        runs.seconds_of(text)


RUN = plans.run(seconds=1.0)
QUESTION = plans.asked(Contrast(plans.NORM, (STUDY.no_op,), RISES))


def begun(store: Store, started: float, name: str = "") -> runs.Run:
    """A run that begins when the clock says this, and asks a question."""
    run = msgspec.structs.replace(RUN, id=name or runs.new_id(started), started=started)
    run = runs.placed(store, run)
    runs.save(store, run)
    runs.save_asked(store, run.id, QUESTION)
    return run


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def zone(monkeypatch):
    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def test_runs_are_named_in_utc(zone):
    zone("America/New_York")
    assert runs.new_id(1793512800.0).startswith("20261101-060000-")


@pytest.mark.parametrize(
    "zones, gap",
    [
        (("Asia/Tokyo", "America/Los_Angeles"), 60.0),  # a traveller
        (("Europe/Berlin", "Europe/Berlin"), 3000.0),  # over the night when clocks are set back
    ],
)
def test_the_newest_run_is_the_one_begun_last_in_any_zone(store, zone, zones, gap):
    night = 1792890000.0  # 2026-10-25, 01:00 UTC: 3 o'clock in Berlin becomes 2
    for start, name in zip((night - 1800.0, night - 1800.0 + gap), zones):
        zone(name)
        last = begun(store, start)
    assert runs.latest(store).id == last.id


def test_runs_of_earlier_versions_that_were_named_by_local_time_are_in_order(store):
    """Written as they did: without a place, named 12 hours ahead."""
    for name, started in (("20261125-210000-aaaaaa", 100.0), ("20261125-090500-bbbbbb", 400.0)):
        run = msgspec.structs.replace(RUN, id=name, started=started)
        fields = msgspec.to_builtins(run)
        for new in ("after", "asked", "measured"):
            del fields[new]
        folder = runs.folder(store, name)
        (folder / "asked").mkdir(parents=True)
        (folder / "run.json").write_bytes(msgspec.json.encode(fields))
        (folder / "asked" / "0123456789abcdef.json").write_bytes(msgspec.json.encode(QUESTION))
    assert runs.latest(store).id == "20261125-090500-bbbbbb"
    assert begun(store, 500.0).id == runs.latest(store).id


def test_a_clock_that_was_set_back_does_not_bring_back_an_older_run(store):
    begun(store, 4_000_000_000.0)  # with a clock that was years ahead
    for started in (1000.0, 900.0, 950.0):
        last = begun(store, started)
        assert runs.latest(store).id == last.id


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 300, b'{"id":"x"', None], ids=["empty", "zeros", "cut", "gone"]
)
def test_a_run_that_cannot_be_read_is_passed_over_and_told(store, content):
    first, second = begun(store, 100.0), begun(store, 200.0)
    path = runs.folder(store, second.id) / "run.json"
    path.unlink() if content is None else path.write_bytes(content)
    (store.root / "runs" / "a file").touch()
    (store.root / "runs" / "begun only").mkdir()
    assert runs.latest(store).id == first.id
    (line,) = runs.stored(store).damaged
    assert second.id in line and "run.json" in line and "run the same tests again" in line
    with pytest.raises(runs.Unreadable, match=second.id):
        runs.load(store, second.id)
    with pytest.raises(FileNotFoundError):
        runs.load(store, "another")


def test_the_files_of_another_run_or_test_are_not_taken_for_this_ones(store):
    first, second = begun(store, 100.0), begun(store, 200.0)
    first, second = runs.folder(store, first.id), runs.folder(store, second.id)
    other = msgspec.structs.replace(QUESTION, test="claims/test_x.py::other")
    runs.save_asked(store, second.name, other)
    for path in (second / "asked").iterdir():
        path.write_bytes(sealed(other))
    questions = runs.questions(store, second.name)
    assert questions.asked == [other] and "1 question" in questions.lost
    (second / "run.json").write_bytes((first / "run.json").read_bytes())
    with pytest.raises(runs.Unreadable, match=first.name):
        runs.load(store, second.name)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 300, b'{"claim":', b'{"claim": 1}', None],
    ids=["empty", "zeros", "cut", "version", "gone"],
)
def test_questions_that_are_lost_are_told(store, content):
    run = begun(store, 100.0)
    others = [msgspec.structs.replace(QUESTION, test=f"t{i}", order=i) for i in (1, 2)]
    for asked in others:
        runs.save_asked(store, run.id, asked)
    runs.save_ended(store, run, 1.0)
    path = min((runs.folder(store, run.id) / "asked").iterdir())
    path.unlink() if content is None else path.write_bytes(content)
    questions = runs.questions(store, run.id)
    assert len(questions.asked) == 2 and questions.lost.startswith("1 question of the run")
    assert ("missing" if content is None else path.name) in questions.lost


def test_a_run_that_cannot_be_written_is_a_clear_error(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        store = Store(disk / "store")
        run = begun(store, 100.0)
        ballast = fill(disk)
        before = runs.load(store, run.id)
        for write in (
            lambda: runs.save_ended(store, run, 1.0),
            lambda: runs.save_plan(store, run.id, QUESTION.jobs()),
            lambda: runs.save_asked(store, run.id, QUESTION),
        ):
            with pytest.raises(StoreError, match=r"No space left.*Free some space, or.*--store"):
                write()
        assert runs.load(store, run.id) == before
        assert runs.questions(store, run.id).asked == [QUESTION]
        ballast.unlink()
        runs.save_ended(store, run, 1.0)
        assert runs.load(store, run.id).asked == 1
        assert not [*store.root.rglob(".*")]


def test_a_new_run_clears_up_what_killed_ones_left(store):
    killed, ended = begun(store, 100.0), begun(store, 200.0)
    runs.save(store, msgspec.structs.replace(killed, seconds=None))
    path = runs.folder(store, killed.id) / "asked" / "x.json"
    left, own = dead_draft(path), draft_of(path)
    own.touch()
    runs.tidy(store)
    assert own.exists() and not left.exists() and runs.load(store, ended.id)
