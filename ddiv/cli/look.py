"""`ddiv look`: a first look at a study, before hundreds of trials are trained."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ddiv.cli import calibrate
from ddiv.common.paths import expanded
from ddiv.common.printed import one_line
from ddiv.finding.first_look import lines, look
from ddiv.profiles.profile import UnknownProfile
from ddiv.profiles.study_file import BadStudyFile
from ddiv.run.crew import Crew, JobFailed
from ddiv.trial import Job, Trial
from ddiv.trial.store import Record, Store, StoreError

HELP = "train a few arms of a study of yours, and suggest epochs and doses at which they learn"

EPILOG = """\
  ddiv look --study my_study.py

Trains the baseline (longer where it does not learn), the largest dose of each kind (smaller ones
where it hardly learns) and each augmentation, on one seed that no claim uses, and says what to
change in the study's file. What is trained is kept, and not trained again.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv look`."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--study",
        type=expanded,
        metavar="FILE",
        required=True,
        help="a Python or TOML file of your own studies",
    )
    parser.add_argument("--only", metavar="NAME", help="one study of these")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: CUDA where it is)")
    parser.add_argument("--data-root", type=expanded, metavar="FOLDER", help="where data lies")
    parser.set_defaults(workers=1, profile="")


def run(store: Store, options: argparse.Namespace) -> int:
    """Look at the studies of a file and return the exit status. Raises StoreError."""
    try:
        studies = calibrate.studies(options)
    except (BadStudyFile, UnknownProfile, ValueError) as error:
        _complain(error)
        return 2
    store.check_writable()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="ddiv-look-") as folder:
        crew = Crew(store, Path(folder), _measure(options.device))

        def obtain(job: Trial) -> Record:
            print(one_line(f"{job.study}: {job.label}, {job.recipe.epochs} epochs"), flush=True)
            record = crew.obtain([job])[job]
            print(f"  fits {record.facts['clean']['accuracy']:.0%}", flush=True)
            return record

        for study in studies:
            try:
                for line in lines(look(study, obtain), study):
                    print(one_line(line))
            except (JobFailed, StoreError) as error:
                _complain(error)
                return 1
    return 0


def _measure(
    device: str | None,
) -> Callable[[Job, Mapping[Job, Record], Callable[[float], None]], Record]:
    def measured(
        job: Job, records: Mapping[Job, Record], progress: Callable[[float], None]
    ) -> Record:
        from ddiv.trial.measure import measure  # imports torch

        return measure(job, records, device, progress)

    return measured


def _complain(text: object) -> None:
    print(f"ddiv: {one_line(text)}", file=sys.stderr)
