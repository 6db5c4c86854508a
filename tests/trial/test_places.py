"""A mistyped store is told before anything is trained into a new one."""

import pytest

from ddiv.trial.places import require_meant, require_store
from ddiv.trial.store import Store, StoreError


@pytest.fixture
def there(tmp_path):
    for name in ("cold19", ".ddiv"):
        Store(tmp_path / name).check_writable()
    (tmp_path / "cold-notes").mkdir()
    return tmp_path


@pytest.mark.parametrize("typed, meant", [("clod19", "cold19"), (".dddiv", ".ddiv"), ("a/b", None)])
def test_a_store_that_is_to_be_read_has_to_be_there(there, typed, meant):
    with pytest.raises(StoreError) as error:
        require_store(there / typed)
    suggested = f"Did you mean {there / str(meant)}?" in str(error.value)
    assert suggested == (meant is not None)
    with pytest.raises(StoreError, match="is no store: it holds neither"):
        require_store(there / "cold-notes")
    require_store(there / "cold19")


def test_a_store_that_is_to_be_made_is_not_nearly_one_that_is_there(there):
    with pytest.raises(StoreError, match=r"Did you mean .*cold19\? To begin a new one: mkdir"):
        require_meant(there / "colld19")
    # Another number is another store, a folder that is there is meant, and others are new.
    for name in ("cold20", "cold19", "cold-notes", "elsewhere"):
        require_meant(there / name)
