"""A cluster of three nodes on this machine: the same findings as xdist's, faults, overhead.

    python benchmarks/ray_cluster.py same [--profile smoke] [-k EXPRESSION]
    python benchmarks/ray_cluster.py hosts  [--profile smoke] [-k EXPRESSION] [--shared]
    python benchmarks/ray_cluster.py faults [--moments 20] [--minutes M]
    python benchmarks/ray_cluster.py machinery [--moments 20] [--jobs 300]
    python benchmarks/ray_cluster.py overhead [--pairs 5] [-k EXPRESSION]

"machinery" is "faults" of the driver, the store and Ray alone: jobs only wait a second and train
nothing, so that many moments are seen in minutes.

"same" runs a slice by `-n 2` and on the cluster, each from an empty store, and compares all records
bit for bit (but for when, where and how long) and what every question came to. "hosts" does so with
three hosts (`ray_hosts`: network namespaces) and the driver a client; they share no store, or with
--shared one that they see under another name (--ray-store). "faults" kills a node (a new one
joins), a worker or the driver at random moments of runs of the slice; then it runs the slice to its
end and sees that no record that was there is lost or changed, that no job is in the journals of two
runs, and that no run hangs. "overhead" times by turns `-n 2`, a cluster that the run starts, and
one that runs before.

It needs Ray: pip install -e '.[ray]'.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
from ray_hosts import Hosts

from ddiv.common.machine import processor_name, usable_cores
from ddiv.finding import Reader, settled
from ddiv.run import run as runs
from ddiv.run.cluster import joined
from ddiv.run.cluster.driver import Driver, Keeper
from ddiv.run.cluster.joined import Joined
from ddiv.run.cluster.orders import Orders, versions
from ddiv.run.notes import journal
from ddiv.trial.store import Record, Store

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "ray-cluster.json"
SLICE = "drop-frobenius and not specific"
HANGS = 1800.0  # seconds after which a run of the slice counts as hanging


class Nodes:
    """Ray on this machine, as a head and further nodes: three of one core each, or as told."""

    options: tuple[str, ...] = ()  # of a run on it

    def __init__(self, cores: Sequence[int] = (1, 1, 1)) -> None:
        os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        from ray.cluster_utils import Cluster

        head, *more = ({"num_cpus": each, "object_store_memory": 200 << 20} for each in cores)
        self._more = head
        self.cluster = Cluster(
            initialize_head=True, head_node_args={**head, "include_dashboard": False}
        )
        self.others = [self.cluster.add_node(**each) for each in more]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def kill_one(self, rng: random.Random) -> str:
        """Kill a node that is not the head; another joins."""
        node = self.others.pop(rng.randrange(len(self.others)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.others.append(self.cluster.add_node(**self._more))
        return "node"

    def stop(self) -> None:
        self.cluster.shutdown()


def command(folder: Path, args: argparse.Namespace, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "claims", "-q", "-p", "no:cacheprovider"),
        *("--profile", args.profile, "-k", args.k),
        *("--store", str(folder / "store"), "--report", str(folder / "page.html"), *more),
    ]


def run(folder: Path, args: argparse.Namespace, *more: str) -> float:
    """Seconds of a run to its end. Raises where it ended badly or hangs."""
    begun = time.monotonic()
    done = subprocess.run(
        command(folder, args, *more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANGS,
        check=False,
    )
    if done.returncode not in (0, 1):  # a claim may be contradicted
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-2000:])
    return time.monotonic() - begun


def contents(record: Record) -> tuple[bytes, dict[str, bytes]]:
    """A record without when, where and how long."""
    facts = {name: value for name, value in record.facts.items() if name != "provenance"}
    arrays = {
        name: str(array.dtype).encode() + repr(array.shape).encode() + array.tobytes()
        for name, array in record.arrays.items()
    }
    return msgspec.json.encode(facts, order="sorted"), arrays


def findings(store: Store) -> dict[str, Any]:
    """What each question of the newest run came to: seeds, effects, verdict."""
    newest, reader = runs.latest(store), Reader(store)
    assert newest is not None
    found = {}
    for asked in runs.load_asked(store, newest.id):
        it = settled(asked, reader, newest.enough(asked))
        found[asked.test] = (
            repr(it)
            if not hasattr(it, "judged")
            else (
                list(it.asked.seeds),
                np.asarray(it.judged_effects, float).tobytes(),
                it.judged.verdict,
            )
        )
    return found


def same(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    return compared(args, work, Nodes)


def hosts(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    return compared(
        args, work, lambda: Hosts(work, work / "ray" / "store" if args.shared else None)
    )


def compared(
    args: argparse.Namespace, work: Path, started: Callable[[], Nodes | Hosts]
) -> dict[str, Any]:
    """What a run by `-n 2` and one on a cluster that is `started` for it came to."""
    plain, ray = work / "plain", work / "ray"
    by_xdist = run(plain, args, "-n", "2")
    nodes = started()
    try:
        by_ray = run(ray, args, "--ray", nodes.address, *nodes.options)
    finally:
        nodes.stop()
    ours, theirs = Store(plain / "store"), Store(ray / "store")
    both = sorted(set(ours.keys()) & set(theirs.keys()))
    unlike = [key for key in both if contents(ours.read(key)) != contents(theirs.read(key))]
    left, right = findings(ours), findings(theirs)
    newest = runs.latest(theirs)
    assert newest is not None
    nodes_of = Counter(line.worker for line in journal(runs.folder(theirs, newest.id)))
    return {
        "records_by_xdist": len(ours.keys()),
        "records_by_ray": len(theirs.keys()),
        "records_of_both": len(both),
        "records_unlike": len(unlike),
        "questions": len(left),
        "findings_unlike": sorted(test for test in left if left[test] != right.get(test)),
        "by_node": dict(nodes_of),
        "seconds_by_xdist": round(by_xdist, 1),
        "seconds_by_ray": round(by_ray, 1),
    }


def workers_at_it() -> list[int]:
    """The processes of this cluster that are at a job: children of the nodes' raylets."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_at_it = path.joinpath("cmdline").read_bytes().startswith(b"ray::measure")
            if is_at_it and _parent(_parent(int(path.name))) == os.getpid():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def faults(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    rng, until = random.Random(args.seed), time.monotonic() + 60 * args.minutes
    counts: Counter[str] = Counter()
    kinds = [kind for kind in ("worker", "node", "driver") for _ in range(args.moments)]
    rng.shuffle(kinds)
    nodes, folder, resumed = Nodes(), work / "faults", 0
    there: dict[str, bytes] = {}
    try:
        while kinds and time.monotonic() < until:
            process = subprocess.Popen(
                command(folder, args, "--ray", nodes.address),
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            begun = time.monotonic()
            while process.poll() is None:
                if time.monotonic() - begun > HANGS:
                    process.kill()
                    raise RuntimeError("a run hangs")
                time.sleep(rng.uniform(*args.between))
                if not kinds or time.monotonic() > until or not workers_at_it():
                    continue
                match kinds.pop():
                    case "driver":
                        process.send_signal(signal.SIGKILL)
                        process.wait()
                        counts["driver"] += 1
                    case "node":
                        counts[nodes.kill_one(rng)] += 1
                    case "worker":
                        pid = rng.choice(workers_at_it() or [0])
                        if pid:
                            os.kill(pid, signal.SIGKILL)
                            counts["worker"] += 1
            counts["runs_killed" if process.returncode == -signal.SIGKILL else "runs_ended"] += 1
            resumed += 1
            there = unchanged(Store(folder / "store"), there)
            if process.returncode != -signal.SIGKILL and kinds:
                counts |= checked(folder, counts)
                shutil.rmtree(folder)
                there = {}
        run(folder, args, "--ray", nodes.address)  # to the end, untroubled
        unchanged(Store(folder / "store"), there)
        counts = checked(folder, counts)
    finally:
        nodes.stop()
    return dict(counts)


def waits() -> Callable[..., Any]:
    """A task that waits about a second; sent to nodes as it is written here."""

    def measure(told: Any, job: bytes, *records: Any) -> Any:
        import random
        import time

        import numpy
        import ray

        from ddiv.run.cluster.orders import Made

        seconds = random.uniform(0.5, 1.5)
        time.sleep(seconds)
        made = Made({"job": len(job)}, {"x": numpy.zeros(25_000)}, seconds, "")
        return ray.get_runtime_context().get_node_id(), made

    return measure


def drive(args: argparse.Namespace) -> None:
    """Drain the plan of "machinery", in a process of its own."""
    from ray_scale import jobs

    ray = joined.join(args.address)
    cluster = Joined(ray, Orders(uuid4().hex, versions(), ()), "cpu", None)
    cluster._task = ray.remote(max_calls=0)(waits())
    args.folder.mkdir(parents=True)
    store, plan = Store(args.folder.parent / "store"), list(jobs(args.jobs))
    driver = Driver(Keeper(store, args.folder, _never, worker="driver"), cluster)
    driver.start()
    driver.ask(plan)
    while any(job not in store for job in plan) and not driver.broken:
        time.sleep(0.2)
    driver.stop()
    assert not driver.broken, driver.broken
    assert not list(args.folder.glob("failed/*"))
    print("lost and sent again:", driver.lost)


def _never(*_: object) -> Record:
    raise AssertionError("nothing is measured here")


def machinery(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    rng, until = random.Random(args.seed), time.monotonic() + 60 * args.minutes
    kinds = [kind for kind in ("worker", "node", "driver") for _ in range(args.moments)]
    rng.shuffle(kinds)
    counts: Counter[str] = Counter()
    nodes, number = Nodes(), 0
    there: dict[str, bytes] = {}
    lines: Counter[str] = Counter()
    try:
        while kinds and time.monotonic() < until:
            plan = work / f"plan{number}"  # a new one when one is drained
            number, drained, there = number + 1, False, {}
            while not drained:
                folder = plan / uuid4().hex
                words = ("drive", "--address", nodes.address, "--folder", str(folder))
                process = subprocess.Popen(
                    [sys.executable, __file__, *words, "--jobs", str(args.jobs)],
                    cwd=ROOT,
                    stdout=subprocess.DEVNULL,
                )
                begun = time.monotonic()
                while process.poll() is None:
                    if time.monotonic() - begun > HANGS:
                        process.kill()
                        raise RuntimeError("a driver hangs")
                    time.sleep(rng.uniform(*args.between))
                    if kinds and time.monotonic() < until and (at_it := workers_at_it()):
                        kind = kinds.pop()
                        counts[kind] += 1
                        if kind == "driver":
                            process.kill()
                            process.wait()
                        elif kind == "node":
                            nodes.kill_one(rng)
                        else:
                            os.kill(rng.choice(at_it), signal.SIGKILL)
                drained = process.returncode == 0
                assert process.returncode in (0, -signal.SIGKILL), process.returncode
                counts["drivers_started"] += 1
                there = unchanged(Store(plan / "store"), there)
                lines.update(line.key + plan.name for line in journal(folder))
            counts["records"] += len(there)
            assert len(there) == args.jobs
    finally:
        nodes.stop()
    twice = [key for key, times in lines.items() if times > 1]
    assert not twice
    # A record that is lost, and a driver that hangs, have raised an error.
    return dict(counts) | {"trained_twice": len(twice), "records_lost": 0, "hangs": 0}


def unchanged(store: Store, there: dict[str, bytes]) -> dict[str, bytes]:
    """The marks of all records; raises where one that was there is gone, changed or damaged."""
    for key, mark in there.items():
        assert (store.path(key) / "done").read_bytes() == mark, f"{key} is not what it was"
    for record in store.records():
        assert record.key
    return {key: (store.path(key) / "done").read_bytes() for key in [*store.keys()]}


def checked(folder: Path, counts: Counter[str]) -> Counter[str]:
    """The counts with what the runs of this store measured; raises where a job was trained twice,
    or a question has no answer.
    """
    store = Store(folder / "store")
    lines = Counter(
        line.key for run in runs.stored(store).runs for line in journal(runs.folder(store, run.id))
    )
    twice = [key for key, times in lines.items() if times > 1]
    newest = runs.latest(store)
    assert newest is not None
    failed = [asked.error for asked in runs.load_asked(store, newest.id) if asked.error]
    assert not twice and not failed, (twice, failed)
    counts["records"] += len(store.keys())
    counts["trained_twice"] += len(twice)
    counts["questions_answered"] += len(runs.load_asked(store, newest.id))
    return counts


def overhead(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """By turns: xdist, a cluster that the run starts and ends, and one that is there before."""
    names = ("xdist", "ray, started", "ray, running")
    rounds: list[dict[str, float]] = []
    for _ in range(args.pairs):
        rounds.append({})
        for name in names:
            # One that runs stands only while it is used: the others would share the cores.
            nodes = Nodes(cores=(usable_cores(),)) if name == names[2] else None
            where = ("--ray", nodes.address if nodes else "local")
            more = ("-n", str(usable_cores())) if name == "xdist" else where
            try:
                rounds[-1][name] = round(run(work / name, args, *more), 2)
            finally:
                if nodes:
                    nodes.stop()
            shutil.rmtree(work / name)
        print(rounds[-1], flush=True)
    return {"rounds": rounds} | {
        f"median ratio, {name}": round(median(each[name] / each["xdist"] for each in rounds), 4)
        for name in names[1:]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", choices=("same", "hosts", "faults", "machinery", "overhead", "drive")
    )
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("-k", default=SLICE)
    parser.add_argument("--moments", type=int, default=20, help="of each of the three faults")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--between", type=float, nargs=2, default=(0.5, 6.0), help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--address", help="of a cluster, for drive")
    parser.add_argument("--folder", type=Path, help="of a run, for drive")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--shared", action="store_true", help="of hosts: one store for all")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    if args.what == "drive":
        return drive(args)
    work = Path(tempfile.mkdtemp(prefix="ddiv-ray-cluster-"))
    shown = {
        "same": same,
        "hosts": hosts,
        "faults": faults,
        "machinery": machinery,
        "overhead": overhead,
    }
    try:
        found = shown[args.what](args, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if args.what != "machinery":
        found |= {"slice": args.k, "profile": args.profile}
    found |= {"load_after": os.getloadavg()[0]}
    print(json.dumps(found, indent=1))
    kept = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    name = f"{args.what}, one store" if args.shared else args.what
    kept |= {"processor": processor_name(), "cores": usable_cores(), name: found}
    args.out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    return None


if __name__ == "__main__":
    main()
