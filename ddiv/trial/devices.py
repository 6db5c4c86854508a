"""Which device a trial runs on, and how many at once."""

from __future__ import annotations

import torch

from ddiv.common.machine import usable_cores
from ddiv.trial.inputs import RESIDENT_BYTES

# An estimate of the GPU memory that a trial of a ViT-B/32 at 224 pixels takes: weights, gradients
# and Adam's state 1.4 GB, the captured step 2, a batch of evaluation 2, a portion under
# augmentation 4 (or, when that is given back, spectra 2), CUDA itself 0.5; and the images.
TRIAL_BYTES = (10 << 30) + RESIDENT_BYTES

# Threads of a trial on a GPU, for what is left to the processor: sets too large for the card.
GPU_TRIAL_THREADS = 4


class NoSuchDevice(ValueError):
    """The device asked for is not on this machine; the message names those that are."""


def prepare(device: torch.device) -> None:
    """Set torch's threads for measuring on this device, and keep TF32 off, in this process."""
    torch.set_num_threads(1 if device.type == "cpu" else min(GPU_TRIAL_THREADS, usable_cores()))
    # By default torch allows TF32 for convolutions, though not for products of matrices.
    torch.backends.cudnn.allow_tf32 = False


def choose_device(name: str | None) -> torch.device:
    """The named device, or CUDA where it works, else the CPU. Raises NoSuchDevice."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise NoSuchDevice(
            f"--device {name} cannot be used ({str(error).splitlines()[0]}); this machine has: "
            f"{', '.join(there)}"
        ) from error
    return device


def trials_at_once(device: torch.device) -> int:
    """The default number of trials that run side by side.

    It is one for each core, on a GPU one for each `TRIAL_BYTES` of free memory. Trials are
    processes that take turns on the GPU: of a ViT-B/32 several step no faster than one (on an
    H200), but what each does on the processor goes on meanwhile. Under NVIDIA's Multi-Process
    Service (`nvidia-cuda-mps-control -d`) their kernels run at the same time, which helps small
    batches most. For smaller models --slots asks for more.
    """
    if device.type != "cuda":
        return usable_cores()
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(usable_cores(), free // TRIAL_BYTES))
