"""Eigenvalues of a ViT-B/32's weight matrices on a GPU against those on the CPU.

    python benchmarks/gpu_spectra.py [--out FILE]

A step of `gpu.py`. It prints the seconds on the CPU, on the device and where "auto" chooses, and by
how much an eigenvalue differs between the two at most, as a share of the largest of its matrix. It
exits with 1 where that is above 1e-10.
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
from training_gpu import Scale, settled

from ddiv.common.machine import device_name
from ddiv.spectra.eigen import eigenvalues
from ddiv.spectra.matrices import weight_matrices

ALLOWED = 1e-10  # in float64; round-off is below 1e-13 on either


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument(
        "--tiny", action="store_true", help="a tiny model, on any device: to try it"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the figures too")
    options = parser.parse_args()
    scale, device = Scale.of(0, options.tiny), torch.device(options.device)
    network = scale.visual()
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
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(
        f"{len(expected)} matrices: cpu {on_cpu:.2f} s, {device.type} {on_device:.2f} s, "
        f"auto {chosen:.2f} s, ratio {on_cpu / on_device:.1f}, largest difference {apart:.1e}"
    )
    if not apart <= ALLOWED:
        sys.exit(f"the spectra differ by {apart:.1e} of the largest eigenvalue, over {ALLOWED:g}")


if __name__ == "__main__":
    main()
