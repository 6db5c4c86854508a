"""Eigenvalues of weight matrices, many at once.

By default they are those of the Gram matrix of the shorter side in float64, which costs a sixth of
an SVD. Squaring the matrix costs accuracy at the small end only: against the squared singular
values of a float64 SVD the error is below 1e-13 times the LARGEST eigenvalue, so an eigenvalue's
own relative error is below 1e-13 * largest / itself, and one below 1e-13 times the largest is
round-off. `method="svd"` gives every eigenvalue to full relative accuracy at an SVD's price.

On the CPU as many threads as torch may use make LAPACK calls, each with one BLAS thread: at 768
eigenvalues that is 1.4 times as fast as one call after another with threaded BLAS.

On a GPU matrices of one size are solved together. torch's `eigvalsh` would loop over them; the SVD
of cuSOLVER for batches (gesvda, which also goes by W^T W) does not. On an H200 48 matrices of 1,536
x 768 took it 67 ms, `eigvalsh` 344, CuPy's 470 and 16 cores 472; 512 Gram matrices of 64
eigenvalues 1.7 ms, 159, 2.4 and 44 (benchmarks/results/gpu-eigen.json). Its sums are checked, and
where they are off, `eigvalsh` solves anew. Above `_LARGEST_BATCHED` eigenvalues `eigvalsh` is taken
at once: there a single matrix fills the GPU. The thread that asks makes one call after another:
torch loads its solvers at the first call, and several at once would race.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
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

_LARGEST_BATCHED = 1024

_BATCHED_SVD = "gesvda"

# By how much of the squared norm of W^T W the eigenvalues' own may differ: round-off is far below.
_SUMS_AGREE = 1e-12

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
    see above. device: "cpu", "cuda" or "auto", which is where the matrices are.
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
    for where, call in sorted(_calls(matrices, device), key=lambda pair: -_work(pair[1])):
        calls[where].append(call)
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


def _calls(
    matrices: Sequence[WeightMatrix], device: str
) -> Iterator[tuple[str, list[WeightMatrix]]]:
    """The matrices in lists of equal M and home, as many in each as one call may take.

    Each with the kind of device that solves it, "cpu" or "cuda".
    """
    groups: dict[tuple[int, torch.device], list[WeightMatrix]] = {}
    for m in matrices:
        groups.setdefault((shape_of(m.tensor).M, m.tensor.device), []).append(m)
    for (M, home), group in groups.items():
        where = device if device != "auto" else "cuda" if home.type == "cuda" else "cpu"
        limit = _CALL_BYTES if where == "cpu" else _CUDA_CALL_BYTES
        call: list[WeightMatrix] = []
        size = 0
        for m in group:
            size += shape_of(m.tensor).count * M * M * 8
            if call and size > limit:
                yield where, call
                call, size = [], shape_of(m.tensor).count * M * M * 8
            call.append(m)
        yield where, call


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
    solved: dict[torch.Size, Iterator[np.ndarray]] = {}
    for shape in dict.fromkeys(w.shape[1:] for w in weights):
        alike = [w for w in weights if w.shape[1:] == shape]
        stacked = alike[0] if len(alike) == 1 else torch.cat(alike)
        evals = _batched(stacked).cpu().numpy()
        solved[shape] = iter(np.split(evals, np.cumsum([len(w) for w in alike])[:-1]))
    return [next(solved[w.shape[1:]]) for w in weights]


def _batched(w: torch.Tensor) -> torch.Tensor:
    """The eigenvalues (n, M) of W^T W for matrices (n, N, M) with N >= M, on their device."""
    grams = w.mT @ w
    evals = _by_svd(w, grams) if w.shape[2] <= _LARGEST_BATCHED else None
    return torch.linalg.eigvalsh(grams) if evals is None else evals


def _by_svd(w: torch.Tensor, grams: torch.Tensor) -> torch.Tensor | None:
    """The same by the SVD for batches.

    None where the sums are off, where it does not converge, and on a GPU of another maker than
    NVIDIA, which lacks it.
    """
    try:
        values = torch.linalg.svdvals(w, driver=_BATCHED_SVD if w.is_cuda else None)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        return None
    evals: torch.Tensor = values.square()
    squared = grams.square().sum((1, 2))
    agree = (evals.square().sum(1) - squared).abs() <= _SUMS_AGREE * squared
    return evals if bool(agree.all()) else None


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
