"""The driver on a pretended cluster: each job once, in order, and nothing lost."""

import threading
from collections import Counter

import pytest

from ddiv.common import locks
from ddiv.run.cluster import machines
from ddiv.run.cluster.asking import Asker, Desk, hand, stopped
from ddiv.run.cluster.driver import DEATHS, Lost
from ddiv.run.cluster.orders import Failed, Node, Unfit
from ddiv.run.crew import JobFailed, journal
from ddiv.trial import key, requires, with_requirements
from ddiv.trial.store import Store
from tests.support.pretended import Pretended, driver, job, made, measures_nothing, synthetic, until

JOBS = [job(seed) for seed in range(6)]


def stored(folder) -> set[str]:
    return set(Store(folder / "store").keys())


def test_each_job_once_and_no_more_at_once_than_there_is_room(tmp_path):
    cluster = Pretended(at_once=3)
    drives = driver(tmp_path, cluster)
    drives.ask(JOBS[:4])
    drives.ask(JOBS)  # again, with two more
    until(lambda: len(stored(tmp_path)) == 6 and len(journal(tmp_path / "run")) == 6)
    drives.stop()
    assert Counter(cluster.sent) == Counter(map(key, JOBS)) and cluster.most <= 3
    assert cluster.stopped and not any((tmp_path / "store" / "drafts").iterdir())
    # Another run finds them, and sends nothing.
    again = driver(tmp_path, other := Pretended())
    again.ask(JOBS)
    again.ask([job(9)])
    until(lambda: key(job(9)) in stored(tmp_path))
    again.stop()
    assert other.sent == [key(job(9))]


def test_what_a_job_reads_goes_first_and_its_record_goes_with_it(tmp_path):
    read = {}

    def answer(job, records):
        read[key(job)] = [record.facts["key"] for record in records]
        return made(job)

    drives = driver(tmp_path, cluster := Pretended(answer))
    wanted = synthetic(0)
    drives.ask([*JOBS[:3], wanted])
    until(lambda: key(wanted) in stored(tmp_path))
    drives.stop()
    assert cluster.sent[0] == key(with_requirements([wanted])[0])
    assert read == {
        key(each): [key(needed) for needed in requires(each)]
        for each in [*JOBS[:3], *with_requirements([wanted])]
    }


def test_a_failure_is_noted_once_and_told_to_those_that_read_it(tmp_path):
    wanted = synthetic(0)
    generator, *_ = with_requirements([wanted])

    def answer(job, records):
        return Failed("the loss is NaN", "a") if job == generator else made(job)

    drives = driver(tmp_path, cluster := Pretended(answer))
    drives.ask([wanted, JOBS[0]])
    asker = Asker(
        Store(tmp_path / "store"),
        tmp_path / "run",
        measures_nothing,
        hand=lambda jobs, packed: drives.ask(jobs),
    )
    with pytest.raises(JobFailed, match="the loss is NaN"):
        asker.obtain([wanted])
    until(lambda: key(JOBS[0]) in stored(tmp_path))
    drives.ask([synthetic(0)])
    drives.stop()
    assert Counter(cluster.sent) == Counter([key(generator), key(JOBS[0])])


@pytest.mark.parametrize(
    "node, times, lives", [(True, 5, True), (False, 2, True), (False, 9, False)]
)
def test_what_is_lost_is_sent_again_but_not_without_end(tmp_path, node, times, lives):
    left = [times]

    def answer(job, records):
        if left[0]:
            left[0] -= 1
            raise Lost("it died", node)
        return made(job)

    drives = driver(tmp_path, cluster := Pretended(answer, at_once=1))
    drives.ask(JOBS[:1])
    until(lambda: key(JOBS[0]) in stored(tmp_path) or drives.keeper.failure(key(JOBS[0])))
    drives.stop()
    assert (key(JOBS[0]) in stored(tmp_path)) == lives
    assert len(cluster.sent) == (times + 1 if lives else DEATHS)
    if not lives:
        assert "4 workers at it died, at last: it died" in drives.keeper.failure(key(JOBS[0]))


def test_a_node_that_cannot_measure_a_job_gets_no_more_and_the_job_goes_on(tmp_path):
    answers = iter([Unfit(Node("1", "old", differs="torch is 1.0"))])
    drives = driver(tmp_path, cluster := Pretended(lambda job, _: next(answers, made(job))))
    drives.ask(JOBS[:1])
    until(lambda: key(JOBS[0]) in stored(tmp_path))
    drives.stop()
    assert cluster.shunned == ["old"] and len(cluster.sent) == 2


def test_what_another_run_is_at_is_left_to_it(tmp_path):
    store = Store(tmp_path / "store")
    theirs = store.lock(key(JOBS[0]))
    assert locks.take(theirs)
    drives = driver(tmp_path, cluster := Pretended())
    drives.ask(JOBS[:2])
    until(lambda: key(JOBS[1]) in stored(tmp_path))
    assert cluster.sent == [key(JOBS[1])]
    theirs.release()  # it was killed: nobody has made the record
    until(lambda: key(JOBS[0]) in stored(tmp_path))
    drives.stop()


def test_a_store_that_cannot_be_written_ends_the_driver_and_tells_all_who_wait(tmp_path):
    (tmp_path / "store").mkdir()
    go = threading.Event()
    drives = driver(tmp_path, Pretended(lambda job, _: go.wait(10) and made(job)))
    drives.ask(JOBS[:1])
    until(lambda: any((tmp_path / "store" / "locks").glob("*")))
    (tmp_path / "store" / "drafts").touch()  # where a folder belongs
    go.set()
    asker = Asker(
        Store(tmp_path / "store"), tmp_path / "run", measures_nothing, stopped=lambda: drives.broken
    )
    with pytest.raises(JobFailed, match="cannot be written"):
        asker.obtain([job(99)])
    (tmp_path / "store" / "drafts").unlink()
    drives.stop()
    drives.keeper.save_again()
    assert stored(tmp_path) == {key(JOBS[0])}


def test_other_processes_hand_their_jobs_over_at_the_desk_and_see_that_it_closed(tmp_path):
    (tmp_path / "desk").mkdir()
    desk = Desk(tmp_path / "desk")
    desk.open()
    drives = driver(tmp_path, cluster := Pretended(), listen=desk.jobs, ended=desk.close)
    for _ in range(2):  # two workers have the same plan
        hand(desk.folder, JOBS[:3], b"code")
    hand(desk.folder, JOBS[3:4], None)
    until(lambda: len(stored(tmp_path)) == 4)
    assert cluster.codes == [b"code"] and stopped(desk.folder) == ""
    drives.stop()
    assert "run the same command again" in stopped(desk.folder)
    desk.clear()
    assert "run the same command again" in stopped(desk.folder)


def test_the_line_of_progress_names_the_nodes(tmp_path):
    assert machines.told(tmp_path) is None
    machines.tell(tmp_path, 5, {"b": 1, "a": 2}, 1)
    told = machines.told(tmp_path)
    assert told.running == 5
    assert str(told) == "on 2 nodes (a 2 done, b 1 done) · 1 lost with a node and sent again"
