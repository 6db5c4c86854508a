"""Locks between processes: none where there are none, and who holds one."""

import errno
import fcntl
import multiprocessing
import os
import signal
import time

import pytest

from ddiv.common import locks


def without(code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    return flock


def keep(path, ready):
    lock = locks.lock(path)
    locks.take(lock)
    ready.set()
    time.sleep(60)


@pytest.fixture
def other(tmp_path):
    """Another process, which holds the lock `tmp_path / "lock"`."""
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=keep, args=(tmp_path / "lock", ready))
    process.start()
    assert ready.wait(20)
    yield process
    process.kill()
    process.join()


def test_a_lock_is_one_processs_and_tells_whose(tmp_path, other):
    path = tmp_path / "lock"
    assert locks.is_taken(path) and not locks.take(locks.lock(path))
    holder = locks.holder(path)
    assert holder.pid == other.pid and not holder.stopped
    assert f"process {other.pid} of " in str(holder) and "suspended" not in str(holder)


def test_a_suspended_holder_is_told_with_the_remedy(tmp_path, other):
    os.kill(other.pid, signal.SIGSTOP)
    os.waitpid(other.pid, os.WUNTRACED)
    holder = locks.holder(tmp_path / "lock")
    assert holder.stopped and f"`kill -CONT {other.pid}` lets it go on" in str(holder)


def test_a_lock_that_only_spares_work_does_not_wait_for_a_suspended_process(tmp_path, other):
    os.kill(other.pid, signal.SIGSTOP)
    os.waitpid(other.pid, os.WUNTRACED)
    begun = time.monotonic()
    with locks.held(tmp_path / "lock"):
        assert time.monotonic() - begun < 5


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    with locks.held(tmp_path / "lock"):
        assert locks.holder(tmp_path / "lock").pid == os.getpid()


@pytest.mark.parametrize("code", locks.LOCKLESS)
def test_where_there_are_no_locks_none_is_pretended(tmp_path, monkeypatch, code):
    monkeypatch.setattr(fcntl, "flock", without(code))
    with pytest.raises(OSError, match="its file system has no locks") as refused:
        locks.take(locks.lock(tmp_path / "lock"))
    assert refused.value.errno == code
    with locks.held(tmp_path / "lock"):
        pass  # work that two processes may do at once


def test_another_users_lock_is_told(tmp_path, monkeypatch):
    (tmp_path / "lock").touch()
    real = os.open

    def forbidding(path, *how, **more):
        if str(path).endswith("lock"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, *how, **more)

    monkeypatch.setattr(os, "open", forbidding)
    with pytest.raises(PermissionError) as refused:
        locks.take(locks.lock(tmp_path / "lock"))
    assert "who lets nobody else write it" in refused.value.strerror


def test_a_group_may_write_the_locks_where_the_umask_lets_it(tmp_path):
    before = os.umask(0o002)
    try:
        locks.take(lock := locks.lock(tmp_path / "lock"))
    finally:
        os.umask(before)
    lock.release()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o664


def test_a_link_in_a_locks_place_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine", "utf-8")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        locks.take(locks.lock(tmp_path / "lock"))
    assert (tmp_path / "precious").read_text("utf-8") == "mine"
