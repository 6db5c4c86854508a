"""Opens a page in headless Chromium: what it became, what its console said, what it asked the
network for.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]


class Opened(NamedTuple):
    dom: str  # after scripts ran
    console: list[str]  # everything the page, or the browser about the page, wrote there
    requests: list[str]  # URLs that the page asked the network for, whether it got an answer or not

    def data(self, name: str) -> str | None:
        """An attribute of the <html> element, such as data-plots-drawn."""
        match = re.search(rf"<html[^>]*\s{name}=\"([^\"]*)\"", self.dom)
        return match and match[1]


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def open_in_browser(
    path: Path | str,
    suffix: str = "",
    *,
    width: int = 1280,
    height: int = 900,
    budget_ms: int = 60_000,
    timeout: float = 180,
    screenshot: Path | None = None,
    dark: bool = False,
) -> Opened:
    """Load `path` (+ `suffix`, such as "#all"), let its timers run, and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder) / "net.json"
        command = [
            chromium(),
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            "--enable-logging=stderr",
            "--v=0",
            f"--log-net-log={net}",
            f"--virtual-time-budget={budget_ms}",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            f"--screenshot={screenshot}" if screenshot else "--dump-dom",
            Path(path).resolve().as_uri() + suffix,
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
        console = re.findall(r"CONSOLE[:(]\d+\)?\] (.*)", done.stderr)
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return Opened(done.stdout, console, _requests(net))


def _requests(net_log: Path) -> list[str]:
    """URLs that a page began to load; what the browser asks for by itself has no origin as its
    initiator.
    """
    events = json.loads(net_log.read_text("utf-8", "replace"))["events"]
    asked = [event.get("params", {}) for event in events]
    return sorted(
        {
            a["url"]
            for a in asked
            if "url" in a and a.get("initiator", "not an origin") != "not an origin"
        }
    )
