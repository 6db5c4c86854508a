"""What a run came to on a question: a finding, or the reason why there is none."""

import shutil
from dataclasses import replace

import msgspec
import pytest

from ddiv.finding import ENDED, Reader, Unanswered, settled
from ddiv.trial import trial
from ddiv.trial.store import Store
from tests.support.smoke import STUDY
from tests.support.troubled import FAILED, FINE, KILLED, STRONG, damage, folder_of, store_of_run


@pytest.fixture
def store(tmp_path) -> Store:
    return store_of_run(tmp_path / "store")


def test_trouble_is_never_a_verdict(store):
    """The records of the first seeds are whole, and say something."""
    reader = Reader(store)
    assert settled(FINE, reader).evidence.verdict == "contradicted"
    without = msgspec.structs.replace(FAILED, error=None)
    assert settled(without, reader).evidence.verdict == "inconclusive"
    assert settled(FAILED, reader) == Unanswered("error", FAILED.error)
    assert settled(KILLED, reader) == Unanswered("not run", ENDED)


def test_a_record_that_cannot_be_read_is_an_error_and_one_that_is_gone_is_not_run(store):
    damage(store, STRONG, 5)
    found = settled(FINE, Reader(store))
    assert found.word == "error" and "is damaged" in found.reason
    shutil.rmtree(folder_of(store, STRONG, 5))
    assert settled(FINE, Reader(store)).word == "not run"


def test_records_that_lack_a_fact_are_an_error_and_not_absent(store):
    """A KeyError of their contents is none of the store."""
    job = trial(STUDY, STRONG, 5)
    record = store.load(job)
    reader = Reader(store, {job: replace(record, facts={**record.facts, "layers": [{}]})})
    found = settled(FINE, reader)
    assert found.word == "error" and "ddiv cannot answer it" in found.reason


def test_seeds_that_others_trained_later_are_looked_at_too(store):
    """As far as a claim's seeds go, and as far as all of its records are there and whole."""
    early = msgspec.structs.replace(FINE, seeds=FINE.seeds[:3])
    seen = [settled(early, Reader(store), most).asked.seeds for most in (0, 5, 99)]
    assert seen == [FINE.seeds[:3], FINE.seeds[:5], FINE.seeds]
    assert settled(early, Reader(store), 99).evidence == settled(FINE, Reader(store)).evidence
    shutil.rmtree(folder_of(store, STRONG, 4))
    assert settled(early, Reader(store), 99).asked.seeds == FINE.seeds[:4]
    damage(store, STRONG, 3)
    found = settled(early, Reader(store), 99)
    assert found.word == "error" and "is damaged" in found.reason
