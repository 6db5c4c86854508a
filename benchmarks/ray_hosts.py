"""Three hosts on one machine: each a network namespace with an address of its own, as root.

They hang on a bridge, on which this machine is the fourth and no node of the cluster. Over the
folder of the runs each host has an empty file system of its own, so no record and no store is
shared, unless one is asked for: what a node is sent and what comes back goes through the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from secrets import token_hex

NET, BRIDGE = "10.77.0", "ddiv-bridge"
HOSTS = (2, 3, 4)  # last numbers of their addresses; the first is the head
START = Path(sys.executable).with_name("ray")


class Hosts:
    """Ray on three hosts of one core each, and a port for clients on the head."""

    def __init__(self, hidden: Path, shared: Path | None = None) -> None:
        """Start them; in all of them the folder `hidden` is empty, and a folder `shared`, if there
        is one, lies at another place.
        """
        self.scratch = Path(tempfile.mkdtemp(prefix="rh", dir="/tmp"))
        hidden.mkdir(parents=True, exist_ok=True)
        self._hidden, self._shared, self._place = hidden, shared, self.scratch / "shared"
        for folder in (shared, self._place):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        # Hosts that are not one machine's have to show a token, which all of them know.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
        try:
            _ip("link", "add", BRIDGE, "type", "bridge")
            _ip("addr", "add", f"{NET}.1/24", "dev", BRIDGE)
            _ip("link", "set", BRIDGE, "up")
            for host in HOSTS:
                self._plug_in(host)
            self._start(HOSTS[0], "--head", "--port=6379", "--ray-client-server-port=10001")
            for host in HOSTS[1:]:
                self._start(host, f"--address={NET}.{HOSTS[0]}:6379")
        except BaseException:
            self.stop()
            raise

    @property
    def address(self) -> str:
        return f"ray://{NET}.{HOSTS[0]}:10001"

    @property
    def options(self) -> tuple[str, ...]:
        """Of a run whose store is the shared folder: where these hosts see it."""
        return () if self._shared is None else ("--ray-store", str(self._place))

    def stop(self) -> None:
        for host in HOSTS:
            pids = _ip("netns", "pids", _name(host), check=False).split()
            if pids:
                subprocess.run(["kill", "-9", *pids], check=False)
            _ip("netns", "del", _name(host), check=False)
            _ip("link", "del", _plug(host), check=False)
        _ip("link", "del", BRIDGE, check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _plug_in(self, host: int) -> None:
        name, plug = _name(host), _plug(host)
        _ip("netns", "add", name)
        _ip("link", "add", plug, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", plug, "master", BRIDGE, "up")
        _ip("-n", name, "addr", "add", f"{NET}.{host}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def _start(self, host: int, *more: str) -> None:
        """Start Ray on a host. What is mounted there is seen by its processes alone."""
        ray = [str(START), "start", f"--node-ip-address={NET}.{host}", "--num-cpus=1", *more]
        ray += ["--object-store-memory=200000000", "--disable-usage-stats"]
        if "--head" in more:
            ray += ["--include-dashboard=false", f"--temp-dir={self.scratch}"]
        script = 'mount --bind "$0" "$1" && mount -t tmpfs none "$2" && shift 2 && exec "$@"'
        folders = (self._shared or self._place, self._place, self._hidden)
        words = ["ip", "netns", "exec", _name(host), "sh", "-ec", script, *map(str, folders), *ray]
        environment = os.environ | {"RAY_worker_niceness": "0"}
        done = subprocess.run(
            words, capture_output=True, encoding="utf-8", env=environment, check=False
        )
        if done.returncode:
            raise RuntimeError(f"Ray did not start on host {host}: {done.stdout}{done.stderr}")
        time.sleep(1)


def _name(host: int) -> str:
    return f"ddiv-host{host}"


def _plug(host: int) -> str:
    return f"ddiv-plug{host}"


def _ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, encoding="utf-8", check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()} (this needs root)")
    return done.stdout
