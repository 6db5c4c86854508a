"""The pytest plugin: light at start, so that a project without claims pays nothing for it.

pytest loads this module in every environment that has ddiv (by the entry point of the same name),
with `-p ddiv.plugin`, or from a conftest.py. It adds the options. The hooks that do the work
(`collect`, `hooks`) and the fixtures (`fixtures`) are registered when a run asks for claims: when
it names claims or an option of ddiv's, or when the first claim is collected. Until then nothing of
ddiv's is imported but this file and `options`. `start` makes the session's values, `session` says
what these are, and `answers` keeps what the tests came to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import pytest

from ddiv.plugin import options

HOOKS = "ddiv-hooks"

# What the claims are called where ddiv was installed from a wheel (setup.py).
INSTALLED = "ddiv.claims"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser
) -> Generator[None, object, object]:
    """Add the options last, so that others keep the names of theirs."""
    result = yield
    options.add(parser)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session with claims where the command line asks for one."""
    config.addinivalue_line("markers", "claim: a claim of a paper, put to a study")
    told = "ddiv_run" in getattr(config, "workerinput", {})
    if told or options.given(config.option) or asks_for_claims(config):
        begin(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Give the options' names free: the conftest.py of a subfolder is read only now."""
    options.release(session.config._parser)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Begin a session with claims at the first claim that is collected."""
    if is_claim(metafunc.function) and not metafunc.config.pluginmanager.has_plugin(HOOKS):
        try:
            collect, hooks = begin(metafunc.config)
        except pytest.UsageError as error:
            raise pytest.Collector.CollectError(str(error)) from None
        hooks.start_line(metafunc.config)
        collect.pytest_generate_tests(metafunc)


def is_claim(function: object) -> bool:
    """Whether a test function is a claim's: made by the decorator `ddiv.claim.declare.claim`."""
    declared = sys.modules.get("ddiv.claim.bench")  # without it there can be no claim
    claim = getattr(function, "claim", None)
    return declared is not None and isinstance(claim, declared.Claim)


def asks_for_claims(config: pytest.Config) -> bool:
    """Whether the run is of a project's folder `claims/` of ddiv's claims or of a part of it, or of
    the claims that are installed with ddiv.
    """
    if config.getoption("pyargs") and any(
        f"{arg}.".startswith(f"{INSTALLED}.") for arg in map(str, config.args)
    ):
        return True
    claims = config.rootpath / "claims"
    chosen = [Path(str(arg).split("::")[0]).resolve() for arg in config.args]
    if not any(
        path == claims or claims in path.parents or path in claims.parents for path in chosen
    ):
        return False
    files = (path for path in claims.rglob("test_*.py") if os.access(path, os.R_OK))
    return any(b"ddiv.claim" in path.read_bytes() for path in files if path.is_file())


def begin(config: pytest.Config) -> tuple[ModuleType, ModuleType]:
    """Register the hooks and fixtures and make the session's values. Raises pytest.UsageError."""
    from ddiv.plugin import chosen, collect, fixtures, hooks, start
    from ddiv.plugin.session import SESSION

    start.session(config)
    config.pluginmanager.register(hooks, HOOKS)
    config.pluginmanager.register(collect, "ddiv-collection")
    config.pluginmanager.register(chosen, "ddiv-choice")
    config.pluginmanager.register(fixtures, "ddiv-fixtures")
    config.pluginmanager.register(config.stash[SESSION].answers, "ddiv-answers")
    return collect, hooks
