"""`ddiv findings`, `ddiv records` and `ddiv cite`: results that travel."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ddiv.common.errors import NotWritten
from ddiv.common.outputs import write_output
from ddiv.common.paths import expanded
from ddiv.common.printed import one_line
from ddiv.export import cite, files, of_run, of_store
from ddiv.export.public import run_of
from ddiv.export.rows import FindingRow, MeasurementRow, RecordRow, Row
from ddiv.run import run as runs
from ddiv.trial.places import is_store, require_store
from ddiv.trial.store import Store

FINDINGS = "the findings of a run as CSV, JSON, Parquet or a LaTeX table"
RECORDS = "the records of a store, or every number in them, as CSV, JSON or Parquet"
CITE = "BibTeX entries, and a sentence on a run for a paper"

EPILOG = """\
In Python the same rows are `ddiv.findings(".ddiv")`, `ddiv.records(".ddiv")` and
`ddiv.measurements(".ddiv")`, for `pandas.DataFrame(...)` or `polars.DataFrame(...)`. Each begins
with the version of its schema; ddiv/export/rows.py describes the columns.
"""

# What is written to the standard output, where no file is named.
_STDOUT = Path("-")

Writer = Callable[[Sequence[Row], type[Row]], bytes]
_WRITERS: dict[str, Writer] = {
    "csv": files.as_csv,
    "json": files.as_json,
    "parquet": files.as_parquet,
}


def add_findings(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv findings`."""
    _add(parser, _WRITERS)
    parser.add_argument(
        "--latex",
        nargs="?",
        const=_STDOUT,
        type=_file,
        metavar="FILE",
        help="a table for LaTeX (booktabs, longtable)",
    )
    _add_run(parser)
    parser.add_argument(
        "--grep", metavar="TEXT", default="", help="only findings whose test's name has this text"
    )


def add_records(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv records`."""
    _add(parser, _WRITERS)
    parser.add_argument(
        "--measurements",
        action="store_true",
        help="a row for every number: spectral metrics, accuracies, calibration errors, diversity",
    )


def add_cite(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv cite`."""
    _add_run(parser)


def _add(parser: argparse.ArgumentParser, kinds: Sequence[str] | dict[str, Writer]) -> None:
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    for kind in kinds:
        parser.add_argument(
            f"--{kind}",
            nargs="?",
            const=_STDOUT,
            type=_file,
            metavar="FILE",
            help=f"write {kind} into a file, or without one to the standard output",
        )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", dest="run_id", metavar="ID", help="which run (default: the newest)"
    )


def _file(text: str) -> Path:
    return _STDOUT if text == "-" else expanded(text)


def findings(store: Store, options: argparse.Namespace) -> int:
    """Write the findings of a run, or print them, and return the exit status.

    Raises StoreError, NotWritten.
    """
    require_store(store.root)
    run = run_of(store, options.run_id)
    if run.seconds is None:
        _complain(
            f"the run {run.id} has not ended: it goes on, or was stopped. Its findings are those "
            "of the records that are there (`ddiv runs` lists the runs, --run ID takes another)"
        )
    if lost := runs.questions(store, run.id).lost:
        _complain(lost)
    rows = [row for row in of_run.findings(store, run) if options.grep in row.test]
    if not _write(rows, FindingRow, options):
        for row in rows:
            _say(_in_a_line(row))
        counts = Counter(row.verdict for row in rows)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        _say(f"{len(rows)} questions of run {run.id}{': ' * bool(told)}{told}")
    return 1 if lost or any(row.verdict == "error" for row in rows) else 0


def _in_a_line(row: FindingRow) -> str:
    name = f"{row.claim} ({row.variant})" if row.variant else row.claim
    specific = f", specific: {row.specific}" if row.specific else ""
    if row.effect is None:
        return f"{row.verdict:<14} {name} on {row.study}: {row.reason}"
    return (
        f"{row.verdict:<14} {name} on {row.study}: {row.effect:+.4g} {row.unit}, "
        f"{len(row.seeds)} seeds{specific}"
    )


def records(store: Store, options: argparse.Namespace) -> int:
    """Write the records of a store, or print them, and return the exit status: 1 where a record
    cannot be read. Raises StoreError, NotWritten.
    """
    require_store(store.root)
    damaged: list[str] = []
    rows: list[Row] = []
    for record in of_store.whole(store, damaged.append):
        if options.measurements:
            rows += of_store.measurement_rows(record, store)
        else:
            rows.append(of_store.record_row(record))
    kind = MeasurementRow if options.measurements else RecordRow
    if not _write(rows, kind, options):
        for row in rows:
            _say("  ".join(str(value) for value in row[1:] if value not in ("", None)))
        _say(f"{len(rows)} {'measurements' if options.measurements else 'records'} in {store.root}")
    for line in damaged:
        _complain(line)
    return 1 if damaged else 0


def cited(store: Store, options: argparse.Namespace) -> int:
    """Print BibTeX and a sentence; without a store, or a run in it, the sentence names none."""
    run, devices = None, []
    if options.run_id or (is_store(store.root) and runs.latest(store)):
        require_store(store.root)
        run = run_of(store, options.run_id)
        rows = map(of_store.record_row, of_store.whole(store, _complain))
        devices = sorted({row.device_name for row in rows})
    print(cite.bibtex(datetime.now(UTC).year), end="\n\n")
    _say(cite.sentence(run, devices))
    return 0


def _write(rows: Sequence[Row], kind: type[Row], options: argparse.Namespace) -> bool:
    """Write the files that were asked for; whether there was one."""
    wanted = [(name, getattr(options, name, None)) for name in (*_WRITERS, "latex")]
    asked = [(name, path) for name, path in wanted if path is not None]
    for name, path in asked:
        if name == "latex":
            content = files.as_latex([row for row in rows if isinstance(row, FindingRow)])
        else:
            content = _WRITERS[name](rows, kind)
        if path != _STDOUT:
            write_output(path, content)
            _complain(f"{len(rows)} rows into {path}")
        elif name == "parquet" and sys.stdout.isatty():
            raise NotWritten("Parquet is no text: name a file, --parquet FILE")
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
    return bool(asked)


def _say(line: object) -> None:
    print(one_line(line))


def _complain(line: object) -> None:
    print(f"ddiv: {one_line(line)}", file=sys.stderr)
