"""`ddiv figures`: every figure of a run's page as SVG or PDF files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ddiv.common.outputs import write_output
from ddiv.common.paths import expanded
from ddiv.common.printed import one_line
from ddiv.run.run import Run
from ddiv.trial.store import Store

HELP = "write every figure of a run's page as a file, SVG or PDF, from stored records"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument(
        "--run", dest="run_id", metavar="ID", help="which run (default: the newest)"
    )
    parser.add_argument(
        "--format", choices=("svg", "pdf"), default="svg", help="kind of file (default: svg)"
    )
    parser.add_argument(
        "--out",
        type=expanded,
        metavar="FOLDER",
        default=Path("reports") / "figures",
        help="where they are written (default: reports/figures)",
    )
    parser.add_argument(
        "--grep",
        metavar="TEXT",
        default="",
        help="only figures whose name has this text, such as drop-alpha, clip-world or fig-3",
    )


def run(
    store: Store, options: argparse.Namespace, chosen: Callable[[Store, str | None], Run | None]
) -> int:
    """Write the figures; `chosen` finds the run. Raises StoreError and NotWritten."""
    from ddiv.report.figure_files import drawing, figures
    from ddiv.report.gather import page

    if (one := chosen(store, options.run_id)) is None:
        return 2
    written = 0
    for name, draw in figures(page(store, one), options.grep):
        write_output(options.out / f"{name}.{options.format}", drawing(draw, options.format))
        written += 1
    print(one_line(f"{written} figures of run {one.id} in {options.out}"))
    return 0 if written else 1
