"""Time the whole embedded profile, cold and warm, with the memory of all its processes together (Linux).

    python benchmarks/embedded.py [--workers 4]

Writes benchmarks/results/embedded.json. Takes as long as the run does: about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=4)
    workers = parser.parse_args().workers
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "claims", "-n", str(workers), "--store", f"{folder}/store",
                   "--report", f"{folder}/page.html"]
        runs = {name: timed(command, Path(folder) / f"{name}.log") for name in ("cold", "warm")}
        lines = [json.loads(line) for path in Path(folder).glob("store/runs/*/journal.jsonl")
                 for line in path.read_text().splitlines()]
        size = sum(path.stat().st_size for path in Path(folder, "store", "trials").rglob("*") if path.is_file())
    kinds = {kind: [line["seconds"] for line in lines if line["kind"] == kind] for kind in {line["kind"] for line in lines}}
    result = {"command": f"python benchmarks/embedded.py --workers {workers}", "cores": len(os.sched_getaffinity(0)),
              "machine": platform.platform(), "python": platform.python_version(), "workers": workers, **runs,
              "trials": {kind: {"number": len(seconds), "seconds_each": round(sum(seconds) / len(seconds), 2)}
                         for kind, seconds in sorted(kinds.items())},
              "store_megabytes": round(size / 1e6, 1)}
    (HERE / "results" / "embedded.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def timed(command: list[str], log: Path) -> dict:
    """Run a command to its end: seconds, exit status, peak of its processes' proportional memory, last line."""
    started, peak = time.perf_counter(), 0
    with open(log, "w") as out:
        process = subprocess.Popen(command, cwd=HERE.parent, stdout=out, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, sum(map(memory, family(process.pid))))
            time.sleep(0.5)
    return {"seconds": round(time.perf_counter() - started, 1), "exit_status": process.returncode,
            "peak_gigabytes": round(peak / 1e6, 2), "ended": log.read_text().splitlines()[-1].strip("= ")}


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
        return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
    except (OSError, TypeError):
        return 0


if __name__ == "__main__":
    main()
