"""ddiv's plugin, also where ddiv lies on the path without being installed."""

import pytest

from ddiv.plugin import options

pytest_plugins = ["ddiv.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ddiv's options: pytest reads a conftest.py too late for the plugin to do so itself."""
    options.add(parser)
