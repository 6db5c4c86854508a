"""Commands as a user types them, each in a process forked off one that has imported everything.

A process of its own would begin with seconds of imports, and these begin in milliseconds. What is
typed is what runs: pytest's and ddiv's own `main`, in the folder, with the environment of a user
who has set nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import ddiv
from ddiv.plugin.start import limit_threads
from tests.support.paths import ROOT

# What ddiv imports late, so that those who need none of it do not wait.
LIBRARIES = ("pytest", "torchvision", "sklearn.datasets", "weightwatcher", "vendi_score.vendi")


class Done(NamedTuple):
    """How a command ended, and all that it printed."""

    code: int
    output: str


class Shell:
    """Runs commands one after another; made by `shell`."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(self, folder: Path, *words: str) -> Done:
        """A finished `pytest ...`, `ddiv ...` or `python FILE` in the folder, which is its home."""
        stdin, stdout = self._server.stdin, self._server.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps({"folder": str(folder), "words": words}) + "\n")
        stdin.flush()
        return Done(**json.loads(stdout.readline()))


@contextmanager
def shell() -> Iterator[Shell]:
    """A shell that lives as long as the context."""
    ours = ("PYTEST_", "DDIV_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.shell"],
        cwd=ROOT,
        env=kept | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        yield Shell(server)
        assert server.stdin is not None
        server.stdin.close()


def serve() -> None:
    """Answer requests from the standard input, one a line, until it ends."""
    for name in (*_modules(), *LIBRARIES):
        with suppress(ImportError):  # what only an extra brings
            importlib.import_module(name)
    limit_threads()
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["folder"])
        output = folder / ".output"
        pid = os.fork()
        if pid == 0:
            os._exit(_child(folder, output, request["words"]))
        _, status = os.waitpid(pid, 0)
        said = output.read_text("utf-8", "replace")
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "output": said}), flush=True)


def _modules() -> Iterator[str]:
    """The names of ddiv's modules."""
    for module in pkgutil.walk_packages(ddiv.__path__, "ddiv."):
        if not module.name.endswith("__main__"):
            yield module.name


def _child(folder: Path, output: Path, words: list[str]) -> int:
    into = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, at in ((nothing, 0), (into, 1), (into, 2)):
        os.dup2(descriptor, at)
    os.chdir(folder)
    os.environ["HOME"] = str(folder)
    sys.path.insert(0, str(folder))
    try:
        code = _called(words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _called(words: list[str]) -> int:
    sys.argv = words
    match words:
        case ["pytest", *rest]:
            import pytest

            return int(pytest.main(rest))
        case ["ddiv", *rest]:
            from ddiv.cli.main import main

            return main(rest)
        case ["python", file]:
            import runpy

            runpy.run_path(file, run_name="__main__")
            return 0
    raise ValueError(f"this shell does not know {words[0]}")


if __name__ == "__main__":
    serve()
