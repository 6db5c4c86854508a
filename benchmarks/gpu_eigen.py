"""Which way of getting eigenvalues of symmetric matrices is fastest on a GPU, in float64.

    python benchmarks/gpu_eigen.py [--device cuda|cpu] [--tiny] [--seconds S] [--threads T]
                                   [--out FILE]

The matrices are Gram matrices W^T W on the device, W of 2M x M normal numbers, at sides M (count)
768 (48), 64 (512), 100 (500), 512 (32) and 2048 (4). The time of each way is from them to the
eigenvalues in the CPU's memory: for the ways on the CPU it includes the copy of the matrices, and
for none the Gram products. It is the median of three runs after a warm-up, of fewer where they take
over 1.2 seconds together, and the warm-up's where that takes over six ("once"). A way that is too
slow by a run with one matrix, for what is left of the S seconds or for six, is skipped. S counts
from the end of the imports, and the script ends then whatever it is doing.

The main ways come first at all sides, then the others. Each is tried for itself: what fails is
noted. CuPy is measured where it is installed, for reference. "cpu" is what ddiv does on the CPU.
"tridiagonal" is a Householder reduction of the whole batch in torch, and LAPACK's sterf on the CPU.

It prints each measurement as it is made, and at the end a table of milliseconds, rows ways, columns
sides: * where an eigenvalue differs from numpy's by more than 1e-10 of the largest of its matrix,
' where the way ran once, ~ a projection of a skipped way. FILE (JSON) is written after each
measurement, with the largest difference.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.linalg import cython_lapack
from threadpoolctl import threadpool_limits

from ddiv.common.machine import device_name, usable_cores
from ddiv.spectra.eigen import _CALL_BYTES

ALLOWED = 1e-10  # in float64; round-off is below 1e-13
SIDES = {768: 48, 64: 512, 100: 500, 512: 32, 2048: 4}  # the most wanted first
TINY = {8: 6, 16: 4}
ONCE = 6.0  # seconds of a warm-up after which a way isn't repeated
ENOUGH = 1.2  # seconds of repeats after which there are no more
LONGEST = 6.0  # projected seconds above which a way is skipped

Solver = Callable[[torch.Tensor], np.ndarray]


class Way(NamedTuple):
    """(count, M, M) on the device -> (count, M) on the CPU, ascending.

    probe: whether one matrix alone tells about how long the batch takes.
    """

    name: str
    solve: Solver
    cuda_only: bool = False
    largest: int = 10**6
    probe: bool = True


def settled(home: torch.device) -> None:
    if home.type == "cuda":
        torch.cuda.synchronize()


def seconds(solve: Solver, batch: torch.Tensor) -> tuple[float, np.ndarray]:
    settled(batch.device)
    started = time.perf_counter()
    found = solve(batch)
    settled(batch.device)
    return time.perf_counter() - started, found


# The ways


@cache
def workers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def lapack(threads: int, even: bool) -> Solver:
    """LAPACK by numpy in threads, each with one BLAS thread.

    A call takes as many matrices as one of ddiv's does, or if even a thread's share of them.
    """

    def solve(batch: torch.Tensor) -> np.ndarray:
        grams = batch.cpu().numpy()
        per = -(-len(grams) // threads) if even else max(1, _CALL_BYTES // grams[0].nbytes)
        parts = [grams[i : i + per] for i in range(0, len(grams), per)]
        with threadpool_limits(1, user_api="blas"):
            return np.concatenate(list(workers(threads).map(np.linalg.eigvalsh, parts)))

    return solve


def batched(batch: torch.Tensor) -> np.ndarray:
    return torch.linalg.eigvalsh(batch).cpu().numpy()


def each(batch: torch.Tensor) -> np.ndarray:
    return torch.stack([torch.linalg.eigvalsh(one) for one in batch]).cpu().numpy()


def streams(threads: int) -> Solver:
    """A call a matrix from as many threads, each with a stream of its own."""
    own, one_at_a_time = threading.local(), threading.Lock()

    def prepare() -> None:
        with one_at_a_time:  # several first calls at once would race
            own.stream = torch.cuda.Stream()
            alone(torch.eye(16, dtype=torch.float64, device="cuda"))

    def alone(gram: torch.Tensor) -> np.ndarray:
        with torch.cuda.stream(own.stream):
            return torch.linalg.eigvalsh(gram).cpu().numpy()

    @cache
    def pool() -> ThreadPoolExecutor:
        torch.linalg.eigvalsh(torch.eye(16, dtype=torch.float64, device="cuda"))
        settled(torch.device("cuda"))
        return ThreadPoolExecutor(threads, initializer=prepare)

    return lambda batch: np.stack(list(pool().map(alone, batch)))


def vectors_too(batch: torch.Tensor) -> np.ndarray:
    return torch.linalg.eigh(batch)[0].cpu().numpy()


def in_float32(batch: torch.Tensor) -> np.ndarray:
    return torch.linalg.eigh(batch.float())[0].cpu().double().numpy()


def singular(driver: str) -> Solver:
    return lambda batch: torch.linalg.svdvals(batch, driver=driver).flip(-1).cpu().numpy()


def library(name: str) -> Solver:
    """Batched eigvalsh, by one of the libraries that torch may prefer."""

    def solve(batch: torch.Tensor) -> np.ndarray:
        torch.backends.cuda.preferred_linalg_library(name)
        try:
            return batched(batch)
        finally:
            torch.backends.cuda.preferred_linalg_library("default")

    return solve


def cupy_batched(batch: torch.Tensor) -> np.ndarray:
    cupy = import_module("cupy")
    return cupy.asnumpy(cupy.linalg.eigvalsh(cupy.from_dlpack(batch)))


def reduce(A: torch.Tensor, off: torch.Tensor) -> None:
    """Householder reduction in place: A's diagonal and `off` are then the tridiagonal matrices.

    From the last row up, so that what is left always begins at the aligned corner.
    """
    for k in range(A.shape[1] - 1, 1, -1):
        v = A[:, k, :k].clone()
        last = v[:, -1:]
        norm = torch.linalg.vector_norm(v, dim=1, keepdim=True)
        off[:, k - 1 : k] = torch.copysign(norm, -last)
        tau = (norm * (norm + last.abs())).clamp_min(1e-300).reciprocal()  # 2 / v.v
        last += torch.copysign(norm, last)
        left = A[:, :k, :k]
        p = (left @ v[:, :, None])[:, :, 0] * tau
        w = torch.addcmul(p, (p * v).sum(1, keepdim=True) * tau, v, value=-0.5)
        left.baddbmm_(torch.stack((v, w), 2), torch.stack((w, v), 1), alpha=-1)
    off[:, 0] = A[:, 1, 0]


class Tridiagonal:
    """`reduce` on the device, as a CUDA graph or not, then sterf in threads on the CPU.

    reduction: the seconds of the last run until the tridiagonal matrices were on the CPU.
    """

    def __init__(self, threads: int, graph: bool) -> None:
        self.threads, self.graph, self.reduction = threads, graph, 0.0
        self.A = self.off = torch.empty(0)
        self.captured: torch.cuda.CUDAGraph | None = None

    def prepare(self, batch: torch.Tensor) -> None:
        self.captured, self.A = None, batch.clone()
        self.off = batch.new_zeros(len(batch), batch.shape[1] - 1)
        if self.graph:
            reduce(self.A, self.off)  # loads the kernels
            settled(batch.device)
            self.captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.captured):
                reduce(self.A, self.off)

    def __call__(self, batch: torch.Tensor) -> np.ndarray:
        if self.A.shape != batch.shape:
            self.prepare(batch)
        started = time.perf_counter()
        self.A.copy_(batch)
        if self.captured:
            self.captured.replay()
        else:
            reduce(self.A, self.off)
        diagonal = self.A.diagonal(dim1=1, dim2=2).cpu().numpy()
        off = self.off.cpu().numpy()
        self.reduction = time.perf_counter() - started
        share = max(1, len(off) // (4 * self.threads))
        parts = [slice(i, i + share) for i in range(0, len(off), share)]
        solved = workers(self.threads).map(lambda s: sterf(diagonal[s], off[s]), parts)
        return np.concatenate(list(solved))


@cache
def lapack_sterf() -> Callable[..., None]:
    """LAPACK's dsterf(n, d, e, info) as scipy has it, called without the GIL."""
    capsule = cython_lapack.__pyx_capi__["dsterf"]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    address_of = ctypes.pythonapi.PyCapsule_GetPointer
    address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = address_of(capsule, name_of(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address)


def sterf(diagonal: np.ndarray, off: np.ndarray) -> np.ndarray:
    """The eigenvalues of tridiagonal matrices, one call a matrix."""
    evals, off = diagonal.astype(np.float64, order="C"), off.astype(np.float64, order="C")
    n, info = ctypes.c_int(evals.shape[1]), ctypes.c_int(0)
    solve = lapack_sterf()
    for d, e in zip(evals, off):
        solve(ctypes.addressof(n), d.ctypes.data, e.ctypes.data, ctypes.addressof(info))
        if info.value:
            raise ArithmeticError(f"sterf: info {info.value}")
    return evals


def all_ways(threads: int) -> list[list[Way]]:
    """In the order in which they are measured, each list at all sides before the next."""
    main = [
        Way("cpu", lapack(threads, even=False), probe=False),
        Way("cpu, even shares", lapack(threads, even=True), largest=128, probe=False),
        Way("eigvalsh batched", batched),
        Way("tridiagonal", Tridiagonal(threads, graph=False), largest=768, probe=False),
        Way("tridiagonal, graph", Tridiagonal(threads, graph=True), True, 768, probe=False),
        Way("cupy eigvalsh", cupy_batched, cuda_only=True),
        Way("eigvalsh each", each),
    ]
    variants = [
        Way("eigvalsh 4 streams", streams(4), cuda_only=True),
        Way("eigvalsh 8 streams", streams(8), cuda_only=True),
        Way("eigvalsh cusolver", library("cusolver"), cuda_only=True),
    ]
    others = [
        Way("eigh batched", vectors_too),
        Way("eigh float32", in_float32),
        Way("svdvals gesvdj", singular("gesvdj"), cuda_only=True, largest=768),
        Way("svdvals gesvda", singular("gesvda"), cuda_only=True, largest=768),
        Way("svdvals gesvd", singular("gesvd"), cuda_only=True, largest=512),
    ]
    return [main, variants, others, [Way("eigvalsh magma", library("magma"), cuda_only=True)]]


# The measurement


def grams(side: int, count: int, home: torch.device) -> torch.Tensor:
    generator = torch.Generator(home).manual_seed(side)
    shape = (count, 2 * side, side)
    W = torch.randn(shape, generator=generator, dtype=torch.float64, device=home)
    product = W.mT @ W / (2 * side)
    return (product + product.mT) / 2


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest of a batch, as a share of the largest eigenvalue of its matrix."""
    return float((np.abs(found - expected).max(1) / expected.max(1)).max())


def skipped(way: Way, batch: torch.Tensor, left: float) -> dict | None:
    """Why a way isn't measured; None where it is."""
    if way.cuda_only and batch.device.type != "cuda":
        return {"skipped": "needs CUDA"}
    if batch.shape[1] > way.largest:
        return {"skipped": f"only up to {way.largest}"}
    if left < 1:
        return {"skipped": "no time left"}
    if not way.probe:
        return None
    first, _ = seconds(way.solve, batch[:1])  # loads solvers
    if first < ONCE:
        first = min(first, seconds(way.solve, batch[:1])[0])
    projected = first * len(batch)
    if projected > min(LONGEST, left - first):
        return {"skipped": "too slow", "projected": projected}
    return None


def measured(way: Way, batch: torch.Tensor, expected: np.ndarray, deadline: float) -> dict:
    """Seconds, the number of runs and the difference from numpy, or why there are none."""
    reason = skipped(way, batch, deadline - time.perf_counter())
    if reason:
        return reason
    warm, found = seconds(way.solve, batch)
    apart = difference(found, expected)
    runs: list[float] = []
    while len(runs) < 3 and warm <= ONCE and sum(runs) < ENOUGH:
        if runs and time.perf_counter() + runs[-1] > deadline:
            break
        runs.append(seconds(way.solve, batch)[0])
    figures = {
        "seconds": statistics.median(runs or [warm]),
        "warm_up": warm,
        "runs": len(runs),
        "once": not runs,
        "difference": apart,
        "over": not apart <= ALLOWED,
    }
    if isinstance(way.solve, Tridiagonal):
        figures["reduction_seconds"] = way.solve.reduction
    return figures


def guarded(way: Way, batch: torch.Tensor, expected: np.ndarray, deadline: float) -> dict:
    try:
        return measured(way, batch, expected, deadline)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:400]}


def cell(figures: dict | None) -> str:
    if figures is None:
        return ""
    if "seconds" in figures:
        marks = "*" * figures["over"] + "'" * figures["once"]
        return f"{1000 * figures['seconds']:.1f}{marks}"
    if "projected" in figures:
        return f"~{1000 * figures['projected']:.0f}"
    return "error" if "error" in figures else "-"


def table(results: dict) -> str:
    sides = list(results)
    names = list(dict.fromkeys(name for side in sides for name in list(results[side])))
    rows = [["ms", *sides]]
    rows += [[name, *(cell(results[side].get(name)) for side in sides)] for name in names]
    return "\n".join(f"{row[0]:20}" + "".join(f"{c:>13}" for c in row[1:]) for row in rows)


def machine(home: torch.device, threads: int) -> dict:
    cuda = home.type == "cuda"
    return {
        "device": device_name(home),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "magma": cuda and torch.cuda.has_magma,
        "numpy": np.__version__,
        "cpus": os.cpu_count(),
        "threads": threads,
    }


class Record:
    """What was measured: printed, and written to a file as it comes."""

    def __init__(self, about: dict, sides: dict[int, int], out: Path | None) -> None:
        self.about, self.out = about, out
        self.results: dict[str, dict] = {f"{side} ({n})": {} for side, n in sides.items()}

    def add(self, column: str, name: str, figures: dict) -> None:
        self.results[column][name] = figures
        said = ", ".join(
            f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in figures.items()
        )
        print(f"{column} {name}: {said}", flush=True)
        if self.out:
            written = json.dumps({**self.about, "results": self.results}, indent=2)
            self.out.write_text(written + "\n", "utf-8")

    def give_up(self) -> None:
        """Ends the process in the middle of a measurement that takes too long."""
        print(f"the time is over\n{table(self.results)}", flush=True)
        os._exit(0)


def measure(record: Record, sides: dict[int, int], home: torch.device, options) -> None:
    deadline = time.perf_counter() + options.seconds
    batches = {side: grams(side, count, home) for side, count in sides.items()}
    expected: dict[int, np.ndarray] = {}
    for ways in all_ways(options.threads):
        for (side, batch), column in zip(batches.items(), record.results):
            if side not in expected:
                expected[side] = lapack(options.threads, even=True)(batch)
            for way in ways:
                record.add(column, way.name, guarded(way, batch, expected[side], deadline))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="few small matrices, to try it")
    parser.add_argument("--seconds", type=float, default=70.0, help="what it may take (70)")
    parser.add_argument(
        "--threads", type=int, default=usable_cores(), help="threads on the CPU (one a core)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    home, sides = torch.device(options.device), TINY if options.tiny else SIDES
    torch.set_num_threads(options.threads)
    record = Record(machine(home, options.threads), sides, options.out)
    watch = threading.Timer(options.seconds, record.give_up)
    watch.daemon = True
    watch.start()
    measure(record, sides, home, options)
    watch.cancel()
    print(table(record.results))


if __name__ == "__main__":
    main()
