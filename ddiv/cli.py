"""The command line: `ddiv report`, `trials`, `doctor` and `spectra`. (Claims are run by `pytest claims`.)"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ddiv.spectra import command as spectra

EPILOG = """\
The claims themselves are pytest tests, run from the project's folder:

  pytest claims -n 2               every claim on the embedded studies, two workers
  pytest claims -k drop-alpha      one claim; trains only what it reads
  pytest claims --help             the options under "ddiv"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors of use or of the store are one line on stderr."""
    options = _parser().parse_args(arguments)
    from ddiv.store import Store, StoreError

    try:
        return options.run(Store(options.store), options) if "store" in options else options.run(options)
    except BrokenPipeError:  # `ddiv trials | head`: who was reading has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (StoreError, OSError) as error:
        print(f"ddiv: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ddiv", description="Checks the claims of papers on data diversity and regularisation.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    default = os.environ.get("DDIV_STORE", ".ddiv")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--store", default=default, type=Path, metavar="FOLDER",
                         help="the store of records (default: .ddiv, or $DDIV_STORE)")
        sub.set_defaults(run=run)
        return sub

    report = command("report", _report, "write the page of a run again from stored records, without training")
    report.add_argument("--run", dest="run_id", metavar="ID", help="which run (default: the newest)")
    report.add_argument("--out", type=Path, metavar="FILE", help="the page (default: reports/PROFILE.html)")
    trials = command("trials", _trials, "list what the store holds")
    trials.add_argument("--grep", metavar="TEXT", help="only lines that contain this text")
    command("doctor", _doctor, "say what this machine can run, and what is missing")
    measure = commands.add_parser("spectra", help=spectra.HELP, description=spectra.HELP)
    spectra.add_options(measure)
    measure.set_defaults(run=spectra.run)
    return parser


def _report(store, options: argparse.Namespace) -> int:
    from ddiv import run as runs
    from ddiv.report.page import write

    try:
        run = runs.load(store, options.run_id) if options.run_id else runs.latest(store)
    except FileNotFoundError:
        there = ", ".join(sorted(path.name for path in store.root.glob("runs/*"))) or "none"
        print(f"ddiv: there is no run {options.run_id!r} in {store.root}; there are: {there}", file=sys.stderr)
        return 2
    if run is None:
        print(f"ddiv: the store {store.root} holds no run yet. Make one: pytest claims -n 2", file=sys.stderr)
        return 2
    print(write(store, run.id, options.out or Path("reports") / f"{run.profile}.html"))
    return 0


def _trials(store, options: argparse.Namespace) -> int:
    shown = total = 0
    for record in store.records():
        total += 1
        made = record.facts["provenance"]
        data, backbone = (type(getattr(record.job, part, None)).__name__ for part in ("data", "backbone"))
        where = data if backbone == "NoneType" else f"{backbone} on {data}"
        line = f"{record.key}  {where:<18}  {record.job.label:<34}  {made['seconds']:6.1f} s  {made['device']}"
        if not options.grep or options.grep in line:
            shown += 1
            print(line)
    print(f"{shown} of {total} records in {store.root}")
    return 0


def _doctor(store, options: argparse.Namespace) -> int:
    from ddiv.doctor import examine

    checks = list(examine(store))
    for check in checks:
        print(f"{check.mark:<4} {check.what}: {check.found}")
    return 1 if any(check.mark == "NO" for check in checks) else 0


if __name__ == "__main__":
    sys.exit(main())
