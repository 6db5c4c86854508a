"""Records on disk: whole or absent, damaged ones named, nothing pickled."""

import os
import subprocess
import time

import numpy as np
import pytest

from ddiv.common.drafts import ABANDONED_SECONDS
from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import BASELINE
from ddiv.trial import Trial
from ddiv.trial.store import CorruptRecord, Record, Store, StoreError
from tests.support.drafts import dead_draft


def job(seed: int = 0) -> Trial:
    return Trial(Digits(100), ResNet18(8, 2), Recipe(1, 10, 1e-3), BASELINE, seed)


def record(seed: int = 0) -> Record:
    return Record(
        job(seed),
        {"note": "<b>&"},
        {"eigenvalues/after": np.arange(5.0), "labels/x": np.arange(3, dtype=np.int32)},
    )


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def test_a_record_comes_back_as_it_was(store):
    store.save(record())
    back = store.load(job())
    assert (
        back.job == job()
        and back.facts == {"note": "<b>&"}
        and job() in store
        and job(1) not in store
    )
    for name, array in record().arrays.items():
        assert back.arrays[name].dtype == array.dtype and (back.arrays[name] == array).all()


def test_an_absent_record_is_a_key_error(store):
    with pytest.raises(KeyError):
        store.load(job())


@pytest.mark.parametrize("name", ["record.json", "arrays.safetensors", "done"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: b"",
        lambda text: text[:-4] + b"\x00\xff\x00\xff",
    ],
)
def test_a_damaged_record_names_itself_and_the_remedy(store, name, damage):
    store.save(record(0))
    store.save(record(1))
    path = store.path(record(0).key) / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptRecord, match=f"rm -r .*{record(0).key}"):
        store.load(job(0))
    assert store.load(job(1)).facts == record(1).facts


def test_the_advised_removal_deletes_this_record_alone(tmp_path, monkeypatch):
    """A store whose path a shell would split: a sibling has the first part of its name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my").mkdir()
    store = Store("my store; $(touch gone)")
    for number in (0, 1):
        store.save(record(number))
    (store.path(record(0).key) / "done").write_bytes(b"")
    with pytest.raises(CorruptRecord) as told:
        store.load(job(0))
    advised = str(told.value).partition("measure this one again: ")[2]
    assert advised.startswith("rm -r ")
    assert subprocess.run(["bash", "-c", advised], cwd="/", check=False).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my", store.root.name]
    assert job(0) not in store and store.load(job(1)).facts == record(1).facts


def test_a_record_in_the_wrong_place_is_noticed(store):
    store.save(record(0))
    os.rename(store.path(record(0).key), store.path(record(1).key))
    with pytest.raises(CorruptRecord):
        store.load(job(1))


def test_a_pickle_is_never_opened(store, tmp_path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    store.save(record())
    (store.path(record().key) / "arrays.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CorruptRecord):
        store.load(job())
    assert not (tmp_path / "exploded").exists()


def test_an_unfinished_folder_is_no_record_and_is_replaced(store):
    store.path(record().key).mkdir(parents=True)
    (store.path(record().key) / "record.json").write_bytes(b"{")
    assert job() not in store
    store.save(record())
    assert store.load(job()).facts == record().facts


def test_drafts_of_killed_processes_are_swept_out_when_they_are_old(store):
    for name, age in (("old", 2 * ABANDONED_SECONDS), ("young", 0)):
        draft = store.root / "drafts" / name
        draft.mkdir(parents=True)
        os.utime(draft, (time.time() - age,) * 2)
    store.check_writable()
    assert [draft.name for draft in (store.root / "drafts").iterdir()] == ["young"]


def test_what_killed_processes_left_of_records_and_tables_is_swept_at_once(store):
    places = [
        store.root / "drafts" / record().key,
        store.root / "metrics-2" / f"{record().key}.table",
        store.root / "mp-1" / f"{record().key}.table",
    ]
    left = [dead_draft(path) for path in places]
    store.check_writable()
    assert not any(draft.exists() for draft in left)


def test_the_first_writer_wins(store):
    store.save(record())
    store.save(Record(job(), {"note": "second"}, {}))
    assert store.load(job()).facts["note"] == "<b>&"


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "store")
    for act in (store.check_writable, lambda: store.save(record()), lambda: store.lock("x")):
        with pytest.raises(StoreError, match="--store"):
            act()


def test_a_full_disk_loses_nothing_that_is_there(tmp_path):
    """On a real full disk: a file system of 64 kB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("a file system in memory cannot be mounted here (needs root on Linux)")
    try:
        store = Store(disk / "store")
        store.save(record(0))
        large = Record(job(1), {}, {"eigenvalues/after": np.zeros(100_000)})
        with pytest.raises(StoreError, match=r"No space left.*untouched"):
            store.save(large)
        assert store.keys() == [record(0).key] and not list((disk / "store" / "drafts").iterdir())
        assert store.load(job(0)).facts == record(0).facts
    finally:
        subprocess.run(["umount", str(disk)], check=True)
