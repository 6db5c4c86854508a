"""Time README's first command word for word in a fresh clone, then the claims once more (Linux).

    python benchmarks/embedded.py [--keep FOLDER]

The second run finds every trial in its store. Writes benchmarks/results/embedded.json, with the
peak memory of all processes of each run. Takes as long as the run does: about three quarters of an
hour on two cores. --keep leaves the clone, its store and its report in a folder of yours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent

# Of a developer's machine: a user's Python keeps compiled modules, and finds no other ddiv.
UNUSUAL = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "OMP_NUM_THREADS"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="a folder that does not exist yet"
    )
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as folder:
        clone = keep or Path(folder) / "ddiv"
        subprocess.run(["git", "clone", "--quiet", HERE.parent, clone], check=True)
        readme = (clone / "README.md").read_text("utf-8")
        first = re.search(r"```sh\n(.*?)\n```", readme, re.DOTALL)[1]
        again = ".venv/bin/python -m pytest claims -n 4"
        runs = {
            name: timed(command, clone, Path(folder) / f"{name}.log")
            for name, command in (("first", first), ("again", again))
        }
        trials = trials_by_kind(clone / ".ddiv")
        size = sum(
            path.stat().st_size
            for path in (clone / ".ddiv" / "trials").rglob("*")
            if path.is_file()
        )
    result = {
        "command": "python benchmarks/embedded.py",
        "commands_timed": {"first": first, "again": again},
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.platform(),
        "python": platform.python_version(),
        **runs,
        "trials": trials,
        "store_megabytes": round(size / 1e6, 1),
    }
    (HERE / "results" / "embedded.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2))


def trials_by_kind(store: Path) -> dict[str, dict]:
    """How many trials the runs of a store measured, and the mean seconds of each, by kind."""
    seconds = defaultdict(list)
    for path in store.glob("runs/*/journal.jsonl"):
        for line in map(json.loads, path.read_text("utf-8").splitlines()):
            seconds[line["kind"]].append(line["seconds"])
    return {
        kind: {"number": len(each), "seconds_each": round(sum(each) / len(each), 2)}
        for kind, each in sorted(seconds.items())
    }


def timed(command: str, folder: Path, log: Path) -> dict:
    """Run a shell command to its end: seconds, exit status, peak memory, last line.

    The memory is the proportional set size of all its processes together.
    """
    started, peak = time.perf_counter(), 0
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in UNUSUAL},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            peak = max(peak, sum(map(memory, family(process.pid))))
            # adding up the memory of all processes takes a tenth of a second of a core
            time.sleep(3)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "exit_status": process.returncode,
        "peak_gigabytes": round(peak / 1e6, 2),
        "ended": log.read_text("utf-8").splitlines()[-1].strip("= "),
    }


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in family(int(child)))]


def memory(pid: int) -> int:
    """A process's proportional set size in kB.

    A page that n processes share counts as 1/n of a page in each.
    """
    try:
        return int(
            re.search(
                r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8"), re.MULTILINE
            )[1]
        )
    except (OSError, TypeError):
        return 0


if __name__ == "__main__":
    main()
