"""Processes that read inputs, one after another, and are watched while they do so.

A process is forked off after the imports, so it begins in milliseconds. It tells before each input
what it is at, so that a crash or a hang is laid to that input.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ddiv
from tests.fuzz import inputs
from tests.fuzz.inputs import Files
from tests.fuzz.readers import Reader, Refused

# An input of some kilobytes takes none of this; a bomb within the limits of a format may. One that
# waits for something uses no processor.
CPU_SECONDS, WAIT_SECONDS = 20.0, 30.0
MEMORY = 3 << 30  # bytes above what the process has when it begins
GROWTH = 1536 << 10  # kilobytes by which one input may raise the peak

PACKAGE = Path(ddiv.__file__).parent

FAILURES = ("payload", "raw error", "hang", "memory", "crash")


@dataclass(frozen=True)
class Outcome:
    """How one input ended: "ok", "clear error", or one of `FAILURES`; `where` tells failures of
    one cause from others.
    """

    kind: str
    where: str = ""
    text: str = ""


Made = Callable[[int], Files]


def batch(
    reader: Reader, made: Made, numbers: range, folder: Path
) -> Iterator[tuple[int, Outcome]]:
    """Read these inputs, each in the folder; outcomes come as they are known."""
    first = numbers.start
    while first < numbers.stop:
        for number, outcome in _process(reader, made, range(first, numbers.stop), folder):
            first = number + 1
            yield number, outcome


def _process(
    reader: Reader, made: Made, numbers: range, folder: Path
) -> Iterator[tuple[int, Outcome]]:
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read_end)
            _child(reader, made, numbers, folder, write_end)
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    at, buffer = numbers.start, b""
    began, cpu = time.monotonic(), _cpu(pid)
    hung = ended = False
    used = waited = 0.0
    asleep = began  # since when it sleeps, and uses nothing
    while not ended:
        ready, _, _ = select.select([read_end], [], [], 0.5)
        if ready:
            block = os.read(read_end, 1 << 16)
            ended, buffer = not block, buffer + block
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "begin" in message:
                    at, began, cpu = message["begin"], time.monotonic(), _cpu(pid)
                    asleep = began
                else:
                    yield at, Outcome(**message)
                    at += 1
        else:
            now, before = time.monotonic(), used
            used, waited = _cpu(pid) - cpu, now - began
            # On a busy machine a process waits for the processor too, but then it is ready to run.
            if used != before or _state(pid) != "S":
                asleep = now
            hung = ended = used > CPU_SECONDS or now - asleep > WAIT_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.close(read_end)
    _, status = os.waitpid(pid, 0)
    if hung:
        yield (
            at,
            Outcome(
                "hang", "hang", f"no end after {used:.1f} s of the processor and {waited:.0f} s"
            ),
        )
    elif at < numbers.stop:
        kind = (
            "memory"
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            else "crash"
        )
        text = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {status}"
        yield at, Outcome(kind, text, text)


def _child(reader: Reader, made: Made, numbers: range, folder: Path, pipe: int) -> None:
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    marker = folder.with_name(folder.name + ".marker")
    os.environ[inputs.MARKER] = str(marker)

    def tell(message: dict[str, Any]) -> None:
        os.write(pipe, json.dumps(message).encode() + b"\n")

    for number in numbers:
        shutil.rmtree(folder, ignore_errors=True)
        home = folder / str(number)  # readers may remember what they read, by its path
        home.mkdir(parents=True)
        marker.unlink(missing_ok=True)
        tell({"begin": number})
        try:
            inputs.write(made(number), home)
        except Exception as error:  # two mutations that do not go together
            tell({"kind": "not made", "where": "", "text": repr(error)})
            continue
        before = _peak(reset=True)
        outcome = _read(reader, home)
        if marker.exists():
            outcome = Outcome("payload", "payload", outcome.text)
        elif (more := _peak() - before) > GROWTH:
            outcome = Outcome(
                "memory", outcome.where or "ok", f"{more >> 10} MiB more; {outcome.text}"
            )
        tell({"kind": outcome.kind, "where": outcome.where, "text": outcome.text[-4000:]})


def _read(reader: Reader, folder: Path) -> Outcome:
    here = os.getcwd()
    os.chdir(folder)
    try:
        reader.read(folder)
    except Refused as error:
        said = str(error)
        return Outcome("clear error" if said else "raw error", "an error without a word", said)
    except BaseException as error:
        return _outcome(error, reader)
    finally:
        os.chdir(here)
    return Outcome("ok")


def _outcome(error: BaseException, reader: Reader) -> Outcome:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    text = "".join(traceback.format_exception(error, limit=-12))
    clear = (
        type(error).__module__.startswith("ddiv.")
        or (
            # Raised on purpose: a ValueError whose `raise` stands in ddiv's own code.
            type(error) is ValueError and own and frames[-1] == own[-1]
        )
        or isinstance(error, reader.clear)
    )
    if clear and str(error).strip():
        return Outcome("clear error", text=str(error))
    at = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "outside of ddiv"
    return Outcome("raw error", f"{type(error).__name__} in {at}", text)


def _peak(reset: bool = False) -> int:
    """The most memory in kilobytes that this process has held since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _cpu(pid: int) -> float:
    """The seconds of processor that a process has used."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _state(pid: int) -> str:
    """R for a process that runs or could, S for one that sleeps, D for one at the disk."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []
