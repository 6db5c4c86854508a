"""Images a second of several processes that train on one GPU side by side.

They take turns on the card, or, under NVIDIA's Multi-Process Service (MPS), their kernels run at
the same time. `training_gpu.py` measures with it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import torch

WAITED = 300  # seconds for processes that start together
SERVICE, SERVICE_WAITED = "nvidia-cuda-mps-control", 20

# Called by each process when it is ready to be timed.
Ready = Callable[[], object]


class NoService(RuntimeError):
    """The Multi-Process Service is not on this machine, does not start, or is not used."""


@contextmanager
def multi_process_service(device: torch.device) -> Iterator[None]:
    """Processes that are started meanwhile share the GPU through a service of their own.

    Raises NoService, also at the end where none of them used it.
    """
    if device.type != "cuda":
        raise NoService(f"no Multi-Process Service on a device of the kind {device.type}")
    with tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True) as folder:
        places = {f"CUDA_MPS_{each}_DIRECTORY": folder for each in ("PIPE", "LOG")}
        with patch.dict(os.environ, places):
            _service("-d")
            try:
                yield
                if not _service(orders="get_server_list\n").strip():
                    raise NoService("the Multi-Process Service runs, but no process used it")
            finally:
                with suppress(NoService):  # what was measured under it still counts
                    _service(orders="quit\n")


def _service(*options: str, orders: str = "") -> str:
    """What the service answers to orders."""
    try:
        done = subprocess.run(
            [SERVICE, *options],
            input=orders,
            # the service would keep the pipe open after the command that starts it has ended
            stdout=subprocess.PIPE if orders else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            check=True,
            timeout=SERVICE_WAITED,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoService(f"no Multi-Process Service here: {error}") from error
    return done.stdout or ""


def side_by_side(speed: Callable[[Ready], float], workers: int) -> float:
    """The sum of what `speed` returns in this many processes, which are timed together.

    RuntimeError where one of them dies.
    """
    context = torch.multiprocessing.get_context("spawn")
    # the barrier's limit: a worker that dies leaves no other waiting for ever
    start, results = context.Barrier(workers, timeout=WAITED), context.Queue()
    processes = [
        context.Process(target=_one, args=(speed, start, results), daemon=True)
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        return sum(_next_speed(results, processes) for _ in processes)
    except BaseException:
        for process in processes:
            process.kill()
        raise
    finally:
        for process in processes:
            process.join()


def _one(speed: Callable[[Ready], float], start: Any, results: Any) -> None:
    results.put(speed(start.wait))


def _next_speed(results: Any, processes: list) -> float:
    while True:
        try:
            return results.get(timeout=1)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                raise RuntimeError(f"one of {len(processes)} workers died, see above") from None
