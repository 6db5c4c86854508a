"""Tables that are derived from a record and kept beside it in the store, so that they are computed
once.

    STORE/NAME.table    SHA-256 of (the record's digest, the table), 32 bytes; then the table as
                        safetensors

A table that is damaged, or derived from other contents than the record has now, is computed anew.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from safetensors import SafetensorError

from ddiv.common.arrays import Array
from ddiv.common.files import contents, write_atomically
from ddiv.trial.store import Record, Store

LOG = logging.getLogger(__name__)


def kept(
    store: Store | None, name: str, record: Record, compute: Callable[[], dict[str, Array]]
) -> Mapping[str, Array]:
    """The table of this name from the store, or computed and left there."""
    if store is None:
        return compute()
    from safetensors.numpy import load, save

    path, digest = store.root / f"{name}.table", record.digest
    try:
        text = contents(path)
        if text[:32] == _sum(digest, text[32:]):
            return load(text[32:])
        LOG.debug("%s is damaged, or of another record: computed anew", path)
    except OSError:
        pass  # absent, most often
    except SafetensorError:
        LOG.debug("%s is of another version of ddiv: computed anew", path)
    table = compute()
    content = save(table)
    with suppress(OSError):  # a store that cannot be written costs time, not results
        write_atomically(path, _sum(digest, content) + content, durable=False)
        # Earlier versions kept tables without a checksum under this name.
        path.with_suffix(".safetensors").unlink(missing_ok=True)
    return table


def _sum(digest: str, table: bytes) -> bytes:
    return hashlib.sha256(digest.encode() + table).digest()
