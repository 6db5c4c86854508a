"""`ddiv store`: stores checked, copied and merged; nothing goes over that is not whole."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ddiv.common.paths import expanded
from ddiv.common.printed import one_line
from ddiv.run.joining import Joined, bring, check
from ddiv.trial.places import is_store, require_store
from ddiv.trial.store import Store, StoreError

HELP = "check, copy or merge stores: records, runs and calibrations, against their checksums"

EPILOG = """\
  ddiv store check                    read everything; says what is damaged
  ddiv store copy ~/backup/store      what is whole, into a new folder
  ddiv store merge ../gpu/.ddiv       what is whole in another store, into this one

Of a job that both have, the record that is there stays. To move a store: copy it, then delete the
old one. The store is .ddiv, $DDIV_STORE or that of --store.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv store`."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument("act", choices=("check", "copy", "merge"), help="what to do")
    parser.add_argument(
        "folders", nargs="*", type=expanded, metavar="FOLDER", help="the other stores"
    )


def run(store: Store, options: argparse.Namespace) -> int:
    """Do what is asked and return the exit status: 1 where something is damaged, 2 on an error of
    use. Raises StoreError.
    """
    folders: list[Path] = options.folders
    require_here(store, options)
    match options.act, folders:
        case "check", []:
            return _tell(check(store), f"whole in {store.root}")
        case "copy", [target]:
            if is_store(target) or (target.is_dir() and any(target.iterdir())):
                raise StoreError(
                    f"{target} is not empty: name a new folder, or join the two with "
                    "`ddiv store merge`"
                )
            return _tell(bring(store, Store(target)), f"from {store.root} into {target}")
        case "merge", [_, *_]:
            for folder in folders:
                require_store(folder)
            status = 0
            for folder in folders:
                found = bring(Store(folder), store)
                status = max(status, _tell(found, f"from {folder} into {store.root}"))
            return status
    wanted = {"check": "no folder", "copy": "one folder", "merge": "one folder or more"}
    _complain(f"`ddiv store {options.act}` takes {wanted[options.act]} beside --store")
    return 2


def require_here(store: Store, options: argparse.Namespace) -> None:
    """Raise StoreError where the store is not there; one may be merged into a new one."""
    if options.act != "merge" or store.root.exists():
        require_store(store.root)


def _tell(found: Joined, where: str) -> int:
    for line in (*found.notes, *found.bad):
        _complain(line)
    known = f" ({found.known} more were there)" if found.known else ""
    print(
        one_line(
            f"{found.records} records{known}, {found.runs} runs and {found.calibrations} "
            f"calibrations {where}" + (f"; {len(found.bad)} left out" if found.bad else "")
        )
    )
    return 1 if found.bad else 0


def _complain(line: object) -> None:
    print(f"ddiv: {one_line(line)}", file=sys.stderr)
