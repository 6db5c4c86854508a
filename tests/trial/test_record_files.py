"""The files of a record: no flip goes unnoticed, a lost mark costs no training, and a record of
another version is not called damaged.
"""

import hashlib
import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ddiv.study import Digits
from ddiv.treatment import NGram, Setting
from ddiv.trial import GeneratorFit, canonical
from ddiv.trial.record_files import FORMAT
from ddiv.trial.store import CorruptRecord, ForeignRecord, NoRecord, Record, Store, StoreError

FILES = ("record.json", "arrays.safetensors", "done")
JOB = GeneratorFit(Digits(100), NGram(), Setting("good"))
RECORD = Record(JOB, {"loss": 0.25, "note": "ä"}, {"x": np.arange(3.0)})


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "store")
    store.save(RECORD)
    return store


def flips(text: bytes):
    """The text with a bit of each of its bytes flipped in turn, every eighth time the same one."""
    for place in range(len(text)):
        flipped = bytearray(text)
        flipped[place] ^= 1 << place % 8
        yield bytes(flipped)


def resealed(store: Store, **changes) -> None:
    """Write the record with other fields (None: without) and with the right checksums."""
    folder = store.path(RECORD.key)
    facts = json.loads((folder / "record.json").read_bytes()) | changes
    facts.pop("seal")
    text = json.dumps({name: value for name, value in facts.items() if value is not None}).encode()
    (folder / "record.json").write_bytes(text)
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("record.json", "arrays.safetensors")
    }
    (folder / "done").write_text(json.dumps(sums))


@pytest.mark.parametrize("name", FILES)
def test_every_flip_is_noticed(store, name):
    path = store.path(RECORD.key) / name
    for flipped in flips(path.read_bytes()):
        path.write_bytes(flipped)
        with pytest.raises(CorruptRecord):
            store.read(RECORD.key)


@pytest.mark.parametrize("name", FILES[:2])
def test_without_the_mark_no_flip_is_read(store, name):
    """In the seal itself too: a record that nothing vouches for is an error, or none at all."""
    folder = store.path(RECORD.key)
    path, whole = folder / name, (folder / name).read_bytes()
    for flipped in flips(whole):
        path.write_bytes(flipped)
        (folder / "done").unlink(missing_ok=True)
        with pytest.raises((CorruptRecord, NoRecord)):
            store.read(RECORD.key)
        assert not (folder / "done").exists()


def test_a_whole_record_without_its_mark_is_mended_and_said(store, caplog):
    mark = store.path(RECORD.key) / "done"
    before = mark.read_bytes()
    mark.unlink()
    assert JOB in store and store.keys() == [RECORD.key] and not mark.exists()
    with caplog.at_level(logging.WARNING):
        record = store.load(JOB)
    assert record.facts == RECORD.facts and mark.read_bytes() == before
    assert f"the record {RECORD.key} had lost its mark" in caplog.text
    caplog.clear()
    assert store.load(JOB).digest == record.digest and not caplog.text


def test_a_record_without_its_mark_is_not_measured_again(store):
    """Also by one who had begun before the mark was lost: the first writer wins."""
    (store.path(RECORD.key) / "done").unlink()
    store.save(replace(RECORD, facts={"loss": 9.0}))
    assert store.load(JOB).facts == RECORD.facts


def test_a_mark_that_cannot_be_written_again_does_not_hide_the_record(store, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ddiv.trial.store.write_atomically", refuse)
    (store.path(RECORD.key) / "done").unlink()
    assert store.load(JOB).facts == RECORD.facts


def test_an_older_record_that_lost_its_mark_is_an_error_and_not_absent(store):
    """Records of format 1 have no seal, so nothing tells whether their contents are whole."""
    resealed(store, format=None)
    assert store.load(JOB).facts == RECORD.facts
    (store.path(RECORD.key) / "done").unlink()
    assert JOB in store and store.keys() == [RECORD.key]
    with pytest.raises(CorruptRecord, match=r"mark `done` with the checksums is lost.*rm -r"):
        store.load(JOB)


@pytest.mark.parametrize("gone", ["record.json", "arrays.safetensors"])
def test_a_mark_without_its_files_is_an_error(store, gone):
    (store.path(RECORD.key) / gone).unlink()
    assert JOB in store
    with pytest.raises(CorruptRecord, match=f"{gone} is missing"):
        store.load(JOB)


@pytest.mark.parametrize("gone", ["record.json", "arrays.safetensors"])
def test_what_an_unfinished_write_left_is_measured_anew(store, gone):
    for name in (gone, "done"):
        (store.path(RECORD.key) / name).unlink()
    assert JOB not in store and store.keys() == []
    store.save(RECORD)
    assert store.load(JOB).facts == RECORD.facts


def of_a_later_format(store):
    resealed(store, format=FORMAT + 1)


def of_a_job_that_is_not_known_here(store):
    resealed(store, job=json.loads(canonical(JOB)) | {"type": "distillation"})


def of_a_job_with_other_values(store):
    resealed(store, job=json.loads(canonical(JOB)) | {"round": [1, 2]})


def of_arrays_in_another_form(store):
    (store.path(RECORD.key) / "arrays.safetensors").write_bytes(b"PAR1")
    resealed(store)


def of_other_files(store):
    folder = store.path(RECORD.key)
    shutil.move(folder / "arrays.safetensors", folder / "arrays.parquet")
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("record.json", "arrays.parquet")
    }
    (folder / "done").write_text(json.dumps(sums))


@pytest.mark.parametrize(
    "newer",
    [
        of_a_later_format,
        of_a_job_that_is_not_known_here,
        of_a_job_with_other_values,
        of_arrays_in_another_form,
        of_other_files,
    ],
)
def test_a_record_of_a_newer_ddiv_is_not_called_damaged(store, newer):
    newer(store)
    assert JOB in store
    with pytest.raises(ForeignRecord, match="newer") as told:
        store.load(JOB)
    assert "rm -r" not in str(told.value) and "Update ddiv" in str(told.value)
    path = store.path(RECORD.key) / "record.json"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptRecord):  # a newer one can be damaged as well
        store.load(JOB)


def test_a_record_that_may_not_be_read_is_not_called_damaged(store):
    path = store.path(RECORD.key) / "arrays.safetensors"
    path.unlink()
    path.mkdir()  # what the system refuses to read, to the administrator too
    with pytest.raises(StoreError, match="cannot be read") as told:
        store.load(JOB)
    assert "rm -r" not in str(told.value) and "damaged" not in str(told.value)


def test_the_digest_is_that_of_the_contents(store, tmp_path):
    first = store.load(JOB)
    assert first.digest == RECORD.digest != replace(first, facts={}).digest
    other = Store(tmp_path / "other")
    other.save(replace(RECORD, facts={"loss": 0.5, "note": "ä"}))
    assert other.load(JOB).digest != first.digest
