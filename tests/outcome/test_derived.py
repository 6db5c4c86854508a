"""Derived tables: kept beside the record, believed only as long as both are what they were."""

from dataclasses import replace

import numpy as np
import pytest

from ddiv import outcome as outcomes
from ddiv.outcome.derived import kept
from ddiv.trial import trial
from ddiv.trial.store import Record, Store
from tests.support import planted
from tests.support.planted import Levels
from tests.support.smoke import STUDY

JOB = trial(STUDY, STUDY.other_seed, 0)
PLANTED = planted.record(JOB, STUDY, Levels())


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "store")
    store.save(PLANTED)
    return store


class Counted:
    """A computation that counts how often it was asked for."""

    def __init__(self, value: float = 0.5) -> None:
        self.value, self.times = value, 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.times += 1
        return {"alpha": np.full(2, self.value)}


def retrained(store: Store, levels: Levels) -> Record:
    """The record after its folder was deleted and it was measured again, with another outcome."""
    for path in store.path(PLANTED.key).iterdir():
        path.unlink()
    store.path(PLANTED.key).rmdir()
    store.save(planted.record(JOB, STUDY, levels))
    return store.load(JOB)


def test_a_table_is_computed_once(store):
    compute, record = Counted(), store.load(JOB)
    for _ in range(2):
        assert kept(store, "t-1/x", record, compute)["alpha"].tolist() == [0.5, 0.5]
    assert compute.times == 1 and (store.root / "t-1" / "x.table").exists()


def test_every_flip_is_noticed_and_mended(store):
    record, path = store.load(JOB), store.root / "t-1" / "x.table"
    kept(store, "t-1/x", record, Counted())
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(bytes(flipped))
        again = Counted()
        assert kept(store, "t-1/x", record, again)["alpha"].tolist() == [0.5, 0.5]
        assert again.times == 1 and path.read_bytes() == whole


@pytest.mark.parametrize(
    "damage", [lambda text: b"", lambda text: text[:40], lambda text: b"\0" * 99]
)
def test_a_cut_table_is_computed_anew(store, damage):
    record, path = store.load(JOB), store.root / "t-1" / "x.table"
    kept(store, "t-1/x", record, Counted())
    path.write_bytes(damage(path.read_bytes()))
    again = Counted()
    kept(store, "t-1/x", record, again)
    assert again.times == 1


def test_a_retrained_record_has_no_table_yet(store):
    """Its key is the same, as it is the same job."""
    kept(store, "t-1/x", store.load(JOB), Counted())
    again, record = Counted(0.7), retrained(store, Levels(scale=1.0))
    assert kept(store, "t-1/x", record, again)["alpha"].tolist() == [0.7, 0.7]


def test_the_metrics_of_a_retrained_record_are_its_own(store):
    """Those that are computed at first sight, and those of random matrix theory."""
    first = outcomes.read(store.load(JOB), store)
    random_matrix_theory = first.after.lazily("mp")
    again = outcomes.read(retrained(store, Levels(exponent=1.0, order=-1.0)), store)
    alone = outcomes.read(planted.record(JOB, STUDY, Levels(exponent=1.0, order=-1.0)))
    for name, column in alone.after.table.items():
        assert np.array_equal(again.after.table[name], column, equal_nan=True), name
    assert not np.array_equal(again.after.table["alpha"], first.after.table["alpha"])
    for name, column in alone.after.lazily("mp").items():
        assert np.array_equal(again.after.lazily("mp")[name], column, equal_nan=True), name
    assert any(
        not np.array_equal(column, random_matrix_theory[name], equal_nan=True)
        for name, column in again.after.lazily("mp").items()
    )


def test_a_table_of_an_earlier_version_is_not_believed_and_goes(store):
    """It had no checksum, and the job's key for a name."""
    from safetensors.numpy import save_file

    old = store.root / "t-1" / "x.safetensors"
    old.parent.mkdir(parents=True)
    save_file({"alpha": np.full(2, 9.0)}, old)
    assert kept(store, "t-1/x", store.load(JOB), Counted())["alpha"].tolist() == [0.5, 0.5]
    assert not old.exists() and (store.root / "t-1" / "x.table").exists()


def test_a_record_with_other_facts_has_no_table_yet(store):
    """`replace` makes a record of its own; one that was read is the one that was saved."""
    compute, read = Counted(), store.load(JOB)
    for record in (PLANTED, read, replace(read, facts={}), replace(read, facts={})):
        kept(store, "t-1/x", record, compute)
    assert compute.times == 2


def test_a_store_that_cannot_be_written_still_gives_tables(store):
    (store.root / "t-1").write_text("in the way")
    assert kept(store, "t-1/x", store.load(JOB), Counted())["alpha"].tolist() == [0.5, 0.5]
