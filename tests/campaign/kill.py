"""SIGKILL at random moments: of the whole group, of one worker, of the controller alone."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from tests.campaign import judge, seen
from tests.campaign.bench import Bench, Round, rerun
from tests.campaign.target import Running

# The workers of a dead controller notice it when they next speak to it.
ORPHANS_SECONDS = 60.0


def group(bench: Bench) -> Round:
    """The whole group dies, once or twice, then a run goes on to the end."""
    round, scene = Round(), bench.scene(bench.rng.choice(("pictures", "pictures", "answers")))
    before: dict[str, tuple[int, int]] = {}
    paid = bench.server.paid.copy()
    for _ in range(bench.rng.choice((1, 1, 2))):
        running = scene.start()
        if bench.await_moment(scene, running):
            before |= seen.finished(scene.store)
            running.signal(signal.SIGKILL)
            round.did["kills"] += 1
        round.ended(running.end())
    rerun(bench, scene, round, before)
    twice = sum(count > 2 for count in (bench.server.paid - paid).values())
    if twice:  # an answer that was under way when its asker died may be paid for again, once a kill
        round.did["answers asked for again"] += twice
    return round


def worker(bench: Bench) -> Round:
    """One worker dies; xdist replaces it, and the run itself goes to its end."""
    round, scene = Round(), bench.scene("pictures")
    running, before = scene.start(), {}
    if bench.await_moment(scene, running) and (children := running.children()):
        before = seen.finished(scene.store)
        with suppress(ProcessLookupError):
            os.kill(bench.rng.choice(children), signal.SIGKILL)
        round.did["kills"] += 1
    round.ended(running.end())
    rerun(bench, scene, round, before)
    return round


def controller(bench: Bench) -> Round:
    """The controller dies; its workers are left behind, and the next run may meet them."""
    round, scene = Round(), bench.scene("pictures")
    running, before, children = scene.start(), {}, []
    if bench.await_moment(scene, running):
        children = running.children()
        before = seen.finished(scene.store)
        running.process.kill()
        round.did["kills"] += 1
    running.process.wait()
    if bench.rng.random() < 0.5:
        _gone(children)
    rerun(bench, scene, round, before)
    if not _gone(children):
        text = f"workers live {ORPHANS_SECONDS:g} s after their controller's death"
        round.faults.append(judge.Fault("hang", text))
    return _ended(round, running)


def _ended(round: Round, running: Running) -> Round:
    running.signal(signal.SIGKILL)
    round.ended(running.end())
    return round


def _gone(children: list[int]) -> bool:
    end = time.monotonic() + ORPHANS_SECONDS
    while any(_runs(pid) for pid in children):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
