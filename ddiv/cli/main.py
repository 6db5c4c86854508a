"""The command line: `ddiv report`, `figures`, `runs`, `findings`, `records`, `cite`, `ledger`,
`trials`, `store`, `doctor`, `look`, `calibrate`, `fetch`, `new`, `catalogue`, `spectra`.

(Claims are run by `pytest claims`.)
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ddiv.cli import calibrate, catalogue, export, figures, look, new, runs, spectra, stores
from ddiv.common.errors import NotWritten, cause, remedy
from ddiv.common.outputs import write_output
from ddiv.common.paths import expanded, named, of_text
from ddiv.common.printed import command, one_line, printable
from ddiv.finding import ledger
from ddiv.trial import Job
from ddiv.trial.places import beside, require_store
from ddiv.trial.store import Store, StoreError

if TYPE_CHECKING:
    from ddiv.finding import Asked, Finding
    from ddiv.run.run import Run

Command = Callable[[Store, argparse.Namespace], int]

# The entries of the ledger, by place.
Known = Mapping[ledger.Place, ledger.Entry]

EPILOG = """\
The claims themselves are pytest tests, run from the project's folder:

  pytest claims -n 2               every claim on the embedded studies, two workers
  pytest claims -k drop-alpha      one claim; trains only what it reads
  pytest claims --help             the options under "ddiv"

Claims of your own run from any folder; `ddiv new --help` shows how to begin.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    Errors of use or of the store are one line on stderr.
    """
    options = _parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± still gets its answer
    inputs = (Store(options.store), options) if "store" in options else (options,)
    try:
        status: int = options.run(*inputs)
        sys.stdout.flush()  # here a full disk can still be told in a line
        return status
    except BrokenPipeError:  # the reader of `ddiv trials | head` has seen enough
        _print_no_more()
        return 0
    except (StoreError, NotWritten) as error:
        _complain(error)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _complain(f"{place}{cause(error)}. {remedy(error)}")
        if not error.filename:  # the standard output, most likely: nothing is left to write there
            _print_no_more()
        return 1


def _print_no_more() -> None:
    with suppress(OSError, ValueError):  # not a real file, in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ddiv",
        description="Checks the claims of papers on data diversity and regularisation.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    default = named("DDIV_STORE") or Path(".ddiv")

    def command(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument(
            "--store",
            default=default,
            type=expanded,
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
        "--out",
        type=expanded,
        metavar="FILE",
        help="the page (default: reports/PROFILE.html; where a fuller page is there, "
        "reports/PROFILE-part.html)",
    )
    drawn = command("figures", lambda store, given: figures.run(store, given, _run), figures.HELP)
    figures.add_options(drawn)
    runs.add_options(command("runs", runs.run, runs.HELP))
    known = command(
        "ledger",
        _ledger,
        "show the claims that are known not to reproduce, or propose entries from a run",
    )
    _add_ledger_options(known)
    export.add_findings(command("findings", export.findings, export.FINDINGS))
    export.add_records(command("records", export.records, export.RECORDS))
    export.add_cite(command("cite", export.cited, export.CITE))
    stores.add_options(command("store", stores.run, stores.HELP))
    trials = command("trials", _trials, "list what the store holds")
    trials.add_argument("--grep", metavar="TEXT", help="only lines that contain this text")
    command("doctor", _doctor, "say what this machine can run, and what is missing")
    look.add_options(command("look", look.run, look.HELP))
    calibrate.add_options(command("calibrate", calibrate.run, calibrate.HELP))
    text = (
        "bring a published dataset below the data root; without a name: list them with size, "
        "licence and state"
    )
    fetch = commands.add_parser("fetch", help=text, description=text)
    fetch.add_argument("name", nargs="?", metavar="NAME", help="which dataset")
    fetch.add_argument(
        "--data-root",
        metavar="FOLDER",
        help="where data lies (default: $DDIV_DATA, or ddiv/data in the user's cache folder)",
    )
    fetch.set_defaults(run=_fetch)
    begin = commands.add_parser("new", help=new.HELP, description=new.HELP)
    new.add_options(begin)
    begin.set_defaults(run=new.run)
    listed = commands.add_parser("catalogue", help=catalogue.HELP, description=catalogue.HELP)
    catalogue.add_options(listed)
    listed.set_defaults(run=catalogue.run)
    measure = commands.add_parser("spectra", help=spectra.HELP, description=spectra.HELP)
    spectra.add_options(measure)
    measure.set_defaults(run=spectra.run)
    return parser


def _add_ledger_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        type=expanded,
        default=ledger.at_hand(),
        help=f"the ledger (default: {ledger.FILE})",
    )
    parser.add_argument(
        "--grep", metavar="TEXT", default="", help="only entries that contain this text"
    )
    parser.add_argument(
        "--propose",
        action="store_true",
        help="print the entries that a run calls for: contradicted claims that are not listed, and "
        "changes",
    )
    parser.add_argument(
        "--run",
        dest="run_id",
        metavar="ID",
        help="which run to propose from or compare (default: the newest)",
    )
    parser.add_argument(
        "--changes",
        action="store_true",
        help="print in Markdown, as for $GITHUB_STEP_SUMMARY, which verdicts of a run are not the "
        "ledger's",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="with --propose: append the new entries; needs --reason",
    )
    parser.add_argument(
        "--reason", metavar="TEXT", default="", help="why these claims do not reproduce, we think"
    )


def _report(store: Store, options: argparse.Namespace) -> int:
    from ddiv.report.gather import errors, write
    from ddiv.report.where import beside_fuller
    from ddiv.run import run as runs

    if (run := _run(store, options.run_id)) is None:
        return 2
    path = options.out or beside_fuller(
        store,
        run.id,
        runs.names_asked(store, run.id),
        Path("reports") / of_text(f"{run.profile}.html"),
    )
    shown = write(store, run.id, path)
    _say(path)
    for line in filter(None, (errors(shown), *shown.warnings)):
        _complain(line)
    return 1 if errors(shown) or runs.questions(store, run.id).lost else 0


def _run(store: Store, run_id: str | None, asked: bool = True) -> Run | None:
    """The run of this id, or where that is None the latest (`ddiv.run.run.latest`).

    None where there is no such run, and a line on stderr says so. There is a line for every run
    that had to be passed over, too.
    """
    from ddiv.run import run as runs

    if run_id:
        try:
            return runs.load(store, run_id)
        except FileNotFoundError:
            names = ", ".join(run.id for run in runs.stored(store).runs) or "none"
            _complain(f"there is no run {run_id!r} in {store.root}; there are: {names}")
            return None
    for line in runs.stored(store).damaged:
        _complain(line)
    if (run := runs.latest(store, asked)) is None:
        if meant := beside(store.root):
            _complain(f"there is no run in {store.root}. Did you mean --store {meant[0]}?")
            return None
        make = command("pytest", "claims", "-n", "2", "--store", store.root.absolute())
        _complain(f"the store {store.root} holds no run yet. Make one: {make}")
    return run


def _complain(text: object) -> None:
    print(f"ddiv: {one_line(text)}", file=sys.stderr)


def _say(line: object) -> None:
    print(one_line(line))


def _say_lines(text: str) -> None:
    print(printable(text))


def _ledger(store: Store, options: argparse.Namespace) -> int:
    try:
        known = ledger.entries(options.file)
    except ledger.BadLedger as error:
        _complain(error)
        return 2
    if options.propose:
        return _propose(store, options, known)
    if options.changes:
        return _changes(store, options, known)
    rows = [row for row in known.values() if options.grep in ledger.as_toml(row)]
    for row in rows:
        _say(
            f"{row.profile}  {row.study}  {_named(row.claim, row.variant)}: {row.verdict} since "
            f"{row.since}"
        )
        reason = one_line(row.reason)
        _say_lines(textwrap.fill(reason, 100, initial_indent="    ", subsequent_indent="    "))
    _say(f"{len(rows)} of {len(known)} entries in {options.file}")
    return 0


def _named(claim: str, variant: str) -> str:
    return f"{claim} ({variant})" if variant else claim


def _propose(store: Store, options: argparse.Namespace, known: Known) -> int:
    if options.write and not options.reason.strip():
        _complain("--write needs --reason: an entry says why the claim does not reproduce")
        return 2
    if (run := _run(store, options.run_id)) is None:
        return 2
    answers, status = _answers(store, run)
    answered = {
        (run.profile, asked.claim.id, asked.study.name, asked.variant): finding.evidence.verdict
        for asked, finding in answers
        if finding and not asked.claim.control
    }
    new, changed = ledger.proposals(answered, known, options.reason, datetime.now(UTC).date())
    for entry, verdict in changed:
        # Weaker evidence is no failure, and another run may have more.
        advice = "its entry may stay" if verdict == "inconclusive" else "change or remove its entry"
        _say(
            f"# {entry.claim} on {_named(entry.study, entry.variant)} was {entry.verdict} since "
            f"{entry.since} and is {verdict} in run {run.id}: {advice}."
        )
    text = "\n".join(map(ledger.as_toml, new))
    _say_lines(text or f"# run {run.id} calls for no new entry")
    for asked, _ in answers:
        if asked.error:
            word = "error" if asked.failed else "not run"
            place = _named(asked.study.name, asked.variant)
            _say(f"# {asked.claim.id} on {place} has no verdict ({word}): {asked.error}")
    if new and options.write:
        before = options.file.read_bytes() if options.file.exists() else b""
        write_output(options.file, before + f"\n{text}".encode())
        _say(f"# appended to {options.file}")
    elif new:
        _say(
            f"# {len(new)} new entries. Not written: say why under `reason`, and append them to "
            f"{options.file}"
        )
    return status


def _changes(store: Store, options: argparse.Namespace, known: Known) -> int:
    from ddiv.report.job_summary import job_summary

    if (run := _run(store, options.run_id, asked=False)) is None:
        return 2
    answers, status = _answers(store, run)
    _say_lines(job_summary(run, answers, known))
    return status


def _answers(store: Store, run: Run) -> tuple[list[tuple[Asked, Finding | None]], int]:
    """Every question of a run with its finding, and the exit status: 1 where there was an error.

    The finding is None where the question is not applicable, and where the run came to no verdict:
    then the question's `error` says why.
    """
    from ddiv.finding import Reader, Unanswered, settled
    from ddiv.run import run as runs

    reader, questions = Reader(store), runs.questions(store, run.id)
    if questions.lost:
        _complain(questions.lost)
    answers: list[tuple[Asked, Finding | None]] = []
    for asked in questions.asked:
        answer = settled(asked, reader, run.enough(asked))
        if not isinstance(answer, Unanswered):
            answers.append((answer.asked, answer))
        elif asked.not_applicable:
            answers.append((asked, None))
        else:
            answers.append((msgspec.structs.replace(asked, error=answer.reason), None))
    failed = questions.lost or any(asked.failed for asked, _ in answers)
    return answers, 1 if failed else 0


def _trials(store: Store, options: argparse.Namespace) -> int:
    require_store(store.root)
    shown = failed = 0
    keys = store.keys()
    for key in keys:
        try:
            record = store.read(key)
        except StoreError as error:  # the others are listed all the same
            failed = 1
            _complain(error)
            continue
        made = record.facts["provenance"]
        line = (
            f"{record.key}  {_study(record.job):<20}  {record.job.label:<34}  "
            f"{made['seconds']:6.1f} s  {made['device']}"
        )
        if not options.grep or options.grep in line:
            shown += 1
            _say(line)
    _say(f"{shown} of {len(keys)} records in {store.root}")
    return failed


def _study(job: Job) -> str:
    """The study of a job; of a record that names none (of tables, or of long ago) its data."""
    return job.study or f"({type(job.data).__name__})"


def _fetch(options: argparse.Namespace) -> int:
    from ddiv.data.download import FetchFailed
    from ddiv.data.fetch import fetch, listing
    from ddiv.data.root import FOLDER_VARIABLE

    if options.data_root:
        os.environ[FOLDER_VARIABLE] = str(expanded(options.data_root))
    try:
        _say_lines(fetch(options.name) if options.name else "\n".join(listing()))
    except FetchFailed as error:
        _complain(error)
        return 1
    return 0


def _doctor(store: Store, options: argparse.Namespace) -> int:
    from ddiv.cli.doctor import examine

    checks = list(examine(store))
    for check in checks:
        _say(f"{check.mark:<4} {check.what}: {check.found}")
    return 1 if any(check.mark == "NO" for check in checks) else 0


if __name__ == "__main__":
    sys.exit(main())
