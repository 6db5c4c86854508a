"""A session on a cluster of Ray's: it joins, drives, and tells xdist's workers whom to ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import msgspec

from ddiv.common.drafts import draft_of
from ddiv.common.files import write_atomically
from ddiv.plugin.options import Options
from ddiv.profiles.profile import Profile
from ddiv.run.cluster import asking, code, joined
from ddiv.run.cluster.asking import Asker, Desk
from ddiv.run.cluster.driver import Driver, Keeper
from ddiv.run.cluster.joined import Joined
from ddiv.run.cluster.orders import Orders, versions
from ddiv.run.crew import POLL_SECONDS
from ddiv.trial import Job
from ddiv.trial.store import Record, Store


class Told(msgspec.Struct, frozen=True):
    """What a worker of xdist is told: the folder of the driver's desk, and what no node has."""

    desk: str
    absent: Mapping[str, str]


def join(address: str, given: Options, studies: Profile, store: Store) -> Joined:
    """Join a cluster and have its nodes look round.

    Raises ValueError where it cannot be joined, or none of its nodes can be used.
    """
    if given.device not in (None, "cpu", "cuda"):
        raise ValueError(
            f"--device {given.device} with --ray: give cpu or cuda, and Ray chooses the card"
        )
    ray = joined.join(address)
    probe = draft_of(store.root / "drafts" / "ray")
    if given.ray_store:
        write_atomically(probe, b"", durable=False)
    orders = Orders(
        uuid4().hex,
        versions(),
        studies.studies,
        data_root=str(Path(given.data_root).resolve()) if given.data_root else "",
        store=given.ray_store or "",
        probe=f"drafts/{probe.name}",
        code=code.packed(),
    )
    return Joined(ray, orders, given.device, given.slots)


class Drive:
    """The part of a session that drives a cluster: of the controlling process alone."""

    def __init__(self, cluster: Joined, store: Store, folder: Path, with_xdist: bool) -> None:
        self.cluster, self.desk = cluster, Desk()
        self.absent = cluster.absent()
        listen = self.desk.jobs if with_xdist else lambda driver: ()
        keeper = Keeper(store, folder, _measures_nothing, worker="driver")
        tick = POLL_SECONDS if with_xdist else Driver.tick
        self.driver = Driver(keeper, cluster, listen, self.desk.close, tick)
        self.desk.open()
        self.driver.start()

    def crew(self, store: Store, folder: Path) -> Asker:
        """The crew of this process, whose tests wait for its own driver."""
        driver = self.driver

        def hand(jobs: Sequence[Job], packed: bytes | None) -> None:
            if packed is not None:
                driver.begin(packed)
            driver.ask(jobs)

        return Asker(
            store,
            folder,
            _measures_nothing,
            hand=hand,
            stopped=lambda: driver.broken,
            failed=driver.keeper.failure,
        )

    @property
    def told(self) -> Told:
        return Told(str(self.desk.folder), self.absent)

    def lines(self) -> Iterator[str]:
        """What the cluster is, and a line on each node that is refused or lacks something."""
        nodes = [node for node in self.cluster.nodes.values() if not node.differs]
        count, at_once = len(nodes), self.cluster.at_once()
        device = "GPUs" if self.cluster.orders.device == "cuda" else "processors"
        yield (
            f"Ray: {count} node{'s' * (count != 1)}, {at_once} trials at once on their {device}"
            f" ({', '.join(sorted(node.name for node in nodes)[:8])}{', ...' * (count > 8)})"
        )
        kinds = Counter(node.processor for node in nodes)
        if len(kinds) > 1:
            yield "Unlike processors, named in every record: " + ", ".join(
                f"{processor} ({n})" for processor, n in kinds.most_common()
            )
        yield from joined.lines(self.cluster.nodes.values())

    def stop(self) -> None:
        """End all tasks, save what could not be saved, and delete what was for workers."""
        self.driver.stop()
        self.desk.clear()
        with suppress(OSError):
            Path(self.driver.keeper.store.root, self.cluster.orders.probe).unlink(missing_ok=True)


def _measures_nothing(*_: object) -> Record:
    raise AssertionError("nodes measure")


def asker(told: Told, store: Store, folder: Path, worker: str) -> Asker:
    """The crew of a worker of xdist, whose tests wait for the driver of another process."""
    desk = Path(told.desk)
    return Asker(
        store,
        folder,
        _measures_nothing,
        worker=worker,
        hand=lambda jobs, packed: asking.hand(desk, jobs, packed),
        stopped=lambda: asking.stopped(desk),
    )
