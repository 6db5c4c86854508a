"""Fixtures that several test files share."""

from collections.abc import Iterator
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from ddiv.common.machine import limit_threads

limit_threads()  # as in a session with claims: tests run side by side, one thread each


def pytest_configure() -> None:
    """Stop with one line where what the tests need is not installed."""
    if missing := list(_missing("test")):
        raise pytest.UsageError(
            f"ddiv's own tests need what the plain installation leaves out ({', '.join(missing)}): "
            "python -m pip install -e '.[test]'"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `cuda` where there is no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch  # not at the top: a session without such tests asks no card

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def _missing(extra: str) -> Iterator[str]:
    """What an extra of ddiv's brings and this environment lacks; nothing where ddiv isn't
    installed, as no extra is known then.
    """
    try:
        needed = metadata.requires("ddiv") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, needed):
        if requirement.marker and requirement.marker.evaluate({"extra": extra}):
            try:
                version = metadata.version(requirement.name)
            except metadata.PackageNotFoundError:
                yield requirement.name
            else:
                if version not in requirement.specifier:
                    yield str(requirement).partition(";")[0]


@pytest.fixture(scope="session")
def ww():
    """WeightWatcher on the CPU in full precision, quiet."""
    from ddiv.spectra.watcher import weightwatcher

    main = weightwatcher()
    from weightwatcher import RMT_Util, WW_powerlaw

    return type("WW", (), {"main": main, "rmt": RMT_Util, "fit": WW_powerlaw.WWFit})
