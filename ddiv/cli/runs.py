"""`ddiv runs`: the runs of a store, and what one of them was."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from ddiv.common.printed import one_line
from ddiv.common.units import duration
from ddiv.report.text import VERDICTS
from ddiv.run import run as runs
from ddiv.run.run import Run
from ddiv.trial.places import require_store
from ddiv.trial.store import Store

HELP = "list the runs of the store, the newest first; `ddiv report --run ID` writes the page of one"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument(
        "run_id", nargs="?", metavar="ID", help="tell everything that is noted of this run"
    )
    parser.add_argument("--grep", metavar="TEXT", default="", help="only runs that say this text")


def run(store: Store, options: argparse.Namespace) -> int:
    """Print the runs. Raises StoreError where there is no store, or they cannot be listed."""
    require_store(store.root)
    there = runs.stored(store)
    for line in there.damaged:
        print(f"ddiv: {one_line(line)}", file=sys.stderr)
    if options.run_id:
        chosen = next((one for one in there.runs if one.id == options.run_id), None)
        if chosen is None:
            names = ", ".join(one.id for one in there.runs) or "none"
            text = f"there is no run {options.run_id!r} in {store.root}; there are: {names}"
            print(f"ddiv: {one_line(text)}", file=sys.stderr)
            return 2
        for name, value in _facts(store, chosen):
            print(one_line(f"{name + ':':<12} {value}"))
        return 0
    shown = [lines for one in there.runs if options.grep in "\n".join(lines := _lines(store, one))]
    for lines in shown:
        print("\n".join(map(one_line, lines)))
    print(one_line(f"{len(shown)} of {len(there.runs)} runs in {store.root}"))
    return 1 if there.damaged else 0


def _lines(store: Store, one: Run) -> list[str]:
    asked = one.asked if one.asked is not None else len(runs.names_asked(store, one.id))
    told = f"{asked} question{'s' * (asked != 1)}"
    return [f"{one.id}  {one.profile}  {told}  {_took(one)}  {_came_to(one)}", f"    {one.command}"]


def _took(one: Run) -> str:
    return "not ended" if one.seconds is None else duration(one.seconds)


def _came_to(one: Run) -> str:
    """The counts of its verdicts; runs that were killed, and those of older versions, have none."""
    ordered = [word for word in VERDICTS if word in one.counts]
    return ", ".join(f"{one.counts[word]} {word}" for word in ordered) or "verdicts not noted"


def _facts(store: Store, one: Run) -> Iterator[tuple[str, object]]:
    yield "run", one.id
    yield "begun", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(one.started))
    yield "took", _took(one)
    yield "profile", one.profile
    yield "command", one.command
    yield "questions", one.asked if one.asked is not None else len(runs.names_asked(store, one.id))
    yield "verdicts", _came_to(one)
    yield "measured", "not noted" if one.measured is None else one.measured
    yield "seeds", f"{len(one.seeds)} to start with, at most {one.max_seeds}"
    yield "workers", one.workers
    yield "device", one.device
    yield "versions", ", ".join(map(" ".join, one.versions.items())) or "not noted"
    yield "folder", runs.folder(store, one.id)
