"""Commands in a folder that is not the project's, as a user types them there."""

import os
import subprocess
import sys
from pathlib import Path


def started(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """A finished `python -m ...` in the folder, without this session's variables."""
    ours = ("PYTEST_", "DDIV_")
    shell = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=shell | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
