"""The command: `python -m tests.campaign`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.campaign import figures, flip, full, kill, power, scene, share
from tests.campaign.bench import Bench, NotPossible, Round, RoundOf, Undisturbed
from tests.campaign.judge import KINDS, Fault
from tests.campaign.server import Server
from tests.campaign.target import Target

HERE = Path(__file__).resolve().parents[2]

# Every kind of round, and how many of it there are among the rounds of one turn.
ROUNDS: dict[str, tuple[RoundOf, int]] = {
    "kill-group": (kill.group, 3),
    "kill-worker": (kill.worker, 2),
    "kill-controller": (kill.controller, 2),
    "power-records": (power.records, 2),
    "power-answers": (power.answers, 2),
    "flip-record": (flip.record, 5),
    "flip-derived": (flip.derived, 4),
    "flip-run": (flip.run_files, 6),
    "flip-locks": (flip.locks, 1),
    "flip-pictures": (flip.pictures, 2),
    "flip-answers": (flip.answers, 2),
    "full-disk": (full.disk, 3),
    "full-device": (full.report, 1),
    "two-users": (share.users, 2),
    "at-once": (share.at_once, 2),
    "stopped": (share.stopped, 1),
}

EPILOG = (
    """\
examples:
  python -m tests.campaign --minutes 30 --out benchmarks/results/campaign.json
  python -m tests.campaign --only flip-record --rounds 20
  python -m tests.campaign --only kill-group --only kill-worker --minutes 5
  python -m tests.campaign --repository ../before --python ../before/.venv/bin/python

rounds:
  """
    + "\n  ".join(
        f"{name:<16} {' '.join((made.__doc__ or '').split())}" for name, (made, _) in ROUNDS.items()
    )
    + """

faults, all of which shall be 0:
  """
    + "\n  ".join(f"{name:<22} {text}" for name, text in KINDS.items())
    + """

Loss of power, full disks and two users want root and Linux; elsewhere the campaign says that they
are not possible. The figures go to standard output as Markdown, with --out as JSON too, and the
faults with their output to *.faults.txt beside it. The exit status is 1 where there are faults, 2
where the campaign could not begin. One seed makes the same choices each time; the moments of
kills depend on the machine all the same."""
)


def main() -> int:
    options = _options()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="ddiv-campaign-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    try:
        return _campaign(options, folder.resolve())
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description="Faults of all kinds, one after another, on runs of ddiv's claims; counts what "
        "they did to the results.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, help="begin no round after this time (default: 10)")
    add("--rounds", type=int, metavar="N", help="stop after N rounds")
    add("--seed", type=int, default=0, help="of the choices (default: 0)")
    add("--only", action="append", choices=ROUNDS, metavar="KIND", help="only rounds of this kind")
    add("--repository", type=Path, default=HERE, metavar="FOLDER", help="the checkout to try")
    add("--python", default=sys.executable, metavar="FILE", help="a Python that has it installed")
    add("--out", type=Path, metavar="FILE", help="write the figures there, as JSON")
    add("--folder", metavar="FOLDER", help="work there and leave everything (default: in /tmp)")
    return parser.parse_args()


def _campaign(options: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    python = shutil.which(options.python) or options.python
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    target = Target(
        options.repository.resolve(), os.path.abspath(python), folder / "output", environment
    )
    server = Server()
    scene.data(folder / "files")
    right = Undisturbed(target, folder, server.url)
    ran: list[tuple[str, Round]] = []
    impossible: dict[str, str] = {}
    names = [name for name in ROUNDS if not options.only or name in options.only]
    deck: list[str] = []
    while (time.monotonic() - began) / 60 < options.minutes and len(ran) != options.rounds:
        number = len(ran)
        rng = random.Random(f"{options.seed}/{number}")
        names = [name for name in names if name not in impossible]
        if not names:
            break
        if not (deck := [name for name in deck if name in names]):
            deck = [name for name in names for _ in range(ROUNDS[name][1])]
            rng.shuffle(deck)
        name = deck.pop()
        bench = Bench(right, folder / "round", rng, server)
        started = time.monotonic()
        try:
            round = ROUNDS[name][0](bench)
        except NotPossible as error:
            impossible[name] = str(error)
            continue
        except scene.CannotBegin as error:
            print(f"campaign: {error}", file=sys.stderr)
            return 2
        except Exception:  # a fault of the campaign's own must not end an hour's run
            round = Round(note="the campaign itself failed:\n" + traceback.format_exc())
            round.did["broken rounds"] += 1
        ran.append((name, round))
        total = Counter(fault.kind for _, one in ran for fault in one.faults)
        print(
            f"campaign: {(time.monotonic() - began) / 60:.1f} min, round {number} {name} "
            f"({time.monotonic() - started:.0f} s): {_told(round)}; "
            f"in all {dict(total) or 'no fault'}",
            file=sys.stderr,
            flush=True,
        )
        _leave(folder, number, name, round)
    made = figures.figures(
        ran,
        impossible,
        minutes=(time.monotonic() - began) / 60,
        command=" ".join(("python -m tests.campaign", *sys.argv[1:])),
        commit=_commit(target.repository),
        machine=f"{platform.platform()}, {os.cpu_count()} cores",
        commands=target.commands,
    )
    print(figures.markdown(made))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        if made["faults"]:
            listed = "\n\n".join(_text(i, *one) for i, one in enumerate(ran) if one[1].faults)
            options.out.with_suffix(".faults.txt").write_text(listed, encoding="utf-8")
    return 1 if made["faults"] or made["broken"] else 0


def _told(round: Round) -> str:
    if round.did["broken rounds"]:
        return round.note
    found = Counter(fault.kind for fault in round.faults)
    return ", ".join(f"{count} {kind}" for kind, count in found.items()) or "as it should be"


def _text(number: int, name: str, round: Round) -> str:
    seen: dict[Fault, int] = Counter(round.faults)
    parts = [f"## {fault.kind} (x {count})\n{fault.what}" for fault, count in seen.items()]
    return "\n".join((f"# round {number}: {name}{round.note}", *parts))


def _leave(folder: Path, number: int, name: str, round: Round) -> None:
    """Keep a round's store where it found a fault and the folder is to stay."""
    if round.faults or round.did["broken rounds"]:
        with open(folder / "faults.txt", "a", encoding="utf-8") as file:
            file.write(_text(number, name, round) + "\n\n")


def _commit(repository: Path) -> str:
    command = ["git", "-C", str(repository), "log", "-1", "--format=%h %s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    dirty = ["git", "-C", str(repository), "status", "--porcelain", "-uno"]
    changed = subprocess.run(dirty, capture_output=True, text=True, check=False).stdout.strip()
    return done.stdout.strip() + (" (with changes)" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
