"""What lies in a store where a file or a folder of a record belongs, and is neither."""

import os
import shutil
import signal

import pytest

from ddiv.trial.store import Store, StoreError
from tests.trial.test_store import job, record


@pytest.fixture
def store(tmp_path):
    """A store with one record; nothing may wait in it for long."""
    store = Store(tmp_path / "store")
    store.save(record())

    def waited(*_):
        pytest.fail("something in the store is waited for")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(5)
    yield store
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def device(path):
    path.symlink_to("/dev/zero")


def nowhere(path):
    path.symlink_to("nowhere")


def empty(path):
    path.write_bytes(b"")


def replace(path, by):
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    by(path)


@pytest.mark.parametrize("by", [os.mkfifo, os.mkdir, device])
@pytest.mark.parametrize("name", ["record.json", "arrays.safetensors", "done"])
def test_a_file_of_a_record_that_is_none_is_told_at_once(store, name, by):
    replace(store.path(record().key) / name, by)
    with pytest.raises(StoreError, match=f"{record().key} in the store cannot be read"):
        store.load(job())
    assert store.keys() == [record().key]


@pytest.mark.parametrize("by", [os.mkfifo, empty, nowhere])
def test_a_record_whose_folder_is_none_is_not_absent(store, by):
    replace(store.path(record().key), by)
    assert job() in store and store.keys() == [record().key]
    with pytest.raises(StoreError, match=f"the record {record().key} in the store"):
        store.load(job())


@pytest.mark.parametrize("by", [os.mkfifo, empty, nowhere])
@pytest.mark.parametrize("name", ["trials", "."])
def test_a_store_that_cannot_be_listed_is_not_empty(store, name, by):
    replace(place := store.root / name, by)
    with pytest.raises(StoreError, match="cannot be listed"):
        store.keys()
    with pytest.raises(StoreError, match="cannot be written"):
        store.check_writable()
    assert not place.is_dir()


def test_a_link_to_a_disk_that_is_gone_does_not_make_its_records_absent(store):
    replace(store.root / "trials", nowhere)
    assert job() in store
    with pytest.raises(StoreError, match="a link leads to what is not there"):
        store.load(job())


def test_what_lies_among_the_records_and_is_none_is_passed_over(store):
    (store.root / "trials" / "notes").symlink_to("notes")
    (store.root / "trials" / "a\nb").write_bytes(b"")
    assert store.keys() == [record().key]
