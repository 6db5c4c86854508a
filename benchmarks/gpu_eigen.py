"""Which way to the eigenvalues of W^T W is fastest on a GPU in float64, and how exact it is.

    python benchmarks/gpu_eigen.py [--device cuda|cpu] [--tiny] [--seconds S] [--out FILE]

Matrices W of 2M x M numbers lie on the device, many of one size: M (count) is 768 (48), 64 (512),
100 (500), 512 (32), 1024 (16) and 2048 (4). The time of each way goes from them to the eigenvalues
in the CPU's memory, products and copies included; it is the median of three runs after a warm-up.
Ways:

    cpu               NumPy's eigvalsh of the Gram matrices, in a thread a core, as ddiv has it
    eigvalsh          torch's of the Gram matrices: it loops over them
    gesvda of W       torch's batched SVD of W: cuSOLVER's gesvdaStridedBatched
    gesvda of Gram    the same of the Gram matrices
    gesvdj of W       cuSOLVER's Jacobi, a matrix at a time
    cupy              CuPy's eigvalsh of the Gram matrices where it is installed, for reference

It prints a table of milliseconds, and one of the largest error of an eigenvalue as a share of the
largest of its matrix, by the kind of W: normal numbers; singular values that fall over nine
decades; half of the rank. The errors are those against NumPy's SVD of W. FILE (JSON) is written
after each measurement. What fails or takes too long is noted, and the next goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from training_gpu import failure, settled

from ddiv.common.machine import device_name, usable_cores
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import WeightMatrix

SIDES = {768: 48, 64: 512, 100: 500, 512: 32, 1024: 16, 2048: 4}  # the most wanted first
TINY = {8: 6, 16: 4}
KINDS = "normal", "nine decades", "half of the rank"
SLOW = 5.0  # seconds of a first run after which a way isn't measured again

Solver = Callable[[torch.Tensor], np.ndarray]  # (count, 2M, M) -> (count, M)


def on_cpu(W: torch.Tensor) -> np.ndarray:
    matrices = [WeightMatrix(str(i), "other", w, "") for i, w in enumerate(W)]
    return np.stack(list(eigenvalues(matrices, device="cpu").values()))


def gram(W: torch.Tensor) -> torch.Tensor:
    return W.mT @ W


def eigvalsh(W: torch.Tensor) -> np.ndarray:
    return torch.linalg.eigvalsh(gram(W)).cpu().numpy()


def of_w(driver: str) -> Solver:
    return lambda W: torch.linalg.svdvals(W, driver=driver).square().cpu().numpy()


def of_gram(W: torch.Tensor) -> np.ndarray:
    return torch.linalg.svdvals(gram(W), driver="gesvda").cpu().numpy()


def with_cupy(W: torch.Tensor) -> np.ndarray:
    cupy = import_module("cupy")
    return cupy.asnumpy(cupy.linalg.eigvalsh(cupy.from_dlpack(gram(W))))


WAYS: dict[str, Solver] = {
    "cpu": on_cpu,
    "eigvalsh": eigvalsh,
    "gesvda of W": of_w("gesvda"),
    "gesvda of Gram": of_gram,
    "gesvdj of W": of_w("gesvdj"),
    "cupy": with_cupy,
}


def matrices(side: int, count: int, kind: str, home: torch.device) -> torch.Tensor:
    draws = torch.Generator(home).manual_seed(side)
    normal = {"generator": draws, "dtype": torch.float64, "device": home}
    W = torch.randn(count, 2 * side, side, **normal) / (2 * side) ** 0.5
    if kind == "normal":
        return W
    left = torch.linalg.qr(W).Q
    right = torch.linalg.qr(torch.randn(side, side, **normal)).Q
    if kind == "nine decades":
        values = torch.logspace(0, -9, side, dtype=torch.float64, device=home)
    else:
        values = (torch.arange(side, device=home) < (side + 1) // 2).double()
    return (left * values) @ right


def timed(solve: Solver, W: torch.Tensor) -> tuple[float, np.ndarray]:
    settled(W.device)
    started = time.perf_counter()
    found = np.sort(solve(W), axis=1)
    settled(W.device)
    return time.perf_counter() - started, found


def measured(solve: Solver, W: torch.Tensor, deadline: float) -> dict:
    if time.perf_counter() > deadline:
        return {"skipped": "no time left"}
    try:
        first, _ = timed(solve, W)
        runs = [] if first > SLOW else [timed(solve, W)[0] for _ in range(3)]
    except Exception as error:
        return failure(error)
    return {"seconds": statistics.median(runs or [first]), "runs": len(runs), "first": first}


def error_of(solve: Solver, W: torch.Tensor, expected: np.ndarray, deadline: float) -> dict:
    if time.perf_counter() > deadline:
        return {"skipped": "no time left"}
    try:
        _, found = timed(solve, W)
    except Exception as error:
        return failure(error)
    return {"error of largest": float((np.abs(found - expected).max(1) / expected.max(1)).max())}


def cell(figures: dict) -> str:
    if "seconds" in figures:
        return f"{1000 * figures['seconds']:.1f}"
    if "error of largest" in figures:
        return f"{figures['error of largest']:.0e}"
    return "error" if "error" in figures else "-"


def table(title: str, columns: list[str], found: dict[str, dict[str, dict]]) -> str:
    rows = [[title, *columns]]
    rows += [[way, *(cell(of.get(each, {})) for each in columns)] for way, of in found.items()]
    return "\n".join(f"{row[0]:20}" + "".join(f"{text:>18}" for text in row[1:]) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="few small matrices, to try it")
    parser.add_argument("--seconds", type=float, default=60.0, help="no more is begun then (60)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    home, sides = torch.device(options.device), TINY if options.tiny else SIDES
    torch.set_num_threads(usable_cores())
    ways = WAYS if home.type == "cuda" else {name: WAYS[name] for name in ("cpu", "eigvalsh")}
    deadline = time.perf_counter() + options.seconds
    seconds: dict[str, dict[str, dict]] = {way: {} for way in ways}
    errors: dict[str, dict[str, dict]] = {way: {} for way in ways}
    about = {"device": device_name(home), "torch": str(torch.__version__), "cores": usable_cores()}

    def keep() -> None:
        if options.out:
            found = {**about, "seconds": seconds, "errors": errors}
            options.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")

    for side, count in sides.items():
        W = matrices(side, count, "normal", home)
        for way, solve in ways.items():
            seconds[way][f"{side} ({count})"] = measured(solve, W, deadline)
            keep()
    columns = []
    for kind in KINDS:
        for side in list(sides)[:3]:
            W = matrices(side, 4, kind, home)
            expected = np.sort(np.linalg.svd(W.cpu().numpy(), compute_uv=False) ** 2, axis=1)
            columns.append(f"{kind[:12]} {side}")
            for way, solve in ways.items():
                errors[way][columns[-1]] = error_of(solve, W, expected, deadline)
                keep()
    print(table("ms", [f"{side} ({count})" for side, count in sides.items()], seconds))
    print(table("error", columns, errors))


if __name__ == "__main__":
    main()
