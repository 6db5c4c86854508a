"""One store and several runs: two at once, one that is stopped, two users."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
from pathlib import Path

from tests.campaign import judge, seen
from tests.campaign.bench import Bench, NotPossible, Round, rerun
from tests.campaign.scene import Scene
from tests.campaign.target import Running, Target, until

USERS = (61_001, 61_002)
# A run that another one blocks says so within this share of the patience: on a machine at rest,
# half a minute after it could have ended.
WORD = 0.5
BLOCKED = re.compile(
    r"suspend|stopped|SIGSTOP|SIGCONT|blocked|held by|holds|another run", re.IGNORECASE
)


def at_once(bench: Bench) -> Round:
    """Two runs on one store; in some rounds one of them is killed."""
    round, scene = Round(), bench.scene(bench.rng.choice(("pictures", "pictures", "answers")))
    right = bench.right[scene.kind.name]
    first = scene.start(page="first.html")
    until(lambda: False, bench.rng.random() * 6, first)
    second = scene.start(page="second.html")
    killed = bench.rng.random() < 0.4 and bench.await_moment(scene, first)
    if killed:
        first.signal(signal.SIGKILL)
    ended = [round.ended(running.end()) for running in (second, first)]
    round.did["runs at once"] += 2
    for name, done in zip(("second.html", "first.html")[: 1 if killed else 2], ended):
        round.faults += judge.of_end(scene.page(name), right.page, done)
    rerun(bench, scene, round, seen.finished(scene.store))
    return round


def stopped(bench: Bench) -> Round:
    """A run is stopped (SIGSTOP) while another works; later it goes on."""
    round, scene = Round(), bench.scene("pictures")
    right = bench.right["pictures"].page
    first = scene.start(page="first.html")
    if not bench.await_moment(scene, first):
        round.ended(first.end())
        return round
    first.signal(signal.SIGSTOP)
    round.did["runs stopped"] += 1
    second = scene.start(page="second.html")
    silent = WORD * scene.target.patience
    told = until(lambda: BLOCKED.search(second.text()) is not None, silent, second)
    if second.process.poll() is None and not told:
        text = f"beside a stopped run, silent for {silent:.0f} s:\n{second.text()[-1500:]}"
        round.faults.append(judge.Fault("hang", text))
    first.signal(signal.SIGCONT)
    for running, name in ((second, "second.html"), (first, "first.html")):
        done = round.ended(running.end())
        round.faults += judge.of_end(scene.page(name), right, done)
    round.faults += judge.of_records(scene.store, {})
    return round


def users(bench: Bench) -> Round:
    """One user's store is read and added to by another, who may write there or may not."""
    if os.geteuid() != 0:
        raise NotPossible("only root can run as two users")
    round, scene = Round(), bench.scene("pictures")
    first_user, second_user = (_as(user, scene.target, bench.folder) for user in USERS)
    writable, first_ends = bench.rng.random() < 0.6, bench.rng.random() < 0.5
    os.chmod(scene.folder, 0o777)
    mask = os.umask(0 if writable else 0o022)
    try:
        first = _start(scene, USERS[0], first_user, "first")
        if first_ends:
            round.ended(first.end())
        else:
            bench.await_moment(scene, first)
            first.signal(signal.SIGKILL)
            round.ended(first.end())
        before = seen.finished(scene.store)
        done = round.ended(_start(scene, USERS[1], second_user, "second").end())
    finally:
        os.umask(mask)
    round.did["second users"] += 1
    right = bench.right["pictures"].page
    page = seen.page(scene.folder / "second" / "page.html")
    round.faults += (judge.of_end if writable else judge.of_page)(page, right, done)
    if (
        not writable
        and page != right
        and not judge.TOLD.search(done.text)
        and ("cannot" not in done.text and "permission" not in done.text.lower())
    ):
        text = f"a store that cannot be written, and no word of it:\n{done.text[-1500:]}"
        round.faults.append(judge.Fault("wrong end", text))
    out = str(scene.folder / "second" / "report.html")
    round.ended(scene.ddiv("report", "--out", out, before=second_user))
    round.ended(scene.ddiv("ledger", "--changes", before=second_user))
    rerun(bench, scene, round, before)
    return round


def _start(scene: Scene, user: int, before: tuple[str, ...], name: str) -> Running:
    """Start a run as a user with a home and a page of its own; all share store and cache."""
    home = scene.folder / name
    (home / "tmp").mkdir(parents=True)
    for folder in (home, home / "tmp"):
        os.chown(folder, user, user)
    return scene.start(
        "-W",
        "ignore",
        "--report",
        str(home / "page.html"),
        before=before,
        page="none.html",
        TMPDIR=str(home / "tmp"),
        HOME=str(home),
    )


# A home that is closed to others may hold Python. In a mount namespace of its own the command sees
# Python's folder alone in that home, and the home open.
OPENED = """set -e
closed=$1 python=$2 aside=$3; shift 3
mkdir -p "$aside"; mount --bind "$python" "$aside"
mount -t tmpfs -o mode=755 campaign "$closed"
mkdir -p "$python"; mount --move "$aside" "$python"
exec "$@"
"""


def _as(user: int, target: Target, folder: Path) -> tuple[str, ...]:
    """The words before a command that run it as another user."""
    if not (shutil.which("setpriv") and shutil.which("unshare")):
        raise NotPossible("setpriv and unshare of util-linux are needed to run as another user")
    become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    folder.mkdir(parents=True, exist_ok=True)
    if closed := [each for path in (target.repository, folder) for each in _closed(path)]:
        raise NotPossible(f"another user cannot pass through {closed[0]}")
    python = Path(target.python).resolve()
    if not (closed := _closed(python)):
        return become
    words = str(closed[-1]), str(python.parents[1]), str(folder / "aside")
    return ("unshare", "-m", "sh", "-c", OPENED, "sh", *words, *become)


def _closed(path: Path) -> list[Path]:
    """The folders above a file that others may not pass through, the innermost first."""
    return [folder for folder in path.parents if not folder.stat().st_mode & stat.S_IXOTH]
