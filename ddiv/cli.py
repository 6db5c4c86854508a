"""The command line: `ddiv report`, `ledger`, `trials`, `doctor`, `fetch`, `spectra`.

(Claims are run by `pytest claims`.)
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from ddiv import ledger
from ddiv.spectra import command as spectra
from ddiv.store import Store, StoreError

EPILOG = """\
The claims themselves are pytest tests, run from the project's folder:

  pytest claims -n 2               every claim on the embedded studies, two workers
  pytest claims -k drop-alpha      one claim; trains only what it reads
  pytest claims --help             the options under "ddiv"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    Errors of use or of the store are one line on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        return (
            options.run(Store(options.store), options)
            if "store" in options
            else options.run(options)
        )
    except BrokenPipeError:  # `ddiv trials | head`: who was reading has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (StoreError, OSError) as error:
        print(f"ddiv: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ddiv",
        description="Checks the claims of papers on data diversity and regularisation.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    default = os.environ.get("DDIV_STORE", ".ddiv")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument(
            "--store",
            default=default,
            type=Path,
            metavar="FOLDER",
            help="the store of records (default: .ddiv, or $DDIV_STORE)",
        )
        sub.set_defaults(run=run)
        return sub

    report = command(
        "report", _report, "write the page of a run again from stored records, without training"
    )
    report.add_argument(
        "--run", dest="run_id", metavar="ID", help="which run (default: the newest)"
    )
    report.add_argument(
        "--out", type=Path, metavar="FILE", help="the page (default: reports/PROFILE.html)"
    )
    known = command(
        "ledger",
        _ledger,
        "show the claims that are known not to reproduce, or propose entries from a run",
    )
    known.add_argument(
        "--file", type=Path, default=ledger.FILE, help=f"the ledger (default: {ledger.FILE})"
    )
    known.add_argument(
        "--grep", metavar="TEXT", default="", help="only entries that contain this text"
    )
    known.add_argument(
        "--propose",
        action="store_true",
        help="print the entries that a run calls for: contradicted claims that are not listed, and changes",
    )
    known.add_argument(
        "--run",
        dest="run_id",
        metavar="ID",
        help="which run to propose from or compare (default: the newest)",
    )
    known.add_argument(
        "--changes",
        action="store_true",
        help="print in Markdown, as for $GITHUB_STEP_SUMMARY, which verdicts of a run are not the ledger's",
    )
    known.add_argument(
        "--write",
        action="store_true",
        help="with --propose: append the new entries; needs --reason",
    )
    known.add_argument(
        "--reason", metavar="TEXT", default="", help="why these claims do not reproduce, we think"
    )
    trials = command("trials", _trials, "list what the store holds")
    trials.add_argument("--grep", metavar="TEXT", help="only lines that contain this text")
    command("doctor", _doctor, "say what this machine can run, and what is missing")
    told = "bring a published dataset below the data root; without a name: list them with size, licence and state"
    brought = commands.add_parser("fetch", help=told, description=told)
    brought.add_argument("name", nargs="?", metavar="NAME", help="which dataset")
    brought.add_argument(
        "--data-root",
        metavar="FOLDER",
        help="where data lies (default: $DDIV_DATA, or ddiv/data in the user's cache folder)",
    )
    brought.set_defaults(run=_fetch)
    measure = commands.add_parser("spectra", help=spectra.HELP, description=spectra.HELP)
    spectra.add_options(measure)
    measure.set_defaults(run=spectra.run)
    return parser


def _report(store, options: argparse.Namespace) -> int:
    from ddiv.report.page import write

    if (run := _run(store, options.run_id)) is None:
        return 2
    print(write(store, run.id, options.out or Path("reports") / f"{run.profile}.html"))
    return 0


def _run(store, run_id: str | None, asked: bool = True):
    """The run of this id, or `ddiv.run.latest`'s; None, said on stderr, where there is none."""
    from ddiv import run as runs

    try:
        run = runs.load(store, run_id) if run_id else runs.latest(store, asked)
    except FileNotFoundError:
        there = ", ".join(sorted(path.name for path in store.root.glob("runs/*"))) or "none"
        print(
            f"ddiv: there is no run {run_id!r} in {store.root}; there are: {there}", file=sys.stderr
        )
        return None
    if run is None:
        print(
            f"ddiv: the store {store.root} holds no run yet. Make one: pytest claims -n 2",
            file=sys.stderr,
        )
    return run


def _ledger(store, options: argparse.Namespace) -> int:
    try:
        known = ledger.entries(options.file)
    except ledger.BadLedger as error:
        print(f"ddiv: {error}", file=sys.stderr)
        return 2
    if options.propose:
        return _propose(store, options, known)
    if options.changes:
        return _changes(store, options, known)
    rows = [row for row in known.values() if options.grep in ledger.as_toml(row)]
    for row in rows:
        print(
            f"{row.profile}  {row.study}  {row.claim}{f' ({row.variant})' if row.variant else ''}: {row.verdict} since {row.since}"
        )
        print(textwrap.fill(row.reason, 100, initial_indent="    ", subsequent_indent="    "))
    print(f"{len(rows)} of {len(known)} entries in {options.file}")
    return 0


def _propose(store, options: argparse.Namespace, known: dict) -> int:
    if options.write and not options.reason.strip():
        print(
            "ddiv: --write needs --reason: an entry says why the claim does not reproduce",
            file=sys.stderr,
        )
        return 2
    if (run := _run(store, options.run_id)) is None:
        return 2
    answered = {
        (run.profile, asked.claim.id, asked.study.name, asked.variant): finding.evidence.verdict
        for asked, finding in _answered(store, run)
        if finding and not asked.claim.control
    }
    new, changed = ledger.proposals(answered, known, options.reason, date.today())
    for entry, verdict in changed:
        print(
            f"# {entry.claim} on {entry.study}{f' ({entry.variant})' if entry.variant else ''} was {entry.verdict} since "
            f"{entry.since} and is {verdict} in run {run.id}: change or remove its entry."
        )
    text = "\n".join(map(ledger.as_toml, new))
    print(text or f"# run {run.id} calls for no new entry")
    if new and options.write:
        with open(options.file, "a", encoding="utf-8") as file:
            file.write("\n" + text)
        print(f"# appended to {options.file}")
    elif new:
        print(
            f"# {len(new)} new entries. Not written: say why under `reason`, and append them to {options.file}"
        )
    return 0


def _changes(store, options: argparse.Namespace, known: dict) -> int:
    from ddiv.report.job_summary import job_summary

    if (run := _run(store, options.run_id, asked=False)) is None:
        return 2
    print(job_summary(run, list(_answered(store, run)), known))
    return 0


def _answered(store, run) -> Iterator:
    """Every question of a run with its finding; None where it is not applicable, or the run came to
    no verdict.
    """
    from ddiv import run as runs
    from ddiv.finding import Reader, answer

    reader = Reader(store)
    for asked in runs.load_asked(store, run.id):
        finding = None
        if not asked.not_applicable:
            with suppress(KeyError, StoreError):
                finding = answer(asked, reader)
        yield asked, finding


def _trials(store, options: argparse.Namespace) -> int:
    shown = total = 0
    for record in store.records():
        total += 1
        made = record.facts["provenance"]
        data, backbone = (
            type(getattr(record.job, part, None)).__name__ for part in ("data", "backbone")
        )
        where = data if backbone == "NoneType" else f"{backbone} on {data}"
        line = f"{record.key}  {where:<18}  {record.job.label:<34}  {made['seconds']:6.1f} s  {made['device']}"
        if not options.grep or options.grep in line:
            shown += 1
            print(line)
    print(f"{shown} of {total} records in {store.root}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from ddiv.data.fetch import FetchFailed, fetch, listing
    from ddiv.data.root import FOLDER_VARIABLE

    if options.data_root:
        os.environ[FOLDER_VARIABLE] = options.data_root
    try:
        print(fetch(options.name) if options.name else "\n".join(listing()))
    except FetchFailed as error:
        print(f"ddiv: {error}", file=sys.stderr)
        return 1
    return 0


def _doctor(store, options: argparse.Namespace) -> int:
    from ddiv.doctor import examine

    checks = list(examine(store))
    for check in checks:
        print(f"{check.mark:<4} {check.what}: {check.found}")
    return 1 if any(check.mark == "NO" for check in checks) else 0


if __name__ == "__main__":
    sys.exit(main())
