"""What runs on a node: it looks round, and measures a job."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ddiv import trial as trials
from ddiv.common.errors import TrialFailed
from ddiv.common.machine import limit_threads, processor_name
from ddiv.common.printed import one_line
from ddiv.data.root import FOLDER_VARIABLE
from ddiv.run import absent
from ddiv.run.cluster import code
from ddiv.run.cluster.orders import Answer, Failed, Made, Node, Orders, Unfit, differences, versions
from ddiv.run.crew import words
from ddiv.trial import Job, requires
from ddiv.trial.store import Record, Store

# The token of orders, the driver's versions, and the orders as bytes, which only an equal ddiv
# reads.
Told = tuple[str, Mapping[str, str], bytes]

_read: dict[str, Orders] = {}  # by token
_seen: dict[str, Node] = {}


def looked(told: Told, id: str) -> Node | str:
    """The node, or in words what of its versions differs."""
    return differences(versions(), told[1]) or look(_orders(told), id)


def answered(told: Told, id: str, job: bytes, records: Sequence[Record], card: str) -> Answer | str:
    """The answer to a job in its canonical form, or what of this node's versions differs.

    `card` is the GPU that Ray gives the job, by Ray's name for it.
    """
    differs = differences(versions(), told[1])
    return differs or measure(_orders(told), id, trials.decode(job), records, card)


def _orders(told: Told) -> Orders:
    """The orders, which are read once by each process."""
    token, _, text = told
    if token not in _read:
        _read[token] = pickle.loads(text)
    return _read[token]


def look(orders: Orders, id: str) -> Node:
    """The node, as far as the orders concern it. A process looks once for one set of orders."""
    if orders.token not in _seen:
        _seen[orders.token] = _look(orders, id)
    return _seen[orders.token]


def _look(orders: Orders, id: str) -> Node:
    limit_threads()
    if orders.data_root:
        os.environ[FOLDER_VARIABLE] = orders.data_root
    processor, name = processor_name(), socket.gethostname()
    differs = ""
    try:
        code.unpack(orders.code)
    except Exception as error:  # what the user's files import
        differs = one_line(f"the code of this run cannot be loaded there ({words(error)})")
    if not differs and orders.store and not Path(orders.store, orders.probe).is_file():
        differs = f"--ray-store {orders.store} is not the store of this run there"
    lacks = {} if differs else dict(_lacks(orders))
    return Node(id, name, processor, free_on_card(), differs, lacks)


def _lacks(orders: Orders) -> Iterator[tuple[str, str]]:
    for study in orders.studies:
        if reason := absent.data_or_weights(study):
            yield study.name, one_line(reason)
        generators = [each for each in (study.generator, *study.generators) if each is not None]
        if reason := next(filter(None, map(absent.generator, generators)), None):
            yield absent.of_generator(study.name), one_line(reason)


def free_on_card() -> int:
    """Free bytes of memory on the smallest GPU of this machine; 0 where it has none.

    Ray hides GPUs from tasks that ask for none, but not from this command.
    """
    if not shutil.which("nvidia-smi"):
        return 0
    asked = ("nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits")
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(
            asked, capture_output=True, text=True, encoding="utf-8", timeout=30, check=True
        )
        return min(int(line) for line in done.stdout.splitlines()) << 20
    return 0


def device(kind: str, card: str) -> str:
    """The device for a job, as torch names it.

    Ray would hide all GPUs but one from the process. A process that measures jobs on one GPU after
    another would not see that: once torch has looked it keeps to what it saw. So Ray is told not to
    (`joined.join`), and the GPU is named by its place among those that the process sees.
    """
    if kind != "cuda" or not card:
        return kind
    seen = [each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    return f"cuda:{seen.index(card) if card in seen else int(card)}"


def measure(
    orders: Orders, id: str, job: Job, records: Sequence[Record] = (), card: str = ""
) -> Answer:
    """Measure a job, given the records that it reads, in the order of `trial.requires`.

    With a store that the nodes share, these are read from there, and the record goes there.
    """
    node = look(orders, id)
    if not node.can(job):
        return Unfit(node)
    clock = time.monotonic()
    try:
        record = _measure(orders, job, records, device(orders.device, card))
    except Exception as error:  # as in `Crew`: the tests that need the job are told
        return Failed(words(error), node.name)
    seconds = time.monotonic() - clock
    if orders.store:
        return Made({}, {}, seconds, node.name, kept=True)
    return Made(record.facts, record.arrays, seconds, node.name)


def _measure(orders: Orders, job: Job, records: Sequence[Record], on: str) -> Record:
    from ddiv.trial.measure import measure as measure_now

    shared = Store(orders.store) if orders.store else None
    if shared and job in shared:  # a driver that was killed had asked for it
        return shared.load(job)
    needed = requires(job)
    if shared:
        records = list(map(shared.load, needed))
    if len(records) != len(needed):
        raise TrialFailed(f"{len(records)} of the {len(needed)} records that it reads were sent")
    record = measure_now(job, dict(zip(needed, records)), on, lambda share: None)
    if shared:
        shared.save(record)
    return record
