"""Ray: joining a cluster, a look at its nodes, and jobs as its tasks.

A job takes one core, and on machines with GPUs the share of a GPU that its memory allows
(`ddiv.trial.devices`). Ray tries no task again by itself: the driver knows what is worth it.
"""

from __future__ import annotations

import os
import pickle
import re
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, cast
from uuid import uuid4

from ddiv import trial as trials
from ddiv.common.machine import usable_cores
from ddiv.common.printed import one_line
from ddiv.run.cluster.driver import Lost
from ddiv.run.cluster.orders import Answer, Node, Orders, Unfit, needs
from ddiv.trial import Job
from ddiv.trial.store import Record

INSTALL = (
    "python -m pip install 'ray[client]>=2.51'  (or ddiv with its extra: pip install -e '.[ray]')"
)

VARIABLE = "RAY_ADDRESS"

NONE = "none"  # the value of --ray that means: this machine, whatever RAY_ADDRESS says

LOOK_SECONDS = 120.0  # for a node to say how it is: its first look imports torch

REFRESH_SECONDS = 2.0  # between looks at which nodes there are

HELD = 8  # records that other jobs read and that Ray holds for its nodes

_ID = "ray.io/node-id"  # the label that Ray gives to every node


class NoRay(ValueError):
    """Ray is not there, or its cluster cannot be used; the message says what to do."""


def library() -> Any:
    """The module ray. Raises NoRay where it is not installed."""
    try:
        return import_module("ray")
    except ImportError as error:
        raise NoRay(
            f"--ray (or {VARIABLE}) asks for Ray, which is not installed here ({error}): {INSTALL}"
        ) from error


def address(given: str | None) -> str | None:
    """The address that a run is to join: what --ray says, else RAY_ADDRESS; None for no cluster."""
    told = given or os.environ.get(VARIABLE, "").strip()
    return None if told in ("", NONE) else told


def join(address: str) -> Any:
    """Join the cluster at an address (a client's begins with ray://), and return the module ray.

    "auto" is the cluster that this machine is of, or one that is started here for this run; "local"
    always starts one. Raises NoRay.
    """
    ray = library()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Where the cluster is started here its workers are no background: they are what the run does.
    os.environ.setdefault("RAY_worker_niceness", "0")
    runtime = {"env_vars": {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}}  # `node.device`
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "runtime_env": runtime}
    started = {"num_cpus": usable_cores(), "include_dashboard": False}
    if address == "auto" and (told := os.environ.get(VARIABLE, "").strip()):
        address = told
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address == "local":
            ray.init(address="local", **started, **quiet)
        elif address.startswith("ray://"):
            ray.init(address=address, log_to_driver=False, runtime_env=runtime)
        else:
            try:
                ray.init(address=address, **quiet)
            except ConnectionError:
                if address != "auto":
                    raise
                ray.init(address="local", **started, **quiet)
    except Exception as error:  # of another version of Ray or Python, a name that nobody has, ...
        raise NoRay(
            f"--ray {address}: the cluster cannot be joined: {one_line(error)}. `ray status "
            f"--address HOST:6379` says whether it is up; ray:// needs its port for clients, 10001"
        ) from error
    finally:
        # Ray lets SIGTERM raise SystemExit, which a test would take for its own error.
        signal.signal(signal.SIGTERM, handler)
    return ray


class Joined:
    """A cluster of Ray's that this process has joined: a `driver.Cluster`.

    `slots`: on GPUs how many jobs each takes, else how many are in flight at most; None: by memory,
    and by cores. `device`: cpu, cuda or None, which means CUDA if a node has it.
    """

    def __init__(self, ray: Any, orders: Orders, device: str | None, slots: int | None) -> None:
        self._ray, self._slots = ray, slots
        self._lock = threading.Lock()
        self._unlike: set[str] = set()  # ids of nodes that measure nothing
        self._lacking: dict[str, set[str]] = {}  # by what jobs need, ids of nodes without it
        self._held: OrderedDict[str, Any] = OrderedDict()
        self._flying: set[Any] = set()
        self._refreshed = 0.0
        self._room = 1
        self.nodes: dict[str, Node] = {}  # by id, as they saw themselves at the start
        self._on_gpus = device == "cuda" or (device is None and self._any_gpu())
        self.orders = replace(orders, device="cuda" if self._on_gpus else "cpu")
        self._told = ray.put(self._packed())
        self._look()
        if all(node.differs for node in self.nodes.values()):
            raise NoRay(
                "; ".join(["no node of the cluster can be used", *lines(self.nodes.values())])
            )
        self._per_card = self._fitting()
        # A worker measures many jobs: to start one costs the import of torch.
        self._task = ray.remote(max_calls=0)(_task())
        self.room()

    # --- nodes ----------------------------------------------------------------------------------

    def _there(self) -> list[Mapping[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _any_gpu(self) -> bool:
        return any(node["Resources"].get("GPU", 0) for node in self._there())

    def _look(self) -> None:
        """Have every node look round, all at once."""
        look = self._ray.remote(_looking())
        sent = {}
        for node in self._there():
            id = node["NodeID"]
            options = {"num_cpus": 0, "max_retries": 1, "label_selector": {_ID: id}}
            sent[id] = node, look.options(**options).remote(self._told, id)
        until = time.monotonic() + LOOK_SECONDS
        names = self._names([node for node, _ in sent.values()])
        for id, (node, answer) in sent.items():
            found = self._looked(id, answer, max(1.0, until - time.monotonic()))
            if self._on_gpus and not node["Resources"].get("GPU", 0) and not found.differs:
                found = replace(found, differs="it has no GPU that Ray knows of")
            self.shun(replace(found, name=names[id]), all_of_them=False)

    def _looked(self, id: str, answer: Any, seconds: float) -> Node:
        try:
            found = self._ray.get(answer, timeout=seconds)
        except Exception as error:
            why = one_line(str(error).strip().splitlines()[-1] if str(error) else repr(error))
            return Node(id, "", differs=f"it does not answer ({why})")
        return found if isinstance(found, Node) else Node(id, "", differs=str(found))

    def _names(self, nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        hosts = [node["NodeManagerHostname"] for node in nodes]
        return {
            node["NodeID"]: host if hosts.count(host) == 1 else f"{host}/{node['NodeID'][:6]}"
            for node, host in zip(nodes, hosts)
        }

    def shun(self, node: Node, all_of_them: bool = True) -> None:
        with self._lock:
            self.nodes[node.id] = node
            if node.differs:
                self._unlike.add(node.id)
            for need in node.lacks:
                self._lacking.setdefault(need, set()).add(node.id)
        there = {each["NodeID"] for each in self._there()} if all_of_them else set()
        for need in ("", *node.lacks):
            if there and there <= self._unlike | self._lacking.get(need, set()):
                raise NoRay(
                    "no node of the cluster can measure this: "
                    + "; ".join(lines(self.nodes.values()))
                )

    def absent(self) -> dict[str, str]:
        """What no node has, of what jobs need, with the reason of one of them."""
        able = [node for node in self.nodes.values() if not node.differs]
        common = set.intersection(*(set(node.lacks) for node in able)) if able else set()
        return {need: able[0].lacks[need] for need in common}

    def _fitting(self) -> int:
        """How many jobs one GPU takes at once, the smallest card of all."""
        if not self._on_gpus:
            return 1
        if self._slots:
            return self._slots
        from ddiv.trial.devices import TRIAL_BYTES

        cards = [node.card for node in self.nodes.values() if node.card and not node.differs]
        return max(1, min(cards, default=0) // TRIAL_BYTES)

    def room(self) -> int:
        """How many jobs may be in flight: some more than run, so that no node waits for the driver,
        and that an autoscaler sees that there is more to do.
        """
        if time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self._refreshed = time.monotonic()
            self._room = sum(self._at_once(node["Resources"]) for node in self._able())
        if self._slots and not self._on_gpus:
            return min(self._slots, max(1, self._room))
        return self._room + max(2, self._room // 8)

    def at_once(self) -> int:
        """How many jobs the nodes of now measure at once."""
        self.room()
        return self._room

    def _able(self) -> list[Mapping[str, Any]]:
        return [node for node in self._there() if node["NodeID"] not in self._unlike]

    def _at_once(self, resources: Mapping[str, float]) -> int:
        cores = int(resources.get("CPU", 0))
        return min(cores, int(resources.get("GPU", 0)) * self._per_card) if self._on_gpus else cores

    # --- jobs -----------------------------------------------------------------------------------

    def begin(self, code: bytes) -> None:
        if code != self.orders.code:
            self.orders = replace(self.orders, token=uuid4().hex, code=code)
            self._told = self._ray.put(self._packed())

    def _packed(self) -> tuple[str, Mapping[str, str], bytes]:
        return self.orders.token, self.orders.versions, pickle.dumps(self.orders)

    def send(self, job: Job, load: Callable[[Job], Record]) -> Future[Answer]:
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0}
        if self._on_gpus:
            options["num_gpus"] = int(10_000 / self._per_card) / 10_000  # Ray keeps four places
        if shunned := sorted(self._shunned(job)):
            options["label_selector"] = {_ID: f"!in({','.join(shunned)})"}
        needed = () if self.orders.store else trials.requires(job)
        records = [self._hold(each, load) for each in needed]
        task = self._task.options(**options).remote(self._told, trials.canonical(job), *records)
        self._flying.add(task)
        answer: Future[Answer] = Future()
        task.future().add_done_callback(lambda there: self._landed(task, job, there, answer))
        return answer

    def _shunned(self, job: Job) -> set[str]:
        with self._lock:
            return self._unlike.union(*(self._lacking.get(need, ()) for need in needs(job)))

    def _hold(self, job: Job, load: Callable[[Job], Record]) -> Any:
        """A record in Ray's memory, put there once for the next few jobs that read it."""
        key = trials.key(job)
        if key not in self._held:
            self._held[key] = self._ray.put(load(job))
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def _landed(self, task: Any, job: Job, there: Future[Any], answer: Future[Answer]) -> None:
        self._flying.discard(task)
        if answer.cancelled():
            return
        try:
            answer.set_result(self._named(there.result()))
        except Exception as error:
            self._held.clear()  # it may be one of these that is lost
            answer.set_exception(self._lost(error))

    def _named(self, answer: Any) -> Answer:
        """A node's answer, with the name that this run has for the node."""
        id, found = answer
        if isinstance(found, str):
            return Unfit(Node(id, id[:6], differs=found))
        if isinstance(found, Unfit) or id not in self.nodes:
            return cast(Answer, found)
        return cast(Answer, replace(found, node=self.nodes[id].name))

    def _lost(self, error: Exception) -> Lost:
        """Ray's own errors: none is of the job, whose errors are among the answers."""
        kind = type(error).__name__
        # A worker that is killed for its memory's sake, or crashes, most likely did so by its job.
        of_worker = re.search(r"Worker|OutOfMemory|RayTask", kind) is not None
        return Lost(f"{kind}: {one_line(str(error).strip().partition(chr(10))[0])}", not of_worker)

    def stop(self) -> None:
        for task in list(self._flying):
            with suppress(Exception):
                self._ray.cancel(task, force=True)
        with suppress(Exception):
            self._ray.shutdown()


def lines(nodes: Iterable[Node]) -> Iterator[str]:
    """A line on each node that is refused, or that lacks something."""
    for node in nodes:
        if node.differs:
            yield f"{node.name}: not used: {node.differs}"
        elif node.lacks:
            lacks = "; ".join(f"{need}: {reason}" for need, reason in node.lacks.items())
            yield f"{node.name}: lacks what these need: {lacks}"


# Ray sends these two as they are written here, and all else by its name or as bytes: a node without
# ddiv, or with another one, can say so. `told` is what `Joined._packed` makes.


def _looking() -> Callable[[Any, str], Any]:
    def look(told: Any, id: str) -> Any:
        try:
            from ddiv.run.cluster import node
        except ImportError as error:
            return f"it has no ddiv, or another one ({error})"
        return node.looked(told, id)

    return look


def _task() -> Callable[..., Any]:
    def measure(told: Any, job: bytes, *records: Any) -> Any:
        import ray

        id = ray.get_runtime_context().get_node_id()
        try:
            from ddiv.run.cluster import node
        except ImportError as error:
            return id, f"it has no ddiv, or another one ({error})"
        cards = ray.get_gpu_ids()
        return id, node.answered(told, id, job, records, str(cards[0]) if cards else "")

    return measure
