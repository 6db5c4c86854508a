"""How far a file from elsewhere is trusted: it may hold numbers, and nothing that runs.

Wherever a library of others loads weights or a tokenizer, the call stands in `running_nothing`,
and says `trust_remote_code=False` where the library has that option. Files that ddiv reads by
itself go through `ddiv.spectra.checkpoint` (safetensors, or torch.load with weights_only) and
numpy without pickle.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import sys
from collections.abc import Iterator

_FORCE, _FORBID = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


@contextlib.contextmanager
def running_nothing() -> Iterator[None]:
    """While a library loads a model: no pickle makes more than tensors, and nobody is asked.

    torch.load is held to weights_only even where a library asks for more (torch.hub does), or the
    user's environment. transformers, which libraries call without `trust_remote_code`, would ask on
    the terminal whether to run a repository's code, and gets no answer.
    """
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORBID)}
    os.environ[_FORCE] = "1"
    typed, sys.stdin = sys.stdin, io.StringIO()
    try:
        # only the question would be printed
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        sys.stdin = typed
        del os.environ[_FORCE]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def why(error: Exception) -> str:
    """What a reader of a file says of it, in one line, without torch's advice to trust the file."""
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or asks to build Python objects other than tensors"
    told = re.split(r"In PyTorch 2\.6|\(Could this error", str(error))[0].strip()
    return (told or type(error).__name__).splitlines()[0]
