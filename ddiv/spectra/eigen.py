"""Eigenvalues of weight matrices, many at once.

By default they are those of the Gram matrix of the shorter side in float64, which costs a sixth of
an SVD. Squaring the matrix costs accuracy at the small end only: against the squared singular
values of a float64 SVD the error is below 1e-13 times the LARGEST eigenvalue, so an eigenvalue's
own relative error is below 1e-13 * largest / itself, and one below 1e-13 times the largest is
round-off. `method="svd"` gives every eigenvalue to full relative accuracy at an SVD's price.

On the CPU as many threads as torch may use make LAPACK calls, each with one BLAS thread: at 768
eigenvalues that is 1.4 times as fast as one call after another with threaded BLAS. On a GPU the
thread that asks makes one call after another: torch loads its solvers at the first call, and
several at once would race.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache, partial
from itertools import chain

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ddiv.spectra.matrices import WeightMatrix, shape_of

METHODS = ("gram", "svd")

Progress = Callable[[int, int, str], None]

Solver = Callable[[list[WeightMatrix], str, int | None], list[np.ndarray]]

# Small matrices share a LAPACK call up to this size of their Gram matrices; a matrix of 768
# eigenvalues has a call of its own.
_CALL_BYTES = 4 * 2**20

_CUDA_CALL_BYTES = 256 * 2**20

# From this side on a product per matrix (which numpy does as a symmetric one, at half the work)
# beats a stacked product.
_OWN_PRODUCT = 64


def eigenvalues(
    matrices: Sequence[WeightMatrix],
    *,
    method: str = "gram",
    device: str = "auto",
    permute: int | None = None,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Name -> eigenvalues of W^T W, ascending float64.

    They are min(rows, columns) a matrix; pooled slices' are put together. method: "gram" or "svd",
    see above. device: "cpu", "cuda" or "auto", which is the CPU for matrices on the CPU; for
    matrices on a GPU it times one call of each size on both, once a process, and takes the faster.
    permute: a seed; the spectra are then those of the same matrices with their elements permuted
    (each slice within itself), which destroys all structure and keeps the elements: the null model
    of WeightWatcher's `randomize`. progress(done, total, name) is called as matrices are finished.

    ValueError, with the name, on an empty matrix, NaN or infinity, two matrices of one name, an
    unknown method or device.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: one of {', '.join(METHODS)}")
    devices = ("auto", "cpu", "cuda") if torch.cuda.is_available() else ("auto", "cpu")
    if device not in devices:
        raise ValueError(f"device {device!r} is not here: take {', '.join(devices)}")
    names = [m.name for m in matrices]
    if len(set(names)) < len(names):
        raise ValueError(f"names used twice: {sorted({n for n in names if names.count(n) > 1})}")
    for m in matrices:
        if m.tensor.numel() == 0:
            raise ValueError(f"{m.name} is empty: it has no spectrum")

    def solve(solver: Solver, call: list[WeightMatrix]) -> dict[str, np.ndarray]:
        spectra = solver(call, method, permute)
        return {
            m.name: np.sort(np.maximum(evals, 0.0), axis=None) for m, evals in zip(call, spectra)
        }

    solved: dict[str, np.ndarray] = {}
    calls: dict[str, list[list[WeightMatrix]]] = {"cpu": [], "cuda": []}
    for call in sorted(_calls(matrices), key=_work, reverse=True):
        calls[_where(call[0], method, device)].append(call)
    for done in chain(
        map(partial(solve, _on_cuda), calls["cuda"]),
        _in_threads(partial(solve, _on_cpu), calls["cpu"]),
    ):
        solved.update(done)
        if progress:
            progress(len(solved), len(names), next(iter(done)))
    return {name: solved[name] for name in names}


def _in_threads(
    solve: Callable[[list[WeightMatrix]], dict[str, np.ndarray]], calls: list[list[WeightMatrix]]
) -> Iterator[dict[str, np.ndarray]]:
    """What `solve` makes of each call, as calls are finished.

    The largest come first, so that no thread is left alone with one at the end.
    """
    workers = min(torch.get_num_threads(), len(calls))
    if workers < 2:
        yield from map(solve, calls)
        return
    # One BLAS thread for each of ours, or they would fight for the cores.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(solve, call) for call in calls]):
            yield future.result()


def _work(call: list[WeightMatrix]) -> float:
    """How much a call has to compute, in a unit of its own."""
    return sum(s.count * s.M**2 * (s.N + 4.0 * s.M) for s in (shape_of(m.tensor) for m in call))


def _calls(matrices: Sequence[WeightMatrix]) -> Iterator[list[WeightMatrix]]:
    """The matrices in lists of equal M and device, as many in each as one call may take."""
    groups: dict[tuple[int, torch.device], list[WeightMatrix]] = {}
    for m in matrices:
        groups.setdefault((shape_of(m.tensor).M, m.tensor.device), []).append(m)
    for (M, device), group in groups.items():
        limit = _CALL_BYTES if device.type == "cpu" else _CUDA_CALL_BYTES
        call: list[WeightMatrix] = []
        size = 0
        for m in group:
            size += shape_of(m.tensor).count * M * M * 8
            if call and size > limit:
                yield call
                call, size = [], shape_of(m.tensor).count * M * M * 8
            call.append(m)
        yield call


def _on_cpu(call: list[WeightMatrix], method: str, permute: int | None) -> list[np.ndarray]:
    weights = [_weights(m, permute) for m in call]
    if method == "svd":
        return [np.linalg.svd(w, compute_uv=False) ** 2 for w in weights]
    evals = np.linalg.eigvalsh(np.concatenate([_grams(w) for w in weights]))
    return np.split(evals, np.cumsum([len(w) for w in weights])[:-1])


def _on_cuda(call: list[WeightMatrix], method: str, permute: int | None) -> list[np.ndarray]:
    home = call[0].tensor.device  # all have the same (`_calls`)
    device = home if home.type == "cuda" else torch.device("cuda")
    weights = [
        torch.from_numpy(_weights(m, permute)).to(device)
        if permute is not None or home != device
        else _checked(m, _tall(m.tensor.detach().double()))
        for m in call
    ]
    if method == "svd":
        return [torch.linalg.svdvals(w).square().cpu().numpy() for w in weights]
    evals = torch.linalg.eigvalsh(torch.cat([w.mT @ w for w in weights])).cpu().numpy()
    return np.split(evals, np.cumsum([len(w) for w in weights])[:-1])


def _tall(w: torch.Tensor) -> torch.Tensor:
    """(rows, columns) or (slices, rows, columns) as (slices, N, M) with N >= M."""
    w = w.reshape(-1, *w.shape[-2:])
    return w if w.shape[1] >= w.shape[2] else w.mT


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity.

    The largest absolute value tells, six times as fast as a look at each element.
    """
    return tensor.numel() == 0 or bool(torch.isfinite(tensor.abs().max()))


def _checked(m: WeightMatrix, w: torch.Tensor) -> torch.Tensor:
    if not is_finite(w):
        raise ValueError(f"{m.name} holds NaN or infinity: it has no spectrum")
    return w


def _weights(m: WeightMatrix, permute: int | None) -> np.ndarray:
    """The matrix as float64 on the CPU, (slices, N, M).

    permute: a seed, to permute the elements of each slice.
    """
    tensor = m.tensor.detach().to("cpu", torch.float64, copy=permute is not None)
    w: np.ndarray = _checked(m, _tall(tensor)).contiguous().numpy()
    if permute is not None:
        # The seed holds the name, so that a matrix's draw does not depend on its place among the
        # others.
        rng = np.random.default_rng([permute, zlib.crc32(m.name.encode())])
        for part in w.reshape(len(w), -1):
            rng.shuffle(part)
    return w


def _grams(w: np.ndarray) -> np.ndarray:
    """W^T W of each slice: (slices, N, M) -> (slices, M, M)."""
    if w.shape[2] < _OWN_PRODUCT:
        products: np.ndarray = w.transpose(0, 2, 1) @ w
        return products
    grams = np.empty((len(w), w.shape[2], w.shape[2]))
    for part, gram in zip(w, grams):
        np.matmul(part.T, part, out=gram)
    return grams


def _where(m: WeightMatrix, method: str, device: str) -> str:
    """On which device, "cpu" or "cuda", a call that begins with this matrix is solved."""
    if device != "auto":
        return device
    if m.tensor.device.type != "cuda":
        return "cpu"
    shape = shape_of(m.tensor)
    return _faster(shape.N, shape.M, method, m.tensor.device)


@cache
def _faster(N: int, M: int, method: str, device: torch.device) -> str:
    """The device that solves a call of matrices N x M on a GPU sooner.

    The CPU's time is divided by the number of its threads, which solve as many calls at once.
    """
    side = max(1, min(16, _CALL_BYTES // (8 * M * M)))
    probe = [
        WeightMatrix(str(i), "other", torch.randn(N, M, device=device), "") for i in range(side)
    ]
    seconds = {}
    for name, solver, share in (("cpu", _on_cpu, torch.get_num_threads()), ("cuda", _on_cuda, 1)):
        with threadpool_limits(1, user_api="blas"):  # as `_in_threads` has it
            solver(probe[:1], method, None)
            start = time.perf_counter()
            solver(probe, method, None)
            seconds[name] = (time.perf_counter() - start) / share
    return min(seconds, key=seconds.__getitem__)
