"""Fixtures that several test files share."""

import pytest

from ddiv.plugin.start import limit_threads

limit_threads()  # as in a session with claims: tests run side by side, one thread each


@pytest.fixture(scope="session")
def ww():
    """WeightWatcher on the CPU in full precision, quiet."""
    from ddiv.spectra.watcher import weightwatcher

    main = weightwatcher()
    from weightwatcher import RMT_Util, WW_powerlaw

    return type("WW", (), {"main": main, "rmt": RMT_Util, "fit": WW_powerlaw.WWFit})
