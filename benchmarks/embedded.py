"""Time README's first command word for word in a fresh clone, then the claims again, warm, with the
memory of all processes (Linux).

    python benchmarks/embedded.py [--keep FOLDER]

Writes benchmarks/results/embedded.json. Takes as long as the run does: about three quarters of an
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
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="a folder that does not exist yet"
    )
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as folder:
        clone = keep or Path(folder) / "ddiv"
        subprocess.run(["git", "clone", "--quiet", HERE.parent, clone], check=True)
        first = re.search(r"```sh\n(.*?)\n```", (clone / "README.md").read_text(), re.S)[1]
        again = ".venv/bin/python -m pytest claims -n 4"
        runs = {
            name: timed(command, clone, Path(folder) / f"{name}.log")
            for name, command in (("first", first), ("again", again))
        }
        lines = [
            json.loads(line)
            for path in clone.glob(".ddiv/runs/*/journal.jsonl")
            for line in path.read_text().splitlines()
        ]
        size = sum(
            path.stat().st_size
            for path in (clone / ".ddiv" / "trials").rglob("*")
            if path.is_file()
        )
    kinds = {
        kind: [line["seconds"] for line in lines if line["kind"] == kind]
        for kind in {line["kind"] for line in lines}
    }
    result = {
        "command": "python benchmarks/embedded.py",
        "commands_timed": {"first": first, "again": again},
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.platform(),
        "python": platform.python_version(),
        **runs,
        "trials": {
            kind: {"number": len(seconds), "seconds_each": round(sum(seconds) / len(seconds), 2)}
            for kind, seconds in sorted(kinds.items())
        },
        "store_megabytes": round(size / 1e6, 1),
    }
    (HERE / "results" / "embedded.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def timed(command: str, folder: Path, log: Path) -> dict:
    """Run a shell command to its end: seconds, exit status, peak of its processes' proportional
    memory, last line.
    """
    started, peak = time.perf_counter(), 0
    with open(log, "w") as out:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=folder, stdout=out, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            peak = max(peak, sum(map(memory, family(process.pid))))
            # adding up the memory of all processes takes a tenth of a second of a core
            time.sleep(3)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "exit_status": process.returncode,
        "peak_gigabytes": round(peak / 1e6, 2),
        "ended": log.read_text().splitlines()[-1].strip("= "),
    }


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in family(int(child)))]


def memory(pid: int) -> int:
    """A process's proportional set size in kB: shared pages are counted once over all processes."""
    try:
        return int(
            re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]
        )
    except (OSError, TypeError):
        return 0


if __name__ == "__main__":
    main()
