"""WeightWatcher as a second opinion, always on the CPU in full precision.

Where WeightWatcher 0.7.7 sees CUDA on import it reads weights in half precision (an entropy above 1
came out), so it is imported here with CUDA out of its sight. It also configures root logging on
import and prints at will; both are undone. What it leaves out (q, k, v of nn.MultiheadAttention,
layers with fewer than 8 eigenvalues) is missing from its table.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import logging
import sys
import warnings
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import nn


def weightwatcher() -> ModuleType:
    """The package, imported without CUDA and without its logging set-up.

    ImportError, saying how, where it isn't installed; RuntimeError where it was imported before
    with CUDA in sight.
    """
    if "weightwatcher" not in sys.modules:
        root = logging.getLogger()
        handlers, level, disabled = root.handlers[:], root.level, root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            with (
                warnings.catch_warnings(action="ignore"),
                mock.patch.object(torch.cuda, "is_available", return_value=False),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                importlib.import_module("weightwatcher")
        except ImportError as error:
            raise ImportError(
                f"the WeightWatcher backend needs the package: pip install weightwatcher ({error})"
            ) from error
        finally:
            logging.disable(disabled)
            root.handlers[:], root.level = handlers, level
        logging.getLogger("weightwatcher").setLevel(logging.CRITICAL)
    package = importlib.import_module("weightwatcher")
    from weightwatcher import RMT_Util

    if RMT_Util.EPSILON > 1e-9:
        raise RuntimeError(
            "WeightWatcher was imported with CUDA in sight and so computes in half precision: "
            "import ddiv.spectra.watcher before it, or set CUDA_VISIBLE_DEVICES=''"
        )
    return package


def table(model: nn.Module, *, mp: bool = False, randomise: bool = False) -> dict[str, list[Any]]:
    """WeightWatcher's own table of a model: column -> one value a layer, under its own names.

    mp and randomise are its `mp_fit` and `randomize`; everything else is its default. ValueError
    where it finds no layer to analyse, which WeightWatcher itself answers with an empty table.
    """
    home = next((p.device.type for p in model.parameters()), "cpu")
    model = model if home == "cpu" else copy.deepcopy(model).cpu()
    package = weightwatcher()
    # Its warnings are about its own use of pandas; a run with -W error would fail by them.
    with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        details = package.WeightWatcher(model=model).analyze(
            mp_fit=mp, randomize=randomise, vectors=False, plot=False, savefig=False
        )
    if not len(details):
        raise ValueError(
            "WeightWatcher finds no layer to analyse: it looks at linear, convolution and "
            "embedding layers with 8 eigenvalues or more"
        )
    return {name: details[name].tolist() for name in details.columns}
