"""The machine at hand."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def usable_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads() -> None:
    """Let this process compute with one thread.

    Trials run side by side, and one thread gives the same numbers however many run at once.
    """
    from threadpoolctl import threadpool_limits

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for libraries not loaded yet, torch among them
    threadpool_limits(1)


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        line = next(line for line in lines if line.startswith("model name"))
        return line.split(":", 1)[1].strip()
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def device_name(device: torch.device) -> str:
    """What the processor or the GPU calls itself; it tells records of different devices apart."""
    if device.type != "cuda":
        return processor_name()
    import torch

    return torch.cuda.get_device_name(device)


PACKAGES = (
    "ddiv",
    "torch",
    "torchvision",
    "open_clip_torch",
    "numpy",
    "scipy",
    "weightwatcher",
    "vendi-score",
    "transformers",
    "openai",
    "pytest",
    "pytest-xdist",
)


def version_of(package: str) -> str | None:
    """The version of an installed package; None where it is absent."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def available_memory() -> int | None:
    """Bytes of main memory that programs can still take; None where the system doesn't say."""
    try:
        rows = Path("/proc/meminfo").read_text("utf-8").splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
