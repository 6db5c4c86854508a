"""Fixtures that several test files share."""

import logging

import pytest
import torch


@pytest.fixture(scope="session")
def ww():
    """WeightWatcher, imported without leaving its logging set-up behind."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import weightwatcher
    from weightwatcher import RMT_Util, WW_powerlaw

    root.handlers[:], root.level = handlers, level
    logging.getLogger("weightwatcher").setLevel(logging.CRITICAL)
    if torch.cuda.is_available():
        pytest.skip("WeightWatcher computes in half precision where it sees CUDA: no reference")
    return type("WW", (), {"main": weightwatcher, "rmt": RMT_Util, "fit": WW_powerlaw.WWFit})
