"""The `versus` fixture: our code and a peer's, timed by turns on one input, with peak memory."""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FIGURES = pytest.StashKey[list]()


def _megabytes(field: str) -> float | None:
    """VmRSS (now) or VmHWM (the most since `_reset_peak`) of this process, if the system tells."""
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text("utf-8").splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def _reset_peak() -> None:
    with suppress(OSError):  # not Linux, or not allowed
        CLEAR.write_text("5", "utf-8")


@pytest.fixture(scope="session", autouse=True)
def every_core():
    """Give both sides every core.

    ddiv's plugin gives every process one thread, as claims are trained side by side.
    """
    import torch

    from ddiv.common.machine import usable_cores

    torch.set_num_threads(usable_cores())
    threadpool_limits(usable_cores())


@pytest.fixture
def versus(benchmark, request):
    """A function that times our code and a peer's, by turns.

    It is called as `versus(ours, peer, *, peer_name, check=None, rounds=3, target=None, note="")`.
    peer: the code to compare with, or None. check(ours' result, peer's result) raises
    AssertionError where they differ: a ratio counts only at equal results. target: the ratio to
    reach, told beside the one reached and never asserted. Peak memory is what the process needed
    above its size before the call.
    """

    def run(ours, peer, *, peer_name="", check=None, rounds=3, target=None, note=""):
        seconds, peaks, results = [], {"ours": [], "peer": []}, {}
        at_start = {}

        def begin(who):
            _reset_peak()
            at_start[who] = _megabytes("VmRSS")

        def end(who):
            if at_start.get(who) is not None:
                peaks[who].append(_megabytes("VmHWM") - at_start.pop(who))

        def timed():
            results["ours"] = ours()

        def peers_turn():
            end("ours")  # of the round before
            if peer is not None:
                begin("peer")
                start = time.perf_counter()
                results["peer"] = peer()
                seconds.append(time.perf_counter() - start)
                end("peer")
            begin("ours")

        benchmark.pedantic(timed, setup=peers_turn, rounds=rounds, iterations=1)
        end("ours")
        if check is not None:
            check(results["ours"], results.get("peer"))
        median = benchmark.stats.stats.median if benchmark.stats else None
        figures = {
            "what": request.node.name.removeprefix("test_").removeprefix("bench_"),
            "ours_s": median,
            "peer": peer_name,
            "peer_s": statistics.median(seconds) if seconds else None,
            "ratio": statistics.median(seconds) / median if seconds and median else None,
            "target": target,
            "ours_peak_mb": max(peaks["ours"], default=None),
            "peer_peak_mb": max(peaks["peer"], default=None),
            "note": note,
        }
        benchmark.extra_info.update(figures)
        request.config.stash.setdefault(FIGURES, []).append(figures)
        return results["ours"]

    return run


@pytest.fixture(scope="session")
def ww():
    """WeightWatcher on the CPU in full precision, quiet."""
    from ddiv.spectra.watcher import weightwatcher

    return weightwatcher()


def pytest_benchmark_update_json(config, benchmarks, output_json):
    """Beside the figures: the command that gave them and the versions that they are of."""
    from importlib.metadata import version

    libraries = ("torch", "numpy", "scipy", "weightwatcher", "vendi-score")
    output_json["command"] = "python -m pytest " + " ".join(sys.argv[1:])
    output_json["versions"] = {name: version(name) for name in libraries}
    for benchmark in output_json["benchmarks"]:
        benchmark["stats"].pop("data", None)
    output_json["machine_info"]["cpu"].pop("flags", None)


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash.get(FIGURES, [])
    if figures:
        from table import rows

        terminalreporter.section("ratios")
        for line in rows(figures):
            terminalreporter.write_line(line)
