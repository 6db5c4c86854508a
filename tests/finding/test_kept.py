"""An answer is kept by all that it depends on, and is the same as one that is computed."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from ddiv.finding import Reader, answer, answered, kept
from ddiv.trial.store import Store
from tests.support.troubled import FINE, STRONG, folder_of, store_of_run


@pytest.fixture
def store(tmp_path) -> Store:
    return store_of_run(tmp_path / "store")


@pytest.fixture
def computed(monkeypatch) -> list:
    """A list that grows with every answer that is computed."""
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return answer(*arguments)

    monkeypatch.setattr(kept, "answer", counted)
    return calls


def test_a_question_is_answered_once_from_the_same_records(store, computed):
    first = answered(FINE, Reader(store), definitions=False)
    whole = answered(FINE, Reader(store))
    assert len(computed) == 2  # the verdicts under other definitions were not there
    again = answered(structs.replace(FINE, order=7, among=9), Reader(store))
    assert len(computed) == 2 and again.asked.order == 7
    assert replace(again, asked=FINE) == whole == answer(FINE, Reader(store))
    assert first.evidence == whole.evidence and whole.definitions
    # An interval whose end is not known is infinite, not null.
    short = structs.replace(FINE, seeds=FINE.seeds[:2])
    told = [answered(short, Reader(store)).evidence.interval for _ in range(2)]
    assert len(computed) == 3 and told[0] == told[1] and np.isinf(told[0]).any()


def test_it_is_answered_anew_where_anything_is_another(store, computed, monkeypatch):
    whole = answered(FINE, Reader(store))
    record = Reader(store).record(next(job for job in FINE.jobs() if job.treatment == STRONG))
    folder = folder_of(store, STRONG, record.job.seed)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    arrays = {name: array * 4 for name, array in record.arrays.items() if "eigen" in name}
    store.save(replace(record, arrays={**record.arrays, **arrays}))
    assert answered(FINE, Reader(store)).effects != whole.effects and len(computed) == 2
    monkeypatch.setattr(kept, "_code", lambda: b"another version of ddiv")
    answered(FINE, Reader(store))
    assert len(computed) == 3
    for path in (store.root / kept.FOLDER).iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    answered(FINE, Reader(store))
    assert len(computed) == 4


def test_what_was_measured_just_now_is_answered_and_not_kept(store, computed):
    reader = Reader(store)
    fresh = {job: replace(store.load(job)) for job in FINE.jobs()}
    assert not any(record.was_read for record in fresh.values())
    reader.add(fresh)
    answered(FINE, reader)
    assert len(computed) == 1 and not (store.root / kept.FOLDER).exists()
