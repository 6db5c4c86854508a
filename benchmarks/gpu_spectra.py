"""Spectra of a ViT-B/32 and Vendi scores of 50,000 vectors on a GPU against the CPU.

    python benchmarks/gpu_spectra.py [--out FILE]

A step of `gpu.py`. It prints the seconds on the CPU, on the device and where "auto" chooses, and by
how much an eigenvalue differs between the two at most, as a share of the largest of its matrix.
Then it prints the seconds of a Vendi score on both, of 50,000 embeddings of 512 dimensions and of
as many images of 3,072 pixels in bytes. It exits with 1 where an eigenvalue differs by more than
1e-10, or a score by more than 1e-9 of itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from training_gpu import Scale, settled, tower

from ddiv.common.machine import device_name
from ddiv.diversity import vendi_score
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import weight_matrices

ALLOWED = 1e-10  # in float64; round-off is below 1e-13 on either
ALLOWED_OF_SCORES = 1e-9


def timed(
    network: nn.Module, method: str, home: torch.device
) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds of the second of two computations by `method`, of matrices that are on `home`."""
    matrices = weight_matrices(network.to(home))
    eigenvalues(matrices, device=method)  # loads solvers; "auto" makes its choice
    settled(home)
    started = time.perf_counter()
    spectra = eigenvalues(matrices, device=method)
    settled(home)
    return time.perf_counter() - started, spectra


def vectors(n: int, d: int, images: bool) -> torch.Tensor:
    """Bytes, or float32 vectors as an encoder gives: a common mean and a falling spectrum."""
    draws = torch.Generator().manual_seed(0)
    if images:
        return torch.randint(0, 256, (n, d), dtype=torch.uint8, generator=draws)
    spread = torch.randn(n, d, generator=draws) / torch.arange(1, d + 1).sqrt()
    return spread + 0.2 * torch.randn(d, generator=draws)


def scores(n: int, d: int, images: bool, device: torch.device) -> dict:
    """Seconds of a Vendi score with NumPy and on the device, from where the vectors lie."""
    here = vectors(n, d, images)
    there, found = here.to(device), {}
    vendi_score(there[:1000], device=device)  # loads what it needs
    for name, X, place in (("cpu", here.numpy(), "numpy"), ("device", there, device)):
        settled(device)
        started = time.perf_counter()
        score = vendi_score(X, device=place)
        settled(device)
        found[name] = {"seconds": time.perf_counter() - started, "score": score}
    apart = abs(found["device"]["score"] / found["cpu"]["score"] - 1)
    return {"n": n, "d": d, "type": str(here.dtype), **found, "relative_difference": apart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument(
        "--tiny", action="store_true", help="a tiny model, on any device: to try it"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    scale, device = Scale.of(0, options.tiny), torch.device(options.device)
    network = tower(scale.model)
    on_cpu, expected = timed(network, "cpu", torch.device("cpu"))
    on_device, spectra = timed(network, options.device, device)
    chosen, _ = timed(network, "auto", device)
    apart = max(
        float(np.abs(spectra[name] - expected[name]).max() / expected[name].max())
        for name in expected
    )
    figures = {
        "model": scale.model,
        "device": device_name(device),
        "matrices": len(expected),
        "seconds": {"cpu": on_cpu, "device": on_device, "auto": chosen},
        "ratio": round(on_cpu / on_device, 2),
        "largest_difference": apart,
    }
    n = 500 if options.tiny else 50_000
    figures["vendi"] = [scores(n, d, images, device) for d, images in ((512, False), (3_072, True))]
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(
        f"{len(expected)} matrices: cpu {on_cpu:.2f} s, {device.type} {on_device:.2f} s, "
        f"auto {chosen:.2f} s, ratio {on_cpu / on_device:.1f}, largest difference {apart:.1e}"
    )
    for each in figures["vendi"]:
        cpu, there = (each[where]["seconds"] for where in ("cpu", "device"))
        print(
            f"Vendi of {n:,} x {each['d']:,}: cpu {cpu:.2f} s, {device.type} {there:.3f} s, "
            f"ratio {cpu / there:.1f}, relative difference {each['relative_difference']:.1e}"
        )
        if not each["relative_difference"] <= ALLOWED_OF_SCORES:
            sys.exit(f"the scores differ by more than {ALLOWED_OF_SCORES:g} of themselves")
    if not apart <= ALLOWED:
        sys.exit(f"the spectra differ by {apart:.1e} of the largest eigenvalue, over {ALLOWED:g}")


if __name__ == "__main__":
    main()
