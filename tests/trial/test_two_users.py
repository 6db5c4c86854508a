"""A store of another user's: reading works, writing says why not."""

import os
import shutil
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pytest

from ddiv.study import Digits, Recipe, ResNet18
from ddiv.treatment import BASELINE
from ddiv.trial import Trial
from ddiv.trial.store import Record, Store, StoreError

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")

JOB = Trial(Digits(100), ResNet18(8, 2), Recipe(1, 10, 1e-3), BASELINE, 0)
OTHER, GROUP = 54321, 54322


@pytest.fixture
def store():
    """A store with a record, in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    made = Store(folder / "store")
    made.check_writable()
    made.save(Record(JOB, {}, {"x": np.ones(1)}))
    yield made
    shutil.rmtree(folder)


def as_other(does, umask=0o022) -> str:
    """What a function returns, or the error that it raises, in a process of another user's."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.setgroups([GROUP])
            os.setgid(OTHER)
            os.setuid(OTHER)
            os.umask(umask)
            text = str(does())
        except StoreError as error:
            text = f"StoreError: {error}"
        except BaseException:
            text = traceback.format_exc()
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as answer:
        return answer.read()


def test_another_users_store_is_read_and_not_written(store):
    assert store.load(JOB).arrays["x"] == 1  # what this imports another user may not read
    assert as_other(lambda: Store(store.root).load(JOB).arrays["x"].tolist()) == "[1.0]"
    refused = as_other(Store(store.root).check_writable)
    assert refused.startswith(f"StoreError: the store {store.root} cannot be written: Permission")
    assert "give another folder with --store" in refused and "\n" not in refused


def test_a_lock_that_another_user_may_not_write_names_its_user(store):
    for path in (store.root, *store.root.rglob("*")):
        if path.is_dir():
            os.chown(path, -1, GROUP)
            path.chmod(0o2775)
    refused = as_other(Store(store.root).check_writable)
    assert "/locks/probe is root's, who lets nobody else write it" in refused, refused
    for path in (store.root / "locks").iterdir():
        os.chown(path, -1, GROUP)
        path.chmod(0o664)
    assert as_other(Store(store.root).check_writable, 0o002) == "None"
