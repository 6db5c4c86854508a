"""Samples in bounded blocks of rows, to be computed with in float64 on the CPU or a GPU.

Samples come as arrays, tensors or batches of any real type.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

# A block of rows is at most this large once it is float64.
BLOCK_BYTES = 64 * 2**20

KERNELS = ("cosine", "linear", "rbf")


class Backend(NamedTuple):
    """Where float64 blocks are multiplied: numpy (device None), or torch on a device."""

    xp: ModuleType
    device: Any = None

    def float64(self, rows: Any) -> Any:
        """Rows of any real type, of numpy or torch, as float64 here."""
        if self.device is not None:
            if isinstance(rows, np.ndarray):
                # torch takes no other order of bytes or of rows, and no wider floats
                kind = rows.dtype.newbyteorder("=") if rows.dtype.itemsize <= 8 else np.float64
                rows = rows.astype(kind, order="C", copy=False)
            return self.xp.as_tensor(rows).detach().to(self.device, self.xp.float64)
        if hasattr(rows, "detach"):
            return rows.detach().cpu().double().numpy()
        return np.asarray(rows, np.float64)

    def zeros(self, *shape: int) -> Any:
        return self.float64(np.zeros(shape))

    def plus_gram(self, total: Any, rows: Any) -> Any:
        """The lower triangle of total + rows^T rows, of float64 (d, d) and (b, d).

        `total`, in Fortran's order, is overwritten; above its diagonal stands anything.
        """
        if self.device is None:
            from scipy.linalg.blas import dsyrk

            # It adds, where numpy would make a second (d, d) and mirror it.
            return dsyrk(1.0, rows.T, beta=1.0, c=total, lower=1, overwrite_c=1)
        total += rows.T @ rows
        return total

    @staticmethod
    def numpy(values: Any) -> np.ndarray:
        """Values of this backend as a numpy array."""
        array: np.ndarray = values.cpu().numpy() if hasattr(values, "detach") else values
        return array


def backend(device: Any = "auto") -> Backend:
    """The backend of a `device`: "numpy"; a torch device ("cuda", "cpu"); or "auto".

    "auto" is CUDA where the program has imported torch already and torch sees a GPU, else numpy:
    nobody waits for torch's import to learn that there is no GPU. ValueError where the device has
    no float64 or is not there.
    """
    if isinstance(device, str) and device == "auto":
        imported = sys.modules.get("torch")
        device = "cuda" if imported is not None and imported.cuda.is_available() else "numpy"
    if isinstance(device, str) and device == "numpy":
        return Backend(np)
    import torch

    try:
        chosen = torch.device(device)
        torch.zeros(1, dtype=torch.float64, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f'device {device!r} cannot be used with float64: {reason}. Use "numpy"'
        ) from error
    return Backend(torch, chosen)


def is_number(value: Any, whole: bool = False) -> bool:
    """Whether a value is a real number (a whole one), of Python's or numpy's; bools are none."""
    return isinstance(value, Integral if whole else Real) and not isinstance(value, bool)


def plain(values: Any, name: str = "X") -> Any:
    """Real numbers as a plain array of numpy's, or as a dense tensor of torch's, in their own type.

    Data frames, lists and the like become arrays. ValueError on anything else: on sparse values,
    all of which are needed, on masked ones, and on numbers that are not real.
    """
    require_dense(values, name)
    if hasattr(values, "detach"):
        if values.is_complex() or values.device.type == "meta":
            raise ValueError(f"{name} must hold real numbers, got {values.dtype}")
        return values
    if np.ma.isMaskedArray(values):
        if np.ma.is_masked(values):
            raise ValueError(
                f"{name} has masked values: leave those samples out, or fill them "
                f"({name}.filled(0))"
            )
        values = values.data
    try:
        array = np.asarray(values)
    except Exception as error:  # ragged lists and foreign arrays raise all sorts of errors
        raise ValueError(f"{name} cannot become an array of numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold real numbers, got {array.dtype}: convert it, for instance with "
            f"{name}.astype(float)"
        )
    return array


def require_dense(values: Any, name: str) -> None:
    """ValueError on a sparse array or tensor of any library."""
    ways = [way for way in ("toarray", "todense") if hasattr(values, way)]
    if hasattr(values, "detach") and (
        str(values.layout) != "torch.strided" or values.is_nested or values.is_quantized
    ):
        ways = ["dequantize" if values.is_quantized else "to_dense"]
    if ways:
        raise ValueError(f"{name} is sparse: pass {name}.{ways[0]}(), as all its values are needed")


def blocks(X: Any, beside: int = 1) -> Iterator[Any]:
    """X as blocks of rows (b, d), each in its own type; b * max(d, beside) float64 fit BLOCK_BYTES.

    X: an array or tensor (n, d), or an iterable of such batches; small batches are joined. beside:
    how many values the caller makes of a row. ValueError on another shape, batches of different
    width, values that are not real numbers, or no samples.
    """
    width, count = 0, 0
    waiting: list[Any] = []
    for batch in [X] if is_array(X) else _batches(X):
        batch = plain(batch) if is_array(batch) else batch
        shape = tuple(getattr(batch, "shape", ()))
        if len(shape) != 2 or shape[1] == 0 or (width and shape[1] != width):
            wanted = f"(b, {width})" if width else "(n, d) with n, d >= 1"
            raise ValueError(
                f"X must have shape {wanted}, or be batches of such, "
                f"got {shape or type(batch).__name__}"
            )
        width = shape[1]
        step = max(1, BLOCK_BYTES // (8 * max(width, beside)))
        for start in range(0, shape[0], step):
            part = batch[start : start + step]
            if count + len(part) > step:
                yield _joined(waiting)
                waiting, count = [], 0
            if waiting and _home(part) != _home(waiting[0]):
                raise ValueError(
                    f"batches of X lie in {_home(waiting[0])} and {_home(part)}: bring them to one"
                )
            waiting.append(part)
            count += len(part)
    if not waiting:
        raise ValueError("X must have shape (n, d) with n, d >= 1, got no samples")
    yield _joined(waiting)


def is_array(X: Any) -> bool:
    """Whether X is one array or tensor, and not batches of such."""
    return hasattr(X, "detach") or hasattr(X, "shape")  # a nested tensor has no shape


def _batches(X: Any) -> Iterable[Any]:
    if isinstance(X, (str, bytes)) or not isinstance(X, Iterable):
        raise ValueError(
            "X must be an array of shape (n, d) or an iterable of such batches, "
            f"got {type(X).__name__}"
        )
    return X


def _home(part: Any) -> str:
    return f"torch on {part.device}" if hasattr(part, "detach") else "numpy"


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return sys.modules["torch"].cat(parts) if hasattr(parts[0], "detach") else np.concatenate(parts)


def probabilities(weights: Any) -> np.ndarray | None:
    """Sample weights (n,) as probabilities; None, for equal ones, as None.

    ValueError unless they are finite, 0 or more, and not all 0.
    """
    if weights is None:
        return None
    weights = Backend(np).float64(plain(weights, "weights"))
    if weights.ndim != 1:
        raise ValueError(f"weights must be one number a sample, got shape {weights.shape}")
    finite = len(weights) and np.isfinite(weights).all()
    if not finite or weights.min() < 0 or weights.max() == 0:
        raise ValueError("weights must be finite, 0 or more, and not all 0")
    scaled = weights / weights.max()
    p: np.ndarray = scaled / scaled.sum()
    return p


def scaled_rows(where: Backend, rows: Any, kernel: str, start: int, p: np.ndarray | None) -> Any:
    """Rows in float64, of length 1 (checked under "linear"), times the roots of their weights p.

    start: index of the first row in the whole set. ValueError on NaN or infinity, zero vectors,
    lengths other than 1 under "linear" (to 1e-6), or more rows than weights.
    """
    # float64 rows are the caller's own array; others have become a copy, which may be written to
    ours = str(rows.dtype).rpartition(".")[2] != "float64"
    rows = where.float64(rows)
    length = where.numpy(where.xp.sqrt(where.xp.einsum("ij,ij->i", rows, rows)))
    # rows with NaN too, and those whose squares may have over- or underflowed
    odd = ~((length > 1e-150) & (length < 1e150))
    if odd.any():
        top = np.abs(where.numpy(rows)[odd]).max(axis=1)
        span = f"in rows {start} to {start + len(odd) - 1}"
        if not np.isfinite(top).all():
            raise ValueError(f"X holds NaN or infinity {span}: leave them out")
        if (top == 0).any():
            raise ValueError(
                f"cosine is undefined for zero vectors: {int((top == 0).sum())} of {len(odd)} "
                f"{span}. Leave them out, or see black_apart"
            )
        scale = np.ones(len(odd))
        scale[odd] = top if kernel != "linear" else 1.0
        rows, ours = rows / where.float64(scale)[:, None], True
        length = where.numpy(where.xp.sqrt(where.xp.einsum("ij,ij->i", rows, rows)))
    if kernel == "linear":
        if (np.abs(length - 1) > 1e-6).any():
            raise ValueError("the linear kernel needs vectors of length 1; use the cosine kernel")
        length = np.ones(len(length))
    with np.errstate(divide="ignore"):  # a row of no weight becomes 0
        scale = where.float64(length / roots(p, start, len(length)))[:, None]
    if not ours:
        return rows / scale
    rows /= scale
    return rows


def roots(p: np.ndarray | None, start: int, count: int) -> np.ndarray:
    """The square roots of the probabilities of `count` rows from `start`; ones without weights."""
    if p is None:
        return np.ones(count)
    if start + count > len(p):
        raise ValueError(
            f"more samples than weights: {start + count} or more, and {len(p)} weights"
        )
    root: np.ndarray = np.sqrt(p[start : start + count])
    return root
