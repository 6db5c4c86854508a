"""Where in a user's own file an error was raised."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from ddiv.common.modules import is_foreign


def place(error: BaseException, file: str = "") -> str:
    """The last line of the user's that the error came through, as " (claims/test_a.py:12)".

    One of this file rather than of another; "" where it came through no file of the user's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not is_foreign(Path(frame.filename))]
    ours = [frame for frame in own if frame.filename == file] or own
    return f" ({seen(ours[-1].filename)}:{ours[-1].lineno})" if ours else ""


def seen(path: str) -> str:
    """A file as it is seen from here, where it lies below."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path
