"""Workers on a disk that is full: what is computed is kept until there is room, and all is told."""

import pytest

from ddiv.run.crew import Crew, JobFailed, journal
from ddiv.trial import key
from ddiv.trial.store import Record, Store, StoreError
from tests.run.test_crew import JOBS
from tests.support.small_disk import fill, small_disk


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        yield disk


class Measure:
    """Counts what it measures; the disk fills up while it works."""

    def __init__(self, disk):
        self.disk, self.measured = disk, []

    def __call__(self, job, records, report):
        self.measured.append(job)
        report(0.5)
        fill(self.disk)
        return Record(job, {"note": "x" * 10_000}, {})


def test_a_record_that_found_no_room_is_saved_later_and_nothing_is_measured_until_then(disk):
    store, measure = Store(disk / "store"), Measure(disk)
    store.check_writable()
    crew = Crew(store, disk / "run", measure, JOBS[:3])
    for job in JOBS[:3]:
        with pytest.raises((JobFailed, StoreError), match=r"No space left on device.*Free some"):
            crew.obtain([job])
    assert measure.measured == JOBS[:1] and store.keys() == []
    with pytest.raises(StoreError, match="No space left on device"):
        crew.save_again()
    (disk / "ballast").unlink()
    crew.save_again()
    assert store.keys() == [key(JOBS[0])] and list(crew.obtain(JOBS[:1])) == JOBS[:1]
    assert not [*(store.root / "drafts").iterdir()]


def test_with_all_records_there_a_full_disk_stops_nothing(disk):
    store = Store(disk / "store")
    for job in JOBS:
        store.save(Record(job, {}, {}))
    fill(disk)
    crew = Crew(store, disk / "run", Measure(disk), JOBS)
    assert list(crew.obtain(JOBS)) == JOBS
    crew.drain()


def test_a_line_of_the_journal_that_found_no_room_comes_with_the_next(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "journal.jsonl").symlink_to("/dev/full")
    crew = Crew(Store(tmp_path), run, lambda job, *_: Record(job, {}, {}), JOBS[:2])
    assert list(crew.obtain(JOBS[:1])) == JOBS[:1]
    (run / "journal.jsonl").unlink()
    crew.obtain(JOBS[1:2])
    assert [line.key for line in journal(run)] == [key(job) for job in JOBS[:2]]


def test_an_error_of_the_system_in_a_job_names_the_place_and_a_remedy(tmp_path):
    def measure(job, records, report):
        open("/dev/full/x", "wb").close()

    crew = Crew(Store(tmp_path), tmp_path / "run", measure, JOBS[:1])
    with pytest.raises(JobFailed, match=r"^/dev/full/x: Not a directory\. [A-Z].*"):
        crew.obtain(JOBS[:1])


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"{", "another's"], ids=["empty", "zeros", "cut", "another's"]
)
def test_damaged_notes_of_other_workers_disturb_nobody(tmp_path, content):
    crew = Crew(Store(tmp_path), tmp_path / "run", lambda job, *_: Record(job, {}, {}), ())
    crew.obtain(JOBS[:1])
    if isinstance(content, str):
        content = next((tmp_path / "run" / "wanted").iterdir()).read_bytes()
    (tmp_path / "run" / "wanted" / key(JOBS[1])).write_bytes(content)
    failed = tmp_path / "run" / "failed" / f"{key(JOBS[2])}.txt"
    failed.parent.mkdir()
    failed.write_bytes(b"\xff no text")
    crew.drain()
    assert list(crew.obtain(JOBS[1:2])) == JOBS[1:2]
    with pytest.raises(JobFailed, match="no text"):
        crew.obtain(JOBS[2:3])
