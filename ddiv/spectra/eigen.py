"""Eigenvalues of weight matrices, many at once.

By default they are those of the Gram matrix of the shorter side in float64, which costs a sixth of
an SVD. Squaring the matrix costs accuracy at the small end only: against the squared singular
values of a float64 SVD the error is below 1e-13 times the LARGEST eigenvalue, so an eigenvalue's
own relative error is below 1e-13 * largest / itself, and one below 1e-13 times the largest is
round-off. `method="svd"` gives every eigenvalue to full relative accuracy at an SVD's price.

On the CPU matrices are handed to as many threads as torch may use, one LAPACK call at a time in
each with one BLAS thread: at 768 eigenvalues that is 1.4 times as fast as one call after another
with threaded BLAS. On a GPU calls are made one after another in the thread that asks: torch loads
its solvers at the first, and several at once would race.
"""

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

# Small matrices share a LAPACK call up to this size of their Gram matrices; one of 768 has a call
# of its own.
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
    """Name -> eigenvalues of W^T W, ascending float64: min(rows, columns) of them, for pooled
    slices all together.

    method: "gram" or "svd", see above. device: "cpu", "cuda", or "auto", which is the CPU for
    matrices that are there; for matrices on a GPU it times one call of each size on both, once a
    process, and takes the faster. permute: a seed; the spectra are then those of the same matrices
    with their elements permuted (each slice within itself), which destroys all structure and keeps
    the elements: the null model of WeightWatcher's `randomize`. progress(done, total, name) is
    called as matrices are finished.

    ValueError, with the name, on an empty matrix, NaN or infinity, two matrices of one name, an
    unknown method or device.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: one of {', '.join(METHODS)}")
    if device not in ("auto", "cpu", "cuda") or device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {device!r} is not here: take auto, cpu" + ", cuda" * torch.cuda.is_available()
        )
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
    calls: dict[str, list] = {"cpu": [], "cuda": []}
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
    solve: Callable[[list[WeightMatrix]], dict], calls: list[list[WeightMatrix]]
) -> Iterator[dict]:
    """solve of each call, as it is finished.

    Largest calls first leave no thread alone with one at the end.
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
    return sum(s.count * s.M**2 * (s.N + 4.0 * s.M) for s in (shape_of(m.tensor) for m in call))


def _calls(matrices: Sequence[WeightMatrix]) -> Iterator[list[WeightMatrix]]:
    """The matrices in lists of equal M and device, as many in each as one call may take."""
    groups: dict[tuple[int, torch.device], list[WeightMatrix]] = {}
    for m in matrices:
        groups.setdefault((shape_of(m.tensor).M, m.tensor.device), []).append(m)
    for (M, device), group in groups.items():
        limit = _CALL_BYTES if device.type == "cpu" else _CUDA_CALL_BYTES
        call, size = [], 0
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
    home = call[0].tensor.device  # that of all (`_calls`)
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
    """Whether a tensor holds neither NaN nor infinity: by its largest size, which is six times as
    fast as each element's.
    """
    return tensor.numel() == 0 or bool(torch.isfinite(tensor.abs().max()))


def _checked(m: WeightMatrix, w: torch.Tensor) -> torch.Tensor:
    if not is_finite(w):
        raise ValueError(f"{m.name} holds NaN or infinity: it has no spectrum")
    return w


def _weights(m: WeightMatrix, permute: int | None) -> np.ndarray:
    """The matrix as float64 on the CPU, (slices, N, M), its elements permuted within each slice if
    asked.
    """
    w = m.tensor.detach().to("cpu", torch.float64, copy=permute is not None)
    w = _checked(m, _tall(w)).contiguous().numpy()
    if permute is not None:
        # The name in the seed, so that a matrix's draw depends neither on its place nor on its
        # company.
        rng = np.random.default_rng([permute, zlib.crc32(m.name.encode())])
        for part in w.reshape(len(w), -1):
            rng.shuffle(part)
    return w


def _grams(w: np.ndarray) -> np.ndarray:
    if w.shape[2] < _OWN_PRODUCT:
        return w.transpose(0, 2, 1) @ w
    grams = np.empty((len(w), w.shape[2], w.shape[2]))
    for part, gram in zip(w, grams):
        np.matmul(part.T, part, out=gram)
    return grams


def _where(m: WeightMatrix, method: str, device: str) -> str:
    if device != "auto":
        return device
    if m.tensor.device.type != "cuda":
        return "cpu"
    shape = shape_of(m.tensor)
    return _faster(shape.N, shape.M, method, m.tensor.device)


@cache
def _faster(N: int, M: int, method: str, device: torch.device) -> str:
    """Where a call of matrices N x M on a GPU is solved sooner.

    The CPU's time is shared among its threads.
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
